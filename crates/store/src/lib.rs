//! Remembers for Watchkeeper: the log of what was seen, one file a day, and the state database with alerts, incidents
//! and messages.
//!
//! A store is a folder that one watch at a time owns: `lock`, `state.db`, `reserve` and `log/YYYY-MM-DD.db`. [`Store`]
//! opens it and hands out the writers; [`Reader`] reads the log beside a running watch. [`Sink`] writes files for other
//! programs.

#![forbid(unsafe_code)]

mod config;
mod error;
mod folder;
mod hot;
mod lock;
mod reader;
mod recorder;
mod recording;
mod reserve;
mod schema;
mod sink;
mod state;
mod store;
mod unlogged;

pub use config::{Retention, StoreConfig};
pub use error::OpenError;
pub use reader::{Reader, Replay};
pub use recorder::SqliteRecorder;
pub use recording::{SnapshotFileEntry, SnapshotFileError, SnapshotFileHeader, SnapshotFileReader, SnapshotFileWriter};
pub use sink::{Sink, SinkConfig, SinkError, SinkFormat, SinkMode, SinkOrigin, UserName, Written, validate_sinks};
pub use state::{Acknowledged, Pruned, SqliteLedger, Unsilenced, message_state, silences};
pub use store::{HeldHealth, Store, StoreHealth};
pub use unlogged::Unlogged;
