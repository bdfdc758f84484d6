//! A file that takes the place of another as a whole, or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Links that are followed one after the other, as many as Linux follows.
const MOST_LINKS: u32 = 40;
/// Letters and digits that make the name of a replacement one of its own.
const RANDOM: usize = 6;
/// How it ends.
const SUFFIX: &str = ".tmp";

/// Replaces what is at `target`, or what a link there leads to, by a file of these bytes. Whatever fails, the old file stays and
/// nothing else is left behind.
///
/// The file has the permissions of the one that it replaces, a new one those that the user's umask leaves.
pub fn replace_file(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = behind_links(target)?;
    let mut file = replacement(&target)?;
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    sync_folder(&target);
    Ok(())
}

/// Where a link leads, also when nothing is there yet; anything else is itself.
///
/// # Errors
/// When links lead in a circle, or through what cannot be read.
pub fn behind_links(target: &Path) -> io::Result<PathBuf> {
    let mut place = target.to_owned();
    for _ in 0..MOST_LINKS {
        if !place.is_symlink() {
            return Ok(place);
        }
        let next = fs::read_link(&place)?;
        place = folder_of(&place).join(next);
    }
    // The system says it best.
    fs::canonicalize(target)
}

/// Removes what a program left that was killed while it replaced `target`: files beside it with the names that only
/// [`replace_file`] and its kin give. Only for whoever knows that nobody is replacing it now.
pub fn remove_leftovers(target: &Path) {
    let Ok(target) = behind_links(target) else { return };
    let Some(prefix) = prefix(&target) else { return };
    let Ok(entries) = fs::read_dir(folder_of(&target)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let random = random.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        let is_ours = random.is_some_and(|text| text.len() == RANDOM && text.iter().all(u8::is_ascii_alphanumeric));
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// How the names of replacements begin: `.NAME.`.
fn prefix(target: &Path) -> Option<OsString> {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name()?);
    prefix.push(".");
    Some(prefix)
}

/// An empty file in the folder of `target`, which goes again unless it is given a name.
pub(crate) fn replacement(target: &Path) -> io::Result<NamedTempFile> {
    let prefix = prefix(target).ok_or(io::ErrorKind::IsADirectory)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).rand_bytes(RANDOM).suffix(SUFFIX);
    #[cfg(unix)]
    {
        let permissions =
            fs::metadata(target).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.permissions());
        // From the start, so that nobody opens it who may not. The system takes from these what the umask forbids.
        let usual = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        builder.permissions(permissions.clone().unwrap_or(usual));
        let file = builder.tempfile_in(folder_of(target))?;
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    builder.tempfile_in(folder_of(target))
}

/// Writes the names in the folder of `target` to disk, where the system can do so.
pub(crate) fn sync_folder(target: &Path) {
    // A folder that cannot be synced, as on Windows, has them when the system likes.
    let _ = File::open(folder_of(target)).and_then(|folder| folder.sync_all());
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_program_left_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.xlsx");
        let (_, left) = replacement(&target).unwrap().keep().unwrap();
        let others = [
            ".a.xlsx.12345.tmp",
            ".a.xlsx.1234567.tmp",
            ".a.xlsx.12-456.tmp",
            ".b.xlsx.123456.tmp",
            "a.xlsx.123456.tmp",
            ".a.xlsx.123456.tmp2",
            ".a.xlsx.spool",
            "a.xlsx",
        ];
        for other in others {
            fs::write(folder.path().join(other), "").unwrap();
        }
        let of_that_name = folder.path().join(".a.xlsx.123456.tmp");
        fs::create_dir(&of_that_name).unwrap();
        assert!(left.exists());
        remove_leftovers(&target);
        assert!(!left.exists() && of_that_name.exists());
        assert!(others.iter().all(|other| folder.path().join(other).exists()));
        remove_leftovers(&folder.path().join("no/such/a"));
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        for bytes in [b"first".as_slice(), b"", b"second"] {
            replace_file(&target, bytes).unwrap();
            assert_eq!(fs::read(&target).unwrap(), bytes);
        }
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(replace_file(&taken, b"text").is_err());
        assert!(replace_file(&folder.path().join("no/such/a"), b"text").is_err());
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a", "taken"], "something temporary was left");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay_and_new_files_are_as_others_make_them() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (ordinary, target, link) =
            (folder.path().join("ordinary"), folder.path().join("a"), folder.path().join("link"));
        fs::write(&ordinary, "").unwrap();
        replace_file(&target, b"first").unwrap();
        assert_eq!(mode(&target), mode(&ordinary));
        fs::set_permissions(&target, PermissionsExt::from_mode(0o604)).unwrap();
        symlink("a", &link).unwrap();
        replace_file(&link, b"second").unwrap();
        assert!(link.is_symlink());
        assert_eq!((mode(&target), fs::read(&target).unwrap()), (0o604, b"second".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_is_made_there_if_it_is_not_there_yet() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        for (name, leads_to) in [("first", "sub/second"), ("sub/second", "../third"), ("circle", "circle")] {
            symlink(leads_to, path(name)).unwrap();
        }
        symlink(path("nowhere/a"), path("astray")).unwrap();
        replace_file(&path("first"), b"text").unwrap();
        assert_eq!(fs::read(path("third")).unwrap(), b"text");
        assert!(path("first").is_symlink() && path("sub/second").is_symlink());
        assert!(replace_file(&path("circle"), b"text").is_err());
        assert_eq!(replace_file(&path("astray"), b"text").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(behind_links(&path("astray")).unwrap(), path("nowhere/a"));
    }
}
