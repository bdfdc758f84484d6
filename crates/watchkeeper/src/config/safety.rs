//! Who else could have written, or could read, a file that the watch relies on.

use std::fs::Metadata;
use std::path::Path;

/// Why a file is not used, and what mends it.
#[derive(Debug)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// The command that mends it.
    pub help: String,
}

/// As root: refuses a file that others could have written, or whose folder lets them replace it. `metadata` is that of
/// the opened file, so that nobody can swap it in between.
pub fn refuse_writable(path: &Path, metadata: &Metadata, what: &str) -> Result<(), Refusal> {
    #[cfg(unix)]
    if crate::paths::is_root() {
        return unix::refuse_writable(path, metadata, what);
    }
    let _ = (path, metadata, what);
    Ok(())
}

/// Refuses a secret that others can read.
pub fn refuse_readable(path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
    #[cfg(unix)]
    return unix::refuse_readable(path, metadata);
    #[cfg(not(unix))]
    {
        let _ = (path, metadata);
        Ok(())
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use watchkeeper_core::text::clean;

    use super::Refusal;

    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    const GROUP_READS: u32 = 0o040;
    const OTHERS_READ: u32 = 0o004;
    const ROOT: u32 = 0;

    pub fn refuse_writable(path: &Path, metadata: &Metadata, what: &str) -> Result<(), Refusal> {
        entry(path, metadata, what, 0)?;
        // Both the way that was named and the way it leads to through links.
        let named = std::path::absolute(path).ok();
        let real = path.canonicalize().ok();
        for way in [named, real].into_iter().flatten() {
            for folder in way.ancestors().skip(1) {
                // What cannot be looked at cannot have been gone through; opening would have failed.
                if let Ok(metadata) = folder.metadata() {
                    entry(folder, &metadata, &format!("folder above the {what}"), STICKY)?;
                }
            }
        }
        Ok(())
    }

    /// In a sticky folder others can write, but not replace what belongs to root.
    fn entry(path: &Path, metadata: &Metadata, what: &str, excused_by: u32) -> Result<(), Refusal> {
        let shown = clean(&path.display().to_string(), 300);
        let quoted = quoted(path);
        if metadata.uid() != ROOT {
            return Err(Refusal {
                message: format!("the {what} {shown} belongs to user {}, not to root", metadata.uid()),
                help: format!("run: chown root {quoted}"),
            });
        }
        let mode = metadata.mode();
        // The group of root holds nobody who is not root already on most systems, but nobody promises that.
        if mode & (GROUP_WRITES | OTHERS_WRITE) != 0 && mode & excused_by == 0 {
            return Err(Refusal {
                message: format!("others can write the {what} {shown} (mode {:04o})", mode & 0o7777),
                help: format!("run: chmod go-w {quoted}"),
            });
        }
        Ok(())
    }

    pub fn refuse_readable(path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
        let mode = metadata.mode();
        // systemd hands credentials over with mode 0440 and group root; root could read them anyway.
        let group = mode & GROUP_READS != 0 && metadata.gid() != ROOT;
        if group || mode & OTHERS_READ != 0 {
            let shown = clean(&path.display().to_string(), 300);
            return Err(Refusal {
                message: format!("others can read the secret file {shown} (mode {:04o})", mode & 0o7777),
                help: format!("run: chmod 600 {}", quoted(path)),
            });
        }
        Ok(())
    }

    /// The path as a shell takes it.
    fn quoted(path: &Path) -> String {
        let text = clean(&path.display().to_string(), 300);
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(&b));
        if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
    }
}
