//! The lock file: one watch for each store.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
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
        let failed = |error: &std::io::Error| OpenError::from_io("lock", &path, error);
        let mut file = folder::create_private(&path).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Whoever has it may be between taking it and writing its id.
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked { path: store.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        if let Err(error) = written {
            // The lock holds without it; on a full disk there is no room even for this.
            tracing::debug!(path = %path.display(), %error, "cannot write the process id into the lock file");
        }
        Ok(Self { _file: file })
    }
}
