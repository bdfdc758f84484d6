//! What all handles of one store share: the memory that stands in for the disk, and the guard of its space.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use watchkeeper_core::HostId;
use watchkeeper_core::outbox::OutboxId;

use super::held::Held;
use crate::reserve::SpaceGuard;
use crate::store::HeldHealth;

/// Shared by the handles of one store.
pub(crate) struct Shared {
    path: PathBuf,
    host: HostId,
    pub(super) guard: SpaceGuard,
    memory: Mutex<Memory>,
    /// Milliseconds UTC; 0 before the first.
    last_commit_ms: AtomicI64,
}

/// What is held, and what must be remembered of it afterwards.
#[derive(Default)]
pub(super) struct Memory {
    /// `Some` while the disk refuses.
    pub(super) held: Option<Held>,
    /// The provisional number given last; numbers go down from 0 and are never used twice.
    pub(super) last_number: i64,
    /// Numbers on disk of messages that a worker may still know by their provisional one.
    pub(super) numbers: HashMap<OutboxId, OutboxId>,
}

impl Shared {
    /// For the state database of this host at this path.
    pub(crate) fn new(path: PathBuf, host: HostId, guard: SpaceGuard) -> Self {
        Self { path, host, guard, memory: Mutex::default(), last_commit_ms: AtomicI64::new(0) }
    }

    /// The host that the store belongs to.
    pub(crate) fn host(&self) -> HostId {
        self.host
    }

    /// The state database.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is held now, if anything.
    pub(crate) fn held(&self) -> Option<HeldHealth> {
        let memory = self.memory();
        let held = memory.held.as_ref()?;
        let (incidents, messages) = held.only_here();
        Some(HeldHealth { reason: held.reason.clone(), incidents, messages })
    }

    /// When something was last written to the state database, milliseconds UTC.
    pub(crate) fn last_commit_ms(&self) -> Option<i64> {
        Some(self.last_commit_ms.load(Ordering::Relaxed)).filter(|ms| *ms != 0)
    }

    /// Held for the whole of every operation: while one handle moves what is held to disk, no other may serve it.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn committed_now(&self) {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        self.last_commit_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Memory {
    /// The number that a message has now.
    pub(super) fn number_now(&self, id: OutboxId) -> OutboxId {
        self.numbers.get(&id).copied().unwrap_or(id)
    }
}
