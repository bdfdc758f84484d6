//! Why a recording cannot be written or read, each a sentence that names the file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::VERSION;

/// Why a recording cannot be written or read.
#[derive(Debug, Error)]
pub enum SnapshotFileError {
    /// There is something in the file already.
    #[error("{} is there already and holds something; name a file that is not there, nothing is overwritten", .path.display())]
    NotEmpty {
        /// The file.
        path: PathBuf,
    },
    /// The path leads to something that is no file.
    #[error("{} is no file; a recording needs one", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// No space is left.
    #[error("no space is left for the recording {}", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// A tick is longer than a line may be.
    #[error("a tick is too long for the recording {}: a line may have {limit} bytes", .path.display())]
    LongTick {
        /// The file.
        path: PathBuf,
        /// The longest line, bytes.
        limit: usize,
    },
    /// It is not a recording.
    #[error("{} is no recording of `watchkeeper run --recording`: {reason}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        reason: String,
    },
    /// It was written by a newer version of this program.
    #[error(
        "the recording {} has version {found}, this program knows versions up to {VERSION}; it was written by a newer \
         version, use that one", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: u32,
    },
    /// It is damaged, not only cut.
    #[error("the recording {} is damaged after line {line}: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The last line that could be read; 0 is none.
        line: u64,
        /// What was found.
        reason: String,
    },
    /// The system failed.
    #[error("cannot {operation} the recording {}: {reason}", .path.display())]
    System {
        /// What was tried, e.g. `write`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl SnapshotFileError {
    pub(super) fn from_io(operation: &'static str, path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => return Self::Full { path },
            io::ErrorKind::IsADirectory => return Self::NotAFile { path },
            io::ErrorKind::NotFound => match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                Some(folder) if !folder.exists() => format!("there is no folder {}", folder.display()),
                _ => "there is no such file".to_owned(),
            },
            io::ErrorKind::PermissionDenied => "the system refuses access".to_owned(),
            _ => error.to_string(),
        };
        Self::System { operation, path, reason }
    }
}
