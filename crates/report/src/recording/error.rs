//! Why a spool could not be written or read, each a sentence that says what is kept and what to do.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a spool could not be written or read.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The program that writes it lives, or another reads it.
    #[error("the recording {} is in use by another watchkeeper; end that one first", .path.display())]
    InUse {
        /// The spool.
        path: PathBuf,
    },
    /// A new recording would take the place of one that has no workbook yet.
    #[error("{} holds an earlier recording that has no workbook yet", .path.display())]
    Exists {
        /// The spool.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no recording {}", .path.display())]
    Missing {
        /// The spool.
        path: PathBuf,
    },
    /// Its first line is no header.
    #[error("{} cannot be read as a recording: {reason}", .path.display())]
    Damaged {
        /// The spool.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A newer version of this program wrote it.
    #[error(
        "the recording {} was written by {program} in format {found}, this program reads formats up to {known}; use that version", .path.display()
    )]
    Newer {
        /// The spool.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program reads.
        known: u32,
        /// What wrote it.
        program: String,
    },
    /// The disk is full, or a quota is used up.
    #[error("no space is left for {}; its {} so far are kept, the one of this moment is not", .path.display(), crate::recording::error::rows(*.kept))]
    Full {
        /// The spool.
        path: PathBuf,
        /// Rows that are on disk.
        kept: u64,
    },
    /// The system refuses.
    #[error("cannot {operation} {}: {reason}", .path.display())]
    System {
        /// What was tried.
        operation: &'static str,
        /// The spool.
        path: PathBuf,
        /// What the system says. It is in the sentence: as a source, people would read it twice.
        reason: io::Error,
    },
}

impl SpoolError {
    pub(super) fn from_io(operation: &'static str, path: &Path, reason: io::Error) -> Self {
        let path = path.to_owned();
        match reason.kind() {
            ErrorKind::NotFound if operation == "open" => Self::Missing { path },
            _ => Self::System { operation, path, reason },
        }
    }

    pub(super) fn writing(path: &Path, kept: u64, reason: io::Error) -> Self {
        match reason.kind() {
            kind if is_full(kind) => Self::Full { path: path.to_owned(), kept },
            _ => Self::from_io("write", path, reason),
        }
    }
}

/// Whether an error says that there is no room.
pub(crate) fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// `1 row`, `2 rows`.
pub(crate) fn rows(count: u64) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn what_the_system_says_is_said_once() {
        let error = SpoolError::from_io("make", Path::new("a.spool"), ErrorKind::PermissionDenied.into());
        assert_eq!(error.to_string(), "cannot make a.spool: permission denied");
        assert!(error.source().is_none(), "whoever prints the sources too would repeat it");
    }
}
