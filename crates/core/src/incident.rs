//! Incidents: alerts that belong together, with a ticket number, evidence and a history.

mod course;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::alert::{Fingerprint, Hasher, Severity};
use crate::evidence::Evidence;
use crate::identity::HostId;
pub use course::{About, Course, Flapping};

/// Identity of an incident, known before the store has given it a ticket number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentKey(pub u64);

impl IncidentKey {
    /// Hash of the host, the fingerprint of the first alert and the time it opened.
    pub fn of(host: HostId, fingerprint: Fingerprint, opened_ms: i64) -> Self {
        let mut hash = Hasher::new();
        hash.bytes(host.0.as_bytes());
        hash.bytes(&fingerprint.0.to_le_bytes());
        hash.bytes(&opened_ms.to_le_bytes());
        Self(hash.finish())
    }
}

impl fmt::Display for IncidentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The number people use for an incident; given by the store, rising, never used twice.
pub type Ticket = i64;

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentEvent {
    /// Its first alert began to fire.
    Opened,
    /// A further alert joined it.
    Joined,
    /// One of its alerts is over, others go on.
    Left,
    /// Its severity rose or fell.
    Severity,
    /// An alert in it that flaps has come and gone since the last time it was told.
    Flapping,
    /// It turned out to be one of very many that opened at once, which are told together.
    Storm,
    /// All its alerts are over and the values are back.
    Resolved,
    /// All its alerts are over because what they watched is gone.
    Ended,
    /// Somebody has taken it on.
    Acknowledged,
}

impl IncidentEvent {
    /// All, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Opened,
        Self::Storm,
        Self::Joined,
        Self::Left,
        Self::Severity,
        Self::Flapping,
        Self::Acknowledged,
        Self::Resolved,
        Self::Ended,
    ];

    /// The word used in tables and keys.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Severity => "severity",
            Self::Flapping => "flapping",
            Self::Storm => "storm",
            Self::Resolved => "resolved",
            Self::Ended => "ended",
            Self::Acknowledged => "acknowledged",
        }
    }

    /// The event with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.word() == word)
    }

    /// Whether it closes the incident.
    pub fn closes(self) -> bool {
        matches!(self, Self::Resolved | Self::Ended)
    }
}

/// Most alerts that an incident lists by name; more are only counted.
pub const MOST_JOINED: usize = 100;

/// An alert that joined an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// When it began to fire, milliseconds UTC.
    pub at_ms: i64,
    /// Id of its rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: String,
    /// Identity of the alert.
    pub fingerprint: Fingerprint,
}

/// Alerts that belong together; what people see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Identity.
    pub key: IncidentKey,
    /// Number for people; `None` until it is stored.
    pub ticket: Option<Ticket>,
    /// What it is grouped by: the rule, or the cause that explains several rules.
    pub cause: String,
    /// The gravest severity of its alerts.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: String,
    /// Name of the host.
    pub host: String,
    /// Labels of host and rule.
    pub labels: BTreeMap<String, String>,
    /// The alerts in it, oldest first; those beyond [`MOST_JOINED`] are only counted.
    pub alerts: Vec<Fingerprint>,
    /// Alerts that joined after the first, oldest first, at most [`MOST_JOINED`].
    pub joined: Vec<Joined>,
    /// How often it fired: 1, and one more each time that its program's next process or another alert of the same rule on
    /// the same program fired while it was open.
    pub times: u32,
    /// When it opened, milliseconds UTC.
    pub opened_ms: i64,
    /// When it closed, milliseconds UTC.
    pub closed_ms: Option<i64>,
    /// What was known at the moment of firing, frozen then.
    pub evidence: Evidence,
    /// What its next change depends on, beside its alerts.
    pub course: Course,
}

impl Incident {
    /// What it holds beside its first alert, to stand behind its title: ` (37 times, 2 more alerts)`; empty where that is
    /// nothing.
    pub fn counts(&self) -> String {
        let others = match self.course.about.len().saturating_sub(1) {
            0 => None,
            1 => Some("1 more alert".to_owned()),
            count => Some(format!("{count} more alerts")),
        };
        let times = (self.times > 1).then(|| format!("{} times", self.times));
        let counts: Vec<String> = times.into_iter().chain(others).collect();
        if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) }
    }
}

/// An entry of an incident's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentHistory {
    /// When, milliseconds UTC.
    pub at_ms: i64,
    /// What happened.
    pub event: IncidentEvent,
    /// More words, if any.
    pub detail: Option<String>,
}

/// Which incidents are asked for; the default is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncidentFilter {
    /// Only those that are still open.
    pub open: bool,
    /// Only the one with this ticket.
    pub ticket: Option<Ticket>,
    /// Only those of this rule or cause.
    pub cause: Option<String>,
    /// Only those open at some time within this range.
    pub range: Option<crate::moment::Range>,
    /// At most so many, newest first.
    pub limit: Option<usize>,
}

/// Stops messages about some incidents for a while, never their evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Number for people; given by the store, rising, never used twice.
    pub number: i64,
    /// Which incidents: a condition in the language of routes.
    pub matcher: String,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When it was made, milliseconds UTC.
    pub created_ms: i64,
    /// From when on it is in force, milliseconds UTC.
    pub starts_ms: i64,
    /// When it ends, milliseconds UTC.
    pub ends_ms: i64,
}
