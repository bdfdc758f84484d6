//! The log played again: every tick of a range as a snapshot, for whoever wants to see all of them.
//!
//! A thread of its own rebuilds the ticks, so that whoever looks at them has another core for it. It reads one day file
//! at a time and is never more than [`AHEAD`] ticks ahead.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::{Row, Rows};
use watchkeeper_core::port::HistoryError;
use watchkeeper_core::{EntityKind, Gap, Range, Snapshot};

use super::coverage::gap;
use super::file::LogFile;
use super::replay::{Frame, Wanted, replay_while};
use super::snapshot::whole;

/// Ticks that may be rebuilt before they are taken; at 5,000 processes one is a megabyte.
const AHEAD: usize = 16;

type Tick = Result<Snapshot, HistoryError>;

/// The ticks of a range, rebuilt one after the other; an error is the last item.
#[derive(Debug)]
pub struct Replay {
    ticks: Option<Receiver<Tick>>,
    thread: Option<JoinHandle<()>>,
}

impl Replay {
    pub(super) fn begin(paths: Vec<PathBuf>, range: Range, deadline: Option<Instant>) -> Result<Self, HistoryError> {
        let (sender, ticks) = sync_channel(AHEAD);
        let play = move || {
            for path in paths {
                match play(&path, range, deadline, &sender) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => return,
                    // Whoever is gone needs no answer.
                    Err(error) => return drop(sender.send(Err(error))),
                }
            }
        };
        let thread = std::thread::Builder::new().name("log reader".to_owned()).spawn(play);
        let thread = thread.map_err(|error| HistoryError::Read {
            path: "the log".to_owned(),
            reason: format!("there is no thread for it: {error}"),
        })?;
        Ok(Self { ticks: Some(ticks), thread: Some(thread) })
    }
}

impl Iterator for Replay {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        let received = self.ticks.as_ref()?.recv();
        if !matches!(received, Ok(Ok(_))) {
            self.ticks = None;
        }
        if let Ok(tick) = received {
            return Some(tick);
        }
        let defect = self.thread.take().is_some_and(|thread| thread.join().is_err());
        // A log that is only half played must not look like one that is over.
        defect.then(|| {
            let reason = "its reader ended with a defect; please report it".to_owned();
            Err(HistoryError::Read { path: "the log".to_owned(), reason })
        })
    }
}

impl Drop for Replay {
    /// Ends the thread: no file of the log stays open behind it.
    fn drop(&mut self) {
        self.ticks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Plays one day file. A file that is gone by now is a day that was deleted.
fn play(
    path: &Path,
    range: Range,
    deadline: Option<Instant>,
    ticks: &SyncSender<Tick>,
) -> Result<ControlFlow<()>, HistoryError> {
    let Some(file) = LogFile::open(path, deadline)? else { return Ok(ControlFlow::Continue(())) };
    play_file(&file, range, deadline, ticks).map_err(|error| match error {
        Stopped::Deadline => HistoryError::Deadline,
        Stopped::Sqlite(error) => file.failed(&error),
    })
}

/// Why a file could not be played to its end.
enum Stopped {
    Deadline,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn play_file(
    file: &LogFile,
    range: Range,
    deadline: Option<Instant>,
    ticks: &SyncSender<Tick>,
) -> Result<ControlFlow<()>, Stopped> {
    let Some(bounds) = file.ticks_in(range)? else { return Ok(ControlFlow::Continue(())) };
    let mut statement = file.connection.prepare(GAPS)?;
    let mut gaps = Gaps::begin(statement.query([bounds.0, bounds.1])?)?;
    let mut result = Ok(ControlFlow::Continue(()));
    replay_while(file, bounds, &Wanted::everything(), EntityKind::Process, |frame| {
        // SQLite looks at the clock only within its own work.
        let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        result = match gaps.at(frame.tick.id) {
            Ok(_) if is_late => Err(Stopped::Deadline),
            Ok(gaps) => Ok(hand_on(frame, gaps, range, ticks)),
            Err(error) => Err(error.into()),
        };
        if matches!(result, Ok(ControlFlow::Continue(()))) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result
}

/// Gives a tick of the range to whoever takes them, until nobody does. After a step of the clock, ticks of other times lie
/// between.
fn hand_on(frame: &Frame<'_>, gaps: Vec<Gap>, range: Range, ticks: &SyncSender<Tick>) -> ControlFlow<()> {
    if !range.contains(frame.tick.at.ts_ms) || ticks.send(Ok(Snapshot { gaps, ..whole(frame) })).is_ok() {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

const GAPS: &str = "SELECT from_tick, to_tick, place, section, reason, count, remedy FROM gap \
                    WHERE to_tick >= ?1 AND from_tick <= ?2 ORDER BY from_tick, place";

/// The gaps of one tick after the other.
struct Gaps<'s> {
    rows: Rows<'s>,
    /// The first that has not begun.
    next: Option<Run>,
    /// Those that have begun and may not be over.
    open: Vec<Run>,
}

/// A gap from tick to tick, at its place among the gaps of a tick; `None` if it is of a kind that nobody knows.
struct Run {
    from_tick: i64,
    to_tick: i64,
    place: i64,
    gap: Option<Gap>,
}

impl<'s> Gaps<'s> {
    fn begin(mut rows: Rows<'s>) -> rusqlite::Result<Self> {
        let next = rows.next()?.map(run).transpose()?;
        Ok(Self { rows, next, open: Vec::new() })
    }

    /// The gaps of a tick. Ticks are asked for in their order.
    fn at(&mut self, tick: i64) -> rusqlite::Result<Vec<Gap>> {
        self.open.retain(|run| run.to_tick >= tick);
        while self.next.as_ref().is_some_and(|run| run.from_tick <= tick) {
            let begun = std::mem::replace(&mut self.next, self.rows.next()?.map(run).transpose()?);
            self.open.extend(begun.filter(|run| run.to_tick >= tick));
        }
        self.open.sort_by_key(|run| run.place);
        Ok(self.open.iter().filter_map(|run| run.gap.clone()).collect())
    }
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run { from_tick: row.get(0)?, to_tick: row.get(1)?, place: row.get(2)?, gap: gap(row, 3)? })
}
