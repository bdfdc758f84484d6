//! How a number becomes a machine: one function for each thing that a shipped rule looks at.

use std::sync::Arc;

use watchkeeper_core::ProcessState;
use watchkeeper_core::process::Executable;
use watchkeeper_core::reading::{DiskCounters, Filesystem, InterfaceCounters, Load, Pressure, Socket, Stall, Swap};
use watchkeeper_core::snapshot::{Anomaly, Check, Disk, Interface, Process, ProcessMemory, Watch};

use crate::scenes::{Machine, burning, process};

const MIB: f64 = 1_048_576.0;
pub(super) const GIB: f64 = 1_073_741_824.0;
/// Memory of the machine.
const MEMORY: f64 = 8.0 * GIB;

/// The program of the one process that a scene is about.
const PID: u32 = 700;

fn seconds(machine: &Machine) -> f64 {
    machine.snapshot.interval_ms as f64 / 1e3
}

/// The process that the scene is about, made at the first look.
fn own(machine: &mut Machine) -> &mut Process {
    let there = machine.snapshot.processes.iter().flatten().any(|process| process.key.pid == PID);
    if !there {
        machine.add(process(PID, "app"));
    }
    machine.process(PID)
}

pub(super) fn cpu(machine: &mut Machine, share: f64) {
    machine.cpu(Some(share));
}

/// Of two CPUs.
pub(super) fn load(machine: &mut Machine, load: f64) {
    machine.snapshot.host.load = Some(Load { one: load, five: load, fifteen: load });
}

pub(super) fn memory(machine: &mut Machine, share: f64) {
    let memory = machine.snapshot.host.memory.as_mut().unwrap();
    memory.available_bytes = (memory.total_bytes as f64 * (1.0 - share)) as u64;
}

fn swap(machine: &mut Machine, share: f64) {
    let total_bytes = 2 << 30;
    machine.snapshot.host.swap = Some(Swap { total_bytes, free_bytes: (total_bytes as f64 * (1.0 - share)) as u64 });
}

/// Swap that is full to this share, with little memory left.
pub(super) fn swap_in_need(machine: &mut Machine, share: f64) {
    memory(machine, 0.85);
    swap(machine, share);
}

/// The same with memory to spare.
pub(super) fn swap_at_ease(machine: &mut Machine, share: f64) {
    memory(machine, 0.5);
    swap(machine, share);
}

/// MiB a second that leave memory and come back.
pub(super) fn swapping(machine: &mut Machine, rate: f64) {
    let bytes = (rate * MIB * seconds(machine)) as u64;
    machine.snapshot.host.counters.swapped_in_bytes = Some(bytes);
    machine.snapshot.host.counters.swapped_out_bytes = Some(bytes);
}

/// MiB a second that come back and stay.
pub(super) fn swapping_in(machine: &mut Machine, rate: f64) {
    swapping(machine, rate);
    machine.snapshot.host.counters.swapped_out_bytes = Some(0);
}

fn stalled(share: f64) -> Stall {
    Stall { avg10: share, avg60: share, total_us: 0 }
}

pub(super) fn waits_for_cpu(machine: &mut Machine, share: f64) {
    machine.snapshot.host.pressure = Some(Pressure { cpu_some: Some(stalled(share)), ..Pressure::default() });
}

pub(super) fn waits_for_memory(machine: &mut Machine, share: f64) {
    machine.snapshot.host.pressure = Some(Pressure { memory_full: Some(stalled(share)), ..Pressure::default() });
}

pub(super) fn waits_for_disks(machine: &mut Machine, share: f64) {
    machine.snapshot.host.pressure = Some(Pressure { io_full: Some(stalled(share)), ..Pressure::default() });
}

pub(super) fn oom_kills(machine: &mut Machine, kills: f64) {
    machine.snapshot.host.counters.oom_kills = Some(kills as u64);
}

/// Seconds by which the clock was set.
pub(super) fn clock_step(machine: &mut Machine, step: f64) {
    machine.snapshot.host.clock_step_ms = Some((step * 1e3) as i64);
}

pub(super) fn filesystem(machine: &mut Machine, share: f64) {
    machine.filesystem("/var", share.min(1.0));
}

pub(super) fn inodes(machine: &mut Machine, share: f64) {
    machine.snapshot.filesystems = Some(vec![Filesystem {
        mount_point: "/var".to_owned(),
        total_bytes: 100 << 30,
        free_bytes: 50 << 30,
        available_bytes: 50 << 30,
        inodes: 100_000,
        inodes_free: ((1.0 - share) * 1e5) as u64,
        ..Filesystem::default()
    }]);
}

fn disk(machine: &mut Machine, busy: f64, in_flight: u64) {
    let counters = DiskCounters { busy_us: (busy * seconds(machine) * 1e6) as u64, ..DiskCounters::default() };
    machine.snapshot.disks = Some(vec![Disk { name: "sda".to_owned(), counters: Some(counters), in_flight }]);
}

/// A disk that is busy for this share of the time with a long queue.
pub(super) fn disk_with_queue(machine: &mut Machine, busy: f64) {
    disk(machine, busy, 32);
}

/// The same with one reader.
pub(super) fn disk_with_one_reader(machine: &mut Machine, busy: f64) {
    disk(machine, busy, 1);
}

fn interface(machine: &mut Machine, counters: InterfaceCounters) {
    machine.snapshot.interfaces =
        Some(vec![Interface { name: "eth0".to_owned(), counters: Some(counters), up: Some(true) }]);
}

/// Broken packets a second, of a thousand.
pub(super) fn broken_packets(machine: &mut Machine, rate: f64) {
    let each = |rate: f64| (rate * seconds(machine)) as u64;
    let counters =
        InterfaceCounters { received_packets: each(1e3), received_errors: each(rate), ..InterfaceCounters::default() };
    interface(machine, counters);
}

/// Dropped packets a second, of a thousand.
pub(super) fn dropped_packets(machine: &mut Machine, rate: f64) {
    let each = |rate: f64| (rate * seconds(machine)) as u64;
    let counters =
        InterfaceCounters { received_packets: each(1e3), received_dropped: each(rate), ..InterfaceCounters::default() };
    interface(machine, counters);
}

fn socket(machine: &mut Machine, change: impl FnOnce(&mut Socket)) {
    let mut socket = Socket {
        protocol: "tcp".to_owned(),
        address: "0.0.0.0".to_owned(),
        port: 8080,
        queue: Some(0),
        backlog: Some(128),
        unread_bytes: Some(0),
        opened: Some(false),
        ..Socket::default()
    };
    change(&mut socket);
    machine.snapshot.sockets = Some(vec![socket]);
}

/// Connections that wait to be accepted.
pub(super) fn waiting(machine: &mut Machine, connections: f64) {
    socket(machine, |socket| socket.queue = Some(connections as u32));
}

/// KiB that nobody reads.
pub(super) fn unread(machine: &mut Machine, kib: f64) {
    socket(machine, |socket| socket.unread_bytes = Some((kib * 1_024.0) as u64));
}

/// A port that is new if this is 1.
pub(super) fn opened(machine: &mut Machine, new: f64) {
    socket(machine, |socket| socket.opened = Some(new > 0.0));
}

pub(super) fn process_cpu(machine: &mut Machine, share: f64) {
    let total_us = share * 2e6 * seconds(machine);
    let own = own(machine);
    *own = burning(0.0, own.clone());
    let cpu = own.cpu.as_mut().unwrap();
    (cpu.total_us, cpu.user_us) = (total_us as u64, total_us as u64);
}

/// Resident memory as a share of the machine's.
pub(super) fn process_memory(machine: &mut Machine, share: f64) {
    own(machine).memory = Some(ProcessMemory { resident_bytes: (share * MEMORY) as u64, virtual_bytes: 1 << 34 });
}

/// Resident memory in MiB, which the machine has less.
pub(super) fn grown(machine: &mut Machine, mib: f64) {
    process_memory(machine, mib * MIB / MEMORY);
    memory(machine, 0.25 + mib * MIB / MEMORY);
}

/// The same on a machine whose CPU is the busier the more it is, as with users.
pub(super) fn grown_with_users(machine: &mut Machine, mib: f64) {
    grown(machine, mib);
    machine.cpu(Some((mib / 2_500.0).min(1.0)));
}

/// Descriptors, with as many connections of the machine as ever.
pub(super) fn descriptors(machine: &mut Machine, count: f64) {
    machine.snapshot.host.connections = Some(200);
    own(machine).descriptors = Some(count as u32);
}

/// The same with a connection for each.
pub(super) fn descriptors_of_users(machine: &mut Machine, count: f64) {
    descriptors(machine, count);
    machine.snapshot.host.connections = Some(count as u32);
}

/// Threads, with as many connections of the machine as ever.
pub(super) fn threads(machine: &mut Machine, count: f64) {
    machine.snapshot.host.connections = Some(200);
    own(machine).threads = Some(count as u32);
}

/// The same with a connection for each.
pub(super) fn threads_of_users(machine: &mut Machine, count: f64) {
    threads(machine, count);
    machine.snapshot.host.connections = Some(count as u32);
}

/// So many processes of one program.
pub(super) fn instances(machine: &mut Machine, count: f64) {
    machine.snapshot.processes = Some((0..count as u32).map(|number| process(PID + number, "app")).collect());
}

fn state(machine: &mut Machine, holds: f64, state: ProcessState) {
    own(machine).state = Some(if holds > 0.0 { state } else { ProcessState::Sleeping });
}

pub(super) fn zombie(machine: &mut Machine, holds: f64) {
    state(machine, holds, ProcessState::Zombie);
}

pub(super) fn stuck(machine: &mut Machine, holds: f64) {
    state(machine, holds, ProcessState::DiskSleep);
}

pub(super) fn stopped(machine: &mut Machine, holds: f64) {
    state(machine, holds, ProcessState::Stopped);
}

pub(super) fn traced(machine: &mut Machine, holds: f64) {
    state(machine, holds, ProcessState::Traced);
}

pub(super) fn hung(machine: &mut Machine, holds: f64) {
    own(machine).state = Some(if holds > 0.0 { ProcessState::Hung } else { ProcessState::Answering });
}

pub(super) fn replaced(machine: &mut Machine, holds: f64) {
    let executable =
        Executable { path: "/usr/bin/app".to_owned(), inode: Some(7), deleted: holds > 0.0, ..Executable::default() };
    Arc::make_mut(&mut own(machine).image).executable = Some(executable);
}

/// A service whose main process began in this tick if this is 1.
pub(super) fn service(machine: &mut Machine, began: f64) {
    let at = machine.snapshot.at;
    let ticks = ((at.mono_ms + at.suspended_ms) / 10) as u64 + 10;
    let own = own(machine);
    own.parent = 1;
    Arc::make_mut(&mut own.image).unit = Some("app.service".to_owned());
    if began > 0.0 {
        own.key.start_ticks = ticks;
    }
}

/// A check that answers if this is 1.
pub(super) fn check(machine: &mut Machine, up: f64) {
    let target = "tcp 127.0.0.1:5432".to_owned();
    let check = Check {
        name: "database".to_owned(),
        target,
        up: Some(up > 0.0),
        duration_us: Some(900),
        status: None,
        error: None,
        tried_mono_ms: Some(machine.snapshot.at.mono_ms),
    };
    machine.snapshot.checks = Some(vec![check]);
}

/// How strange this moment is, with all trees agreed.
pub(super) fn strange(machine: &mut Machine, score: f64) {
    machine.snapshot.anomaly = Some(Anomaly { score, confidence: 0.9, threshold: 0.5 });
}

/// The same with the trees at odds.
pub(super) fn doubtful(machine: &mut Machine, score: f64) {
    machine.snapshot.anomaly = Some(Anomaly { score, confidence: 0.6, threshold: 0.5 });
}

fn watch(machine: &mut Machine, change: impl FnOnce(&mut Watch)) {
    let mut watch = Watch::default();
    change(&mut watch);
    machine.snapshot.watch = Some(watch);
}

pub(super) fn late(machine: &mut Machine, seconds: f64) {
    watch(machine, |watch| watch.late_ms = (seconds * 1e3) as u64);
}

pub(super) fn lost(machine: &mut Machine, looks: f64) {
    machine.snapshot.dropped = looks as u32;
}

pub(super) fn log_fails(machine: &mut Machine, seconds: f64) {
    watch(machine, |watch| watch.log_failing_ms = (seconds * 1e3) as u64);
}

pub(super) fn state_fails(machine: &mut Machine, seconds: f64) {
    watch(machine, |watch| watch.state_failing_ms = (seconds * 1e3) as u64);
}

pub(super) fn channel_fails(machine: &mut Machine, seconds: f64) {
    watch(machine, |watch| watch.channel_failing_ms = (seconds * 1e3) as u64);
}

pub(super) fn outbox(machine: &mut Machine, seconds: f64) {
    watch(machine, |watch| watch.outbox_age_ms = (seconds * 1e3) as u64);
}
