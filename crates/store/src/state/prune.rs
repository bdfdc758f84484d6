//! Deleting what has been kept for long enough.

use std::sync::Arc;

use rusqlite::{Connection, params};
use watchkeeper_core::outbox::Outcome;
use watchkeeper_core::port::LedgerError;

use super::Failure;
use super::ledger::SqliteLedger;

/// Most rows of a kind that one call deletes: other handles wait while it does.
const BATCH: i64 = 1_000;
/// How long after its expiry a message that nobody has claimed is given up. A machine that was off for long gets the
/// chance to send it; a channel that is no longer configured does not keep it for ever.
const GRACE_MS: i64 = 24 * 3_600_000;

/// What one call of [`SqliteLedger::prune`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Closed incidents that were deleted.
    pub incidents: u64,
    /// Messages that were deleted.
    pub messages: u64,
    /// Messages that were given up because nobody claimed them in time.
    pub given_up: u64,
    /// Ended silences that were deleted.
    pub silences: u64,
}

impl SqliteLedger {
    /// Deletes closed incidents, ended silences and finished messages that are older than their retention, at most a thousand of each, and
    /// gives up messages whose time was over a day ago without anybody claiming them. Does nothing while something is
    /// held in memory. An incident stays as long as a message about it waits.
    pub fn prune(&mut self, now_ms: i64) -> Result<Pruned, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let memory = shared.memory();
        if memory.held.is_some() {
            return Ok(Pruned::default());
        }
        let retention = self.retention;
        self.on_disk(|connection| {
            Ok(Pruned {
                given_up: give_up(connection, now_ms)?,
                messages: delete_messages(connection, now_ms.saturating_sub(retention.outbox.ms()))?,
                incidents: delete_incidents(connection, now_ms.saturating_sub(retention.incidents.ms()))?,
                silences: delete_silences(connection, now_ms.saturating_sub(retention.incidents.ms()))?,
            })
        })
        .map_err(|failure| self.failed("prune", &failure))
    }
}

fn give_up(connection: &Connection, now_ms: i64) -> Result<u64, Failure> {
    let overdue = "state = 'pending' AND expires_ms <= ?1 AND (lease_until_ms IS NULL OR lease_until_ms <= ?2)";
    let bound = [now_ms.saturating_sub(GRACE_MS), now_ms];
    connection.execute(
        &format!(
            "INSERT INTO delivery (outbox, ts_ms, outcome, text) SELECT id, ?2, '{}', \
             'nobody has taken it in time; is the channel ' || channel || ' still configured?' FROM outbox WHERE {overdue}",
            Outcome::Dead.word()
        ),
        bound,
    )?;
    let sql = format!("UPDATE outbox SET state = 'dead', finished_ms = ?2, lease_until_ms = NULL WHERE {overdue}");
    Ok(connection.execute(&sql, bound)? as u64)
}

fn delete_messages(connection: &Connection, before_ms: i64) -> Result<u64, Failure> {
    let sql = "DELETE FROM outbox WHERE id IN \
               (SELECT id FROM outbox WHERE state <> 'pending' AND finished_ms < ?1 LIMIT ?2)";
    Ok(connection.execute(sql, params![before_ms, BATCH])? as u64)
}

fn delete_incidents(connection: &Connection, before_ms: i64) -> Result<u64, Failure> {
    let sql = "DELETE FROM incident WHERE ticket IN (SELECT ticket FROM incident WHERE closed_ms < ?1 AND NOT EXISTS \
               (SELECT 1 FROM outbox WHERE outbox.incident = incident.key AND outbox.state = 'pending') LIMIT ?2)";
    Ok(connection.execute(sql, params![before_ms, BATCH])? as u64)
}

fn delete_silences(connection: &Connection, before_ms: i64) -> Result<u64, Failure> {
    let sql = "DELETE FROM silence WHERE id IN (SELECT id FROM silence WHERE ends_ms < ?1 LIMIT ?2)";
    Ok(connection.execute(sql, params![before_ms, BATCH])? as u64)
}
