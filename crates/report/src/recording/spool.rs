//! Writing a recording to disk as it comes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::SpoolError;
use super::{Header, Recording, lock};
use crate::row::Row;

/// How far the time of the rows runs ahead of what is surely on the disk and not only with the system.
const SYNC_MS: u64 = 30_000;

/// The rows of a recording on disk, header first. Nobody else can read the file, and its lock is held while this lives.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: Arc<Mutex<File>>,
    /// Where the next line begins: what stands behind it is half a line of a failed write.
    end: u64,
    rows: u64,
    synced_ms: i64,
}

impl Spool {
    /// Begins a recording.
    ///
    /// # Errors
    /// [`SpoolError::InUse`] or [`SpoolError::Exists`] if there is one that somebody needs; what the system says.
    pub fn create(path: &Path, header: &Header) -> Result<Self, SpoolError> {
        clear_the_place(path)?;
        let file = create_private(path).map_err(|error| SpoolError::from_io("make", path, error))?;
        lock(&file, path)?;
        let mut spool = Self {
            path: path.to_owned(),
            file: Arc::new(Mutex::new(file)),
            end: 0,
            rows: 0,
            synced_ms: header.started_ms,
        };
        let written = spool.write_line(header).and_then(|()| spool.with_file(|file| file.sync_all()));
        if let Err(error) = written {
            // Without a header it is nothing that anybody could want.
            let _ = std::fs::remove_file(path);
            return Err(SpoolError::writing(path, 0, error));
        }
        Ok(spool)
    }

    /// Adds a row: with the system when this returns, so that the end of the program does not take it.
    ///
    /// # Errors
    /// [`SpoolError::Full`] and others leave the rows before as they are, and the next call tries again.
    pub fn append(&mut self, row: &Row) -> Result<(), SpoolError> {
        self.write_line(row).map_err(|error| SpoolError::writing(&self.path, self.rows, error))?;
        self.rows += 1;
        if row.ts_ms.abs_diff(self.synced_ms) >= SYNC_MS {
            let synced = self.with_file(|file| file.sync_data());
            synced.map_err(|error| SpoolError::writing(&self.path, self.rows, error))?;
            self.synced_ms = row.ts_ms;
        }
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows that were added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What was written, to be read; rows that come later are read as well by whoever asks for rows later.
    pub fn recording(&self) -> Result<Recording, SpoolError> {
        Recording::read(&self.path, Arc::clone(&self.file))
    }

    /// Removes the file: once its workbook is saved.
    pub fn remove(self) -> Result<(), SpoolError> {
        super::remove(&self.path)
    }

    fn write_line(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let end = self.end;
        self.with_file(|file| {
            file.seek(SeekFrom::Start(end))?;
            file.write_all(&bytes).inspect_err(|_| {
                // If this fails as well, the next line is written over the half of this one.
                let _ = file.set_len(end);
            })
        })?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn with_file<T>(&self, use_it: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        use_it(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Removes what an attempt to begin left behind: a file in which not even the header is whole. Everything else stays.
fn clear_the_place(path: &Path) -> Result<(), SpoolError> {
    let failed = |operation| move |error| SpoolError::from_io(operation, path, error);
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
        Ok(metadata) if !metadata.is_file() => return Err(SpoolError::Exists { path: path.to_owned() }),
        Ok(_) => {}
    }
    let mut file = File::open(path).map_err(failed("open"))?;
    lock(&file, path)?;
    let mut block = [0; 4096];
    loop {
        match file.read(&mut block).map_err(failed("read"))? {
            0 => break,
            count if block[..count].contains(&b'\n') => return Err(SpoolError::Exists { path: path.to_owned() }),
            _ => {}
        }
    }
    std::fs::remove_file(path).map_err(failed("remove"))
}

/// Makes a file that nobody else can read and that was not there before.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
