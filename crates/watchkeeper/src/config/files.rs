//! Which configuration file is read, and reading it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use watchkeeper_core::text::clean;

use super::diagnostic::{ConfigError, Diagnostic};
use super::load::SourceFile;
use super::safety;
use crate::paths;

/// Name of the file in the platform's folders.
pub const FILE_NAME: &str = "watchkeeper.toml";
/// The variable that names the file.
pub const VARIABLE: &str = "WATCHKEEPER_CONFIG";
/// What it is, for messages.
const WHAT: &str = "configuration file";
/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Why a file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Named by `--config`.
    Flag,
    /// Named by `WATCHKEEPER_CONFIG`.
    Variable,
    /// The platform's folder; it may be missing.
    Platform,
}

impl Reason {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Flag => "named by --config",
            Self::Variable => "named by WATCHKEEPER_CONFIG",
            Self::Platform => "the default place",
        }
    }
}

/// The file that counts, and why. `None`: this user has no home folder. The current folder is never looked at.
pub fn candidate(config: Option<&Path>) -> Option<(PathBuf, Reason)> {
    let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (config, variable) {
        (Some(path), _) => Some((path.to_owned(), Reason::Flag)),
        (None, Some(variable)) => Some((variable, Reason::Variable)),
        (None, None) => paths::config_folder().map(|folder| (folder.join(FILE_NAME), Reason::Platform)),
    }
}

/// Reads the file that counts; `None` if the default one does not exist.
///
/// # Errors
/// A sentence that says why it cannot be used.
pub fn find(config: Option<&Path>) -> Result<Option<SourceFile>, ConfigError> {
    let Some((path, reason)) = candidate(config) else { return Ok(None) };
    let told = |refusal: Diagnostic| ConfigError::sentence(refusal.message, refusal.help);
    match read(&path, WHAT, Writers::Trusted) {
        Ok(text) => Ok(Some(SourceFile { path, text })),
        Err(Unreadable::Missing) if reason == Reason::Platform => Ok(None),
        Err(Unreadable::Missing) => {
            let help = format!("it is {}; `watchkeeper config default` writes one to start from", reason.words());
            Err(told(missing(&path, WHAT).help(help)))
        }
        Err(Unreadable::Folder(refusal)) => {
            Err(told(refusal.help(format!("name the file in it, such as {}", shown(&path.join(FILE_NAME))))))
        }
        Err(Unreadable::Because(refusal)) => Err(told(refusal)),
    }
}

/// Why a file was not read.
pub enum Unreadable {
    /// It is not there.
    Missing,
    /// It is a folder.
    Folder(Diagnostic),
    /// Something else.
    Because(Diagnostic),
}

/// Who may have written a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// What it says is looked at, and not gone by.
    Anybody,
    /// What it says is gone by: as root, nobody else.
    Trusted,
}

/// A path for people.
pub fn shown(path: &Path) -> String {
    clean(&path.display().to_string(), 300)
}

/// What is said of a file that is not there.
pub fn missing(path: &Path, what: &str) -> Diagnostic {
    Diagnostic::new(format!("the {what} {} does not exist", shown(path)))
}

/// Reads a file of at most 1 MiB; `what` it is, for messages.
pub fn read(path: &Path, what: &str, writers: Writers) -> Result<String, Unreadable> {
    let wrong = |is: &str| Diagnostic::new(format!("the {what} {} {is}", shown(path)));
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Unreadable::Missing,
        ErrorKind::PermissionDenied => Unreadable::Because(
            wrong("cannot be read: permission denied")
                .help("it, and the folders above it, must be readable for the user that Watchkeeper runs as"),
        ),
        _ => Unreadable::Because(wrong(&format!("cannot be read: {error}"))),
    };
    let kind = path.metadata().map_err(failed)?;
    if kind.is_dir() {
        return Err(Unreadable::Folder(wrong("is a folder")));
    }
    if !kind.is_file() {
        // A pipe would be waited for without an end.
        return Err(Unreadable::Because(wrong("is not a regular file")));
    }
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if writers == Writers::Trusted {
        safety::refuse_writable(path, &metadata, what)
            .map_err(|refusal| Unreadable::Because(Diagnostic::new(refusal.message).help(refusal.help)))?;
    }
    let mut bytes = Vec::new();
    file.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::Because(wrong("is larger than 1 MiB")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|b| *b == b'\n').count();
        Unreadable::Because(wrong(&format!("is not valid UTF-8 in line {line}")).help("save it as UTF-8"))
    })
}
