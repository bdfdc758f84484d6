//! What waits: since when the oldest message should have been sent, and why alerts are not on disk.

use rusqlite::{Connection, params};
use watchkeeper_core::port::LedgerError;

use super::held::Held;
use super::{Failure, SqliteLedger};

/// A message that was tried is tried again within this time. What is due later waits for something else, such as the end of a
/// silence.
const LONGEST_BACKOFF_MS: i64 = 1_800_000;

impl SqliteLedger {
    /// Since when the oldest message waits that should have been sent by now, milliseconds UTC: since it was due, or, if it
    /// was tried, since the first attempt. `None` if none waits.
    ///
    /// # Errors
    /// The state database cannot be read.
    pub fn waiting_since(&mut self, now_ms: i64) -> Result<Option<i64>, LedgerError> {
        let shared = std::sync::Arc::clone(&self.shared);
        let memory = shared.memory();
        let connection = memory.held.as_ref().map_or(&self.connection, Held::connection);
        since(connection, now_ms).map_err(|failure| self.failed("read", &failure))
    }

    /// Why alerts are only held in memory; `None` if they are on disk.
    pub fn held_because(&self) -> Option<String> {
        self.shared.memory().held.as_ref().map(|held| held.reason.clone())
    }
}

fn since(connection: &Connection, now_ms: i64) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT min(coalesce((SELECT min(ts_ms) FROM delivery WHERE outbox = o.id AND o.attempts > 0), o.due_ms)) \
         FROM outbox AS o WHERE state = 'pending' AND due_ms <= iif(attempts > 0, ?1 + ?2, ?1)",
    )?;
    Ok(statement.query_row(params![now_ms, LONGEST_BACKOFF_MS], |row| row.get(0))?)
}
