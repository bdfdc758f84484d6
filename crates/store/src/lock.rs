//! The lock file: one watch for each store.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, Write};
use std::path::Path;

use crate::error::OpenError;
use crate::folder;

/// Holds the lock of a store while it lives. The system frees it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a store's folder and writes our process id into it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] with the id of the process that has it, or what the system says.
    pub(crate) fn take(store: &Path) -> Result<Self, OpenError> {
        let path = store.join(folder::LOCK);
        let failed = |error: &io::Error| OpenError::from_io("lock", &path, error);
        let file = folder::create_private(&path).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Whoever has it may be between taking it and writing its id.
                let pid = fs::read_to_string(store.join(PID)).ok().and_then(|text| text.trim().parse().ok());
                return Err(OpenError::Locked { path: store.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let written = write_pid(&file, store);
        if let Err(error) = written {
            // The lock holds without it; on a full disk there is no room even for this.
            tracing::debug!(path = %path.display(), %error, "cannot write the process id into the lock file");
        }
        Ok(Self { _file: file })
    }
}

/// Where the id of the process is that has the lock. Windows lets nobody else read a file that is locked.
const PID: &str = if cfg!(windows) { "lock.pid" } else { folder::LOCK };

fn write_pid(mut locked: &File, store: &Path) -> io::Result<()> {
    let text = format!("{}\n", std::process::id());
    if cfg!(windows) {
        return fs::write(store.join(PID), text);
    }
    locked.set_len(0)?;
    locked.rewind()?;
    locked.write_all(text.as_bytes())
}
