use std::sync::Arc;

use watchkeeper_core::reading::ProcessReading;

use super::*;
use crate::{CommandLine, TierChoice};

fn portable() -> Box<dyn Collector> {
    let config = CollectConfig { tier: TierChoice::Portable, ..CollectConfig::default() };
    crate::open(&config).expect("sysinfo works here")
}

fn me(reading: &Reading) -> &ProcessReading {
    let processes = reading.processes.as_ref().expect("a list");
    processes.iter().find(|process| process.key.pid == std::process::id()).expect("this process")
}

#[test]
fn the_portable_tier_is_opened_by_name() {
    let mut portable = portable();
    assert_eq!(portable.tier(), "portable");
    let reading = portable.read().expect("a reading");
    assert!(reading.host.memory.is_some() && reading.host.cpu_count.is_some());
    let processes = reading.processes.as_ref().expect("a list");
    assert!(processes.is_sorted_by_key(|process| process.key));
    assert!(reading.peers.is_none() && reading.sockets.is_none() && reading.host.pressure.is_none());
    for section in NEVER_TOLD {
        assert!(reading.gaps.iter().any(|gap| gap.section == section), "{section:?}");
    }
}

#[test]
fn threads_are_no_processes() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    let reading = portable().read().expect("a reading");
    let processes = reading.processes.as_ref().expect("a list");
    assert_eq!(processes.iter().filter(|process| process.key.pid == std::process::id()).count(), 1);
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for task in tasks {
        let task: u32 = task.file_name().to_str().and_then(|task| task.parse().ok()).expect("a number");
        assert!(task == std::process::id() || processes.iter().all(|process| process.key.pid != task));
    }
    drop(stop);
    let _ = thread.join();
}

#[test]
fn an_image_is_shared_from_look_to_look_and_command_lines_can_be_left_out() {
    let mut kept = portable();
    let (first, second) = (kept.read().expect("a reading"), kept.read().expect("a reading"));
    assert!(Arc::ptr_eq(&me(&first).image, &me(&second).image));
    // Wine 8 does not know this question.
    assert!(me(&first).image.command.is_some() || std::env::var_os("WINEPREFIX").is_some());
    let config = CollectConfig { command_line: CommandLine::None, ..CollectConfig::default() };
    let without = Portable::open(&config).expect("sysinfo works here").read().expect("a reading");
    assert!(without.processes.iter().flatten().all(|process| process.image.command.is_none()));
}

/// A shell that says when it is there and runs `then` when told; what it was and what it became.
#[cfg(target_os = "linux")]
fn before_and_after(then: &str) -> [ProcessReading; 2] {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};

    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!("echo ready; read line; {then}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("ready");
    let (mut portable, pid) = (portable(), child.id());
    let mut find = || {
        let processes = portable.read().expect("a reading").processes.expect("a list");
        processes.into_iter().find(|process| process.key.pid == pid).expect("the child")
    };
    let before = find();
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"\n").expect("told");
    let begin = std::time::Instant::now();
    let command = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    while (command().contains("ready") || command().is_empty()) && begin.elapsed().as_secs() < 10 {
        std::thread::yield_now();
    }
    let after = find();
    child.kill().expect("our own child");
    child.wait().expect("ended");
    [before, after]
}

#[cfg(target_os = "linux")]
#[test]
fn an_exec_opens_a_new_image_of_the_same_process() {
    let command = |process: &ProcessReading| process.image.command.as_ref().expect("read").text.clone();
    let [shell, sleep] = before_and_after("exec sleep 60");
    assert_eq!(sleep.key, shell.key);
    assert_ne!(sleep.image.executable, shell.image.executable);
    assert_eq!(command(&sleep), "sleep 60");
    // Another script in the same interpreter.
    let [shell, other] = before_and_after("exec /bin/sh -c 'read other; true'");
    assert_eq!((other.key, &other.image.executable), (shell.key, &shell.image.executable));
    assert_eq!(command(&other), "/bin/sh -c read other; true");
}

#[cfg(target_os = "linux")]
#[test]
fn two_looks_make_a_snapshot() {
    use rustix::time::{ClockId, clock_gettime};

    let mut portable = portable();
    let first = portable.read().expect("a reading");
    // The crate's percentages need some time between two looks, and this test needs some CPU time to be seen.
    let worked_ms = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    };
    let (begin, until_ms) = (std::time::Instant::now(), worked_ms() + 200);
    while begin.elapsed() <= sysinfo::MINIMUM_CPU_UPDATE_INTERVAL || worked_ms() < until_ms {}
    let second = portable.read().expect("a reading");
    let times = second.host.cpu.expect("integrated");
    assert!(times.user_us > first.host.cpu.expect("integrated").user_us, "this test was busy");
    let cpus = second.cpus.as_ref().expect("integrated");
    assert_eq!(cpus.iter().map(|cpu| cpu.times.total_us()).sum::<u64>(), times.total_us());
    let snapshot = crate::derive(Some(&first), &second);
    let me = snapshot.process_by_pid(std::process::id()).expect("this process");
    assert!(me.cpu.is_some_and(|cpu| cpu.total_us >= 100_000), "{me:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_portable_and_the_proc_tier_agree() {
    let mut proc_tier = crate::Linux::open(&CollectConfig::default()).expect("/proc");
    let (portable, proc_tier) = (portable().read().expect("a reading"), proc_tier.read().expect("a reading"));
    assert_eq!(portable.at.boot, proc_tier.at.boot);
    assert_eq!(portable.host.cpu_count, proc_tier.host.cpu_count);
    let memory = |reading: &Reading| reading.host.memory.expect("memory").total_bytes;
    assert_eq!(memory(&portable), memory(&proc_tier));
    assert_eq!(portable.host.swap.map(|swap| swap.total_bytes), proc_tier.host.swap.map(|swap| swap.total_bytes));

    let (one, other) = (me(&portable), me(&proc_tier));
    assert_eq!(one.key, other.key, "boot, pid and start to the tick");
    assert_eq!((one.parent, one.uid), (other.parent, other.uid));
    assert_eq!(one.image.name, other.image.name);
    assert_eq!(one.image.executable, other.image.executable);
    assert_eq!(one.image.command, other.image.command);
    let cpu = |process: &ProcessReading| process.cpu.value.expect("CPU").total_us;
    assert!(cpu(one).abs_diff(cpu(other)) < 500_000, "{} and {}", cpu(one), cpu(other));

    let root = |reading: &Reading| {
        let filesystems = reading.filesystems.as_ref().expect("filesystems");
        // In a chroot the root need not be a mount point; then neither tier lists it.
        let root = filesystems.iter().find(|filesystem| filesystem.mount_point == "/").cloned();
        root.map(|r| (r.total_bytes, r.inodes, r.device, r.kind, r.free_bytes.abs_diff(r.available_bytes) >> 30))
    };
    assert_eq!(root(&portable), root(&proc_tier));

    let names = |reading: &Reading| -> Vec<String> {
        reading.interfaces.iter().flatten().map(|interface| interface.name.clone()).collect()
    };
    assert_eq!(names(&portable), names(&proc_tier));
    // Every process that lived through both looks has the same key in both, kernel threads included.
    let keys: std::collections::HashMap<u32, _> =
        proc_tier.processes.iter().flatten().map(|process| (process.key.pid, process.key)).collect();
    let both: Vec<_> =
        portable.processes.iter().flatten().map(|p| p.key).filter(|k| keys.contains_key(&k.pid)).collect();
    assert!(both.len() > 2 && both.iter().all(|key| keys[&key.pid] == *key), "{both:?}");
}
