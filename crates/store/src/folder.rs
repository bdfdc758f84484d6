//! The folder of a store: private from the moment it is made, and what the system says about its disk.
//!
//! What differs between operating systems is in `folder/unix.rs` and `folder/windows.rs`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;
use crate::error::OpenError;

/// Folder of the day files, inside the folder of the store.
pub(crate) const LOG: &str = "log";
/// The lock file.
pub(crate) const LOCK: &str = "lock";
/// The state database.
pub(crate) const STATE: &str = "state.db";

/// Makes the folder of a store and its log folder, or checks those that are there and makes them and their files private.
/// Answers what could not be checked about it, if anything.
///
/// # Errors
/// [`OpenError::NotPrivate`] if others own one of them or can write to it, or could read a folder that is not known to be
/// ours; what the system says.
pub(crate) fn prepare(folder: &Path) -> Result<Option<String>, OpenError> {
    private_folder(folder, is_ours_or_empty)?;
    // Inside a folder that is private by now, what is called `log` is ours.
    private_folder(&folder.join(LOG), |_| Ok(true))?;
    for inside in [folder, &folder.join(LOG)] {
        system::make_files_private(inside)?;
    }
    Ok(system::doubt(folder))
}

/// Opens a file for reading and writing that nobody else can read, whatever the umask; made if it is missing. SQLite
/// gives a database's companions (`-wal`, `-shm`) the mode of the database, so they are private as well.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    system::create_private(path)
}

/// Bytes that this user can still write to the filesystem of `path`; `None` if the system does not say.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    system::free_bytes(path)
}

/// Bytes that the files directly inside a folder whose names begin with `prefix` occupy on disk.
pub(crate) fn occupied_bytes(folder: &Path, prefix: &str) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|metadata| system::allocated_bytes(&metadata))
        .sum()
}

/// A file's path as SQLite takes it in a `file:` name.
pub(crate) fn uri(path: &Path) -> String {
    let text = system::uri_path(path).replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{text}")
}

/// Moves a database and its companions out of the way, to `NAME.damaged-N`, and says where to.
pub(crate) fn set_aside(database: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error: &io::Error| OpenError::from_io("set aside", database, error);
    let aside = (1..=u32::MAX)
        .map(|number| with_suffix(database, &format!(".damaged-{number}")))
        .find(|path| !path.exists())
        .expect("a folder does not hold four thousand million files");
    fs::rename(database, &aside).map_err(|error| failed(&error))?;
    for companion in ["-wal", "-shm"] {
        match fs::rename(with_suffix(database, companion), with_suffix(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&error)),
            _ => {}
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether a folder is known to be a store of ours, or may become one.
type IsOurs = fn(&Path) -> Result<bool, OpenError>;

fn private_folder(folder: &Path, is_ours: IsOurs) -> Result<(), OpenError> {
    match fs::metadata(folder) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            system::make_folder(folder).map_err(|error| match OpenError::from_io("make", folder, &error) {
                OpenError::Missing { path } | OpenError::Refused { path } | OpenError::System { path, .. } => {
                    let reason = format!("{error}; choose another folder with `store.path`");
                    OpenError::System { operation: "make", path, reason }
                }
                other => other,
            })?;
        }
        Err(error) => return Err(OpenError::from_io("look at", folder, &error)),
    }
    let metadata = fs::metadata(folder).map_err(|error| OpenError::from_io("look at", folder, &error))?;
    if !metadata.is_dir() {
        return Err(OpenError::NotAFolder { path: folder.to_owned() });
    }
    system::check_private(folder, is_ours)
}

fn is_ours_or_empty(folder: &Path) -> Result<bool, OpenError> {
    let mut entries = fs::read_dir(folder).map_err(|error| OpenError::from_io("list", folder, &error))?;
    Ok(folder.join(LOCK).is_file() || entries.next().is_none())
}
