//! How the running watch is: written by its stages, read by `status`.

mod lasting;
mod troubles;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use watchkeeper_core::Gap;
use watchkeeper_notify::ChannelHealth;

pub use lasting::Lasting;
pub use troubles::troubles;

/// What `status` says first, and its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Everything works.
    Ok,
    /// Something is lost or late; the watch goes on.
    Warning,
    /// A promise is broken: the log or alerts are not written, or nobody looks.
    Critical,
    /// No watch answers.
    Unknown,
}

impl Level {
    /// Exit code of `status`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// How bad.
    pub level: Level,
    /// What, and what to do about it.
    pub text: String,
}

/// How a channel does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelReport {
    /// Messages accepted by the peer since the start.
    pub sent: u64,
    /// Last acceptance, milliseconds UTC.
    pub last_sent_ms: Option<i64>,
    /// Since when every attempt failed, milliseconds UTC.
    pub failing_since_ms: Option<i64>,
    /// The last answer that was no acceptance.
    pub last_error: Option<String>,
}

/// Everything `status` shows of a running watch. Sent over the control socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the running program.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Name of the host.
    pub host: String,
    /// When the watch began, milliseconds UTC.
    pub started_ms: i64,
    /// Now, milliseconds UTC.
    pub now_ms: i64,
    /// Now, monotonic milliseconds since boot: what the ages of ticks are counted by, for the wall clock may step.
    pub now_mono_ms: i64,
    /// How long the watch has been running, milliseconds.
    pub running_ms: i64,
    /// Folder of the store.
    pub state_folder: String,
    /// Control socket.
    pub control_socket: String,
    /// Configuration file, if one was found.
    pub config_file: Option<String>,
    /// Why the configuration on disk is not the one in force, if it is not.
    #[serde(default)]
    pub config_error: Option<String>,
    /// How the machine is read.
    pub tier: String,
    /// Interval between looks, milliseconds.
    pub interval_ms: i64,
    /// What the reader did.
    pub reader: ReaderHealth,
    /// What the recorder did.
    pub recorder: RecorderHealth,
    /// Files for other programs, in the order of the configuration.
    #[serde(default)]
    pub sinks: Vec<SinkReport>,
    /// The recording of `run --recording`, if one is made.
    #[serde(default)]
    pub recording: Option<RecordingReport>,
    /// What the analyst did.
    pub analyst: AnalystHealth,
    /// Channels by name.
    pub channels: BTreeMap<String, ChannelReport>,
    /// What the outbox holds; `None` if the store did not answer in time.
    pub outbox: Option<OutboxReport>,
    /// What the program itself uses.
    pub own: OwnUse,
    /// Everything that is not as it should be, gravest first.
    pub troubles: Vec<Trouble>,
}

impl Report {
    /// The gravest trouble's level.
    pub fn level(&self) -> Level {
        self.troubles.iter().map(|trouble| trouble.level).max().unwrap_or(Level::Ok)
    }
}

/// What the reader did since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReaderHealth {
    /// Looks taken.
    pub ticks: u64,
    /// Looks that were left out because the one before took too long.
    pub late: u64,
    /// The last look, milliseconds UTC.
    pub last_tick_ms: Option<i64>,
    /// The same in monotonic milliseconds since boot.
    pub last_tick_mono_ms: Option<i64>,
    /// Living processes at the last look.
    pub processes: Option<u64>,
    /// Busy share of the machine's CPU over the last interval, 0..1.
    pub cpu_utilization: Option<f64>,
    /// Share of memory in use, 0..1.
    pub memory_utilization: Option<f64>,
    /// CPU that no process answers for, share of the machine, signed.
    pub not_attributed: Option<f64>,
    /// Why there can be such a remainder.
    pub not_attributed_reasons: Vec<String>,
    /// What could not be read at the last look.
    pub gaps: Vec<Gap>,
    /// Why the last look failed altogether.
    pub error: Option<String>,
}

/// What the recorder did since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecorderHealth {
    /// Nothing is logged, because `store.samples` says so.
    #[serde(default)]
    pub is_off: bool,
    /// Ticks taken for the log.
    pub ticks: u64,
    /// The last tick taken, monotonic milliseconds since boot.
    pub last_tick_mono_ms: Option<i64>,
    /// Ticks lost in front of the log.
    pub dropped: u64,
    /// Why the last write failed.
    pub error: Option<String>,
    /// Bytes of the log on disk; `None` if the store did not answer in time.
    pub log_bytes: Option<u64>,
    /// Bytes free on its filesystem.
    pub free_bytes: Option<u64>,
    /// What the store had to say when it was opened: damaged files set aside and the like.
    pub notices: Vec<String>,
}

/// What a sink did since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkReport {
    /// Its file.
    pub path: String,
    /// The form of the file: `csv` or `jsonl`.
    pub format: String,
    /// Rows written.
    pub rows: u64,
    /// Time of the last row written, milliseconds UTC.
    pub last_ms: Option<i64>,
    /// Rows that were lost while the disk refused.
    pub lost_rows: u64,
    /// Ticks lost in front of it.
    pub dropped: u64,
    /// Why it is not written, a sentence that names it.
    pub error: Option<String>,
}

/// What the recording of `run --recording` did since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingReport {
    /// Its file.
    pub path: String,
    /// Ticks that it was given.
    pub ticks: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Ticks that are not in it: there was no room on the disk or in front of it.
    pub lost: u64,
    /// Why it is not written, a sentence that names it.
    pub error: Option<String>,
}

/// What the analyst did since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalystHealth {
    /// Rules that are evaluated.
    pub rules: u64,
    /// The last tick evaluated, monotonic milliseconds since boot.
    pub last_tick_mono_ms: Option<i64>,
    /// Ticks lost in front of the rules.
    pub dropped: u64,
    /// Changes of alerts that could never be kept.
    pub lost: u64,
    /// Alerts whose condition holds, not yet for long enough.
    pub pending: u64,
    /// Alerts that fire.
    pub firing: u64,
    /// Alerts that are clear, not yet for long enough.
    pub recovering: u64,
    /// Incidents that are open, oldest first.
    pub incidents: Vec<OpenIncident>,
    /// Why alert state is only held in memory, if it is.
    pub memory_only: Option<String>,
    /// Why alert state could not be kept at all.
    pub error: Option<String>,
}

/// An open incident in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIncident {
    /// Number for people.
    pub ticket: Option<i64>,
    /// How bad.
    pub severity: String,
    /// What is wrong, and who does it.
    pub text: String,
    /// Since when, milliseconds UTC.
    pub opened_ms: i64,
}

/// What the outbox holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxReport {
    /// Messages that wait.
    pub pending: u64,
    /// Messages that were accepted.
    pub sent: u64,
    /// Messages that nobody took.
    pub dead: u64,
    /// When the oldest waiting one was planned, milliseconds UTC.
    pub oldest_pending_ms: Option<i64>,
    /// Silences in force, which make messages wait.
    #[serde(default)]
    pub silences: u64,
}

/// What the program itself uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnUse {
    /// CPU time since the start, milliseconds.
    pub cpu_ms: Option<u64>,
    /// Mean share of one core since the start.
    pub cores: Option<f64>,
    /// Resident memory, bytes.
    pub resident_bytes: Option<u64>,
}

/// Health of the stages, shared between them.
#[derive(Debug, Default)]
pub struct Health {
    /// The reader's.
    pub reader: Mutex<ReaderHealth>,
    /// The recorder's.
    pub recorder: Mutex<RecorderHealth>,
    /// The analyst's.
    pub analyst: Mutex<AnalystHealth>,
    /// The channels', which their workers write.
    pub channels: Mutex<BTreeMap<String, Arc<Mutex<ChannelHealth>>>>,
    /// Since when the oldest message waits that should have been sent, milliseconds UTC.
    pub waiting_since_ms: Mutex<Option<i64>>,
}

/// Locks, also after a panic elsewhere: health is plain data that is valid at any moment.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A watch that works.
#[cfg(test)]
pub fn sample_report() -> Report {
    Report {
        version: "0.1.0".to_owned(),
        pid: 4_711,
        host: "db1".to_owned(),
        started_ms: 1_800_000_000_000,
        now_ms: 1_800_000_300_000,
        now_mono_ms: 500_000,
        running_ms: 300_000,
        state_folder: "/state".to_owned(),
        control_socket: "/state/control.sock".to_owned(),
        config_file: None,
        config_error: None,
        tier: "proc".to_owned(),
        interval_ms: 1_000,
        reader: ReaderHealth {
            ticks: 300,
            last_tick_ms: Some(1_800_000_299_500),
            last_tick_mono_ms: Some(499_500),
            processes: Some(120),
            ..ReaderHealth::default()
        },
        recorder: RecorderHealth {
            ticks: 300,
            last_tick_mono_ms: Some(499_500),
            log_bytes: Some(1 << 20),
            ..RecorderHealth::default()
        },
        sinks: Vec::new(),
        analyst: AnalystHealth { rules: 4, last_tick_mono_ms: Some(499_500), ..AnalystHealth::default() },
        channels: BTreeMap::new(),
        outbox: Some(OutboxReport::default()),
        recording: None,
        own: OwnUse::default(),
        troubles: Vec::new(),
    }
}
