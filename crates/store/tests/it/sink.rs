//! Files for other programs: what is written can be read back by strict readers and is what was seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use watchkeeper_core::catalogue::{EntityRef, Value};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::snapshot::{
    Disk, DiskCounters, Exited, Interface, InterfaceCounters, Process, ProcessCpu, ProcessIo,
};
use watchkeeper_core::{Image, Recorder, Snapshot, metrics};
use watchkeeper_store::{Sink, SinkConfig, SinkFormat, SinkOrigin};

use crate::hot_world::{DAY, TEN, first_look, plain, process};

mod intervals;

pub const FORMATS: [SinkFormat; 2] = [SinkFormat::Csv, SinkFormat::Jsonl];

pub fn config(format: SinkFormat, folder: &Path) -> SinkConfig {
    let path = folder.join(format!("processes.{}", format.word()));
    SinkConfig { format: Some(format), path, ..SinkConfig::default() }
}

pub fn open(config: &SinkConfig) -> Sink {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let user_name = |uid| (uid == 0).then(|| "root".to_owned());
    Sink::new(config, SinkOrigin { host_name: "db1".to_owned(), zone, user_name })
}

/// A row: what is known in it.
pub type Row = BTreeMap<String, String>;

/// Reads a file as strictly as there is: every row has all fields, every object is one.
pub fn rows(config: &SinkConfig) -> Vec<Row> {
    read(config.format.unwrap(), &config.path)
}

pub fn read(format: SinkFormat, path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
    match format {
        SinkFormat::Csv => {
            let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
            let rows: Vec<Row> = reader.deserialize().map(|row| row.unwrap()).collect();
            rows.into_iter().map(|row| row.into_iter().filter(|(_, value)| !value.is_empty()).collect()).collect()
        }
        SinkFormat::Jsonl => text
            .lines()
            .map(|line| {
                let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(line).unwrap();
                let known = object.into_iter().filter(|(_, value)| !value.is_null());
                let text = |value: serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
                known.map(|(name, value)| (name, text(value))).filter(|(_, value)| !value.is_empty()).collect()
            })
            .collect(),
    }
}

pub fn numbers(rows: &[Row], name: &str) -> Vec<Option<f64>> {
    rows.iter().map(|row| row.get(name).map(|value| value.parse().unwrap())).collect()
}

pub fn of_kind(rows: &[Row], kind: &str) -> Vec<Row> {
    rows.iter().filter(|row| row["kind"] == kind).cloned().collect()
}

fn exited(process: Process, ts_ms: i64) -> Exited {
    Exited {
        key: process.key,
        parent: process.parent,
        image: process.image,
        uid: process.uid,
        ts_ms,
        code: None,
        signal: None,
        cpu: None,
        faults: None,
        io: None,
        network: None,
    }
}

#[test]
fn a_look_becomes_a_row_for_the_host_and_each_process_with_the_names_of_the_catalogue() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let config = config(format, folder.path());
        let mut sink = open(&config);
        sink.record(&first_look(plain(TEN, 2))).unwrap();
        let mut snapshot = plain(TEN + 1_000, 2);
        let list = snapshot.processes.as_mut().unwrap();
        list[1].io = Some(ProcessIo { read_bytes: 4_096, written_bytes: 0 });
        list[0].uid = Some(7);
        snapshot.exited = vec![Exited { code: Some(1), ..exited(process(9, 0), TEN + 500) }];
        sink.record(&snapshot).unwrap();
        let rows = rows(&config);
        assert_eq!(rows.len(), 3 + 4);
        assert_eq!((sink.written().rows, sink.written().last_ms), (7, Some(TEN + 1_000)));

        let first = of_kind(&rows[..3], "process");
        assert_eq!(numbers(&first, "process.cpu.cores"), [None, None], "nothing is known of what happened before");
        assert_eq!(numbers(&first, "interval_s"), [Some(0.0), Some(0.0)]);
        assert_eq!(numbers(&first, "process.memory.usage"), [Some(f64::from(1 << 20)), Some(f64::from(1 << 21))]);

        let host = &rows[3];
        for (name, value) in [
            ("timestamp", "2026-11-20T11:00:01.000+01:00"),
            ("kind", "host"),
            ("host.name", "db1"),
            ("system.cpu.utilization", "0.25"),
            ("system.memory.utilization", "0.5"),
            ("system.process.count", "2"),
        ] {
            assert_eq!(host[name], value, "{name}");
        }
        assert!(!host.contains_key("system.disk.io.read") && !host.contains_key("process.pid"), "{host:?}");
        let [one, two, ended] = &rows[4..] else { panic!("three processes") };
        for (name, values) in [
            ("kind", ["process", "process", "exited"]),
            ("process.pid", ["1", "2", "9"]),
            ("process.parent_pid", ["1", "1", "1"]),
            ("process.name", ["p1", "p2", "p9"]),
            ("process.command_line", ["p1 --flag", "p2 --flag", "p9 --flag"]),
            ("process.user.id", ["7", "0", "0"]),
        ] {
            assert_eq!([&one[name], &two[name], &ended[name]], values, "{name}");
        }
        assert_eq!(two["process.user.name"], "root");
        assert!(!one.contains_key("process.user.name"), "nobody knows user 7");
        assert_eq!((two["process.state"].as_str(), two["process.thread.count"].as_str()), ("S", "1"));
        assert_eq!((two["process.cpu.cores"].as_str(), two["process.cpu.utilization"].as_str()), ("0.002", "0.001"));
        assert_eq!(numbers(std::slice::from_ref(two), "process.disk.io.read"), [Some(4_096.0)]);
        assert_eq!(numbers(std::slice::from_ref(two), "process.disk.io.write"), [Some(0.0)], "zero was measured");
        assert!(!one.contains_key("process.disk.io.read"), "this was not");
        // pid 2 began 0.2 s after the boot, which was 1,000 s before the day.
        assert_eq!(two["process.creation.time"], "2026-11-20T00:43:20+01:00");
        assert_eq!(ended["process.exit.time"], "2026-11-20T11:00:00.500+01:00");
        assert_eq!(ended["process.exit.code"], "1");
        assert!(!ended.contains_key("process.exit.signal") && !ended.contains_key("process.cpu.cores"), "{ended:?}");
    }
}

/// Every column of this row that the catalogue has for this entity says the same there.
fn agrees_with_the_catalogue(row: &Row, snapshot: &Snapshot, entity: EntityRef<'_>) -> Result<usize, TestCaseError> {
    let kind = entity.entity().kind();
    let of_entity = metrics().filter(|metric| metric.entity_kind() == kind && COLUMNS.contains(&metric.name));
    let mut count = 0;
    for metric in of_entity {
        let found = row.get(metric.name).map(String::as_str);
        let agrees = match metric.value(snapshot, entity) {
            Some(Value::Number(value)) => {
                let found: Option<f64> = found.map(|text| text.parse().unwrap());
                found.is_some_and(|found| (found - value).abs() <= 1e-3 + value.abs() * 1e-9)
            }
            Some(Value::Text(text)) => found == Some(text),
            None => found.is_none(),
        };
        prop_assert!(agrees, "{} {:?} {:?}", metric.name, found, metric.value(snapshot, entity));
        count += 1;
    }
    Ok(count)
}

/// Columns whose names are those of metrics of the host or of processes.
const COLUMNS: [&str; 23] = [
    "system.cpu.logical.count",
    "system.cpu.utilization",
    "system.cpu.not_attributed",
    "system.memory.usage",
    "system.memory.utilization",
    "system.paging.utilization",
    "system.linux.load.1m",
    "system.network.connection.count",
    "system.process.count",
    "process.name",
    "process.program",
    "process.state",
    "process.cpu.utilization",
    "process.cpu.cores",
    "process.memory.usage",
    "process.memory.virtual",
    "process.disk.io.read",
    "process.disk.io.write",
    "process.network.io.receive",
    "process.network.io.transmit",
    "process.thread.count",
    "process.unix.file_descriptor.count",
    "process.command_line",
];

#[test]
fn bytes_of_the_host_count_once_and_a_sum_with_an_unknown_part_is_unknown() {
    let disk = |name: &str, read_bytes| Disk {
        name: name.to_owned(),
        counters: Some(DiskCounters { read_bytes, written_bytes: 1, ..DiskCounters::default() }),
        in_flight: 0,
    };
    let interface = |name: &str, received_bytes| Interface {
        name: name.to_owned(),
        counters: Some(InterfaceCounters { received_bytes, sent_bytes: 5, ..InterfaceCounters::default() }),
        up: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let config = SinkConfig { interval: Some(Span::from_secs(2)), ..config(SinkFormat::Csv, folder.path()) };
    let mut sink = open(&config);
    sink.record(&first_look(plain(TEN, 0))).unwrap();
    for second in 1..=4_u64 {
        let mut snapshot = plain(TEN + 1_000 * second as i64, 0);
        snapshot.disks = Some(vec![disk("nvme0n1", 1_000 * second), disk("sda", 500), disk("dm-0", 1 << 40)]);
        snapshot.interfaces = Some(vec![interface("eth0", 100), interface("lo", 1 << 40)]);
        if second == 2 {
            snapshot.interfaces.as_mut().unwrap().push(Interface { counters: None, ..interface("eth1", 0) });
        }
        if second > 2 {
            snapshot.interfaces = None;
        }
        sink.record(&snapshot).unwrap();
    }
    let hosts = rows(&config);
    for (name, values) in [
        ("system.disk.io.read", [Some(2_000.0), Some(4_000.0)]),
        ("system.disk.io.write", [Some(2.0), Some(2.0)]),
        ("system.network.io.receive", [Some(100.0), None]),
        ("system.network.io.transmit", [Some(5.0), None]),
        ("system.cpu.utilization", [Some(0.25), Some(0.25)]),
    ] {
        assert_eq!(numbers(&hosts, name), values, "{name}");
    }
}

#[test]
fn over_an_interval_counters_are_added_up_and_states_are_the_last() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let config = SinkConfig { interval: Some(Span::from_secs(3)), ..config(format, folder.path()) };
        let mut sink = open(&config);
        sink.record(&first_look(plain(TEN, 3))).unwrap();
        for second in 1..=7 {
            // Looks are not quite on time, the interval is not put off for that.
            let late = if second % 2 == 1 { -4 } else { 3 };
            let mut snapshot = plain(TEN + second * 1_000 + late, 3);
            let list = snapshot.processes.as_mut().unwrap();
            list[0].cpu = Some(ProcessCpu { total_us: 100_000 * second as u64, user_us: 0 });
            list[0].threads = Some(second as u32);
            if second >= 3 {
                // The third ends in the third second, unseen how.
                let gone = list.pop().unwrap();
                if second == 3 {
                    snapshot.exited = vec![exited(gone, TEN + 3_000)];
                }
            }
            if second == 5 {
                list[1].cpu = None;
            }
            sink.record(&snapshot).unwrap();
        }
        let all = rows(&config);
        let ends: Vec<String> = of_kind(&all, "host").into_iter().map(|row| row["timestamp"].clone()).collect();
        assert_eq!(ends, ["2026-11-20T11:00:02.996+01:00", "2026-11-20T11:00:06.003+01:00"]);
        let of = |pid: &str| -> Vec<Row> {
            all.iter().filter(|row| row.get("process.pid").is_some_and(|found| found == pid)).cloned().collect()
        };
        let one = of("1");
        assert_eq!(numbers(&one, "process.cpu.cores"), [Some(0.2), Some(0.5)], "(1+2+3)/3 and (4+5+6)/3 tenths");
        assert_eq!(numbers(&one, "process.thread.count"), [Some(3.0), Some(6.0)]);
        let two = of("2");
        assert_eq!(numbers(&two, "process.cpu.cores"), [Some(0.002), Some(0.002)], "the mean where it was known");
        let three = of("3");
        assert_eq!(three.len(), 1, "ended once");
        assert_eq!(three[0]["kind"], "exited");
        assert_eq!(numbers(&three, "process.cpu.cores"), [Some(0.002)], "3 ms twice in three seconds");
        assert_eq!(three[0]["process.memory.usage"], (3 << 20).to_string(), "as it was last seen");

        // What the end cuts off is written as it is.
        sink.flush().unwrap();
        let all = rows(&config);
        assert_eq!(numbers(&of_kind(&all, "host"), "interval_s"), [Some(3.0), Some(3.0), Some(1.0)]);
        sink.flush().unwrap();
        assert_eq!(rows(&config), all, "there is nothing more");
    }
}

#[test]
fn a_process_whose_end_was_in_a_lost_tick_has_ended_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(SinkFormat::Csv, folder.path());
    let mut sink = open(&config);
    sink.record(&plain(TEN, 2)).unwrap();
    // Between these two looks one was lost, and with it the end of process 2.
    sink.record(&plain(TEN + 2_000, 1)).unwrap();
    let mut unlisted = plain(TEN + 3_000, 1);
    unlisted.processes = None;
    sink.record(&unlisted).unwrap();
    sink.record(&plain(TEN + 4_000, 1)).unwrap();
    let rows = rows(&config);
    let exited = of_kind(&rows, "exited");
    assert_eq!(exited.len(), 1);
    assert_eq!((exited[0]["process.pid"].as_str(), exited[0].get("process.exit.time")), ("2", None));
    assert_eq!(of_kind(&rows, "process").len(), 2 + 1 + 1, "of those who could not be listed nothing is known");
}

#[test]
fn so_many_ends_that_they_would_fill_our_memory_end_the_interval() {
    let folder = tempfile::tempdir().unwrap();
    let config = SinkConfig { interval: Some(Span::from_secs(3_600)), ..config(SinkFormat::Csv, folder.path()) };
    let mut sink = open(&config);
    sink.record(&plain(TEN, 1)).unwrap();
    for second in 1..=2_u32 {
        let mut snapshot = plain(TEN + i64::from(second) * 1_000, 1);
        snapshot.exited =
            (0..5_000).map(|number| exited(process(100_000 * second + number, 0), snapshot.at.ts_ms)).collect();
        assert!(!config.path.exists());
        sink.record(&snapshot).unwrap();
    }
    assert_eq!(of_kind(&rows(&config), "exited").len(), 10_000);
}

#[test]
fn texts_of_strangers_stay_in_their_field() {
    let evil = ["=cmd|' /C calc'!A0", "a,b\"c\"\n\r\td", "\u{1b}[31mred\u{202e}", "-bash", "日本語 größe", "\"", ""];
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let config = config(format, folder.path());
        let mut sink = open(&config);
        let mut snapshot = plain(TEN, evil.len() as u32);
        for (process, text) in snapshot.processes.iter_mut().flatten().zip(evil) {
            let mut image = Image::clone(&process.image);
            image.name = text.to_owned();
            image.command.as_mut().unwrap().text = text.to_owned();
            process.image = Arc::new(image);
        }
        sink.record(&snapshot).unwrap();
        let processes = of_kind(&rows(&config), "process");
        let found: Vec<&str> =
            processes.iter().map(|row| row.get("process.command_line").map_or("", String::as_str)).collect();
        let csv = format == SinkFormat::Csv;
        let expected = [
            if csv { "'=cmd|' /C calc'!A0" } else { "=cmd|' /C calc'!A0" },
            "a,b\"c\"   d",
            "\\u{1b}[31mred\\u{202e}",
            if csv { "'-bash" } else { "-bash" },
            "日本語 größe",
            "\"",
            "",
        ];
        assert_eq!(found, expected, "{format:?}");
    }
}

#[cfg(unix)] // elsewhere the folder decides
#[test]
fn files_are_private_and_their_group_may_read_only_if_it_is_said() {
    use std::os::unix::fs::PermissionsExt;
    use watchkeeper_store::SinkMode;
    for (mode, bits) in [(SinkMode::Owner, 0o600), (SinkMode::Group, 0o640)] {
        let folder = tempfile::tempdir().unwrap();
        let config = SinkConfig { mode, ..config(SinkFormat::Csv, folder.path()) };
        open(&config).record(&plain(TEN, 1)).unwrap();
        let found = || fs::metadata(&config.path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found(), bits);
        fs::set_permissions(&config.path, fs::Permissions::from_mode(0o644)).unwrap();
        open(&config).record(&plain(TEN + 1_000, 1)).unwrap();
        assert_eq!(found(), bits, "older than the setting");
    }
}

/// Names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A snapshot of some processes at a time of the day in the sink's zone.
pub fn at(day: i64, hour: i64, minute: i64) -> Snapshot {
    plain(DAY + ((day * 24 + hour - 1) * 60 + minute) * 60_000, 2)
}

/// Paths of files beside that of a sink.
pub fn beside(config: &SinkConfig, name: &str) -> PathBuf {
    config.path.with_file_name(name)
}
