//! The folder of a store: private from the moment it is made, and what the system says about its disk.
//!
//! All that differs between operating systems is here.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Folder of the day files, inside the folder of the store.
pub(crate) const LOG: &str = "log";
/// The lock file.
pub(crate) const LOCK: &str = "lock";
/// The state database.
pub(crate) const STATE: &str = "state.db";

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes the folder of a store and its log folder, or checks those that are there and makes them and their files private.
///
/// # Errors
/// [`OpenError::NotPrivate`] if others own one of them or can write to it, or could read a folder that is not known to be
/// ours; what the system says.
pub(crate) fn prepare(folder: &Path) -> Result<(), OpenError> {
    private_folder(folder, is_ours_or_empty)?;
    // Inside a folder that is private by now, what is called `log` is ours.
    private_folder(&folder.join(LOG), |_| Ok(true))?;
    for inside in [folder, &folder.join(LOG)] {
        for entry in fs::read_dir(inside).map_err(|error| OpenError::from_io("list", inside, &error))?.flatten() {
            let (path, metadata) = (entry.path(), entry.metadata());
            if metadata.is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 != 0) {
                let private = fs::set_permissions(&path, Permissions::from_mode(FILE_MODE));
                private.map_err(|error| OpenError::from_io("make private", &path, &error))?;
            }
        }
    }
    Ok(())
}

/// Opens a file for reading and writing that nobody else can read, whatever the umask; made if it is missing. SQLite
/// gives a database's companions (`-wal`, `-shm`) the mode of the database, so they are private as well.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    if file.metadata()?.mode() & 0o777 != FILE_MODE {
        // The umask took bits of our own, or the file is older than this rule.
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    Ok(file)
}

/// Bytes that this user can still write to the filesystem of `path`; `None` if the system does not say.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let answer = rustix::fs::statvfs(path).ok()?;
    Some(answer.f_bavail.saturating_mul(answer.f_frsize))
}

/// Bytes that the files directly inside a folder whose names begin with `prefix` occupy on disk.
pub(crate) fn occupied_bytes(folder: &Path, prefix: &str) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.blocks().saturating_mul(512))
        .sum()
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

fn private_folder(folder: &Path, is_ours: fn(&Path) -> Result<bool, OpenError>) -> Result<(), OpenError> {
    match fs::metadata(folder) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
            made.map_err(|error| match OpenError::from_io("make", folder, &error) {
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
    // What others need, such as /tmp or somebody's home, must not be mended away: it is no place for a store.
    let not_private = |reason: String, command: &str| OpenError::NotPrivate {
        path: folder.to_owned(),
        reason,
        remedy: if is_ours(folder).unwrap_or(false) {
            format!("mend it with `{command} {}`, or choose another folder with `store.path`", folder.display())
        } else {
            "choose a folder of its own with `store.path`".to_owned()
        },
    };
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        let reason = format!("it belongs to user {}, the watch runs as user {user}", metadata.uid());
        return Err(not_private(reason, &format!("chown -R {user}")));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(not_private(format!("others can write to it (mode {mode:03o})"), "chmod 700"));
    }
    if mode & 0o077 != 0 && !is_ours(folder)? {
        // Not made private silently: somebody may have named a folder that others need, such as their home.
        return Err(not_private(format!("others can read it (mode {mode:03o})"), "chmod 700"));
    }
    if mode != FOLDER_MODE {
        let private = fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE));
        private.map_err(|error| OpenError::from_io("make private", folder, &error))?;
    }
    Ok(())
}

fn is_ours_or_empty(folder: &Path) -> Result<bool, OpenError> {
    let mut entries = fs::read_dir(folder).map_err(|error| OpenError::from_io("list", folder, &error))?;
    Ok(folder.join(LOCK).is_file() || entries.next().is_none())
}
