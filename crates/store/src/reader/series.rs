//! One metric of one entity over time.

use std::path::Path;

use watchkeeper_core::catalogue::{EntityRef, Metric, Value, entities};
use watchkeeper_core::port::{HistoryError, Point};
use watchkeeper_core::{Entity, EntityKind, Range};

use super::file::LogFile;
use super::lane::numbers;
use super::lives::NO_PROGRAM;
use super::needs;
use super::replay::{Cast, Frame, Wanted, replay};
use super::tally::Tally;
use super::top::Sums;
use crate::hot::check::CheckKind;
use crate::hot::encode::LAYOUTS;
use crate::hot::parts::{CpuKind, DiskKind, FilesystemKind, InterfaceKind, PeerKind, SocketKind};
use crate::hot::process::ProcessKind;

/// The most points of one answer.
const MOST_POINTS: i64 = 1_000_000;

/// The most entities that are searched for one by one.
const MOST_NUMBERS: usize = 64;

/// Equal steps over a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    count: usize,
    step_ms: i64,
}

/// Divides a range; a step below 1 ms is the whole range.
pub(super) fn steps(folder: &Path, range: Range, step_ms: i64) -> Result<Steps, HistoryError> {
    let length_ms = range.to_ms.saturating_sub(range.from_ms).max(0);
    let step_ms = if step_ms < 1 { length_ms.max(1) } else { step_ms };
    let count = length_ms / step_ms + i64::from(length_ms % step_ms > 0);
    if count > MOST_POINTS {
        return Err(HistoryError::Read {
            path: folder.display().to_string(),
            reason: format!("{count} points are more than the {MOST_POINTS} of one answer; ask for longer steps"),
        });
    }
    Ok(Steps { count: count as usize, step_ms })
}

/// The points of a series.
pub(super) fn series(
    files: &[LogFile],
    metric: &Metric,
    entity: &Entity,
    range: Range,
    steps: Steps,
) -> Result<Vec<Point>, HistoryError> {
    let mut tallies = vec![Tally::default(); steps.count];
    for file in files {
        read(file, metric, entity, range, |ts_ms, value, interval_ms| {
            let step = (ts_ms - range.from_ms) / steps.step_ms;
            if let Some(tally) = tallies.get_mut(step as usize) {
                tally.add(value, interval_ms);
            }
        })
        .map_err(|error| file.failed(&error))?;
    }
    let points = tallies.iter().enumerate().map(|(step, tally)| Point {
        ts_ms: range.from_ms + step as i64 * steps.step_ms,
        mean: tally.mean(),
        max: tally.max(),
    });
    Ok(points.collect())
}

fn read(
    file: &LogFile,
    metric: &Metric,
    entity: &Entity,
    range: Range,
    mut each: impl FnMut(i64, f64, i64),
) -> rusqlite::Result<()> {
    let Some(bounds) = file.ticks_in(range)? else { return Ok(()) };
    let kind = entity.kind();
    let mut wanted = needs::of(metric, kind);
    if !narrow(file, entity, &mut wanted)? {
        return Ok(());
    }
    // Which programs there are is known at the end only: their values wait.
    let mut sums = Sums::default();
    let mut waiting: Vec<(u32, i64, f64, i64)> = Vec::new();
    let cast = replay(file, bounds, &wanted, metric.entity_kind(), |frame| {
        let at = frame.tick;
        if !range.contains(at.at.ts_ms) {
            return;
        }
        if kind == EntityKind::Program {
            add_programs(frame, metric, &mut sums);
            let known = sums.drain().filter_map(|(slot, value)| Some((slot, value?)));
            waiting.extend(known.map(|(slot, value)| (slot, at.at.ts_ms, value, at.interval_ms)));
        } else if let Some(value) = value_of(frame, metric, entity) {
            each(at.at.ts_ms, value, at.interval_ms);
        }
    })?;
    if let Some(program) = program_slot(&cast, entity) {
        for (_, ts_ms, value, interval_ms) in waiting.into_iter().filter(|(slot, ..)| *slot == program) {
            each(ts_ms, value, interval_ms);
        }
    }
    Ok(())
}

fn program_slot(cast: &Cast, entity: &Entity) -> Option<u32> {
    let Entity::Program(name) = entity else { return None };
    cast.programs.iter().position(|program| program == name).map(|slot| slot as u32)
}

/// Reads only the rows of the entity. Says no if the file does not name it.
fn narrow(file: &LogFile, entity: &Entity, wanted: &mut Wanted) -> rusqlite::Result<bool> {
    let connection = &file.connection;
    let mut kind = entity.kind();
    let only = match kind {
        EntityKind::Host => return Ok(true),
        EntityKind::Cpu => numbers::<CpuKind>(connection, entity)?,
        EntityKind::Disk => numbers::<DiskKind>(connection, entity)?,
        EntityKind::Filesystem => numbers::<FilesystemKind>(connection, entity)?,
        EntityKind::Interface => numbers::<InterfaceKind>(connection, entity)?,
        EntityKind::Peer => numbers::<PeerKind>(connection, entity)?,
        EntityKind::Socket => numbers::<SocketKind>(connection, entity)?,
        EntityKind::Check => numbers::<CheckKind>(connection, entity)?,
        EntityKind::Process => numbers::<ProcessKind>(connection, entity)?,
        EntityKind::Program => {
            kind = EntityKind::Process;
            processes_of(file, &entity.name())?
        }
    };
    let is_known = !only.is_empty();
    // A long list of numbers would cost more than it saves.
    let is_short = only.len() <= MOST_NUMBERS;
    let lane = LAYOUTS.iter().position(|layout| layout.kind == kind);
    if let Some(choice) = lane.and_then(|index| wanted.lanes[index].as_mut()).filter(|_| is_short) {
        choice.only = Some(only);
    }
    Ok(is_known)
}

fn processes_of(file: &LogFile, program: &str) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT DISTINCT process FROM image WHERE program = (SELECT id FROM program WHERE name = ?)";
    let mut statement = file.connection.prepare(sql)?;
    statement.query_map([program], |row| row.get(0))?.collect()
}

/// The value of the entity, which may not be the only one that was read.
fn value_of(frame: &Frame<'_>, metric: &Metric, entity: &Entity) -> Option<f64> {
    let value = |item| metric.value(frame.snapshot, item).and_then(Value::number);
    let own = |item: &EntityRef<'_>| frame.slots.len() <= 1 || item.entity() == *entity;
    let listed = entities(frame.snapshot, metric.entity_kind()).into_iter().filter(own).find_map(value);
    // What a process did between the last look at it and its end belongs to it too.
    listed.or_else(|| frame.exits.iter().find_map(|exit| value(EntityRef::Process(&exit.process))))
}

fn add_programs(frame: &Frame<'_>, metric: &Metric, sums: &mut Sums) {
    let value = |item| metric.value(frame.snapshot, item).and_then(Value::number);
    let items = entities(frame.snapshot, metric.entity_kind()).into_iter().zip(frame.slots.iter().copied());
    let ended = frame.exits.iter().map(|exit| (EntityRef::Process(&exit.process), exit.slot));
    for (item, slot) in items.chain(ended) {
        if let Some(program) = frame.programs.get(slot as usize).filter(|program| **program != NO_PROGRAM) {
            sums.add(*program, value(item));
        }
    }
}
