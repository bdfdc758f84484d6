//! The contract of the reader.

use std::time::Duration;

use watchkeeper_core::gap::{Gap, GapReason, Section};
use watchkeeper_core::port::HistoryError;
use watchkeeper_core::process::Executable;
use watchkeeper_core::reading::Socket;
use watchkeeper_core::snapshot::{Exited, ProcessCpu, TickFlags};
use watchkeeper_core::{Entity, EntityKind, History, Image, Range, Recorder, Series, Snapshot};
use watchkeeper_store::{OpenError, Reader};

use crate::hot_world::{DAY, TEN, first_look, folder, image, key, open, plain, process, reader};

fn record(folder: &std::path::Path, snapshots: impl IntoIterator<Item = Snapshot>) {
    let (_store, mut recorder) = open(folder);
    for snapshot in snapshots {
        recorder.record(&snapshot).unwrap();
    }
    recorder.flush().unwrap();
}

fn exited(pid: u32, ts_ms: i64, cpu_us: u64) -> Exited {
    Exited {
        key: key(pid),
        parent: 1,
        image: image(&format!("p{pid}")).into(),
        uid: Some(0),
        ts_ms,
        code: Some(3),
        signal: None,
        cpu: Some(ProcessCpu { total_us: cpu_us, user_us: 0 }),
        faults: None,
        io: None,
        network: None,
    }
}

#[test]
fn a_store_that_is_not_there_is_missing_and_an_empty_one_answers() {
    let (_parent, folder) = folder();
    assert!(matches!(Reader::open(&folder), Err(OpenError::Missing { .. })));
    let (_store, _recorder) = open(&folder);
    let (reader, range) = (reader(&folder), Range::new(TEN, TEN + 60_000));
    assert_eq!(reader.snapshot(TEN).unwrap(), None);
    assert_eq!(reader.top(range, "process.cpu.cores", EntityKind::Process, 3).unwrap(), []);
    assert_eq!(reader.events(range).unwrap(), []);
    assert_eq!(reader.process(&key(1), range).unwrap(), []);
    let coverage = reader.coverage(range).unwrap();
    assert_eq!((coverage.ticks, coverage.covered_ms, coverage.first_ms), (0, 0, None));
    assert_eq!(coverage.gaps[0].0, range, "nobody looked");
}

#[test]
fn the_order_counts_the_whole_covered_time() {
    let (_parent, folder) = folder();
    // Pid 2 burns 2 ms each second; pid 9 lives for one second and burns 50 ms, of which 40 in its last moment.
    let snapshots = (0..10).map(|second| {
        let mut snapshot = plain(TEN + second * 1_000, 2);
        if second == 4 {
            snapshot.processes.as_mut().unwrap().push(process(9, 10_000));
        }
        if second == 5 {
            snapshot.exited.push(exited(9, TEN + 4_400, 40_000));
        }
        snapshot
    });
    record(&folder, snapshots);
    let reader = reader(&folder);
    let top = reader.top(Range::new(TEN, TEN + 10_000), "process.cpu.cores", EntityKind::Process, 2).unwrap();
    let (nine, two) = (&top[0], &top[1]);
    assert_eq!((&nine.entity, &two.entity), (&Entity::Process(key(9)), &Entity::Process(key(2))));
    assert!((nine.mean - 0.005).abs() < 1e-12 && (nine.max - 0.04).abs() < 1e-12, "{nine:?}");
    assert_eq!(nine.seen, Range::new(TEN + 4_000, TEN + 5_000));
    assert_eq!(nine.image, Some(image("p9")));
    assert!((two.mean - 0.002).abs() < 1e-12, "{two:?}");

    // Memory is carried through the ticks without a row and weighs as long as it was held.
    let memory = reader.top(Range::new(TEN, TEN + 10_000), "process.memory.usage", EntityKind::Process, 3).unwrap();
    let means: Vec<f64> = memory.iter().map(|ranked| ranked.mean / f64::from(1 << 20)).collect();
    assert_eq!(means, [2.0, 1.0, 0.9]);

    let programs = reader.top(Range::new(TEN, TEN + 10_000), "process.cpu.cores", EntityKind::Program, 9).unwrap();
    assert_eq!(programs[0].entity, Entity::Program("p9".to_owned()));
    assert_eq!(programs.len(), 3);
}

#[test]
fn gauges_in_a_log_of_a_single_look_are_ranked_too() {
    let (_parent, folder) = folder();
    record(&folder, [first_look(plain(TEN, 3))]);
    let reader = reader(&folder);
    let range = Range::new(TEN, TEN + 1);
    let top = reader.top(range, "process.memory.usage", EntityKind::Process, 1).unwrap();
    assert_eq!((top[0].entity.clone(), top[0].mean), (Entity::Process(key(3)), f64::from(3 << 20)));
    assert_eq!(reader.top(range, "process.cpu.cores", EntityKind::Process, 1).unwrap(), [], "unknown is not zero");
}

#[test]
fn questions_about_what_is_not_in_the_log_are_refused() {
    let (_parent, folder) = folder();
    record(&folder, [plain(TEN, 1)]);
    let reader = reader(&folder);
    let range = Range::new(TEN, TEN + 1_000);
    for (metric, kind) in [
        ("no.such.metric", EntityKind::Host),
        ("process.cpu.cores", EntityKind::Host),
        ("system.uptime", EntityKind::Program),
        ("process.state", EntityKind::Process),
        ("system.cpu.utilization", EntityKind::Check),
    ] {
        let error = reader.top(range, metric, kind, 1).unwrap_err();
        assert!(matches!(error, HistoryError::NoSuchSeries { .. }), "{metric} {kind}: {error}");
    }
    let series = |metric: &str, entity| reader.series(&Series { metric: metric.to_owned(), entity }, range, 1_000);
    assert!(matches!(series("process.name", Entity::Process(key(1))), Err(HistoryError::NoSuchSeries { .. })));
    let unknown = series("system.disk.io.read", Entity::Disk("no such disk".to_owned())).unwrap();
    assert_eq!(unknown[0].mean, None);
    let many =
        reader.series(&Series { metric: "system.uptime".to_owned(), entity: Entity::Host }, Range::new(0, i64::MAX), 1);
    assert!(many.unwrap_err().to_string().contains("longer steps"));
}

#[test]
fn a_series_has_equal_steps_with_mean_and_largest_value() {
    let (_parent, folder) = folder();
    let snapshots = (0..20).filter(|second| *second != 12 && *second != 13).map(|second| {
        let mut snapshot = plain(TEN + second * 1_000, 1);
        snapshot.processes.as_mut().unwrap()[0] = process(1, second as u64 * 1_000);
        snapshot
    });
    record(&folder, snapshots);
    let series = Series { metric: "process.cpu.cores".to_owned(), entity: Entity::Process(key(1)) };
    let reader = reader(&folder);
    let points = reader.series(&series, Range::new(TEN, TEN + 21_000), 4_000).unwrap();
    let got: Vec<_> = points
        .iter()
        .map(|p| (p.ts_ms - TEN, p.mean.map(|m| (m * 1e6).round()), p.max.map(|m| (m * 1e6).round())))
        .collect();
    let expected = [
        (0, Some(1_500.0), Some(3_000.0)),
        (4_000, Some(5_500.0), Some(7_000.0)),
        (8_000, Some(9_500.0), Some(11_000.0)),
        (12_000, Some(14_500.0), Some(15_000.0)),
        (16_000, Some(17_500.0), Some(19_000.0)),
        (20_000, None, None),
    ];
    assert_eq!(got, expected);
    let whole = reader.series(&series, Range::new(TEN, TEN + 4_000), 0).unwrap();
    assert_eq!(whole.len(), 1);
}

#[test]
fn coverage_tells_what_was_seen_and_what_was_not() {
    let (_parent, folder) = folder();
    let network = Gap { section: Section::ProcessNetwork, reason: GapReason::Unsupported, count: 1, remedy: None };
    let disk = Gap {
        section: Section::ProcessDisk,
        reason: GapReason::Permission,
        count: 4,
        remedy: Some("run it as root".to_owned()),
    };
    let times =
        (0..1_300).map(|second| TEN + second * 1_000).filter(|ts_ms| !(TEN + 700_000..TEN + 760_000).contains(ts_ms));
    let snapshots = times.map(|ts_ms| {
        let mut snapshot = plain(ts_ms, 1);
        snapshot.gaps.push(network.clone());
        if ts_ms < TEN + 100_000 {
            snapshot.gaps.push(Gap { count: 1 + (ts_ms / 1_000 % 4) as u64, ..disk.clone() });
        }
        snapshot
    });
    record(&folder, snapshots);
    let coverage = reader(&folder).coverage(Range::new(TEN - 1_000, TEN + 1_300_000)).unwrap();
    assert_eq!((coverage.first_ms, coverage.last_ms), (Some(TEN), Some(TEN + 1_299_000)));
    assert_eq!((coverage.ticks, coverage.covered_ms), (1_240, 1_240_000));
    let not_looked = Gap { section: Section::Ticks, reason: GapReason::NotSampled, count: 1, remedy: None };
    let expected = [
        (Range::new(TEN, TEN + 1_299_000), network),
        (Range::new(TEN, TEN + 99_000), disk),
        (Range::new(TEN + 699_000, TEN + 759_000), not_looked),
    ];
    assert_eq!(coverage.gaps, expected);
}

fn socket(port: u16) -> Socket {
    Socket {
        opened: None,
        owner: None,
        unread_bytes: None,
        protocol: "tcp".to_owned(),
        address: "::".to_owned(),
        port,
        uid: Some(0),
        queue: None,
        backlog: None,
    }
}

#[test]
fn things_that_happened_are_told_in_their_order() {
    let (_parent, folder) = folder();
    let mut snapshots: Vec<Snapshot> = (0..10).map(|second| plain(TEN + second * 1_000, 2)).collect();
    for snapshot in &mut snapshots {
        snapshot.sockets = Some(vec![socket(22)]);
    }
    snapshots[1].host.counters.oom_kills = Some(2);
    snapshots[2].sockets = Some(vec![socket(22), socket(80)]);
    snapshots[3].exited.push(exited(8, TEN + 2_500, 0));
    let mut replaced: Image = image("p1");
    replaced.executable = Some(Executable { inode: Some(78), ..image("p1").executable.unwrap() });
    let mut other = process(5, 0);
    other.image = replaced.into();
    snapshots[4].processes.as_mut().unwrap().push(other);
    snapshots[5].flags = TickFlags(TickFlags::CLOCK_STEP);
    for snapshot in &mut snapshots[5..] {
        snapshot.at.mono_ms -= 120_000;
    }
    snapshots[6].flags = TickFlags(TickFlags::SUSPENDED);
    for snapshot in &mut snapshots[6..] {
        snapshot.at.suspended_ms += 30_000;
    }
    record(&folder, snapshots);
    let events = reader(&folder).events(Range::new(TEN, TEN + 10_000)).unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.ts_ms - TEN, event.kind.as_str(), event.process.map(|key| key.pid), event.detail.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (1_000, "oom", None, "2 processes were killed because memory ran out"),
            (2_000, "socket_opened", None, "tcp [::]:80"),
            (2_500, "exit", Some(8), "p8 ended with code 3"),
            (4_000, "executable_changed", Some(5), "/usr/bin/p1"),
            (5_000, "clock_step", None, "the clock was set forward by 2 m"),
            (6_000, "suspended", None, "the machine slept for 30 s"),
        ]
    );
    let later = reader(&folder).events(Range::new(TEN + 2_400, TEN + 2_600)).unwrap();
    assert_eq!(later.len(), 1, "an exit counts when it happened, not when it was noticed");
}

#[test]
fn the_first_look_after_a_restart_is_no_event() {
    let (_parent, folder) = folder();
    for (begin, port) in [(TEN, 22), (TEN + 60_000, 80)] {
        let mut snapshot = first_look(plain(begin, 2));
        snapshot.sockets = Some(vec![socket(port)]);
        record(&folder, [snapshot]);
    }
    assert_eq!(reader(&folder).events(Range::new(TEN, TEN + 100_000)).unwrap(), []);
}

#[test]
fn a_process_that_ended_while_nobody_looked_is_not_carried_on() {
    let (_parent, folder) = folder();
    record(&folder, (0..5).map(|second| plain(TEN + second * 1_000, 3)));
    record(&folder, [first_look(plain(TEN + 60_000, 2)), plain(TEN + 61_000, 2)]);
    let points = reader(&folder).process(&key(3), Range::new(TEN, TEN + 100_000)).unwrap();
    assert_eq!(points.len(), 5);
}

#[test]
fn questions_go_over_several_days() {
    let (_parent, folder) = folder();
    let midnight = DAY + 86_400_000;
    record(&folder, (-30..30).map(|second| plain(midnight + second * 1_000, 2)));
    let reader = reader(&folder);
    let range = Range::new(midnight - 20_000, midnight + 20_000);
    assert_eq!(reader.process(&key(2), range).unwrap().len(), 40);
    assert_eq!(reader.coverage(range).unwrap().covered_ms, 40_000);
    let top = reader.top(range, "process.cpu.cores", EntityKind::Process, 1).unwrap();
    assert!((top[0].mean - 0.002).abs() < 1e-12 && top[0].seen.length_ms() == 39_000, "{top:?}");
    let series = Series { metric: "process.cpu.cores".to_owned(), entity: Entity::Process(key(2)) };
    assert!(reader.series(&series, range, 10_000).unwrap().iter().all(|point| point.mean == Some(0.002)));
}

#[test]
fn a_deadline_cuts_an_answer_short() {
    let (_parent, folder) = folder();
    record(&folder, (0..600).map(|second| plain(TEN + second * 1_000, 40)));
    let late = reader(&folder).with_deadline(Duration::ZERO);
    let range = Range::new(TEN, TEN + 600_000);
    for _ in 0..2 {
        let error = late.top(range, "process.cpu.cores", EntityKind::Process, 3).unwrap_err();
        assert!(matches!(error, HistoryError::Deadline), "{error}");
    }
    assert!(matches!(late.coverage(range), Err(HistoryError::Deadline)));
    let early = reader(&folder).with_deadline(Duration::from_mins(10));
    assert_eq!(early.top(range, "process.cpu.cores", EntityKind::Process, 3).unwrap().len(), 3);
}

#[test]
fn a_reader_reads_while_a_watch_writes() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 20)).unwrap();
    recorder.flush().unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for second in 1..600 {
                recorder.record(&plain(TEN + second * 1_000, 20)).unwrap();
            }
            recorder.flush().unwrap();
        });
        let reader = reader(&folder);
        let mut last = TEN;
        while !writing.is_finished() {
            let snapshot = reader.snapshot(TEN + 1_000_000).unwrap().unwrap();
            assert!(snapshot.at.ts_ms >= last);
            last = snapshot.at.ts_ms;
            assert_eq!(snapshot, plain(last, 20), "a tick is there as a whole");
            reader.top(Range::new(TEN, last + 1), "process.cpu.cores", EntityKind::Process, 3).unwrap();
        }
        writing.join().unwrap();
        assert_eq!(reader.coverage(Range::new(TEN, TEN + 1_000_000)).unwrap().ticks, 600);
    });
}

#[test]
fn foreign_text_is_kept_as_it_is_and_long_command_lines_once() {
    let (_parent, folder) = folder();
    let mut snapshot = plain(TEN, 2);
    let long = "x\u{1b}[31m\n".repeat(20_000);
    for process in snapshot.processes.iter_mut().flatten() {
        let mut image = image("'; DROP TABLE tick; --\u{7}");
        image.command.as_mut().unwrap().text.clone_from(&long);
        process.image = image.into();
    }
    record(&folder, [snapshot.clone()]);
    assert_eq!(reader(&folder).snapshot(TEN).unwrap(), Some(snapshot));
    let path = folder.join("log").join("2026-11-20.db");
    let stored: i64 = rusqlite::Connection::open(path)
        .unwrap()
        .query_row("SELECT count(*) FROM command", [], |row| row.get(0))
        .unwrap();
    assert_eq!(stored, 1);
}
