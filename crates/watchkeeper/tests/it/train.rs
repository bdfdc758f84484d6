//! `train` as people call it: from the files of the scripts and from the log of a watch, to a model or to a sentence.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::Value;
use watchkeeper_detect::Model;

use crate::program::{Program, Said, said};

/// A file that the scripts, or the programs around them, have written.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../report/tests/fixtures").join(name)
}

/// A call in the folder of the program, where its files go.
fn call(program: &Program, arguments: &[&str]) -> Said {
    let mut call = program.call(arguments);
    call.current_dir(program.folder());
    said(call)
}

fn train(program: &Program, arguments: &[&str]) -> Said {
    call(program, &[&["train"], arguments].concat())
}

/// What a training that worked answers to programs.
fn answer(program: &Program, arguments: &[&str]) -> Value {
    let said = train(program, &[arguments, &["--json"]].concat());
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    serde_json::from_str(&said.stdout).expect("the answer is JSON")
}

fn model(program: &Program, name: &str) -> Model {
    Model::from_bytes(&fs::read(program.folder().join(name)).expect("a model was written")).expect("it is a model")
}

/// A log of the detector's script: `rows` looks, five seconds apart.
pub fn usual_log(program: &Program, name: &str, rows: usize) {
    let mut text = "Timestamp,CPU Usage (%),Memory Usage (%)\n".to_owned();
    for row in 0..rows {
        let (minute, second) = (row * 5 / 60, row * 5 % 60);
        let (cpu, memory) = ((row * 37 % 23) as f64 / 100.0, 40.0 + (row * 11 % 17) as f64 / 10.0);
        writeln!(text, "2026-11-20 03:{minute:02}:{second:02},{cpu},{memory}").expect("a text grows");
    }
    fs::write(program.folder().join(name), text).expect("the log is written");
}

#[test]
fn the_files_of_the_scripts_are_learned_from_as_they_are() {
    let program = Program::new("");
    let original = answer(&program, &["--from", fixture("original.xlsx").to_str().unwrap()]);
    assert!(original["rows"].as_u64().is_some_and(|rows| rows >= 10), "{original}");
    let names: Vec<&str> =
        original["features"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["CPU Usage (%)", "Memory Usage (%)"]);
    let saved_again = answer(&program, &["--from", fixture("original-libreoffice.xlsx").to_str().unwrap()]);
    for key in ["rows", "features", "threshold", "flagged", "interval_ms"] {
        assert_eq!(original[key], saved_again[key], "{key} differs between two programs that wrote one table");
    }
    let log = answer(&program, &["--from", fixture("system_log.csv").to_str().unwrap()]);
    assert!(log["rows"].as_u64().is_some_and(|rows| rows >= 10), "{log}");
    // Under its own name in this folder it needs no flag.
    fs::copy(fixture("original.xlsx"), program.folder().join("system_monitor_report.xlsx")).unwrap();
    let said = train(&program, &[]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    assert!(said.stdout.contains(" from system_monitor_report.xlsx"), "{}", said.stdout);
    let model = model(&program, "anomaly_detector.model");
    assert_eq!(model.summary().source, "system_monitor_report.xlsx");
    assert_eq!(model.summary().interval_ms, original["interval_ms"].as_i64());
}

#[test]
fn what_people_read_is_one_screen() {
    let program = Program::new("");
    usual_log(&program, "system_log.csv", 120);
    let said = train(&program, &["--from", "system_log.csv", "--contamination", "0.05"]);
    assert_eq!((said.status.code(), said.stderr.as_str()), (Some(0), ""));
    // The time it took is that of this machine.
    let (before, rest) = said.stdout.split_once(" rows each in ").unwrap();
    let after = rest.split_once(", seed").unwrap().1;
    insta::assert_snapshot!(format!("{before} rows each in TIME, seed{after}"), @r"
    rows        120 from system_log.csv, one every 5.0 s
    features    CPU Usage (%)     0.0 to 0.2, usual 0.0 to 0.2
                Memory Usage (%)  40.0 to 41.6, usual 40.1 to 41.5
    learned     100 trees of 120 rows each in TIME, seed 42
    threshold   score 0.588 (contamination 0.05); 6 rows (5.0 %) lie above it
    written     anomaly_detector.model (75.3 KiB)
    next        watchkeeper detect
    ");
}

#[test]
fn the_same_rows_and_seed_give_the_same_model() {
    let program = Program::new("");
    usual_log(&program, "system_log.csv", 300);
    let mut models = Vec::new();
    for (name, seed) in [("a.model", "7"), ("b.model", "7"), ("c.model", "8")] {
        let mut call = program.call(&["train", "--from", "system_log.csv", "--model", name, "--seed", seed]);
        // However many threads there are.
        call.current_dir(program.folder()).env("RAYON_NUM_THREADS", if name == "a.model" { "1" } else { "3" });
        assert_eq!(said(call).status.code(), Some(0));
        models.push(model(&program, name));
    }
    let summary = |index: usize| {
        let mut summary = models[index].summary().clone();
        summary.trained_ms = 0;
        summary
    };
    let rows: Vec<f64> = (0..200).map(|number| f64::from(number) / 2.0).collect();
    let scores = |index: usize| models[index].score_all(&rows).unwrap();
    assert_eq!((summary(0), scores(0)), (summary(1), scores(1)));
    assert_ne!(scores(0), scores(2), "the seed has no effect");
}

#[test]
fn what_cannot_be_learned_from_is_said_in_a_sentence() {
    let program = Program::new("");
    let write = |name: &str, text: &str| fs::write(program.folder().join(name), text).unwrap();
    usual_log(&program, "system_log.csv", 60);
    usual_log(&program, "few.csv", 9);
    write("columns.csv", "when,CPU\n1,2\n2,3\n");
    let row = |cpu: &str| format!("2026-11-20 03:00:00,{cpu},40.0\n");
    let titles = "Timestamp,CPU Usage (%),Memory Usage (%)\n";
    write("same.csv", &(titles.to_owned() + &row("5.0").repeat(30)));
    write("words.csv", &(titles.to_owned() + &row("busy").repeat(30)));
    write("holes.csv", &(titles.to_owned() + &row("").repeat(20) + &row("5").repeat(3) + &row("NaN").repeat(2)));
    fs::copy(fixture("anomaly_detector.joblib"), program.folder().join("anomaly_detector.joblib")).unwrap();
    let mut sentences = String::new();
    for arguments in [
        &[][..],
        &["--from", "nowhere.csv"],
        &["--from", "few.csv"],
        &["--from", "columns.csv"],
        &["--from", "same.csv"],
        &["--from", "words.csv"],
        &["--from", "holes.csv"],
        &["--from", "anomaly_detector.joblib"],
        &["--from", "."],
        &["--from", "system_log.csv", "--features", "cpu,load"],
        &["--from", "system_log.csv", "--model", "system_log.csv"],
        &["--from", "system_log.csv", "--model", "anomaly_detector.joblib"],
        &["--from", "system_log.csv", "--model", "nowhere/a.model"],
        &["--from", "system_log.csv", "--model", "."],
        &["--from", "system_log.csv", "--trees", "10000", "--samples", "32768"],
    ] {
        let said = train(&program, arguments);
        if said.status.code() == Some(0) {
            sentences.push_str("done\n");
            continue;
        }
        assert_eq!((said.status.code(), said.stdout.as_str()), (Some(1), ""), "{arguments:?} {said:?}");
        sentences.push_str(&said.stderr);
    }
    insta::assert_snapshot!(sentences, @r#"
    error: there is no system_monitor_report.xlsx here to learn from; record one first: `watchkeeper record`, or name a file with --from, or learn from the log with --last 24h
    error: there is no nowhere.csv; name a workbook or CSV with --from, or learn from the log with --last 24h
    error: few.csv: 9 rows are too few to learn what is normal from; at least 10 are needed, some hundreds are better; record for longer: `watchkeeper record --duration 10m`
    error: columns.csv has no column `Memory Usage (%)`; it has: `when`, `CPU`
    error: same.csv: no feature has two different values in 30 rows, so there is nothing to learn from; learn from a time in which the machine did its usual work
    error: words.csv has no number in the column `CPU Usage (%)`: 30 not a number (row 2: "busy")
    error: holes.csv: 3 rows are too few to learn what is normal from; at least 10 are needed, some hundreds are better; 22 rows left out (CPU Usage (%): 20 empty, 2 NaN)
    error: anomaly_detector.joblib is a Python pickle, such as a .joblib model: it holds a model and no data: name the workbook or CSV that the model was trained on
    error: . is a folder: name the workbook or CSV in it
    error: system_log.csv has no column `Load (1 min)`; it has: `CPU Usage (%)`, `Memory Usage (%)`
    error: system_log.csv is there and is no model of Watchkeeper; it is left as it is: name another file with --model
    error: anomaly_detector.joblib is there and is no model of Watchkeeper; it is left as it is: name another file with --model
    error: cannot write the model nowhere/a.model: its folder does not exist; what was there before is unchanged
    error: . is no file; name the file of a model with --model
    done
    "#);
    assert!(!program.folder().join("nowhere").exists());
    for (arguments, part) in [
        (&["--features", "cpuu"][..], "there is no feature `cpuu`; did you mean `cpu`?"),
        (&["--last", "1h", "--from", "a.csv"], "cannot be used with"),
        (&["--last", "yesterday"], "is not a duration"),
        (&["--last", "0"], "write how far back, such as `24h`"),
        (&["--contamination", "0.6"], "write auto, or a share above 0 and up to 0.5"),
        (&["--trees", "0"], "0 is not in 1..=10000"),
        (&["--samples", "1"], "1 is not in 2..=32768"),
    ] {
        let said = train(&program, arguments);
        assert_eq!(said.status.code(), Some(2), "{arguments:?} {said:?}");
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let no_log = train(&program, &["--last", "1h"]);
    assert_eq!(no_log.status.code(), Some(1));
    assert!(no_log.stderr.contains("a watch makes it"), "{}", no_log.stderr);
}

#[test]
fn a_training_that_fails_leaves_the_old_model() {
    let program = Program::new("");
    usual_log(&program, "system_log.csv", 60);
    usual_log(&program, "few.csv", 5);
    let disk = program.folder().join("disk");
    fs::create_dir(&disk).unwrap();
    mount("tmpfs", &disk, "tmpfs", MountFlags::empty(), c"size=128k,mode=700")
        .expect("this test mounts a filesystem and must run as root");
    let first = train(&program, &["--from", "system_log.csv", "--model", "disk/a.model", "--trees", "10"]);
    let before = fs::read(disk.join("a.model"));
    let few = train(&program, &["--from", "few.csv", "--model", "disk/a.model"]);
    // It needs more room than the disk has.
    let full = train(&program, &["--from", "system_log.csv", "--model", "disk/a.model", "--trees", "2000"]);
    let after = fs::read(disk.join("a.model"));
    let left = fs::read_dir(&disk).map(Iterator::count);
    unmount(&disk, UnmountFlags::DETACH).unwrap();
    assert_eq!([&first, &few, &full].map(|said| said.status.code()), [Some(0), Some(1), Some(1)]);
    assert_eq!(
        full.stderr,
        "error: cannot write the model disk/a.model: no space is left; what was there before is unchanged\n"
    );
    assert_eq!((before.unwrap(), 1), (after.unwrap(), left.unwrap()));
}

#[test]
fn the_log_of_a_watch_is_learned_from() {
    let program = Program::new("[collect]\ninterval = \"200ms\"\n");
    let mut watch = program.run();
    program.wait_for(Duration::from_mins(1), "some looks", || {
        let status: Value = serde_json::from_str(&program.command(&["status", "--json"]).stdout).unwrap_or_default();
        status["reader"]["ticks"].as_u64().is_some_and(|ticks| ticks >= 25)
    });
    assert!(watch.terminate(Duration::from_secs(10)), "{}", program.log());
    let answer =
        answer(&program, &["--last", "1h", "--interval", "200ms", "--features", "cpu,memory,processes,received"]);
    let (rows, left_out) = (answer["rows"].as_u64().unwrap(), answer["left_out"].as_u64().unwrap());
    assert!(rows >= 20, "{answer}");
    assert!(left_out <= 5, "only the first look, and looks that came late, lack something: {answer}");
    assert_eq!(answer["source"], "the log of the last 1h");
    assert!((190..=260).contains(&answer["interval_ms"].as_i64().unwrap()), "{answer}");
    let range = |index: usize, key: &str| answer["features"][index][key].as_f64().unwrap();
    assert!(range(0, "max") <= 100.0 && range(0, "max") > 0.0, "CPU in percent: {answer}");
    assert!(range(1, "min") > 1.0 && range(1, "max") <= 100.0, "memory in percent: {answer}");
    assert!(range(2, "min") >= 2.0, "processes: {answer}");
    assert!(answer["next"].as_str().unwrap().starts_with("watchkeeper detect --interval "), "{answer}");
    let few = train(&program, &["--last", "1h", "--interval", "1h"]);
    assert_eq!(few.status.code(), Some(1));
    assert!(few.stderr.contains("too few to learn"), "{}", few.stderr);
    assert!(few.stderr.ends_with("; let `watchkeeper run` log for longer\n"), "{}", few.stderr);
    let nothing = train(&program, &["--last", "1ms"]);
    assert_eq!(nothing.stderr, "error: the log holds nothing of the last 1ms; `watchkeeper run` writes it\n");
    program.configure("[store]\nsamples = false\n");
    let off = train(&program, &["--last", "1ms"]);
    assert_eq!(
        off.stderr,
        "error: the log holds nothing of the last 1ms, because `store.samples = false` switches it off; learn from a recording: \
         `watchkeeper record`\n"
    );
}
