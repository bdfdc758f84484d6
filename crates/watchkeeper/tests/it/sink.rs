//! Files for other programs, written by the real watch and read by strict readers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::burner::{self, Burner};
use crate::program::Program;

/// How long something may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

type Row = BTreeMap<String, String>;

/// All rows of a CSV; every one has all fields.
fn csv_rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_path(path).expect("a file");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

/// All objects of a file of JSON lines.
fn objects(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn sink(format: &str, path: &Path) -> String {
    format!("[[sink]]\nformat = \"{format}\"\npath = \"{}\"\n", path.display())
}

#[test]
fn only_files_are_written_where_no_log_is_wanted_and_incidents_are_as_ever() {
    let program = Program::new("");
    let (csv, jsonl) = (program.folder().join("p.csv"), program.folder().join("p.jsonl"));
    program.configure(&format!(
        r#"
[store]
samples = false

{}{}interval = "2s"
{}for = "3s"
severity = "critical"
"#,
        sink("csv", &csv),
        sink("jsonl", &jsonl),
        burner::rule()
    ));
    let mut watch = program.run();
    let banner = program.log();
    for line in ["  log         none, as store.samples says\n", "p.csv (csv, every look, grows without end)\n"] {
        assert!(banner.contains(line), "{banner}");
    }
    let burner = Burner::start(program.folder());
    let name = format!("{} (pid {})", burner::name(), burner.pid());
    program.wait_for(PATIENCE, "an incident", || program.command(&["incidents", "list"]).stdout.contains(&name));
    let shown = program.command(&["incidents", "show", "1"]).stdout;
    assert!(shown.contains("there is no log"), "{shown}");
    let pid = burner.pid();
    drop(burner);
    let ended = |row: &Row| row["kind"] == "exited" && row["process.pid"] == pid.to_string();
    program.wait_for(PATIENCE, "its end in the file", || csv_rows(&csv).iter().any(ended));

    let status: serde_json::Value = serde_json::from_str(&program.command(&["status", "--json"]).stdout).expect("JSON");
    let troubles = status["troubles"].to_string();
    assert!(!troubles.contains("log") && !troubles.contains("p.csv"), "{troubles}");
    assert_eq!((&status["recorder"]["is_off"], &status["sinks"][1]["format"]), (&true.into(), &"jsonl".into()));
    assert!(status["sinks"][0]["rows"].as_u64().is_some_and(|rows| rows > 10), "{status}");
    let text = program.command(&["status"]).stdout;
    assert!(text.contains("log           none, as store.samples says; ") && text.contains("files         "), "{text}");
    assert!(watch.terminate(Duration::from_secs(10)));
    assert_eq!(fs::read_dir(program.state_folder().join("log")).expect("a folder").count(), 0, "a day was logged");
    let stopped = program.command(&["status"]).stdout;
    assert!(stopped.contains("log           none is written, as store.samples says"), "{stopped}");

    let rows = csv_rows(&csv);
    let burns = |row: &&Row| row["process.program"] == burner::name() && row["kind"] == "process";
    let cores: Vec<f64> = rows.iter().filter(burns).filter_map(|row| row["process.cpu.cores"].parse().ok()).collect();
    assert!(cores.iter().any(|cores| *cores > 0.3), "{cores:?}");
    let hosts: Vec<&Row> = rows.iter().filter(|row| row["kind"] == "host").collect();
    assert_eq!(hosts[0]["system.cpu.utilization"], "", "nothing is known at the first look");
    for host in &hosts[1..] {
        assert!(host["timestamp"].ends_with("+01:00") || host["timestamp"].ends_with("+02:00"), "{host:?}");
        assert_eq!(host["host.name"], "testhost");
        let share: f64 = host["system.cpu.utilization"].parse().expect("a number");
        assert!((0.0..=1.0).contains(&share), "{share}");
    }
    let objects = objects(&jsonl);
    let of_host: Vec<_> = objects.iter().filter(|object| object["kind"] == "host").collect();
    assert!(of_host.len() >= hosts.len() / 3 && of_host.len() < hosts.len(), "one in two looks");
    let ours = objects.iter().filter(|object| object["process.pid"] == u64::from(pid) && object["kind"] == "process");
    assert!(ours.into_iter().any(|object| object["process.cpu.cores"].as_f64().is_some_and(|cores| cores > 0.3)));
}

#[test]
fn a_reload_takes_on_other_files_and_refuses_what_it_would_spoil() {
    let program = Program::new("");
    let file = |name: &str| program.folder().join(name);
    program.configure(&(sink("csv", &file("a.csv")) + &sink("csv", &file("stays.csv"))));
    let mut watch = program.run();
    program.wait_for(PATIENCE, "rows", || length(&file("a.csv")) > 5_000);

    fs::write(file("foreign.csv"), "Timestamp,CPU Usage (%)\n").expect("written");
    program.configure(&(sink("csv", &file("foreign.csv")) + &sink("csv", &file("stays.csv"))));
    watch.signal(Signal::HUP);
    program.wait_for(PATIENCE, "a refusal", || program.log().contains("foreign.csv holds something else"));
    let before = length(&file("a.csv"));
    program.wait_for(PATIENCE, "rows of the old settings", || length(&file("a.csv")) > before);

    program.configure(&(sink("csv", &file("stays.csv")) + &sink("jsonl", &file("b.jsonl"))));
    watch.signal(Signal::HUP);
    program.wait_for(PATIENCE, "rows in another file", || length(&file("b.jsonl")) > 5_000);
    let (ended, stayed) = (length(&file("a.csv")), length(&file("stays.csv")));
    program.wait_for(PATIENCE, "rows in the file that stays", || length(&file("stays.csv")) > stayed);
    assert_eq!(length(&file("a.csv")), ended, "nobody wants it any more");

    // The same file with other settings: one writer after the other, and no row less.
    program.configure(&(sink("csv", &file("stays.csv")) + "mode = \"0640\"\n" + &sink("jsonl", &file("b.jsonl"))));
    watch.signal(Signal::HUP);
    let stayed = length(&file("stays.csv"));
    program.wait_for(PATIENCE, "rows after the reload", || length(&file("stays.csv")) > stayed + 20_000);
    assert!(watch.terminate(Duration::from_secs(10)));
    let rows = csv_rows(&file("stays.csv"));
    let times: Vec<&str> =
        rows.iter().filter(|row| row["kind"] == "host").map(|row| row["timestamp"].as_str()).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    let gaps = rows.iter().filter(|row| row["kind"] == "host" && row["system.cpu.utilization"].is_empty()).count();
    assert_eq!(gaps, 1, "only the first look of the watch knows nothing");
    assert_eq!(objects(&file("b.jsonl"))[0]["kind"], "host");
    assert_eq!(fs::read_to_string(file("foreign.csv")).expect("still there"), "Timestamp,CPU Usage (%)\n");
}

#[test]
fn a_file_of_others_is_refused_before_anything_runs() {
    let program = Program::new("");
    let path = program.folder().join("table.csv");
    program.configure(&sink("csv", &path));
    fs::write(&path, "Timestamp,CPU Usage (%)\n").expect("written");
    let said = program.command(&["run"]);
    assert_eq!(said.status.code(), Some(1));
    let expected = "table.csv holds something else: its first line is not the header of this version; \
                    nothing was changed in it: move it away, or give the sink another file";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    assert_eq!(fs::read_to_string(&path).expect("still there"), "Timestamp,CPU Usage (%)\n");
}

#[test]
fn a_folder_that_is_missing_is_a_warning_until_it_is_there_and_a_killed_watch_goes_on_in_its_file() {
    let program = Program::new("");
    let path = program.folder().join("later/p.csv");
    program.configure(&sink("csv", &path));
    let mut watch = program.run();
    program.wait_for_status(PATIENCE, |status| {
        let text = status["troubles"][0]["text"].as_str().unwrap_or_default();
        status["troubles"][0]["level"] == "warning" && text.contains("later; it is used as soon as you make it")
    });
    fs::create_dir(program.folder().join("later")).expect("a folder");
    program
        .wait_for_status(PATIENCE, |status| status["sinks"][0]["error"].is_null() && status["sinks"][0]["rows"] != 0);
    assert!(program.log().contains("is written again"), "{}", program.log());
    watch.kill();
    let rows = csv_rows(&path).len();
    // As if it had been killed in the middle of a line.
    let mut text = fs::read_to_string(&path).expect("a file");
    text.push_str("2026-11-20T03:04:05.123+01:00,1,pro");
    fs::write(&path, text).expect("written");
    let mut watch = program.run();
    program.wait_for_status(PATIENCE, |status| status["sinks"][0]["rows"] != 0);
    assert!(program.log().contains("the last line was cut and is removed"), "{}", program.log());
    assert!(watch.terminate(Duration::from_secs(10)));
    assert!(csv_rows(&path).len() > rows);
}

#[test]
fn nothing_that_is_logged_at_all_is_said() {
    let program = Program::new("[store]\nsamples = false\n");
    let checked = program.command(&["config", "check"]);
    assert!(checked.status.success(), "{checked:?}");
    let warning = "warning:  nothing is logged: store.samples is false, and there is no [[sink]]\n";
    assert!(checked.stdout.ends_with(warning), "{checked:?}");
    let watch = program.run();
    let banner = program.log();
    assert!(banner.contains("none, as store.samples says, and there is no [[sink]]: nothing is logged\n"), "{banner}");
    drop(watch);
    let folder = program.folder().join("state").join("p.csv");
    program.configure(&sink("csv", &folder));
    let refused = program.command(&["run"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}
