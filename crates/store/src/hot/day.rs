//! Day files: their names, how they are opened for writing, closed, migrated and set aside.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use time::{Date, Month};

use crate::error::OpenError;
use crate::folder;
use crate::schema::Schema;

/// The schema of a day file.
pub(crate) const SCHEMA: Schema = Schema {
    application_id: 0x574B_4C47, // "WKLG"
    migrations: &[("V1__initial", include_str!("../../migrations/log/V1__initial.sql"))],
};

const DAY_MS: i64 = 86_400_000;
/// 9999-12-31, the last day with a four-digit year.
const LAST_DAY: i64 = 2_932_896;
/// Julian day of 1970-01-01.
const EPOCH_JULIAN: i32 = 2_440_588;
const EXTENSION: &str = ".db";

/// A commit writes the last page of each of some thirty tables and indexes, however little is new in it: with the 4 KiB
/// that SQLite has by default, that is most of what is written in a day.
const PAGE_BYTES: i64 = 2_048;

/// The last pages of all tables change with every commit: the rarer the checkpoints, the more often one write of a page
/// into the file stands for many. 8 MiB of write-ahead log, some 20 minutes at 300 processes.
const PAGES_BETWEEN_CHECKPOINTS: i64 = 4_096;

/// How long a write waits for another program that holds the file, such as the sqlite3 command line.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A UTC day, counted from 1970-01-01. A clock beyond the calendar gives its first or last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(i64);

impl Day {
    /// The day of an instant.
    pub(crate) fn of(ts_ms: i64) -> Self {
        Self(ts_ms.div_euclid(DAY_MS).clamp(0, LAST_DAY))
    }

    /// First instant after the day, milliseconds UTC.
    pub(crate) fn end_ms(self) -> i64 {
        (self.0 + 1) * DAY_MS
    }

    /// The file of the day.
    pub(crate) fn path(self, log: &Path) -> PathBuf {
        log.join(format!("{self}{EXTENSION}"))
    }

    /// The day in front of a file name and what follows it.
    fn parse(name: &str) -> Option<(Self, &str)> {
        let (date, rest) = name.split_at_checked(10)?;
        let mut parts = date.splitn(3, '-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
            part.parse::<u16>().ok()
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
        let day = i64::from(date.to_julian_day() - EPOCH_JULIAN);
        (0..=LAST_DAY).contains(&day).then_some((Self(day), rest))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Date::from_julian_day(self.0 as i32 + EPOCH_JULIAN).expect("a day is kept within the calendar");
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

/// A file in the log folder that belongs to a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) day: Day,
    pub(crate) path: PathBuf,
    /// A day file that is in use, not one that was set aside.
    pub(crate) is_day_file: bool,
}

/// The databases in the log folder, oldest day first; those that were set aside too. Companions are not listed.
pub(crate) fn list(log: &Path) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(log)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((day, rest)) = name.to_str().and_then(Day::parse) else { continue };
        let is_day_file = rest == EXTENSION;
        let is_set_aside = rest.strip_prefix(".db.damaged-").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        if is_day_file || is_set_aside {
            found.push(Found { day, path: entry.path(), is_day_file });
        }
    }
    found.sort_by(|a, b| a.day.cmp(&b.day).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

/// Opens a day file for writing and brings it to the newest schema; made if it is missing, an empty one is accepted.
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    folder::create_private(path).map_err(|error| OpenError::from_io("open", path, &error))?;
    let failed = |error: &rusqlite::Error| OpenError::from_sqlite("open", path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| failed(&error))?;
    let set_up = |connection: &Connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        plan_once(connection)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "page_size", PAGE_BYTES)
    };
    set_up(&connection).map_err(|error| failed(&error))?;
    // Looked at before the journal mode is touched: a file that is not ours stays as it is.
    SCHEMA.version_of(&connection, path)?;
    let start = |connection: &Connection| {
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "wal_autocheckpoint", PAGES_BETWEEN_CHECKPOINTS)?;
        connection.pragma_update(None, "synchronous", "NORMAL")
    };
    start(&connection).map_err(|error| failed(&error))?;
    SCHEMA.migrate(&mut connection, path)?;
    Ok(connection)
}

/// A statement keeps its plan whatever is bound to it. Otherwise SQLite looks at bound values while it plans, and prepares
/// a statement anew each time one of them changes; our statements are short and have one sensible plan.
pub(crate) fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// Puts everything into the one file and leaves WAL mode, so that a copy of the file or a read-only folder will do.
/// Says whether it could; readers are in the way while they look.
pub(crate) fn close(connection: &Connection) -> bool {
    let _ = connection.busy_timeout(Duration::from_millis(50));
    let mode = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
    mode.is_ok_and(|mode| mode == "delete")
}

/// Brings every kept day file to the newest schema and leaves it closed. Returns a sentence for each file that had to
/// be set aside because it is damaged, or that could not be migrated because the disk is full.
///
/// # Errors
/// [`OpenError::Newer`], and what the disk says.
pub(crate) fn migrate_all(log: &Path) -> Result<Vec<String>, OpenError> {
    let mut sentences = Vec::new();
    let found = list(log).map_err(|error| OpenError::from_io("list", log, &error))?;
    for found in found.into_iter().filter(|found| found.is_day_file) {
        if is_done(&found.path) {
            continue;
        }
        match open(&found.path).map(|connection| close(&connection)) {
            Ok(_) => {}
            Err(OpenError::Damaged { path, reason }) => {
                let aside = folder::set_aside(&path)?;
                sentences.push(set_aside_sentence(&path, &aside, &reason));
            }
            // The watch can do without old days, and must not be kept from starting by a full disk.
            Err(error @ OpenError::Full { .. }) => {
                sentences.push(format!("the log file {} was left as it is: {error}", found.path.display()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sentences)
}

/// Whether a file has the newest schema and was closed: nothing is to be written then.
fn is_done(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(path, flags) else { return false };
    let mode: rusqlite::Result<String> = connection.pragma_query_value(None, "journal_mode", |row| row.get(0));
    mode.is_ok_and(|mode| mode != "wal")
        && SCHEMA.version_of(&connection, path).is_ok_and(|version| version == SCHEMA.version())
}

/// What is said about a file that was set aside.
pub(crate) fn set_aside_sentence(path: &Path, aside: &Path, reason: &str) -> String {
    format!("the log file {} is damaged ({reason}) and was set aside as {}", path.display(), aside.display())
}

/// Whether the error says that the file itself is damaged.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
