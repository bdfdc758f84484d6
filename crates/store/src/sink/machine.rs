//! The machine as a whole over one interval.

use watchkeeper_core::Snapshot;
use watchkeeper_core::reading::{CpuTimes, Load, Memory, Swap};
use watchkeeper_core::snapshot::{is_layered_disk, is_loopback};

use super::column::{BEFORE_HOST, Cell};
use super::sum::Sum;

/// The machine as a whole.
#[derive(Default)]
pub(super) struct Machine {
    cpu: CpuSum,
    disks: Sum<2>,
    interfaces: Sum<2>,
    /// Logical CPUs at the newest tick.
    pub(super) cpu_count: Option<u32>,
    memory: Option<Memory>,
    swap: Option<Swap>,
    load: Option<Load>,
    connections: Option<u32>,
    processes: Option<u64>,
}

/// CPU time of the machine where it was known, microseconds.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "the unit ends each of them")]
struct CpuSum {
    busy_us: u64,
    total_us: u64,
    not_attributed_us: i64,
    /// Time in which the remainder was known.
    attributed_us: u64,
}

impl Machine {
    /// Adds a tick.
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        let host = &snapshot.host;
        self.cpu.add(host.cpu, snapshot.not_attributed.cpu_us);
        self.disks.add(disk_bytes(snapshot), snapshot.interval_ms);
        self.interfaces.add(interface_bytes(snapshot), snapshot.interval_ms);
        (self.cpu_count, self.memory, self.swap) = (host.cpu_count, host.memory, host.swap);
        (self.load, self.connections) = (host.load, host.connections);
        self.processes = snapshot.processes.as_ref().map(|processes| processes.len() as u64);
    }

    /// The columns of the host.
    pub(super) fn cells(&self, cells: &mut Vec<Cell<'_>>, interval_ms: i64) {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let [read, written] = self.disks.per_second(interval_ms);
        let [received, sent] = self.interfaces.per_second(interval_ms);
        let attributed_us = self.cpu.attributed_us;
        let not_attributed = (attributed_us > 0).then(|| self.cpu.not_attributed_us as f64 / attributed_us as f64);
        let swap = self.swap.and_then(|swap| share(swap.total_bytes.saturating_sub(swap.free_bytes), swap.total_bytes));
        debug_assert_eq!(cells.len(), BEFORE_HOST);
        cells.extend([
            Cell::count(self.cpu_count.map(u64::from)),
            Cell::ratio(share(self.cpu.busy_us, self.cpu.total_us)),
            Cell::ratio(not_attributed),
            Cell::count(self.memory.map(|memory| memory.used_bytes())),
            Cell::ratio(self.memory.and_then(|memory| share(memory.used_bytes(), memory.total_bytes))),
            Cell::ratio(swap),
            Cell::ratio(self.load.map(|load| load.one)),
            Cell::amount(read),
            Cell::amount(written),
            Cell::amount(received),
            Cell::amount(sent),
            Cell::count(self.connections.map(u64::from)),
            Cell::count(self.processes),
        ]);
    }
}

impl CpuSum {
    fn add(&mut self, times: Option<CpuTimes>, not_attributed_us: Option<i64>) {
        let Some(times) = times else { return };
        self.busy_us = self.busy_us.saturating_add(times.busy_us());
        self.total_us = self.total_us.saturating_add(times.total_us());
        if let Some(remainder_us) = not_attributed_us {
            self.not_attributed_us = self.not_attributed_us.saturating_add(remainder_us);
            self.attributed_us = self.attributed_us.saturating_add(times.total_us());
        }
    }
}

/// Bytes read from and written to all disks; `None` if a part of them is unknown, or where there is none. Devices made of
/// others do not count: their bytes are the others' as well.
fn disk_bytes(snapshot: &Snapshot) -> Option<[u64; 2]> {
    let disks = snapshot.disks.iter().flatten().filter(|disk| !is_layered_disk(&disk.name));
    total(disks.map(|disk| disk.counters.map(|counters| [counters.read_bytes, counters.written_bytes])))
}

/// Bytes received and sent by all interfaces, loopback left out.
fn interface_bytes(snapshot: &Snapshot) -> Option<[u64; 2]> {
    let interfaces = snapshot.interfaces.iter().flatten().filter(|interface| !is_loopback(&interface.name));
    total(interfaces.map(|interface| interface.counters.map(|counters| [counters.received_bytes, counters.sent_bytes])))
}

fn total(parts: impl Iterator<Item = Option<[u64; 2]>>) -> Option<[u64; 2]> {
    let add = |sum: [u64; 2], part: [u64; 2]| [sum[0].saturating_add(part[0]), sum[1].saturating_add(part[1])];
    let mut sum = None;
    for part in parts {
        sum = Some(add(sum.unwrap_or_default(), part?));
    }
    sum
}
