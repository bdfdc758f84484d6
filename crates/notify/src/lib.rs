//! Who is told, when, in which words, and over which channel: routes, the plan of messages, templates, and one worker
//! for each channel that sends what the outbox holds.
//!
//! ```text
//! changes -plan-> outbox rows -Ledger::commit-> (disk) -Ledger::claim-> worker -render-> channel -Ledger::finish-> (disk)
//! ```
//! [`plan`] is pure. A row says that one recipient is to be told of one event of one incident; the worker claims all due
//! rows of a group, renders them from the frozen evidence as late as possible, and marks them sent only after the peer
//! has accepted the message.

#![forbid(unsafe_code)]

mod channel;
mod health;
mod identity;
mod message;
mod plan;
mod route;
mod template;
mod worker;

pub use channel::smtp::{Security, SmtpConfig};
pub use channel::{Channel, ChannelError};
pub use health::ChannelHealth;
pub use message::Origin;
pub use plan::{plan, plan_test};
pub use route::{Matcher, RouteConfig, Routes, TargetConfig};
pub use template::{Message, render};
pub use worker::{Clock, backoff_ms, work};
