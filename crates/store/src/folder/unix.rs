//! The folder of a store on Unix systems: owners and modes.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::IsOurs;
use crate::error::OpenError;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes a folder and those above it.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// Refuses a folder that others own or can write to; one that others can read is made private if it is ours.
pub(super) fn check_private(folder: &Path, is_ours: IsOurs) -> Result<(), OpenError> {
    let metadata = fs::metadata(folder).map_err(|error| OpenError::from_io("look at", folder, &error))?;
    // What others need, such as /tmp or somebody's home, must not be mended away: it is no place for a store.
    let not_private = |reason: String, command: &str| OpenError::NotPrivate {
        path: folder.to_owned(),
        reason,
        remedy: if is_ours(folder).unwrap_or(false) {
            format!("mend it with `{command} {}`, or choose another folder with `store.path`", folder.display())
        } else {
            "choose a folder of its own with `store.path`".to_owned()
        },
    };
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        let reason = format!("it belongs to user {}, the watch runs as user {user}", metadata.uid());
        return Err(not_private(reason, &format!("chown -R {user}")));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(not_private(format!("others can write to it (mode {mode:03o})"), "chmod 700"));
    }
    if mode & 0o077 != 0 && !is_ours(folder)? {
        // Not made private silently: somebody may have named a folder that others need, such as their home.
        return Err(not_private(format!("others can read it (mode {mode:03o})"), "chmod 700"));
    }
    if mode != FOLDER_MODE {
        let private = fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE));
        private.map_err(|error| OpenError::from_io("make private", folder, &error))?;
    }
    Ok(())
}

/// Makes the files directly inside a folder private.
pub(super) fn make_files_private(folder: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(folder).map_err(|error| OpenError::from_io("list", folder, &error))?.flatten() {
        let (path, metadata) = (entry.path(), entry.metadata());
        if metadata.is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 != 0) {
            let private = fs::set_permissions(&path, Permissions::from_mode(FILE_MODE));
            private.map_err(|error| OpenError::from_io("make private", &path, &error))?;
        }
    }
    Ok(())
}

/// Modes are all there is to say, and they were mended.
pub(super) fn doubt(_folder: &Path) -> Option<String> {
    None
}

pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    if file.metadata()?.mode() & 0o777 != FILE_MODE {
        // The umask took bits of our own, or the file is older than this rule.
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    Ok(file)
}

pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let answer = rustix::fs::statvfs(path).ok()?;
    Some(answer.f_bavail.saturating_mul(answer.f_frsize))
}

/// What a file occupies on disk, holes not counted.
pub(super) fn allocated_bytes(metadata: &Metadata) -> u64 {
    metadata.blocks().saturating_mul(512)
}

pub(super) fn uri_path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
