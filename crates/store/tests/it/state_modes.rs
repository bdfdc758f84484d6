//! Owners and modes of a store's folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use watchkeeper_store::OpenError;

use crate::state_child::start_under;
use crate::state_folder::{open, place, refusal};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn nobody_else_can_read_what_a_watch_makes_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let (_around, folder) = place();
        let status = start_under(umask, "look at the modes", &folder).wait().unwrap();
        assert!(status.success(), "umask {umask}");
    }
}

#[test]
fn a_store_that_others_can_change_is_refused_with_the_command_that_mends_it() {
    for inside in [None, Some("lock")] {
        let (_around, folder) = place();
        fs::create_dir(&folder).unwrap();
        if let Some(inside) = inside {
            fs::write(folder.join(inside), "1\n").unwrap();
        }
        chmod(&folder, 0o770);
        let text = refusal(&folder).to_string();
        assert!(text.contains("others can write"), "{text}");
        assert!(text.contains(&format!("`chmod 700 {}`", folder.display())), "{text}");
        assert_eq!(mode(&folder), 0o770, "it was left as it is");
    }
}

#[test]
fn a_folder_with_other_things_is_refused_and_nobody_is_told_to_close_it_to_others() {
    for (folder_mode, words) in [(0o722, "others can write"), (0o770, "others can write"), (0o755, "others can read")] {
        let (_around, folder) = place();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("something"), "of somebody").unwrap();
        chmod(&folder, folder_mode);
        let text = refusal(&folder).to_string();
        assert!(text.contains(words) && text.contains("a folder of its own"), "{text}");
        assert!(!text.contains("chmod"), "{text}");
        assert_eq!(mode(&folder), folder_mode, "it was left as it is");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_a_remedy() {
    let (around, folder) = place();
    symlink(around.path().join("gone/nowhere"), &folder).unwrap();
    let text = refusal(&folder).to_string();
    assert!(text.starts_with("cannot make") && text.contains("`store.path`"), "{text}");
    let link = around.path().join("link");
    symlink(around.path().join("nowhere"), &link).unwrap();
    assert!(matches!(refusal(&link), OpenError::System { .. }));
}

#[test]
fn an_empty_folder_and_one_of_ours_are_made_private() {
    let (_around, folder) = place();
    fs::create_dir(&folder).unwrap();
    chmod(&folder, 0o755);
    drop(open(&folder).unwrap());
    assert_eq!(mode(&folder), 0o700);
    chmod(&folder, 0o750);
    chmod(&folder.join("log"), 0o755);
    chmod(&folder.join("state.db"), 0o644);
    fs::write(folder.join("log/notes"), "").unwrap();
    chmod(&folder.join("log/notes"), 0o666);
    drop(open(&folder).unwrap());
    assert_eq!((mode(&folder), mode(&folder.join("log"))), (0o700, 0o700));
    assert_eq!((mode(&folder.join("state.db")), mode(&folder.join("log/notes"))), (0o600, 0o600));
}

#[cfg(target_os = "linux")] // the build machines of the others do not run tests as root
#[test]
fn a_folder_of_another_user_is_refused() {
    let (_around, folder) = place();
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(65_534), None).expect("giving a folder away needs root");
    let text = refusal(&folder).to_string();
    assert!(text.contains("it belongs to user 65534, the watch runs as user 0"), "{text}");
    assert!(text.contains("`chown -R 0 "), "{text}");
}
