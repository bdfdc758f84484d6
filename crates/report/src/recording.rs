//! A recording on disk: written line by line while it runs, read back line by line.
//!
//! The file is called the spool. It is JSON lines: the [`Header`] first, then one [`Row`] a line, each given to the
//! system in one write as it comes, so that a program that is killed loses nothing and a machine that loses power at
//! most the last half minute. Whoever writes or reads it holds its lock. Reading needs the memory of one row.
//!
//! A line costs about 150 bytes for each process that worked in the interval and 50 for each remote address: 5 to 10 KB
//! on a desktop, so 90 to 170 MB for a day at 5 s.

mod error;
mod lines;
mod spool;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::column::columns;
use crate::row::Row;

pub use error::SpoolError;
pub(crate) use error::is_full;
pub use spool::Spool;

use lines::Lines;

/// What a recording is of: the first line of a spool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format, see [`Header::VERSION`].
    pub version: u32,
    /// What wrote it, with its version: `watchkeeper 0.1.0`.
    pub program: String,
    /// Name of the machine. Foreign text.
    pub host: String,
    /// Operating system. Foreign text.
    pub system: String,
    /// IANA name of the time zone in which people there see times.
    pub zone: String,
    /// Tier that read the machine.
    pub tier: String,
    /// When it began, milliseconds UTC.
    pub started_ms: i64,
    /// Interval between rows as it was asked for.
    pub interval_ms: i64,
    /// Above this share of CPU time, percent, a row is an alert.
    pub cpu_alert_percent: f64,
    /// Logical CPUs. `None`: unknown.
    pub cpu_count: Option<u32>,
    /// Memory of the machine. `None`: unknown.
    pub memory_bytes: Option<u64>,
    /// Titles of the values of each row, in their order: what another version wrote is found by them.
    pub columns: Vec<String>,
    /// What could not be seen, a sentence each.
    pub gaps: Vec<String>,
}

impl Header {
    /// The version of the format that this program writes, and the newest that it reads.
    pub const VERSION: u32 = 1;
}

/// A recording, read from its spool. Holds the lock of the file while it lives.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: Arc<Mutex<File>>,
    header: Header,
    /// Where the first row begins.
    rows_at: u64,
    /// Rows behind those of the file.
    more: Arc<[Row]>,
}

impl Recording {
    /// Opens a spool that nobody writes any more.
    ///
    /// # Errors
    /// [`SpoolError::InUse`] while its writer lives or another reads it; [`SpoolError::Missing`], [`SpoolError::Newer`],
    /// [`SpoolError::Damaged`]; what the system says.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let file = File::open(path).map_err(|error| SpoolError::from_io("open", path, error))?;
        lock(&file, path)?;
        Self::read(path, Arc::new(Mutex::new(file)))
    }

    /// The same with rows behind it that the disk did not take.
    #[must_use]
    pub fn followed_by(self, rows: Vec<Row>) -> Self {
        Self { more: rows.into(), ..self }
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its rows from the first on, each time anew.
    pub fn rows(&self) -> Rows {
        let ours = columns();
        let places = ours.iter().map(|ours| self.header.columns.iter().position(|title| title == ours.title)).collect();
        Rows {
            path: self.path.clone(),
            lines: Lines::at(Arc::clone(&self.file), self.rows_at),
            width: self.header.columns.len(),
            places,
            left_out: 0,
            has_failed: false,
            more: Arc::clone(&self.more),
            taken: 0,
        }
    }

    /// Removes the file: once its workbook is saved.
    pub fn remove(self) -> Result<(), SpoolError> {
        remove(&self.path)
    }

    /// Reads the header from a file whose lock is held.
    fn read(path: &Path, file: Arc<Mutex<File>>) -> Result<Self, SpoolError> {
        let damaged = |reason: &str| SpoolError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        let mut lines = Lines::at(Arc::clone(&file), 0);
        let line = match lines.next().map_err(|error| SpoolError::from_io("read", path, error))? {
            Some(line) if line.is_whole => line.bytes,
            Some(_) => return Err(damaged("its first line is not whole")),
            None => return Err(damaged("it is empty")),
        };
        let header = parse_header(line, path)?;
        let rows_at = lines.offset();
        Ok(Self { path: path.to_owned(), file, header, rows_at, more: Arc::default() })
    }
}

/// The rows of a recording in the order in which they were written, each with one value for each of [`columns()`] of this
/// program, whatever the columns of the one that wrote it. An error of the disk is the last item.
#[derive(Debug)]
pub struct Rows {
    path: PathBuf,
    lines: Lines,
    /// Values that a row of this file has.
    width: usize,
    /// Where the value of each of our columns stands in a row of this file.
    places: Vec<Option<usize>>,
    left_out: u64,
    has_failed: bool,
    /// Rows behind those of the file, and how many of them were given.
    more: Arc<[Row]>,
    taken: usize,
}

impl Rows {
    /// Lines so far that were cut or damaged and are no rows.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn row(&self, line: &[u8]) -> Option<Row> {
        let mut row: Row = serde_json::from_slice(line).ok()?;
        if row.values.len() != self.width {
            return None;
        }
        row.values = self.places.iter().map(|place| place.and_then(|place| row.values[place])).collect();
        Some(row)
    }
}

impl Iterator for Rows {
    type Item = Result<Row, SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.has_failed {
            // A last line without its end may still be a whole row: half a row is no JSON.
            let row = match self.lines.next() {
                Ok(Some(line)) => line.bytes.to_owned(),
                Ok(None) => {
                    let row = self.more.get(self.taken)?;
                    self.taken += 1;
                    return Some(Ok(row.clone()));
                }
                Err(error) => {
                    self.has_failed = true;
                    return Some(Err(SpoolError::from_io("read", &self.path, error)));
                }
            };
            match self.row(&row) {
                Some(row) => return Some(Ok(row)),
                None => self.left_out += 1,
            }
        }
        None
    }
}

/// Where the rows of a recording wait for their workbook: `.NAME.spool` beside it.
pub fn spool_path(output: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(".spool");
    output.with_file_name(name)
}

/// Removes a spool; one that somebody has removed is gone, which is what was wanted.
fn remove(path: &Path) -> Result<(), SpoolError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SpoolError::from_io("remove", path, error)),
        _ => Ok(()),
    }
}

/// Takes the lock of a spool; the system frees it when the file is closed, however the program ends.
fn lock(file: &File, path: &Path) -> Result<(), SpoolError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(SpoolError::from_io("lock", path, error)),
    }
}

fn parse_header(line: &[u8], path: &Path) -> Result<Header, SpoolError> {
    #[derive(Deserialize)]
    struct Probe {
        version: u32,
        program: String,
    }

    let damaged = |error: serde_json::Error| SpoolError::Damaged {
        path: path.to_owned(),
        reason: format!("its first line is no header of a recording ({error})"),
    };
    // What a newer version has in its header is not known here; that it has these two is.
    let probe: Probe = serde_json::from_slice(line).map_err(damaged)?;
    if probe.version > Header::VERSION {
        return Err(SpoolError::Newer {
            path: path.to_owned(),
            found: probe.version,
            known: Header::VERSION,
            program: watchkeeper_core::text::clean(&probe.program, 60),
        });
    }
    serde_json::from_slice(line).map_err(damaged)
}
