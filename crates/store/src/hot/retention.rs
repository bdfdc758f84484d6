//! Deletes whole closed days: first until the log is small enough, then those that are too old.

use std::fs;
use std::io;
use std::path::Path;

use watchkeeper_core::quantity::{Size, Span};

use super::day::{self, Day, Found};

/// What became of the days that were to go.
#[derive(Debug, Default)]
pub(crate) struct Enforced {
    pub(crate) deleted: Vec<Found>,
    pub(crate) refused: Vec<(Found, io::Error)>,
}

/// Deletes closed day files from `log`, oldest first: until the rest occupies at most `max_disk`, then those whose day
/// ended longer than `keep` before `now_ms`. The file of the day `open`, and newer ones, are never touched; files that
/// were set aside count as closed.
///
/// What cannot be deleted now, because somebody reads it on a system where that is in the way, counts as gone all the
/// same: it goes the next time, and nothing newer goes for it.
pub(crate) fn enforce(log: &Path, keep: Span, max_disk: Size, open: Option<Day>, now_ms: i64) -> io::Result<Enforced> {
    let found = day::list(log)?;
    let newest = found.iter().filter(|found| found.is_day_file).map(|found| found.day).max();
    let Some(first_kept) = open.or(newest) else { return Ok(Enforced::default()) };
    let mut occupied_bytes: u64 = found.iter().map(|found| occupied_bytes(&found.path)).sum();
    let mut enforced = Enforced::default();
    for found in found.into_iter().filter(|found| found.day < first_kept || !found.is_day_file) {
        let is_old = found.day.end_ms().saturating_add(keep.ms()) <= now_ms;
        if occupied_bytes > max_disk.bytes() || is_old {
            let freed_bytes = self::occupied_bytes(&found.path);
            occupied_bytes = occupied_bytes.saturating_sub(freed_bytes);
            match delete(&found.path) {
                Ok(()) => enforced.deleted.push(found),
                Err(error) => enforced.refused.push((found, error)),
            }
        }
    }
    Ok(enforced)
}

/// What a database and its companions occupy on disk.
fn occupied_bytes(path: &Path) -> u64 {
    companions(path).filter_map(|path| fs::metadata(path).ok()).map(|metadata| metadata.len()).sum()
}

fn delete(path: &Path) -> io::Result<()> {
    for path in companions(path) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn companions(path: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    ["", "-wal", "-shm"].into_iter().map(move |suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}
