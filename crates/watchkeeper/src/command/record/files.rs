//! The files of a recording: what is wrong with their places, and names for what must not be overwritten.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use watchkeeper_core::Problem;
use watchkeeper_core::text::{clean, local_time};
use watchkeeper_report::{behind_links, spool_path};

use crate::config::RecordConfig;

/// The key of the workbook.
const OUTPUT: &str = "record.output_filename";

/// Where a recording goes.
#[derive(Debug)]
pub struct Files {
    /// The workbook.
    pub output: PathBuf,
    /// The threat log.
    pub threat_log: PathBuf,
    /// Where rows wait for their workbook.
    pub spool: PathBuf,
}

impl Files {
    /// The files that the configuration names; relative ones are in the current folder.
    pub fn of(config: &RecordConfig) -> Self {
        let output = config.output_filename.clone();
        Self { spool: spool_path(&output), output, threat_log: config.threat_log_filename.clone() }
    }

    /// Everything that is wrong with their places. Looks at folders, changes nothing.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, path) in [(OUTPUT, &self.output), ("record.threat_log_filename", &self.threat_log)] {
            let place = match behind_links(path) {
                Ok(place) => place,
                Err(error) => {
                    let problem = Problem::new(key, format!("{} leads nowhere: {error}", shown(path)));
                    problems.push(problem.help("name a file, or remove the link"));
                    continue;
                }
            };
            let folder = folder_of(&place);
            if !folder.is_dir() {
                let what = if folder.exists() { "is no folder" } else { "does not exist" };
                let message = format!("{} {what}", shown(folder));
                problems.push(Problem::new(key, message).help("make the folder first, or name a file in another one"));
            } else if path.is_dir() {
                let problem = Problem::new(key, format!("{} is a folder", shown(path)));
                problems.push(problem.help("name a file, or move the folder away"));
            } else if key == OUTPUT && path.exists() && !path.is_file() {
                // It could not be replaced, and said after a day of recording that would be too late.
                let problem = Problem::new(key, format!("{} is a pipe or a device", shown(path)));
                problems.push(problem.help("name a file: a workbook is written as a whole"));
            }
        }
        if problems.is_empty() && [&self.output, &self.spool].iter().any(|file| is_same(file, &self.threat_log)) {
            let message = format!("the threat log would be written into {}", shown(&self.output));
            problems.push(Problem::new("record.threat_log_filename", message).help("name another file"));
        }
        problems
    }

    /// A name for the workbook of a recording that did not end: beside the other one, with the time at which it began.
    pub fn recovered(&self, started_ms: i64, zone: &TimeZone) -> PathBuf {
        let stem = self.output.file_stem().unwrap_or_default().to_string_lossy();
        free(&self.output, &format!("{stem} (recovered {})", time_in_name(started_ms, zone)), ".xlsx")
    }

    /// A name for a workbook that cannot be written at its place: in the folder for temporary files, which is there on every
    /// system and often on another disk.
    pub fn elsewhere(started_ms: i64, zone: &TimeZone) -> PathBuf {
        let stem = format!("watchkeeper-recording-{}", time_in_name(started_ms, zone));
        free(&std::env::temp_dir().join(&stem), &stem, ".xlsx")
    }

    /// A name under which a spool that cannot be read is kept.
    pub fn set_aside(&self, now_ms: i64, zone: &TimeZone) -> PathBuf {
        let name = self.output.file_name().unwrap_or_default().to_string_lossy();
        free(&self.output, &format!("{name} (unreadable {})", time_in_name(now_ms, zone)), ".spool")
    }
}

/// A path for people.
pub fn shown(path: &Path) -> String {
    clean(&path.display().to_string(), 300)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether both lead to one file, also through links and other ways to the same folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let in_folder = || Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?));
        fs::canonicalize(path).ok().or_else(in_folder)
    };
    real(one).is_some_and(|one| real(other) == Some(one))
}

/// Colons are not for file names on every system.
fn time_in_name(ts_ms: i64, zone: &TimeZone) -> String {
    local_time(ts_ms, zone).replace(':', "-")
}

/// A name beside a file that nothing has yet: a number makes it one.
fn free(beside: &Path, stem: &str, ending: &str) -> PathBuf {
    let names =
        std::iter::once(format!("{stem}{ending}")).chain((2..).map(|number| format!("{stem} {number}{ending}")));
    let mut paths = names.map(|name| beside.with_file_name(name));
    paths.find(|path| fs::symlink_metadata(path).is_err()).expect("the numbers do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, output: &str, threat_log: &str) -> Files {
        let config = RecordConfig {
            output_filename: folder.join(output),
            threat_log_filename: folder.join(threat_log),
            ..RecordConfig::default()
        };
        Files::of(&config)
    }

    #[test]
    fn places_that_cannot_take_a_file_are_said() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("sub/folder.xlsx")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for (output, threat_log, expected) in [
            ("a.xlsx", "b.txt", &[][..]),
            ("sub/a.xlsx", "sub/b.txt", &[]),
            ("nowhere/a.xlsx", "b.txt", &[("record.output_filename", "nowhere does not exist")]),
            ("a.xlsx", "nowhere/b.txt", &[("record.threat_log_filename", "nowhere does not exist")]),
            ("file/a.xlsx", "b.txt", &[("record.output_filename", "file is no folder")]),
            ("sub/folder.xlsx", "b.txt", &[("record.output_filename", "folder.xlsx is a folder")]),
            ("a.xlsx", "sub", &[("record.threat_log_filename", "sub is a folder")]),
            ("a.xlsx", "sub/../a.xlsx", &[("record.threat_log_filename", "would be written into")]),
            ("a.xlsx", ".a.xlsx.spool", &[("record.threat_log_filename", "would be written into")]),
            (
                "x/a.xlsx",
                "x/b.txt",
                &[("record.output_filename", "x does not exist"), ("record.threat_log_filename", "x does not exist")],
            ),
        ] {
            let problems = files(folder.path(), output, threat_log).problems();
            assert_eq!(problems.len(), expected.len(), "{output} {threat_log}: {problems:?}");
            for (problem, (key, message)) in problems.iter().zip(expected) {
                assert_eq!(problem.key_path, *key);
                assert!(problem.message.contains(message) && problem.help.is_some(), "{}", problem.message);
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_workbook_is_no_threat_log() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.xlsx"), "").unwrap();
        std::os::unix::fs::symlink("a.xlsx", folder.path().join("link")).unwrap();
        assert_eq!(files(folder.path(), "a.xlsx", "link").problems().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_could_not_be_replaced_is_said_before_the_recording() {
        let folder = tempfile::tempdir().unwrap();
        for (name, leads_to) in
            [("null", "/dev/null"), ("new", "not there yet"), ("astray", "nowhere/a.xlsx"), ("circle", "circle")]
        {
            std::os::unix::fs::symlink(leads_to, folder.path().join(name)).unwrap();
        }
        for (output, threat_log, expected) in [
            ("null", "new", Some("null is a pipe or a device")),
            ("new", "null", None),
            ("astray", "new", Some("nowhere does not exist")),
            ("new", "astray", Some("nowhere does not exist")),
            ("circle", "new", Some("circle leads nowhere: ")),
        ] {
            let problems = files(folder.path(), output, threat_log).problems();
            let messages: Vec<&str> = problems.iter().map(|problem| &*problem.message).collect();
            match expected {
                None => assert_eq!(messages, [""; 0], "{output} {threat_log}"),
                Some(text) => {
                    assert!(
                        matches!(&messages[..], [one] if one.contains(text)),
                        "{output} {threat_log}: {messages:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn files_without_a_folder_are_in_the_current_one() {
        assert_eq!(Files::of(&RecordConfig::default()).problems(), []);
    }

    #[test]
    fn no_name_is_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), "my report.xlsx", "b.txt");
        let at_ms = 1_795_143_845_000;
        for name in
            ["my report (recovered 2026-11-20 03-04-05).xlsx", "my report (recovered 2026-11-20 03-04-05) 2.xlsx"]
        {
            let path = files.recovered(at_ms, &TimeZone::UTC);
            assert_eq!(path, folder.path().join(name));
            fs::write(path, "").unwrap();
        }
        let aside = files.set_aside(at_ms, &TimeZone::UTC);
        assert_eq!(aside, folder.path().join("my report.xlsx (unreadable 2026-11-20 03-04-05).spool"));
    }
}
