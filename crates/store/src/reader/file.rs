//! One day file, open for reading.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use watchkeeper_core::port::HistoryError;
use watchkeeper_core::snapshot::TickFlags;
use watchkeeper_core::{BootId, Moment, Range};

use crate::error::OpenError;
use crate::folder;
use crate::hot::day::{self, SCHEMA};

/// How long a question waits while the watch closes a file, without a deadline of its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// SQLite looks at the clock after so many steps of its machine, some 20 microseconds of work.
const STEPS_BETWEEN_LOOKS: i32 = 1_000;

/// A day file with at least one tick; what it holds stands still while this is open.
pub(super) struct LogFile {
    pub(super) connection: Connection,
    path: PathBuf,
    /// From the earliest tick to just after the latest, by the wall clock.
    pub(super) span: Range,
    boots: HashMap<i64, BootId>,
}

/// One line of the table of ticks.
#[derive(Clone, Debug)]
pub(super) struct TickRow {
    pub(super) id: i64,
    pub(super) at: Moment,
    pub(super) interval_ms: i64,
    pub(super) flags: TickFlags,
    pub(super) is_key: bool,
    pub(super) sections: u32,
    pub(super) dropped: u32,
}

impl LogFile {
    /// Opens a day file; `None` if it is gone, empty, or holds no tick yet.
    pub(super) fn open(path: &Path, deadline: Option<Instant>) -> Result<Option<Self>, HistoryError> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.len() == 0 => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let (mut connection, version) = match Self::connect(path, deadline, false) {
            // A file in WAL mode in a folder that cannot be written: nobody else can write it either.
            Err(OpenError::System { .. } | OpenError::ReadOnly { .. } | OpenError::Refused { .. })
                if !has_wal(path) =>
            {
                Self::connect(path, deadline, true)
            }
            other => other,
        }
        .map_err(|error| unreadable(path, &error))?;
        if version == 0 {
            return Ok(None);
        }
        if version < SCHEMA.version() {
            let error = OpenError::Older { path: path.to_owned(), found: version, known: SCHEMA.version() };
            return Err(unreadable(path, &error));
        }
        let opened = limit(&mut connection, deadline).and_then(|()| {
            connection.execute_batch("BEGIN")?;
            let span = span(&connection)?;
            let boots = boots(&connection)?;
            Ok((span, boots))
        });
        let (span, boots) = opened.map_err(|error| failed(path, &error))?;
        Ok(span.map(|span| Self { connection, path: path.to_owned(), span, boots }))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What a failure of this file means.
    pub(super) fn failed(&self, error: &rusqlite::Error) -> HistoryError {
        failed(&self.path, error)
    }

    /// The first and the last tick by number among those in the range; others may lie between after a step of the clock.
    pub(super) fn ticks_in(&self, range: Range) -> rusqlite::Result<Option<(i64, i64)>> {
        let sql = "SELECT min(id), max(id) FROM tick WHERE ts_ms >= ? AND ts_ms < ?";
        let bounds = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        let (first, last) = self.connection.query_row(sql, [range.from_ms, range.to_ms], bounds)?;
        Ok(first.zip(last))
    }

    /// The key tick from which everything about this tick can be told.
    pub(super) fn key_before(&self, tick: i64) -> rusqlite::Result<i64> {
        let sql = "SELECT coalesce((SELECT id FROM tick WHERE id <= ?1 AND is_key ORDER BY id DESC LIMIT 1), ?1)";
        self.connection.query_row(sql, [tick], |row| row.get(0))
    }

    /// A row of `SELECT * FROM tick`.
    pub(super) fn tick(&self, row: &Row<'_>) -> rusqlite::Result<TickRow> {
        let boot: i64 = row.get(4)?;
        Ok(TickRow {
            id: row.get(0)?,
            at: Moment {
                ts_ms: row.get(1)?,
                mono_ms: row.get(2)?,
                suspended_ms: row.get(3)?,
                boot: self.boots.get(&boot).copied().unwrap_or_default(),
            },
            interval_ms: row.get(5)?,
            flags: TickFlags(row.get(6)?),
            is_key: row.get(7)?,
            sections: row.get(8)?,
            dropped: row.get(9)?,
        })
    }

    fn connect(path: &Path, deadline: Option<Instant>, immutable: bool) -> Result<(Connection, i64), OpenError> {
        let failed = |error: &rusqlite::Error| OpenError::from_sqlite("read", path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = if immutable {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(format!("{}?immutable=1", folder::uri(path)), flags)
        } else {
            Connection::open_with_flags(path, flags)
        };
        let connection = connection.map_err(|error| failed(&error))?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = left.map_or(BUSY_TIMEOUT, |left| left.min(BUSY_TIMEOUT));
        connection.busy_timeout(wait).map_err(|error| failed(&error))?;
        day::plan_once(&connection).map_err(|error| failed(&error))?;
        let version = SCHEMA.version_of(&connection, path)?;
        Ok((connection, version))
    }
}

fn limit(connection: &mut Connection, deadline: Option<Instant>) -> rusqlite::Result<()> {
    let Some(deadline) = deadline else { return Ok(()) };
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() >= deadline))
}

fn span(connection: &Connection) -> rusqlite::Result<Option<Range>> {
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    // Two questions: SQLite answers each from the index, and both together by reading everything.
    let (first, last) = (one("SELECT min(ts_ms) FROM tick")?, one("SELECT max(ts_ms) FROM tick")?);
    Ok(first.zip(last).map(|(first, last)| Range::new(first, last.saturating_add(1))))
}

fn boots(connection: &Connection) -> rusqlite::Result<HashMap<i64, BootId>> {
    let mut statement = connection.prepare("SELECT id, boot_id FROM boot")?;
    let rows = statement.query_map([], |row| {
        let boot = row.get_ref(1)?.as_str()?.parse().map(BootId).unwrap_or_default();
        Ok((row.get(0)?, boot))
    })?;
    rows.collect()
}

fn has_wal(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    std::fs::metadata(name).is_ok_and(|metadata| metadata.len() > 0)
}

fn failed(path: &Path, error: &rusqlite::Error) -> HistoryError {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => HistoryError::Deadline,
        _ => HistoryError::Read { path: path.display().to_string(), reason: error.to_string() },
    }
}

fn unreadable(path: &Path, error: &OpenError) -> HistoryError {
    HistoryError::Read { path: path.display().to_string(), reason: error.to_string() }
}
