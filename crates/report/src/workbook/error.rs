//! Why a workbook could not be written. Where the rows are then, says whoever knows what became of the spool.

use std::io;
use std::path::{Path, PathBuf};

use rust_xlsxwriter::XlsxError;
use thiserror::Error;
use zip::result::ZipError;

use crate::recording::{SpoolError, is_full};

/// Why a workbook could not be written. The rows are where they were.
#[derive(Debug, Error)]
pub enum WorkbookError {
    /// The disk is full, or a quota is used up.
    #[error("no space is left for the workbook {}", .target.display())]
    Full {
        /// The workbook.
        target: PathBuf,
    },
    /// Nothing can be written into the folder.
    #[error("cannot make the workbook {}: {reason}", .target.display())]
    Refused {
        /// The workbook.
        target: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The recording cannot be read.
    #[error("cannot make the workbook {}: {reason}", .target.display())]
    Recording {
        /// The workbook.
        target: PathBuf,
        /// What went wrong. It is in the sentence: as a source, people would read it twice.
        reason: SpoolError,
    },
}

impl WorkbookError {
    pub(super) fn new(trouble: Trouble, target: &Path) -> Self {
        let target = target.to_owned();
        match trouble {
            Trouble::Spool(reason) => Self::Recording { target, reason },
            Trouble::Io(error) if is_full(error.kind()) => Self::Full { target },
            Trouble::Io(error) => Self::Refused { target, reason: error.to_string() },
            Trouble::Other(reason) => Self::Refused { target, reason },
        }
    }
}

/// What can go wrong on the way, before it is known which file it is about.
#[derive(Debug)]
pub(super) enum Trouble {
    Spool(SpoolError),
    Io(io::Error),
    Other(String),
}

impl From<SpoolError> for Trouble {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

impl From<ZipError> for Trouble {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => Self::Io(error),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<XlsxError> for Trouble {
    fn from(error: XlsxError) -> Self {
        match error {
            XlsxError::IoError(error) => Self::Io(error),
            XlsxError::ZipError(error) => error.into(),
            other => Self::Other(other.to_string()),
        }
    }
}
