//! Schemas of our databases: what is checked before a file is trusted, and how it is brought up to date.

use std::path::Path;

use refinery_core::{Migration, Runner};
use rusqlite::Connection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::OpenError;

/// The schema of one kind of database.
pub(crate) struct Schema {
    /// SQLite's application id of this kind of file. The first migration sets it, in its transaction.
    pub(crate) application_id: i32,
    /// Name (`V1__initial`) and SQL of every migration, oldest first, versions without holes from 1.
    pub(crate) migrations: &'static [(&'static str, &'static str)],
}

impl Schema {
    /// The newest version that this program knows.
    pub(crate) fn version(&self) -> i64 {
        self.migrations.len() as i64
    }

    /// The version of a database, 0 for one without any table.
    ///
    /// The history table is read with care because refinery panics on one that it did not write.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] if it is not ours or its history makes no sense, [`OpenError::Newer`].
    pub(crate) fn version_of(&self, connection: &Connection, path: &Path) -> Result<i64, OpenError> {
        let sqlite = |error: &rusqlite::Error| match OpenError::from_sqlite("read", path, error) {
            // Whatever else is wrong with a question this simple is wrong with the file.
            OpenError::System { .. } if !is_passing(error) => damaged(path, error.to_string()),
            other => other,
        };
        let application_id: i32 =
            connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(|error| sqlite(&error))?;
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .map_err(|error| sqlite(&error))?;
        let has_history = tables.iter().any(|table| table == "refinery_schema_history");
        let history = if has_history { history(connection).map_err(|error| sqlite(&error))? } else { Vec::new() };
        // A watch that was killed at its first start leaves a file with no table, or with the empty history alone.
        if application_id == 0 && history.is_empty() && tables.len() == usize::from(has_history) {
            return Ok(0);
        }
        if application_id != self.application_id {
            return Err(damaged(path, "it belongs to another program".to_owned()));
        }
        let known = self.migrations();
        for (index, applied) in history.iter().enumerate() {
            let Some(version) = applied.checked() else {
                return Err(damaged(path, "its schema history cannot be understood".to_owned()));
            };
            match known.get(index) {
                _ if version > self.version() => {
                    return Err(OpenError::Newer { path: path.to_owned(), found: version, known: self.version() });
                }
                Some(migration)
                    if i64::from(migration.version()) == version
                        && migration.name() == applied.name
                        && migration.checksum().to_string() == applied.checksum => {}
                _ => return Err(damaged(path, format!("its schema version {version} is not the one we know"))),
            }
        }
        if history.is_empty() {
            return Err(damaged(path, "its schema history is empty".to_owned()));
        }
        Ok(history.len() as i64)
    }

    /// Brings a database to the newest version, in one transaction.
    ///
    /// # Errors
    /// Those of [`Schema::version_of`], and what the disk says.
    pub(crate) fn migrate(&self, connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
        if self.version_of(connection, path)? == self.version() {
            return Ok(());
        }
        // Ungrouped, refinery writes a migration and its line in the history in two transactions: killed between
        // them, the next start would fail.
        let report = Runner::new(&self.migrations()).set_grouped(true).run(connection);
        report.map(|_| ()).map_err(|error| {
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                if let Some(error) = inner.downcast_ref::<rusqlite::Error>() {
                    return OpenError::from_sqlite("migrate", path, error);
                }
                source = inner.source();
            }
            OpenError::System { operation: "migrate", path: path.to_owned(), reason: error.to_string() }
        })
    }

    fn migrations(&self) -> Vec<Migration> {
        self.migrations
            .iter()
            .map(|(name, sql)| Migration::unapplied(name, sql).expect("names of migrations are fixed and tested"))
            .collect()
    }
}

/// A line of refinery's history, as it was found.
struct HistoryLine {
    version: Option<i32>,
    name: String,
    applied_on: String,
    checksum: String,
}

impl HistoryLine {
    /// The version, if refinery understands the line.
    fn checked(&self) -> Option<i64> {
        OffsetDateTime::parse(&self.applied_on, &Rfc3339).ok()?;
        self.checksum.parse::<u64>().ok()?;
        self.version.map(i64::from)
    }
}

fn history(connection: &Connection) -> rusqlite::Result<Vec<HistoryLine>> {
    let mut statement = connection
        .prepare("SELECT version, name, applied_on, checksum FROM refinery_schema_history ORDER BY version")?;
    let rows = statement.query_map([], |row| {
        Ok(HistoryLine { version: row.get(0).ok(), name: row.get(1)?, applied_on: row.get(2)?, checksum: row.get(3)? })
    })?;
    rows.collect()
}

/// Whether the failure says nothing about the file: it may go well a moment later, or elsewhere.
fn is_passing(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, OperationInterrupted, OutOfMemory, SystemIoFailure,
    };
    matches!(
        error.sqlite_error_code(),
        Some(CannotOpen | DatabaseBusy | DatabaseLocked | OperationInterrupted | OutOfMemory | SystemIoFailure)
    )
}

fn damaged(path: &Path, reason: String) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), reason }
}
