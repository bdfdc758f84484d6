//! Settings of a recording: the table `[record]`.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Problem, Validate};

/// Shortest interval between two looks.
const SHORTEST: Span = Span::from_ms(100);
/// Longest interval between two looks.
const LONGEST: Span = Span::from_secs(3_600);
/// Longest name of a workbook: with what is added to it, it is still a name that file systems take.
const LONGEST_NAME_BYTES: usize = 200;
/// Most processes in a block.
const MOST: u32 = 100;

/// What `watchkeeper record` does unless its flags say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordConfig {
    /// Time between two rows, from `"100ms"` to `"1h"`; also `--interval`. Default: `"5s"`. Example: `log_interval = "1s"`.
    pub log_interval: Span,
    /// How long a recording takes, at least one interval; `"0"` records until Ctrl+C. Also `--duration`. Default: `"60s"`.
    /// Example: `run_duration = "8h"`.
    pub run_duration: Span,
    /// An interval in which more than this share of the machine's CPU time was busy is an alert, in percent, more than 0 and
    /// at most 100; also `--cpu-alert`. Default: `80`. Example: `cpu_alert_threshold = 92.5`.
    pub cpu_alert_threshold: f64,
    /// How many processes are shown in each interval, from 1 to 100; also `--top`. Default: `3`. Example: `top = 10`.
    #[schemars(range(min = 1, max = 100))]
    pub top: u32,
    /// The workbook that is written, a name of up to 200 bytes that ends in `.xlsx`; without a folder it goes to the current one. One that is
    /// there already is replaced. Also `--output`. Default: `"system_monitor_report.xlsx"`. Example:
    /// `output_filename = "/srv/reports/week.xlsx"`.
    pub output_filename: PathBuf,
    /// The text file that gets a line for each alert; one that is there already is continued. Also `--threat-log`. Default:
    /// `"cpu_threat_log.txt"`. Example: `threat_log_filename = "/srv/reports/threats.txt"`.
    pub threat_log_filename: PathBuf,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            log_interval: Span::from_secs(5),
            run_duration: Span::from_secs(60),
            cpu_alert_threshold: 80.0,
            top: 3,
            output_filename: "system_monitor_report.xlsx".into(),
            threat_log_filename: "cpu_threat_log.txt".into(),
        }
    }
}

impl Validate for RecordConfig {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = self.times();
        // Not a number is in no range.
        if !(self.cpu_alert_threshold > 0.0 && self.cpu_alert_threshold <= 100.0) {
            let message = format!("{} is no share of a machine's CPU time in percent", self.cpu_alert_threshold);
            let help = "write a number above 0 and up to 100, of the whole machine; the default is 80";
            problems.push(Problem::new("cpu_alert_threshold", message).help(help));
        }
        if !(1..=MOST).contains(&self.top) {
            let message = format!("{} processes cannot be shown", self.top);
            problems
                .push(Problem::new("top", message).help(format!("write a number from 1 to {MOST}; the default is 3")));
        }
        let output = name("output_filename", &self.output_filename, "system_monitor_report.xlsx");
        let threat_log = name("threat_log_filename", &self.threat_log_filename, "cpu_threat_log.txt");
        if output.is_none() {
            if !is_workbook(&self.output_filename) {
                let message = "the recording is a workbook: its name must end in `.xlsx`";
                let help = "write a name such as \"system_monitor_report.xlsx\"";
                problems.push(Problem::new("output_filename", message).help(help));
            }
            let length = self.output_filename.file_name().map_or(0, std::ffi::OsStr::len);
            if length > LONGEST_NAME_BYTES {
                let message = format!("the name of the file is {length} bytes long, {LONGEST_NAME_BYTES} are possible");
                let help =
                    "write a shorter name: names of other files are made of it, such as that of a recovered recording";
                problems.push(Problem::new("output_filename", message).help(help));
            }
            if plain(&self.output_filename) == plain(&self.threat_log_filename) {
                let message = "the workbook and the threat log are the same file";
                let help = "write a name such as \"cpu_threat_log.txt\"";
                problems.push(Problem::new("threat_log_filename", message).help(help));
            }
        }
        problems.extend(output.into_iter().chain(threat_log));
        problems
    }
}

impl RecordConfig {
    fn times(&self) -> Vec<Problem> {
        let interval = self.log_interval;
        let help = format!("write a value from \"{SHORTEST}\" to \"{LONGEST}\"; the default is \"5s\"");
        let out_of_range = if interval.ms() == 0 {
            Some("an interval of 0 would look at the machine without a pause".to_owned())
        } else if interval < SHORTEST {
            Some(format!("{interval} is shorter than the shortest interval, {SHORTEST}"))
        } else if interval > LONGEST {
            Some(format!("{interval} is longer than the longest interval, {LONGEST}"))
        } else {
            None
        };
        if let Some(message) = out_of_range {
            return vec![Problem::new("log_interval", message).help(help)];
        }
        let duration = self.run_duration;
        if duration.ms() > 0 && duration < interval {
            // Where only one of them was chosen, that one is shown.
            let key = if duration == Self::default().run_duration { "log_interval" } else { "run_duration" };
            let message = format!("a recording of {duration} would end before its first interval of {interval}");
            let help =
                "record for at least one interval (`--duration`, `record.run_duration`), or for \"0\": until Ctrl+C";
            return vec![Problem::new(key, message).help(help)];
        }
        Vec::new()
    }
}

/// What is wrong with the name of any file.
fn name(key: &str, path: &Path, example: &str) -> Option<Problem> {
    let text = path.to_string_lossy();
    let message = if text.is_empty() {
        "the name of the file is empty"
    } else if text.chars().any(char::is_control) {
        "the name of the file has control characters in it"
    } else if path.file_name().is_none() || text.ends_with(std::path::is_separator) {
        "this names a folder, not a file"
    } else {
        return None;
    };
    Some(Problem::new(key, message).help(format!("write a name such as \"{example}\"")))
}

fn is_workbook(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"))
}

/// The path without the `.` in it.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut RecordConfig);

    #[test]
    fn the_defaults_are_those_of_the_script_and_can_be_used() {
        let config = RecordConfig::default();
        assert_eq!((config.log_interval, config.run_duration), (Span::from_secs(5), Span::from_secs(60)));
        assert_eq!((config.cpu_alert_threshold, config.top), (80.0, 3));
        assert_eq!(config.output_filename, Path::new("system_monitor_report.xlsx"));
        assert_eq!(config.threat_log_filename, Path::new("cpu_threat_log.txt"));
        assert_eq!(config.validate(), []);
    }

    #[test]
    fn what_can_be_used_is_taken() {
        let changes: [Change; 13] = [
            |c| c.log_interval = Span::from_ms(100),
            |c| (c.log_interval, c.run_duration) = (Span::from_secs(3_600), Span::from_secs(3_600)),
            |c| (c.log_interval, c.run_duration) = (Span::from_secs(3_600), Span::from_ms(0)),
            |c| c.run_duration = Span::from_secs(5),
            |c| c.cpu_alert_threshold = 100.0,
            |c| c.cpu_alert_threshold = 0.1,
            |c| c.top = 1,
            |c| c.top = 100,
            |c| c.output_filename = "a b.XLSX".into(),
            |c| c.output_filename = "/srv/x.xlsx".into(),
            |c| c.output_filename = format!("{}/{}.xlsx", "x".repeat(250), "x".repeat(195)).into(),
            |c| c.threat_log_filename = "threats".into(),
            |c| c.threat_log_filename = "folder/system_monitor_report.xlsx".into(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut config = RecordConfig::default();
            change(&mut config);
            assert_eq!(config.validate(), [], "{index}: {config:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_key_reason_and_remedy() {
        let cases: [(Change, &str, &str); 23] = [
            (|c| c.log_interval = Span::from_ms(0), "log_interval", "without a pause"),
            (
                |c| c.log_interval = Span::from_ms(99),
                "log_interval",
                "99ms is shorter than the shortest interval, 100ms",
            ),
            (
                |c| c.log_interval = Span::from_ms(3_600_001),
                "log_interval",
                "1h1ms is longer than the longest interval, 1h",
            ),
            (
                |c| c.log_interval = Span::from_secs(61),
                "log_interval",
                "1m would end before its first interval of 1m1s",
            ),
            (
                |c| c.run_duration = Span::from_ms(4_999),
                "run_duration",
                "4s999ms would end before its first interval of 5s",
            ),
            (|c| c.cpu_alert_threshold = 0.0, "cpu_alert_threshold", "0 is no share"),
            (|c| c.cpu_alert_threshold = -5.0, "cpu_alert_threshold", "-5 is no share"),
            (|c| c.cpu_alert_threshold = 100.1, "cpu_alert_threshold", "100.1 is no share"),
            (|c| c.cpu_alert_threshold = f64::NAN, "cpu_alert_threshold", "NaN is no share"),
            (|c| c.cpu_alert_threshold = f64::INFINITY, "cpu_alert_threshold", "inf is no share"),
            (|c| c.top = 0, "top", "0 processes"),
            (|c| c.top = 101, "top", "101 processes"),
            (|c| c.output_filename = "".into(), "output_filename", "is empty"),
            (|c| c.output_filename = "a\u{1b}.xlsx".into(), "output_filename", "control characters"),
            (|c| c.output_filename = "..".into(), "output_filename", "names a folder"),
            (|c| c.output_filename = "reports.xlsx/".into(), "output_filename", "names a folder"),
            (|c| c.output_filename = "report.csv".into(), "output_filename", "must end in `.xlsx`"),
            (|c| c.output_filename = ".xlsx".into(), "output_filename", "must end in `.xlsx`"),
            (
                |c| c.output_filename = format!("{}.xlsx", "ü".repeat(98)).into(),
                "output_filename",
                "201 bytes long, 200 are possible",
            ),
            (|c| c.threat_log_filename = "".into(), "threat_log_filename", "is empty"),
            (|c| c.threat_log_filename = "/".into(), "threat_log_filename", "names a folder"),
            (|c| c.threat_log_filename = "system_monitor_report.xlsx".into(), "threat_log_filename", "the same file"),
            (
                |c| c.threat_log_filename = "././system_monitor_report.xlsx".into(),
                "threat_log_filename",
                "the same file",
            ),
        ];
        for (change, key, message) in cases {
            let mut config = RecordConfig::default();
            change(&mut config);
            let problems = config.validate();
            assert_eq!(problems.len(), 1, "{config:?}: {problems:?}");
            let problem = &problems[0];
            assert_eq!(problem.key_path, key);
            assert!(problem.message.contains(message), "{}", problem.message);
            assert!(problem.help.is_some(), "{}", problem.message);
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let config = RecordConfig {
            log_interval: Span::from_ms(0),
            run_duration: Span::from_ms(1),
            cpu_alert_threshold: 0.0,
            top: 0,
            output_filename: "x".into(),
            threat_log_filename: "".into(),
        };
        let keys: Vec<String> = config.validate().into_iter().map(|problem| problem.key_path).collect();
        let expected = ["log_interval", "cpu_alert_threshold", "top", "output_filename", "threat_log_filename"];
        assert_eq!(keys, expected);
    }
}
