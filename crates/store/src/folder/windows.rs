//! The folder of a store on Windows: what a folder lets in is inherited from the one above it.
//!
//! A user's profile, and with it the default place of a store, lets in that user, SYSTEM and Administrators, which is
//! what 0700 and root mean elsewhere. Outside of it nobody has checked who is let in, and that is said.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::IsOurs;
use crate::error::OpenError;

/// Makes a folder and those above it.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Refuses a folder outside of the profile that holds other things: others may need it, and it is no place for a store.
pub(super) fn check_private(folder: &Path, is_ours: IsOurs) -> Result<(), OpenError> {
    if is_in_profile(folder) || is_ours(folder)? {
        return Ok(());
    }
    Err(OpenError::NotPrivate {
        path: folder.to_owned(),
        reason: "it holds other things".to_owned(),
        remedy: "choose a folder of its own with `store.path`".to_owned(),
    })
}

/// Files inherit what their folder lets in.
#[expect(clippy::unnecessary_wraps, reason = "other systems have something to mend")]
pub(super) fn make_files_private(_folder: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// Outside of the profile, the command that lets in nobody else.
pub(super) fn doubt(folder: &Path) -> Option<String> {
    let shown = folder.display();
    (!is_in_profile(folder)).then(|| {
        format!(
            "the store {shown} lies outside of your profile, and who may read it there was not checked; this lets in \
             only you, SYSTEM and Administrators: icacls \"{shown}\" /inheritance:r /grant:r \"%USERNAME%:(OI)(CI)F\" \
             \"*S-1-5-18:(OI)(CI)F\" \"*S-1-5-32-544:(OI)(CI)F\""
        )
    })
}

pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    fs4::available_space(path).ok()
}

/// The standard library does not tell what a compressed file occupies.
pub(super) fn allocated_bytes(metadata: &Metadata) -> u64 {
    metadata.len()
}

/// `C:\a` is `/C:/a` there, and `\\server\share` is `//server/share`.
pub(super) fn uri_path(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    if text.starts_with('/') { text } else { format!("/{text}") }
}

/// Whether a folder lies in the profile of the user this runs as.
fn is_in_profile(folder: &Path) -> bool {
    let Some(profile) = std::env::home_dir().filter(|profile| profile.is_absolute()) else { return false };
    real(folder).starts_with(real(&profile))
}

/// Without links, and in one spelling: names differ by more than case. What does not exist is below what does.
fn real(path: &Path) -> PathBuf {
    let real = path.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        Some(real.join(path.strip_prefix(above).ok()?))
    });
    PathBuf::from(real.unwrap_or_else(|| path.to_owned()).to_string_lossy().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_outside_of_the_profile_is_spoken_of() {
        let profile = std::env::home_dir().expect("a profile");
        let name = profile.file_name().expect("a name").to_string_lossy().to_uppercase();
        for inside in [profile.clone(), profile.join("x"), profile.with_file_name(name).join("AppData")] {
            assert_eq!(doubt(&inside), None, "{}", inside.display());
        }
        for outside in [profile.with_file_name("somebody"), PathBuf::from("C:\\watch")] {
            let doubt = doubt(&outside).unwrap_or_default();
            assert!(doubt.contains("outside of your profile") && doubt.contains("icacls"), "{doubt}");
        }
    }

    #[test]
    fn a_folder_that_holds_other_things_is_refused_only_outside_of_the_profile() {
        let outside = Path::new("C:\\watch");
        assert!(check_private(outside, |_| Ok(true)).is_ok());
        let refused = check_private(outside, |_| Ok(false)).expect_err("it is refused").to_string();
        assert!(refused.contains("it holds other things") && refused.contains("`store.path`"), "{refused}");
        let profile = std::env::home_dir().expect("a profile");
        assert!(check_private(&profile, |_| Ok(false)).is_ok());
    }

    #[test]
    fn names_for_sqlite_have_slashes() {
        for (path, expected) in
            [("C:\\a b\\2026-11-20.db", "/C:/a b/2026-11-20.db"), ("\\\\server\\share\\x.db", "//server/share/x.db")]
        {
            assert_eq!(uri_path(Path::new(path)), expected);
        }
    }

    #[test]
    fn the_system_says_how_much_is_free() {
        assert!(free_bytes(&std::env::temp_dir()).is_some_and(|bytes| bytes > 0));
    }
}
