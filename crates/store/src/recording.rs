//! Recordings: files of everything that the analyzer was given, in its order, so that a replay makes the same of it.
//!
//! A recording is JSON lines in frames of zstd; `zstdcat` shows it. The first line is the
//! [`SnapshotFileHeader`], every further one a [`SnapshotFileEntry`]. A frame holds some seconds and stands for itself: what a killed watch leaves is readable up to its last
//! whole frame, and the one that was cut, up to its last whole line.
//!
//! The workbooks of `watchkeeper record` and the spool behind them are something else (crate `report`).

mod error;
mod reader;
mod writer;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use watchkeeper_core::{Alert, Change, HostId, Incident, IncidentKey, Snapshot};

pub use error::SnapshotFileError;
pub use reader::SnapshotFileReader;
pub use writer::SnapshotFileWriter;

/// What the first line names itself.
const FORMAT: &str = "watchkeeper recording";
/// Version of the form; a reader refuses a newer one.
const VERSION: u32 = 1;
/// The longest line that is written or read, bytes: about 50,000 processes.
const LONGEST_LINE_BYTES: usize = 32 << 20;
/// Base 2 logarithm of the most bytes that a reader lets the compression look back.
const LARGEST_WINDOW_LOG: u32 = 23;

/// What a recording begins with: where it comes from, and what the analyzer began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotFileHeader {
    /// Version of the program that wrote it.
    pub program: String,
    /// The host for ever.
    pub host: HostId,
    /// How the machine was read.
    pub tier: String,
    /// What the analyzer went by, rules included, as whoever made the recording writes it.
    pub settings: Value,
    /// Alerts that were not over.
    pub alerts: Vec<Alert>,
    /// Incidents that were open.
    pub incidents: Vec<Incident>,
}

/// One thing that the analyzer was given, or that the recording has to say about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotFileEntry {
    /// A tick to be evaluated.
    Snapshot(Arc<Snapshot>),
    /// Other settings from here on, in the form of [`SnapshotFileHeader::settings`].
    Settings(Value),
    /// What came of incidents on their way to the store.
    Committed {
        /// The incidents as they were completed.
        changes: Vec<Change>,
        /// The numbers that the store gave.
        tickets: Vec<(IncidentKey, i64)>,
    },
    /// Ticks that the analyzer was given here and that are not in the recording: a replay knows nothing of them.
    Lost {
        /// How many.
        ticks: u64,
    },
}

/// The first line: tells a recording from other JSON lines, and its version before anything else of it is looked at.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    format: String,
    version: u32,
}

/// The first line as it is written.
#[derive(Serialize)]
struct First<'h> {
    #[serde(flatten)]
    mark: Mark,
    #[serde(flatten)]
    header: &'h SnapshotFileHeader,
}
