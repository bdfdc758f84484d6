//! Numbers to learn from out of a workbook or a CSV.

use std::io;
use std::path::Path;

use jiff::tz::TimeZone;
use thiserror::Error;
use watchkeeper_report::{TableError, read_table};

use super::data::Data;
use crate::model_file::shown;

/// Why a file gives nothing to learn from.
#[derive(Debug, Error)]
pub enum FileError {
    /// The workbook that is read when none is named is not there.
    #[error(
        "there is no {0} here to learn from; record one first: `watchkeeper record`, or name a file with --from, or learn from the log with --last 24h"
    )]
    NothingRecorded(String),
    /// The named file is not there.
    #[error("there is no {0}; name a workbook or CSV with --from, or learn from the log with --last 24h")]
    Missing(String),
    /// It cannot be read as a table. The sentence holds what the system said.
    #[error("{0}")]
    Table(String),
}

/// Reads a file; times without a zone are those of `zone`. `is_named`: the user has named it.
pub fn read(path: &Path, is_named: bool, zone: &TimeZone) -> Result<Data, FileError> {
    let table = read_table(path, zone).map_err(|error| match error {
        TableError::Read { ref source, .. } if source.kind() == io::ErrorKind::NotFound => {
            if is_named {
                FileError::Missing(shown(path))
            } else {
                FileError::NothingRecorded(shown(path))
            }
        }
        error => FileError::Table(error.to_string()),
    })?;
    Ok(Data { source: shown(path), is_log: false, interval_ms: table.median_interval_ms(), table })
}
