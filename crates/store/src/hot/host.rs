//! The machine as a whole in the log.

use rusqlite::types::Value;
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::reading::{CpuTimes, HostCounters, Load, Memory, Pressure, Stall, Swap};
use watchkeeper_core::snapshot::{Anomaly, Host, Remainder, RemainderReason, Watch};
use watchkeeper_core::{EntityKind, Snapshot};

use super::layout::{Cell, Column, Kind, Layout, difference, gauge, put, take};
use super::{anomaly, watch};

/// The parts of a snapshot that `host_sample` holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostItem {
    pub(crate) host: Host,
    pub(crate) not_attributed: Remainder,
    pub(crate) watch: Option<Watch>,
    pub(crate) anomaly: Option<Anomaly>,
}

pub(crate) struct HostKind;

const COLUMNS: &[Column] = &[
    gauge(0, "cpu_count"),
    difference(1, "user_us"),
    difference(1, "nice_us"),
    difference(1, "system_us"),
    difference(1, "idle_us"),
    difference(1, "iowait_us"),
    difference(1, "interrupt_us"),
    difference(1, "softirq_us"),
    difference(1, "steal_us"),
    gauge(2, "memory_total_bytes"),
    gauge(2, "memory_free_bytes"),
    gauge(2, "memory_available_bytes"),
    gauge(2, "memory_buffers_bytes"),
    gauge(2, "memory_cached_bytes"),
    gauge(2, "memory_shared_bytes"),
    gauge(2, "memory_slab_bytes"),
    gauge(2, "memory_dirty_bytes"),
    gauge(3, "swap_total_bytes"),
    gauge(3, "swap_free_bytes"),
    gauge(4, "load_1m"),
    gauge(4, "load_5m"),
    gauge(4, "load_15m"),
    gauge(5, "cpu_some_avg10"),
    gauge(5, "cpu_some_avg60"),
    difference(5, "cpu_some_us"),
    gauge(6, "memory_some_avg10"),
    gauge(6, "memory_some_avg60"),
    difference(6, "memory_some_us"),
    gauge(7, "memory_full_avg10"),
    gauge(7, "memory_full_avg60"),
    difference(7, "memory_full_us"),
    gauge(8, "io_some_avg10"),
    gauge(8, "io_some_avg60"),
    difference(8, "io_some_us"),
    gauge(9, "io_full_avg10"),
    gauge(9, "io_full_avg60"),
    difference(9, "io_full_us"),
    difference(10, "created"),
    difference(11, "context_switches"),
    difference(12, "interrupts"),
    difference(13, "minor_faults"),
    difference(14, "major_faults"),
    difference(15, "swapped_in_bytes"),
    difference(16, "swapped_out_bytes"),
    difference(17, "oom_kills"),
    gauge(18, "connections"),
    difference(19, "not_attributed_cpu_us"),
    difference(20, "not_attributed_read_bytes"),
    difference(21, "not_attributed_written_bytes"),
    difference(22, "not_attributed_received_bytes"),
    difference(23, "not_attributed_sent_bytes"),
    gauge(24, "not_attributed_reasons"),
    gauge(25, "watch_late_ms"),
    gauge(25, "watch_log_failing_ms"),
    gauge(25, "watch_state_failing_ms"),
    gauge(25, "watch_channel_failing_ms"),
    gauge(25, "watch_outbox_age_ms"),
    difference(26, "clock_step_ms"),
    gauge(27, "anomaly_score"),
    gauge(27, "anomaly_threshold"),
    gauge(27, "anomaly_confidence"),
    gauge(28, "oom_victim"),
];

const CPU: usize = 1;
const MEMORY: usize = 9;
const SWAP: usize = 17;
const LOAD: usize = 19;
const PRESSURE: usize = 22;
const COUNTERS: usize = 37;
const CONNECTIONS: usize = 45;
const REMAINDER: usize = 46;
const REASONS: usize = 51;
const WATCH: usize = 52;
const CLOCK_STEP: usize = 57;
const ANOMALY: usize = 58;
const OOM_VICTIM: usize = 61;

/// Bits of `not_attributed_reasons`, from bit 0.
const REASON_BITS: [RemainderReason; 5] = [
    RemainderReason::Interrupts,
    RemainderReason::Ended,
    RemainderReason::FirstLook,
    RemainderReason::Permission,
    RemainderReason::Kernel,
];

impl Kind for HostKind {
    type Item = HostItem;
    type Key = ();

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Host,
        table: "host_sample",
        entity: None,
        identity: &[],
        columns: COLUMNS,
        section: 0,
    };

    fn key(_: &HostItem, _: u32) -> Self::Key {}

    fn identity(_: &HostItem, _: u32) -> Vec<Value> {
        Vec::new()
    }

    fn item(_: &[Value]) -> Option<HostItem> {
        Some(HostItem::default())
    }

    fn reference(_: &HostItem) -> EntityRef<'_> {
        EntityRef::Host
    }

    fn cells(item: &HostItem, cells: &mut [Cell]) {
        let host = &item.host;
        cells[0] = small(host.cpu_count);
        put(cells, CPU, host.cpu.map(cpu_parts));
        put(cells, MEMORY, host.memory.map(memory_parts));
        put(cells, SWAP, host.swap.map(|swap| [swap.total_bytes, swap.free_bytes]));
        let load = host.load.map(|load| [load.one, load.five, load.fifteen]);
        for (index, cell) in cells[LOAD..PRESSURE].iter_mut().enumerate() {
            *cell = load.map_or(Cell::Null, |load| Cell::real(load[index]));
        }
        for (index, line) in pressure_lines(host.pressure.as_ref()).into_iter().enumerate() {
            let at = PRESSURE + index * 3;
            cells[at] = line.map_or(Cell::Null, |stall| Cell::real(stall.avg10));
            cells[at + 1] = line.map_or(Cell::Null, |stall| Cell::real(stall.avg60));
            cells[at + 2] = line.map_or(Cell::Null, |stall| Cell::unsigned(stall.total_us));
        }
        let counters = counter_parts(&host.counters);
        for (cell, counter) in cells[COUNTERS..CONNECTIONS].iter_mut().zip(counters) {
            *cell = counter.map_or(Cell::Null, Cell::unsigned);
        }
        cells[CONNECTIONS] = small(host.connections);
        let rest = &item.not_attributed;
        let parts = [rest.cpu_us, rest.read_bytes, rest.written_bytes, rest.received_bytes, rest.sent_bytes];
        for (cell, part) in cells[REMAINDER..REASONS].iter_mut().zip(parts) {
            *cell = part.map_or(Cell::Null, Cell::Int);
        }
        let bits = REASON_BITS.iter().enumerate().filter(|(_, reason)| rest.reasons.contains(reason));
        cells[REASONS] = Cell::Int(bits.map(|(bit, _)| 1_i64 << bit).sum());
        cells[OOM_VICTIM] = small(host.oom_victim);
        cells[CLOCK_STEP] = host.clock_step_ms.map_or(Cell::Null, Cell::Int);
        watch::cells(item.watch, &mut cells[WATCH..][..watch::COUNT]);
        anomaly::cells(item.anomaly, &mut cells[ANOMALY..][..anomaly::COUNT]);
    }

    fn fill(item: &mut HostItem, cells: &[Cell]) {
        let host = &mut item.host;
        host.cpu_count = cells[0].small();
        host.cpu = take(cells, CPU).map(cpu_times);
        host.memory = take(cells, MEMORY).map(memory);
        host.swap = take(cells, SWAP).map(|[total_bytes, free_bytes]| Swap { total_bytes, free_bytes });
        host.load = load(&cells[LOAD..PRESSURE]);
        let line = |index: usize| stall(&cells[PRESSURE + index * 3..]);
        let pressure = Pressure {
            cpu_some: line(0),
            memory_some: line(1),
            memory_full: line(2),
            io_some: line(3),
            io_full: line(4),
        };
        // Whether the file was readable at all is a bit of tick.sections.
        host.pressure = Some(pressure);
        let counter = |index: usize| cells[COUNTERS + index].count();
        host.counters = HostCounters {
            created: counter(0),
            context_switches: counter(1),
            interrupts: counter(2),
            minor_faults: counter(3),
            major_faults: counter(4),
            swapped_in_bytes: counter(5),
            swapped_out_bytes: counter(6),
            oom_kills: counter(7),
        };
        host.connections = cells[CONNECTIONS].small();
        host.clock_step_ms = cells[CLOCK_STEP].int();
        host.oom_victim = cells[OOM_VICTIM].small();
        let bits = cells[REASONS].int().unwrap_or(0);
        let reasons = REASON_BITS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        item.not_attributed = Remainder {
            cpu_us: cells[REMAINDER].int(),
            read_bytes: cells[REMAINDER + 1].int(),
            written_bytes: cells[REMAINDER + 2].int(),
            received_bytes: cells[REMAINDER + 3].int(),
            sent_bytes: cells[REMAINDER + 4].int(),
            reasons: reasons.map(|(_, reason)| *reason).collect(),
        };
        item.watch = watch::watch(&cells[WATCH..]);
        item.anomaly = anomaly::anomaly(&cells[ANOMALY..]);
    }

    fn lend(items: &mut Vec<HostItem>, snapshot: &mut Snapshot, _listed: bool) {
        if let Some(item) = items.first_mut() {
            snapshot.host = std::mem::take(&mut item.host);
            snapshot.not_attributed = std::mem::take(&mut item.not_attributed);
            snapshot.watch = item.watch.take();
            snapshot.anomaly = item.anomaly.take();
        }
    }

    fn take_back(items: &mut Vec<HostItem>, snapshot: &mut Snapshot) {
        if let Some(item) = items.first_mut() {
            item.host = std::mem::take(&mut snapshot.host);
            item.not_attributed = std::mem::take(&mut snapshot.not_attributed);
            item.watch = snapshot.watch.take();
            item.anomaly = snapshot.anomaly.take();
        }
    }
}

fn small(value: Option<u32>) -> Cell {
    value.map_or(Cell::Null, |value| Cell::Int(i64::from(value)))
}

/// The parts of CPU time in the order of the columns.
pub(super) fn cpu_parts(times: CpuTimes) -> [u64; 8] {
    [
        times.user_us,
        times.nice_us,
        times.system_us,
        times.idle_us,
        times.iowait_us,
        times.interrupt_us,
        times.softirq_us,
        times.steal_us,
    ]
}

/// CPU time out of its parts in the order of the columns.
pub(super) fn cpu_times(parts: [u64; 8]) -> CpuTimes {
    let [user_us, nice_us, system_us, idle_us, iowait_us, interrupt_us, softirq_us, steal_us] = parts;
    CpuTimes { user_us, nice_us, system_us, idle_us, iowait_us, interrupt_us, softirq_us, steal_us }
}

fn memory_parts(memory: Memory) -> [u64; 8] {
    [
        memory.total_bytes,
        memory.free_bytes,
        memory.available_bytes,
        memory.buffers_bytes,
        memory.cached_bytes,
        memory.shared_bytes,
        memory.slab_bytes,
        memory.dirty_bytes,
    ]
}

fn memory(parts: [u64; 8]) -> Memory {
    let [total_bytes, free_bytes, available_bytes, buffers_bytes, cached_bytes, shared_bytes, slab_bytes, dirty_bytes] =
        parts;
    Memory {
        total_bytes,
        free_bytes,
        available_bytes,
        buffers_bytes,
        cached_bytes,
        shared_bytes,
        slab_bytes,
        dirty_bytes,
    }
}

fn pressure_lines(pressure: Option<&Pressure>) -> [Option<Stall>; 5] {
    let Some(pressure) = pressure else { return [None; 5] };
    [pressure.cpu_some, pressure.memory_some, pressure.memory_full, pressure.io_some, pressure.io_full]
}

fn counter_parts(counters: &HostCounters) -> [Option<u64>; 8] {
    [
        counters.created,
        counters.context_switches,
        counters.interrupts,
        counters.minor_faults,
        counters.major_faults,
        counters.swapped_in_bytes,
        counters.swapped_out_bytes,
        counters.oom_kills,
    ]
}

fn load(cells: &[Cell]) -> Option<Load> {
    Some(Load { one: cells[0].number()?, five: cells[1].number()?, fifteen: cells[2].number()? })
}

fn stall(cells: &[Cell]) -> Option<Stall> {
    Some(Stall { avg10: cells[0].number()?, avg60: cells[1].number()?, total_us: cells[2].count()? })
}
