//! What must work on every system: the three steps, and a watch that is asked.

use std::fs;
use std::time::Duration;

use crate::program::{Program, Said, said};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a command in the program's own folder, where the three steps leave their files.
fn there(program: &Program, arguments: &[&str]) -> Said {
    let mut call = program.call(arguments);
    call.current_dir(program.folder());
    said(call)
}

#[test]
fn the_three_steps_follow_one_another_with_their_own_names() {
    let program = Program::new("");
    let recorded = there(&program, &["record", "--interval", "500ms", "--duration", "8s"]);
    assert!(recorded.status.success(), "{recorded:?}");
    let workbook = fs::read(program.folder().join("system_monitor_report.xlsx")).unwrap();
    assert!(workbook.starts_with(b"PK"), "no workbook");
    let trained = there(&program, &["train"]);
    assert!(trained.status.success(), "{trained:?}");
    let detected = there(&program, &["detect", "--once"]);
    assert!(detected.status.success(), "{detected:?}");
    assert!(detected.stdout.contains("| Status: "), "{detected:?}");
    let log = fs::read_to_string(program.folder().join("system_log.csv")).unwrap();
    assert!(log.starts_with("Timestamp,CPU Usage (%),Memory Usage (%)"), "{log}");
    assert_eq!(log.lines().count(), 2, "{log}");
}

#[test]
fn a_watch_is_asked_and_keeps_others_from_its_store() {
    let program = Program::new("");
    let mut watch = program.run();
    program.wait_for_status(PATIENCE, |status| status["reader"]["ticks"].as_u64() > Some(3));
    let status: serde_json::Value = serde_json::from_str(&program.command(&["status", "--json"]).stdout).unwrap();
    let reader = &status["reader"];
    assert!(reader["cpu_utilization"].as_f64().is_some_and(|share| (0.0..=1.0).contains(&share)), "{status}");
    assert!(reader["memory_utilization"].as_f64().is_some_and(|share| share > 0.0 && share < 1.0), "{status}");
    assert!(status["own"]["resident_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{status}");
    let second = program.command(&["run"]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(second.stderr.contains("is used by another watch"), "{second:?}");
    watch.kill();
    assert_eq!(program.command(&["status"]).status.code(), Some(3));
}
