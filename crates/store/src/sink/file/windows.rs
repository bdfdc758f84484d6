//! Files for other programs on Windows: who may read them is inherited from their folder.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// The standard library does not tell one file from another here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity;

pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    refuse_link(path)?;
    OpenOptions::new().read(true).open(path)
}

pub(super) fn open_to_append(path: &Path, _mode: u32, _group: Option<u32>) -> io::Result<File> {
    refuse_link(path)?;
    // Taking back a cut line needs more than the right to append.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

pub(super) fn set_mode(_file: &File, _mode: u32) {}

fn refuse_link(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(io::ErrorKind::InvalidInput.into()),
        _ => Ok(()),
    }
}

/// A lock here would keep others from reading.
pub(super) fn lock(_file: &File) -> bool {
    true
}

#[expect(clippy::unnecessary_wraps, reason = "other systems ask the disk")]
pub(super) fn identity(_file: &File) -> io::Result<Identity> {
    Ok(Identity)
}

/// Whether there still is a file at this path.
pub(super) fn is_at(path: &Path, _identity: &Identity) -> bool {
    fs::symlink_metadata(path).is_ok()
}

pub(super) fn has_other_names(_metadata: &Metadata) -> bool {
    false
}

pub(super) fn group(_file: &File) -> Option<u32> {
    None
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}
