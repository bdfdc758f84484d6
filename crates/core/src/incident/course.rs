//! How an incident goes: what a watch must know of it, beside its alerts, to go on with it after a restart.

use serde::{Deserialize, Serialize};

use crate::alert::Fingerprint;
use crate::identity::Entity;

/// What the next change of an incident depends on, beside its alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Whether the value of one of its alerts is known to be back: then it resolves, else it ends.
    pub is_back: bool,
    /// What it is about; the first opened it. At most [`MOST_JOINED`](super::MOST_JOINED).
    pub about: Vec<About>,
    /// How alerts in it come and go, if they do it too often.
    pub flapping: Option<Flapping>,
    /// When the storm began in which it opened, milliseconds UTC; `None`: it is told by itself.
    pub storm_ms: Option<i64>,
}

/// A rule and what it watches. An alert of the same rule on the same thing continues an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct About {
    /// Id of the rule.
    pub rule: String,
    /// What it watches; of a process its program, because the process itself never returns.
    pub entity: Entity,
}

/// How alerts come and go that do it too often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    /// The alerts that do.
    pub alerts: Vec<Fingerprint>,
    /// When it was last told, milliseconds UTC.
    pub told_ms: i64,
    /// How often the incident had fired by then.
    pub told_times: u32,
    /// Begin of what was told then, milliseconds UTC.
    pub from_ms: i64,
    /// How often it fired between `from_ms` and `told_ms`.
    pub lately: u32,
    /// Summaries so far.
    pub summaries: u32,
}
