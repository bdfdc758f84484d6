//! The machine's parts in the log: CPUs, disks, filesystems, interfaces, peers, sockets.

use rusqlite::types::Value;
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::reading::{DiskCounters, Filesystem, InterfaceCounters, Peer, Socket};
use watchkeeper_core::snapshot::{Cpu, Disk, Interface};
use watchkeeper_core::{EntityKind, Snapshot};

use super::host::{cpu_parts, cpu_times};
use super::layout::{Cell, Kind, Layout, difference, gauge, number, put, take, text};

pub(crate) struct CpuKind;
pub(crate) struct DiskKind;
pub(crate) struct FilesystemKind;
pub(crate) struct InterfaceKind;
pub(crate) struct PeerKind;
pub(crate) struct SocketKind;

/// The list of a snapshot that holds the items of a kind, and their name in the catalogue.
macro_rules! in_snapshot {
    ($list:ident, $name:ident) => {
        fn reference(item: &Self::Item) -> EntityRef<'_> {
            EntityRef::$name(item)
        }

        fn lend(items: &mut Vec<Self::Item>, snapshot: &mut Snapshot, listed: bool) {
            snapshot.$list = listed.then(|| std::mem::take(items));
        }

        fn take_back(items: &mut Vec<Self::Item>, snapshot: &mut Snapshot) {
            if let Some(lent) = snapshot.$list.take() {
                *items = lent;
            }
        }
    };
}

impl Kind for CpuKind {
    type Item = Cpu;
    type Key = u32;

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Cpu,
        table: "cpu_row",
        entity: Some("cpu"),
        identity: &["number"],
        columns: &[
            difference(0, "user_us"),
            difference(0, "nice_us"),
            difference(0, "system_us"),
            difference(0, "idle_us"),
            difference(0, "iowait_us"),
            difference(0, "interrupt_us"),
            difference(0, "softirq_us"),
            difference(0, "steal_us"),
        ],
        section: 1,
    };

    fn key(item: &Cpu, _: u32) -> u32 {
        item.number
    }

    fn identity(item: &Cpu, _: u32) -> Vec<Value> {
        vec![Value::Integer(i64::from(item.number))]
    }

    fn item(identity: &[Value]) -> Option<Cpu> {
        Some(Cpu { number: number(identity.first())?, times: None })
    }

    fn cells(item: &Cpu, cells: &mut [Cell]) {
        put(cells, 0, item.times.map(cpu_parts));
    }

    fn fill(item: &mut Cpu, cells: &[Cell]) {
        item.times = take(cells, 0).map(cpu_times);
    }

    in_snapshot!(cpus, Cpu);
}

impl Kind for DiskKind {
    type Item = Disk;
    type Key = String;

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Disk,
        table: "disk_row",
        entity: Some("disk"),
        identity: &["name"],
        columns: &[
            difference(0, "read_bytes"),
            difference(0, "written_bytes"),
            difference(0, "reads"),
            difference(0, "writes"),
            difference(0, "read_us"),
            difference(0, "write_us"),
            difference(0, "busy_us"),
            gauge(1, "in_flight"),
        ],
        section: 1 << 1,
    };

    fn key(item: &Disk, _: u32) -> String {
        item.name.clone()
    }

    fn identity(item: &Disk, _: u32) -> Vec<Value> {
        vec![Value::Text(item.name.clone())]
    }

    fn item(identity: &[Value]) -> Option<Disk> {
        Some(Disk { name: text(identity.first())?, ..Disk::default() })
    }

    fn cells(item: &Disk, cells: &mut [Cell]) {
        let parts =
            |c: DiskCounters| [c.read_bytes, c.written_bytes, c.reads, c.writes, c.read_us, c.write_us, c.busy_us];
        put(cells, 0, item.counters.map(parts));
        cells[7] = Cell::unsigned(item.in_flight);
    }

    fn fill(item: &mut Disk, cells: &[Cell]) {
        item.counters = take(cells, 0).map(|[read_bytes, written_bytes, reads, writes, read_us, write_us, busy_us]| {
            DiskCounters { read_bytes, written_bytes, reads, writes, read_us, write_us, busy_us }
        });
        item.in_flight = cells[7].count().unwrap_or(0);
    }

    in_snapshot!(disks, Disk);
}

impl Kind for FilesystemKind {
    type Item = Filesystem;
    type Key = (String, String, String);

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Filesystem,
        table: "filesystem_row",
        entity: Some("filesystem"),
        identity: &["mount_point", "device", "kind"],
        columns: &[
            gauge(0, "total_bytes"),
            gauge(0, "free_bytes"),
            gauge(0, "available_bytes"),
            gauge(0, "inodes"),
            gauge(0, "inodes_free"),
            gauge(0, "read_only"),
        ],
        section: 1 << 2,
    };

    fn key(item: &Filesystem, _: u32) -> Self::Key {
        (item.mount_point.clone(), item.device.clone(), item.kind.clone())
    }

    fn identity(item: &Filesystem, _: u32) -> Vec<Value> {
        [&item.mount_point, &item.device, &item.kind].into_iter().cloned().map(Value::Text).collect()
    }

    fn item(identity: &[Value]) -> Option<Filesystem> {
        Some(Filesystem {
            mount_point: text(identity.first())?,
            device: text(identity.get(1))?,
            kind: text(identity.get(2))?,
            ..Filesystem::default()
        })
    }

    fn cells(item: &Filesystem, cells: &mut [Cell]) {
        let f = item;
        let read_only = u64::from(f.read_only);
        let parts = [f.total_bytes, f.free_bytes, f.available_bytes, f.inodes, f.inodes_free, read_only];
        put(cells, 0, Some(parts));
    }

    fn fill(item: &mut Filesystem, cells: &[Cell]) {
        let [total_bytes, free_bytes, available_bytes, inodes, inodes_free, read_only] =
            take(cells, 0).unwrap_or_default();
        *item = Filesystem {
            mount_point: std::mem::take(&mut item.mount_point),
            device: std::mem::take(&mut item.device),
            kind: std::mem::take(&mut item.kind),
            total_bytes,
            free_bytes,
            available_bytes,
            inodes,
            inodes_free,
            read_only: read_only != 0,
        };
    }

    in_snapshot!(filesystems, Filesystem);
}

impl Kind for InterfaceKind {
    type Item = Interface;
    type Key = String;

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Interface,
        table: "interface_row",
        entity: Some("interface"),
        identity: &["name"],
        columns: &[
            difference(0, "received_bytes"),
            difference(0, "sent_bytes"),
            difference(0, "received_packets"),
            difference(0, "sent_packets"),
            difference(0, "received_errors"),
            difference(0, "sent_errors"),
            difference(0, "received_dropped"),
            difference(0, "sent_dropped"),
            gauge(1, "up"),
        ],
        section: 1 << 3,
    };

    fn key(item: &Interface, _: u32) -> String {
        item.name.clone()
    }

    fn identity(item: &Interface, _: u32) -> Vec<Value> {
        vec![Value::Text(item.name.clone())]
    }

    fn item(identity: &[Value]) -> Option<Interface> {
        Some(Interface { name: text(identity.first())?, ..Interface::default() })
    }

    fn cells(item: &Interface, cells: &mut [Cell]) {
        let parts = |c: InterfaceCounters| {
            [
                c.received_bytes,
                c.sent_bytes,
                c.received_packets,
                c.sent_packets,
                c.received_errors,
                c.sent_errors,
                c.received_dropped,
                c.sent_dropped,
            ]
        };
        put(cells, 0, item.counters.map(parts));
        cells[8] = item.up.map_or(Cell::Null, |up| Cell::Int(i64::from(up)));
    }

    fn fill(item: &mut Interface, cells: &[Cell]) {
        item.counters = take(cells, 0).map(|parts: [u64; 8]| InterfaceCounters {
            received_bytes: parts[0],
            sent_bytes: parts[1],
            received_packets: parts[2],
            sent_packets: parts[3],
            received_errors: parts[4],
            sent_errors: parts[5],
            received_dropped: parts[6],
            sent_dropped: parts[7],
        });
        item.up = cells[8].int().map(|up| up != 0);
    }

    in_snapshot!(interfaces, Interface);
}

impl Kind for PeerKind {
    type Item = Peer;
    type Key = String;

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Peer,
        table: "peer_row",
        entity: Some("peer"),
        identity: &["address"],
        columns: &[gauge(0, "connections")],
        section: 1 << 4,
    };

    fn key(item: &Peer, _: u32) -> String {
        item.address.clone()
    }

    fn identity(item: &Peer, _: u32) -> Vec<Value> {
        vec![Value::Text(item.address.clone())]
    }

    fn item(identity: &[Value]) -> Option<Peer> {
        Some(Peer { address: text(identity.first())?, connections: 0 })
    }

    fn cells(item: &Peer, cells: &mut [Cell]) {
        cells[0] = Cell::Int(i64::from(item.connections));
    }

    fn fill(item: &mut Peer, cells: &[Cell]) {
        item.connections = cells[0].small().unwrap_or(0);
    }

    in_snapshot!(peers, Peer);
}

impl Kind for SocketKind {
    type Item = Socket;
    type Key = (String, String, u16, Option<u32>, u32);

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Socket,
        table: "socket_row",
        entity: Some("socket"),
        identity: &["protocol", "address", "port", "uid", "copy"],
        columns: &[
            gauge(0, "queue"),
            gauge(1, "backlog"),
            gauge(2, "unread_bytes"),
            gauge(3, "owner"),
            difference(4, "opened"),
        ],
        section: 1 << 5,
    };

    fn key(item: &Socket, copy: u32) -> Self::Key {
        (item.protocol.clone(), item.address.clone(), item.port, item.uid, copy)
    }

    fn identity(item: &Socket, copy: u32) -> Vec<Value> {
        vec![
            Value::Text(item.protocol.clone()),
            Value::Text(item.address.clone()),
            Value::Integer(i64::from(item.port)),
            item.uid.map_or(Value::Null, |uid| Value::Integer(i64::from(uid))),
            Value::Integer(i64::from(copy)),
        ]
    }

    fn item(identity: &[Value]) -> Option<Socket> {
        Some(Socket {
            protocol: text(identity.first())?,
            address: text(identity.get(1))?,
            port: number(identity.get(2))?,
            uid: number(identity.get(3)),
            ..Socket::default()
        })
    }

    fn cells(item: &Socket, cells: &mut [Cell]) {
        cells[0] = item.queue.map_or(Cell::Null, |queue| Cell::Int(i64::from(queue)));
        cells[1] = item.backlog.map_or(Cell::Null, |backlog| Cell::Int(i64::from(backlog)));
        cells[2] = item.unread_bytes.map_or(Cell::Null, Cell::unsigned);
        cells[3] = item.owner.map_or(Cell::Null, |pid| Cell::Int(i64::from(pid)));
        cells[4] = item.opened.map_or(Cell::Null, |opened| Cell::Int(i64::from(opened)));
    }

    fn fill(item: &mut Socket, cells: &[Cell]) {
        item.queue = cells[0].small();
        item.backlog = cells[1].small();
        item.unread_bytes = cells[2].count();
        item.owner = cells[3].small();
        item.opened = cells[4].int().map(|opened| opened != 0);
    }

    in_snapshot!(sockets, Socket);
}
