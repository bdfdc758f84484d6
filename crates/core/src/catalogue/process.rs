//! Metrics of processes. For `each = "program"` they are summed over the program's processes.

use super::Kind::{Counter, Event, Gauge, Label};
use super::Metric;
use super::Read::{Process, ProcessText};
use super::entry;
use crate::process::{Executable, ProcessState};
use crate::snapshot;
use crate::snapshot::Snapshot;
use crate::unit::Unit;

/// Whether the file behind a process was replaced or removed, where somebody could look at it.
fn is_replaced(executable: &Executable) -> Option<bool> {
    let is_seen = executable.deleted || executable.inode.is_some() || executable.modified_ms.is_some();
    is_seen.then_some(executable.deleted)
}

/// Whether a process is the main process of a service and began in the interval: systemd itself started it, or adopted
/// it from a parent that ended. Start times are whole ticks of 10 ms, and so are the ends of the interval here: intervals
/// that follow each other count every process once, those that ended in it included.
fn service_start(snapshot: &Snapshot, process: &snapshot::Process) -> Option<bool> {
    if snapshot.interval_ms <= 0 {
        return None;
    }
    let now_ms = snapshot.at.mono_ms.saturating_add(snapshot.at.suspended_ms);
    let lost_ms = i64::from(snapshot.dropped).saturating_mul(snapshot.interval_ms);
    let before_ms = now_ms.saturating_sub(snapshot.interval_ms).saturating_sub(lost_ms);
    let is_new = (before_ms / 10..now_ms / 10).contains(&i64::try_from(process.key.start_ticks).unwrap_or(i64::MAX));
    let is_service = process.image.unit.as_ref().is_some_and(|unit| unit.ends_with(".service"));
    Some(is_new && is_service && process.parent == 1)
}

fn window_hung(process: &snapshot::Process) -> Option<bool> {
    match process.state? {
        ProcessState::Hung => Some(true),
        ProcessState::Answering => Some(false),
        _ => None,
    }
}

#[rustfmt::skip] // a table: one metric a line
pub(super) const METRICS: &[Metric] = &[
    entry("process.cpu.utilization", Gauge, Unit::Ratio, Process(|s, p| s.machine_share(p.cpu.map(|c| c.total_us))), "share of the whole machine's CPU time").otel_same(),
    entry("process.cpu.utilization.user", Gauge, Unit::Ratio, Process(|s, p| s.machine_share(p.cpu.map(|c| c.user_us))), "share of the whole machine's CPU time, in user mode").otel("process.cpu.utilization", "cpu.mode", "user"),
    entry("process.cpu.utilization.system", Gauge, Unit::Ratio, Process(|s, p| s.machine_share(p.cpu.map(|c| c.total_us.saturating_sub(c.user_us)))), "share of the whole machine's CPU time, in the kernel").otel("process.cpu.utilization", "cpu.mode", "system"),
    entry("process.cpu.cores", Gauge, Unit::Cores, Process(|s, p| s.cores(p.cpu.map(|c| c.total_us))), "CPUs' worth of work: 1.0 is one core"),
    entry("process.memory.usage", Gauge, Unit::Bytes, Process(|_, p| p.memory.map(|m| m.resident_bytes as f64)), "resident memory").otel_same(),
    entry("process.memory.utilization", Gauge, Unit::Ratio, Process(|s, p| {
        let total = s.host.memory?.total_bytes;
        p.memory.filter(|_| total > 0).map(|m| m.resident_bytes as f64 / total as f64)
    }), "resident memory as a share of the machine's memory"),
    entry("process.memory.virtual", Gauge, Unit::Bytes, Process(|_, p| p.memory.map(|m| m.virtual_bytes as f64)), "address space").otel_same(),
    entry("process.paging.faults.minor", Counter, Unit::CountPerSecond, Process(|s, p| s.per_second(p.faults.map(|f| f.minor))), "page faults served without disk").otel("process.paging.faults", "system.paging.fault.type", "minor"),
    entry("process.paging.faults.major", Counter, Unit::CountPerSecond, Process(|s, p| s.per_second(p.faults.map(|f| f.major))), "page faults that read from disk").otel("process.paging.faults", "system.paging.fault.type", "major"),
    entry("process.disk.io", Counter, Unit::BytesPerSecond, Process(|s, p| s.per_second(p.io.map(|i| i.read_bytes + i.written_bytes))), "bytes read from and written to storage").otel_same(),
    entry("process.disk.io.read", Counter, Unit::BytesPerSecond, Process(|s, p| s.per_second(p.io.map(|i| i.read_bytes))), "bytes read from storage").otel("process.disk.io", "disk.io.direction", "read"),
    entry("process.disk.io.write", Counter, Unit::BytesPerSecond, Process(|s, p| s.per_second(p.io.map(|i| i.written_bytes))), "bytes written to storage").otel("process.disk.io", "disk.io.direction", "write"),
    entry("process.network.io", Counter, Unit::BytesPerSecond, Process(|s, p| s.per_second(p.network.map(|n| n.received_bytes + n.sent_bytes))), "bytes sent and received over sockets").otel_same(),
    entry("process.network.io.receive", Counter, Unit::BytesPerSecond, Process(|s, p| s.per_second(p.network.map(|n| n.received_bytes))), "bytes received over sockets").otel("process.network.io", "network.io.direction", "receive"),
    entry("process.network.io.transmit", Counter, Unit::BytesPerSecond, Process(|s, p| s.per_second(p.network.map(|n| n.sent_bytes))), "bytes sent over sockets").otel("process.network.io", "network.io.direction", "transmit"),
    entry("process.thread.count", Gauge, Unit::Count, Process(|_, p| p.threads.map(f64::from)), "threads").otel_same(),
    entry("process.unix.file_descriptor.count", Gauge, Unit::Count, Process(|_, p| p.descriptors.map(f64::from)), "open file descriptors").otel_same(),
    entry("process.uptime", Gauge, Unit::Seconds, Process(|s, p| Some(((s.at.mono_ms + s.at.suspended_ms) as f64 / 1e3 - p.key.start_ticks as f64 / 100.0).max(0.0))), "time since the process began").otel_same(),
    entry("process.executable.replaced", Gauge, Unit::Count, Process(|_, p| p.image.executable.as_ref().and_then(is_replaced).map(f64::from)), "1 if the file that it runs was replaced or removed since"),
    entry("process.service.starts", Event, Unit::Count, Process(|s, p| service_start(s, p).map(f64::from)), "1 in the tick in which the main process of a systemd service began"),
    entry("process.window.hung", Gauge, Unit::Count, Process(|_, p| window_hung(p).map(f64::from)), "1 while a window of it does not answer; Windows only"),
    entry("process.state", Label, Unit::Text, ProcessText(|p| p.state.map(ProcessState::letter)), "state as one letter: R S D I T t Z X, on Windows A H"),
    entry("process.name", Label, Unit::Text, ProcessText(|p| Some(&p.image.name)), "the kernel's name of the process"),
    entry("process.program", Label, Unit::Text, ProcessText(|p| Some(&p.image.program)), "the program it counts as"),
    entry("process.executable.path", Label, Unit::Text, ProcessText(|p| p.image.executable.as_ref().map(|e| e.path.as_str())), "path of the executable"),
    entry("process.executable.name", Label, Unit::Text, ProcessText(|p| p.image.executable.as_ref().map(|e| e.path.rsplit('/').next().unwrap_or(&e.path))), "file name of the executable"),
    entry("process.command_line", Label, Unit::Text, ProcessText(|p| p.image.command.as_ref().map(|c| c.text.as_str())), "command line with secrets redacted"),
];

#[cfg(test)]
mod tests;
