//! Files for other programs on Unix systems: modes, links and locks.

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// A file by its filesystem and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// No link is followed, for who may write to the folder could lead us to any file; no pipe without a reader is waited for.
fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags()).open(path)
}

/// Opens a file, or makes it. A new file gets the `group`, if there is one.
pub(super) fn open_to_append(path: &Path, mode: u32, group: Option<u32>) -> io::Result<File> {
    let open = |new: bool| {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(new).mode(mode).custom_flags(flags()).open(path)
    };
    match open(false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = open(true)?;
            if let Some(group) = group {
                // Who is not in that group and not root cannot; then the file is not read by it.
                let _ = std::os::unix::fs::fchown(&file, None, Some(group));
            }
            Ok(file)
        }
        other => other,
    }
}

/// Lets those read the file who may. The umask may have taken bits of ours, or the file is older than the setting; whoever else
/// owns it decides himself.
pub(super) fn set_mode(file: &File, mode: u32) {
    if file.metadata().is_ok_and(|metadata| metadata.mode() & 0o777 != mode) {
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
}

/// Whether this is the only one who writes the file. Where the filesystem has no locks, it is believed.
pub(super) fn lock(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

pub(super) fn identity(file: &File) -> io::Result<Identity> {
    file.metadata().map(|metadata| of(&metadata))
}

/// Whether the file is the one at this path.
pub(super) fn is_at(path: &Path, identity: &Identity) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| of(&metadata) == *identity)
}

/// Whether what is written would show up elsewhere as well.
pub(super) fn has_other_names(metadata: &Metadata) -> bool {
    metadata.nlink() > 1
}

pub(super) fn group(file: &File) -> Option<u32> {
    file.metadata().ok().map(|metadata| metadata.gid())
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

fn of(metadata: &Metadata) -> Identity {
    Identity { device: metadata.dev(), inode: metadata.ino() }
}
