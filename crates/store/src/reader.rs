//! Reads the log beside a running watch, or when none runs. Nothing is ever written or migrated.
//!
//! Every question opens the day files it needs and closes them again, so that the watch can close and delete days.
//! Rows become snapshots again ([`replay`]), and the catalogue reads its metrics from those: what a question answers is
//! what the live snapshot said.

mod coverage;
mod events;
mod file;
mod lane;
mod lives;
mod needs;
mod playback;
mod replay;
mod series;
mod snapshot;
mod tally;
mod top;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use watchkeeper_core::incident::IncidentFilter;
use watchkeeper_core::port::{Coverage, Event, HistoryError, IncidentRecord, Point, ProcessPoint, Ranked};
use watchkeeper_core::{EntityKind, History, ProcessKey, Range, Series, Snapshot};

use crate::error::OpenError;
use crate::hot::day;
use crate::{folder, state};
use file::LogFile;

pub use playback::Replay;

/// A read-only view of a store. It takes no lock and holds no file open between questions; clones are cheap.
#[derive(Clone, Debug)]
pub struct Reader {
    folder: PathBuf,
    deadline: Option<Instant>,
}

impl Reader {
    /// A reader of the store in `folder`.
    ///
    /// # Errors
    /// [`OpenError::Missing`] if there is no store.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let log = folder.join(folder::LOG);
        let metadata = std::fs::metadata(&log).map_err(|error| match OpenError::from_io("open", &log, &error) {
            OpenError::Missing { .. } => OpenError::Missing { path: folder.to_owned() },
            other => other,
        })?;
        if !metadata.is_dir() {
            return Err(OpenError::NotAFolder { path: log });
        }
        Ok(Self { folder: folder.to_owned(), deadline: None })
    }

    /// The same, answering [`HistoryError::Deadline`] to whatever is not answered `within` this time from now.
    #[must_use]
    pub fn with_deadline(self, within: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(within), ..self }
    }

    /// Every tick of the range, rebuilt from the log, oldest first, in one pass and bounded memory. Ticks are in the order
    /// in which they were taken; after the clock was set back their times go back too.
    ///
    /// What a running watch writes after this began may be missing. With a deadline, the replay ends with
    /// [`HistoryError::Deadline`] when it is over.
    ///
    /// # Errors
    /// A day file of the range is damaged, of another version, or cannot be read.
    pub fn replay(&self, range: Range) -> Result<Replay, HistoryError> {
        let paths = self.files(range)?.iter().map(|file| file.path().to_owned()).collect();
        Replay::begin(paths, range, self.deadline)
    }

    /// The day files that hold a tick in the range, oldest day first.
    fn files(&self, range: Range) -> Result<Vec<LogFile>, HistoryError> {
        let mut files = self.all_files()?;
        files.retain(|file| file.span.from_ms < range.to_ms && range.from_ms < file.span.to_ms);
        Ok(files)
    }

    /// All day files that hold ticks, oldest day first.
    fn all_files(&self) -> Result<Vec<LogFile>, HistoryError> {
        let log = self.folder.join(folder::LOG);
        let found = day::list(&log)
            .map_err(|error| HistoryError::Read { path: log.display().to_string(), reason: error.to_string() })?;
        let days = found.into_iter().filter(|found| found.is_day_file);
        days.filter_map(|found| LogFile::open(&found.path, self.deadline).transpose()).collect()
    }
}

impl History for Reader {
    fn coverage(&self, range: Range) -> Result<Coverage, HistoryError> {
        let longer = Range::new(range.from_ms, range.to_ms.saturating_add(coverage::LATEST_TICK_MS));
        coverage::coverage(&self.files(longer)?, range)
    }

    fn top(&self, range: Range, metric: &str, kind: EntityKind, count: usize) -> Result<Vec<Ranked>, HistoryError> {
        let metric = needs::numeric(metric, kind)?;
        top::top(&self.files(range)?, range, metric, kind, count)
    }

    fn process(&self, key: &ProcessKey, range: Range) -> Result<Vec<ProcessPoint>, HistoryError> {
        snapshot::process(&self.files(range)?, key, range)
    }

    fn series(&self, series: &Series, range: Range, step_ms: i64) -> Result<Vec<Point>, HistoryError> {
        let metric = needs::numeric(&series.metric, series.entity.kind())?;
        let steps = series::steps(&self.folder, range, step_ms)?;
        series::series(&self.files(range)?, metric, &series.entity, range, steps)
    }

    fn events(&self, range: Range) -> Result<Vec<Event>, HistoryError> {
        // The row of an exit is in the tick that noticed it, which may be in the next file.
        let longer = Range::new(range.from_ms, range.to_ms.saturating_add(events::LATEST_NOTICE_MS));
        events::events(&self.files(longer)?, range)
    }

    fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<IncidentRecord>, HistoryError> {
        state::query::incidents(&self.folder, self.deadline, filter)
    }

    fn snapshot(&self, at_ms: i64) -> Result<Option<Snapshot>, HistoryError> {
        let files = self.files(Range::new(i64::MIN, at_ms.saturating_add(1)))?;
        snapshot::snapshot(&files, at_ms)
    }
}
