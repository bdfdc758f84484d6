//! What a backtest says of the log is what the watch said, or would have said, while it was written.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use watchkeeper_analyze::backtest::{Backtest, RuleRecord};
use watchkeeper_analyze::{Analyzer, RuleConfig, Settings, compile};
use watchkeeper_core::port::LoadedState;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Change, HostId, Range, Recorder as _, Snapshot};
use watchkeeper_store::Reader;

use crate::hot_world::{TEN, World, folder, open, plain};
use crate::program::Program;

/// Rules on everything that the made-up machine does at random.
const RULES: [(&str, &str, &str, Option<&str>); 7] = [
    ("busy", "system.cpu.utilization > \"50%\"", "0s", None),
    ("windowed", "max(system.cpu.utilization, \"3s\") > \"10%\"", "0s", None),
    ("full", "system.filesystem.utilization > \"40%\"", "3s", None),
    ("stuck", "process.state in [\"D\", \"Z\"]", "0s", None),
    ("greedy", "process.cpu.cores > 0.3", "3s", None),
    ("together", "process.cpu.cores > 0.5", "3s", Some("program")),
    ("large", "max(process.memory.usage, \"3s\") > \"1KiB\"", "0s", None),
];

fn settings() -> Settings {
    let rule = |(id, when, hold, each): (&str, &str, &str, Option<&str>)| RuleConfig {
        id: id.to_owned(),
        when: Some(when.to_owned()),
        each: each.map(str::to_owned),
        hold: Span::parse(hold).unwrap(),
        keep_firing: Span::from_secs(2),
        ..RuleConfig::default()
    };
    Settings {
        host: HostId::default(),
        host_name: "db1".to_owned(),
        labels: BTreeMap::new(),
        time_zone: "UTC".to_owned(),
        rules: compile(&RULES.map(rule), 1_000).unwrap(),
    }
}

fn tested(range: Range, ticks: impl Iterator<Item = Snapshot>) -> Vec<RuleRecord> {
    let mut backtest = Backtest::new(settings(), range);
    for tick in ticks {
        backtest.look(&tick);
    }
    backtest.finish(&TimeZone::UTC)
}

#[test]
fn a_backtest_of_the_log_is_what_the_live_analyzer_said() {
    let mut fired = BTreeMap::new();
    for seed in 0..6 {
        let (_parent, folder) = folder();
        let (_store, mut recorder) = open(&folder);
        let state = LoadedState { host: HostId::default(), alerts: Vec::new(), incidents: Vec::new() };
        let mut world = World::new(seed);
        let mut analyzer = Analyzer::new(settings(), state.clone());
        let (mut live, mut ticks) = (Vec::new(), Vec::new());
        for second in 0..300 {
            let tick = world.tick(TEN + second * 1_000, 5_000_000 + second * 1_000, 1_000);
            recorder.record(&tick).unwrap();
            live.extend(analyzer.step(&tick));
            ticks.push(tick);
        }
        recorder.flush().unwrap();

        let range = Range::new(TEN, TEN + 300_000);
        let reader = Reader::open(&folder).unwrap();
        let mut again = Analyzer::new(settings(), state);
        let replayed: Vec<Change> = reader.replay(range).unwrap().flat_map(|tick| again.step(&tick.unwrap())).collect();
        assert_eq!(replayed, live, "seed {seed}");

        let records = tested(range, reader.replay(range).unwrap().map(Result::unwrap));
        assert_eq!(records, tested(range, ticks.into_iter()), "seed {seed}");
        for record in records {
            *fired.entry(record.id).or_insert(0) += record.times;
        }
    }
    for (id, ..) in RULES {
        assert!(fired[id] > 0, "`{id}` never fired: {fired:?}");
    }
}

#[test]
fn the_command_tells_what_would_have_fired_and_writes_nothing() {
    let program = Program::new("host.time_zone = \"UTC\"\n");
    let empty = program.command(&["rules", "backtest"]);
    assert_eq!(empty.status.code(), Some(1), "{empty:?}");
    let (_store, mut recorder) = open(&program.state_folder());
    let nothing = program.command(&["rules", "backtest"]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    assert!(nothing.stderr.contains("the log holds nothing of "), "{nothing:?}");
    for second in 0..600 {
        let mut tick = plain(TEN + second * 1_000, 4);
        let busy = (120..300).contains(&second);
        for process in tick.processes.iter_mut().flatten().filter(|process| process.key.pid == 3) {
            process.cpu = process.cpu.map(|mut cpu| {
                cpu.total_us = if busy { 1_800_000 } else { 0 };
                cpu
            });
        }
        recorder.record(&tick).unwrap();
    }
    recorder.flush().unwrap();
    let rules = program.folder().join("new.toml");
    std::fs::write(
        &rules,
        "[[rule]]\nid = \"greedy\"\nwhen = 'process.cpu.utilization > \"80%\"'\nfor = \"1m\"\n\
         [[rule]]\nid = \"never\"\nwhen = 'system.cpu.utilization > \"99%\"'\n",
    )
    .unwrap();
    let before = files(&program);
    let call = ["rules", "backtest", rules.to_str().unwrap(), "--from", "2026-11-20 10:00", "--to", "2026-11-20 10:10"];
    let said = program.command(&call);
    assert!(said.status.success(), "{said:?}");
    for expected in [
        "2 rules over 2026-11-20 10:00:00 to 2026-11-20 10:10:00 (10 m",
        "600 looks\n",
        "greedy would have fired once; ",
        "\n  2026-11-20 10:03:00 ",
        "p3 (pid 3)",
        "would never have fired: never\n",
    ] {
        assert!(said.stdout.contains(expected), "{expected}\n---\n{}", said.stdout);
    }
    let json = program.command(&[&call[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let firing = &json["rules"][0]["firings"][0];
    // It is over two minutes after it fired, and is kept firing for one more.
    assert_eq!((firing["length_ms"].as_i64(), firing["culprit"].as_str()), (Some(180_000), Some("p3 (pid 3)")));
    assert_eq!(files(&program), before);
    std::fs::write(program.state_folder().join("log/2026-11-21.db"), [7; 8_192]).unwrap();
    let damaged = program.command(&["rules", "backtest", "--from", "2026-11-20 10:00"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(damaged.stderr.contains("2026-11-21.db"), "{damaged:?}");
}

/// What is in the folder of the store, apart from the companions that SQLite makes for whoever reads.
fn files(program: &Program) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "log"] {
        let entries = std::fs::read_dir(program.state_folder().join(folder)).unwrap();
        names.extend(entries.map(|entry| {
            let entry = entry.unwrap();
            format!("{} {}", entry.file_name().to_string_lossy(), entry.metadata().unwrap().is_dir())
        }));
    }
    names.retain(|name| !name.contains("-shm") && !name.contains("-wal"));
    names.sort();
    names
}
