//! Reading incidents beside a running watch, without its lock.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, params_from_iter};
use watchkeeper_core::evidence::Acknowledgement;
use watchkeeper_core::incident::{IncidentFilter, IncidentKey};
use watchkeeper_core::outbox::OutboxId;
use watchkeeper_core::port::{HistoryError, IncidentRecord, MessageState};

use super::rows::{self, hash_column};
use super::{Failure, database::SCHEMA};
use crate::folder;

/// Instructions of SQLite's machine between two looks at the deadline: well under a millisecond.
const STEPS: i32 = 1_000;
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Incidents of the store in `folder`, newest first, with their history, acknowledgements and messages. A store that has
/// no state database yet has none.
///
/// # Errors
/// [`HistoryError::Deadline`] if the answer is not complete by then; [`HistoryError::Read`].
pub(crate) fn incidents(
    folder: &Path,
    deadline: Option<Instant>,
    filter: &IncidentFilter,
) -> Result<Vec<IncidentRecord>, HistoryError> {
    let path = folder.join(folder::STATE);
    let read = |reason: String| HistoryError::Read { path: path.display().to_string(), reason };
    if !path.try_exists().map_err(|error| read(error.to_string()))? {
        return Ok(Vec::new());
    }
    if is_over(deadline) {
        return Err(HistoryError::Deadline);
    }
    read_incidents(&path, deadline, filter).map_err(|failure| match failure {
        Failure::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            HistoryError::Deadline
        }
        failure => read(failure.reason()),
    })
}

fn read_incidents(
    path: &Path,
    deadline: Option<Instant>,
    filter: &IncidentFilter,
) -> Result<Vec<IncidentRecord>, Failure> {
    let mut connection = open(path, deadline)?;
    // One transaction: what is answered is how things stood at one instant.
    let snapshot = connection.transaction()?;
    let (condition, bound) = condition(filter);
    let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = snapshot.prepare(&format!(
        "SELECT {} FROM incident WHERE {condition} ORDER BY opened_ms DESC, ticket DESC LIMIT {limit}",
        rows::INCIDENT
    ))?;
    let mut found = statement.query(params_from_iter(bound))?;
    let mut records = Vec::new();
    while let Some(row) = found.next()? {
        let incident = rows::incident(row)?;
        records.push(IncidentRecord {
            history: list(
                &snapshot,
                "SELECT at_ms, event, detail FROM incident_event WHERE incident = ?1 ORDER BY at_ms, id",
                incident.key,
                rows::history,
            )?,
            acknowledgements: list(
                &snapshot,
                "SELECT author, at_ms, until_ms, note FROM acknowledgement WHERE incident = ?1 ORDER BY at_ms, id",
                incident.key,
                |row| {
                    Ok(Acknowledgement {
                        by: row.get(0)?,
                        at_ms: row.get(1)?,
                        until_ms: row.get(2)?,
                        note: row.get(3)?,
                    })
                },
            )?,
            messages: messages(&snapshot, incident.key)?,
            incident,
        });
    }
    Ok(records)
}

/// Opens the database for reading only. Without a watch its log is gone and SQLite makes an empty one beside it; where
/// it may not, nobody writes either and the file is read as it stands.
pub(super) fn open(path: &Path, deadline: Option<Instant>) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = prepare(Connection::open_with_flags(path, flags)?, deadline)?;
    let mut version = SCHEMA.version_of(&connection, path);
    if connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .is_err_and(|error| matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)))
    {
        let uri = format!("file:{}?immutable=1", percent_encoded(path));
        connection = prepare(Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?, deadline)?;
        version = SCHEMA.version_of(&connection, path);
    }
    match version {
        Ok(version) if version == SCHEMA.version() => Ok(connection),
        Ok(0) => Err(Failure::Malformed("a watch is just making it".to_owned())),
        Ok(version) => Err(Failure::Malformed(format!(
            "it has schema version {version}, {} is needed; start a watch once to migrate it",
            SCHEMA.version()
        ))),
        Err(error) if is_over(deadline) => {
            tracing::debug!(%error, "the deadline was over before the state database was open");
            Err(Failure::Sqlite(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT),
                None,
            )))
        }
        Err(error) => Err(Failure::Malformed(error.to_string())),
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

fn prepare(mut connection: Connection, deadline: Option<Instant>) -> Result<Connection, Failure> {
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        connection.busy_timeout(left.min(BUSY_TIMEOUT))?;
        connection.progress_handler(STEPS, Some(move || Instant::now() >= deadline))?;
    } else {
        connection.busy_timeout(BUSY_TIMEOUT)?;
    }
    Ok(connection)
}

fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The condition of a filter and the values bound in it.
fn condition(filter: &IncidentFilter) -> (String, Vec<Value>) {
    let mut conditions = vec!["true".to_owned()];
    let mut bound = Vec::new();
    let mut bind = |value: Value| {
        bound.push(value);
        format!("?{}", bound.len())
    };
    if filter.open {
        conditions.push("closed_ms IS NULL".to_owned());
    }
    if let Some(ticket) = filter.ticket {
        conditions.push(format!("ticket = {}", bind(Value::Integer(ticket))));
    }
    if let Some(cause) = &filter.cause {
        let place = bind(Value::Text(cause.clone()));
        conditions.push(format!("(cause = {place} OR rule = {place})"));
    }
    if let Some(range) = filter.range {
        let (from, to) = (bind(Value::Integer(range.from_ms)), bind(Value::Integer(range.to_ms)));
        conditions.push(format!("opened_ms < {to} AND (closed_ms IS NULL OR closed_ms >= {from}) AND {from} < {to}"));
    }
    (conditions.join(" AND "), bound)
}

fn list<T>(
    connection: &Connection,
    sql: &str,
    key: IncidentKey,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([hash_column(key.0)])?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push(read(row)?);
    }
    Ok(items)
}

/// Selects what [`message`] reads.
pub(super) const MESSAGE: &str =
    "SELECT id, channel, recipient, coalesce(event, 'test'), state, attempts, due_ms FROM outbox";

/// A message without its last delivery.
pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<MessageState> {
    Ok(MessageState {
        id: row.get(0)?,
        channel: row.get(1)?,
        recipient: row.get(2)?,
        event: row.get(3)?,
        state: row.get(4)?,
        attempts: row.get(5)?,
        due_ms: row.get(6)?,
        last: None,
    })
}

fn messages(connection: &Connection, key: IncidentKey) -> Result<Vec<MessageState>, Failure> {
    let query = format!("{MESSAGE} WHERE incident = ?1 ORDER BY created_ms, id");
    let mut messages = list(connection, &query, key, |row| Ok(message(row)?))?;
    for message in &mut messages {
        message.last = last_delivery(connection, message.id)?;
    }
    Ok(messages)
}

pub(super) fn last_delivery(
    connection: &Connection,
    id: OutboxId,
) -> Result<Option<watchkeeper_core::outbox::Delivery>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT ts_ms, outcome, code, text FROM delivery WHERE outbox = ?1 ORDER BY id DESC LIMIT 1")?;
    let mut found = statement.query([id])?;
    found.next()?.map(rows::delivery).transpose()
}
