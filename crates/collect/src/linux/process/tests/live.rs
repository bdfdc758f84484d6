//! Against the real kernel.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use watchkeeper_core::Reading;

use super::*;
use crate::linux::Linux;
use crate::{CollectConfig, Collector, derive};

/// A child that is ended with the test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shell(script: &str, arguments: &[&str]) -> Guarded {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
    Guarded(command.spawn().expect("a shell can be started"))
}

fn open() -> Linux {
    Linux::open(&CollectConfig::default()).expect("/proc can be opened")
}

fn read(linux: &mut Linux) -> Reading {
    linux.read().expect("it can be read")
}

fn find(reading: &Reading, pid: u32) -> Option<&ProcessReading> {
    reading.processes.as_deref().expect("the list can be read").iter().find(|process| process.key.pid == pid)
}

/// Reads until the process is there in the way that is asked for.
fn read_until(linux: &mut Linux, pid: u32, accept: impl Fn(&ProcessReading) -> bool) -> Reading {
    let started = Instant::now();
    loop {
        let reading = read(linux);
        if find(&reading, pid).is_some_and(&accept) {
            return reading;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "it never came to be: {:?}", find(&reading, pid));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn scheduler_us(pid: u32) -> u64 {
    let text = fs::read(format!("/proc/{pid}/schedstat")).expect("the child is there");
    parse::schedstat(&text).expect("the kernel wrote it").run_ns / 1_000
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("not zero");
    kill_process(pid, signal).expect("the child is there");
}

/// 2 % or 20 ms, whichever is more.
fn agree(booked_us: u64, truth_us: u64) -> bool {
    booked_us.abs_diff(truth_us) <= (truth_us / 50).max(20_000)
}

#[test]
fn cpu_time_that_a_child_burns_is_booked() {
    let child = shell("while :; do :; done", &[]);
    let pid = child.0.id();
    let mut linux = open();
    let mut previous = read_until(&mut linux, pid, |process| process.cpu.value.is_some());
    let first_us = find(&previous, pid).and_then(|process| process.cpu.value).expect("it was read").total_us;
    let mut booked_us = 0;
    let mut stopped = false;
    let started = Instant::now();
    loop {
        let burned = started.elapsed() > Duration::from_millis(1_500);
        if burned && !stopped {
            signal(pid, Signal::STOP);
            stopped = true;
        }
        std::thread::sleep(Duration::from_millis(100));
        let current = read(&mut linux);
        let snapshot = derive(Some(&previous), &current);
        booked_us += snapshot.process_by_pid(pid).and_then(|process| process.cpu).expect("a difference").total_us;
        previous = current;
        if stopped && find(&previous, pid).is_some_and(|process| process.state == Some(ProcessState::Stopped)) {
            break;
        }
    }
    let total_us = find(&previous, pid).and_then(|process| process.cpu.value).expect("it was read").total_us;
    let truth_us = scheduler_us(pid);
    assert!(truth_us > 50_000, "the child burned only {truth_us} us");
    assert!(agree(total_us, truth_us), "{total_us} us booked in all, {truth_us} us burned");
    assert_eq!(first_us + booked_us, total_us, "the differences add up to the total");
}

#[test]
fn cpu_time_of_threads_that_ended_is_booked() {
    let mut linux = open();
    let this = std::process::id();
    let own_us = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        (time.tv_sec * 1_000_000 + time.tv_nsec / 1_000) as u64
    };
    read(&mut linux);
    let burn = || {
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(started);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(burn);
        }
    });
    let before_us = own_us();
    let reading = read(&mut linux);
    let after_us = own_us();
    let booked_us = find(&reading, this).and_then(|process| process.cpu.value).expect("it was read").total_us;
    assert!(before_us > 200_000);
    assert!((before_us - 20_000..=after_us + 20_000).contains(&booked_us), "{before_us} {booked_us} {after_us}");
}

#[test]
fn a_command_line_of_a_hundred_thousand_characters_is_cut_and_measured() {
    let long = "x".repeat(100_000);
    let child = shell("read line", &["--password=hunter2", &long, "the end"]);
    let mut linux = open();
    let pid = child.0.id();
    let reading = read_until(&mut linux, pid, |process| {
        process.image.command.as_ref().is_some_and(|command| command.length > 100_000)
    });
    let command = find(&reading, pid).and_then(|process| process.image.command.clone()).expect("it was read");
    let whole = "/bin/sh\0-c\0read line\0sh\0--password=hunter2\0".len() + long.len() + "\0the end\0".len();
    assert_eq!(command.length, whole as u64);
    assert_eq!(command.text.len(), crate::redact::LIMIT_BYTES);
    assert!(command.text.starts_with("/bin/sh -c read line sh --password=*** xxx"), "{}", &command.text[..60]);
}

#[test]
fn exec_opens_another_image_for_the_same_process() {
    // The name stays `sh`: only the layout and the command line tell.
    let child = shell("read line; exec /bin/sh -c 'read other'", &[]);
    let pid = child.0.id();
    let mut linux = open();
    let shows = |text: &'static str| {
        move |process: &ProcessReading| {
            process.image.command.as_ref().is_some_and(|command| command.text.ends_with(text))
        }
    };
    let before = read_until(&mut linux, pid, shows("-c read line; exec /bin/sh -c 'read other' sh"));
    child.0.stdin.as_ref().expect("a pipe").write_all(b"go\n").expect("the shell reads");
    let after = read_until(&mut linux, pid, shows("-c read other"));
    assert_eq!(find(&before, pid).expect("it is there").key, find(&after, pid).expect("it is there").key);
}

#[test]
fn a_child_that_ends_has_an_exit_row_once() {
    let mut linux = open();
    let mut child = shell("read line", &[]);
    let pid = child.0.id();
    let alive = read_until(&mut linux, pid, |_| true);
    let _ = child.0.kill();
    let _ = child.0.wait();
    let gone = read(&mut linux);
    let snapshot = derive(Some(&alive), &gone);
    assert_eq!(snapshot.exited.iter().filter(|exited| exited.key.pid == pid).count(), 1);
    assert!(snapshot.process_by_pid(pid).is_none());
    let later = derive(Some(&gone), &read(&mut linux));
    assert!(later.exited.iter().all(|exited| exited.key.pid != pid));
}

#[test]
fn a_process_that_was_born_between_two_looks_is_counted_from_zero() {
    let mut linux = open();
    let before = read(&mut linux);
    let child = shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; read line", &[]);
    let pid = child.0.id();
    // Waits until it has done its work and sleeps, without looking through the collector.
    let started = Instant::now();
    while scheduler_us(pid) < 30_000
        || !fs::read_to_string(format!("/proc/{pid}/stat")).expect("there").contains(") S ")
    {
        assert!(started.elapsed() < Duration::from_secs(20), "the child never worked");
        std::thread::sleep(Duration::from_millis(5));
    }
    let snapshot = derive(Some(&before), &read(&mut linux));
    let process = snapshot.process_by_pid(pid).expect("it is there");
    let booked_us = process.cpu.expect("known from birth").total_us;
    assert!(agree(booked_us, scheduler_us(pid)), "{booked_us} booked, {} used", scheduler_us(pid));
    assert!(process.faults.is_some_and(|faults| faults.minor > 0));
}

#[test]
fn the_whole_machine_is_seen_again_and_again() {
    let mut linux = open();
    for _ in 0..3 {
        let reading = read(&mut linux);
        let processes = reading.processes.as_deref().expect("the list can be read");
        assert!(processes.is_sorted_by_key(|process| process.key));
        let this = find(&reading, std::process::id()).expect("this process is there");
        assert_eq!(this.parent, std::os::unix::process::parent_id());
        assert!(this.memory.value.is_some_and(|memory| memory.resident_bytes > 100_000));
        assert!(this.descriptors.value.is_some_and(|count| count > 2));
        assert!(this.io.value.is_some() && this.threads.is_some_and(|threads| threads > 0));
        let executable = this.image.executable.as_ref().expect("its own executable can be read");
        assert_eq!(Some(Path::new(&executable.path)), std::env::current_exe().ok().as_deref());
        assert!(executable.inode.is_some() && executable.modified_ms.is_some_and(|ms| ms > 1_500_000_000_000));
        for section in [Section::ProcessNetwork, Section::ShortLived, Section::ProcessExit] {
            let said = reading.gaps.iter().filter(|gap| gap.section == section).count();
            assert_eq!(said, 1, "{section:?}");
        }
    }
}

#[test]
fn without_privilege_what_is_missing_is_said_with_the_remedy() {
    // Only this thread becomes nobody; it ends with the test.
    let is_root = rustix::process::geteuid().is_root();
    let reading = std::thread::spawn(move || {
        if is_root {
            let nobody = rustix::thread::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("root may become nobody");
        }
        read(&mut open())
    });
    let reading = reading.join().expect("it did not panic");
    let processes = reading.processes.expect("the list can be read");
    assert!(processes.iter().all(|process| process.cpu.value.is_some() && process.descriptors.value.is_some()));
    let unknown = processes.iter().filter(|process| process.io.value.is_none()).count() as u64;
    assert!(unknown > 0 || !is_root, "nobody may not read the counters of root");
    let gap = reading.gaps.iter().find(|gap| gap.section == Section::ProcessDisk);
    assert_eq!(gap.map_or(0, |gap| gap.count), unknown);
    if let Some(gap) = gap {
        assert_eq!(gap.reason, GapReason::Permission);
        let remedy = gap.remedy.as_deref().unwrap_or_default();
        assert!(remedy.contains("setcap cap_sys_ptrace,cap_dac_read_search=ep /"), "{remedy}");
    }
}

/// A copy of a small program that waits, in a folder of its own.
fn waiting_copy() -> (tempfile::TempDir, PathBuf, Guarded) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("waits");
    fs::copy("/bin/sleep", &path).expect("copied");
    let child = Command::new(&path).arg("60").spawn().expect("it starts");
    (folder, path, Guarded(child))
}

/// Whether a process runs a file that was replaced, in a look so much later.
fn is_replaced(reader: &mut ProcessReader, pid: u32, mono_ms: i64) -> bool {
    let readings = reader.read(&at(mono_ms), &mut Vec::new()).expect("the list can be read");
    let process = readings.iter().find(|process| process.key.pid == pid).expect("it is there");
    process.image.executable.as_ref().expect("it is ours").deleted
}

#[test]
fn an_executable_that_is_replaced_or_removed_under_its_process_is_noticed_within_a_minute() {
    let replace = |path: &Path| {
        fs::copy("/bin/true", path.with_extension("new")).expect("copied");
        fs::rename(path.with_extension("new"), path).expect("renamed");
    };
    let keep_and_replace = |path: &Path| {
        fs::rename(path, path.with_extension("old")).expect("renamed");
        fs::copy("/bin/true", path).expect("copied");
    };
    let left_alone: fn(&Path) = |_| {};
    let cases = [
        ("left alone", left_alone, false),
        ("removed", |path| fs::remove_file(path).expect("removed"), true),
        ("renamed", |path| fs::rename(path, path.with_extension("old")).expect("renamed"), true),
        ("replaced", replace, true),
        ("kept under another name and replaced", keep_and_replace, true),
    ];
    for (name, change, expected) in cases {
        let (_folder, path, child) = waiting_copy();
        let pid = child.0.id();
        // It may still be on its way from fork to exec.
        read_until(&mut open(), pid, |process| process.image.name == "waits");
        let mut reader = reader(Path::new("/proc"), 0);
        assert!(!is_replaced(&mut reader, pid, 1_000), "{name}");
        change(&path);
        assert!(!is_replaced(&mut reader, pid, 2_000), "{name}: not looked at yet");
        assert_eq!(is_replaced(&mut reader, pid, 62_000), expected, "{name}");
        if name == "renamed" {
            fs::rename(path.with_extension("old"), &path).expect("renamed");
            assert!(!is_replaced(&mut reader, pid, 122_000), "it is back");
        }
    }
}
