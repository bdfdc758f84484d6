//! Values of the machine's parts: CPUs, disks, filesystems, interfaces, peers, sockets, checks.

use watchkeeper_core::reading::{Check, CpuTimes, Filesystem, Peer, Socket};
use watchkeeper_core::snapshot::{Cpu, Disk, Interface};
use watchkeeper_core::{EntityKind, Metric, Snapshot};

use super::host::cpu_share;
use super::{difference, part};
use crate::series_test::entities::Subject;
use crate::series_test::values::Slot;

/// Size of a filesystem, unless `system.filesystem.limit` says otherwise.
const FILESYSTEM_BYTES: u64 = 100 << 30;
/// Its inodes.
const INODES: u64 = 1 << 20;
/// Connections that may wait at a socket, unless `system.network.socket.backlog` says otherwise.
const BACKLOG: u32 = 128;
/// A request of a disk takes as long as a series says; so many of them there are.
const REQUESTS: u64 = 1;

type Values = [(&'static Metric, Slot)];

/// Lists of these kinds are known.
pub(super) fn begin_lists(snapshot: &mut Snapshot, kinds: &[EntityKind]) {
    for kind in kinds {
        match kind {
            EntityKind::Cpu => snapshot.cpus = Some(Vec::new()),
            EntityKind::Disk => snapshot.disks = Some(Vec::new()),
            EntityKind::Filesystem => snapshot.filesystems = Some(Vec::new()),
            EntityKind::Interface => snapshot.interfaces = Some(Vec::new()),
            EntityKind::Peer => snapshot.peers = Some(Vec::new()),
            EntityKind::Socket => snapshot.sockets = Some(Vec::new()),
            EntityKind::Check => snapshot.checks = Some(Vec::new()),
            EntityKind::Host | EntityKind::Process | EntityKind::Program => {}
        }
    }
}

/// Adds a part with its values. A filesystem or a disk always knows all of its numbers: what no series says is then not
/// unknown but nothing.
pub(super) fn write(snapshot: &mut Snapshot, subject: &Subject, values: &Values) {
    match subject {
        Subject::Cpu(number) => {
            let cpu = cpu(snapshot, *number, values);
            push(&mut snapshot.cpus, cpu);
        }
        Subject::Disk(name) => {
            let disk = disk(snapshot, name, values);
            push(&mut snapshot.disks, disk);
        }
        Subject::Filesystem(name) => push(&mut snapshot.filesystems, filesystem(name, values)),
        Subject::Interface(name) => {
            let interface = interface(snapshot, name, values);
            push(&mut snapshot.interfaces, interface);
        }
        Subject::Peer(address) => {
            let connections = numbers(values).next().map_or(0, |(_, value)| value.round() as u32);
            push(&mut snapshot.peers, Peer { address: address.clone(), connections });
        }
        Subject::Socket(own) => {
            let mut socket = Socket {
                protocol: own.protocol.clone(),
                address: own.address.clone(),
                port: own.port,
                uid: None,
                queue: None,
                backlog: None,
                unread_bytes: None,
                owner: None,
                opened: None,
            };
            numbers(values).for_each(|(name, value)| socket_value(&mut socket, name, value));
            push(&mut snapshot.sockets, socket);
        }
        Subject::Check(name) => push(&mut snapshot.checks, check(name, values)),
        Subject::Host | Subject::Process(_) => {}
    }
}

fn push<T>(list: &mut Option<Vec<T>>, item: T) {
    list.get_or_insert_default().push(item);
}

fn numbers(values: &Values) -> impl Iterator<Item = (&'static str, f64)> {
    values.iter().filter_map(|(metric, slot)| match slot {
        Slot::Number(value) => Some((metric.name, *value)),
        _ => None,
    })
}

fn cpu(snapshot: &Snapshot, number: u32, values: &Values) -> Cpu {
    let whole_us = snapshot.interval_ms.unsigned_abs() * 1_000;
    let mut cpu = Cpu { number, times: None };
    for (name, value) in numbers(values) {
        let times = cpu.times.get_or_insert(CpuTimes { idle_us: whole_us, ..CpuTimes::default() });
        cpu_share(times, name.trim_start_matches("system.cpu.logical.utilization"), value, whole_us, values);
    }
    cpu
}

fn disk(snapshot: &Snapshot, name: &str, values: &Values) -> Disk {
    let mut disk = Disk { name: name.to_owned(), ..Disk::default() };
    for (name, value) in numbers(values) {
        let changed = difference(snapshot, value);
        if name == "system.disk.in_flight" {
            disk.in_flight = value.round() as u64;
            continue;
        }
        let counters = disk.counters.get_or_insert_default();
        let each_us = value * 1e6;
        match name {
            "system.disk.io.read" => counters.read_bytes = changed,
            "system.disk.io.write" => counters.written_bytes = changed,
            "system.disk.operations.read" => counters.reads = changed,
            "system.disk.operations.write" => counters.writes = changed,
            "system.disk.utilization" => counters.busy_us = difference(snapshot, each_us),
            "system.disk.operation_time.read" => {
                counters.reads = counters.reads.max(REQUESTS);
                counters.read_us = (each_us * counters.reads as f64).round() as u64;
            }
            "system.disk.operation_time.write" => {
                counters.writes = counters.writes.max(REQUESTS);
                counters.write_us = (each_us * counters.writes as f64).round() as u64;
            }
            _ => {}
        }
    }
    disk
}

fn filesystem(mount_point: &str, values: &Values) -> Filesystem {
    let mut own = Filesystem {
        mount_point: mount_point.to_owned(),
        device: "test".to_owned(),
        kind: "test".to_owned(),
        total_bytes: FILESYSTEM_BYTES,
        free_bytes: FILESYSTEM_BYTES,
        available_bytes: FILESYSTEM_BYTES,
        inodes: INODES,
        inodes_free: INODES,
        ..Filesystem::default()
    };
    for (name, value) in numbers(values) {
        let free_bytes = match name {
            "system.filesystem.limit" => {
                own.total_bytes = value.round() as u64;
                own.total_bytes
            }
            "system.filesystem.utilization" => own.total_bytes.saturating_sub(part(value, own.total_bytes)),
            "system.filesystem.usage" => own.total_bytes.saturating_sub(value.round() as u64),
            "system.filesystem.free" => value.round() as u64,
            "system.filesystem.inodes.utilization" => {
                own.inodes_free = own.inodes.saturating_sub(part(value, own.inodes));
                continue;
            }
            "system.filesystem.inodes.free" => {
                own.inodes_free = value.round() as u64;
                own.inodes = own.inodes.max(own.inodes_free);
                continue;
            }
            _ => continue,
        };
        (own.free_bytes, own.available_bytes) = (free_bytes, free_bytes);
    }
    own
}

fn interface(snapshot: &Snapshot, name: &str, values: &Values) -> Interface {
    let mut interface = Interface { name: name.to_owned(), ..Interface::default() };
    for (name, value) in numbers(values) {
        let counters = interface.counters.get_or_insert_default();
        let field = match name {
            "system.network.io.receive" => &mut counters.received_bytes,
            "system.network.io.transmit" => &mut counters.sent_bytes,
            "system.network.packet.count.receive" => &mut counters.received_packets,
            "system.network.packet.count.transmit" => &mut counters.sent_packets,
            "system.network.errors.receive" => &mut counters.received_errors,
            "system.network.errors.transmit" => &mut counters.sent_errors,
            "system.network.packet.dropped.receive" => &mut counters.received_dropped,
            "system.network.packet.dropped.transmit" => &mut counters.sent_dropped,
            _ => continue,
        };
        *field = difference(snapshot, value);
    }
    interface
}

fn socket_value(socket: &mut Socket, name: &str, value: f64) {
    match name {
        "system.network.socket.backlog" => socket.backlog = Some(value.round() as u32),
        "system.network.socket.queue" => socket.queue = Some(value.round() as u32),
        "system.network.socket.queue.utilization" => {
            let backlog = *socket.backlog.get_or_insert(BACKLOG);
            socket.queue = Some((value * f64::from(backlog)).round() as u32);
        }
        "system.network.socket.unread" => socket.unread_bytes = Some(value.round() as u64),
        "system.network.socket.opened" => socket.opened = Some(value != 0.0),
        _ => {}
    }
}

fn check(name: &str, values: &Values) -> Check {
    let mut check = Check { name: name.to_owned(), ..Check::default() };
    for (name, value) in numbers(values) {
        match name {
            "check.up" => check.up = Some(value != 0.0),
            "check.duration" => check.duration_us = Some((value * 1e6).round() as u64),
            "check.http.status" => check.status = Some(value.round() as u16),
            _ => {}
        }
    }
    check
}
