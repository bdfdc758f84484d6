use std::sync::Arc;

use watchkeeper_core::process::Image;
use watchkeeper_core::reading::{CpuTimes, Memory, Peer, ProcessCpu, ProcessMemory};
use watchkeeper_core::snapshot::{Exited, Process};
use watchkeeper_core::{BootId, Gap, GapReason, Moment, ProcessKey};

use super::*;

/// An interval of 5 s on two CPUs that were busy to this share, with a culprit.
pub(in crate::command::record) fn snapshot(cpu_percent: Option<f64>) -> Snapshot {
    let at = Moment { ts_ms: 1_795_143_845_000, mono_ms: 60_000, suspended_ms: 0, boot: BootId::default() };
    let mut snapshot = Snapshot::unknown(at, 5_000);
    snapshot.host.cpu_count = Some(2);
    snapshot.host.cpu = cpu_percent.map(|percent| {
        let user_us = (percent * 1e5).round() as u64;
        CpuTimes { user_us, idle_us: 10_000_000 - user_us, ..CpuTimes::default() }
    });
    snapshot.host.memory = Some(Memory { total_bytes: 1_000, available_bytes: 599, ..Memory::default() });
    snapshot.host.connections = Some(12);
    let peer = |address: &str, connections| Peer { address: address.to_owned(), connections };
    snapshot.peers = Some(vec![peer("other", 5), peer("10.0.0.5", 4), peer("::1", 2), peer("10.0.0.7", 1)]);
    snapshot.processes = Some(vec![
        process(4711, "burn", Some(4_980_000), Some(512 << 20)),
        process(12, "[cron.service] / python backup.py", Some(2_500_000), Some(9 << 30)),
        process(1, "systemd", Some(0), Some(1 << 20)),
    ]);
    snapshot
}

/// The same as a row.
pub(in crate::command::record) fn row(cpu_percent: Option<f64>) -> Row {
    Row::of(&snapshot(cpu_percent))
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { boot: BootId::default(), pid, start_ticks: 7 }
}

fn image(program: &str) -> Arc<Image> {
    Arc::new(Image { name: "name".to_owned(), program: program.to_owned(), ..Image::default() })
}

fn process(pid: u32, program: &str, cpu_us: Option<u64>, resident_bytes: Option<u64>) -> Process {
    Process {
        key: key(pid),
        parent: 1,
        image: image(program),
        uid: None,
        state: None,
        threads: None,
        cpu: cpu_us.map(|total_us| ProcessCpu { total_us, user_us: 0 }),
        memory: resident_bytes.map(|resident_bytes| ProcessMemory { resident_bytes, virtual_bytes: 0 }),
        faults: None,
        io: None,
        network: None,
        descriptors: None,
    }
}

fn blocks() -> Blocks {
    Blocks::new(TimeZone::UTC, 80.0, 3, false)
}

fn shown(snapshot: &Snapshot) -> String {
    blocks().block(&Row::of(snapshot), snapshot)
}

#[test]
fn a_block_begins_as_in_the_script_and_shows_network_and_processes() {
    insta::assert_snapshot!(shown(&snapshot(Some(12.5))), @r"
    [2026-11-20 03:04:05] | CPU: 12.5% | Memory: 40.1%
    Established connections: 12
      most with 10.0.0.5 (4), ::1 (2), 10.0.0.7 (1)
    Top processes                         pid  CPU of machine  cores     memory
      burn                               4711          49.8 %   1.00  512.0 MiB
      [cron.service] / python backup.py    12          25.0 %   0.50    9.0 GiB
      systemd                               1           0.0 %   0.00    1.0 MiB
    ");
}

#[test]
fn an_alert_names_its_culprit() {
    insta::assert_snapshot!(shown(&snapshot(Some(97.5))), @r"
    [2026-11-20 03:04:05] | CPU: 97.5% | Memory: 40.1%
    Established connections: 12
      most with 10.0.0.5 (4), ::1 (2), 10.0.0.7 (1)
    Top processes                         pid  CPU of machine  cores     memory
      burn                               4711          49.8 %   1.00  512.0 MiB
      [cron.service] / python backup.py    12          25.0 %   0.50    9.0 GiB
      systemd                               1           0.0 %   0.00    1.0 MiB
    ALERT: High CPU usage detected: 97.5%
      burn (pid 4711) takes 49.8 % of this machine's CPU
    ");
}

#[test]
fn only_what_is_above_the_threshold_is_an_alert() {
    for (percent, is_alert) in [(None, false), (Some(79.9), false), (Some(80.0), false), (Some(80.1), true)] {
        let snapshot = snapshot(percent);
        assert_eq!(blocks().alert(&Row::of(&snapshot)).is_some(), is_alert, "{percent:?}");
        assert_eq!(shown(&snapshot).contains("ALERT"), is_alert, "{percent:?}");
    }
}

#[test]
fn an_alert_is_red_where_colours_are_shown() {
    let mut blocks = Blocks { colour: true, ..blocks() };
    let snapshot = snapshot(Some(97.5));
    let text = blocks.block(&Row::of(&snapshot), &snapshot);
    assert!(text.contains("\n\u{1b}[1;31mALERT: High CPU usage detected: 97.5%\u{1b}[0m\n"), "{text:?}");
}

#[test]
fn what_is_unknown_is_said_and_explained_once() {
    let mut snapshot = snapshot(None);
    snapshot.host.memory = None;
    snapshot.host.connections = None;
    snapshot.peers = None;
    snapshot.processes = Some(vec![process(4711, "burn", None, None)]);
    let gap = |section, reason, remedy: Option<&str>| {
        let remedy = remedy.map(str::to_owned);
        Gap { section, reason, count: 1, remedy }
    };
    snapshot.gaps = vec![
        gap(Section::Memory, GapReason::Malformed, None),
        gap(Section::Peers, GapReason::Unsupported, None),
        gap(Section::ProcessMemory, GapReason::Permission, Some("run as root")),
        gap(Section::Disks, GapReason::Permission, None),
    ];
    let mut blocks = blocks();
    let row = Row::of(&snapshot);
    let first = blocks.block(&row, &snapshot);
    insta::assert_snapshot!([first, blocks.block(&row, &snapshot)].concat(), @r"
    [2026-11-20 03:04:05] | CPU: unknown | Memory: unknown
    Established connections: unknown
    Top processes     pid  CPU of machine    cores   memory
      burn           4711         unknown  unknown  unknown
      unknown: CPU of the machine: the system gave no number for this interval
      unknown: memory of the machine: malformed
      unknown: established connections: unsupported
      unknown: memory of processes: permission; run as root
      unknown: CPU time of processes: the system gave no number for this interval

    [2026-11-20 03:04:05] | CPU: unknown | Memory: unknown
    Established connections: unknown
    Top processes     pid  CPU of machine    cores   memory
      burn           4711         unknown  unknown  unknown
    ");
}

#[test]
fn a_list_of_processes_that_cannot_be_read_is_unknown() {
    let mut snapshot = snapshot(Some(97.5));
    snapshot.processes = None;
    let text = shown(&snapshot);
    assert!(text.contains("\nTop processes: unknown\n  unknown: processes: the system gave no number"), "{text}");
    assert!(text.ends_with("ALERT: High CPU usage detected: 97.5%\n\n"), "{text}");
}

#[test]
fn a_process_that_ended_has_no_memory_and_that_is_no_gap() {
    let mut snapshot = snapshot(Some(50.0));
    snapshot.processes = Some(Vec::new());
    let cpu = Some(ProcessCpu { total_us: 1_000_000, user_us: 0 });
    let image = image("short");
    snapshot.exited = vec![Exited {
        key: key(9),
        parent: 1,
        image,
        uid: None,
        ts_ms: 0,
        code: None,
        signal: None,
        cpu,
        faults: None,
        io: None,
        network: None,
    }];
    let text = shown(&snapshot);
    let line = text.lines().find(|line| line.contains("short")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["short", "9", "10.0", "%", "0.20", "ended"]);
    assert!(!text.contains("unknown"), "{text}");
}

#[test]
fn so_many_processes_are_shown_as_were_asked_for() {
    let snapshot = snapshot(Some(50.0));
    let row = Row::of(&snapshot);
    for (top, lines) in [(1, 1), (2, 2), (100, 3)] {
        let text = Blocks { top, ..blocks() }.block(&row, &snapshot);
        let shown = text.lines().skip_while(|line| !line.starts_with("Top processes")).skip(1);
        assert_eq!(shown.take_while(|line| line.starts_with("  ")).count(), lines, "{text}");
    }
}

#[test]
fn foreign_names_are_made_safe_and_short() {
    let mut snapshot = snapshot(Some(97.5));
    let evil = format!("\u{1b}[31mevil\nname{}", "x".repeat(500));
    snapshot.processes = Some(vec![process(4711, &evil, Some(1), Some(1))]);
    snapshot.peers = Some(vec![Peer { address: "\u{9b}1m".to_owned(), connections: 1 }]);
    let text = shown(&snapshot);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(text.lines().all(|line| line.chars().count() < 160), "{text}");
}

#[test]
fn an_idle_machine_has_no_culprit() {
    let mut snapshot = snapshot(Some(97.5));
    snapshot.processes = Some(vec![process(1, "systemd", Some(0), Some(1))]);
    assert_eq!(culprit(&Row::of(&snapshot), "takes"), None);
    let no_count = Row { cpu_count: None, ..row(Some(97.5)) };
    assert_eq!(culprit(&no_count, "takes").as_deref(), Some("burn (pid 4711) takes most of it"));
}
