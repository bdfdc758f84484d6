//! What became of one message, asked by its key: for tests of a channel, which belong to no incident.

use std::path::Path;

use rusqlite::OptionalExtension;
use watchkeeper_core::port::{HistoryError, MessageState};

use super::Failure;
use super::query;
use crate::folder;

/// How the message with this dedup key stands in the store in `folder`; `None` if there is none.
///
/// # Errors
/// [`HistoryError::Read`] if the state database cannot be read.
pub fn message_state(folder: &Path, dedup_key: &str) -> Result<Option<MessageState>, HistoryError> {
    let path = folder.join(folder::STATE);
    let read = |failure: Failure| HistoryError::Read { path: path.display().to_string(), reason: failure.reason() };
    let connection = query::open(&path, None).map_err(read)?;
    let found = connection
        .query_row(&format!("{} WHERE dedup_key = ?1", query::MESSAGE), [dedup_key], query::message)
        .optional()
        .map_err(|error| read(Failure::Sqlite(error)))?;
    let Some(mut message) = found else { return Ok(None) };
    message.last = query::last_delivery(&connection, message.id).map_err(read)?;
    Ok(Some(message))
}
