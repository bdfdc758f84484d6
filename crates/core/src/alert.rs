//! Alerts: the life of one finding on one series, and the changes that a step of the analyzer makes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::{Entity, HostId};
use crate::incident::{Incident, IncidentEvent, IncidentKey};

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; nobody is woken.
    Info,
    /// Somebody should look.
    #[default]
    Warning,
    /// Somebody must look now.
    Critical,
}

impl Severity {
    /// All, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word used in configuration, tables and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.word() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Identity of an alert over its whole life and over restarts: hash of host, rule and entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The fingerprint of a rule on an entity of a host.
    pub fn of(host: HostId, rule: &str, entity: &Entity) -> Self {
        let mut hash = Hasher::new();
        hash.bytes(host.0.as_bytes());
        hash.bytes(rule.as_bytes());
        hash.bytes(entity.kind().word().as_bytes());
        match entity {
            Entity::Process(key) => {
                hash.bytes(key.boot.0.as_bytes());
                hash.bytes(&key.pid.to_le_bytes());
                hash.bytes(&key.start_ticks.to_le_bytes());
            }
            other => hash.bytes(other.name().as_bytes()),
        }
        Self(hash.finish())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// FNV-1a, 64 bit, with the length of every part mixed in: stable over versions and platforms, which the hashes of the
/// standard library are not. Not for secrets.
pub(crate) struct Hasher(u64);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0
    }
}

/// Where an alert stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition does not hold; such alerts are not stored.
    Inactive,
    /// The condition holds, not yet for as long as the rule asks.
    Pending,
    /// The condition has held for as long as the rule asks.
    Firing,
    /// What ends it holds, not yet for as long as the rule asks.
    Recovering,
    /// It is over: the value is back.
    Resolved,
    /// The series itself is gone: the process ended, the disk was removed.
    Ended,
}

impl AlertState {
    /// All, in the order of a life.
    pub const ALL: [Self; 6] =
        [Self::Inactive, Self::Pending, Self::Firing, Self::Recovering, Self::Resolved, Self::Ended];

    /// The word used in tables and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
            Self::Resolved => "resolved",
            Self::Ended => "ended",
        }
    }

    /// The state with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// The life of one finding on one series; what the state database remembers of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Identity.
    pub fingerprint: Fingerprint,
    /// Id of the rule.
    pub rule: String,
    /// The metric that the rule looks at.
    pub metric: String,
    /// The entity it was seen on.
    pub entity: Entity,
    /// Where it stands.
    pub state: AlertState,
    /// Since when the condition has held, milliseconds UTC.
    pub since_ms: i64,
    /// While pending how long the condition, while recovering how long what ends it was seen to hold, monotonic
    /// milliseconds; time that nobody looked does not count.
    pub observed_ms: i64,
    /// When it began to fire, milliseconds UTC.
    pub fired_ms: Option<i64>,
    /// When it was over, milliseconds UTC.
    pub ended_ms: Option<i64>,
    /// The last known value, in the metric's unit.
    pub value: Option<f64>,
    /// When it was last looked at with a known value, milliseconds UTC.
    pub seen_ms: i64,
    /// The incident it belongs to, once it fires.
    pub incident: Option<IncidentKey>,
}

/// One change that a step of the analyzer made. All changes of a tick are committed together with the messages they cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// An alert has a new state or value; [`AlertState::Inactive`] removes its row.
    Alert(Alert),
    /// Something happened to an incident; it is stored as it now is, the event is added to its history.
    Incident {
        /// What happened.
        event: IncidentEvent,
        /// When, milliseconds UTC.
        at_ms: i64,
        /// The incident after it.
        incident: Box<Incident>,
    },
}

impl Change {
    /// Whether this must be on disk before the tick is done: everything but an alert that waits, or goes on as before. One
    /// that begins to fire brings its incident.
    pub fn is_urgent(&self) -> bool {
        match self {
            Self::Alert(alert) => matches!(alert.state, AlertState::Resolved | AlertState::Ended),
            Self::Incident { .. } => true,
        }
    }
}
