//! Replays a stretch of a day file: tick by tick the rows become a snapshot again.

use std::ops::ControlFlow;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::{Connection, Rows};
use watchkeeper_core::snapshot::Process;
use watchkeeper_core::{Entity, EntityKind, Moment, Snapshot};

use super::file::{LogFile, TickRow};
use super::lane::{AnyLane, Choice, Lane};
use super::lives::{Images, Lives};
use crate::hot::check::CheckKind;
use crate::hot::encode::{LAYOUTS, PRESSURE_SECTION, PROCESSES};
use crate::hot::host::HostKind;
use crate::hot::layout::Cell;
use crate::hot::parts::{CpuKind, DiskKind, FilesystemKind, InterfaceKind, PeerKind, SocketKind};
use crate::hot::process::{EXIT_CELLS, EXIT_COLUMNS, ProcessKind, fill_last};

/// What a question needs to see.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// By the order of [`LAYOUTS`]; `None` is not read.
    pub(super) lanes: [Option<Choice>; LAYOUTS.len()],
    pub(super) images: Images,
    /// The last rows of processes that ended.
    pub(super) exits: bool,
}

impl Wanted {
    /// All that is stored of a tick.
    pub(super) fn everything() -> Self {
        let lane = Choice { groups: u32::MAX, only: None };
        Self { lanes: std::array::from_fn(|_| Some(lane.clone())), images: Images::Whole, exits: true }
    }
}

/// One tick of a replay.
pub(super) struct Frame<'a> {
    pub(super) tick: &'a TickRow,
    /// Only what was wanted is in it; the items are in no order.
    pub(super) snapshot: &'a Snapshot,
    /// Slots of the items of the kind that was asked for, in the order of the snapshot.
    pub(super) slots: &'a [u32],
    /// Slots of programs by the slots of processes.
    pub(super) programs: &'a [u32],
    pub(super) exits: &'a [ExitRow],
}

/// The last row of a process.
pub(super) struct ExitRow {
    pub(super) slot: u32,
    pub(super) ts_ms: i64,
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// The process with nothing but its last differences.
    pub(super) process: Process,
}

/// Who appeared in a replay.
#[derive(Debug, Default)]
pub(super) struct Cast {
    /// The entities of the kind that was asked for, by slot.
    pub(super) entities: Vec<Entity>,
    /// The numbers of processes in the file, by slot; empty for other kinds.
    pub(super) processes: Vec<i64>,
    /// Programs by slot.
    pub(super) programs: Vec<String>,
}

/// Shows every tick from `first` to `last` to `each`, oldest first.
pub(super) fn replay(
    file: &LogFile,
    bounds: (i64, i64),
    wanted: &Wanted,
    kind: EntityKind,
    mut each: impl FnMut(&Frame<'_>),
) -> rusqlite::Result<Cast> {
    replay_while(file, bounds, wanted, kind, |frame| {
        each(frame);
        ControlFlow::Continue(())
    })
}

/// The same until `each` has seen enough.
pub(super) fn replay_while(
    file: &LogFile,
    (first, last): (i64, i64),
    wanted: &Wanted,
    kind: EntityKind,
    mut each: impl FnMut(&Frame<'_>) -> ControlFlow<()>,
) -> rusqlite::Result<Cast> {
    let connection = &file.connection;
    let bounds = [file.key_before(first)?, last];
    let mut statements = Vec::new();
    for (index, choice) in wanted.lanes.iter().enumerate() {
        if let Some(choice) = choice {
            statements.push((index, choice, connection.prepare(&choice.sql(LAYOUTS[index]))?));
        }
    }
    let mut parts: Vec<Box<dyn AnyLane + '_>> = Vec::new();
    let mut processes = None;
    for (index, choice, statement) in &mut statements {
        let rows = statement.query(bounds)?;
        if *index == PROCESSES {
            processes = Some(Lane::<ProcessKind>::new(rows, choice)?);
        } else {
            parts.push(lane(*index, rows, choice)?);
        }
    }
    let mut stage = Stage {
        connection,
        parts,
        processes,
        lives: Lives::new(wanted.images),
        with_exits: wanted.exits,
        only: wanted.lanes[PROCESSES].as_ref().and_then(|choice| choice.only.as_deref()),
        snapshot: blank(),
        exits: Vec::new(),
    };

    let mut gone_statement =
        connection.prepare("SELECT tick, kind, entity FROM gone WHERE tick BETWEEN ? AND ? ORDER BY tick")?;
    let mut gone = Ahead::new(gone_statement.query(bounds)?)?;
    let exit_sql = format!(
        "SELECT tick, process, ts_ms, code, signal, {EXIT_COLUMNS} FROM exit WHERE tick BETWEEN ? AND ? ORDER BY tick"
    );
    let mut exit_statement = connection.prepare(&exit_sql)?;
    let mut ended = Ahead::new(exit_statement.query(bounds)?)?;
    let mut tick_statement = connection.prepare("SELECT * FROM tick WHERE id BETWEEN ? AND ? ORDER BY id")?;
    let mut ticks = tick_statement.query(bounds)?;
    while let Some(row) = ticks.next()? {
        let tick = file.tick(row)?;
        let gone = gone.take(tick.id, |row| Ok((row.get::<_, String>(1)?, row.get::<_, i64>(2)?)))?;
        let exits = ended.take(tick.id, exit)?;
        let is_shown = tick.id >= first;
        stage.step(&tick, &gone, exits, is_shown)?;
        if is_shown && stage.show(&tick, kind, &mut each).is_break() {
            break;
        }
    }
    stage.cast(kind)
}

/// A snapshot that knows nothing.
pub(super) fn blank() -> Snapshot {
    let at = Moment { ts_ms: 0, mono_ms: 0, suspended_ms: 0, boot: watchkeeper_core::BootId::default() };
    Snapshot::unknown(at, 0)
}

fn lane<'s>(index: usize, rows: Rows<'s>, choice: &Choice) -> rusqlite::Result<Box<dyn AnyLane + 's>> {
    Ok(match index {
        1 => Box::new(Lane::<CpuKind>::new(rows, choice)?),
        2 => Box::new(Lane::<DiskKind>::new(rows, choice)?),
        3 => Box::new(Lane::<FilesystemKind>::new(rows, choice)?),
        4 => Box::new(Lane::<InterfaceKind>::new(rows, choice)?),
        5 => Box::new(Lane::<PeerKind>::new(rows, choice)?),
        6 => Box::new(Lane::<SocketKind>::new(rows, choice)?),
        7 => Box::new(Lane::<CheckKind>::new(rows, choice)?),
        _ => Box::new(Lane::<HostKind>::new(rows, choice)?),
    })
}

/// An exit as it stands in the file: process, time, code, signal, last differences.
struct StoredExit {
    process: i64,
    ts_ms: i64,
    code: Option<i32>,
    signal: Option<i32>,
    cells: [Cell; EXIT_CELLS],
}

fn exit(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredExit> {
    let mut cells = [Cell::Null; EXIT_CELLS];
    for (index, cell) in cells.iter_mut().enumerate() {
        *cell = Cell::of(row, 5 + index)?;
    }
    Ok(StoredExit { process: row.get(1)?, ts_ms: row.get(2)?, code: row.get(3)?, signal: row.get(4)?, cells })
}

/// Rows in the order of ticks, taken tick by tick.
struct Ahead<'s> {
    rows: Rows<'s>,
    tick: Option<i64>,
}

impl<'s> Ahead<'s> {
    fn new(mut rows: Rows<'s>) -> rusqlite::Result<Self> {
        let tick = next_tick(&mut rows)?;
        Ok(Self { rows, tick })
    }

    fn take<T>(
        &mut self,
        tick: i64,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut taken = Vec::new();
        while let Some(row_tick) = self.tick.filter(|row_tick| *row_tick <= tick) {
            if row_tick == tick
                && let Some(row) = self.rows.get()
            {
                taken.push(read(row)?);
            }
            self.tick = next_tick(&mut self.rows)?;
        }
        Ok(taken)
    }
}

fn next_tick(rows: &mut Rows<'_>) -> rusqlite::Result<Option<i64>> {
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// Everything that is on at one tick.
struct Stage<'s> {
    connection: &'s Connection,
    parts: Vec<Box<dyn AnyLane + 's>>,
    processes: Option<Lane<'s, ProcessKind>>,
    lives: Lives,
    with_exits: bool,
    /// Only these processes, by their numbers in the file.
    only: Option<&'s [i64]>,
    snapshot: Snapshot,
    exits: Vec<ExitRow>,
}

impl Stage<'_> {
    fn step(
        &mut self,
        tick: &TickRow,
        gone: &[(String, i64)],
        exits: Vec<StoredExit>,
        is_shown: bool,
    ) -> rusqlite::Result<()> {
        for part in &mut self.parts {
            let word = part.kind().word();
            let gone: Vec<i64> = gone.iter().filter(|(kind, _)| kind == word).map(|(_, id)| *id).collect();
            part.step(self.connection, tick, &gone, is_shown)?;
        }
        let Some(lane) = &mut self.processes else { return Ok(()) };
        let word = EntityKind::Process.word();
        let mut ended: Vec<i64> = gone.iter().filter(|(kind, _)| kind == word).map(|(_, id)| *id).collect();
        ended.extend(exits.iter().map(|exit| exit.process));
        lane.step(self.connection, tick, &ended, is_shown)?;
        if !is_shown {
            return Ok(());
        }
        for slot in self.lives.advance(tick.id) {
            if let Some(process) = lane.item_mut(slot) {
                self.lives.dress(slot, process);
            }
        }
        for slot in std::mem::take(&mut lane.appeared) {
            if let Some((id, _)) = lane.named(slot) {
                self.lives.learn(self.connection, slot, *id, tick.id)?;
            }
            if let Some(process) = lane.item_mut(slot) {
                self.lives.dress(slot, process);
            }
        }
        self.exits.clear();
        if self.with_exits {
            for exit in exits {
                if self.only.is_some_and(|only| !only.contains(&exit.process)) {
                    continue;
                }
                let Some(slot) = lane.slot(self.connection, exit.process)? else { continue };
                self.lives.learn(self.connection, slot, exit.process, tick.id)?;
                let Some((_, process)) = lane.named(slot) else { continue };
                let mut process = process.clone();
                self.lives.dress(slot, &mut process);
                fill_last(&mut process, &exit.cells);
                let StoredExit { ts_ms, code, signal, .. } = exit;
                self.exits.push(ExitRow { slot, ts_ms, code, signal, process });
            }
        }
        Ok(())
    }

    fn show(
        &mut self,
        tick: &TickRow,
        kind: EntityKind,
        each: &mut impl FnMut(&Frame<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let snapshot = &mut self.snapshot;
        snapshot.at = tick.at;
        snapshot.interval_ms = tick.interval_ms;
        snapshot.flags = tick.flags;
        snapshot.dropped = tick.dropped;
        for part in &mut self.parts {
            part.lend(snapshot, tick);
        }
        if let Some(lane) = &mut self.processes {
            lane.lend(snapshot, tick);
        }
        if tick.sections & PRESSURE_SECTION == 0 {
            snapshot.host.pressure = None;
        } else {
            snapshot.host.pressure.get_or_insert_default();
        }
        let slots = match &self.processes {
            Some(lane) if kind == EntityKind::Process => lane.slots(),
            _ => self.parts.iter().find(|part| part.kind() == kind).map_or(&[][..], |part| part.slots()),
        };
        let programs = self.lives.programs();
        let flow = each(&Frame { tick, snapshot: &*snapshot, slots, programs, exits: &self.exits });
        for part in &mut self.parts {
            part.take_back(snapshot);
        }
        if let Some(lane) = &mut self.processes {
            lane.take_back(snapshot);
        }
        flow
    }

    fn cast(&self, kind: EntityKind) -> rusqlite::Result<Cast> {
        let mut cast = Cast { programs: self.lives.program_names(self.connection)?, ..Cast::default() };
        let lane: Option<&dyn AnyLane> = match &self.processes {
            Some(lane) if kind == EntityKind::Process => Some(lane),
            _ => self.parts.iter().find(|part| part.kind() == kind).map(|part| &**part as &dyn AnyLane),
        };
        if let Some(lane) = lane {
            cast.entities = (0..).map_while(|slot| lane.entity(slot)).collect();
        }
        if let Some(lane) = self.processes.as_ref().filter(|_| kind == EntityKind::Process) {
            cast.processes = (0..).map_while(|slot| lane.named(slot).map(|(id, _)| *id)).collect();
        }
        Ok(cast)
    }
}
