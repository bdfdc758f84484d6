//! Why a store could not be opened, each with a sentence that says how to mend it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why a store, or a part of it, could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another watch uses the store.
    #[error(
        "the store {} is used by another watch{}; end that one first, or give this one another folder with `store.path`", .path.display(), of_pid(*.pid)
    )]
    Locked {
        /// The folder of the store.
        path: PathBuf,
        /// Process id of that watch, if its lock file says so.
        pid: Option<u32>,
    },
    /// There is no store here.
    #[error("there is no store at {}; a watch makes it, `store.path` names another", .path.display())]
    Missing {
        /// The folder of the store, or what is missing in it.
        path: PathBuf,
    },
    /// The path leads to something that is not a folder.
    #[error("{} is not a folder", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder lies on a read-only filesystem.
    #[error("{} cannot be written because its filesystem is read-only; choose another folder with `store.path`", .path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// No space is left.
    #[error("no space is left for {}; free some, or choose another folder with `store.path`", .path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
    },
    /// The system refuses access.
    #[error("the system refuses access to {}; run this as its owner or as root, or choose another folder with `store.path`", .path.display())]
    Refused {
        /// What was to be opened.
        path: PathBuf,
    },
    /// Others own the folder, or could read or change what is in it.
    #[error("{} is not private: {reason}; {remedy}", .path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Who could do what.
        reason: String,
        /// What would help, with the command if one mends it.
        remedy: String,
    },
    /// A database is damaged. Those that can be spared are set aside instead of reporting this.
    #[error("{} is damaged: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A database was written by a newer version of this program.
    #[error(
        "{} has schema version {found}, this program knows versions up to {known}; it was written by a newer version, use that one", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema version of the file.
        found: i64,
        /// Newest schema version that this program knows.
        known: i64,
    },
    /// A database was written by an older version and has not been migrated by a watch yet.
    #[error("{} has schema version {found}, version {known} is needed; start a watch once to migrate it", .path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Schema version of the file; 0 if it has no schema yet.
        found: i64,
        /// The schema version that is needed.
        known: i64,
    },
    /// The system failed in another way.
    #[error("cannot {operation} {}: {reason}", .path.display())]
    System {
        /// What was tried, e.g. `open`.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system or the database said.
        reason: String,
    },
}

impl OpenError {
    /// What the system's error means for the file that was to be `operation`ed.
    pub(crate) fn from_io(operation: &'static str, path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::PermissionDenied => Self::Refused { path },
            io::ErrorKind::NotADirectory => Self::NotAFolder { path },
            _ => Self::System { operation, path, reason: error.to_string() },
        }
    }

    /// What the database's error means for the file that was to be `operation`ed.
    pub(crate) fn from_sqlite(operation: &'static str, path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, reason: error.to_string() }
            }
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::PermissionDenied) => Self::Refused { path },
            _ => Self::System { operation, path, reason: error.to_string() },
        }
    }
}

fn of_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}
