//! The reserve: 8 MiB on disk that belong to the state database alone, so that an alert about a full disk can be kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::folder;

/// Size of the reserve in bytes.
pub(crate) const RESERVE_BYTES: u64 = 8 << 20;
/// What must be free beyond the reserve before the log is written again and the reserve is made again, in bytes.
pub(crate) const ROOM_BYTES: u64 = 16 << 20;

/// Name of the reserve in the store's folder.
const FILE_NAME: &str = "reserve";

/// Watches over the free space of the store's filesystem. The clones share what they know.
///
/// When the disk is full, the writer of the log calls [`SpaceGuard::stop_log`] and asks [`SpaceGuard::has_room`] before
/// it writes again; only the state database may [`SpaceGuard::release`] the reserve.
#[derive(Clone)]
pub(crate) struct SpaceGuard {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    reserve: PathBuf,
    /// The reserve is on disk.
    intact: AtomicBool,
    /// The log met a full disk and waits for room.
    log_stopped: AtomicBool,
    /// Held while the reserve is made or removed.
    changing: Mutex<()>,
}

impl SpaceGuard {
    /// The guard of a store's folder. A reserve of the right size that is there already is kept.
    pub(crate) fn new(folder: &Path) -> Self {
        let reserve = folder.join(FILE_NAME);
        let intact = fs::metadata(&reserve).is_ok_and(|metadata| metadata.len() == RESERVE_BYTES);
        Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                reserve,
                intact: AtomicBool::new(intact),
                log_stopped: AtomicBool::new(false),
                changing: Mutex::new(()),
            }),
        }
    }

    /// Whether the log may be written: the reserve is intact and the log was not stopped, or there is room again.
    /// In the latter case the reserve is made first.
    pub(crate) fn has_room(&self) -> bool {
        let stopped = self.shared.log_stopped.load(Ordering::Acquire);
        if self.is_intact() && !stopped {
            return true;
        }
        let needed_bytes = if self.is_intact() { ROOM_BYTES } else { RESERVE_BYTES + ROOM_BYTES };
        if self.free_bytes().is_none_or(|free_bytes| free_bytes <= needed_bytes) {
            return false;
        }
        let room = self.restore();
        if room {
            self.shared.log_stopped.store(false, Ordering::Release);
        }
        room
    }

    /// The log met a full disk: [`SpaceGuard::has_room`] says no until there is room.
    pub(crate) fn stop_log(&self) {
        self.shared.log_stopped.store(true, Ordering::Release);
    }

    /// Gives the reserve to the state database. Says whether there was one to give.
    pub(crate) fn release(&self) -> bool {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let released = self.is_intact() && fs::remove_file(&self.shared.reserve).is_ok();
        if released {
            self.shared.intact.store(false, Ordering::Release);
        }
        released
    }

    /// Makes the reserve again if it is missing and there is room for it. Says whether it is intact now.
    pub(crate) fn restore(&self) -> bool {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_intact() {
            return true;
        }
        if self.free_bytes().is_none_or(|free_bytes| free_bytes <= RESERVE_BYTES + ROOM_BYTES) {
            return false;
        }
        match make(&self.shared.reserve) {
            Ok(()) => {
                self.shared.intact.store(true, Ordering::Release);
                true
            }
            Err(error) => {
                tracing::warn!(path = %self.shared.reserve.display(), %error, "cannot make the reserve");
                // A part of a reserve is no use and takes the space that is missing.
                let _ = fs::remove_file(&self.shared.reserve);
                false
            }
        }
    }

    /// Whether the reserve is on disk.
    pub(crate) fn is_intact(&self) -> bool {
        self.shared.intact.load(Ordering::Acquire)
    }

    /// Bytes that this user can still write to the store's filesystem; `None` if the system does not say.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        folder::free_bytes(&self.shared.folder)
    }
}

/// Writes the reserve. Real bytes that do not compress: a hole, or zeros on a compressing filesystem, reserve nothing.
fn make(path: &Path) -> io::Result<()> {
    let mut file: File = folder::create_private(path)?;
    file.set_len(0)?;
    let mut block = vec![0_u8; 1 << 16];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..RESERVE_BYTES / block.len() as u64 {
        for bytes in block.chunks_exact_mut(8) {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    file.sync_all()
}
