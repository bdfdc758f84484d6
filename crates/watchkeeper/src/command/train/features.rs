//! Which features a model learns from: what was asked for, what the data has, and the rows that are whole.

use thiserror::Error;
use watchkeeper_core::text::clean;
use watchkeeper_report::{Column, TableColumn, UNSTORED, column, columns};

use super::data::{Absent, Data};
use crate::config::nearest;

/// With `all`, a column that fewer rows have than this share is left out instead of the rows that lack it.
const ENOUGH: f64 = 0.9;

/// What was asked for with `--features`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Features {
    /// These, in this order.
    These(Vec<&'static Column>),
    /// Every known column that the data has.
    All,
}

/// The numbers to learn from, without anything that is missing.
#[derive(Debug, PartialEq)]
pub struct Selection {
    /// The features.
    pub columns: Vec<&'static Column>,
    /// Their values, row after row.
    pub numbers: Vec<f64>,
    /// Rows that have all features.
    pub rows: usize,
    /// Why the other rows were left out, by column.
    pub missing: Vec<Missing>,
    /// Columns that are there and that `all` passed over, and why.
    pub passed_over: Vec<PassedOver>,
}

/// Cells that a column of the selection lacks.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    /// The column.
    pub title: &'static str,
    /// Its cells without a number.
    pub absent: Absent,
}

/// A column that `all` did not take.
#[derive(Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The column. Safe to show.
    pub title: String,
    /// Why.
    pub reason: &'static str,
}

/// Why there is nothing to learn from.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SelectError {
    /// A feature that the data does not have.
    #[error("{source_name} has no column {}; {}", listed(missing), has(present))]
    MissingColumns {
        /// What was read.
        source_name: String,
        /// Titles that are not there.
        missing: Vec<String>,
        /// Titles that are there. Foreign text.
        present: Vec<String>,
    },
    /// A feature that is there and empty from top to bottom.
    #[error("{source_name} has no number in the column `{title}`: {}", absent.words())]
    NoNumbers {
        /// What was read.
        source_name: String,
        /// The column.
        title: &'static str,
        /// Its cells.
        absent: Absent,
    },
    /// No row has all features.
    #[error("{source_name} has no row with all of {}; name fewer with --features", listed(titles))]
    NoWholeRow {
        /// What was read.
        source_name: String,
        /// The features.
        titles: Vec<String>,
    },
}

impl Features {
    /// Reads a list such as `cpu,memory` of titles, short names and metric names, or `all`.
    ///
    /// # Errors
    /// A sentence that names what is unknown, and what was probably meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        let mut chosen: Vec<&'static Column> = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let found = column(name).ok_or_else(|| unknown(name))?;
            if !chosen.contains(&found) {
                chosen.push(found);
            }
        }
        if chosen.is_empty() { Err(format!("no feature is named; {}", known())) } else { Ok(Self::These(chosen)) }
    }

    /// The columns that may be needed.
    pub fn columns(&self) -> Vec<&'static Column> {
        match self {
            Self::These(chosen) => chosen.clone(),
            Self::All => columns().iter().collect(),
        }
    }
}

fn unknown(name: &str) -> String {
    let names = || columns().iter().flat_map(|column| [column.short, column.title, column.source.metric()]);
    let wanted = name.to_lowercase();
    let begun = names().find(|known| wanted.len() > 2 && known.to_lowercase().starts_with(&wanted)).map(str::to_owned);
    let meant = begun.or_else(|| nearest(name, names().map(str::to_owned)));
    let meant = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`? "));
    format!("there is no feature `{}`; {meant}{}", clean(name, 60), known())
}

fn known() -> String {
    let names: Vec<&str> = columns().iter().map(|column| column.short).collect();
    format!("known are: {}, and all", names.join(", "))
}

fn listed(titles: &[String]) -> String {
    let titles: Vec<String> = titles.iter().map(|title| format!("`{}`", clean(title, 60))).collect();
    titles.join(", ")
}

fn has(present: &[String]) -> String {
    const MOST: usize = 30;
    let more = present.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let present = &present[..present.len() - more];
    if present.is_empty() { "it has no columns".to_owned() } else { format!("it has: {}{rest}", listed(present)) }
}

/// What columns lack: `CPU Usage (%), Load (1 min): 2 empty; Processes: 1 NaN`.
pub fn lacks(missing: &[Missing]) -> String {
    let same = |a: &Missing, b: &Missing| a.absent == b.absent;
    let alike = missing.chunk_by(same).map(|group| {
        let titles: Vec<&str> = group.iter().map(|missing| missing.title).collect();
        format!("{}: {}", titles.join(", "), group[0].absent.words())
    });
    alike.collect::<Vec<_>>().join("; ")
}

/// Takes the features and the rows that have all of them.
pub fn select(data: &Data, features: &Features) -> Result<Selection, SelectError> {
    let (columns, passed_over) = match features {
        Features::These(chosen) => (these(data, chosen)?, Vec::new()),
        Features::All => all(data)?,
    };
    let mut missing = Vec::new();
    let mut values: Vec<&[Option<f64>]> = Vec::new();
    for column in &columns {
        let found = data.table.column(column.title).expect("chosen because it is there");
        let (title, absent) = (column.title, Absent::of(found));
        if absent.count() >= data.table.rows {
            return Err(SelectError::NoNumbers { source_name: data.source.clone(), title, absent });
        }
        if absent.count() > 0 {
            missing.push(Missing { title, absent });
        }
        values.push(&found.values);
    }
    let mut numbers = Vec::with_capacity(data.table.rows * columns.len());
    let mut rows = 0;
    for index in 0..data.table.rows {
        let before = numbers.len();
        numbers.extend(values.iter().map_while(|column| column.get(index).copied().flatten()));
        if numbers.len() - before == columns.len() {
            rows += 1;
        } else {
            numbers.truncate(before);
        }
    }
    if rows == 0 {
        let titles = columns.iter().map(|column| column.title.to_owned()).collect();
        return Err(SelectError::NoWholeRow { source_name: data.source.clone(), titles });
    }
    Ok(Selection { columns, numbers, rows, missing, passed_over })
}

fn these(data: &Data, chosen: &[&'static Column]) -> Result<Vec<&'static Column>, SelectError> {
    let absent = chosen.iter().filter(|column| data.table.column(column.title).is_none());
    let missing: Vec<String> = absent.map(|column| column.title.to_owned()).collect();
    if missing.is_empty() { Ok(chosen.to_vec()) } else { Err(missing_columns(data, missing)) }
}

fn missing_columns(data: &Data, missing: Vec<String>) -> SelectError {
    let present = data.table.columns.iter().map(|column| column.title.clone()).collect();
    SelectError::MissingColumns { source_name: data.source.clone(), missing, present }
}

/// Columns that the data has in nearly all rows and that ever change.
fn all(data: &Data) -> Result<(Vec<&'static Column>, Vec<PassedOver>), SelectError> {
    let (mut taken, mut passed_over) = (Vec::new(), Vec::new());
    for column in columns() {
        match data.table.column(column.title).map(|found| unfit(found, data.table.rows)) {
            None => {}
            Some(None) => taken.push(column),
            Some(Some(reason)) => passed_over.push(PassedOver { title: column.title.to_owned(), reason }),
        }
    }
    passed_over.extend(unknown_columns(data));
    if !taken.is_empty() {
        return Ok((taken, passed_over));
    }
    // Nothing is left: what CPU and memory lack is said instead.
    let usual: Vec<&'static Column> = columns().iter().take(2).collect();
    these(data, &usual).map(|columns| (columns, Vec::new()))
}

/// Columns of numbers that no look at a machine gives.
fn unknown_columns(data: &Data) -> Vec<PassedOver> {
    const MOST: usize = 20;
    let is_unknown = |found: &&TableColumn| column(&found.title).is_none() && found.values.iter().any(Option::is_some);
    let titles: Vec<&str> = data.table.columns.iter().filter(is_unknown).map(|found| found.title.as_str()).collect();
    let passed = |title: String| PassedOver { title, reason: "`detect` does not measure it" };
    let mut unknown: Vec<PassedOver> = titles.iter().take(MOST).map(|title| passed((*title).to_owned())).collect();
    if titles.len() > MOST {
        unknown.push(passed(format!("and {} more", titles.len() - MOST)));
    }
    unknown
}

/// Why `all` passes over a column, if it does.
fn unfit(column: &TableColumn, rows: usize) -> Option<&'static str> {
    let known: Vec<f64> = column.values.iter().flatten().copied().collect();
    let is_constant = known.windows(2).all(|pair| pair[0] == pair[1]);
    if known.is_empty() {
        Some(if column.unstored > 0 { UNSTORED } else { "no number in it" })
    } else if (known.len() as f64) < ENOUGH * rows as f64 {
        Some("missing in too many rows")
    } else {
        is_constant.then_some("always the same")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_report::Table;

    fn data(columns: &[(&str, &[Option<f64>], usize)]) -> Data {
        let column = |(title, values, unreadable): &(&str, &[Option<f64>], usize)| TableColumn {
            title: (*title).to_owned(),
            values: values.to_vec(),
            unreadable: *unreadable,
            ..TableColumn::default()
        };
        let rows = columns.first().map_or(0, |(_, values, _)| values.len());
        let table = Table { rows, columns: columns.iter().map(column).collect(), ..Table::default() };
        Data { source: "a.csv".to_owned(), is_log: false, interval_ms: None, table }
    }

    fn titles(columns: &[&'static Column]) -> Vec<&'static str> {
        columns.iter().map(|column| column.title).collect()
    }

    #[test]
    fn features_are_named_by_title_short_name_or_metric() {
        for (text, expected) in [
            ("cpu,memory", vec!["CPU Usage (%)", "Memory Usage (%)"]),
            (" Memory Usage (%) , CPU ", vec!["Memory Usage (%)", "CPU Usage (%)"]),
            ("system.cpu.utilization,cpu", vec!["CPU Usage (%)"]),
            ("load,", vec!["Load (1 min)"]),
        ] {
            let Features::These(chosen) = Features::parse(text).unwrap() else { panic!("{text}") };
            assert_eq!(titles(&chosen), expected, "{text}");
        }
        assert_eq!(Features::parse(" All "), Ok(Features::All));
    }

    #[test]
    fn an_unknown_feature_is_answered_with_what_was_meant() {
        const KNOWN: &str = "known are: cpu, memory, swap, iowait, load, cpu-pressure, memory-pressure, io-pressure, \
                             disk-read, disk-write, received, sent, processes, connections, and all";
        for (text, sentence) in [
            ("cpu,memry", "there is no feature `memry`; did you mean `memory`? "),
            ("mem", "there is no feature `mem`; did you mean `memory`? "),
            ("CPU Usage", "there is no feature `CPU Usage`; did you mean `CPU Usage (%)`? "),
            ("temperature", "there is no feature `temperature`; "),
            ("a\u{1b}[31m", "there is no feature `a\\u{1b}[31m`; "),
            (" , ", "no feature is named; "),
            ("", "no feature is named; "),
        ] {
            assert_eq!(Features::parse(text), Err(format!("{sentence}{KNOWN}")), "{text:?}");
        }
    }

    #[test]
    fn rows_that_lack_a_feature_are_left_out_and_counted_by_reason() {
        let data = data(&[
            ("Note", &[None, None, None, None], 4),
            (" cpu usage (%)", &[Some(1.0), None, Some(3.0), Some(4.0)], 0),
            ("Memory Usage (%)", &[Some(40.0), Some(41.0), None, Some(43.0)], 1),
        ]);
        let selection = select(&data, &Features::parse("memory,cpu").unwrap()).unwrap();
        assert_eq!(titles(&selection.columns), ["Memory Usage (%)", "CPU Usage (%)"]);
        assert_eq!((selection.rows, selection.numbers), (2, vec![40.0, 1.0, 43.0, 4.0]));
        assert_eq!(lacks(&selection.missing), "Memory Usage (%): 1 not a number; CPU Usage (%): 1 empty");
    }

    #[test]
    fn columns_that_lack_the_same_are_named_together() {
        let missing = |title, empty| Missing { title, absent: Absent { empty, ..Absent::default() } };
        let all = [missing("CPU Usage (%)", 1), missing("I/O Wait (%)", 1), missing("Processes", 2)];
        assert_eq!(lacks(&all), "CPU Usage (%), I/O Wait (%): 1 empty; Processes: 2 empty");
        assert_eq!(lacks(&[]), "");
    }

    #[test]
    fn all_takes_what_is_there_and_changes() {
        let cpu: Vec<Option<f64>> = (0..20).map(|n| Some(f64::from(n))).collect();
        let nearly: Vec<Option<f64>> = (0..20).map(|n| (n > 1).then(|| f64::from(n))).collect();
        let seldom: Vec<Option<f64>> = (0..20).map(|n| (n > 2).then(|| f64::from(n))).collect();
        let data = data(&[
            ("CPU Usage (%)", &cpu, 0),
            ("Memory Usage (%)", &nearly, 0),
            ("Swap Usage (%)", &[Some(0.0); 20], 0),
            ("I/O Wait (%)", &seldom, 0),
            ("Load (1 min)", &[None; 20], 0),
            ("GPU (%)", &cpu, 0),
            ("Culprit", &[None; 20], 20),
        ]);
        let selection = select(&data, &Features::All).unwrap();
        assert_eq!((titles(&selection.columns), selection.rows), (vec!["CPU Usage (%)", "Memory Usage (%)"], 18));
        let passed: Vec<(&str, &str)> =
            selection.passed_over.iter().map(|passed| (passed.title.as_str(), passed.reason)).collect();
        assert_eq!(
            passed,
            [
                ("Swap Usage (%)", "always the same"),
                ("I/O Wait (%)", "missing in too many rows"),
                ("Load (1 min)", "no number in it"),
                ("GPU (%)", "`detect` does not measure it"),
            ],
            "a column of texts is no number that somebody could miss"
        );
        let many: Vec<String> = (0..25).map(|number| format!("Sensor {number}")).collect();
        let columns = many.iter().map(|title| (title.as_str(), &cpu[..], 0)).chain([("cpu", &cpu[..], 0)]);
        let passed = select(&self::data(&columns.collect::<Vec<_>>()), &Features::All).unwrap().passed_over;
        assert_eq!((passed.len(), passed[20].title.as_str()), (21, "and 5 more"));
    }

    #[test]
    fn what_is_missing_is_said_beside_what_is_there() {
        let cpu: &[Option<f64>] = &[Some(1.0), Some(2.0)];
        let none: &[Option<f64>] = &[None, None];
        for (columns, features, sentence) in [
            (
                data(&[("Timestamp", none, 0), ("CPU Usage (%)", cpu, 0), ("\u{1b}x", none, 2)]),
                "cpu,memory,swap",
                "a.csv has no column `Memory Usage (%)`, `Swap Usage (%)`; it has: `Timestamp`, `CPU Usage (%)`, `\\u{1b}x`",
            ),
            (data(&[]), "cpu", "a.csv has no column `CPU Usage (%)`; it has no columns"),
            (
                data(&[("Timestamp", none, 0)]),
                "all",
                "a.csv has no column `CPU Usage (%)`, `Memory Usage (%)`; it has: `Timestamp`",
            ),
            (
                data(&[("CPU Usage (%)", none, 1)]),
                "cpu",
                "a.csv has no number in the column `CPU Usage (%)`: 1 empty, 1 not a number",
            ),
            (
                data(&[("CPU Usage (%)", none, 2)]),
                "cpu",
                "a.csv has no number in the column `CPU Usage (%)`: 2 not a number",
            ),
            (
                data(&[("CPU Usage (%)", &[Some(1.0), None], 0), ("Memory Usage (%)", &[None, Some(1.0)], 0)]),
                "cpu,memory",
                "a.csv has no row with all of `CPU Usage (%)`, `Memory Usage (%)`; name fewer with --features",
            ),
        ] {
            let error = select(&columns, &Features::parse(features).unwrap()).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
        let many: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
        assert!(has(&many).ends_with("`c29` and 10 more"), "{}", has(&many));
    }
}
