//! Messages that are due, and what became of them.

use serde::{Deserialize, Serialize};

use crate::incident::{Incident, IncidentEvent, IncidentKey};

/// Number of an outbox row. Negative while the row is only held in memory.
pub type OutboxId = i64;

/// One message due for one recipient, as `plan` makes it. Committed in the transaction of the change that causes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// Unique for incident, event, channel and recipient: a second insert is ignored. The Message-ID is made from it.
    pub dedup_key: String,
    /// Rows with the same key, channel and recipient become one message.
    pub group_key: String,
    /// The incident it tells of; `None` for a test message.
    pub incident: Option<IncidentKey>,
    /// What happened; `None` for a test message.
    pub event: Option<IncidentEvent>,
    /// Name of the channel, e.g. `mail` of `[smtp.mail]`.
    pub channel: String,
    /// To whom, in the channel's own form.
    pub recipient: String,
    /// Not before this time, milliseconds UTC.
    pub due_ms: i64,
    /// When it was planned, or when the silence ends that makes it wait, milliseconds UTC.
    pub created_ms: i64,
    /// When to give up, milliseconds UTC.
    pub expires_ms: i64,
    /// A condition that makes the message needless, checked when it is claimed, e.g. `acknowledged`.
    pub unless: Option<String>,
}

/// A row that a worker has claimed, with all it needs to render the message.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Number of the row.
    pub id: OutboxId,
    /// The row.
    pub row: OutboxRow,
    /// Attempts so far, this one not counted.
    pub attempts: u32,
    /// The incident as it stands now, with its frozen evidence; `None` for a test message.
    pub incident: Option<Box<Incident>>,
    /// Somebody has acknowledged the incident.
    pub acknowledged: bool,
    /// This recipient has accepted a message about the incident before, through this channel; also where that is not
    /// known.
    pub told: bool,
    /// Why the row could not be written to disk, if it is only held in memory; said in the message.
    pub memory_only: Option<String>,
}

/// What a peer's answer means for the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The peer has accepted it.
    Sent,
    /// Not now; try again.
    Transient,
    /// The channel is set up wrongly or refuses us; keep the row and try again rarely.
    Channel,
    /// This recipient will never take it.
    Dead,
    /// No longer needed: silenced, acknowledged, or told by another message.
    Needless,
}

impl Outcome {
    /// The stable word stored in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Transient => "transient",
            Self::Channel => "channel",
            Self::Dead => "dead",
            Self::Needless => "needless",
        }
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was over, milliseconds UTC.
    pub ts_ms: i64,
    /// What it means.
    pub outcome: Outcome,
    /// The peer's code: SMTP reply code or HTTP status, if there was one.
    pub code: Option<u16>,
    /// The peer's words or ours; no secret. Foreign text.
    pub text: String,
}
