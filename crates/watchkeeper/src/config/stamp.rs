//! What the files of the configuration look like from outside: another stamp means that somebody changed them.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{files, rule_files};

/// What the files look like. They are not opened: looking costs a few system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, Option<FileStamp>)>);

/// What a file looks like behind all links; links that are swapped lead to another file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    length_bytes: u64,
    modified: Option<SystemTime>,
    identity: Identity,
}

impl Stamp {
    /// The main file, whether it is there or not, and the files of rules beside it.
    pub fn now(config: Option<&Path>) -> Self {
        let main = files::candidate(config).map(|(path, _)| path);
        let folder = rule_files::folder(config);
        let rules = folder.as_deref().and_then(|folder| rule_files::list(folder).ok()).unwrap_or_default();
        let paths = main.into_iter().chain(rules);
        let stamped = paths.map(|path| {
            let stamp = path.metadata().ok().map(|metadata| FileStamp::of(&metadata));
            (path, stamp)
        });
        Self(stamped.collect())
    }
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        Self { length_bytes: metadata.len(), modified, identity: identity(metadata) }
    }
}

/// Device, inode, and when the inode changed: seconds and nanoseconds.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);
/// When the file was made; Windows gives one that replaces another the time of that.
#[cfg(not(unix))]
type Identity = Option<SystemTime>;

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.created().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    /// A folder with a configuration and a rule, and what it looks like.
    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            fs::write(files.path("watchkeeper.toml"), "# main").unwrap();
            fs::create_dir(files.path("rules.d")).unwrap();
            fs::write(files.path("rules.d/a.toml"), "# a").unwrap();
            files
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn stamp(&self) -> Stamp {
            Stamp::now(Some(&self.path("watchkeeper.toml")))
        }
    }

    /// Sets the time of a file as a slow clock of a filesystem would, so that a test need not wait.
    fn touch(path: &Path, seconds: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn whatever_changes_a_file_changes_the_stamp() {
        type Change = fn(&Files);
        let cases: &[(&str, Change)] = &[
            ("another length", |files| fs::write(files.path("watchkeeper.toml"), "# main, longer").unwrap()),
            ("the same length", |files| {
                fs::write(files.path("rules.d/a.toml"), "# b").unwrap();
                touch(&files.path("rules.d/a.toml"), 60);
            }),
            // Elsewhere nothing tells such a file from the one before it.
            #[cfg(unix)]
            ("replaced by another with the same time", |files| {
                fs::write(files.path("new"), "# b").unwrap();
                touch(&files.path("new"), 0);
                fs::rename(files.path("new"), files.path("rules.d/a.toml")).unwrap();
            }),
            ("the main file is removed", |files| fs::remove_file(files.path("watchkeeper.toml")).unwrap()),
            ("a file is removed", |files| fs::remove_file(files.path("rules.d/a.toml")).unwrap()),
            ("a file is added", |files| fs::write(files.path("rules.d/b.toml"), "").unwrap()),
            ("a file is renamed", |files| {
                fs::rename(files.path("rules.d/a.toml"), files.path("rules.d/b.toml")).unwrap();
            }),
            ("the folder is removed", |files| fs::remove_dir_all(files.path("rules.d")).unwrap()),
        ];
        for (name, change) in cases {
            let files = Files::new();
            touch(&files.path("watchkeeper.toml"), 0);
            touch(&files.path("rules.d/a.toml"), 0);
            let before = files.stamp();
            assert_eq!(before, files.stamp(), "{name}");
            change(&files);
            assert_ne!(before, files.stamp(), "{name}");
        }
    }

    #[test]
    fn what_is_no_file_of_rules_does_not_matter() {
        let files = Files::new();
        let before = files.stamp();
        for name in ["rules.d/.a.toml.swp", "rules.d/a.toml~", "rules.d/.#a.toml", "rules.d/README", "notes.toml"] {
            fs::write(files.path(name), "x").unwrap();
        }
        assert_eq!(before, files.stamp());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_is_swapped_is_another_file() {
        use std::os::unix::fs::symlink;
        // As volumes of containers do it: the file is a link through a link that is swapped as a whole.
        let files = Files(tempfile::tempdir().unwrap());
        for version in ["v1", "v2"] {
            fs::create_dir_all(files.path(version).join("rules.d")).unwrap();
            for name in ["watchkeeper.toml", "rules.d/a.toml"] {
                fs::write(files.path(version).join(name), "# same").unwrap();
                touch(&files.path(version).join(name), 0);
            }
        }
        symlink("v1", files.path("..data")).unwrap();
        symlink("..data/watchkeeper.toml", files.path("watchkeeper.toml")).unwrap();
        symlink("..data/rules.d", files.path("rules.d")).unwrap();
        let before = files.stamp();
        symlink("v2", files.path("..new")).unwrap();
        fs::rename(files.path("..new"), files.path("..data")).unwrap();
        let after = files.stamp();
        assert_ne!(before.0[0], after.0[0], "the main file");
        assert_ne!(before.0[1], after.0[1], "the file of rules");
    }
}
