//! Cost of the hot tier: bytes and CPU time for each process at each tick, bytes written in a day, time of questions; and of
//! the same ticks as files for other programs.
//!
//! `cargo bench -p watchkeeper-store --bench hot -- [HOURS]` (24 by default, simulated, one tick a second) prints a table.
//!
//! The trace is made up after one of a busy 2-core machine: 300 long-lived processes of which about 15 % change from one
//! tick to the next (a tenth of them changes at almost every tick, the rest seldom), and one process a second that
//! lives for a second with one of 200 command lines. Of the changes each has CPU time, one in three another resident
//! size, one in four page faults, one in six disk bytes. The machine has 2 CPUs, 1 disk, 2 interfaces, 3 filesystems,
//! 12 listening sockets, 5 peers, pressure and load; network bytes of processes are unknown, as without eBPF.

#![allow(clippy::unwrap_used, reason = "a benchmark may end with a panic")]

#[path = "hot/machine.rs"]
mod machine;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use rustix::time::{ClockId, clock_gettime};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Entity, EntityKind, History, Range, Recorder, Series};
use watchkeeper_store::{Reader, Sink, SinkConfig, SinkFormat, SinkOrigin, Store, StoreConfig};

use machine::{DAY, Machine, PROCESSES, key};

fn main() {
    // Cargo passes `--bench`.
    let hours: i64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(24);
    let ticks = hours * 3_600;
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("store");
    let store = Store::open(&folder, &StoreConfig::default()).unwrap();
    let mut recorder = store.recorder().unwrap();
    let mut machine = Machine::new();
    let (mut samples, mut changed) = (0_u64, 0_u64);
    let (mut cpu_us, mut longest_us) = (0_u64, 0_u64);
    let written_before = written_bytes();
    for second in 0..ticks {
        let snapshot = machine.tick(second);
        samples += snapshot.processes.as_ref().unwrap().len() as u64 + snapshot.exited.len() as u64;
        changed += machine.changed;
        let before_us = process_cpu_us();
        recorder.record(&snapshot).unwrap();
        let took_us = process_cpu_us() - before_us;
        cpu_us += took_us;
        longest_us = longest_us.max(took_us);
    }
    let before_us = process_cpu_us();
    drop(recorder);
    cpu_us += process_cpu_us() - before_us;
    let written = written_bytes() - written_before;
    let path = folder.join("log/2026-11-20.db");
    let size = fs::metadata(&path).unwrap().len();

    println!("{ticks} ticks, {PROCESSES} processes and one short one a second, {hours} simulated hours");
    println!("{:<44} {:>12}", "process-samples", samples);
    println!("{:<44} {:>12.1} %", "of the long-lived processes changed per tick", share(changed, ticks));
    println!("{:<44} {:>12.2} B  (budget 8)", "file, per process-sample", size as f64 / samples as f64);
    println!("{:<44} {:>12.3} us", "CPU, per process-sample", cpu_us as f64 / samples as f64);
    println!("{:<44} {:>12.1} us", "CPU, per tick", cpu_us as f64 / ticks as f64);
    println!("{:<44} {:>12.1} ms", "CPU, longest tick (with its commit)", longest_us as f64 / 1e3);
    let scaled = if hours == 24 { "" } else { ", scaled from the hours above" };
    let per_day = written as f64 * 24.0 / hours as f64 / 1e9;
    println!("{:<44} {per_day:>12.3} GB (budget 1){scaled}", "written a day");
    tables(&path, samples);
    questions(&folder, ticks);
    files(around.path());
}

/// Cost of ten minutes as files for other programs.
fn files(folder: &Path) {
    println!("\n{:<44} {:>10} {:>12} {:>12}", "file for other programs", "us/look", "bytes/row", "GB a day");
    for (format, interval) in
        [(SinkFormat::Csv, None), (SinkFormat::Csv, Some(60)), (SinkFormat::Jsonl, None), (SinkFormat::Jsonl, Some(60))]
    {
        const TICKS: i64 = 600;
        let path = folder.join(format!("{}{}", format.word(), interval.unwrap_or(0)));
        let interval = interval.map(Span::from_secs);
        let config = SinkConfig { format: Some(format), path: path.clone(), interval, ..SinkConfig::default() };
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        let mut sink = Sink::new(&config, SinkOrigin { host_name: "db1".to_owned(), zone, user_name: |_| None });
        let mut machine = Machine::new();
        let mut cpu_us = 0;
        for second in 0..TICKS {
            let snapshot = machine.tick(second);
            let before_us = process_cpu_us();
            sink.record(&snapshot).unwrap();
            cpu_us += process_cpu_us() - before_us;
        }
        let what = format!("{}, every {}", format.word(), interval.unwrap_or(Span::from_secs(1)));
        let bytes = fs::metadata(&path).unwrap().len() as f64;
        let (row, day) = (bytes / sink.written().rows as f64, bytes * 86_400.0 / TICKS as f64 / 1e9);
        println!("{what:<44} {:>10.1} {row:>12.1} {day:>12.3}", cpu_us as f64 / TICKS as f64);
    }
}

fn share(changed: u64, ticks: i64) -> f64 {
    changed as f64 * 100.0 / (ticks as f64 * f64::from(PROCESSES))
}

/// What each table takes.
fn tables(path: &Path, samples: u64) {
    let connection = Connection::open(path).unwrap();
    let own = "name GLOB '*process*' OR name GLOB '*command*' OR name GLOB '*program*' OR name IN ('image', 'lineage', 'exit')";
    let sql = format!("SELECT sum(pgsize) FROM dbstat WHERE {own}");
    if let Ok(bytes) = connection.query_row(&sql, [], |row| row.get::<_, f64>(0)) {
        println!("{:<44} {:>12.2} B", "of it tables of processes", bytes / samples as f64);
    }
    let sql = "SELECT name, sum(pgsize), sum(ncell) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 12";
    let Ok(mut statement) = connection.prepare(sql) else { return };
    let mut rows = statement.query([]).unwrap();
    println!("\n{:<32} {:>12} {:>12}", "table or index", "MB", "B/sample");
    while let Some(row) = rows.next().unwrap() {
        let (name, bytes): (String, f64) = (row.get(0).unwrap(), row.get(1).unwrap());
        println!("{name:<32} {:>12.2} {:>12.3}", bytes / 1e6, bytes / samples as f64);
    }
}

fn questions(folder: &Path, ticks: i64) {
    let reader = Reader::open(folder).unwrap();
    let end = DAY + ticks * 1_000;
    // The quarter of an hour ends just before a key tick: the way back to the last one is the longest.
    let middle = DAY + ticks / 2 * 1_000;
    let keys_end = middle - (middle - DAY) % 600_000 + 590_000;
    let quarter = Range::new(keys_end - 900_000, keys_end);
    let whole = Range::new(DAY, end);
    let series = |entity: Entity, metric: &str| Series { metric: metric.to_owned(), entity };
    let process = key(17);
    println!("\n{:<44} {:>10} {:>10}", "question (CPU ms, of 21)", "median", "worst");
    ask("top 10 by CPU of 15 min (budget 20)", 21, || {
        black_box(reader.top(quarter, "process.cpu.utilization", EntityKind::Process, 10).unwrap());
    });
    ask("top 10 by memory of 15 min", 21, || {
        black_box(reader.top(quarter, "process.memory.usage", EntityKind::Process, 10).unwrap());
    });
    ask("top 10 programs by CPU of 15 min", 21, || {
        black_box(reader.top(quarter, "process.cpu.utilization", EntityKind::Program, 10).unwrap());
    });
    ask("one process, 15 min", 21, || {
        black_box(reader.process(&process, quarter).unwrap());
    });
    ask("snapshot", 21, || {
        black_box(reader.snapshot(keys_end).unwrap());
    });
    ask("coverage of everything", 5, || {
        black_box(reader.coverage(whole).unwrap());
    });
    ask("host CPU by minute, everything", 5, || {
        black_box(reader.series(&series(Entity::Host, "system.cpu.utilization"), whole, 60_000).unwrap());
    });
    ask("CPU of a process by minute, everything", 5, || {
        let series = series(Entity::Process(process), "process.cpu.utilization");
        black_box(reader.series(&series, whole, 60_000).unwrap());
    });
    ask("top 10 by CPU of everything", 3, || {
        black_box(reader.top(whole, "process.cpu.utilization", EntityKind::Process, 10).unwrap());
    });
}

fn ask(what: &str, times: usize, mut question: impl FnMut()) {
    let begin = Instant::now();
    let mut took: Vec<u64> = (0..times)
        .map(|_| {
            let before_us = process_cpu_us();
            question();
            process_cpu_us() - before_us
        })
        .collect();
    took.sort_unstable();
    let wall_ms = begin.elapsed().as_secs_f64() * 1e3 / times as f64;
    let ms = |us: u64| us as f64 / 1e3;
    println!("{what:<44} {:>10.2} {:>10.2}   (wall {wall_ms:.1})", ms(took[times / 2]), ms(took[times - 1]));
}

fn process_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// Bytes that this process gave to write(2) and its relatives.
fn written_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().trim().parse().unwrap()
}
