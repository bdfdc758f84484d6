//! Metrics of the machine as a whole.

use super::Kind::{Counter, Gauge};
use super::Metric;
use super::Read::Host;
use super::entry;
use crate::reading::{CpuTimes, Memory, Pressure, Stall, Swap};
use crate::snapshot::Snapshot;
use crate::unit::Unit;

/// Share of all CPU time of the interval that a part of it took.
pub(super) fn cpu_share(times: Option<CpuTimes>, part: fn(&CpuTimes) -> u64) -> Option<f64> {
    let times = times?;
    let total = times.total_us();
    (total > 0).then(|| part(&times) as f64 / total as f64)
}

fn cpu(snapshot: &Snapshot, part: fn(&CpuTimes) -> u64) -> Option<f64> {
    cpu_share(snapshot.host.cpu, part)
}

fn memory(snapshot: &Snapshot, part: fn(&Memory) -> u64) -> Option<f64> {
    snapshot.host.memory.map(|memory| part(&memory) as f64)
}

fn swap(snapshot: &Snapshot, part: fn(&Swap) -> u64) -> Option<f64> {
    snapshot.host.swap.map(|swap| part(&swap) as f64)
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn stall(snapshot: &Snapshot, line: fn(&Pressure) -> Option<Stall>) -> Option<f64> {
    snapshot.host.pressure.as_ref().and_then(line).map(|stall| stall.avg10)
}

fn state_count(snapshot: &Snapshot, state: crate::process::ProcessState) -> Option<f64> {
    let processes = snapshot.processes.as_ref()?;
    Some(processes.iter().filter(|process| process.state == Some(state)).count() as f64)
}

#[rustfmt::skip] // a table: one metric a line
pub(super) const METRICS: &[Metric] = &[
    entry("system.cpu.utilization", Gauge, Unit::Ratio, Host(|s| cpu(s, CpuTimes::busy_us)), "share of all CPU time that was busy").otel_same(),
    entry("system.cpu.utilization.user", Gauge, Unit::Ratio, Host(|s| cpu(s, |t| t.user_us)), "share of all CPU time in user mode").otel("system.cpu.utilization", "cpu.mode", "user"),
    entry("system.cpu.utilization.nice", Gauge, Unit::Ratio, Host(|s| cpu(s, |t| t.nice_us)), "share of all CPU time in user mode at low priority").otel("system.cpu.utilization", "cpu.mode", "nice"),
    entry("system.cpu.utilization.system", Gauge, Unit::Ratio, Host(|s| cpu(s, |t| t.system_us)), "share of all CPU time in the kernel").otel("system.cpu.utilization", "cpu.mode", "system"),
    entry("system.cpu.utilization.idle", Gauge, Unit::Ratio, Host(|s| cpu(s, |t| t.idle_us)), "share of all CPU time without work").otel("system.cpu.utilization", "cpu.mode", "idle"),
    entry("system.cpu.utilization.iowait", Gauge, Unit::Ratio, Host(|s| cpu(s, |t| t.iowait_us)), "share of all CPU time idle while waiting for disks").otel("system.cpu.utilization", "cpu.mode", "iowait"),
    entry("system.cpu.utilization.interrupt", Gauge, Unit::Ratio, Host(|s| cpu(s, |t| t.interrupt_us + t.softirq_us)), "share of all CPU time serving interrupts").otel("system.cpu.utilization", "cpu.mode", "interrupt"),
    entry("system.cpu.utilization.steal", Gauge, Unit::Ratio, Host(|s| cpu(s, |t| t.steal_us)), "share of all CPU time that the hypervisor gave to others").otel("system.cpu.utilization", "cpu.mode", "steal"),
    entry("system.cpu.not_attributed", Gauge, Unit::Ratio, Host(|s| {
        let total = s.host.cpu?.total_us();
        s.not_attributed.cpu_us.filter(|_| total > 0).map(|us| us as f64 / total as f64)
    }), "share of all CPU time that was busy and belongs to no process in the log"),
    entry("system.cpu.logical.count", Gauge, Unit::Count, Host(|s| s.host.cpu_count.map(f64::from)), "logical CPUs online").otel_same(),
    entry("system.memory.utilization", Gauge, Unit::Ratio, Host(|s| s.host.memory.and_then(|m| share(m.used_bytes(), m.total_bytes))), "share of memory in use: total minus available").otel("system.memory.utilization", "system.memory.state", "used"),
    entry("system.memory.usage", Gauge, Unit::Bytes, Host(|s| memory(s, Memory::used_bytes)), "memory in use: total minus available").otel("system.memory.usage", "system.memory.state", "used"),
    entry("system.memory.usage.free", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.free_bytes)), "memory that nothing uses").otel("system.memory.usage", "system.memory.state", "free"),
    entry("system.memory.usage.cached", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.cached_bytes)), "page cache").otel("system.memory.usage", "system.memory.state", "cached"),
    entry("system.memory.usage.buffers", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.buffers_bytes)), "block device buffers").otel("system.memory.usage", "system.memory.state", "buffers"),
    entry("system.memory.limit", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.total_bytes)), "usable memory").otel_same(),
    entry("system.memory.linux.available", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.available_bytes)), "memory that programs could still get without swapping").otel_same(),
    entry("system.memory.linux.shared", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.shared_bytes)), "shared memory and tmpfs").otel_same(),
    entry("system.memory.linux.slab.unreclaimable", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.slab_bytes)), "kernel memory that cannot be reclaimed").otel("system.memory.linux.slab.usage", "linux.memory.slab.state", "unreclaimable"),
    entry("system.memory.linux.dirty", Gauge, Unit::Bytes, Host(|s| memory(s, |m| m.dirty_bytes)), "pages waiting to be written to disk"),
    entry("system.paging.utilization", Gauge, Unit::Ratio, Host(|s| s.host.swap.and_then(|w| share(w.total_bytes.saturating_sub(w.free_bytes), w.total_bytes))), "share of swap space in use; unknown without swap").otel("system.paging.utilization", "system.paging.state", "used"),
    entry("system.paging.usage", Gauge, Unit::Bytes, Host(|s| swap(s, |w| w.total_bytes.saturating_sub(w.free_bytes))), "swap space in use").otel("system.paging.usage", "system.paging.state", "used"),
    entry("system.paging.limit", Gauge, Unit::Bytes, Host(|s| swap(s, |w| w.total_bytes)), "size of swap space"),
    entry("system.paging.io.in", Counter, Unit::BytesPerSecond, Host(|s| s.per_second(s.host.counters.swapped_in_bytes)), "bytes read back from swap").otel("system.paging.operations", "system.paging.direction", "in"),
    entry("system.paging.io.out", Counter, Unit::BytesPerSecond, Host(|s| s.per_second(s.host.counters.swapped_out_bytes)), "bytes written to swap").otel("system.paging.operations", "system.paging.direction", "out"),
    entry("system.paging.faults.minor", Counter, Unit::CountPerSecond, Host(|s| s.per_second(s.host.counters.minor_faults)), "page faults served without disk").otel("system.paging.faults", "system.paging.fault.type", "minor"),
    entry("system.paging.faults.major", Counter, Unit::CountPerSecond, Host(|s| s.per_second(s.host.counters.major_faults)), "page faults that read from disk").otel("system.paging.faults", "system.paging.fault.type", "major"),
    entry("system.linux.load.1m", Gauge, Unit::Number, Host(|s| s.host.load.map(|l| l.one)), "tasks running or uninterruptible, averaged over 1 minute"),
    entry("system.linux.load.5m", Gauge, Unit::Number, Host(|s| s.host.load.map(|l| l.five)), "tasks running or uninterruptible, averaged over 5 minutes"),
    entry("system.linux.load.15m", Gauge, Unit::Number, Host(|s| s.host.load.map(|l| l.fifteen)), "tasks running or uninterruptible, averaged over 15 minutes"),
    entry("system.linux.pressure.cpu.some", Gauge, Unit::Ratio, Host(|s| stall(s, |p| p.cpu_some)), "share of the last 10 s in which some task waited for a CPU"),
    entry("system.linux.pressure.memory.some", Gauge, Unit::Ratio, Host(|s| stall(s, |p| p.memory_some)), "share of the last 10 s in which some task waited for memory"),
    entry("system.linux.pressure.memory.full", Gauge, Unit::Ratio, Host(|s| stall(s, |p| p.memory_full)), "share of the last 10 s in which all tasks waited for memory"),
    entry("system.linux.pressure.io.some", Gauge, Unit::Ratio, Host(|s| stall(s, |p| p.io_some)), "share of the last 10 s in which some task waited for I/O"),
    entry("system.linux.pressure.io.full", Gauge, Unit::Ratio, Host(|s| stall(s, |p| p.io_full)), "share of the last 10 s in which all tasks waited for I/O"),
    entry("system.uptime", Gauge, Unit::Seconds, Host(|s| Some((s.at.mono_ms + s.at.suspended_ms) as f64 / 1e3)), "time since boot").otel_same(),
    entry("system.process.count", Gauge, Unit::Count, Host(|s| s.processes.as_ref().map(|p| p.len() as f64)), "living processes").otel_same(),
    entry("system.process.count.running", Gauge, Unit::Count, Host(|s| state_count(s, crate::process::ProcessState::Running)), "processes on a CPU or ready for one").otel("system.process.count", "process.state", "running"),
    entry("system.process.count.uninterruptible", Gauge, Unit::Count, Host(|s| state_count(s, crate::process::ProcessState::DiskSleep)), "processes in uninterruptible sleep"),
    entry("system.process.count.zombie", Gauge, Unit::Count, Host(|s| state_count(s, crate::process::ProcessState::Zombie)), "processes that ended and were not waited for"),
    entry("system.process.created", Counter, Unit::CountPerSecond, Host(|s| s.per_second(s.host.counters.created)), "processes and threads created").otel_same(),
    entry("system.context_switches", Counter, Unit::CountPerSecond, Host(|s| s.per_second(s.host.counters.context_switches)), "context switches"),
    entry("system.interrupts", Counter, Unit::CountPerSecond, Host(|s| s.per_second(s.host.counters.interrupts)), "interrupts served"),
    entry("system.linux.oom_kills", Counter, Unit::CountPerSecond, Host(|s| s.per_second(s.host.counters.oom_kills)), "processes killed because memory ran out"),
    entry("system.clock.step", Gauge, Unit::Seconds, Host(|s| s.host.clock_step_ms.map(|step_ms| step_ms.unsigned_abs() as f64 / 1e3)), "by how much the wall clock was set in the interval, forward or back; 0 if it was not"),
    entry("system.network.connection.count", Gauge, Unit::Count, Host(|s| s.host.connections.map(f64::from)), "established TCP connections").otel("system.network.connection.count", "network.connection.state", "established"),
];
