//! Where the program keeps its things.

use std::path::{Path, PathBuf};

use anyhow::Context;
use directories::ProjectDirs;
use watchkeeper_store::StoreConfig;

use crate::control;

/// The folder of macOS for what belongs to the machine and to no user.
const MACOS_SHARED: &str = "/Library/Application Support/watchkeeper";

/// Folder of the store: the configured one, else the platform's: that of the machine for root on Unix systems, that of
/// the user for everybody else.
pub fn state_folder(config: &StoreConfig) -> anyhow::Result<PathBuf> {
    if let Some(path) = &config.path {
        return std::path::absolute(path).with_context(|| format!("cannot use store.path = {}", path.display()));
    }
    if is_root() {
        let linux = PathBuf::from("/var/lib/watchkeeper");
        return Ok(if is_macos() { Path::new(MACOS_SHARED).join("state") } else { linux });
    }
    let project =
        project().context("no home folder is known for this user; set store.path, or WATCHKEEPER_STORE__PATH")?;
    if let Some(folder) = project.state_dir() {
        return Ok(folder.to_owned());
    }
    let folder = project.data_local_dir();
    // Where configuration and data share a folder, people make it themselves, open to others; the store needs its own.
    Ok(if folder == project.config_dir() { folder.join("state") } else { folder.to_owned() })
}

/// Folder of the configuration, by the same rule. `None`: this user has no home folder.
pub fn config_folder() -> Option<PathBuf> {
    if is_root() {
        return Some(PathBuf::from(if is_macos() { MACOS_SHARED } else { "/etc/watchkeeper" }));
    }
    project().map(|project| project.config_dir().to_owned())
}

/// Where the watch of the store in this folder is asked.
pub fn control_socket(state_folder: &Path) -> PathBuf {
    control::address(state_folder)
}

/// Whether this runs as root: what it reads then, nobody else may have written. Windows has no such user.
pub fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    false
}

fn project() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "watchkeeper")
}

fn is_macos() -> bool {
    std::env::consts::OS == "macos"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_a_folder_of_its_own_and_one_that_is_named_counts() {
        let folder = state_folder(&StoreConfig::default()).unwrap();
        assert!(folder.is_absolute(), "{}", folder.display());
        assert_ne!(Some(folder), config_folder(), "people make the folder of the configuration themselves");
        let path = std::env::temp_dir().join("named");
        let config = StoreConfig { path: Some(path.clone()), ..StoreConfig::default() };
        assert_eq!(state_folder(&config).unwrap(), path);
    }
}
