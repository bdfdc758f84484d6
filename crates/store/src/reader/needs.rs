//! Which columns a metric depends on, found by trying: a snapshot with everything known is asked, then one group of
//! columns after the other is made unknown. So a new metric of the catalogue needs no change here.

use std::sync::Arc;

use watchkeeper_core::catalogue::{self, EntityRef, Metric};
use watchkeeper_core::port::HistoryError;
use watchkeeper_core::process::Executable;
use watchkeeper_core::reading::{Check, Filesystem, Peer, Socket};
use watchkeeper_core::snapshot::{Cpu, Disk, Interface, Process};
use watchkeeper_core::{EntityKind, Image, ProcessState, Snapshot};

use rusqlite::types::Value;

use super::lane::Choice;
use super::lives::Images;
use super::replay::{Wanted, blank};
use crate::hot::check::CheckKind;
use crate::hot::encode::{LAYOUTS, PROCESSES};
use crate::hot::host::{HostItem, HostKind};
use crate::hot::layout::{Cell, Kind};
use crate::hot::parts::{CpuKind, DiskKind, FilesystemKind, InterfaceKind, PeerKind, SocketKind};
use crate::hot::process::{DIFFERENCE_GROUPS, ProcessKind};

/// The metric with a number for entities of this kind; those of processes serve programs too.
pub(super) fn numeric(name: &str, kind: EntityKind) -> Result<&'static Metric, HistoryError> {
    let found = catalogue::metric(name).filter(|metric| {
        let own = metric.entity_kind();
        metric.kind != catalogue::Kind::Label
            && (own == kind || (own == EntityKind::Process && kind == EntityKind::Program))
    });
    found.ok_or_else(|| HistoryError::NoSuchSeries { metric: name.to_owned(), kind })
}

/// What has to be read for a metric of entities of this kind.
pub(super) fn of(metric: &Metric, kind: EntityKind) -> Wanted {
    let mut lanes: [Option<Choice>; LAYOUTS.len()] = Default::default();
    let mut snapshot = blank();
    snapshot.interval_ms = 1_000;
    snapshot.at.mono_ms = 1_000_000;
    fill_host(&mut snapshot, u32::MAX);
    let mut process_groups = 0;
    let mut wants_processes = metric.entity_kind() == EntityKind::Process;
    if wants_processes {
        process_groups = groups::<ProcessKind>(&nobody(), |process| {
            Some(metric.value(&snapshot, EntityRef::Process(process))?.number()?.to_bits())
        });
    } else if metric.entity_kind() == EntityKind::Host {
        wants_processes = depends_on_list(metric, &mut snapshot);
        if wants_processes {
            process_groups = groups_of_list(metric, &mut snapshot);
            snapshot.processes = Some(Vec::new());
        }
    }
    if let Some((index, groups)) = part_groups(metric, &snapshot) {
        lanes[index] = Some(Choice { groups, only: None });
    }
    lanes[0] = Some(Choice { groups: host_groups(metric, &mut snapshot), only: None });
    if wants_processes {
        lanes[PROCESSES] = Some(Choice { groups: process_groups, only: None });
    }
    let is_event = metric.kind == catalogue::Kind::Event;
    let exits = wants_processes && (is_event || process_groups & DIFFERENCE_GROUPS != 0);
    let images = match kind {
        _ if depends_on_image(metric) => Images::Whole,
        EntityKind::Program => Images::Programs,
        _ => Images::No,
    };
    Wanted { lanes, images, exits }
}

/// Columns with values of which each differs from the next, so that no difference of two is zero.
fn full(count: usize) -> Vec<Cell> {
    (0..count).map(|index| Cell::Int(1_000_000 / (index as i64 + 1))).collect()
}

/// The groups without which an item answers something else; all if it does not answer when all is known.
fn groups<K: Kind>(item: &K::Item, ask: impl Fn(&K::Item) -> Option<u64>) -> u32 {
    let cells = full(K::LAYOUT.columns.len());
    let answer = |without: Option<u8>| {
        let mut cells = cells.clone();
        for (cell, column) in cells.iter_mut().zip(K::LAYOUT.columns) {
            if Some(column.group) == without {
                *cell = Cell::Null;
            }
        }
        let mut item = item.clone();
        K::fill(&mut item, &cells);
        ask(&item)
    };
    let Some(known) = answer(None) else { return u32::MAX };
    let all = K::LAYOUT.columns.iter().map(|column| column.group);
    all.filter(|group| answer(Some(*group)) != Some(known)).fold(0, |groups, group| groups | 1 << group)
}

fn part_groups(metric: &Metric, snapshot: &Snapshot) -> Option<(usize, u32)> {
    fn ask(metric: &Metric, snapshot: &Snapshot, item: EntityRef<'_>) -> Option<u64> {
        Some(metric.value(snapshot, item)?.number()?.to_bits())
    }
    let groups = match metric.entity_kind() {
        EntityKind::Cpu => groups::<CpuKind>(&Cpu::default(), |i| ask(metric, snapshot, EntityRef::Cpu(i))),
        EntityKind::Disk => groups::<DiskKind>(&Disk::default(), |i| ask(metric, snapshot, EntityRef::Disk(i))),
        EntityKind::Filesystem => {
            groups::<FilesystemKind>(&Filesystem::default(), |i| ask(metric, snapshot, EntityRef::Filesystem(i)))
        }
        EntityKind::Interface => {
            groups::<InterfaceKind>(&Interface::default(), |i| ask(metric, snapshot, EntityRef::Interface(i)))
        }
        EntityKind::Peer => groups::<PeerKind>(&Peer::default(), |i| ask(metric, snapshot, EntityRef::Peer(i))),
        EntityKind::Socket => groups::<SocketKind>(&Socket::default(), |i| ask(metric, snapshot, EntityRef::Socket(i))),
        EntityKind::Check => groups::<CheckKind>(&Check::default(), |i| ask(metric, snapshot, EntityRef::Check(i))),
        EntityKind::Host | EntityKind::Process | EntityKind::Program => return None,
    };
    let index = LAYOUTS.iter().position(|layout| layout.kind == metric.entity_kind())?;
    Some((index, groups))
}

/// A process of which nothing is known but who it is and what it runs: a service that began in the second before the
/// tick that is asked here.
fn nobody() -> Process {
    let identity =
        [Value::Text("00000000-0000-0000-0000-000000000000".to_owned()), Value::Integer(1), Value::Integer(99_950)];
    let mut process = ProcessKind::item(&identity).expect("a nil boot id can be read");
    let executable = Executable { inode: Some(1), deleted: true, ..Executable::default() };
    let unit = Some("a.service".to_owned());
    process.image = Arc::new(Image { executable: Some(executable), unit, ..Image::default() });
    process.parent = 1;
    process
}

/// Whether a number of processes depends on what they run or whose children they are.
fn depends_on_image(metric: &Metric) -> bool {
    if metric.entity_kind() != EntityKind::Process {
        return false;
    }
    let mut snapshot = blank();
    (snapshot.interval_ms, snapshot.at.mono_ms) = (1_000, 1_000_000);
    fill_host(&mut snapshot, u32::MAX);
    let known = known_process(ProcessState::Running);
    let bare = Process { image: Arc::default(), parent: 0, ..known.clone() };
    let ask = |process| metric.value(&snapshot, EntityRef::Process(process)).and_then(catalogue::Value::number);
    ask(&known) != ask(&bare)
}

fn known_process(state: ProcessState) -> Process {
    let mut process = nobody();
    ProcessKind::fill(&mut process, &full(ProcessKind::LAYOUT.columns.len()));
    process.state = Some(state);
    process
}

fn fill_host(snapshot: &mut Snapshot, groups: u32) {
    let mut cells = full(HostKind::LAYOUT.columns.len());
    for (cell, column) in cells.iter_mut().zip(HostKind::LAYOUT.columns) {
        if groups >> column.group & 1 == 0 {
            *cell = Cell::Null;
        }
    }
    let mut item = HostItem::default();
    HostKind::fill(&mut item, &cells);
    (snapshot.host, snapshot.not_attributed) = (item.host, item.not_attributed);
    (snapshot.watch, snapshot.anomaly) = (item.watch, item.anomaly);
}

/// The answers of a metric for an entity of which everything is known.
fn ask_any(metric: &Metric, snapshot: &Snapshot) -> Option<u64> {
    let (mut cpu, mut disk, mut filesystem) = (Cpu::default(), Disk::default(), Filesystem::default());
    let (mut interface, mut peer, mut socket) = (Interface::default(), Peer::default(), Socket::default());
    let mut check = Check::default();
    CpuKind::fill(&mut cpu, &full(CpuKind::LAYOUT.columns.len()));
    DiskKind::fill(&mut disk, &full(DiskKind::LAYOUT.columns.len()));
    FilesystemKind::fill(&mut filesystem, &full(FilesystemKind::LAYOUT.columns.len()));
    InterfaceKind::fill(&mut interface, &full(InterfaceKind::LAYOUT.columns.len()));
    PeerKind::fill(&mut peer, &full(PeerKind::LAYOUT.columns.len()));
    SocketKind::fill(&mut socket, &full(SocketKind::LAYOUT.columns.len()));
    CheckKind::fill(&mut check, &full(CheckKind::LAYOUT.columns.len()));
    let process = known_process(ProcessState::Running);
    let entity = match metric.entity_kind() {
        EntityKind::Cpu => EntityRef::Cpu(&cpu),
        EntityKind::Disk => EntityRef::Disk(&disk),
        EntityKind::Filesystem => EntityRef::Filesystem(&filesystem),
        EntityKind::Interface => EntityRef::Interface(&interface),
        EntityKind::Peer => EntityRef::Peer(&peer),
        EntityKind::Socket => EntityRef::Socket(&socket),
        EntityKind::Process => EntityRef::Process(&process),
        EntityKind::Check => EntityRef::Check(&check),
        EntityKind::Host | EntityKind::Program => EntityRef::Host,
    };
    Some(metric.value(snapshot, entity)?.number()?.to_bits())
}

fn host_groups(metric: &Metric, snapshot: &mut Snapshot) -> u32 {
    fill_host(snapshot, u32::MAX);
    let Some(known) = ask_any(metric, snapshot) else { return u32::MAX };
    let mut groups = 0;
    for column in HostKind::LAYOUT.columns {
        fill_host(snapshot, !(1 << column.group));
        if ask_any(metric, snapshot) != Some(known) {
            groups |= 1 << column.group;
        }
    }
    groups
}

fn depends_on_list(metric: &Metric, snapshot: &mut Snapshot) -> bool {
    snapshot.processes = None;
    let without = ask_any(metric, snapshot);
    snapshot.processes = Some(Vec::new());
    ask_any(metric, snapshot) != without
}

/// The groups of columns of listed processes that a metric of the host looks at.
fn groups_of_list(metric: &Metric, snapshot: &mut Snapshot) -> u32 {
    let mut groups = 0;
    for (state, _) in ProcessState::CODES {
        snapshot.processes = Some(vec![known_process(state)]);
        let known = ask_any(metric, snapshot);
        let count = ProcessKind::LAYOUT.columns.len();
        for without in 0..=ProcessKind::LAYOUT.columns.iter().map(|column| column.group).max().unwrap_or(0) {
            let mut cells = vec![Cell::Null; count];
            ProcessKind::cells(&known_process(state), &mut cells);
            for (cell, column) in cells.iter_mut().zip(ProcessKind::LAYOUT.columns) {
                if column.group == without {
                    *cell = Cell::Null;
                }
            }
            let mut process = nobody();
            ProcessKind::fill(&mut process, &cells);
            snapshot.processes = Some(vec![process]);
            if ask_any(metric, snapshot) != known {
                groups |= 1 << without;
            }
        }
    }
    groups
}
