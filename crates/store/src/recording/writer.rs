//! Writes a recording, frame by frame: a frame is in the file as a whole, or not at all.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::{
    FORMAT, First, LONGEST_LINE_BYTES, Mark, SnapshotFileEntry, SnapshotFileError, SnapshotFileHeader, VERSION,
};
use crate::folder;

/// How much monotonic time a frame may hold: what a kill loses at most. Longer ones would be smaller, for within a frame
/// only what is new takes space.
const LONGEST_FRAME_MS: i64 = 5_000;
/// The most bytes of lines that a frame may hold, the last line not counted: what waits in memory.
const LARGEST_FRAME_BYTES: usize = 16 << 20;
/// How hard zstd tries: higher ones take more time than they save space.
const LEVEL: i32 = 3;

/// Writes a recording. Nothing waits in it longer than a frame lasts; a frame that the disk refuses is lost, and the
/// next one says so.
#[derive(Debug)]
pub struct SnapshotFileWriter {
    path: PathBuf,
    file: File,
    /// End of the last whole frame, bytes.
    length: u64,
    /// What a failed write left behind that end could not be removed yet.
    is_torn: bool,
    frame: Frame,
    /// Ticks that were lost and no line says so yet.
    unsaid: Option<u64>,
    /// Settings that were lost with them.
    owed: Option<Value>,
    lost: u64,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Frame {
    lines: Vec<u8>,
    ticks: u64,
    /// Monotonic time of the first of them.
    since_mono_ms: Option<i64>,
    /// Lost ticks that its lines speak of.
    said: Option<u64>,
    /// The last settings in it.
    settings: Option<Value>,
}

impl SnapshotFileWriter {
    /// Makes the file, readable by its owner alone, and writes the header. An empty file is taken as well.
    ///
    /// # Errors
    /// The file holds something, is none, or cannot be written.
    pub fn create(path: &Path, header: &SnapshotFileHeader) -> Result<Self, SnapshotFileError> {
        // Looked at before it is opened: what is no file, such as a device, must not become private.
        if let Ok(metadata) = fs::symlink_metadata(path) {
            let path = path.to_owned();
            if !metadata.is_file() {
                return Err(SnapshotFileError::NotAFile { path });
            } else if metadata.len() > 0 {
                return Err(SnapshotFileError::NotEmpty { path });
            }
        }
        let failed = |error: &io::Error| SnapshotFileError::from_io("make", path, error);
        let file = folder::create_private(path).map_err(|error| failed(&error))?;
        if file.metadata().map_err(|error| failed(&error))?.len() > 0 {
            return Err(SnapshotFileError::NotEmpty { path: path.to_owned() });
        }
        let mut writer = Self {
            path: path.to_owned(),
            file,
            length: 0,
            is_torn: false,
            frame: Frame::default(),
            unsaid: None,
            owed: None,
            lost: 0,
        };
        let mark = Mark { format: FORMAT.to_owned(), version: VERSION };
        writer.line(&First { mark, header })?;
        writer.flush()?;
        Ok(writer)
    }

    /// Takes one entry; writes what waits when it is time.
    ///
    /// # Errors
    /// What waited could not be written and is lost; the next entry is tried again.
    pub fn write(&mut self, entry: &SnapshotFileEntry) -> Result<(), SnapshotFileError> {
        if let SnapshotFileEntry::Lost { ticks } = entry {
            self.lose(*ticks);
            return Ok(());
        }
        self.say_lost()?;
        let snapshot = if let SnapshotFileEntry::Snapshot(snapshot) = entry { Some(snapshot) } else { None };
        if let Err(error) = self.line(entry) {
            self.lose(u64::from(snapshot.is_some()));
            return Err(error);
        }
        if let SnapshotFileEntry::Settings(settings) = entry {
            self.frame.settings = Some(settings.clone());
        }
        if let Some(snapshot) = snapshot {
            self.frame.ticks += 1;
            let since_mono_ms = *self.frame.since_mono_ms.get_or_insert(snapshot.at.mono_ms);
            // The next tick would be that much later; the monotonic clock of another boot begins anew.
            let lasts_ms = snapshot.at.mono_ms.saturating_sub(since_mono_ms).saturating_add(snapshot.interval_ms);
            if !(0..LONGEST_FRAME_MS).contains(&lasts_ms) {
                return self.flush();
            }
        }
        if self.frame.lines.len() >= LARGEST_FRAME_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// It could not be written and is lost.
    pub fn flush(&mut self) -> Result<(), SnapshotFileError> {
        self.say_lost()?;
        let frame = std::mem::take(&mut self.frame);
        if frame.lines.is_empty() {
            return Ok(());
        }
        self.append(&frame.lines).map_err(|error| {
            self.lost += frame.ticks;
            self.unsaid = Some(frame.said.unwrap_or(0) + frame.ticks);
            self.owed = frame.settings;
            SnapshotFileError::from_io("write", &self.path, &error)
        })
    }

    /// Bytes of the file.
    pub fn length_bytes(&self) -> u64 {
        self.length
    }

    /// Ticks that are not in it.
    pub fn lost_ticks(&self) -> u64 {
        self.lost
    }

    fn lose(&mut self, ticks: u64) {
        self.unsaid = Some(self.unsaid.unwrap_or(0) + ticks);
        self.lost += ticks;
    }

    /// Says what was lost, and with what settings it goes on.
    fn say_lost(&mut self) -> Result<(), SnapshotFileError> {
        if let Some(ticks) = self.unsaid.take() {
            self.line(&SnapshotFileEntry::Lost { ticks })?;
            self.frame.said = Some(self.frame.said.unwrap_or(0) + ticks);
        }
        if let Some(settings) = self.owed.take() {
            self.line(&SnapshotFileEntry::Settings(settings.clone()))?;
            self.frame.settings = Some(settings);
        }
        Ok(())
    }

    /// Adds a line to those that wait, or nothing.
    fn line(&mut self, content: &impl Serialize) -> Result<(), SnapshotFileError> {
        let before = self.frame.lines.len();
        let failure = match serde_json::to_writer(&mut self.frame.lines, content) {
            Ok(()) if self.frame.lines.len() - before < LONGEST_LINE_BYTES => {
                self.frame.lines.push(b'\n');
                return Ok(());
            }
            Ok(()) => SnapshotFileError::LongTick { path: self.path.clone(), limit: LONGEST_LINE_BYTES },
            Err(error) => {
                SnapshotFileError::System { operation: "write", path: self.path.clone(), reason: error.to_string() }
            }
        };
        self.frame.lines.truncate(before);
        Err(failure)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.length)?;
            self.is_torn = false;
        }
        let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.write_all(lines)?;
        let frame = encoder.finish()?;
        let written = self.file.seek(SeekFrom::Start(self.length)).and_then(|_| self.file.write_all(&frame));
        match written {
            Ok(()) => self.length += frame.len() as u64,
            // A frame that is cut in the middle would hide everything after it.
            Err(_) => self.is_torn = self.file.set_len(self.length).is_err(),
        }
        written
    }
}
