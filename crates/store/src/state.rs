//! The state database: alerts, incidents and messages, and the ledger that keeps them.
//!
//! While the disk refuses to be written, everything is held in a database in memory with the same schema, and the same
//! statements run on it. At every moment one of the two is the truth: what is held is served from memory alone and moves
//! back to disk as a whole.

mod acknowledge;
mod database;
mod held;
mod json;
mod ledger;
mod message;
mod outbox;
mod prune;
pub(crate) mod query;
mod rows;
mod shared;
mod silence;
mod waiting;
mod write;

pub use acknowledge::Acknowledged;
pub(crate) use database::{clear_leases, host_id, host_id_of_log, prepare, readable_host_id};
pub use ledger::SqliteLedger;
pub use message::message_state;
pub use prune::Pruned;
pub(crate) use shared::Shared;
pub use silence::{Unsilenced, silences};

use rusqlite::ErrorCode;

/// Why something did not work inside the state database.
#[derive(Debug)]
enum Failure {
    /// The disk or the database refused.
    Sqlite(rusqlite::Error),
    /// A row, or something that was to become one, makes no sense.
    Malformed(String),
}

impl Failure {
    /// Whether giving the reserve to the database may help.
    fn is_lack_of_space(&self) -> bool {
        // An exceeded quota arrives as a failure of input and output.
        let Self::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
    }

    /// The reason in the words of people.
    fn reason(&self) -> String {
        match self {
            Self::Malformed(reason) => reason.clone(),
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => "no space is left on the disk".to_owned(),
                Some(ErrorCode::ReadOnly) => "the filesystem is read-only".to_owned(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    "another program keeps the database locked".to_owned()
                }
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    format!("the database is damaged ({error})")
                }
                _ => error.to_string(),
            },
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

#[cfg(test)]
mod tests;
