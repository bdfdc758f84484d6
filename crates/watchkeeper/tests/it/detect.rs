//! `detect` as people call it: a machine that is judged live, its log, its end, and its refusals.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::burner::{self, Burner};
use crate::program::{Program, Said, said};
use crate::train::usual_log;

const PATIENCE: Duration = Duration::from_mins(1);

fn call(program: &Program, arguments: &[&str]) -> Said {
    let mut call = program.call(arguments);
    call.current_dir(program.folder());
    said(call)
}

/// A program with a model of a machine that does nothing: every CPU time above 0.3 % is strange to it.
fn with_idle_model(features: &str) -> Program {
    let program = Program::new("");
    usual_log(&program, "idle.csv", 120);
    let said = call(&program, &["train", "--from", "idle.csv", "--features", features]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    program
}

/// A `detect` that runs; killed when it is dropped.
struct Running(Child);

impl Running {
    fn start(program: &Program, arguments: &[&str]) -> Self {
        let mut call = program.call(&[&["detect"], arguments].concat());
        call.current_dir(program.folder()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(call.spawn().expect("it starts"))
    }

    /// Ctrl+C; gives the exit code and the rest of both outputs.
    fn interrupt(mut self, mut stdout: impl Read) -> (Option<i32>, String, String) {
        kill_process(Pid::from_child(&self.0), Signal::INT).expect("the signal is sent");
        let (mut said, mut told) = (String::new(), String::new());
        stdout.read_to_string(&mut said).expect("it is text");
        self.0.stderr.take().expect("it is piped").read_to_string(&mut told).expect("it is text");
        (self.0.wait().expect("it ends").code(), said, told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_burning_process_is_an_anomaly_and_its_culprit() {
    let program = with_idle_model("cpu");
    let burner = Burner::start(program.folder());
    let mut running = Running::start(&program, &["--json", "--interval", "1s"]);
    let mut lines = BufReader::new(running.0.stdout.take().expect("it is piped"));
    let until = Instant::now() + PATIENCE;
    let look = loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        let look: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        if look["culprit"]["pid"].as_u64() == Some(u64::from(burner.pid())) {
            break look;
        }
        assert!(Instant::now() < until, "never the culprit; the last look was {look}");
    };
    assert_eq!((look["status"].as_str(), look["ranked_by"].as_str()), (Some("anomaly"), Some("cpu")), "{look}");
    assert_eq!(look["reasons"][0]["feature"], "CPU Usage (%)");
    assert!(look["score"].as_f64() > look["threshold"].as_f64(), "{look}");
    assert!(look["culprit"]["cpu_percent"].as_f64().is_some_and(|percent| percent > 1.0), "{look}");
    assert_eq!(look["culprit"]["program"], burner::name());
    let (code, rest, told) = running.interrupt(lines);
    assert_eq!(code, Some(0), "{told}");
    assert!(rest.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "not only objects: {rest}");
    let log = fs::read_to_string(program.folder().join("system_log.csv")).unwrap();
    let (titles, looks) = log.split_once('\n').unwrap();
    assert_eq!(titles, "Timestamp,CPU Usage (%),Memory Usage (%),Status,Score,Culprit");
    let culprit = format!("{} (pid {})", burner::name(), burner.pid());
    assert!(looks.lines().any(|line| line.contains(",ANOMALY DETECTED,0.") && line.contains(&culprit)), "{log}");
}

#[test]
fn people_read_the_line_of_the_script_and_ctrl_c_ends_with_a_count() {
    let program = with_idle_model("cpu,memory");
    let mut running = Running::start(&program, &["--interval", "200ms"]);
    let mut lines = BufReader::new(running.0.stdout.take().expect("it is piped"));
    let mut first = String::new();
    lines.read_line(&mut first).expect("a line");
    let (code, rest, told) = running.interrupt(lines);
    assert_eq!(code, Some(0), "{told}");
    let (time, rest_of_line) = first.split_once("] | CPU: ").unwrap_or_else(|| panic!("{first}"));
    assert!(jiff::civil::DateTime::strptime("[%Y-%m-%d %H:%M:%S", time).is_ok(), "{first}");
    let (cpu, rest_of_line) = rest_of_line.split_once("% | Memory: ").unwrap();
    let (memory, rest_of_line) = rest_of_line.split_once("% | Status: ").unwrap();
    for percent in [cpu, memory] {
        assert!(percent.parse::<f64>().is_ok_and(|value| value <= 100.0), "{first}");
        assert_eq!(percent.split_once('.').map(|(_, decimals)| decimals.len()), Some(1), "{first}");
    }
    let (status, score) = rest_of_line.trim_end().split_once(" | Score: 0.").unwrap();
    assert!(["Normal", "ANOMALY DETECTED"].contains(&status) && score.len() == 2, "{first}");
    let last = rest.lines().last().unwrap_or_default();
    assert!(last.contains(" look") && last.contains("anomal"), "the last line is no count: {rest}");
    assert!(told.starts_with("warning: the model learned from rows of 5.0 s, and looks are 200ms long"), "{told}");
    assert!(told.contains("judging every 200ms by CPU Usage (%), Memory Usage (%), as learned on 2"), "{told}");
    assert!(told.contains(" from 120 rows of idle.csv; Ctrl+C ends"), "{told}");
}

#[test]
fn once_judges_once_and_says_how() {
    let program = with_idle_model("cpu,memory");
    let began = Instant::now();
    let said = call(&program, &["detect", "--once", "--json", "--log", "once.csv"]);
    assert!(began.elapsed() >= Duration::from_secs(1), "it did not look for a second");
    assert_eq!((said.status.code(), said.stderr.as_str()), (Some(0), ""));
    let look: Value = serde_json::from_str(&said.stdout).expect("one object");
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
    assert!((900..=5_000).contains(&look["interval_ms"].as_i64().unwrap()), "{look}");
    assert!(look["features"]["Memory Usage (%)"].as_f64().is_some_and(|percent| percent > 0.0), "{look}");
    assert_eq!(fs::read_to_string(program.folder().join("once.csv")).unwrap().lines().count(), 2);
    let short = call(&program, &["detect", "--once", "--interval", "200ms", "--log", "once.csv"]);
    assert_eq!(short.status.code(), Some(0));
    assert!(short.stdout.starts_with('[') && short.stdout.lines().filter(|line| line.starts_with('[')).count() == 1);
    assert_eq!(
        fs::read_to_string(program.folder().join("once.csv")).unwrap().lines().count(),
        3,
        "the titles came again"
    );
}

#[test]
fn a_log_of_three_columns_is_continued_in_three_columns() {
    let program = with_idle_model("cpu,memory");
    usual_log(&program, "system_log.csv", 2);
    let said = call(&program, &["detect", "--interval", "200ms", "--duration", "600ms"]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let log = fs::read_to_string(program.folder().join("system_log.csv")).unwrap();
    let looks = said.stdout.lines().filter(|line| line.starts_with('[')).count();
    assert_eq!(log.lines().count(), 3 + looks, "{log}");
    for line in log.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        assert!(cells.len() == 3 && cells[1..].iter().all(|cell| cell.parse::<f64>().is_ok()), "{line}");
    }
}

#[test]
fn what_cannot_judge_is_refused_before_anything_is_written() {
    let program = with_idle_model("cpu,memory");
    let folder = program.folder();
    let model = fs::read(folder.join("anomaly_detector.model")).unwrap();
    fs::write(folder.join("cut.model"), &model[..model.len() - 9]).unwrap();
    fs::write(folder.join("anomaly_detector.joblib"), b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00").unwrap();
    fs::write(folder.join("notes.csv"), "nothing,of,this\n1,2,3\n").unwrap();
    let mut sentences = String::new();
    for arguments in [
        &["--model", "nowhere.model"][..],
        &["--model", "anomaly_detector.joblib"],
        &["--model", "idle.csv"],
        &["--model", "."],
        &["--log", "nowhere/system_log.csv"],
        &["--log", "."],
        &["--log", "notes.csv"],
        &["--log", "anomaly_detector.model"],
    ] {
        let said = call(&program, &[&["detect", "--once"], arguments].concat());
        assert_eq!((said.status.code(), said.stdout.as_str()), (Some(1), ""), "{arguments:?} {said:?}");
        sentences.push_str(&said.stderr);
    }
    insta::assert_snapshot!(sentences, @r"
    error: there is no model nowhere.model; learn one first: `watchkeeper train --model nowhere.model`
    error: anomaly_detector.joblib: this looks like a model that Python saved (joblib or pickle); such a file is a program that runs when it is loaded, so Watchkeeper does not load it; learn one of your own beside it: `watchkeeper train`
    error: idle.csv: this is not a model of Watchkeeper; it looks like a CSV file; learn one of your own beside it: `watchkeeper train --model idle.model`
    error: . is no file; name the file of a model with --model
    error: cannot write nowhere/system_log.csv: No such file or directory (os error 2); name another file with --log
    error: . is a folder, and is left as it is: name another file with --log
    error: notes.csv is not a log of this program: its first line has no Timestamp, no CPU Usage (%), no Memory Usage (%), and is left as it is: name another file with --log
    error: anomaly_detector.model is a model of this program and holds no data, and is left as it is: name another file with --log
    ");
    let damaged = call(&program, &["detect", "--once", "--model", "cut.model"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(damaged.stderr.starts_with("error: cut.model: the model is damaged: "), "{}", damaged.stderr);
    assert!(damaged.stderr.ends_with("learn a new one: `watchkeeper train --model cut.model`\n"), "{}", damaged.stderr);
    assert!(!folder.join("system_log.csv").exists());
    assert_eq!(fs::read(folder.join("anomaly_detector.model")).unwrap(), model);
    for (arguments, part) in [
        (&["--interval", "1ms"][..], "write a value from 100ms to 1h"),
        (&["--once", "--duration", "1s"], "cannot be used with"),
        (&["--top", "0"], "0 is not in 1..=100"),
    ] {
        let said = call(&program, &[&["detect"], arguments].concat());
        assert_eq!(said.status.code(), Some(2), "{arguments:?} {said:?}");
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
}

#[test]
fn a_log_that_breaks_is_no_reason_to_stop_looking_and_is_said_once() {
    let program = with_idle_model("cpu");
    let logs = program.folder().join("logs");
    fs::create_dir(&logs).unwrap();
    let mut running = Running::start(&program, &["--interval", "200ms", "--log", "logs/system_log.csv"]);
    let mut lines = BufReader::new(running.0.stdout.take().expect("it is piped"));
    let mut look = || {
        let mut line = String::new();
        while !line.starts_with('[') {
            line.clear();
            assert!(lines.read_line(&mut line).expect("a line") > 0, "it ended");
        }
    };
    look();
    fs::remove_dir_all(&logs).unwrap();
    (0..3).for_each(|_| look());
    let (code, _, told) = running.interrupt(lines);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(told.matches("warning: cannot write logs/system_log.csv").count(), 1, "{told}");
    let last = told.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.ends_with(" missing from logs/system_log.csv"), "{told}");
}

#[test]
fn a_reader_who_has_seen_enough_ends_it() {
    let program = with_idle_model("cpu");
    let mut running = Running::start(&program, &["--interval", "100ms"]);
    let mut lines = BufReader::new(running.0.stdout.take().expect("it is piped"));
    lines.read_line(&mut String::new()).expect("a line");
    drop(lines);
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = running.0.try_wait().expect("it can be waited for") {
            break status;
        }
        assert!(Instant::now() < until, "it goes on with nobody reading");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0));
}
