//! Writes the log: ticks wait in memory for at most 10 s and go to disk in one short transaction.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use watchkeeper_core::port::RecordError;
use watchkeeper_core::quantity::{Size, Span};
use watchkeeper_core::snapshot::TickFlags;
use watchkeeper_core::{HostId, Recorder, Snapshot};

use crate::config::StoreConfig;
use crate::error::OpenError;
use crate::folder;
use crate::hot;
use crate::hot::day;
use crate::hot::encode::{Encoder, Tick};
use crate::hot::write::{DayFile, Loss};
use crate::reserve::SpaceGuard;

/// The longest time that a tick waits in memory while the disk works, milliseconds.
const LONGEST_WAIT_MS: i64 = 10_000;
/// So many ticks are written even if they are younger: at short intervals memory counts before time.
const BATCH_TICKS: usize = 30;
/// The most ticks that wait while the disk refuses.
const MOST_WAITING: usize = 60;
/// While the disk refuses, every so many ticks there is a key tick, up to which older ones can be dropped.
const KEY_TICKS_WHILE_FAILING: usize = 10;
/// The most losses that are kept apart; more are joined with the last.
const MOST_LOSSES: usize = 64;

/// The writer of the hot tier. It owns the open day file; dropping it writes what waits and closes the file.
pub struct SqliteRecorder {
    log: PathBuf,
    host: HostId,
    keep: Span,
    max_disk: Size,
    guard: SpaceGuard,
    encoder: Encoder,
    /// Ticks that are not on disk, oldest first. The oldest is a key tick or follows the last one on disk.
    waiting: VecDeque<Tick>,
    losses: Vec<Loss>,
    file: Option<DayFile>,
    /// Day files that a reader kept from being closed.
    to_close: Vec<PathBuf>,
    is_failing: bool,
    ticks_since_key: usize,
}

impl SqliteRecorder {
    /// The writer for the store in `folder`. Day files are opened with their first ticks.
    pub(crate) fn open(
        folder: &Path,
        host: HostId,
        config: &StoreConfig,
        guard: SpaceGuard,
    ) -> Result<Self, OpenError> {
        let log = folder.join(folder::LOG);
        if !log.is_dir() {
            return Err(OpenError::Missing { path: folder.to_owned() });
        }
        Ok(Self {
            log,
            host,
            keep: config.retention.hot,
            max_disk: config.max_disk,
            guard,
            encoder: Encoder::new(),
            waiting: VecDeque::new(),
            losses: Vec::new(),
            file: None,
            to_close: Vec::new(),
            is_failing: false,
            ticks_since_key: 0,
        })
    }

    fn is_due(&self, snapshot: &Snapshot) -> bool {
        let Some(oldest) = self.waiting.front() else { return false };
        let waited_ms = snapshot.at.mono_ms - oldest.at.mono_ms;
        self.waiting.len() >= BATCH_TICKS
            || oldest.at.boot != snapshot.at.boot
            || waited_ms < 0
            // The next tick would come too late.
            || waited_ms + snapshot.interval_ms.max(1) > LONGEST_WAIT_MS
    }

    /// Writes what waits, file by file.
    fn write(&mut self) -> Result<(), RecordError> {
        if self.waiting.is_empty() && (self.losses.is_empty() || self.file.is_none()) {
            return Ok(());
        }
        if !self.guard.has_room() {
            return Err(self.full());
        }
        let has_sure_key = self.waiting.iter().any(|tick| {
            tick.is_key && !tick.flags.has(TickFlags::FIRST_LOOK) && !tick.flags.has(TickFlags::CLOCK_STEP)
        });
        loop {
            if let Some(day) = self.waiting.front().map(|tick| tick.day)
                && self.file.as_ref().is_none_or(|file| file.day() != day)
            {
                self.close_file();
                let file = self.open_file(day).map_err(|error| self.open_failed(&error))?;
                self.file = Some(file);
            }
            let Some(file) = &mut self.file else { break };
            let count = self.waiting.iter().take_while(|tick| tick.day == file.day()).count();
            if let Err(error) = file.write(self.host, self.waiting.iter().take(count), &self.losses) {
                return Err(self.write_failed(&error));
            }
            let newest_ms = self.waiting.drain(..count).next_back().map(|tick| tick.at.ts_ms);
            self.losses.clear();
            if self.waiting.is_empty() {
                self.is_failing = false;
                self.clean_up(newest_ms.filter(|_| has_sure_key));
                break;
            }
        }
        Ok(())
    }

    fn open_file(&mut self, day: day::Day) -> Result<DayFile, OpenError> {
        match DayFile::open(&self.log, day) {
            Err(OpenError::Damaged { path, reason }) => {
                let aside = folder::set_aside(&path)?;
                tracing::error!("{}", day::set_aside_sentence(&path, &aside, &reason));
                DayFile::open(&self.log, day)
            }
            other => other,
        }
    }

    fn close_file(&mut self) {
        if let Some(file) = self.file.take() {
            let path = file.path().to_owned();
            if !file.close() {
                self.to_close.push(path);
            }
        }
    }

    /// Closes what readers kept open; at key ticks, with the time of the newest tick, deletes days that are over.
    /// Not at the first look or when the clock was just set: it may be wrong by years.
    fn clean_up(&mut self, at_key_ms: Option<i64>) {
        self.to_close.retain(|path| {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            path.exists() && !Connection::open_with_flags(path, flags).is_ok_and(|connection| day::close(&connection))
        });
        let Some(now_ms) = at_key_ms else { return };
        let open = self.file.as_ref().map(DayFile::day);
        match hot::enforce(&self.log, self.keep, self.max_disk, open, now_ms) {
            Ok(enforced) => {
                for found in enforced.deleted {
                    tracing::info!(path = %found.path.display(), "deleted a day of the log");
                }
                for (found, error) in enforced.refused {
                    tracing::warn!(path = %found.path.display(), %error, "cannot delete a day of the log now");
                }
            }
            Err(error) => tracing::warn!(path = %self.log.display(), %error, "cannot delete old days of the log"),
        }
    }

    fn full(&mut self) -> RecordError {
        self.is_failing = true;
        RecordError::Full { path: self.log.display().to_string(), waiting: self.waiting.len() }
    }

    fn open_failed(&mut self, error: &OpenError) -> RecordError {
        self.is_failing = true;
        if matches!(error, OpenError::Full { .. }) {
            self.guard.stop_log();
            return self.full();
        }
        RecordError::Write {
            path: self.log.display().to_string(),
            reason: error.to_string(),
            waiting: self.waiting.len(),
        }
    }

    fn write_failed(&mut self, error: &rusqlite::Error) -> RecordError {
        self.is_failing = true;
        if is_full(error) {
            self.guard.stop_log();
            return self.full();
        }
        let mut reason = error.to_string();
        if day::is_damage(error)
            && let Some(file) = self.file.take()
        {
            let path = file.path().to_owned();
            drop(file);
            match folder::set_aside(&path) {
                Ok(aside) => reason = day::set_aside_sentence(&path, &aside, &reason),
                Err(error) => reason = error.to_string(),
            }
            // What waits goes on from the file that is gone.
            if self.waiting.front().is_some_and(|tick| !tick.is_key) {
                self.drop_to_key();
            }
        }
        RecordError::Write { path: self.log.display().to_string(), reason, waiting: self.waiting.len() }
    }

    /// Drops the oldest ticks up to the next key tick and notes the loss.
    fn drop_to_key(&mut self) {
        let next_key = self.waiting.iter().skip(1).position(|tick| tick.is_key).map(|index| index + 1);
        if next_key.is_none() {
            self.encoder.want_key();
        }
        for tick in self.waiting.drain(..next_key.unwrap_or(self.waiting.len())) {
            let ts_ms = tick.at.ts_ms;
            lose(&mut self.losses, Loss { from_ms: ts_ms - tick.interval_ms.max(0), to_ms: ts_ms, ticks: 1 });
        }
    }
}

impl Recorder for SqliteRecorder {
    fn record(&mut self, snapshot: &Snapshot) -> Result<(), RecordError> {
        if self.is_failing && self.ticks_since_key >= KEY_TICKS_WHILE_FAILING {
            self.encoder.want_key();
        }
        if self.waiting.len() >= MOST_WAITING {
            self.drop_to_key();
        }
        let tick = self.encoder.encode(snapshot);
        self.ticks_since_key = if tick.is_key { 1 } else { self.ticks_since_key + 1 };
        self.waiting.push_back(tick);
        if self.is_failing || self.is_due(snapshot) { self.write() } else { Ok(()) }
    }

    fn note_dropped(&mut self, from_ms: i64, to_ms: i64, ticks: u32) -> Result<(), RecordError> {
        // Written with the next ticks.
        lose(&mut self.losses, Loss { from_ms, to_ms, ticks: u64::from(ticks) });
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        self.write()
    }
}

impl Drop for SqliteRecorder {
    fn drop(&mut self) {
        if let Err(error) = self.write() {
            tracing::error!(%error, "the last ticks are not in the log");
        }
        self.close_file();
    }
}

/// Adds a loss, joined with the last one if they meet.
fn lose(losses: &mut Vec<Loss>, loss: Loss) {
    let is_crowded = losses.len() >= MOST_LOSSES;
    match losses.last_mut() {
        Some(last) if is_crowded || (last.from_ms..=last.to_ms).contains(&loss.from_ms) => {
            last.from_ms = last.from_ms.min(loss.from_ms);
            last.to_ms = last.to_ms.max(loss.to_ms);
            last.ticks += loss.ticks;
        }
        _ => losses.push(loss),
    }
}

/// Whether the disk is full. The shared memory of the write-ahead log is a file too, and has its own error.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
