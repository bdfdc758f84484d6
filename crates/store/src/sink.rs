//! Files for other programs: the log of all processes as CSV or JSON lines, written as it is made.
//!
//! Ticks are added up over an interval ([`window`]), become lines ([`lines`]) with the same columns in both forms
//! ([`column`]), and are appended in whole batches ([`file`]). What cannot be written waits in memory, then is lost and
//! counted; nobody waits for it.

mod column;
mod config;
mod file;
mod lines;
mod machine;
mod sum;
mod window;

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use watchkeeper_core::port::RecordError;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Recorder, Snapshot};

pub use config::{SinkConfig, SinkFormat, SinkMode, validate_sinks};
pub use file::SinkError;
pub use window::UserName;

use config::SinkFormat::Csv;
use file::{Batch, SinkFile};
use lines::Lines;
use window::Window;

/// The most batches that wait while the disk refuses.
const MOST_WAITING: usize = 60;
/// The most bytes that wait.
const MOST_WAITING_BYTES: usize = 16 << 20;

/// Writes the log of all processes to a file for other programs. It is written once an
/// interval; [`Recorder::flush`] writes the one that is not over.
pub struct Sink {
    file: SinkFile,
    path: String,
    interval_ms: Option<i64>,
    window: Window,
    lines: Lines,
    /// Batches that are not in the file, oldest first.
    waiting: VecDeque<Batch>,
    waiting_bytes: usize,
    /// Ticks in the interval that is not over.
    ticks: u64,
    written: Written,
}

/// What a sink has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are in the file.
    pub rows: u64,
    /// Rows that could not be written while the disk refused, and are lost.
    pub lost_rows: u64,
    /// Time of the last row in the file, milliseconds UTC.
    pub last_ms: Option<i64>,
}

/// What a sink must know besides its settings.
#[derive(Clone, Debug)]
pub struct SinkOrigin {
    /// Name of the host in every row.
    pub host_name: String,
    /// Zone of the times, and of the day that a file is for.
    pub zone: TimeZone,
    /// Looks up names of users.
    pub user_name: UserName,
}

impl Sink {
    /// A sink that begins with the next tick. The file is opened with the first batch.
    pub fn new(config: &SinkConfig, origin: SinkOrigin) -> Self {
        Self {
            file: SinkFile::new(config),
            path: config.path.display().to_string(),
            interval_ms: config.interval.map(Span::ms),
            window: Window::new(origin.host_name, origin.zone, origin.user_name),
            lines: Lines::new(config.format.unwrap_or(Csv)),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            ticks: 0,
            written: Written::default(),
        }
    }

    /// Looks whether the file of a sink can be continued, if it is there. Changes nothing, but waits for the disk.
    ///
    /// # Errors
    /// [`SinkError::is_refusal`]: only a person can mend it. All others may be over by the next interval.
    pub fn check(config: &SinkConfig) -> Result<(), SinkError> {
        SinkFile::new(config).check()
    }

    /// What was written since it began.
    pub fn written(&self) -> Written {
        self.written
    }

    fn end_interval(&mut self) {
        let Some(end) = self.window.rows(&mut self.lines) else { return };
        let (bytes, rows) = self.lines.take();
        self.waiting_bytes += bytes.len();
        let ticks = std::mem::take(&mut self.ticks);
        let ts_ms = end.timestamp().as_millisecond();
        self.waiting.push_back(Batch { bytes, rows, ticks, local: end.datetime(), ts_ms });
        // The newest one stays, whatever its size.
        while self.waiting.len() > MOST_WAITING || (self.waiting_bytes > MOST_WAITING_BYTES && self.waiting.len() > 1) {
            let Some(lost) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= lost.bytes.len();
            self.written.lost_rows += lost.rows;
        }
    }

    fn write(&mut self) -> Result<(), RecordError> {
        while let Some(batch) = self.waiting.front() {
            if let Err(error) = self.file.append(batch) {
                return Err(self.failed(&error));
            }
            let Some(batch) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= batch.bytes.len();
            self.written.rows += batch.rows;
            self.written.last_ms = Some(batch.ts_ms);
        }
        self.file.stuck().map_or(Ok(()), |error| Err(self.failed(error)))
    }

    fn failed(&self, error: &SinkError) -> RecordError {
        let waiting = usize::try_from(self.waiting.iter().map(|batch| batch.ticks).sum::<u64>()).unwrap_or(usize::MAX);
        match error {
            SinkError::Full { .. } => RecordError::Full { path: self.path.clone(), waiting },
            other => RecordError::Write { path: self.path.clone(), reason: other.reason(), waiting },
        }
    }
}

impl Recorder for Sink {
    fn record(&mut self, snapshot: &Snapshot) -> Result<(), RecordError> {
        self.window.add(snapshot);
        self.ticks += 1;
        if !self.window.is_due(self.interval_ms, snapshot.interval_ms) {
            return Ok(());
        }
        self.end_interval();
        self.write()
    }

    /// Rows say which time they cover; what is missing between them is what was lost.
    fn note_dropped(&mut self, _from_ms: i64, _to_ms: i64, _ticks: u32) -> Result<(), RecordError> {
        Ok(())
    }

    /// Writes the interval that is not over as well, shorter than the others.
    fn flush(&mut self) -> Result<(), RecordError> {
        self.end_interval();
        self.write()
    }
}
