//! The ledger on the state database.

use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use watchkeeper_core::alert::{Alert, Change};
use watchkeeper_core::incident::{Incident, Silence};
use watchkeeper_core::outbox::{Delivery, Due, OutboxId, OutboxRow};
use watchkeeper_core::port::{Durability, Ledger, LedgerError, LoadedState, OutboxCounts, Receipt};

use super::held::Held;
use super::shared::{Memory, Shared};
use super::write::{self, Numbers};
use super::{Failure, database, outbox, rows, silence};
use crate::config::Retention;
use crate::error::OpenError;

/// Keeps alerts, incidents and messages in the state database of a store, or in memory while the disk refuses.
///
/// One handle for each thread, with a connection of its own; the handles of one store share what is held in memory.
pub struct SqliteLedger {
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) retention: Retention,
}

impl SqliteLedger {
    pub(crate) fn open(shared: Arc<Shared>, retention: Retention) -> Result<Self, OpenError> {
        Ok(Self { connection: database::open(shared.path())?, shared, retention })
    }

    /// Tries to write what is held in memory; `None` if nothing is. To be called each tick while something is held:
    /// nothing else moves it before the next commit.
    ///
    /// The receipt has the tickets of all incidents that were held, provisional ones if the disk still refuses.
    ///
    /// # Errors
    /// Only if memory itself fails; a disk that still refuses is told by the receipt.
    pub fn retry_held(&mut self) -> Result<Option<Receipt>, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let mut memory = shared.memory();
        if memory.held.is_none() {
            return Ok(None);
        }
        if let Some(receipt) = self.move_held(&mut memory) {
            return Ok(Some(receipt));
        }
        let Some(held) = &memory.held else { return Ok(None) };
        let tickets = read_incidents(held.connection(), "true")
            .map_err(|failure| self.failed("read", &failure))?
            .into_iter()
            .filter_map(|incident| Some((incident.key, incident.ticket?)))
            .collect();
        Ok(Some(Receipt { tickets, durability: Durability::Memory(held.reason.clone()) }))
    }

    /// Runs one transaction on disk; if the disk is full, once more with the reserve given to it.
    pub(super) fn on_disk<T>(&mut self, work: impl Fn(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let shared = Arc::clone(&self.shared);
        let mut result = self.transaction(&work);
        if result.as_ref().is_err_and(Failure::is_lack_of_space) && shared.guard.release() {
            tracing::warn!(path = %shared.path().display(), "the disk refuses; the reserve is given to the state database");
            result = self.transaction(&work);
        }
        if result.is_ok() {
            shared.committed_now();
            // Does nothing while it is there, and as long as there is no room.
            shared.guard.restore();
        }
        result
    }

    fn transaction<T>(&mut self, work: impl Fn(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = work(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    /// Runs work on disk, or in memory if the disk refuses now or did before.
    fn on_either<T>(
        &mut self,
        memory: &mut Memory,
        operation: &'static str,
        disk_work: impl Fn(&Connection) -> Result<T, Failure>,
        memory_work: impl FnOnce(&mut Held, &Connection) -> Result<T, Failure>,
    ) -> Result<T, LedgerError> {
        if memory.held.is_none() {
            match self.on_disk(disk_work) {
                Ok(answer) => return Ok(answer),
                Err(failure @ Failure::Malformed(_)) => return Err(self.failed(operation, &failure)),
                Err(failure) => self.hold(memory, &failure)?,
            }
        }
        let held = memory.held.as_mut().expect("holding was begun where nothing was held");
        memory_work(held, &self.connection).map_err(|failure| self.failed(operation, &failure))
    }

    /// Begins to hold in memory.
    fn hold(&self, memory: &mut Memory, failure: &Failure) -> Result<(), LedgerError> {
        let reason = failure.reason();
        tracing::error!(path = %self.shared.path().display(), reason, "the disk refuses; alerts are held in memory");
        let held = Held::begin(&self.connection, reason).map_err(|error| LedgerError::Database {
            operation: "hold in memory",
            path: self.shared.path().display().to_string(),
            reason: error.to_string(),
        })?;
        memory.held = Some(held);
        Ok(())
    }

    /// Moves what is held to disk. `None` if the disk still refuses; then all stays as it is.
    fn move_held(&mut self, memory: &mut Memory) -> Option<Receipt> {
        let held = memory.held.as_mut()?;
        match self.on_disk(|connection| held.move_to(connection)) {
            Ok(moved) => {
                tracing::warn!(path = %self.shared.path().display(), "the disk is back; what was held is written");
                memory.held = None;
                memory.numbers.extend(moved.numbers);
                Some(Receipt { tickets: moved.tickets, durability: Durability::Disk })
            }
            Err(failure) => {
                held.reason = failure.reason();
                None
            }
        }
    }

    pub(super) fn failed(&self, operation: &'static str, failure: &Failure) -> LedgerError {
        let path = self.shared.path().display().to_string();
        match failure {
            Failure::Malformed(reason) => LedgerError::Malformed { path, reason: reason.clone() },
            Failure::Sqlite(_) => LedgerError::Database { operation, path, reason: failure.reason() },
        }
    }
}

impl Ledger for SqliteLedger {
    fn load(&mut self) -> Result<LoadedState, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let memory = shared.memory();
        let read = |connection: &Connection, alerts: &str, incidents: &str| {
            Ok::<_, Failure>((read_alerts(connection, alerts)?, read_incidents(connection, incidents)?))
        };
        let snapshot = self.connection.unchecked_transaction();
        let on_disk = snapshot.map_err(Failure::from).and_then(|snapshot| read(&snapshot, "true", "closed_ms IS NULL"));
        let (mut alerts, mut incidents) = match (on_disk, &memory.held) {
            (Ok(found), _) => found,
            (Err(Failure::Sqlite(_)), Some(_)) => (Vec::new(), Vec::new()),
            (Err(failure), _) => return Err(self.failed("read", &failure)),
        };
        if let Some(held) = &memory.held {
            let newer = read(held.connection(), "true", "true").map_err(|failure| self.failed("read", &failure))?;
            alerts.retain(|alert| newer.0.iter().all(|other| other.fingerprint != alert.fingerprint));
            alerts.extend(newer.0.into_iter().filter(|alert| !write::is_over(alert.state)));
            incidents.retain(|incident| newer.1.iter().all(|other| other.key != incident.key));
            incidents.extend(newer.1.into_iter().filter(|incident| incident.closed_ms.is_none()));
        }
        Ok(LoadedState { host: shared.host(), alerts, incidents })
    }

    fn commit(&mut self, changes: &[Change], rows: &[OutboxRow]) -> Result<Receipt, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let mut memory = shared.memory();
        let was_held = memory.held.is_some();
        if !was_held {
            match self.on_disk(|connection| write::apply(connection, changes, rows, Numbers::Database)) {
                Ok(tickets) => return Ok(Receipt { tickets, durability: Durability::Disk }),
                Err(failure @ Failure::Malformed(_)) => return Err(self.failed("commit to", &failure)),
                Err(failure) => self.hold(&mut memory, &failure)?,
            }
        }
        let Memory { held, last_number, .. } = &mut *memory;
        let held = held.as_mut().expect("holding was begun where nothing was held");
        let tickets = held
            .apply(&self.connection, changes, rows, last_number)
            .map_err(|failure| self.failed("hold in memory what was to go to", &failure))?;
        let reason = held.reason.clone();
        if was_held && let Some(receipt) = self.move_held(&mut memory) {
            return Ok(receipt);
        }
        Ok(Receipt { tickets, durability: Durability::Memory(reason) })
    }

    fn claim(
        &mut self,
        channel: &str,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<Due>, LedgerError> {
        let shared = Arc::clone(&self.shared);
        self.on_either(
            &mut shared.memory(),
            "claim from",
            |connection| outbox::claim(connection, channel, now_ms, lease_until_ms, limit, None),
            |held, _| held.claim(channel, now_ms, lease_until_ms, limit),
        )
    }

    fn finish(&mut self, id: OutboxId, delivery: &Delivery, next_due_ms: Option<i64>) -> Result<(), LedgerError> {
        self.finish_all(&[id], delivery, next_due_ms)
    }

    fn finish_all(
        &mut self,
        ids: &[OutboxId],
        delivery: &Delivery,
        next_due_ms: Option<i64>,
    ) -> Result<(), LedgerError> {
        let shared = Arc::clone(&self.shared);
        let mut memory = shared.memory();
        let ids: Vec<OutboxId> = ids.iter().map(|id| memory.number_now(*id)).collect();
        let missing = self.on_either(
            &mut memory,
            "finish messages in",
            |connection| {
                let mut missing = None;
                for id in &ids {
                    if !outbox::finish(connection, *id, delivery, next_due_ms)? {
                        missing = Some(*id);
                    }
                }
                Ok(missing)
            },
            |held, disk| {
                let mut missing = None;
                for id in &ids {
                    if !held.finish(disk, *id, delivery, next_due_ms)? {
                        missing = Some(*id);
                    }
                }
                Ok(missing)
            },
        )?;
        let Some(id) = missing else { return Ok(()) };
        let reason = format!("there is no message {id}");
        Err(LedgerError::Malformed { path: self.shared.path().display().to_string(), reason })
    }

    fn wake(&mut self, channel: &str, now_ms: i64) -> Result<u64, LedgerError> {
        let shared = Arc::clone(&self.shared);
        self.on_either(
            &mut shared.memory(),
            "wake messages in",
            |connection| outbox::wake(connection, channel, now_ms),
            |held, _| held.wake(channel, now_ms),
        )
    }

    fn silences(&mut self, now_ms: i64) -> Result<Vec<Silence>, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let memory = shared.memory();
        let connection = memory.held.as_ref().map_or(&self.connection, Held::connection);
        silence::in_force(connection, now_ms).map_err(|failure| self.failed("read", &failure))
    }

    fn postpone(&mut self, id: OutboxId, until_ms: i64) -> Result<(), LedgerError> {
        let shared = Arc::clone(&self.shared);
        let mut memory = shared.memory();
        let id = memory.number_now(id);
        self.on_either(
            &mut memory,
            "postpone a message in",
            |connection| silence::postpone(connection, id, until_ms),
            |held, _| silence::postpone(held.connection(), id, until_ms),
        )
    }

    fn next_due(&mut self, channel: &str) -> Result<Option<i64>, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let memory = shared.memory();
        let next = match &memory.held {
            Some(held) => held.next_due(channel),
            None => outbox::next_due(&self.connection, channel),
        };
        next.map_err(|failure| self.failed("read", &failure))
    }

    fn outbox_counts(&mut self) -> Result<OutboxCounts, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let memory = shared.memory();
        let counts = match &memory.held {
            Some(held) => held.counts(&self.connection),
            None => outbox::counts(&self.connection, &[]),
        };
        counts.map_err(|failure| self.failed("read", &failure))
    }
}

fn read_alerts(connection: &Connection, condition: &str) -> Result<Vec<Alert>, Failure> {
    let sql = format!("SELECT {} FROM alert WHERE {condition} ORDER BY since_ms, fingerprint", rows::ALERT);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([])?;
    let mut alerts = Vec::new();
    while let Some(row) = found.next()? {
        alerts.push(rows::alert(row)?);
    }
    Ok(alerts)
}

fn read_incidents(connection: &Connection, condition: &str) -> Result<Vec<Incident>, Failure> {
    let sql = format!("SELECT {} FROM incident WHERE {condition} ORDER BY opened_ms, key", rows::INCIDENT);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([])?;
    let mut incidents = Vec::new();
    while let Some(row) = found.next()? {
        incidents.push(rows::incident(row)?);
    }
    Ok(incidents)
}
