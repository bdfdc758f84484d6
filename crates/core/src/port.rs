//! The ports of the store: write samples, read history, keep state. All are synchronous and single-threaded.

use thiserror::Error;

use crate::alert::{Alert, Change};
use crate::evidence::Acknowledgement;
use crate::gap::Gap;
use crate::identity::{Entity, EntityKind, HostId, ProcessKey, Series};
use crate::incident::{Incident, IncidentFilter, IncidentHistory, IncidentKey, Silence, Ticket};
use crate::moment::Range;
use crate::outbox::{Delivery, Due, OutboxId, OutboxRow};
use crate::process::Image;
use crate::snapshot::{Process, Snapshot};

/// Why a sample could not be written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The disk is full, or only the state database's reserve is left; ticks wait in memory.
    #[error("no space left for the log in {path}; {} in memory", ticks_wait(*.waiting))]
    Full {
        /// Folder of the log.
        path: String,
        /// Ticks that wait.
        waiting: usize,
    },
    /// Writing failed; ticks wait in memory and are tried again.
    #[error("cannot write the log {path}: {reason}; {} in memory", ticks_wait(*.waiting))]
    Write {
        /// File.
        path: String,
        /// What the system or database said.
        reason: String,
        /// Ticks that wait.
        waiting: usize,
    },
}

fn ticks_wait(count: usize) -> String {
    if count == 1 { "1 tick waits".to_owned() } else { format!("{count} ticks wait") }
}

/// Writes the log. One owner, one thread.
pub trait Recorder: Send {
    /// Takes one tick. It is on disk at the latest 10 s later; on an error the tick is kept and tried again.
    fn record(&mut self, snapshot: &Snapshot) -> Result<(), RecordError>;

    /// Notes that ticks were lost before they reached the store, wall-clock milliseconds UTC.
    fn note_dropped(&mut self, from_ms: i64, to_ms: i64, ticks: u32) -> Result<(), RecordError>;

    /// Writes everything that waits.
    fn flush(&mut self) -> Result<(), RecordError>;
}

/// Why history could not be read.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The answer did not come before the deadline of this handle.
    #[error("the answer did not come in time")]
    Deadline,
    /// The metric is not in the log of this kind of entity.
    #[error("the log has no {metric} for {kind}")]
    NoSuchSeries {
        /// Metric asked for.
        metric: String,
        /// Kind of entity asked for.
        kind: EntityKind,
    },
    /// A file of the store could not be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// File.
        path: String,
        /// What the system or database said.
        reason: String,
    },
}

/// What the log holds of a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// First tick inside, milliseconds UTC.
    pub first_ms: Option<i64>,
    /// Last tick inside, milliseconds UTC.
    pub last_ms: Option<i64>,
    /// Ticks inside.
    pub ticks: u64,
    /// Milliseconds of the range that the ticks' intervals cover.
    pub covered_ms: i64,
    /// What could not be read, with from and to in milliseconds UTC, longest first.
    pub gaps: Vec<(Range, Gap)>,
}

/// One entity in an order, with its amount over a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Which.
    pub entity: Entity,
    /// What it ran last, for processes.
    pub image: Option<Image>,
    /// Mean over the covered time, in the metric's unit.
    pub mean: f64,
    /// Largest value of one tick.
    pub max: f64,
    /// First and last tick at which it was there, milliseconds UTC.
    pub seen: Range,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Begin of the step, milliseconds UTC.
    pub ts_ms: i64,
    /// Mean over the step; `None` if nobody looked or the value was unknown.
    pub mean: Option<f64>,
    /// Largest value of one tick in the step.
    pub max: Option<f64>,
}

/// One process at one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessPoint {
    /// The tick, milliseconds UTC.
    pub ts_ms: i64,
    /// Length of its interval, monotonic milliseconds.
    pub interval_ms: i64,
    /// The process over it.
    pub process: Process,
}

/// Something that happened on the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, milliseconds UTC.
    pub ts_ms: i64,
    /// What: `exit`, `oom`, `socket_opened`, `executable_changed`, `clock_step`, `suspended`.
    pub kind: String,
    /// The process it concerns.
    pub process: Option<ProcessKey>,
    /// More words. Foreign text.
    pub detail: String,
}

/// An incident with its history.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentRecord {
    /// The incident.
    pub incident: Incident,
    /// What happened to it, oldest first.
    pub history: Vec<IncidentHistory>,
    /// Who has taken it on, newest last.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Messages about it: channel, recipient, state word, attempts, last answer.
    pub messages: Vec<MessageState>,
}

/// How a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageState {
    /// Number of the outbox row.
    pub id: OutboxId,
    /// Channel.
    pub channel: String,
    /// Recipient.
    pub recipient: String,
    /// What it tells.
    pub event: String,
    /// `pending`, `sent`, `dead` or `needless`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next, milliseconds UTC.
    pub due_ms: i64,
    /// The last answer.
    pub last: Option<Delivery>,
}

/// Reads the log and the incidents. The handle carries its deadline, if it has one.
pub trait History: Send {
    /// What the log holds of the range.
    fn coverage(&self, range: Range) -> Result<Coverage, HistoryError>;

    /// The `count` entities with the largest mean of a metric over the range, largest first.
    /// A process metric can be ranked by process or by program.
    fn top(&self, range: Range, metric: &str, kind: EntityKind, count: usize) -> Result<Vec<Ranked>, HistoryError>;

    /// One process over time, a point for each tick at which it was there.
    fn process(&self, key: &ProcessKey, range: Range) -> Result<Vec<ProcessPoint>, HistoryError>;

    /// One series over time in equal steps of `step_ms` from the begin of the range.
    fn series(&self, series: &Series, range: Range, step_ms: i64) -> Result<Vec<Point>, HistoryError>;

    /// Things that happened, oldest first.
    fn events(&self, range: Range) -> Result<Vec<Event>, HistoryError>;

    /// Incidents, newest first.
    fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<IncidentRecord>, HistoryError>;

    /// The last tick at or before this time, rebuilt from the log.
    fn snapshot(&self, at_ms: i64) -> Result<Option<Snapshot>, HistoryError>;
}

/// Why state could not be kept.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The state database could not be read or written.
    #[error("cannot {operation} {path}: {reason}")]
    Database {
        /// What was tried: `read`, `commit to`, `claim from`.
        operation: &'static str,
        /// File.
        path: String,
        /// What the system or database said.
        reason: String,
    },
    /// A stored row could not be understood.
    #[error("{path} holds a row that cannot be understood: {reason}")]
    Malformed {
        /// File.
        path: String,
        /// Which and why.
        reason: String,
    },
}

/// What a watch finds when it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedState {
    /// The host for ever.
    pub host: HostId,
    /// Alerts that are not over.
    pub alerts: Vec<Alert>,
    /// Incidents that are open.
    pub incidents: Vec<Incident>,
}

/// Whether a commit is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Written and synced.
    Disk,
    /// Only held in memory, because of this; written when the disk is back.
    Memory(String),
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Ticket numbers of the incidents in the changes; provisional (negative) while only in memory.
    pub tickets: Vec<(IncidentKey, Ticket)>,
    /// Whether it is on disk.
    pub durability: Durability,
}

/// What the outbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Rows that wait.
    pub pending: u64,
    /// Rows that were accepted by their peers.
    pub sent: u64,
    /// Rows about incidents that nobody will ever take.
    pub dead: u64,
    /// When the oldest waiting row was planned, milliseconds UTC.
    pub oldest_pending_ms: Option<i64>,
}

/// Keeps alerts, incidents and messages. One handle for each thread; handles of one store share what is held in memory.
pub trait Ledger: Send {
    /// What was known when the last watch stopped.
    fn load(&mut self) -> Result<LoadedState, LedgerError>;

    /// Writes all changes and rows in one transaction. When the disk refuses, they are held in memory,
    /// served by [`Ledger::claim`] and written with the next commit that succeeds; the receipt says so.
    fn commit(&mut self, changes: &[Change], rows: &[OutboxRow]) -> Result<Receipt, LedgerError>;

    /// Claims due rows of a channel until the lease ends, oldest first: `limit` groups at the most, each whole.
    fn claim(&mut self, channel: &str, now_ms: i64, lease_until_ms: i64, limit: usize)
    -> Result<Vec<Due>, LedgerError>;

    /// Writes what became of a claimed row. `next_due_ms` is when to try again, for outcomes that try again.
    fn finish(&mut self, id: OutboxId, delivery: &Delivery, next_due_ms: Option<i64>) -> Result<(), LedgerError>;

    /// The same for rows that were sent as one message.
    ///
    /// The default writes them one by one.
    fn finish_all(
        &mut self,
        ids: &[OutboxId],
        delivery: &Delivery,
        next_due_ms: Option<i64>,
    ) -> Result<(), LedgerError> {
        ids.iter().try_for_each(|id| self.finish(*id, delivery, next_due_ms))
    }

    /// Makes every row of a channel that waits for its next attempt due at `now_ms`: the channel works again, or was set
    /// up anew. Rows that were never tried and rows under a lease stay as they are. Answers how many rows there were.
    ///
    /// The default leaves them to their own back-off.
    fn wake(&mut self, channel: &str, now_ms: i64) -> Result<u64, LedgerError> {
        let _ = (channel, now_ms);
        Ok(0)
    }

    /// Silences in force at this time, oldest first.
    fn silences(&mut self, now_ms: i64) -> Result<Vec<Silence>, LedgerError>;

    /// Gives a claimed row back until a silence ends. It counts as planned then, and has as long to be sent as it had:
    /// waiting is no attempt. A row that is no longer pending stays as it is.
    fn postpone(&mut self, id: OutboxId, until_ms: i64) -> Result<(), LedgerError>;

    /// When the next row of a channel is due, leases counted; `None` if nothing waits.
    fn next_due(&mut self, channel: &str) -> Result<Option<i64>, LedgerError>;

    /// What the outbox holds.
    fn outbox_counts(&mut self) -> Result<OutboxCounts, LedgerError>;
}
