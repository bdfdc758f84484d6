//! The words of Watchkeeper as plain data: what was read, what it means, what was noticed, what is to be told.
//!
//! Every other crate imports this one; it imports none of them. It does no I/O, reads no clock and knows no async:
//! time comes with the data.

#![forbid(unsafe_code)]

pub mod alert;
pub mod catalogue;
pub mod evidence;
pub mod gap;
pub mod identity;
pub mod incident;
pub mod label;
pub mod moment;
pub mod outbox;
pub mod port;
pub mod problem;
pub mod process;
pub mod quantity;
pub mod reading;
pub mod secret;
pub mod snapshot;
pub mod text;
pub mod unit;

pub use alert::{Alert, AlertState, Change, Fingerprint, Severity};
pub use catalogue::{Metric, metric, metrics};
pub use evidence::Evidence;
pub use gap::{Gap, GapReason, Section};
pub use identity::{BootId, Entity, EntityKind, HostId, ProcessKey, Series};
pub use incident::{Incident, IncidentEvent, IncidentKey, Silence, Ticket};
pub use label::label_problems;
pub use moment::{Moment, Range};
pub use port::{History, Ledger, Recorder};
pub use problem::{Problem, Validate};
pub use process::{Image, ProcessState};
pub use reading::Reading;
pub use secret::{Secret, SecretSource};
pub use snapshot::Snapshot;
pub use unit::Unit;
