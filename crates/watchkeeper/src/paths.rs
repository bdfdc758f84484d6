//! Where the program keeps its things.

use std::path::{Path, PathBuf};

use anyhow::Context;
use watchkeeper_store::StoreConfig;

/// Folder of the store: the configured one, else `/var/lib/watchkeeper` for root and the platform's state folder for users.
pub fn state_folder(config: &StoreConfig) -> anyhow::Result<PathBuf> {
    if let Some(path) = &config.path {
        return std::path::absolute(path).with_context(|| format!("cannot use store.path = {}", path.display()));
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/watchkeeper"));
    }
    let project = directories::ProjectDirs::from("", "", "watchkeeper")
        .context("no home folder is known for this user; set store.path, or WATCHKEEPER_STORE__PATH")?;
    Ok(project.state_dir().unwrap_or_else(|| project.data_local_dir()).to_owned())
}

/// The control socket of the store in this folder.
pub fn control_socket(state_folder: &Path) -> PathBuf {
    state_folder.join("control.sock")
}
