//! Silences: which messages wait, and until when.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use watchkeeper_core::incident::Silence;
use watchkeeper_core::outbox::OutboxId;
use watchkeeper_core::port::{HistoryError, LedgerError};

use super::Failure;
use super::ledger::SqliteLedger;
use super::query;
use crate::folder;

/// Columns of [`silence`], in its order.
const COLUMNS: &str = "id, matcher, author, comment, created_ms, starts_ms, ends_ms";

/// What became of a request to end a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsilenced {
    /// It has ended; so many messages waited for that.
    Done(u64),
    /// It had ended by then, milliseconds UTC.
    Over(i64),
    /// No silence has this number.
    Unknown,
}

impl SqliteLedger {
    /// Writes down a silence and answers its number; the one it comes with does not count.
    ///
    /// # Errors
    /// The disk refuses, now or since an earlier commit.
    pub fn add_silence(&mut self, silence: &Silence) -> Result<i64, LedgerError> {
        self.on_disk_only("write a silence to", |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO silence (matcher, author, comment, created_ms, starts_ms, ends_ms) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    silence.matcher,
                    silence.author,
                    silence.comment,
                    silence.created_ms,
                    silence.starts_ms,
                    silence.ends_ms
                ])?;
            Ok(connection.last_insert_rowid())
        })
    }

    /// Ends a silence. The messages that wait for its end are due then; one that another silence concerns waits on when
    /// it is claimed.
    ///
    /// # Errors
    /// The disk refuses, now or since an earlier commit.
    pub fn end_silence(&mut self, number: i64, now_ms: i64) -> Result<Unsilenced, LedgerError> {
        self.on_disk_only("end a silence in", |connection| end(connection, number, now_ms))
    }
}

/// Silences of the store in `folder` that are in force at this time, oldest first; a watch may run or not. A store that
/// has no state database yet has none.
///
/// # Errors
/// [`HistoryError::Read`] if the state database cannot be read.
pub fn silences(folder: &Path, now_ms: i64) -> Result<Vec<Silence>, HistoryError> {
    let path = folder.join(folder::STATE);
    let read = |reason: String| HistoryError::Read { path: path.display().to_string(), reason };
    if !path.try_exists().map_err(|error| read(error.to_string()))? {
        return Ok(Vec::new());
    }
    let found = query::open(&path, None).and_then(|connection| in_force(&connection, now_ms));
    found.map_err(|failure| read(failure.reason()))
}

/// Silences in force at this time, oldest first.
pub(super) fn in_force(connection: &Connection, now_ms: i64) -> Result<Vec<Silence>, Failure> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM silence WHERE ends_ms > ?1 AND starts_ms <= ?1 ORDER BY id"))?;
    Ok(statement.query_map([now_ms], silence)?.collect::<Result<_, _>>()?)
}

/// As [`watchkeeper_core::Ledger::postpone`].
pub(super) fn postpone(connection: &Connection, id: OutboxId, until_ms: i64) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "UPDATE outbox SET expires_ms = expires_ms + max(0, ?2 - created_ms), created_ms = max(created_ms, ?2), \
             due_ms = ?2, lease_until_ms = NULL WHERE id = ?1 AND state = 'pending'",
        )?
        .execute([id, until_ms])?;
    Ok(())
}

fn end(connection: &Connection, number: i64, now_ms: i64) -> Result<Unsilenced, Failure> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT ends_ms FROM silence WHERE id = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    let ends_ms = match found {
        None => return Ok(Unsilenced::Unknown),
        Some(ends_ms) if ends_ms <= now_ms => return Ok(Unsilenced::Over(ends_ms)),
        Some(ends_ms) => ends_ms,
    };
    connection.prepare_cached("UPDATE silence SET ends_ms = ?2 WHERE id = ?1")?.execute([number, now_ms])?;
    // Both times are those of the silence only in rows that wait for it.
    let woken = connection
        .prepare_cached(
            "UPDATE outbox SET expires_ms = expires_ms - (created_ms - ?2), created_ms = ?2, due_ms = ?2 \
             WHERE state = 'pending' AND due_ms = ?1 AND created_ms = ?1",
        )?
        .execute([ends_ms, now_ms])?;
    Ok(Unsilenced::Done(woken as u64))
}

fn silence(row: &Row<'_>) -> rusqlite::Result<Silence> {
    Ok(Silence {
        number: row.get(0)?,
        matcher: row.get(1)?,
        author: row.get(2)?,
        comment: row.get(3)?,
        created_ms: row.get(4)?,
        starts_ms: row.get(5)?,
        ends_ms: row.get(6)?,
    })
}
