//! The folder `rules.d` beside the configuration file: files of rules, in the order of their names.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::files::{self, Unreadable, Writers, shown};
use super::load::SourceFile;
use super::safety;

/// Name of the folder.
pub const FOLDER_NAME: &str = "rules.d";
/// Files that are read.
const MOST_FILES: usize = 500;
/// Bytes of all of them.
const LARGEST_TOGETHER: usize = 4 << 20;
/// What they are, for messages.
const WHAT: &str = "file of rules";

/// The files of rules that were read.
#[derive(Default)]
pub struct RuleFiles {
    /// Those that could be read, in the order of their names.
    pub files: Vec<SourceFile>,
    /// What is said of the others.
    pub unread: Vec<Diagnostic>,
}

/// The folder that counts: beside the file that counts, whether that exists or not. `None`: this user has no home folder.
pub fn folder(config: Option<&Path>) -> Option<PathBuf> {
    let (file, _) = files::candidate(config)?;
    Some(file.parent().unwrap_or(Path::new("")).join(FOLDER_NAME))
}

/// Paths of the files of rules in a folder, in the order of their names; none if there is no such folder. What editors
/// leave behind and hidden files are none.
///
/// # Errors
/// The folder cannot be listed.
pub fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry?;
        if is_file_of_rules(&entry.file_name().to_string_lossy()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a name is that of a file of rules: `web.toml`, but not `.#web.toml`, `web.toml~`, `.web.toml.swp` or
/// `#web.toml#`.
fn is_file_of_rules(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) && !name.starts_with(['.', '#', '~'])
}

impl RuleFiles {
    /// Reads all files of a folder. What cannot be read is said with the mistakes of the others.
    pub fn read(folder: &Path) -> Self {
        let mut read = Self::default();
        let paths = match guarded_list(folder) {
            Ok(paths) => paths,
            Err(refusal) => {
                read.unread.push(refusal);
                return read;
            }
        };
        if paths.len() > MOST_FILES {
            let message = format!("the folder {} has more than {MOST_FILES} files of rules", shown(folder));
            read.unread.push(Diagnostic::new(message).help("put more rules into each file"));
            return read;
        }
        for path in paths {
            // A file that was removed since the folder was listed is not missing; a link that leads nowhere is.
            if path.symlink_metadata().is_ok() {
                read.add(path, Writers::Trusted);
            }
        }
        let together: usize = read.files.iter().map(|file| file.text.len()).sum();
        if together > LARGEST_TOGETHER {
            let message = format!("the files of rules in {} are larger than 4 MiB together", shown(folder));
            read.unread.push(Diagnostic::new(message));
            read.files.clear();
        }
        read
    }

    /// Reads a file that is to be looked at as if it lay in the folder; one that does lie there is looked at once.
    pub fn add_as_if(&mut self, path: &Path) {
        let is_same = |file: &SourceFile| {
            file.path == path
                || file.path.canonicalize().ok().is_some_and(|real| path.canonicalize().ok() == Some(real))
        };
        if !self.files.iter().any(is_same) {
            self.add(path.to_owned(), Writers::Anybody);
        }
    }

    fn add(&mut self, path: PathBuf, writers: Writers) {
        match files::read(&path, WHAT, writers) {
            Ok(text) => self.files.push(SourceFile { path, text }),
            Err(Unreadable::Missing) => self.unread.push(files::missing(&path, WHAT)),
            Err(Unreadable::Folder(refusal) | Unreadable::Because(refusal)) => self.unread.push(refusal),
        }
    }
}

/// The list of files of a folder that can be relied on.
fn guarded_list(folder: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let failed = |error: std::io::Error| {
        let why = match error.kind() {
            ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
            ErrorKind::NotADirectory => "is no folder".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Diagnostic::new(format!("the folder of rules {} {why}", shown(folder)))
    };
    let metadata = match folder.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound && folder.symlink_metadata().is_err() => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_dir() {
        // Not every system says so by itself when its files are listed.
        return Err(failed(ErrorKind::NotADirectory.into()));
    }
    // Whoever can add a file here makes rules.
    safety::refuse_writable(folder, &metadata, "folder of rules")
        .map_err(|refusal| Diagnostic::new(refusal.message).help(refusal.help))?;
    list(folder).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_editors_are_no_files_of_rules() {
        for (name, is) in [
            ("web.toml", true),
            ("10-web.toml", true),
            ("a.b.toml", true),
            ("WEB.TOML", true),
            (".web.toml", false),
            (".#web.toml", false),
            ("#web.toml#", false),
            ("web.toml~", false),
            (".web.toml.swp", false),
            ("web.toml.swp", false),
            ("web.toml.bak", false),
            ("web.toml.dpkg-new", false),
            ("~web.toml", false),
            ("README", false),
            ("toml", false),
            (".toml", false),
            ("..data", false),
        ] {
            assert_eq!(is_file_of_rules(name), is, "{name}");
        }
    }

    #[test]
    fn files_are_read_in_the_order_of_their_names_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join(FOLDER_NAME);
        assert!(RuleFiles::read(&rules).files.is_empty(), "no folder");
        fs::create_dir(&rules).unwrap();
        for name in ["b.toml", "a.toml", "C.toml", ".hidden.toml", "notes.txt"] {
            fs::write(rules.join(name), format!("# {name}\n")).unwrap();
        }
        let mut read = RuleFiles::read(&rules);
        let names = |read: &RuleFiles| -> Vec<String> { read.files.iter().map(|file| file.text.clone()).collect() };
        assert_eq!(names(&read), ["# C.toml\n", "# a.toml\n", "# b.toml\n"]);
        read.add_as_if(&rules.join("../rules.d/a.toml"));
        assert_eq!(names(&read).len(), 3, "it lies there");
        read.add_as_if(&rules.join("notes.txt"));
        assert_eq!(names(&read).last().map(String::as_str), Some("# notes.txt\n"));
        read.add_as_if(&rules.join("nowhere.toml"));
        let said = read.unread.pop().unwrap().message;
        assert!(said.starts_with("the file of rules ") && said.ends_with("nowhere.toml does not exist"), "{said}");
    }

    #[test]
    fn what_cannot_be_read_does_not_hide_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join(FOLDER_NAME);
        fs::create_dir(&rules).unwrap();
        fs::write(rules.join("a.toml"), "# fine\n").unwrap();
        fs::write(rules.join("b.toml"), b"\n\xff").unwrap();
        fs::create_dir(rules.join("c.toml")).unwrap();
        fs::write(rules.join("d.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
        let read = RuleFiles::read(&rules);
        assert_eq!(read.files.len(), 1);
        let said: Vec<&str> = read.unread.iter().map(|refusal| refusal.message.as_str()).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        for (said, why) in said.iter().zip(["is not valid UTF-8 in line 2", "is a folder", "is larger than 1 MiB"]) {
            assert!(said.ends_with(why), "{said}");
        }
        fs::remove_dir_all(&rules).unwrap();
        fs::write(&rules, "").unwrap();
        let read = RuleFiles::read(&rules);
        assert!(read.unread[0].message.ends_with("is no folder"), "{}", read.unread[0].message);
    }

    #[test]
    fn there_is_a_limit_to_how_much_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..5 {
            fs::write(folder.path().join(format!("{number}.toml")), vec![b'#'; 1 << 20]).unwrap();
        }
        let read = RuleFiles::read(folder.path());
        assert!(read.files.is_empty() && read.unread[0].message.ends_with("are larger than 4 MiB together"));
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=MOST_FILES {
            fs::write(folder.path().join(format!("{number}.toml")), "").unwrap();
        }
        let read = RuleFiles::read(folder.path());
        assert!(read.files.is_empty() && read.unread[0].message.ends_with("has more than 500 files of rules"));
    }
}
