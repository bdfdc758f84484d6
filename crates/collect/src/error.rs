//! What can go wrong when the operating system is opened or read.

use std::io;
use std::path::PathBuf;

/// Why a collector could not be opened, or could not read anything at all.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The folder with the kernel's process information cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// The folder.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// The tier does not exist on this operating system.
    #[error("tier `{tier}` does not exist on this operating system")]
    NoSuchTier {
        /// The tier that was asked for.
        tier: &'static str,
    },
}
