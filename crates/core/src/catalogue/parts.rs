//! Metrics of the machine's parts: CPUs, disks, filesystems, interfaces, peers, sockets.

use super::Kind::{Counter, Event, Gauge};
use super::Metric;
use super::Read::{Cpu, Disk, Filesystem, Interface, Peer, Socket};
use super::entry;
use super::host::cpu_share;
use crate::reading::{CpuTimes, DiskCounters, InterfaceCounters};
use crate::snapshot;
use crate::snapshot::Snapshot;
use crate::unit::Unit;

fn disk(snapshot: &Snapshot, disk: &snapshot::Disk, part: fn(&DiskCounters) -> u64) -> Option<f64> {
    snapshot.per_second(disk.counters.as_ref().map(part))
}

fn interface(snapshot: &Snapshot, interface: &snapshot::Interface, part: fn(&InterfaceCounters) -> u64) -> Option<f64> {
    snapshot.per_second(interface.counters.as_ref().map(part))
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// As `df` counts: of what ordinary users could have, how much is taken.
fn filesystem_share(filesystem: &snapshot::Filesystem) -> Option<f64> {
    let used = filesystem.total_bytes.saturating_sub(filesystem.free_bytes);
    share(used, used + filesystem.available_bytes)
}

#[rustfmt::skip] // a table: one metric a line
pub(super) const METRICS: &[Metric] = &[
    entry("system.cpu.logical.utilization", Gauge, Unit::Ratio, Cpu(|_, c| cpu_share(c.times, CpuTimes::busy_us)), "share of one CPU's time that was busy").otel("system.cpu.utilization", "cpu.logical_number", "N"),
    entry("system.cpu.logical.utilization.user", Gauge, Unit::Ratio, Cpu(|_, c| cpu_share(c.times, |t| t.user_us + t.nice_us)), "share of one CPU's time in user mode"),
    entry("system.cpu.logical.utilization.system", Gauge, Unit::Ratio, Cpu(|_, c| cpu_share(c.times, |t| t.system_us)), "share of one CPU's time in the kernel"),
    entry("system.cpu.logical.utilization.iowait", Gauge, Unit::Ratio, Cpu(|_, c| cpu_share(c.times, |t| t.iowait_us)), "share of one CPU's time idle while waiting for disks"),
    entry("system.cpu.logical.utilization.interrupt", Gauge, Unit::Ratio, Cpu(|_, c| cpu_share(c.times, |t| t.interrupt_us + t.softirq_us)), "share of one CPU's time serving interrupts"),
    entry("system.cpu.logical.utilization.steal", Gauge, Unit::Ratio, Cpu(|_, c| cpu_share(c.times, |t| t.steal_us)), "share of one CPU's time that the hypervisor gave to others"),
    entry("system.disk.io.read", Counter, Unit::BytesPerSecond, Disk(|s, d| disk(s, d, |c| c.read_bytes)), "bytes read from the disk").otel("system.disk.io", "disk.io.direction", "read"),
    entry("system.disk.io.write", Counter, Unit::BytesPerSecond, Disk(|s, d| disk(s, d, |c| c.written_bytes)), "bytes written to the disk").otel("system.disk.io", "disk.io.direction", "write"),
    entry("system.disk.operations.read", Counter, Unit::CountPerSecond, Disk(|s, d| disk(s, d, |c| c.reads)), "read requests").otel("system.disk.operations", "disk.io.direction", "read"),
    entry("system.disk.operations.write", Counter, Unit::CountPerSecond, Disk(|s, d| disk(s, d, |c| c.writes)), "write requests").otel("system.disk.operations", "disk.io.direction", "write"),
    entry("system.disk.utilization", Gauge, Unit::Ratio, Disk(|s, d| s.cores(d.counters.map(|c| c.busy_us))), "share of time with at least one request in flight").otel("system.disk.io_time", "system.device", "NAME"),
    entry("system.disk.operation_time.read", Gauge, Unit::Seconds, Disk(|_, d| d.counters.filter(|c| c.reads > 0).map(|c| c.read_us as f64 / c.reads as f64 / 1e6)), "time that a read request took on average; unknown without one").otel("system.disk.operation_time", "disk.io.direction", "read"),
    entry("system.disk.operation_time.write", Gauge, Unit::Seconds, Disk(|_, d| d.counters.filter(|c| c.writes > 0).map(|c| c.write_us as f64 / c.writes as f64 / 1e6)), "time that a write request took on average; unknown without one").otel("system.disk.operation_time", "disk.io.direction", "write"),
    entry("system.disk.in_flight", Gauge, Unit::Count, Disk(|_, d| Some(d.in_flight as f64)), "requests in flight"),
    entry("system.filesystem.utilization", Gauge, Unit::Ratio, Filesystem(|_, f| filesystem_share(f)), "share of the space open to ordinary users that is taken, as df shows it").otel_same(),
    entry("system.filesystem.usage", Gauge, Unit::Bytes, Filesystem(|_, f| Some(f.total_bytes.saturating_sub(f.free_bytes) as f64)), "bytes taken").otel("system.filesystem.usage", "system.filesystem.state", "used"),
    entry("system.filesystem.free", Gauge, Unit::Bytes, Filesystem(|_, f| Some(f.available_bytes as f64)), "bytes that an ordinary user can still write").otel("system.filesystem.usage", "system.filesystem.state", "free"),
    entry("system.filesystem.limit", Gauge, Unit::Bytes, Filesystem(|_, f| Some(f.total_bytes as f64)), "size of the filesystem").otel_same(),
    entry("system.filesystem.inodes.utilization", Gauge, Unit::Ratio, Filesystem(|_, f| share(f.inodes.saturating_sub(f.inodes_free), f.inodes)), "share of inodes taken; unknown where their number is not fixed"),
    entry("system.filesystem.inodes.free", Gauge, Unit::Count, Filesystem(|_, f| (f.inodes > 0).then_some(f.inodes_free as f64)), "free inodes; unknown where their number is not fixed"),
    entry("system.network.io.receive", Counter, Unit::BytesPerSecond, Interface(|s, i| interface(s, i, |c| c.received_bytes)), "bytes received").otel("system.network.io", "network.io.direction", "receive"),
    entry("system.network.io.transmit", Counter, Unit::BytesPerSecond, Interface(|s, i| interface(s, i, |c| c.sent_bytes)), "bytes sent").otel("system.network.io", "network.io.direction", "transmit"),
    entry("system.network.packet.count.receive", Counter, Unit::CountPerSecond, Interface(|s, i| interface(s, i, |c| c.received_packets)), "packets received").otel("system.network.packet.count", "network.io.direction", "receive"),
    entry("system.network.packet.count.transmit", Counter, Unit::CountPerSecond, Interface(|s, i| interface(s, i, |c| c.sent_packets)), "packets sent").otel("system.network.packet.count", "network.io.direction", "transmit"),
    entry("system.network.errors.receive", Counter, Unit::CountPerSecond, Interface(|s, i| interface(s, i, |c| c.received_errors)), "packets received with errors").otel("system.network.errors", "network.io.direction", "receive"),
    entry("system.network.errors.transmit", Counter, Unit::CountPerSecond, Interface(|s, i| interface(s, i, |c| c.sent_errors)), "packets that could not be sent").otel("system.network.errors", "network.io.direction", "transmit"),
    entry("system.network.packet.dropped.receive", Counter, Unit::CountPerSecond, Interface(|s, i| interface(s, i, |c| c.received_dropped)), "packets received and dropped").otel("system.network.packet.dropped", "network.io.direction", "receive"),
    entry("system.network.packet.dropped.transmit", Counter, Unit::CountPerSecond, Interface(|s, i| interface(s, i, |c| c.sent_dropped)), "packets dropped instead of sent").otel("system.network.packet.dropped", "network.io.direction", "transmit"),
    entry("system.network.peer.connections", Gauge, Unit::Count, Peer(|_, p| Some(f64::from(p.connections))), "established connections to one remote address"),
    entry("system.network.socket.queue", Gauge, Unit::Count, Socket(|_, s| s.queue.map(f64::from)), "connections waiting to be accepted"),
    entry("system.network.socket.backlog", Gauge, Unit::Count, Socket(|_, s| s.backlog.map(f64::from)), "connections that may wait to be accepted"),
    entry("system.network.socket.queue.utilization", Gauge, Unit::Ratio, Socket(|_, s| share(u64::from(s.queue?), u64::from(s.backlog?))), "share of the accept backlog that is taken"),
    entry("system.network.socket.unread", Gauge, Unit::Bytes, Socket(|_, s| s.unread_bytes.map(|bytes| bytes as f64)), "bytes that arrived for it, or for connections accepted from it, and that nobody has read"),
    entry("system.network.socket.opened", Event, Unit::Count, Socket(|_, s| s.opened.map(f64::from)), "1 in the tick in which it appeared; unknown at the first look"),
];
