//! A replay makes what the watch made, byte for byte.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use watchkeeper_core::snapshot::{CpuTimes, Filesystem, Process, ProcessCpu, TickFlags};
use watchkeeper_core::{BootId, Image, Moment, ProcessKey};
use watchkeeper_store::{SnapshotFileHeader, SnapshotFileWriter};

use super::*;

const INTERVAL_MS: i64 = 1_000;
/// 2026-11-20 12:00:00 UTC.
const START_MS: i64 = 1_795_176_000_000;

fn settings(threshold: u32) -> Value {
    let rule = |id: &str, when: String, hold: &str, shipped: bool| json!({ "shipped": shipped, "rule": { "id": id, "when": when, "for": hold } });
    json!({
        "host_name": "db1",
        "labels": { "env": "prod" },
        "time_zone": "Europe/Berlin",
        "interval_ms": INTERVAL_MS,
        "rules": [
            // Raised to three intervals, as only a shipped one is.
            rule("host", format!("system.cpu.utilization > \"{threshold}%\""), "1s", true),
            rule("process", "process.cpu.cores > 0.3".to_owned(), "4s", false),
            rule("full", "system.filesystem.utilization >= \"90%\"".to_owned(), "0s", false),
        ],
    })
}

fn host() -> HostId {
    HostId::default()
}

fn analyzer_settings(settings: &Value) -> watchkeeper_analyze::Settings {
    recorded_settings(settings.clone()).unwrap().analyzer(host()).unwrap()
}

/// A machine that rests, works, fills up, loses ticks, sets its clock, and sometimes does not know.
fn machine(dice: &[u8]) -> Vec<Snapshot> {
    let mut mood = 0;
    let mut now_ms = START_MS;
    let look = |(number, roll): (usize, &u8)| {
        if roll % 7 == 0 {
            mood = roll / 7;
        }
        let share = f64::from(mood % 5) / 4.1;
        let mono_ms = number as i64 * INTERVAL_MS;
        let jump_ms = if *roll == 255 { 3_600_000 } else { 0 };
        now_ms += INTERVAL_MS + jump_ms;
        let at = Moment { ts_ms: now_ms, mono_ms, suspended_ms: 0, boot: BootId::default() };
        let mut snapshot = Snapshot::unknown(at, INTERVAL_MS);
        let bits = [(jump_ms > 0, TickFlags::CLOCK_STEP), (number == 0, TickFlags::FIRST_LOOK)];
        snapshot.flags = TickFlags(bits.iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit).sum());
        snapshot.dropped = u32::from(*roll == 254);
        snapshot.host.cpu_count = Some(2);
        let user_us = (share * 2e6) as u64;
        let times = CpuTimes { user_us, idle_us: 2_000_000_u64.saturating_sub(user_us), ..CpuTimes::default() };
        snapshot.host.cpu = (roll % 11 != 0).then_some(times);
        let taken = Filesystem {
            mount_point: "/data".to_owned(),
            total_bytes: 1_000,
            free_bytes: u64::from(*roll),
            available_bytes: u64::from(*roll),
            ..Filesystem::default()
        };
        snapshot.filesystems = (roll % 3 != 0).then(|| vec![taken]);
        let process = |pid: u32| Process {
            key: ProcessKey { boot: BootId::default(), pid, start_ticks: 7 },
            parent: 1,
            image: Arc::new(Image { name: format!("p{pid}"), program: format!("p{pid}"), ..Image::default() }),
            uid: Some(0),
            state: None,
            threads: None,
            cpu: Some(ProcessCpu { total_us: user_us / u64::from(pid), user_us: 1 }),
            memory: None,
            faults: None,
            io: None,
            network: None,
            descriptors: None,
        };
        snapshot.processes = (roll % 13 != 0).then(|| (1..=3 + u32::from(roll % 2)).map(process).collect());
        snapshot
    };
    dice.iter().enumerate().map(look).collect()
}

/// The watch: all it makes of a machine, and what it is given while it does, on the way to a file.
fn live(path: &Path, snapshots: &[Snapshot], state: LoadedState, changed_at: usize) -> Vec<Change> {
    let header = SnapshotFileHeader {
        program: "0.1.0".to_owned(),
        host: host(),
        tier: "proc".to_owned(),
        settings: settings(60),
        alerts: state.alerts.clone(),
        incidents: state.incidents.clone(),
    };
    let mut file = SnapshotFileWriter::create(path, &header).unwrap();
    let mut analyzer = Analyzer::new(analyzer_settings(&header.settings), state);
    let mut all = Vec::new();
    for (number, snapshot) in snapshots.iter().enumerate() {
        let mut changes = Vec::new();
        if number == changed_at {
            let other = settings(90);
            file.write(&SnapshotFileEntry::Settings(other.clone())).unwrap();
            changes.extend(analyzer.reload(analyzer_settings(&other)));
        }
        file.write(&SnapshotFileEntry::Snapshot(Arc::new(snapshot.clone()))).unwrap();
        changes.extend(analyzer.step(snapshot));
        all.extend(changes.clone());
        // What history and the store add.
        let mut tickets = Vec::new();
        for change in &mut changes {
            if let Change::Incident { incident, .. } = change {
                incident.evidence.value += 0.1;
                tickets.push((incident.key, number as i64));
            }
        }
        changes.retain(|change| matches!(change, Change::Incident { .. }));
        if !changes.is_empty() {
            file.write(&SnapshotFileEntry::Committed { changes: changes.clone(), tickets: tickets.clone() }).unwrap();
            analyzer.committed(&changes, &Receipt { tickets, durability: Durability::Disk });
        }
    }
    file.flush().unwrap();
    all
}

fn nothing() -> LoadedState {
    LoadedState { host: host(), alerts: Vec::new(), incidents: Vec::new() }
}

fn player(path: &Path, rules: Option<Vec<Rule>>) -> Player {
    let reader = SnapshotFileReader::open(path).unwrap();
    let settings = recorded_settings(reader.header().settings.clone()).unwrap();
    Player::new(reader, settings, rules).unwrap()
}

fn replayed(player: &mut Player) -> Vec<Change> {
    let mut all = Vec::new();
    while let Some(played) = player.play().unwrap() {
        if let Played::Changes(changes) = played {
            all.extend(changes);
        }
    }
    all
}

fn bytes(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| serde_json::to_string(change).unwrap()).collect()
}

/// What the next watch finds.
fn left_behind(changes: &[Change]) -> LoadedState {
    let mut state = nothing();
    for change in changes {
        match change {
            Change::Alert(alert) => {
                state.alerts.retain(|other| other.fingerprint != alert.fingerprint);
                state
                    .alerts
                    .extend((!matches!(alert.state.word(), "inactive" | "resolved" | "ended")).then(|| alert.clone()));
            }
            Change::Incident { incident, .. } => {
                state.incidents.retain(|other| other.key != incident.key);
                state.incidents.extend(incident.closed_ms.is_none().then(|| (**incident).clone()));
            }
        }
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_replay_makes_what_the_watch_made_byte_for_byte(
        dice in prop::collection::vec(any::<u8>(), 20..200),
        changed_at in 0..200_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        let snapshots = machine(&dice);
        let (before, after) = snapshots.split_at(snapshots.len() / 2);
        let made = live(&first, before, nothing(), changed_at);
        prop_assert_eq!(bytes(&replayed(&mut player(&first, None))), bytes(&made));
        // The next watch goes on with what that one left.
        let made = live(&second, after, left_behind(&made), changed_at);
        prop_assert_eq!(bytes(&replayed(&mut player(&second, None))), bytes(&made));
    }
}

#[test]
fn the_summary_counts_what_was_played() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("night.zst");
    // Nothing, then all of the machine for good.
    let mut dice = vec![1; 10];
    dice.extend([28; 1]);
    dice.extend([253; 10]);
    dice.extend([254; 1]);
    let made = live(&path, &machine(&dice), nothing(), 1_000);
    let opened = made.iter().filter(|change| matches!(change, Change::Incident { event: IncidentEvent::Opened, .. }));
    let opened = opened.count() as u64;
    assert!(opened > 0);
    let mut player = player(&path, None);
    replayed(&mut player);
    let summary = player.summary();
    assert_eq!((summary.ticks, summary.rules, summary.opened, summary.dropped), (22, 3, opened, 1));
    assert_eq!(summary.from_ms.zip(summary.to_ms), Some((START_MS + 1_000, START_MS + 22_000)));
    assert_eq!(summary.open, opened - summary.closed);
    assert_eq!((summary.lost, summary.is_cut), (None, false));
}

#[test]
fn other_rules_make_something_else_of_the_same_night_also_after_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("night.zst");
    let made = live(&path, &machine(&[28; 40]), nothing(), 20);
    assert!(!made.is_empty());
    let mut quiet = player(&path, Some(Vec::new()));
    assert!(replayed(&mut quiet).is_empty());
    assert_eq!((quiet.summary().rules, quiet.summary().ticks), (0, 40));
}

#[test]
fn recorded_rules_that_cannot_be_used_are_named_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("night.zst");
    live(&path, &[], nothing(), 1);
    let open = || SnapshotFileReader::open(&path).unwrap();
    let mut settings = recorded_settings(open().header().settings.clone()).unwrap();
    settings.rules[1].rule.when = Some("process.weight > 3".to_owned());
    let error = Player::new(open(), settings, None).err().unwrap().to_string();
    assert!(error.starts_with("this version cannot go by the recorded rules: "), "{error}");
    assert!(error.ends_with("; `--rules current` plays it through those of the configuration"), "{error}");
    let error = recorded_settings(json!({ "rules": [] })).unwrap_err().to_string();
    assert_eq!(error, "the settings in the recording cannot be understood");
}
