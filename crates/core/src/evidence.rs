//! What was known at the moment an alert began to fire. Frozen then, stored with the incident, rendered later.

use serde::{Deserialize, Serialize};

use crate::identity::{Entity, ProcessKey};
use crate::unit::Unit;

/// Version of the stored form; a reader refuses a newer one.
pub const EVIDENCE_VERSION: u16 = 1;

/// Everything a message or a page says about why an alert fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`EVIDENCE_VERSION`] at the time of writing.
    pub version: u16,
    /// Id of the rule.
    pub rule: String,
    /// The condition as it was written.
    pub condition: String,
    /// The metric that the rule looks at.
    pub metric: String,
    /// Unit of value and threshold: the metric's, or seconds where they say for how long its data has been missing.
    pub unit: Unit,
    /// The entity it was seen on.
    pub entity: Entity,
    /// The value at the moment of firing.
    pub value: f64,
    /// What it was compared with; `None` where that was not a number.
    pub threshold: Option<f64>,
    /// Since when the condition held, milliseconds UTC.
    pub since_ms: i64,
    /// The moment of firing, milliseconds UTC.
    pub fired_ms: i64,
    /// What the contributors are ranked by: a catalogue metric of processes.
    pub ranked_by: Option<RankedBy>,
    /// The largest contributors at that moment, largest first, at most [`TOP`].
    pub top: Vec<Contributor>,
    /// What no process answers for, in the unit of `ranked_by` and as a share; signed.
    pub not_attributed: Option<Amount>,
    /// Who started the first contributor: itself, its parent, and so on, e.g. `rustc x14`, `cargo`, `cron.service`.
    pub lineage: Vec<String>,
    /// Programs that changed most against the minutes before, largest rise first.
    pub changes: Vec<ProgramChange>,
    /// What is usual at this hour.
    pub usual: Known<UsualRange>,
    /// How often it happened before.
    pub recurrence: Known<Recurrence>,
    /// Who last acknowledged the like.
    pub last_acknowledgement: Known<Acknowledgement>,
    /// How the value rises, if the rule looks at a rise.
    pub trend: Option<Trend>,
    /// What the rule's author has to say about it.
    pub summary: Option<String>,
    /// Where it is written what to do: a link or a path.
    pub runbook: Option<String>,
    /// IANA name of the time zone that local times are to be shown in.
    pub time_zone: String,
}

/// Most contributors kept in evidence.
pub const TOP: usize = 5;

/// How contributors are ranked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedBy {
    /// Name of a catalogue metric of processes.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// What a share is a share of, e.g. `this machine's CPU`.
    pub whole: String,
}

/// An amount and its share of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    /// In the unit of the metric.
    pub value: f64,
    /// 0..1 of the whole (negative for a negative remainder); `None` if the whole is unknown.
    pub share: Option<f64>,
}

/// One process that contributed. All its texts are foreign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contributor {
    /// Which process.
    pub key: ProcessKey,
    /// The kernel's name of it.
    pub name: String,
    /// The program it counts as.
    pub program: String,
    /// Numeric id of the user it runs as.
    pub uid: Option<u32>,
    /// Name of that user, if it could be looked up.
    pub user: Option<String>,
    /// Redacted command line.
    pub command: Option<String>,
    /// When it began, milliseconds UTC.
    pub started_ms: i64,
    /// How much.
    pub amount: Amount,
}

/// How a program changed against the preceding window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramChange {
    /// The program. Foreign text.
    pub program: String,
    /// Average of the last minute, in the unit of `ranked_by`.
    pub now: f64,
    /// Average of the minutes before, at most 15; `None` if it was not there.
    pub before: Option<f64>,
}

/// Something that is looked up in the log and may not be known in time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    /// Found.
    Yes(T),
    /// Looked up; there is nothing.
    Nothing,
    /// The log is too short, or the answer did not come in time.
    #[default]
    NotYet,
    /// Nothing is logged that could tell.
    NoLog,
}

/// What is usual: p10 to p90 of 1-minute values within 30 min of this local hour over the last 14 days.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsualRange {
    /// 10th percentile, in the unit of the metric.
    pub low: f64,
    /// 90th percentile.
    pub high: f64,
    /// Days that went into it.
    pub days: u32,
}

/// How often the same thing happened before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recurrence {
    /// Incidents of the same rule on the same entity in the last 30 days, this one not counted.
    pub times: u32,
    /// When the last one opened, milliseconds UTC.
    pub last_ms: i64,
    /// Their median length in milliseconds.
    pub median_ms: i64,
    /// When it comes, if it comes regularly.
    pub pattern: Option<Pattern>,
}

/// A rise over a window, as it was at the moment of firing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// The metric that rises.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// By how much each second, in the unit: the robust slope.
    pub per_second: f64,
    /// By how much it rose within the window, in the unit.
    pub rise: f64,
    /// Share of the variation that a straight line explains, 0..1.
    pub r2: f64,
    /// Probability that values without a trend look like this, 0..1.
    pub p: f64,
    /// Length of the window that was observed, milliseconds.
    pub window_ms: i64,
    /// What cannot be exceeded, in the unit, e.g. the machine's memory or the size of a filesystem, if there is such.
    pub limit: Option<f64>,
    /// When the limit is reached if it goes on like this, milliseconds UTC.
    pub full_ms: Option<i64>,
}

/// When something comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// What it follows.
    pub cycle: Cycle,
    /// Length of the cycle, milliseconds.
    pub period_ms: i64,
    /// Local minute of the day around which it comes, 0 to 1439; only of a day or a week.
    pub minute: Option<u16>,
    /// Day of the week, 1 Monday to 7 Sunday; only of a week.
    pub weekday: Option<u8>,
    /// Half of the times lie closer to it than this, milliseconds.
    pub spread_ms: i64,
    /// In how many of the last `chances` cycles it came.
    pub hits: u32,
    /// Cycles that were looked at.
    pub chances: u32,
    /// When it is to be expected next, milliseconds UTC.
    pub next_ms: i64,
}

/// What a recurrence follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cycle {
    /// The same local time every day.
    Day,
    /// The same local time on the same day every week.
    Week,
    /// The same time after the time before.
    Interval,
}

/// Who took an incident on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Name of the person.
    pub by: String,
    /// When, milliseconds UTC.
    pub at_ms: i64,
    /// Until when, milliseconds UTC.
    pub until_ms: Option<i64>,
    /// What they wrote.
    pub note: Option<String>,
}
