//! Processes in the log.

use std::sync::Arc;

use rusqlite::types::Value;
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::reading::{ProcessCpu, ProcessFaults, ProcessIo, ProcessMemory, ProcessNetwork};
use watchkeeper_core::snapshot::{Exited, Process};
use watchkeeper_core::{BootId, EntityKind, Image, ProcessKey, ProcessState, Snapshot};

use super::layout::{Cell, Column, Form, Kind, Layout, difference, gauge, gauge_as, number, put, take, text};

pub(crate) struct ProcessKind;

/// Bit of `tick.sections`.
pub(crate) const SECTION: u32 = 1 << 6;

const COLUMNS: &[Column] = &[
    gauge_as(Form::State, 0, "state"),
    gauge(1, "threads"),
    difference(2, "cpu_us"),
    difference(2, "cpu_user_us"),
    gauge_as(Form::Pages, 3, "resident_pages"),
    gauge_as(Form::Pages, 3, "virtual_pages"),
    difference(4, "minor_faults"),
    difference(4, "major_faults"),
    difference(5, "read_bytes"),
    difference(5, "written_bytes"),
    difference(6, "received_bytes"),
    difference(6, "sent_bytes"),
    gauge(7, "descriptors"),
];

/// Groups that hold differences; the exit row of a process has them too.
pub(crate) const DIFFERENCE_GROUPS: u32 = 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6;

impl Kind for ProcessKind {
    type Item = Process;
    type Key = ProcessKey;

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Process,
        table: "process_row",
        entity: Some("process"),
        identity: &["boot", "pid", "start_ticks"],
        columns: COLUMNS,
        section: SECTION,
    };

    fn key(item: &Process, _: u32) -> ProcessKey {
        item.key
    }

    fn identity(item: &Process, _: u32) -> Vec<Value> {
        identity(&item.key)
    }

    fn item(identity: &[Value]) -> Option<Process> {
        let key = ProcessKey {
            boot: BootId(text(identity.first())?.parse().ok()?),
            pid: number(identity.get(1))?,
            start_ticks: number(identity.get(2))?,
        };
        Some(Process::unknown(key, 0, Arc::new(Image::default())))
    }

    fn reference(item: &Process) -> EntityRef<'_> {
        EntityRef::Process(item)
    }

    fn cells(item: &Process, cells: &mut [Cell]) {
        cells[0] = item.state.map_or(Cell::Null, |state| Cell::Letter(state.code() as u8));
        cells[1] = item.threads.map_or(Cell::Null, |threads| Cell::Int(i64::from(threads)));
        put(cells, 2, item.cpu.map(|cpu| [cpu.total_us, cpu.user_us]));
        put(cells, 4, item.memory.map(|memory| [memory.resident_bytes, memory.virtual_bytes]));
        put(cells, 6, item.faults.map(|faults| [faults.minor, faults.major]));
        put(cells, 8, item.io.map(|io| [io.read_bytes, io.written_bytes]));
        put(cells, 10, item.network.map(|network| [network.received_bytes, network.sent_bytes]));
        cells[12] = item.descriptors.map_or(Cell::Null, |descriptors| Cell::Int(i64::from(descriptors)));
    }

    fn fill(item: &mut Process, cells: &[Cell]) {
        item.state = match cells[0] {
            Cell::Letter(letter) => Some(ProcessState::from_code(char::from(letter))),
            _ => None,
        };
        item.threads = cells[1].small();
        item.cpu = take(cells, 2).map(|[total_us, user_us]| ProcessCpu { total_us, user_us });
        item.memory =
            take(cells, 4).map(|[resident_bytes, virtual_bytes]| ProcessMemory { resident_bytes, virtual_bytes });
        item.faults = take(cells, 6).map(|[minor, major]| ProcessFaults { minor, major });
        item.io = take(cells, 8).map(|[read_bytes, written_bytes]| ProcessIo { read_bytes, written_bytes });
        item.network =
            take(cells, 10).map(|[received_bytes, sent_bytes]| ProcessNetwork { received_bytes, sent_bytes });
        item.descriptors = cells[12].small();
    }

    fn lend(items: &mut Vec<Process>, snapshot: &mut Snapshot, listed: bool) {
        snapshot.processes = listed.then(|| std::mem::take(items));
    }

    fn take_back(items: &mut Vec<Process>, snapshot: &mut Snapshot) {
        if let Some(lent) = snapshot.processes.take() {
            *items = lent;
        }
    }
}

/// The identity columns of a process; the boot as text.
pub(super) fn identity(key: &ProcessKey) -> Vec<Value> {
    vec![
        Value::Text(key.boot.to_string()),
        Value::Integer(i64::from(key.pid)),
        Value::Integer(i64::try_from(key.start_ticks).unwrap_or(i64::MAX)),
    ]
}

/// Columns of `exit` that hold the last differences, in their order.
pub(crate) const EXIT_COLUMNS: &str =
    "cpu_us, cpu_user_us, minor_faults, major_faults, read_bytes, written_bytes, received_bytes, sent_bytes";
/// How many there are.
pub(crate) const EXIT_CELLS: usize = 8;

/// The last differences of a process that ended.
pub(crate) fn exit_cells(exited: &Exited) -> [Cell; EXIT_CELLS] {
    let mut cells = [Cell::Null; EXIT_CELLS];
    put(&mut cells, 0, exited.cpu.map(|cpu| [cpu.total_us, cpu.user_us]));
    put(&mut cells, 2, exited.faults.map(|faults| [faults.minor, faults.major]));
    put(&mut cells, 4, exited.io.map(|io| [io.read_bytes, io.written_bytes]));
    put(&mut cells, 6, exited.network.map(|network| [network.received_bytes, network.sent_bytes]));
    cells
}

/// Puts the last differences into a process.
pub(crate) fn fill_last(process: &mut Process, cells: &[Cell; EXIT_CELLS]) {
    process.cpu = take(cells, 0).map(|[total_us, user_us]| ProcessCpu { total_us, user_us });
    process.faults = take(cells, 2).map(|[minor, major]| ProcessFaults { minor, major });
    process.io = take(cells, 4).map(|[read_bytes, written_bytes]| ProcessIo { read_bytes, written_bytes });
    process.network = take(cells, 6).map(|[received_bytes, sent_bytes]| ProcessNetwork { received_bytes, sent_bytes });
}
