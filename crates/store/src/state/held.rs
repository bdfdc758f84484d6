//! What is held in memory while the disk refuses, and how it gets back.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use watchkeeper_core::alert::Change;
use watchkeeper_core::incident::{IncidentKey, Ticket};
use watchkeeper_core::outbox::{Delivery, Due, OutboxId, OutboxRow};
use watchkeeper_core::port::OutboxCounts;

use super::rows::{hash_column, key_of};
use super::write::{Numbers, apply, sweep_alerts};
use super::{Failure, database, outbox};
use crate::error::OpenError;

/// Changes, messages and answers that the disk has not taken.
///
/// Rows that are here only have negative numbers; rows that are on disk as well keep theirs. Alerts that are over stay
/// as rows until the way back, where they delete theirs.
pub(super) struct Held {
    connection: Connection,
    /// Why the disk refused, the last time it was tried.
    pub(super) reason: String,
    /// What became of rows on disk that could not be read when this began.
    unread: Vec<(OutboxId, Delivery, Option<i64>)>,
}

/// What moved to disk.
pub(super) struct Moved {
    /// The ticket of every incident that was held.
    pub(super) tickets: Vec<(IncidentKey, Ticket)>,
    /// The numbers of messages on disk by their provisional ones.
    pub(super) numbers: HashMap<OutboxId, OutboxId>,
}

impl Held {
    /// Begins to hold, with the messages that wait on disk, as far as it can be read.
    pub(super) fn begin(disk: &Connection, reason: String) -> Result<Self, OpenError> {
        let connection = database::open_in_memory()?;
        let held = Self { connection, reason, unread: Vec::new() };
        if let Err(failure) = held.copy_pending(disk) {
            let reason = failure.reason();
            tracing::error!(reason, "waiting messages cannot be read from the disk and wait until it is back");
        }
        Ok(held)
    }

    fn copy_pending(&self, disk: &Connection) -> Result<(), Failure> {
        copy(disk, &self.connection, "silence", "true", &[])?;
        copy(disk, &self.connection, "outbox", "state = 'pending'", &[])?;
        let keys: Vec<i64> = disk
            .prepare("SELECT DISTINCT incident FROM outbox WHERE state = 'pending' AND incident IS NOT NULL")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for key in keys {
            self.copy_incident(disk, key)?;
        }
        Ok(())
    }

    fn copy_incident(&self, disk: &Connection, key: i64) -> Result<(), Failure> {
        copy(disk, &self.connection, "incident", "key = ?1", &[Value::Integer(key)])?;
        copy(disk, &self.connection, "acknowledgement", "incident = ?1", &[Value::Integer(key)])
    }

    /// Holds changes and rows. The disk is asked, if it can be read, what it knows of them already.
    pub(super) fn apply(
        &mut self,
        disk: &Connection,
        changes: &[Change],
        rows: &[OutboxRow],
        last_number: &mut i64,
    ) -> Result<Vec<(IncidentKey, Ticket)>, Failure> {
        for change in changes {
            if let Change::Incident { incident, .. } = change {
                let key = hash_column(incident.key.0);
                let mut known = self.connection.prepare_cached("SELECT 1 FROM incident WHERE key = ?1")?;
                if !known.exists([key])? {
                    // Unreadable means unknown: the way back finds the incident by its key.
                    let _ = self.copy_incident(disk, key);
                }
            }
        }
        let is_on_disk = |row: &OutboxRow| {
            let found = disk
                .prepare_cached("SELECT 1 FROM outbox WHERE dedup_key = ?1")
                .and_then(|mut statement| statement.exists([&row.dedup_key]));
            found.unwrap_or(false)
        };
        let is_here = |row: &OutboxRow| {
            let found = self
                .connection
                .prepare_cached("SELECT 1 FROM outbox WHERE dedup_key = ?1")
                .and_then(|mut statement| statement.exists([&row.dedup_key]));
            found.unwrap_or(false)
        };
        let new: Vec<OutboxRow> = rows.iter().filter(|row| is_here(row) || !is_on_disk(row)).cloned().collect();
        let transaction = self.connection.unchecked_transaction()?;
        let tickets = apply(&transaction, changes, &new, Numbers::Provisional(last_number))?;
        transaction.commit()?;
        Ok(tickets)
    }

    /// As [`outbox::claim`].
    pub(super) fn claim(
        &self,
        channel: &str,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<Due>, Failure> {
        outbox::claim(&self.connection, channel, now_ms, lease_until_ms, limit, Some(&self.reason))
    }

    /// As [`outbox::finish`]. A row that was over when this began is fetched from disk; where that cannot be read, the
    /// answer is remembered.
    pub(super) fn finish(
        &mut self,
        disk: &Connection,
        id: OutboxId,
        delivery: &Delivery,
        next_due_ms: Option<i64>,
    ) -> Result<bool, Failure> {
        if outbox::finish(&self.connection, id, delivery, next_due_ms)? {
            return Ok(true);
        }
        if copy(disk, &self.connection, "outbox", "id = ?1", &[Value::Integer(id)]).is_err() {
            self.unread.push((id, delivery.clone(), next_due_ms));
            return Ok(true);
        }
        outbox::finish(&self.connection, id, delivery, next_due_ms)
    }

    /// As [`outbox::wake`].
    pub(super) fn wake(&self, channel: &str, now_ms: i64) -> Result<u64, Failure> {
        outbox::wake(&self.connection, channel, now_ms)
    }

    /// As [`outbox::next_due`].
    pub(super) fn next_due(&self, channel: &str) -> Result<Option<i64>, Failure> {
        outbox::next_due(&self.connection, channel)
    }

    /// What the outbox holds, with what the disk can still say of the rows that are not here, which are over.
    pub(super) fn counts(&self, disk: &Connection) -> Result<OutboxCounts, Failure> {
        let held = outbox::counts(&self.connection, &[])?;
        let here: Vec<OutboxId> = self
            .connection
            .prepare_cached("SELECT id FROM outbox WHERE id > 0")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let over = outbox::counts(disk, &here).unwrap_or_default();
        Ok(OutboxCounts { sent: held.sent + over.sent, dead: held.dead + over.dead, ..held })
    }

    /// The database in memory, to be read as the one on disk.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// How many incidents and messages are only here.
    pub(super) fn only_here(&self) -> (u64, u64) {
        let count = |sql: &str| {
            self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap_or_default().cast_unsigned()
        };
        (count("SELECT count(*) FROM incident WHERE ticket < 0"), count("SELECT count(*) FROM outbox WHERE id < 0"))
    }

    /// Writes all that is held to disk, within the caller's transaction.
    pub(super) fn move_to(&self, disk: &Connection) -> Result<Moved, Failure> {
        copy(&self.connection, disk, "alert", "true", &[])?;
        sweep_alerts(disk)?;
        let tickets = self.move_incidents(disk)?;
        let numbers = self.move_messages(disk)?;
        for (id, delivery, next_due_ms) in &self.unread {
            outbox::finish(disk, *id, delivery, *next_due_ms)?;
        }
        Ok(Moved { tickets, numbers })
    }

    fn move_incidents(&self, disk: &Connection) -> Result<Vec<(IncidentKey, Ticket)>, Failure> {
        let mut tickets = Vec::new();
        let mut statement = self.connection.prepare(
            "SELECT key, cause, rule, severity, title, host, labels, alerts, opened_ms, closed_ms, evidence, joined, times, \
             course \
             FROM incident ORDER BY abs(ticket)",
        )?;
        let mut incidents = statement.query([])?;
        while let Some(row) = incidents.next()? {
            let values = values_of(row)?;
            let key: i64 = row.get(0)?;
            let known: Option<Ticket> =
                disk.query_row("SELECT ticket FROM incident WHERE key = ?1", [key], |row| row.get(0)).optional()?;
            let sql = if known.is_some() {
                "UPDATE incident SET cause = ?2, rule = ?3, severity = ?4, title = ?5, host = ?6, labels = ?7, \
                 alerts = ?8, opened_ms = ?9, closed_ms = ?10, evidence = ?11, joined = ?12, times = ?13, course = ?14 \
                 WHERE key = ?1"
            } else {
                "INSERT INTO incident (key, cause, rule, severity, title, host, labels, alerts, opened_ms, closed_ms, \
                 evidence, joined, times, course) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
            };
            disk.execute(sql, params_from_iter(values))?;
            tickets.push((key_of(key), known.unwrap_or_else(|| disk.last_insert_rowid())));
        }
        let mut statement =
            self.connection.prepare("SELECT incident, at_ms, event, detail FROM incident_event ORDER BY id")?;
        let mut history = statement.query([])?;
        while let Some(row) = history.next()? {
            let sql = "INSERT INTO incident_event (incident, at_ms, event, detail) VALUES (?1, ?2, ?3, ?4)";
            disk.execute(sql, params_from_iter(values_of(row)?))?;
        }
        Ok(tickets)
    }

    fn move_messages(&self, disk: &Connection) -> Result<HashMap<OutboxId, OutboxId>, Failure> {
        let mut statement = self.connection.prepare(
            "SELECT id, due_ms, attempts, lease_until_ms, state, finished_ms, created_ms, expires_ms, group_key FROM outbox \
                 WHERE id > 0",
        )?;
        let mut known = statement.query([])?;
        while let Some(row) = known.next()? {
            disk.execute(
                "UPDATE outbox SET due_ms = ?2, attempts = ?3, lease_until_ms = ?4, state = ?5, finished_ms = ?6, \
                 created_ms = ?7, expires_ms = ?8, group_key = ?9 WHERE id = ?1",
                params_from_iter(values_of(row)?),
            )?;
        }
        let numbers = self.move_new_messages(disk)?;
        let mut statement =
            self.connection.prepare("SELECT outbox, ts_ms, outcome, code, text FROM delivery ORDER BY id")?;
        let mut deliveries = statement.query([])?;
        while let Some(row) = deliveries.next()? {
            let mut values = values_of(row)?;
            let id: OutboxId = row.get(0)?;
            values[0] = Value::Integer(numbers.get(&id).copied().unwrap_or(id));
            disk.execute(
                "INSERT INTO delivery (outbox, ts_ms, outcome, code, text) VALUES (?1, ?2, ?3, ?4, ?5)",
                params_from_iter(values),
            )?;
        }
        Ok(numbers)
    }

    fn move_new_messages(&self, disk: &Connection) -> Result<HashMap<OutboxId, OutboxId>, Failure> {
        let columns = "dedup_key, group_key, incident, event, channel, recipient, due_ms, created_ms, expires_ms, \
                       unless, attempts, lease_until_ms, state, finished_ms";
        let mut statement =
            self.connection.prepare(&format!("SELECT {columns}, id FROM outbox WHERE id < 0 ORDER BY id DESC"))?;
        let mut new = statement.query([])?;
        let mut numbers = HashMap::new();
        while let Some(row) = new.next()? {
            let mut values = values_of(row)?;
            let provisional: OutboxId = row.get(14)?;
            values.truncate(14);
            // It may turn out to be on disk, if the disk could not be read when it was planned.
            let sql = format!(
                "INSERT INTO outbox ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
                 ON CONFLICT (dedup_key) DO UPDATE SET due_ms = ?7, attempts = attempts + ?11, lease_until_ms = ?12, \
                 state = ?13, finished_ms = ?14 WHERE state <> 'sent'"
            );
            disk.execute(&sql, params_from_iter(values))?;
            let dedup_key: String = row.get(0)?;
            let number = disk.query_row("SELECT id FROM outbox WHERE dedup_key = ?1", [dedup_key], |row| row.get(0))?;
            numbers.insert(provisional, number);
        }
        Ok(numbers)
    }
}

/// Copies rows between two databases of the same schema; what is there already is replaced.
fn copy(from: &Connection, to: &Connection, table: &str, condition: &str, bound: &[Value]) -> Result<(), Failure> {
    let mut statement = from.prepare(&format!("SELECT * FROM {table} WHERE {condition}"))?;
    let places = vec!["?"; statement.column_count()].join(", ");
    let mut insert = to.prepare(&format!("INSERT OR REPLACE INTO {table} VALUES ({places})"))?;
    let mut rows = statement.query(params_from_iter(bound))?;
    while let Some(row) = rows.next()? {
        insert.execute(params_from_iter(values_of(row)?))?;
    }
    Ok(())
}

fn values_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Value>> {
    (0..row.as_ref().column_count()).map(|index| row.get(index)).collect()
}
