//! The file of a sink: opened and checked, appended to in whole batches, set aside when it is time.

mod content;
mod rotation;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use thiserror::Error;

use self::content::Content;
#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;
use super::config::{SinkConfig, SinkFormat};
use super::lines::HEADER;

/// Why the file of a sink cannot be used.
#[derive(Debug, Error)]
pub enum SinkError {
    /// What is there was not written by a sink of this format, or by one with other columns.
    #[error("{} holds something else: {reason}; nothing was changed in it: move it away, or give the sink another file", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it holds.
        reason: String,
    },
    /// What is there is no file of its own.
    #[error("{} {reason}; a sink writes to a file of its own", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        reason: &'static str,
    },
    /// Another sink writes it.
    #[error("{} is written by another watch; give each a file of its own", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space is left for {}", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The system failed.
    #[error("cannot {operation} {}: {reason}", .path.display())]
    System {
        /// What was tried, e.g. `open`.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said, and what would help.
        reason: String,
    },
}

impl SinkError {
    /// Whether only a person can mend it: the same file will be refused again.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Foreign { .. } | Self::NotAFile { .. })
    }

    /// The same without the path, for a sentence that names it.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Foreign { reason, .. } => format!("it holds something else: {reason}; nothing was changed in it"),
            Self::NotAFile { reason, .. } => format!("it {reason}"),
            Self::InUse { .. } => "another watch writes it".to_owned(),
            Self::Full { .. } => "no space is left".to_owned(),
            Self::System { operation, reason, .. } => format!("cannot {operation} it: {reason}"),
        }
    }

    fn from_io(operation: &'static str, path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => return Self::Full { path },
            io::ErrorKind::NotFound => match path.parent() {
                Some(folder) if !folder.exists() => {
                    format!("there is no folder {}; it is used as soon as you make it", folder.display())
                }
                _ => error.to_string(),
            },
            io::ErrorKind::PermissionDenied => {
                "the system refuses access to the user that the watch runs as".to_owned()
            }
            _ => error.to_string(),
        };
        Self::System { operation, path, reason }
    }
}

/// Lines that are appended together.
pub(super) struct Batch {
    /// Whole lines.
    pub(super) bytes: Vec<u8>,
    /// How many.
    pub(super) rows: u64,
    /// Ticks that went into it.
    pub(super) ticks: u64,
    /// Local time of its rows.
    pub(super) local: DateTime,
    /// The same in milliseconds UTC.
    pub(super) ts_ms: i64,
}

/// The file.
pub(super) struct SinkFile {
    path: PathBuf,
    format: SinkFormat,
    config: SinkConfig,
    open: Option<Open>,
    /// A write failed in the middle and could not be taken back: the file, and how long it was.
    torn: Option<(system::Identity, u64)>,
    /// Group of the file that was set aside, for the new one.
    group: Option<u32>,
    /// Why the file could not be set aside when it was time.
    stuck: Option<SinkError>,
}

struct Open {
    file: File,
    identity: system::Identity,
    /// Local time of the last row.
    last: Option<DateTime>,
}

impl SinkFile {
    pub(super) fn new(config: &SinkConfig) -> Self {
        let format = config.format.unwrap_or(SinkFormat::Csv);
        Self {
            path: config.path.clone(),
            format,
            config: config.clone(),
            open: None,
            torn: None,
            group: None,
            stuck: None,
        }
    }

    /// Looks whether a file that is there can be continued. Changes nothing.
    pub(super) fn check(&self) -> Result<(), SinkError> {
        let failed = |error: &io::Error| SinkError::from_io("read", &self.path, error);
        let file = match system::open_to_read(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.not_opened("read", &error)),
        };
        self.check_kind(&file)?;
        match content::look(&file, self.format).map_err(|error| failed(&error))? {
            Content::Foreign(reason) => Err(self.foreign(reason)),
            Content::Empty | Content::Ours { .. } => Ok(()),
        }
    }

    /// Why the file goes on although it should have been set aside.
    pub(super) fn stuck(&self) -> Option<&SinkError> {
        self.stuck.as_ref()
    }

    /// Appends whole lines, or nothing.
    pub(super) fn append(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let mut length = self.prepare()?;
        self.stuck = None;
        if self.is_to_be_set_aside(length, batch) {
            // A file that is too large is better than rows that are lost.
            self.stuck = self.set_aside().err();
            length = self.prepare()?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let header = if length == 0 && self.format == SinkFormat::Csv { HEADER.as_slice() } else { &[] };
        let mut file = &open.file;
        let written = file
            .seek(SeekFrom::End(0))
            .and_then(|_| file.write_all(header))
            .and_then(|()| file.write_all(&batch.bytes));
        if let Err(error) = written {
            if open.file.set_len(length).is_err() {
                self.torn = Some((open.identity, length));
            }
            self.open = None;
            return Err(SinkError::from_io("write", &self.path, &error));
        }
        open.last = Some(batch.local);
        Ok(())
    }

    /// The file as it should be: that of our path, opened, with a line end at its end. Answers its length.
    fn prepare(&mut self) -> Result<u64, SinkError> {
        // Whoever moved it away or replaced it, such as logrotate, gets a new one.
        if let Some(open) = &self.open
            && system::is_at(&self.path, &open.identity)
        {
            let metadata = open.file.metadata().map_err(|error| SinkError::from_io("look at", &self.path, &error))?;
            return Ok(metadata.len());
        }
        self.open = None;
        let file = system::open_to_append(&self.path, self.config.mode.bits(), self.group)
            .map_err(|error| self.not_opened("open", &error))?;
        self.check_kind(&file)?;
        let failed = |error: &io::Error| SinkError::from_io("read", &self.path, error);
        if !system::lock(&file) {
            return Err(SinkError::InUse { path: self.path.clone() });
        }
        let identity = system::identity(&file).map_err(|error| failed(&error))?;
        if let Some((torn, length)) = self.torn {
            if torn == identity && file.metadata().is_ok_and(|metadata| metadata.len() > length) {
                file.set_len(length).map_err(|error| SinkError::from_io("mend", &self.path, &error))?;
            }
            self.torn = None;
        }
        let (length, last) = match content::look(&file, self.format).map_err(|error| failed(&error))? {
            Content::Foreign(reason) => return Err(self.foreign(reason)),
            Content::Empty => (0, None),
            Content::Ours { length, last } => (length, last),
        };
        system::set_mode(&file, self.config.mode.bits());
        let found = file.metadata().map_err(|error| failed(&error))?.len();
        if found > length {
            file.set_len(length).map_err(|error| SinkError::from_io("mend", &self.path, &error))?;
            let bytes = found - length;
            tracing::warn!(path = %self.path.display(), bytes, "the last line was cut and is removed");
        }
        self.open = Some(Open { file, identity, last });
        Ok(length)
    }

    fn is_to_be_set_aside(&self, length: u64, batch: &Batch) -> bool {
        let Some(last) = self.open.as_ref().and_then(|open| open.last).filter(|_| length > 0) else { return false };
        let is_too_large = self
            .config
            .largest_bytes()
            .is_some_and(|largest| length.saturating_add(batch.bytes.len() as u64) > largest);
        is_too_large || (self.config.rotate_daily && last.date() != batch.local.date())
    }

    /// Gives the file a name with the time of its last row, and deletes the oldest of those beyond what is kept.
    fn set_aside(&mut self) -> Result<(), SinkError> {
        let Some(Open { file, last: Some(last), .. }) = &self.open else { return Ok(()) };
        self.group = system::group(file);
        let aside = rotation::free_name(&self.path, *last);
        let renamed = system::rename(&self.path, &aside);
        renamed.map_err(|error| SinkError::from_io("set aside", &self.path, &error))?;
        self.open = None;
        tracing::info!(path = %self.path.display(), aside = %aside.display(), "a file of a sink was set aside");
        for old in rotation::surplus(&self.path, &aside, self.config.kept().unwrap_or(usize::MAX)) {
            match fs::remove_file(&old) {
                Ok(()) => tracing::info!(path = %old.display(), "deleted an old file of a sink"),
                Err(error) => tracing::warn!(path = %old.display(), %error, "cannot delete an old file of a sink"),
            }
        }
        Ok(())
    }

    fn check_kind(&self, file: &File) -> Result<(), SinkError> {
        let metadata = file.metadata().map_err(|error| SinkError::from_io("look at", &self.path, &error))?;
        let reason = if metadata.is_dir() {
            "is a folder"
        } else if !metadata.is_file() {
            "is no file but a pipe or a device"
        } else if system::has_other_names(&metadata) {
            "has another name elsewhere"
        } else {
            return Ok(());
        };
        Err(SinkError::NotAFile { path: self.path.clone(), reason })
    }

    /// What could not be opened may be no file at all.
    fn not_opened(&self, operation: &'static str, error: &io::Error) -> SinkError {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_symlink() => {
                SinkError::NotAFile { path: self.path.clone(), reason: "is a link; name the file it leads to" }
            }
            Ok(metadata) if metadata.is_dir() => SinkError::NotAFile { path: self.path.clone(), reason: "is a folder" },
            Ok(metadata) if !metadata.is_file() => {
                SinkError::NotAFile { path: self.path.clone(), reason: "is no file but a pipe or a device" }
            }
            _ => SinkError::from_io(operation, &self.path, error),
        }
    }

    fn foreign(&self, reason: &str) -> SinkError {
        SinkError::Foreign { path: self.path.clone(), reason: reason.to_owned() }
    }
}
