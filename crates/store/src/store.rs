//! A store: the folder with the log and the state database, owned by one watch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_core::HostId;

use crate::config::StoreConfig;
use crate::error::OpenError;
use crate::lock::Lock;
use crate::recorder::SqliteRecorder;
use crate::reserve::SpaceGuard;
use crate::state::{self, SqliteLedger};
use crate::unlogged::Unlogged;
use crate::{folder, hot};

/// The store of a watch. The lock is held as long as this lives.
pub struct Store {
    folder: PathBuf,
    config: StoreConfig,
    host: HostId,
    guard: SpaceGuard,
    shared: Arc<state::Shared>,
    notices: Vec<String>,
    _lock: Lock,
}

/// How a store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// Bytes that this user can still write to the store's filesystem; `None` if the system does not say.
    pub free_bytes: Option<u64>,
    /// Bytes that the log occupies.
    pub log_bytes: u64,
    /// Bytes that the state database occupies, its own log included.
    pub state_bytes: u64,
    /// The reserve for the state database is on disk.
    pub reserve_intact: bool,
    /// What is held in memory because the disk refuses; `None` in normal running.
    pub held: Option<HeldHealth>,
    /// When something was last written to the state database by this process, milliseconds UTC.
    pub last_commit_ms: Option<i64>,
}

/// What is held in memory because the disk refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldHealth {
    /// Why the disk refused.
    pub reason: String,
    /// Incidents that are not on disk.
    pub incidents: u64,
    /// Messages that are not on disk, sent ones included.
    pub messages: u64,
}

impl Store {
    /// Opens the store in `folder` for a watch: makes the folder if it is missing, takes its lock, brings the state
    /// database and all day files to the newest schema and makes the reserve. What is damaged is set aside, what is
    /// short is done without; [`Store::notices`] says so.
    ///
    /// # Errors
    /// [`OpenError::Locked`] while another watch runs; [`OpenError::NotPrivate`]; [`OpenError::Newer`]; what the disk says.
    pub fn open(folder: &Path, config: &StoreConfig) -> Result<Self, OpenError> {
        // Said at each start and no trouble of the running watch: nobody could ever mend it.
        if let Some(doubt) = folder::prepare(folder)? {
            tracing::warn!("{doubt}");
        }
        let mut notices = Vec::new();
        let lock = Lock::take(folder)?;
        let guard = SpaceGuard::new(folder);
        let path = folder.join(folder::STATE);
        let host = open_state(&path, &guard, &mut notices)?;
        notices.extend(hot::migrate_all(&folder.join(folder::LOG))?);
        if !guard.restore() {
            notices.push(format!(
                "there is no room for the reserve of {} MiB in {}; the log is not written until some is free, alerts are",
                crate::reserve::RESERVE_BYTES >> 20,
                folder.display()
            ));
        }
        let shared = Arc::new(state::Shared::new(path, host, guard.clone()));
        Ok(Self { folder: folder.to_owned(), config: config.clone(), host, guard, shared, notices, _lock: lock })
    }

    /// The host for ever.
    pub fn host_id(&self) -> HostId {
        self.host
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was set aside or done without when the store was opened: one sentence each, to be said loudly.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The writer of the log. One at a time.
    pub fn recorder(&self) -> Result<SqliteRecorder, OpenError> {
        SqliteRecorder::open(&self.folder, self.host, &self.config, self.guard.clone())
    }

    /// What takes the place of the writer where no log is wanted.
    pub fn unlogged(&self) -> Unlogged {
        Unlogged::new(self.folder.join(folder::LOG), self.config.retention.hot, self.config.max_disk)
    }

    /// A handle on alerts, incidents and messages; one for each thread.
    pub fn ledger(&self) -> Result<SqliteLedger, OpenError> {
        SqliteLedger::open(Arc::clone(&self.shared), self.config.retention)
    }

    /// How the store stands now.
    pub fn health(&self) -> StoreHealth {
        StoreHealth {
            free_bytes: self.guard.free_bytes(),
            log_bytes: folder::occupied_bytes(&self.folder.join(folder::LOG), ""),
            state_bytes: folder::occupied_bytes(&self.folder, folder::STATE),
            reserve_intact: self.guard.is_intact(),
            held: self.shared.held(),
            last_commit_ms: self.shared.last_commit_ms(),
        }
    }
}

/// Opens the state database and answers the host's id. On a full disk the reserve is given to it; one that is damaged is
/// set aside and a fresh one begun.
fn open_state(path: &Path, guard: &SpaceGuard, notices: &mut Vec<String>) -> Result<HostId, OpenError> {
    let prepare = |known: Option<HostId>, notices: &mut Vec<String>| match prepare_state(path, known) {
        Err(error) if is_lack_of_space(&error, guard) && guard.release() => {
            notices.push(format!("the disk is full; the reserve was given to {}", path.display()));
            prepare_state(path, known)
        }
        Err(error) if is_lack_of_space(&error, guard) => Err(OpenError::Full { path: path.to_owned() }),
        other => other,
    };
    match prepare(None, notices) {
        Err(OpenError::Damaged { reason, .. }) => {
            let known = state::readable_host_id(path);
            let aside = folder::set_aside(path)?;
            notices.push(format!(
                "the state database {} is damaged ({reason}); it was set aside as {} and a new one was begun: alerts, \
                 incidents and messages that were in it are not known any more",
                path.display(),
                aside.display()
            ));
            prepare(known, notices)
        }
        other => other,
    }
}

fn prepare_state(path: &Path, known: Option<HostId>) -> Result<HostId, OpenError> {
    let connection = state::prepare(path)?;
    state::clear_leases(&connection, path)?;
    let log = path.with_file_name(folder::LOG);
    state::host_id(&connection, path, || {
        known.or_else(|| state::host_id_of_log(&log)).unwrap_or_else(|| HostId(Uuid::new_v4()))
    })
}

/// SQLite says of some of its files only that they cannot be written, not why.
fn is_lack_of_space(error: &OpenError, guard: &SpaceGuard) -> bool {
    const LITTLE_BYTES: u64 = 256 << 10;
    match error {
        OpenError::Full { .. } => true,
        OpenError::System { .. } => guard.free_bytes().is_some_and(|free_bytes| free_bytes < LITTLE_BYTES),
        _ => false,
    }
}
