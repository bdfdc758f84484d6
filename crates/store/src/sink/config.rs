//! The `[[sink]]` tables: files for other programs.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::{Size, Span};
use watchkeeper_core::{Problem, Validate};

/// A file that the log of all processes is written to as it is made, for other programs: the table `[[sink]]`. Its columns are
/// explained in `docs/sinks.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SinkConfig {
    /// The form of the file: `"csv"` or `"jsonl"`. Required, there is no default. Example: `format = "csv"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<SinkFormat>,
    /// The file, an absolute path outside of the store's folder. Its folder must exist. A file that is there already is
    /// continued if it is one of these, else refused. Required. Example: `path = "/var/log/watchkeeper/processes.csv"`.
    pub path: PathBuf,
    /// Time between two rows of a process, from `interval` of `[collect]` up to `"1d"`. What happened in between is added
    /// up, states are those at its end. Default: a row at every look. Example: `interval = "1m"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// Before the file grows beyond this size, from `"64KiB"` up, it is set aside under a name with the time of its last
    /// row and a new one is begun; `"0B"` is never. Default: never. Example: `rotate_size = "100MiB"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_size: Option<Size>,
    /// Whether the file is set aside each day, with the first row after midnight in the zone of `[host]`. Default: `false`.
    /// Example: `rotate_daily = true`.
    pub rotate_daily: bool,
    /// How many files that were set aside are kept, from 1 to 10000; older ones are deleted. Needs `rotate_size` or
    /// `rotate_daily`. Default: 7. Example: `keep = 30`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<u32>,
    /// Who may read the file: `"0600"` is the user that the watch runs as and nobody else, `"0640"` the group of the file
    /// too. A new file gets the group of the one before, the first one that of its folder if that has the set-group-id bit.
    /// Default: `"0600"`. Example: `mode = "0640"`.
    pub mode: SinkMode,
}

/// The form of a file for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkFormat {
    /// A table with a header: one line a row, fields in quotes where they need them.
    Csv,
    /// A JSON object in each line.
    Jsonl,
}

impl SinkFormat {
    /// The word for it in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

/// Who may read a file for other programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SinkMode {
    /// Its owner alone.
    #[default]
    #[serde(rename = "0600")]
    Owner,
    /// Its owner and its group.
    #[serde(rename = "0640")]
    Group,
}

impl SinkMode {
    /// As the system takes it.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o640,
        }
    }
}

/// An absolute path as it is written in a configuration.
const EXAMPLE_PATH: &str =
    if cfg!(windows) { r"'C:\logs\processes.csv'" } else { "\"/var/log/watchkeeper/processes.csv\"" };
const LONGEST: Span = Span::from_secs(86_400);
const SMALLEST: Size = Size::from_bytes(64 << 10);
const KEEP: u32 = 7;
const MOST_KEPT: u32 = 10_000;

impl SinkConfig {
    /// The size that the file may reach, if there is one.
    pub fn largest_bytes(&self) -> Option<u64> {
        self.rotate_size.map(Size::bytes).filter(|bytes| *bytes > 0)
    }

    /// Files that are kept beside the one that is written; `None` if none is ever set aside.
    pub fn kept(&self) -> Option<usize> {
        let rotates = self.rotate_daily || self.largest_bytes().is_some();
        rotates.then(|| self.keep.unwrap_or(KEEP) as usize)
    }

    fn path_problem(&self) -> Option<Problem> {
        let wrong = |message: &str| {
            Some(Problem::new("path", message).help(format!("write the whole path, such as {EXAMPLE_PATH}")))
        };
        let text = self.path.to_string_lossy();
        if text.is_empty() {
            wrong("a sink needs the path of its file")
        } else if text.chars().any(char::is_control) {
            wrong("the path of a sink has control characters in it")
        } else if !self.path.is_absolute() {
            // The watch is started from anywhere: there is no folder that the path could begin in.
            wrong("the path of a sink must be absolute")
        } else if text.ends_with(std::path::is_separator) || self.path.file_name().is_none() {
            wrong("the path of a sink must name a file, not a folder")
        } else {
            None
        }
    }
}

impl Validate for SinkConfig {
    /// Everything that can be said without the other sinks, the store and the collection interval.
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.format.is_none() {
            let problem = Problem::new("format", "a sink needs the form of its file");
            problems.push(problem.help("write format = \"csv\" or format = \"jsonl\""));
        }
        problems.extend(self.path_problem());
        if let Some(interval) = self.interval.filter(|interval| *interval > LONGEST) {
            let problem = Problem::new("interval", format!("`{interval}` is longer than the longest, {LONGEST}"));
            problems.push(problem.help(format!("write \"{LONGEST}\" or less")));
        }
        if let Some(size) = self.rotate_size.filter(|size| size.bytes() > 0 && *size < SMALLEST) {
            let problem = Problem::new("rotate_size", format!("`{size}` is too small for a file"));
            problems.push(problem.help(format!("the smallest is \"{SMALLEST}\"")));
        }
        match self.keep {
            Some(0) => {
                let problem = Problem::new("keep", "every file would be deleted as soon as it is set aside");
                problems.push(problem.help("write 1 or more"));
            }
            Some(keep) if keep > MOST_KEPT => {
                problems.push(Problem::new("keep", format!("{keep} are too many")).help("write 10000 or less"));
            }
            Some(_) if self.kept().is_none() => {
                let problem = Problem::new("keep", "no file is ever set aside");
                problems.push(problem.help("write `rotate_size` or `rotate_daily` as well, or leave `keep` out"));
            }
            _ => {}
        }
        problems
    }
}

/// Everything that is wrong with the sinks of a watch, with key paths from the list of sinks on, e.g. `0.path`. `collect` is the
/// time between two looks, `store` the folder of the store if it is known.
pub fn validate_sinks(sinks: &[SinkConfig], collect: Span, store: Option<&Path>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, sink) in sinks.iter().enumerate() {
        let mut add = |problem: Problem| problems.push(problem.under(&index.to_string()));
        sink.validate().into_iter().for_each(&mut add);
        if let Some(interval) = sink.interval.filter(|interval| *interval < collect) {
            let message = format!("`{interval}` is shorter than the time between two looks, {collect}");
            add(Problem::new("interval", message).help("leave it out for a row at every look"));
        }
        if sink.path.as_os_str().is_empty() {
            continue;
        }
        let path = plain(&sink.path);
        if let Some(other) = sinks[..index].iter().position(|other| plain(&other.path) == path) {
            let message = format!("sink {} writes this file already", other + 1);
            add(Problem::new("path", message).help("give each sink a file of its own"));
        }
        if store.is_some_and(|store| path.starts_with(plain(store))) {
            let problem = Problem::new("path", "the folder of the store is no place for a file of other programs");
            add(problem.help(format!("choose another folder, as in {EXAMPLE_PATH}")));
        }
    }
    problems
}

/// A path without `.` and `..`, as far as can be said without looking at the disk.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An absolute path of the system at hand.
    fn at(path: &str) -> PathBuf {
        if cfg!(windows) { format!("C:{path}").into() } else { path.into() }
    }

    fn sink(path: &str) -> SinkConfig {
        SinkConfig { format: Some(SinkFormat::Csv), path: at(path), ..SinkConfig::default() }
    }

    fn key_paths(sinks: &[SinkConfig]) -> Vec<String> {
        let problems = validate_sinks(sinks, Span::from_secs(5), Some(&at("/var/lib/watch")));
        assert!(problems.iter().all(|problem| problem.help.is_some()), "{problems:?}");
        problems.into_iter().map(|problem| problem.key_path).collect()
    }

    #[test]
    fn a_format_and_a_path_are_enough() {
        assert_eq!(key_paths(&[sink("/var/log/a.csv"), sink("/var/lib/watch.csv")]), [""; 0]);
        assert_eq!(sink("/a").kept(), None);
        assert_eq!(SinkConfig { rotate_daily: true, ..sink("/a") }.kept(), Some(7));
        let limits =
            SinkConfig { interval: Some(LONGEST), rotate_size: Some(SMALLEST), keep: Some(MOST_KEPT), ..sink("/a") };
        assert_eq!((limits.kept(), key_paths(&[limits])), (Some(10_000), Vec::new()));
        assert_eq!(SinkConfig { rotate_size: Some(Size::default()), ..sink("/a") }.largest_bytes(), None);
    }

    #[test]
    fn every_mistake_is_reported_with_its_key_and_a_remedy() {
        let with = |change: fn(&mut SinkConfig)| {
            let mut sink = sink("/var/log/a.csv");
            change(&mut sink);
            key_paths(&[sink])
        };
        for (name, change, expected) in [
            ("nothing", (|sink| *sink = SinkConfig::default()) as fn(&mut SinkConfig), &["0.format", "0.path"][..]),
            ("relative", |sink| sink.path = "a.csv".into(), &["0.path"]),
            ("a folder", |sink| sink.path = at("/var/log/"), &["0.path"]),
            ("the root", |sink| sink.path = at("/"), &["0.path"]),
            ("escape", |sink| sink.path = at("/var/\u{1b}[31m"), &["0.path"]),
            ("the log", |sink| sink.path = at("/var/lib/watch/log/2026-11-20.db"), &["0.path"]),
            ("around", |sink| sink.path = at("/var/log/../lib/./watch/a.csv"), &["0.path"]),
            ("too often", |sink| sink.interval = Some(Span::from_ms(4_999)), &["0.interval"]),
            ("too seldom", |sink| sink.interval = Some(Span::from_secs(86_401)), &["0.interval"]),
            ("too small", |sink| sink.rotate_size = Some(Size::from_bytes((64 << 10) - 1)), &["0.rotate_size"]),
            ("none kept", |sink| (sink.rotate_daily, sink.keep) = (true, Some(0)), &["0.keep"]),
            ("all kept", |sink| (sink.rotate_daily, sink.keep) = (true, Some(10_001)), &["0.keep"]),
            ("nothing to keep", |sink| sink.keep = Some(3), &["0.keep"]),
            ("never and keep", |sink| (sink.rotate_size, sink.keep) = (Some(Size::default()), Some(3)), &["0.keep"]),
        ] {
            assert_eq!(with(change), expected, "{name}");
        }
        assert_eq!(key_paths(&[sink("/a"), sink("/b"), sink("/x/../a")]), ["2.path"]);
        assert_eq!(key_paths(&[SinkConfig::default(), SinkConfig::default()]).len(), 4, "no path is not the same path");
    }

    #[test]
    fn modes_are_written_as_people_know_them() {
        let read: SinkConfig =
            serde_json::from_str(r#"{"format":"jsonl","path":"/a","interval":"1m","mode":"0640"}"#).unwrap();
        assert_eq!((read.format, read.mode.bits()), (Some(SinkFormat::Jsonl), 0o640));
        assert!(serde_json::from_str::<SinkConfig>(r#"{"mode":"0644"}"#).is_err());
        assert!(serde_json::from_str::<SinkConfig>(r#"{"file":"/a"}"#).is_err());
    }
}
