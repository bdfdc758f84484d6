//! What `train` says: rows, features, threshold, what was written, what to do next.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use watchkeeper_core::Unit;
use watchkeeper_core::text::{clean, duration};
use watchkeeper_detect::{FeatureSummary, Summary};
use watchkeeper_report::column;

use super::data::Data;
use super::features::{Selection, lacks};
use crate::command::detect::DEFAULT_INTERVAL;
use crate::model_file::{self, shown};

/// With so many rows or more nobody is told that they are few.
const PLENTY: usize = 100;

/// When more than this share of its own rows is strange to a model, people will not look at what it says for long.
const MANY_FLAGGED: f64 = 0.1;

/// What was learned, for people and for programs.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Where the rows came from.
    source: String,
    /// Rows that it learned from.
    rows: usize,
    /// Rows that lack a feature.
    left_out: usize,
    /// What they lack.
    missing: Vec<Lack>,
    /// The same in words.
    #[serde(skip)]
    lacks: String,
    /// Columns that `all` passed over.
    passed_over: Vec<Passed>,
    /// Time from one row to the next.
    interval_ms: Option<i64>,
    features: Vec<FeatureSummary>,
    trees: usize,
    samples: usize,
    seed: u64,
    contamination: String,
    threshold: f64,
    flagged: usize,
    flagged_share: f64,
    duration_ms: f64,
    /// The file that was written.
    model: String,
    bytes: u64,
    /// The command that judges with it.
    next: String,
    /// What may not be as it was meant.
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Lack {
    feature: &'static str,
    empty: usize,
    not_finite: usize,
    unreadable: usize,
}

#[derive(Debug, Serialize)]
struct Passed {
    feature: String,
    reason: &'static str,
}

impl Answer {
    /// `written` is the file and its size.
    pub fn new(
        data: &Data,
        selection: &Selection,
        summary: &Summary,
        took: Duration,
        (path, bytes): (&Path, u64),
    ) -> Self {
        let lack = selection.missing.iter().map(|missing| Lack {
            feature: missing.title,
            empty: missing.absent.empty,
            not_finite: missing.absent.not_finite,
            unreadable: missing.absent.unreadable,
        });
        let passed =
            selection.passed_over.iter().map(|passed| Passed { feature: passed.title.clone(), reason: passed.reason });
        Self {
            source: data.source.clone(),
            rows: summary.rows,
            left_out: data.table.rows - selection.rows,
            missing: lack.collect(),
            lacks: lacks(&selection.missing),
            passed_over: passed.collect(),
            interval_ms: summary.interval_ms,
            features: summary.features.clone(),
            trees: summary.trees,
            samples: summary.samples,
            seed: summary.seed,
            contamination: summary.contamination.to_string(),
            threshold: summary.threshold,
            flagged: summary.flagged,
            flagged_share: summary.flagged as f64 / summary.rows.max(1) as f64,
            duration_ms: took.as_secs_f64() * 1e3,
            model: shown(path),
            bytes,
            next: next(path, summary.interval_ms),
            warnings: warnings(data, summary, path),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:11} {value}");
        };
        let every = self.interval_ms.map_or(String::new(), |ms| format!(", one every {}", duration(ms)));
        line("rows", &format!("{} from {}{every}", self.rows, self.source));
        if self.left_out > 0 {
            line("left out", &format!("{} ({})", rows(self.left_out), self.lacks));
        }
        let width = self.features.iter().map(|feature| feature.name.chars().count()).max().unwrap_or(0);
        for (index, feature) in self.features.iter().enumerate() {
            let name = clean(&feature.name, 80);
            let value = format!("{name:width$}  {}", range(feature));
            line(if index == 0 { "features" } else { "" }, &value);
        }
        for (index, passed) in self.passed_over.iter().enumerate() {
            line(if index == 0 { "not taken" } else { "" }, &format!("{}: {}", passed.feature, passed.reason));
        }
        let (trees, samples, seed) = (self.trees, self.samples, self.seed);
        let took = milliseconds(self.duration_ms);
        let trees = if trees == 1 { "1 tree".to_owned() } else { format!("{trees} trees") };
        line("learned", &format!("{trees} of {samples} rows each in {took}, seed {seed}"));
        let share = Unit::Ratio.show(self.flagged_share);
        let flagged = match self.flagged {
            1 => format!("1 row ({share}) lies above it"),
            count => format!("{count} rows ({share}) lie above it"),
        };
        line("threshold", &format!("score {:.3} (contamination {}); {flagged}", self.threshold, self.contamination));
        line("written", &format!("{} ({})", self.model, Unit::Bytes.show(self.bytes as f64)));
        line("next", &self.next);
        text
    }
}

/// What the rows that were left out lack, in a sentence.
pub fn left_out(data: &Data, selection: &Selection) -> String {
    format!("{} left out ({})", rows(data.table.rows - selection.rows), lacks(&selection.missing))
}

/// A number with the digits of its column.
pub fn number(feature: &str, value: f64) -> String {
    let decimals = column(feature).map_or(2, |column| usize::from(column.decimals));
    format!("{value:.decimals$}")
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

fn milliseconds(ms: f64) -> String {
    if ms < 1_000.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) }
}

fn range(feature: &FeatureSummary) -> String {
    let show = |value| number(&feature.name, value);
    if feature.is_constant {
        return format!("always {}", show(feature.min));
    }
    let (low, high) = (show(feature.p10), show(feature.p90));
    format!("{} to {}, usual {low} to {high}", show(feature.min), show(feature.max))
}

/// The command that judges with this model, as often as its rows came.
fn next(path: &Path, interval_ms: Option<i64>) -> String {
    let differs = interval_ms.filter(|ms| super::super::detect::differs(*ms, DEFAULT_INTERVAL.ms()));
    let interval = differs.map_or(String::new(), |ms| {
        let whole =
            watchkeeper_core::quantity::Span::from_ms(if ms >= 1_000 { (ms + 500) / 1_000 * 1_000 } else { ms });
        format!(" --interval {whole}")
    });
    format!("watchkeeper detect{}{interval}", model_file::model_flag(path))
}

fn warnings(data: &Data, summary: &Summary, path: &Path) -> Vec<String> {
    let mut warnings = data.table.notes.clone();
    if summary.rows < PLENTY {
        let longer = super::longer(data.is_log);
        warnings.push(format!("{} are few: what was not seen in them counts as strange; {longer}", rows(summary.rows)));
    }
    for feature in summary.features.iter().filter(|feature| feature.is_constant) {
        let (name, value) = (clean(&feature.name, 80), number(&feature.name, feature.min));
        warnings.push(format!("{name} is {value} in all rows: whatever it does later, the model will not see it"));
    }
    if summary.flagged as f64 > MANY_FLAGGED * summary.rows as f64 {
        let share = Unit::Ratio.show(summary.flagged as f64 / summary.rows as f64);
        warnings.push(format!(
            "{share} of the rows it learned from lie above the threshold, and so will about as many looks; \
             `--contamination 0.01` draws the line where 1 % do"
        ));
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("joblib")) {
        let path = shown(path);
        warnings.push(format!("{path} is no joblib file, whatever its name says; only `watchkeeper detect` reads it"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::train::data::Absent;
    use crate::command::train::features::{Missing, PassedOver};
    use watchkeeper_detect::Contamination;
    use watchkeeper_report::Table;

    fn feature(name: &str, values: [f64; 5]) -> FeatureSummary {
        let [min, p10, median, p90, max] = values;
        FeatureSummary { name: name.to_owned(), min, p10, median, p90, max, is_constant: min == max }
    }

    fn summary(rows: usize, interval_ms: Option<i64>) -> Summary {
        Summary {
            rows,
            features: vec![
                feature("CPU Usage (%)", [0.41, 3.13, 5.0, 12.04, 97.5]),
                feature("Memory Usage (%)", [40.0; 5]),
            ],
            trained_ms: 0,
            source: "a.xlsx".to_owned(),
            interval_ms,
            trees: 100,
            samples: 118,
            seed: 42,
            contamination: Contamination::Auto,
            threshold: 0.5,
            flagged: 5,
        }
    }

    fn answer(summary: &Summary, path: &str) -> Answer {
        let table = Table { rows: summary.rows + 4, notes: vec!["a note".to_owned()], ..Table::default() };
        let data = Data { source: "a.xlsx".to_owned(), is_log: false, interval_ms: summary.interval_ms, table };
        let absent = Absent {
            empty: 0,
            unstored: 0,
            not_finite: 1,
            unreadable: 1,
            first_unreadable: Some((9, "high".to_owned())),
        };
        let selection = Selection {
            columns: Vec::new(),
            numbers: Vec::new(),
            rows: summary.rows,
            missing: vec![
                Missing { title: "CPU Usage (%)", absent: Absent { empty: 2, ..Absent::default() } },
                Missing { title: "Memory Usage (%)", absent },
            ],
            passed_over: vec![
                PassedOver { title: "Swap Usage (%)".to_owned(), reason: "missing in too many rows" },
                PassedOver { title: "Processes".to_owned(), reason: "always the same" },
            ],
        };
        Answer::new(&data, &selection, summary, Duration::from_micros(3_400), (Path::new(path), 135_168))
    }

    #[test]
    fn everything_is_said_in_a_screen() {
        let answer = answer(&summary(118, Some(5_000)), "anomaly_detector.model");
        insta::assert_snapshot!(answer.text(), @r#"
        rows        118 from a.xlsx, one every 5.0 s
        left out    4 rows (CPU Usage (%): 2 empty; Memory Usage (%): 1 NaN, 1 not a number (row 9: "high"))
        features    CPU Usage (%)     0.4 to 97.5, usual 3.1 to 12.0
                    Memory Usage (%)  always 40.0
        not taken   Swap Usage (%): missing in too many rows
                    Processes: always the same
        learned     100 trees of 118 rows each in 3 ms, seed 42
        threshold   score 0.500 (contamination auto); 5 rows (4.2 %) lie above it
        written     anomaly_detector.model (132.0 KiB)
        next        watchkeeper detect
        "#);
        assert_eq!(
            answer.warnings[..],
            ["a note", "Memory Usage (%) is 40.0 in all rows: whatever it does later, the model will not see it"]
        );
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!((json["rows"].as_u64(), json["left_out"].as_u64()), (Some(118), Some(4)));
        assert_eq!(json["missing"][1]["unreadable"], 1);
        assert_eq!((json["features"][0]["p90"].as_f64(), json["contamination"].as_str()), (Some(12.04), Some("auto")));
    }

    #[test]
    fn little_data_and_a_misleading_name_are_warned_of() {
        let mut summary = summary(12, None);
        summary.features.truncate(1);
        summary.flagged = 1;
        let answer = answer(&summary, "anomaly_detector.joblib");
        assert_eq!(
            answer.warnings[1..],
            [
                "12 rows are few: what was not seen in them counts as strange; record for longer: `watchkeeper record --duration 10m`",
                "anomaly_detector.joblib is no joblib file, whatever its name says; only `watchkeeper detect` reads it",
            ]
        );
        assert!(answer.text().contains("1 row (8.3 %) lies above it"), "{}", answer.text());
    }

    #[test]
    fn a_threshold_that_flags_many_of_its_own_rows_is_warned_of() {
        let mut summary = summary(200, None);
        summary.features.truncate(1);
        summary.flagged = 20;
        assert_eq!(answer(&summary, "a.model").warnings.len(), 1, "the note alone");
        summary.flagged = 21;
        assert_eq!(
            answer(&summary, "a.model").warnings[1],
            "10.5 % of the rows it learned from lie above the threshold, and so will about as many looks; `--contamination 0.01` \
             draws the line where 1 % do"
        );
    }

    #[test]
    fn the_next_command_looks_as_often_as_the_rows_came() {
        for (path, interval_ms, expected) in [
            ("anomaly_detector.model", Some(5_000), "watchkeeper detect"),
            ("anomaly_detector.model", Some(4_998), "watchkeeper detect"),
            ("anomaly_detector.model", None, "watchkeeper detect"),
            ("anomaly_detector.model", Some(1_001), "watchkeeper detect --interval 1s"),
            ("anomaly_detector.model", Some(59_600), "watchkeeper detect --interval 1m"),
            ("my model", Some(200), "watchkeeper detect --model 'my model' --interval 200ms"),
        ] {
            let expected = if cfg!(windows) { expected.replace('\'', "\"") } else { expected.to_owned() };
            assert_eq!(next(Path::new(path), interval_ms), expected);
        }
    }
}
