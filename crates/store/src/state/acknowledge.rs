//! Who has taken an incident on.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use watchkeeper_core::evidence::Acknowledgement;
use watchkeeper_core::incident::{IncidentEvent, Ticket};
use watchkeeper_core::port::LedgerError;

use super::Failure;
use super::ledger::SqliteLedger;

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledged {
    /// It is written down.
    Done,
    /// The incident was over by then, milliseconds UTC.
    Closed(i64),
    /// No incident has this ticket.
    Unknown,
}

impl SqliteLedger {
    /// Acknowledges the open ones among these incidents; answers for each what became of it, in their order. Of several
    /// acknowledgements of one incident the newest counts.
    ///
    /// # Errors
    /// The disk refuses, now or since an earlier commit: unlike an alert, a person can be asked to try again.
    pub fn acknowledge(
        &mut self,
        tickets: &[Ticket],
        acknowledgement: &Acknowledgement,
    ) -> Result<Vec<Acknowledged>, LedgerError> {
        self.on_disk_only("write an acknowledgement to", |connection| {
            tickets.iter().map(|ticket| acknowledge(connection, *ticket, acknowledgement)).collect()
        })
    }

    /// Runs one transaction on disk for somebody who waits for it; nothing of it is held in memory.
    pub(super) fn on_disk_only<T>(
        &mut self,
        operation: &'static str,
        work: impl Fn(&Connection) -> Result<T, Failure>,
    ) -> Result<T, LedgerError> {
        let shared = Arc::clone(&self.shared);
        let memory = shared.memory();
        if let Some(held) = &memory.held {
            let path = shared.path().display().to_string();
            return Err(LedgerError::Database { operation, path, reason: held.reason.clone() });
        }
        self.on_disk(work).map_err(|failure| self.failed(operation, &failure))
    }
}

fn acknowledge(connection: &Connection, ticket: Ticket, by: &Acknowledgement) -> Result<Acknowledged, Failure> {
    let found: Option<(i64, Option<i64>)> = connection
        .prepare_cached("SELECT key, closed_ms FROM incident WHERE ticket = ?1")?
        .query_row([ticket], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let key = match found {
        None => return Ok(Acknowledged::Unknown),
        Some((_, Some(closed_ms))) => return Ok(Acknowledged::Closed(closed_ms)),
        Some((key, None)) => key,
    };
    connection
        .prepare_cached(
            "INSERT INTO acknowledgement (incident, author, at_ms, until_ms, note) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![key, by.by, by.at_ms, by.until_ms, by.note])?;
    let detail = by.note.as_ref().map_or_else(|| by.by.clone(), |note| format!("{}: {note}", by.by));
    connection
        .prepare_cached("INSERT INTO incident_event (incident, at_ms, event, detail) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![key, by.at_ms, IncidentEvent::Acknowledged.word(), detail])?;
    Ok(Acknowledged::Done)
}
