use std::fs;
use std::path::{Path, PathBuf};

use std::sync::Arc;

use watchkeeper_core::process::ProcessState;
use watchkeeper_core::reading::{Looked, ProcessFaults, ProcessIo, ProcessMemory};
use watchkeeper_core::{BootId, ProcessKey};

use super::sweep::{ROTATION_MS, rotation_spread};
use super::*;
use crate::linux::parse::{self, EXITING, FORKED_WITHOUT_EXEC};

mod live;
mod recorded;

/// A folder that looks like `/proc` and can be changed between two looks.
struct Tree {
    folder: tempfile::TempDir,
}

/// What a process in a [`Tree`] looks like.
#[derive(Clone, Debug)]
struct Fake {
    name: &'static str,
    state: char,
    parent: u32,
    flags: u64,
    user_ticks: u64,
    threads: u32,
    start_ticks: u64,
    arguments: u64,
    run_ns: u64,
    command: &'static str,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            name: "app",
            state: 'S',
            parent: 1,
            flags: 0,
            user_ticks: 100,
            threads: 1,
            start_ticks: 5_000,
            arguments: 7_000,
            run_ns: 1_000_000_000,
            command: "app\0--flag\0",
        }
    }
}

impl Tree {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, pid: u32) -> PathBuf {
        self.folder.path().join(pid.to_string())
    }

    fn write(&self, pid: u32, fake: &Fake) {
        let folder = self.path(pid);
        fs::create_dir_all(folder.join("fd")).expect("a folder");
        for descriptor in ["0", "1", "2"] {
            fs::write(folder.join("fd").join(descriptor), "").expect("a file");
        }
        let Fake { name, state, parent, flags, user_ticks, threads, start_ticks, arguments, run_ns, command } = fake;
        let stat = format!(
            "{pid} ({name}) {state} {parent} 1 1 0 -1 {flags} 11 0 12 0 {user_ticks} 0 0 0 20 0 {threads} 0 {start_ticks} \
             8192000 100 18446744073709551615 4096 1 1 1 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 1 1 {arguments} 1 1 1 0\n"
        );
        self.put(pid, "stat", &stat);
        self.put(pid, "statm", "2000 50 20 1 0 30 0\n");
        self.put(pid, "schedstat", &format!("{run_ns} 5 77\n"));
        self.put(pid, "io", "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\n");
        self.put(pid, "cmdline", command);
        self.put(pid, "cgroup", "0::/system.slice/app.service\n");
    }

    fn put(&self, pid: u32, name: &str, text: &str) {
        fs::write(self.path(pid).join(name), text).expect("a file");
    }

    fn remove(&self, pid: u32) {
        fs::remove_dir_all(self.path(pid)).expect("it was there");
    }

    fn reader(&self, handles: usize) -> ProcessReader {
        reader(self.folder.path(), handles)
    }
}

fn reader(root: &Path, handles: usize) -> ProcessReader {
    let options = Options {
        command_line: CommandLine::Redacted,
        handles,
        remedy: "run as root".to_owned(),
        ticks_per_second: 100,
        page_bytes: 4_096,
        sized_descriptors: false,
        live: false,
    };
    ProcessReader::new(fs::File::open(root).expect("the folder is there").into(), options)
}

fn at(mono_ms: i64) -> Moment {
    Moment { ts_ms: 1_700_000_000_000 + mono_ms, mono_ms, suspended_ms: 0, boot: BootId::default() }
}

/// One look; asserts that nothing was missing.
fn look(reader: &mut ProcessReader, mono_ms: i64) -> Vec<ProcessReading> {
    let mut gaps = Vec::new();
    let readings = reader.read(&at(mono_ms), &mut gaps).expect("the list can be read");
    assert_eq!(gaps, []);
    readings
}

fn one(reader: &mut ProcessReader, mono_ms: i64) -> ProcessReading {
    let mut readings = look(reader, mono_ms);
    assert_eq!(readings.len(), 1);
    readings.remove(0)
}

#[test]
fn a_process_is_read_with_all_its_fields() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    let reading = one(&mut tree.reader(9), 60_000);
    assert_eq!(reading.key, ProcessKey { boot: BootId::default(), pid: 42, start_ticks: 5_000 });
    assert_eq!((reading.parent, reading.threads, reading.state), (1, Some(1), Some(ProcessState::Sleeping)));
    assert_eq!(reading.uid, Some(rustix::process::geteuid().as_raw()));
    assert_eq!(reading.cpu.value.map(|cpu| (cpu.total_us, cpu.user_us)), Some((1_000_000, 1_000_000)));
    assert_eq!(reading.memory.value, Some(ProcessMemory { resident_bytes: 50 * 4_096, virtual_bytes: 8_192_000 }));
    assert_eq!(reading.faults.value, Some(ProcessFaults { minor: 11, major: 12 }));
    assert_eq!(reading.io.value, Some(ProcessIo { read_bytes: 4_096, written_bytes: 8_192 }));
    assert_eq!(reading.descriptors.value, Some(3));
    assert_eq!(reading.network, Looked::default());
    assert_eq!(reading.image.name, "app");
    assert_eq!(reading.image.program, "app.service/app");
    assert_eq!(reading.image.unit.as_deref(), Some("app.service"));
    assert_eq!(reading.image.command.as_ref().map(|command| command.text.as_str()), Some("app --flag"));
}

#[test]
fn what_the_gate_says_did_not_move_is_not_read() {
    for handles in [0, 9] {
        let tree = Tree::new();
        tree.write(42, &Fake::default());
        let mut reader = tree.reader(handles);
        let first = one(&mut reader, 60_000);
        tree.write(42, &Fake { user_ticks: 150, ..Fake::default() });
        assert_eq!(one(&mut reader, 61_000), first, "the gate did not move, {handles} handles");
        tree.write(42, &Fake { user_ticks: 150, run_ns: 1_500_000_000, ..Fake::default() });
        let moved = one(&mut reader, 62_000);
        assert_eq!(moved.cpu.value.map(|cpu| cpu.total_us), Some(1_500_000));
        assert!((62_000..62_900).contains(&moved.cpu.mono_ms) && moved.io.mono_ms == moved.cpu.mono_ms);
    }
}

#[test]
fn processes_that_the_gate_cannot_vouch_for_are_always_read() {
    for (name, fake) in [
        ("several threads", Fake { threads: 2, ..Fake::default() }),
        ("a kernel without the scheduler's account", Fake { run_ns: 0, ..Fake::default() }),
    ] {
        let tree = Tree::new();
        let write = |fake: &Fake| {
            tree.write(42, fake);
            if fake.run_ns == 0 {
                tree.put(42, "schedstat", "0 0 0\n");
            }
        };
        write(&fake);
        let mut reader = tree.reader(9);
        one(&mut reader, 60_000);
        write(&Fake { user_ticks: 150, ..fake });
        let reading = one(&mut reader, 61_000);
        assert_eq!(reading.cpu.value.map(|cpu| cpu.total_us), Some(1_500_000), "{name}");
    }
}

#[test]
fn a_missing_gate_means_always_read() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    fs::remove_file(tree.path(42).join("schedstat")).expect("it was there");
    let mut reader = tree.reader(9);
    one(&mut reader, 60_000);
    tree.write(42, &Fake { user_ticks: 150, ..Fake::default() });
    fs::remove_file(tree.path(42).join("schedstat")).expect("it was there");
    assert_eq!(one(&mut reader, 61_000).cpu.value.map(|cpu| cpu.total_us), Some(1_500_000));
}

#[test]
fn a_sleeping_process_is_read_about_every_thirty_seconds() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    let mut reader = tree.reader(9);
    one(&mut reader, 60_000);
    tree.put(42, "statm", "2000 7 20 1 0 30 0\n");
    let resident = |reading: &ProcessReading| reading.memory.value.map(|memory| memory.resident_bytes / 4_096);
    assert_eq!(resident(&one(&mut reader, 60_000 + ROTATION_MS - 1)), Some(50));
    assert_eq!(resident(&one(&mut reader, 61_000 + 2 * ROTATION_MS)), Some(7));
}

#[test]
fn the_rotation_is_spread_evenly() {
    let mut buckets = [0; 20];
    for pid in 1_000..3_000 {
        buckets[usize::from(rotation_spread(pid)) / 1_000] += 1;
    }
    assert!(buckets.iter().all(|count| (50..200).contains(count)), "{buckets:?}");
}

#[test]
fn exec_is_noticed_and_keeps_the_key() {
    let before = Fake { flags: FORKED_WITHOUT_EXEC, ..Fake::default() };
    let moved = Fake { run_ns: 2_000_000_000, command: "app\0--other\0", ..before.clone() };
    for (name, after) in [
        ("by name", Fake { name: "tool", ..moved.clone() }),
        ("by the flag of a fork", Fake { flags: 0, ..moved.clone() }),
        ("by layout", Fake { arguments: 7_001, ..moved.clone() }),
    ] {
        let tree = Tree::new();
        tree.write(42, &before);
        let mut reader = tree.reader(9);
        let first = one(&mut reader, 60_000);
        tree.write(42, &after);
        let second = one(&mut reader, 61_000);
        assert_eq!(first.key, second.key);
        let command = second.image.command.as_ref().map(|command| command.text.as_str());
        assert_eq!(command, Some("app --other"), "{name}");
    }
}

#[test]
fn an_image_that_reads_the_same_stays_the_same() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    let mut reader = tree.reader(9);
    let first = one(&mut reader, 60_000);
    tree.write(42, &Fake { run_ns: 2_000_000_000, arguments: 7_001, ..Fake::default() });
    assert!(Arc::ptr_eq(&first.image, &one(&mut reader, 61_000).image));
}

#[test]
fn who_has_ended_or_is_on_the_way_out_keeps_what_it_ran() {
    for (state, flags, seen) in [
        ('Z', 0, ProcessState::Zombie),
        // The kernel has killed it and takes its memory back.
        ('R', EXITING, ProcessState::Running),
    ] {
        let tree = Tree::new();
        tree.write(42, &Fake::default());
        let mut reader = tree.reader(9);
        one(&mut reader, 60_000);
        tree.write(42, &Fake { state, flags, arguments: 0, command: "", run_ns: 2_000_000_000, ..Fake::default() });
        let last = one(&mut reader, 61_000);
        assert_eq!(last.state, Some(seen));
        assert_eq!(last.image.command.as_ref().map(|command| command.text.as_str()), Some("app --flag"), "{state}");
    }
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    for handles in [0, 9] {
        let tree = Tree::new();
        tree.write(42, &Fake::default());
        let mut reader = tree.reader(handles);
        one(&mut reader, 60_000);
        tree.write(
            42,
            &Fake { start_ticks: 6_050, user_ticks: 3, run_ns: 33_000_000, name: "next", ..Fake::default() },
        );
        let second = one(&mut reader, 61_000);
        assert_eq!((second.key.start_ticks, second.image.name.as_str()), (6_050, "next"));
        assert_eq!(second.cpu.value.map(|cpu| cpu.total_us), Some(33_000), "counted from its own birth");
    }
}

#[test]
fn births_and_deaths_are_seen_and_the_list_stays_sorted() {
    let tree = Tree::new();
    for pid in [7, 100, 30] {
        tree.write(pid, &Fake::default());
    }
    let mut reader = tree.reader(2);
    let pids = |readings: &[ProcessReading]| readings.iter().map(|reading| reading.key.pid).collect::<Vec<_>>();
    assert_eq!(pids(&look(&mut reader, 60_000)), [7, 30, 100]);
    tree.remove(30);
    tree.write(8, &Fake::default());
    tree.write(200, &Fake::default());
    assert_eq!(pids(&look(&mut reader, 61_000)), [7, 8, 100, 200]);
    for pid in [7, 8, 100, 200] {
        tree.remove(pid);
    }
    assert!(look(&mut reader, 62_000).is_empty());
}

#[test]
fn the_number_of_kept_handles_is_limited() {
    let tree = Tree::new();
    for pid in 1..=5 {
        tree.write(pid, &Fake::default());
    }
    let mut reader = tree.reader(2);
    let kept = |reader: &ProcessReader| reader.tracked.iter().filter(|tracked| tracked.gate.is_some()).count();
    look(&mut reader, 60_000);
    assert_eq!(kept(&reader), 2);
    tree.remove(1);
    tree.write(9, &Fake::default());
    look(&mut reader, 61_000);
    look(&mut reader, 62_000);
    assert!(kept(&reader) <= 2);
}

#[test]
fn an_orphan_gets_its_new_parent_at_once() {
    let tree = Tree::new();
    tree.write(7, &Fake::default());
    tree.write(42, &Fake { parent: 7, ..Fake::default() });
    let mut reader = tree.reader(9);
    look(&mut reader, 60_000);
    tree.remove(7);
    tree.write(42, &Fake { parent: 1, ..Fake::default() });
    look(&mut reader, 61_000);
    assert_eq!(one(&mut reader, 62_000).parent, 1);
}

#[test]
fn a_process_that_vanishes_while_it_is_read_is_no_error() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    fs::create_dir_all(tree.path(43)).expect("a folder without files");
    let mut reader = tree.reader(9);
    let mut gaps = Vec::new();
    let readings = reader.read(&at(60_000), &mut gaps).expect("the list can be read");
    assert_eq!(readings.len(), 1);
    assert_eq!(gaps, [Gap { section: Section::Processes, reason: GapReason::Vanished, count: 1, remedy: None }]);
}

#[test]
fn a_known_process_that_loses_its_files_is_gone() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    let mut reader = tree.reader(0);
    one(&mut reader, 60_000);
    for file in ["stat", "schedstat", "statm", "io"] {
        fs::remove_file(tree.path(42).join(file)).expect("it was there");
    }
    assert_eq!(look(&mut reader, 61_000), []);
}

#[test]
fn what_cannot_be_understood_is_counted() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    tree.put(42, "stat", "42 (app");
    let mut gaps = Vec::new();
    let readings = tree.reader(9).read(&at(60_000), &mut gaps).expect("the list can be read");
    assert_eq!(readings, []);
    assert_eq!(gaps, [Gap { section: Section::Processes, reason: GapReason::Malformed, count: 1, remedy: None }]);
}

#[test]
fn without_command_lines_the_program_is_still_named() {
    let tree = Tree::new();
    tree.write(42, &Fake { name: "python3", command: "python3\0backup.py\0--password\0x\0", ..Fake::default() });
    let mut reader = tree.reader(9);
    reader.options.command_line = CommandLine::None;
    let reading = one(&mut reader, 60_000);
    assert_eq!(reading.image.command, None);
    assert_eq!(reading.image.program, "app.service/python3 backup.py");
}

#[test]
fn a_limit_that_is_exhausted_is_not_the_end_of_a_process() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    let mut reader = tree.reader(0);
    let first = one(&mut reader, 60_000);
    // A path that cannot be opened for another reason than that it is gone: a loop of links.
    fs::remove_dir_all(tree.path(42)).expect("it was there");
    std::os::unix::fs::symlink("42", tree.path(42)).expect("a link");
    let mut gaps = Vec::new();
    let readings = reader.read(&at(61_000), &mut gaps).expect("the list can be read");
    assert_eq!(readings, [first], "what is known of it stays");
    assert_eq!(gaps, [Gap { section: Section::Processes, reason: GapReason::Malformed, count: 1, remedy: None }]);
}
