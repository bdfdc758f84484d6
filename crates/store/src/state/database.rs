//! Opening the state database.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::Uuid;
use watchkeeper_core::HostId;

use crate::error::OpenError;
use crate::schema::Schema;
use crate::{folder, hot};

/// The schema of the state database.
pub(super) const SCHEMA: Schema = Schema {
    application_id: 0x574B_5354,
    migrations: &[("V1__initial", include_str!("../../migrations/state/V1__initial.sql"))],
};

const HOST_ID: &str = "SELECT id_uuid FROM host WHERE id = 1";

/// How long a statement waits for another handle's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the state database for writing under the store's lock: makes it if it is missing, checks it, migrates it.
///
/// # Errors
/// [`OpenError::Damaged`] and [`OpenError::Newer`]; what the disk says.
pub(crate) fn prepare(path: &Path) -> Result<Connection, OpenError> {
    folder::create_private(path).map_err(|error| OpenError::from_io("make", path, &error))?;
    let mut connection = open(path)?;
    SCHEMA.migrate(&mut connection, path)?;
    let sqlite = |error: rusqlite::Error| OpenError::from_sqlite("check", path, &error);
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sqlite)?;
    if answer == "ok" { Ok(connection) } else { Err(OpenError::Damaged { path: path.to_owned(), reason: answer }) }
}

/// Opens a connection for writing to a database that [`prepare`] has seen.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |error: rusqlite::Error| OpenError::from_sqlite("open", path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    // A small log beside the database: what it occupies is missing in the reserve on a full disk.
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                   PRAGMA wal_autocheckpoint = 256; PRAGMA journal_size_limit = 1048576; PRAGMA trusted_schema = OFF; \
                   PRAGMA temp_store = MEMORY;";
    connection.execute_batch(pragmas).map_err(sqlite)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// An empty database in memory with the same schema.
pub(super) fn open_in_memory() -> Result<Connection, OpenError> {
    let path = Path::new(":memory:");
    let mut connection = Connection::open_in_memory().map_err(|error| OpenError::from_sqlite("open", path, &error))?;
    SCHEMA.migrate(&mut connection, path)?;
    Ok(connection)
}

/// The host's id; if there is none yet, the one that `first` gives becomes it.
pub(crate) fn host_id(
    connection: &Connection,
    path: &Path,
    first: impl FnOnce() -> HostId,
) -> Result<HostId, OpenError> {
    let sqlite = |error: rusqlite::Error| OpenError::from_sqlite("write", path, &error);
    let found: Option<String> = connection.query_row(HOST_ID, [], |row| row.get(0)).optional().map_err(sqlite)?;
    let Some(text) = found else {
        let host = first();
        let sql = "INSERT INTO host (id, id_uuid) VALUES (1, ?1)";
        connection.execute(sql, [host.to_string()]).map_err(sqlite)?;
        return Ok(host);
    };
    Uuid::parse_str(&text).map(HostId).map_err(|_| OpenError::Damaged {
        path: path.to_owned(),
        reason: "its host id cannot be understood".to_owned(),
    })
}

/// The host's id in a state database that may be damaged elsewhere.
pub(crate) fn readable_host_id(path: &Path) -> Option<HostId> {
    read_host_id(path, HOST_ID)
}

/// The host's id in the day files, newest first: it outlives a state database that is lost.
pub(crate) fn host_id_of_log(log: &Path) -> Option<HostId> {
    let days = hot::day::list(log).ok()?;
    days.iter().rev().find_map(|day| read_host_id(&day.path, "SELECT host_id FROM boot ORDER BY id DESC LIMIT 1"))
}

fn read_host_id(path: &Path, sql: &str) -> Option<HostId> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let text: String = connection.query_row(sql, [], |row| row.get(0)).ok()?;
    Uuid::parse_str(&text).ok().map(HostId)
}

/// Frees what a watch that is no more had claimed.
///
/// Only for the owner of the store's lock: whoever holds a lease then is dead, and waiting for its end would only delay
/// the message.
pub(crate) fn clear_leases(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let cleared = connection.execute("UPDATE outbox SET lease_until_ms = NULL WHERE lease_until_ms IS NOT NULL", []);
    cleared.map(|_| ()).map_err(|error| OpenError::from_sqlite("write", path, &error))
}
