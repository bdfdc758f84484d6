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
    /// What a check is to contact cannot be understood.
    #[error("the check `{check}` cannot begin: {reason}")]
    Check {
        /// Name of the check.
        check: String,
        /// What is wrong.
        reason: String,
    },
    /// The file with an authority's certificate cannot be read.
    #[error("cannot read the certificates in {path}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The file that should hold an authority's certificate holds none.
    #[error("there is no certificate in {path}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The tier does not exist on this operating system.
    #[error("tier `{tier}` does not exist on this operating system")]
    NoSuchTier {
        /// The tier that was asked for.
        tier: &'static str,
    },
}
