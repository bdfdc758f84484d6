//! Any machine over any intervals: what stands in the files is what the ticks add up to.

use watchkeeper_core::ProcessKey;
use watchkeeper_core::snapshot::TickFlags;

use super::*;
use crate::hot_world::{Dice, World};

/// What the columns of one process should say over some ticks, worked out one by one.
fn expected(ticks: &[Snapshot], key: ProcessKey, is_exited: bool) -> BTreeMap<&'static str, Option<f64>> {
    let total_ms: i64 = ticks.iter().map(|tick| tick.interval_ms).sum();
    let mean = |living: &dyn Fn(&Process) -> Option<u64>, end: &dyn Fn(&Exited) -> Option<u64>| {
        let (mut sum, mut known_ms, mut is_known) = (0_u64, total_ms, false);
        for tick in ticks {
            let listed = tick.processes.iter().flatten().find(|process| process.key == key);
            let listed = listed.filter(|_| tick.interval_ms > 0).map(living);
            let ended = tick.exited.iter().find(|exited| exited.key == key).and_then(end);
            if listed == Some(None) {
                known_ms -= tick.interval_ms;
            }
            for part in [listed.flatten(), ended].into_iter().flatten() {
                sum += part;
                is_known = true;
            }
        }
        (is_known && known_ms > 0).then(|| sum as f64 * 1e3 / known_ms as f64)
    };
    let cpu = mean(&|process| process.cpu.map(|cpu| cpu.total_us), &|exited| exited.cpu.map(|cpu| cpu.total_us));
    let cpu_count = ticks.last().unwrap().host.cpu_count;
    let seen = ticks.iter().rev().find_map(|tick| tick.processes.iter().flatten().find(|p| p.key == key));
    let memory = seen.and_then(|process| process.memory);
    let mut expected = BTreeMap::from([
        ("process.cpu.cores", cpu.map(|us| us / 1e6)),
        ("process.cpu.utilization", cpu.zip(cpu_count).map(|(us, count)| us / 1e6 / f64::from(count))),
        (
            "process.disk.io.write",
            mean(&|process| process.io.map(|io| io.written_bytes), &|exited| exited.io.map(|io| io.written_bytes)),
        ),
        ("process.network.io.receive", mean(&|process| process.network.map(|n| n.received_bytes), &|_| None)),
    ]);
    if !is_exited {
        expected.insert("process.memory.usage", memory.map(|memory| memory.resident_bytes as f64));
        expected.insert("process.thread.count", seen.and_then(|process| process.threads).map(f64::from));
    }
    expected
}

/// The last process with this number in the ticks so far: one goes on while the list cannot be read.
fn key_of(ticks: &[Snapshot], pid: u32) -> ProcessKey {
    let keys = |tick: &Snapshot| -> Vec<ProcessKey> {
        let living = tick.processes.iter().flatten().map(|process| process.key);
        living.chain(tick.exited.iter().map(|exited| exited.key)).collect()
    };
    ticks.iter().rev().flat_map(keys).find(|key| key.pid == pid).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_back_agrees_with_what_was_seen(seed: u64, length in 1_usize..7, jsonl: bool) {
        let folder = tempfile::tempdir().unwrap();
        let format = if jsonl { SinkFormat::Jsonl } else { SinkFormat::Csv };
        let interval = (length > 1).then(|| Span::from_secs(length as i64));
        let config = SinkConfig { interval, ..config(format, folder.path()) };
        let mut sink = open(&config);
        let mut world = World::new(seed);
        let mut ticks: Vec<Snapshot> = (0..20).map(|n| world.tick(TEN + n * 1_000, 5_000 + n * 1_000, 1_000)).collect();
        for tick in &mut ticks {
            // A process that comes back from the dead is the business of no reader.
            tick.flags = TickFlags::default();
            sink.record(tick).unwrap();
        }
        sink.flush().unwrap();
        let rows = rows(&config);
        let mut batches: Vec<Vec<Row>> = Vec::new();
        for row in rows {
            if row["kind"] == "host" {
                batches.push(Vec::new());
            }
            batches.last_mut().unwrap().push(row);
        }
        // The first interval has one tick more: it begins with it.
        let mut rest = ticks.as_slice();
        for (index, batch) in batches.iter().enumerate() {
            let count = if length == 1 { 1 } else { (length + usize::from(index == 0)).min(rest.len()) };
            let (window, after) = rest.split_at(count);
            rest = after;
            let end = window.last().unwrap();
            let seen = &ticks[..ticks.len() - rest.len()];
            let listed = end.processes.as_ref();
            let mut pids: Vec<u32> = Vec::new();
            for row in &batch[1..] {
                let pid: u32 = row["process.pid"].parse().unwrap();
                prop_assert!(!pids.contains(&pid), "{} twice", pid);
                pids.push(pid);
                let is_exited = row["kind"] == "exited";
                for (name, value) in expected(window, key_of(seen, pid), is_exited) {
                    let found: Option<f64> = row.get(name).map(|text| text.parse().unwrap());
                    let agrees = match (found, value) {
                        (Some(found), Some(value)) => (found - value).abs() <= 1e-3 + value * 1e-9,
                        _ => found == value,
                    };
                    prop_assert!(agrees, "{} {}: {:?} {:?}", pid, name, found, value);
                }
                if let Some(listed) = listed {
                    prop_assert_eq!(!is_exited, listed.iter().any(|process| process.key.pid == pid), "{}", pid);
                }
            }
            for process in listed.into_iter().flatten() {
                prop_assert!(pids.contains(&process.key.pid));
            }
            for exited in window.iter().flat_map(|tick| &tick.exited) {
                prop_assert!(pids.contains(&exited.key.pid));
            }
            let seconds: f64 = window.iter().map(|tick| tick.interval_ms as f64 / 1e3).sum();
            prop_assert_eq!(batch[0]["interval_s"].parse::<f64>().unwrap(), seconds);
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_look_says_what_the_catalogue_says(seed: u64, jsonl: bool) {
        let folder = tempfile::tempdir().unwrap();
        let config = config(if jsonl { SinkFormat::Jsonl } else { SinkFormat::Csv }, folder.path());
        let mut sink = open(&config);
        let mut world = World::new(seed);
        for n in 0..10 {
            let snapshot = world.tick(TEN + n * 1_000, 5_000 + n * 1_000, 1_000);
            fs::write(&config.path, "").unwrap();
            sink.record(&snapshot).unwrap();
            let rows = rows(&config);
            prop_assert_eq!(agrees_with_the_catalogue(&rows[0], &snapshot, EntityRef::Host)?, 9);
            for row in of_kind(&rows, "process") {
                let process = snapshot.process_by_pid(row["process.pid"].parse().unwrap()).unwrap();
                prop_assert_eq!(agrees_with_the_catalogue(&row, &snapshot, EntityRef::Process(process))?, 14);
            }
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_continued_without_a_broken_row(seed: u64, jsonl: bool) {
        let folder = tempfile::tempdir().unwrap();
        let config = config(if jsonl { SinkFormat::Jsonl } else { SinkFormat::Csv }, folder.path());
        let mut sink = open(&config);
        sink.record(&plain(TEN, 3)).unwrap();
        drop(sink);
        let whole = rows(&config);
        let bytes = fs::read(&config.path).unwrap();
        let cut = Dice(seed).roll(bytes.len() as u64) as usize;
        fs::write(&config.path, &bytes[..cut]).unwrap();
        open(&config).record(&plain(TEN + 1_000, 1)).unwrap();
        let now = rows(&config);
        let kept = now.len() - 2;
        prop_assert_eq!(&now[..kept], &whole[..kept]);
        let lines = bytes[..cut].split(|byte| *byte == b'\n').count() - 1;
        prop_assert_eq!(kept, lines.saturating_sub(usize::from(!jsonl)), "whole rows stay");
    }
}
