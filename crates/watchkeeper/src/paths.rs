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

/// Longest path that the kernel takes for a Unix socket, in bytes.
const LONGEST_SOCKET_PATH: usize = 107;

/// The control socket of the store in this folder. A path that is too long for the kernel becomes one in a private
/// folder of the runtime directory, named after the store's folder, so that every command finds the same.
pub fn control_socket(state_folder: &Path) -> PathBuf {
    let direct = state_folder.join("control.sock");
    if direct.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return direct;
    }
    let uid = rustix::process::geteuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let name = state_folder.as_os_str().as_encoded_bytes();
    let hash = name
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    runtime.join(format!("watchkeeper-{uid}")).join(format!("{hash:016x}.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_folder_holds_its_socket() {
        assert_eq!(control_socket(Path::new("/var/lib/watchkeeper")), Path::new("/var/lib/watchkeeper/control.sock"));
    }

    #[test]
    fn a_long_folder_gets_a_socket_that_the_kernel_takes() {
        let long = PathBuf::from(format!("/{}", "x".repeat(200)));
        let other = PathBuf::from(format!("/{}", "y".repeat(200)));
        let socket = control_socket(&long);
        assert!(socket.as_os_str().len() <= LONGEST_SOCKET_PATH);
        assert_eq!(socket, control_socket(&long));
        assert_ne!(socket, control_socket(&other));
    }
}
