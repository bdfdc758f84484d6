//! Putting a workbook in its place: whole or not at all.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tempfile::{NamedTempFile, PersistError};
use watchkeeper_core::text::local_time;

use super::error::Trouble;
use crate::replacement::{behind_links, replacement, sync_folder};

/// Names that are tried beside a target that cannot be replaced.
const MOST_NAMES: u32 = 100;

/// Where a workbook was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Where it was asked for.
    Target,
    /// In the same folder under another name, because what is at the target cannot be replaced.
    Beside {
        /// Where it is.
        path: PathBuf,
        /// Why it is not at the target, a clause without full stop.
        reason: String,
    },
}

/// Lets `compose` fill a temporary file beside the target and gives it the target's name; a name with the time when that
/// cannot be had. Whatever fails, the temporary file is removed.
pub(super) fn save(
    target: &Path,
    ts_ms: i64,
    zone: &TimeZone,
    compose: impl FnOnce(&mut File) -> Result<(), Trouble>,
) -> Result<Saved, Trouble> {
    let target = behind_links(target).map_err(Trouble::Io)?;
    let mut file = replacement(&target).map_err(Trouble::Io)?;
    compose(file.as_file_mut())?;
    file.as_file().sync_all().map_err(Trouble::Io)?;
    let saved = match irreplaceable(&target) {
        Some(reason) => beside(file, &target, reason, ts_ms, zone)?,
        None => match file.persist(&target) {
            Ok(_) => Saved::Target,
            Err(PersistError { error, file }) => beside(file, &target, error.to_string(), ts_ms, zone)?,
        },
    };
    sync_folder(&target);
    Ok(saved)
}

/// Why what is at the target must stay, if it must.
fn irreplaceable(target: &Path) -> Option<String> {
    let metadata = fs::metadata(target).ok()?;
    if metadata.is_dir() {
        return Some("it is a folder".to_owned());
    }
    if !metadata.is_file() {
        return Some("it is no ordinary file".to_owned());
    }
    metadata.permissions().readonly().then(|| "it is read-only".to_owned())
}

/// Saves under a free name in the same folder.
fn beside(
    mut file: NamedTempFile,
    target: &Path,
    reason: String,
    ts_ms: i64,
    zone: &TimeZone,
) -> Result<Saved, Trouble> {
    let time = local_time(ts_ms, zone).replace(':', "-");
    let extension = target.extension().unwrap_or_default();
    for number in 1..=MOST_NAMES {
        let mut name = target.file_stem().unwrap_or_default().to_owned();
        name.push(if number == 1 { format!(" ({time})") } else { format!(" ({time}, {number})") });
        if !extension.is_empty() {
            name.push(".");
            name.push(extension);
        }
        let path = target.with_file_name(name);
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(Saved::Beside { path, reason }),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => file = error.file,
            Err(error) => return Err(Trouble::Io(error.error)),
        }
    }
    Err(Trouble::Other(format!("{reason}, and {MOST_NAMES} names beside it are taken")))
}

/// A writer that takes its first error for the last word: whoever tidies up after it, and would complain on standard
/// error, is told that all is well.
pub(super) struct Fused<'a> {
    file: &'a mut File,
    place: u64,
    error: Option<io::Error>,
}

impl<'a> Fused<'a> {
    pub(super) fn new(file: &'a mut File) -> Self {
        Self { file, place: 0, error: None }
    }

    /// The first error.
    pub(super) fn close(self) -> io::Result<()> {
        self.error.map_or(Ok(()), Err)
    }

    fn unless_failed<T>(&mut self, instead: T, act: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        if self.error.is_some() {
            return Ok(instead);
        }
        act(self.file).map_err(|error| {
            let kind = error.kind();
            self.error = Some(error);
            kind.into()
        })
    }
}

impl Write for Fused<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.unless_failed(bytes.len(), |file| file.write(bytes))?;
        self.place += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_failed((), Write::flush)
    }
}

impl Seek for Fused<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = self.place;
        self.place = self.unless_failed(place, |file| file.seek(to))?;
        Ok(self.place)
    }
}
