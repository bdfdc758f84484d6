//! Answers that only the log can give: what is usual, how something develops, what comes back and when.
//!
//! Functions over [`History`](watchkeeper_core::History); the handle carries its deadline. They look at stored data only,
//! so they give the same answer at any time.

mod pattern;
mod recurring;
mod usual;

pub use pattern::pattern;
pub use recurring::{Recurring, recurrence, recurring};
pub use usual::usual;

pub(crate) use recurring::lasting;

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// A minute in milliseconds.
const MINUTE_MS: i64 = 60_000;
