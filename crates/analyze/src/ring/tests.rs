use watchkeeper_core::catalogue;
use watchkeeper_core::snapshot::ProcessIo;

use super::*;
use crate::scenes::{Machine, burning, process};

fn column(name: &str) -> &'static Metric {
    catalogue::metric(name).unwrap()
}

fn ring() -> Ring {
    Ring::new(vec![column("process.cpu.utilization"), column("process.memory.usage")])
}

fn ticks(ring: &mut Ring, machine: &mut Machine, count: usize) {
    for _ in 0..count {
        let snapshot = machine.tick();
        ring.record(&Tick::new(&snapshot, &[], 1, std::iter::empty()));
    }
}

fn writing(bytes: u64, mut process: Process) -> Process {
    process.io = Some(ProcessIo { read_bytes: 0, written_bytes: bytes });
    process
}

fn change(program: &str, now: f64, before: Option<f64>) -> ProgramChange {
    ProgramChange { program: program.to_owned(), now, before }
}

#[test]
fn a_change_is_the_last_minute_against_the_fifteen_before() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    machine.add(burning(0.25, process(2, "steady")));
    machine.add(burning(0.5, process(3, "falls")));
    machine.add(process(4, "rises"));
    ticks(&mut ring, &mut machine, 15 * 60);
    *machine.process(3) = process(3, "falls");
    *machine.process(4) = burning(0.25, process(4, "rises"));
    machine.add(burning(0.125, process(5, "new")));
    ticks(&mut ring, &mut machine, 60);
    assert_eq!(
        ring.changes(column("process.cpu.utilization")),
        [change("rises", 0.25, Some(0.0)), change("new", 0.125, None), change("falls", 0.0, Some(0.5))]
    );
    // A quarter of an hour later this is how it always was.
    ticks(&mut ring, &mut machine, 16 * 60);
    assert!(ring.changes(column("process.cpu.utilization")).is_empty());
}

#[test]
fn without_minutes_before_there_is_no_change() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    machine.add(burning(0.25, process(2, "new")));
    ticks(&mut ring, &mut machine, 60);
    assert!(ring.changes(column("process.cpu.utilization")).is_empty());
    // The next minute counts as "now" once half of it is over; before, it is added to the one that is.
    ticks(&mut ring, &mut machine, 29);
    assert!(ring.changes(column("process.cpu.utilization")).is_empty());
    *machine.process(2) = process(2, "new");
    ticks(&mut ring, &mut machine, 1);
    assert_eq!(ring.changes(column("process.cpu.utilization")).len(), 1);
    assert!(ring.changes(column("process.thread.count")).is_empty(), "not a column");
}

#[test]
fn only_what_changed_most_is_named() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    for pid in 2..20 {
        machine.add(process(pid, &format!("p{pid:02}")));
    }
    ticks(&mut ring, &mut machine, 60);
    for pid in 2..20 {
        let memory = machine.process(pid).memory.as_mut().unwrap();
        memory.resident_bytes += u64::from(pid) << 20;
    }
    machine.process(2).memory.as_mut().unwrap().resident_bytes += 1;
    ticks(&mut ring, &mut machine, 60);
    let changes = ring.changes(column("process.memory.usage"));
    let names: Vec<&str> = changes.iter().map(|change| change.program.as_str()).collect();
    assert_eq!(names, ["p19", "p18", "p17", "p16", "p15"]);
    // A thousandth of the largest change is not worth a line.
    machine.process(3).memory.as_mut().unwrap().resident_bytes += 1 << 30;
    machine.process(4).memory.as_mut().unwrap().resident_bytes += 1 << 20;
    ticks(&mut ring, &mut machine, 16 * 60);
    machine.process(3).memory.as_mut().unwrap().resident_bytes += 1 << 30;
    machine.process(4).memory.as_mut().unwrap().resident_bytes += 1 << 20;
    ticks(&mut ring, &mut machine, 60);
    let changes = ring.changes(column("process.memory.usage"));
    assert_eq!(changes.iter().map(|change| change.program.as_str()).collect::<Vec<_>>(), ["p03"]);
}

#[test]
fn memory_is_bounded_whatever_runs() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    for round in 0..40_u32 {
        machine.snapshot.processes = Some(Vec::new());
        for index in 0..500 {
            let pid = 2 + round * 500 + index;
            machine.add(writing(1, process(pid, &format!("storm{pid}"))));
        }
        machine.add(writing(1_000_000, burning(0.25, process(1_000_000, "hog"))));
        ticks(&mut ring, &mut machine, 2);
    }
    for minute in &ring.minutes {
        assert!(minute.programs.len() <= 2 * KEPT && minute.writers.len() <= 2 * KEPT);
        assert!(minute.programs.contains_key("hog"));
    }
    let finished = &ring.minutes[0];
    assert_eq!((finished.programs.len(), finished.writers.len()), (KEPT, KEPT));
    // Who is not kept still counts in the whole.
    let writers = ring.writers().unwrap();
    assert_eq!(writers.written_bytes, 40 * 2 * (1_000_000 + 500));
    ticks(&mut ring, &mut machine, 60 * 60);
    assert!(ring.minutes.len() <= 17, "{}", ring.minutes.len());
}

#[test]
fn who_wrote_is_known_after_the_process_has_ended() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    machine.add(writing(600, process(2, "dd")));
    machine.add(writing(100, process(3, "log")));
    machine.snapshot.not_attributed.written_bytes = Some(-50);
    ticks(&mut ring, &mut machine, 120);
    machine.remove(2);
    ticks(&mut ring, &mut machine, 120);
    let writers = ring.writers().unwrap();
    let written: Vec<_> = writers.all.iter().map(|w| (w.image.name.as_str(), w.written_bytes)).collect();
    assert_eq!(written, [("dd", 72_000), ("log", 24_000)]);
    assert_eq!((writers.covered_ms, writers.written_bytes), (240_000, 96_000));
    assert_eq!(writers.unattributed_bytes, Some(-12_000));
    machine.snapshot.not_attributed.written_bytes = None;
    ticks(&mut ring, &mut machine, 1);
    assert_eq!(ring.writers().unwrap().unattributed_bytes, None);
    ticks(&mut ring, &mut machine, 16 * 60);
    assert_eq!(ring.writers().unwrap().all.len(), 1);
}

#[test]
fn a_writer_is_known_by_what_it_ran_last() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    machine.add(writing(1, process(2, "sh")));
    ticks(&mut ring, &mut machine, 1);
    let after_exec = process(2, "dd");
    machine.process(2).image = after_exec.image;
    machine.process(2).parent = 77;
    ticks(&mut ring, &mut machine, 1);
    let writer = &ring.writers().unwrap().all[0];
    assert_eq!((writer.image.name.as_str(), writer.parent, writer.written_bytes), ("dd", 77, 2));
}

#[test]
fn the_fifteen_minutes_before_are_whole() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    // Minute 1 of 16 is the only one in which anything ran; it still counts beside the 16th.
    machine.add(burning(0.5, process(2, "early")));
    ticks(&mut ring, &mut machine, 60);
    machine.remove(2);
    ticks(&mut ring, &mut machine, 15 * 60 - 10);
    // Also beside ten seconds of the 17th, which are not yet a minute of their own.
    for more in [10, 10] {
        ticks(&mut ring, &mut machine, more);
        let changes = ring.changes(column("process.cpu.utilization"));
        assert_eq!(changes.len(), 1);
        assert!((changes[0].before.unwrap() - 0.5 / 15.0).abs() < 1e-9, "{changes:?}");
    }
    ticks(&mut ring, &mut machine, 60);
    assert!(ring.changes(column("process.cpu.utilization")).is_empty());
}

#[test]
fn what_a_process_did_in_its_last_interval_counts() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    ticks(&mut ring, &mut machine, 60);
    let snapshot = machine.tick();
    let ended = [writing(500, burning(0.5, process(9, "short")))];
    ring.record(&Tick::new(&snapshot, &ended, 1, std::iter::empty()));
    ticks(&mut ring, &mut machine, 49);
    assert_eq!(ring.changes(column("process.cpu.utilization")), [change("short", 0.01, None)]);
    assert_eq!(ring.writers().unwrap().written_bytes, 500);
}

#[test]
fn a_first_look_and_an_unknown_value_add_nothing() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    let first = machine.first_look(0);
    ring.record(&Tick::new(&first, &[], 1, std::iter::empty()));
    assert!(ring.writers().is_none());
    machine.add(process(2, "hidden"));
    machine.process(2).cpu = None;
    ticks(&mut ring, &mut machine, 200);
    assert!(ring.changes(column("process.cpu.utilization")).is_empty());
}

#[test]
fn other_columns_keep_what_stays() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    machine.add(process(2, "grows"));
    ticks(&mut ring, &mut machine, 60);
    machine.process(2).memory.as_mut().unwrap().resident_bytes = 1 << 30;
    ticks(&mut ring, &mut machine, 60);
    ring.set_columns(vec![column("process.memory.usage")]);
    assert_eq!(ring.changes(column("process.memory.usage")).len(), 1);
    assert!(ring.changes(column("process.cpu.utilization")).is_empty());
    ring.set_columns(vec![column("process.thread.count"), column("process.memory.usage")]);
    assert!(ring.changes(column("process.memory.usage")).is_empty(), "minutes without a column say nothing of it");
}

#[test]
fn long_intervals_are_long_minutes() {
    let (mut ring, mut machine) = (ring(), Machine::new());
    machine.snapshot.interval_ms = 3_600_000;
    machine.add(process(2, "grows"));
    ticks(&mut ring, &mut machine, 30);
    assert_eq!(ring.minutes.len(), 2);
    assert_eq!(ring.writers().unwrap().covered_ms, 3_600_000);
}
