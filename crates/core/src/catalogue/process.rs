//! Metrics of processes. For `each = "program"` they are summed over the program's processes.

use super::Kind::{Counter, Gauge, Label};
use super::Metric;
use super::Read::{Process, ProcessText};
use super::entry;
use crate::unit::Unit;

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
    entry("process.state", Label, Unit::Text, ProcessText(|p| p.state.map(crate::process::ProcessState::letter)), "state as one letter: R S D I T t Z X"),
    entry("process.name", Label, Unit::Text, ProcessText(|p| Some(&p.image.name)), "the kernel's name of the process"),
    entry("process.program", Label, Unit::Text, ProcessText(|p| Some(&p.image.program)), "the program it counts as"),
    entry("process.executable.path", Label, Unit::Text, ProcessText(|p| p.image.executable.as_ref().map(|e| e.path.as_str())), "path of the executable"),
    entry("process.executable.name", Label, Unit::Text, ProcessText(|p| p.image.executable.as_ref().map(|e| e.path.rsplit('/').next().unwrap_or(&e.path))), "file name of the executable"),
    entry("process.command_line", Label, Unit::Text, ProcessText(|p| p.image.command.as_ref().map(|c| c.text.as_str())), "command line with secrets redacted"),
];
