//! Delimited text, read as a table and continued as a log: no panic, what is said can be shown, and a log that is continued
//! keeps what it had and gains a row.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use watchkeeper_report::{StatusLine, StatusLog, Table, parse_csv};

/// A file of our own below the folder for temporary files.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("watchkeeper-fuzz-{}.csv", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    let before = read(bytes);
    fs::write(&*FILE, bytes).expect("a file can be written");
    let line = StatusLine {
        ts_ms: 1_795_143_845_000,
        cpu_percent: Some(12.5),
        memory_percent: Some(40.1),
        status: "Normal",
        score: Some(0.5),
        culprit: "=a, \"b\"",
    };
    match StatusLog::open(&FILE, &TimeZone::UTC).and_then(|mut log| log.append(&line)) {
        Ok(()) => {
            let after = fs::read(&*FILE).expect("a file can be read");
            assert!(after.starts_with(bytes) && after.ends_with(b"\n"));
            let line = String::from_utf8_lossy(&after[bytes.len()..]).into_owned();
            assert!(line.contains("2026-11-20 03:04:05"), "{line:?}");
            let after = read(&after);
            // A file in which something was skipped may have titles among its rows; then the line counts for the first ones.
            if let Some(before) = before.filter(|table| bytes.ends_with(b"\n") && table.notes.is_empty()) {
                assert_eq!(after.map(|table| table.rows), Some(before.rows + 1));
            }
        }
        Err(error) => {
            shown(&error.to_string());
            assert_eq!(fs::read(&*FILE).expect("a file can be read"), bytes, "a file that is refused stays as it is");
        }
    }
});

/// What is read, if it is a table.
fn read(bytes: &[u8]) -> Option<Table> {
    match parse_csv(bytes, &TimeZone::UTC) {
        Ok(table) => {
            for column in &table.columns {
                assert_eq!(column.values.len(), table.rows, "{}", column.title);
                assert!(column.values.iter().flatten().all(|value| value.is_finite()), "{}", column.title);
                shown(&column.title);
                column.first_unreadable.iter().for_each(|(_, text)| shown(text));
            }
            table.notes.iter().for_each(|note| shown(note));
            Some(table)
        }
        Err(problem) => {
            shown(&problem.to_string());
            None
        }
    }
}

fn shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?} reaches a terminal");
}
