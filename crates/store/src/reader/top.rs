//! Who did most over a range.

use std::cmp::Ordering;
use std::collections::HashMap;

use watchkeeper_core::catalogue::{EntityRef, Metric, entities};
use watchkeeper_core::port::{HistoryError, Ranked};
use watchkeeper_core::{Entity, EntityKind, Image, Range};

use super::file::LogFile;
use super::lives::{NO_PROGRAM, image_at};
use super::needs;
use super::replay::{Cast, Frame, replay};
use super::tally::Tally;

/// What one entity amounts to.
#[derive(Clone, Debug, Default)]
struct Amount {
    tally: Tally,
    /// Time and ticks in which it was there and its value was unknown.
    unknown_ms: i64,
    unknown_ticks: u64,
    seen: Option<Range>,
}

/// The amounts in one file, by slot.
#[derive(Default)]
struct Amounts {
    by_slot: Vec<Amount>,
    covered_ms: i64,
    ticks: u64,
}

/// The entities with the largest means, largest first.
pub(super) fn top(
    files: &[LogFile],
    range: Range,
    metric: &Metric,
    kind: EntityKind,
    count: usize,
) -> Result<Vec<Ranked>, HistoryError> {
    let wanted = needs::of(metric, kind);
    let mut all: HashMap<Entity, (Amount, Option<(usize, i64)>)> = HashMap::new();
    let (mut covered_ms, mut ticks) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        let Some(bounds) = file.ticks_in(range).map_err(|error| file.failed(&error))? else { continue };
        let mut amounts = Amounts::default();
        let mut sums = Sums::default();
        let cast = replay(file, bounds, &wanted, metric.entity_kind(), |frame| {
            if range.contains(frame.tick.at.ts_ms) {
                amounts.add(frame, metric, kind, &mut sums);
            }
        })
        .map_err(|error| file.failed(&error))?;
        covered_ms += amounts.covered_ms;
        ticks += amounts.ticks;
        for (slot, amount) in amounts.by_slot.into_iter().enumerate() {
            let Some(entity) = entity(&cast, kind, slot).filter(|_| amount.seen.is_some()) else { continue };
            let process = cast.processes.get(slot).filter(|_| kind == EntityKind::Process).map(|id| (index, *id));
            let (known, last) = all.entry(entity).or_default();
            known.join(&amount);
            *last = process.or(*last);
        }
    }
    let mut ranked: Vec<(Ranked, Option<(usize, i64)>)> = all
        .into_iter()
        .filter_map(|(entity, (amount, process))| Some((amount.ranked(entity, covered_ms, ticks)?, process)))
        .collect();
    ranked.sort_by(|(a, _), (b, _)| order(a, b));
    ranked.truncate(count);
    ranked.into_iter().map(|(ranked, process)| Ok(Ranked { image: image(files, process)?, ..ranked })).collect()
}

fn entity(cast: &Cast, kind: EntityKind, slot: usize) -> Option<Entity> {
    match kind {
        EntityKind::Program => cast.programs.get(slot).cloned().map(Entity::Program),
        EntityKind::Host => Some(Entity::Host),
        _ => cast.entities.get(slot).cloned(),
    }
}

fn order(a: &Ranked, b: &Ranked) -> Ordering {
    b.mean.total_cmp(&a.mean).then_with(|| b.max.total_cmp(&a.max)).then_with(|| a.entity.cmp(&b.entity))
}

fn image(files: &[LogFile], process: Option<(usize, i64)>) -> Result<Option<Image>, HistoryError> {
    let Some((index, id)) = process else { return Ok(None) };
    let file = &files[index];
    image_at(&file.connection, id, i64::MAX).map_err(|error| file.failed(&error))
}

/// The value of a program in one tick.
#[derive(Clone, Copy, Default)]
struct Sum {
    is_there: bool,
    value: Option<f64>,
}

/// The values of programs in one tick.
#[derive(Default)]
pub(super) struct Sums {
    by_slot: Vec<Sum>,
    touched: Vec<u32>,
}

impl Sums {
    /// Adds the value of a process of the program; what is unknown is left out while another is known.
    pub(super) fn add(&mut self, slot: u32, value: Option<f64>) {
        let index = slot as usize;
        if self.by_slot.len() <= index {
            self.by_slot.resize(index + 1, Sum::default());
        }
        let sum = &mut self.by_slot[index];
        if sum.is_there {
            sum.value = sum.value.map_or(value, |sum| Some(sum + value.unwrap_or(0.0)));
        } else {
            *sum = Sum { is_there: true, value };
            self.touched.push(slot);
        }
    }

    /// All programs that were there with their values.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u32, Option<f64>)> {
        let by_slot = &mut self.by_slot;
        self.touched.drain(..).map(|slot| (slot, std::mem::take(&mut by_slot[slot as usize]).value))
    }
}

impl Amounts {
    fn add(&mut self, frame: &Frame<'_>, metric: &Metric, kind: EntityKind, sums: &mut Sums) {
        let interval_ms = frame.tick.interval_ms.max(0);
        self.covered_ms += interval_ms;
        self.ticks += 1;
        let value = |item| metric.value(frame.snapshot, item).and_then(watchkeeper_core::catalogue::Value::number);
        let items = entities(frame.snapshot, metric.entity_kind());
        let program = |slot: u32| frame.programs.get(slot as usize).copied().filter(|slot| *slot != NO_PROGRAM);
        for (item, slot) in items.into_iter().zip(frame.slots) {
            if kind != EntityKind::Program {
                self.note(*slot, value(item), frame);
            } else if let Some(program) = program(*slot) {
                sums.add(program, value(item));
            }
        }
        for exit in frame.exits {
            let Some(value) = value(EntityRef::Process(&exit.process)) else { continue };
            if kind == EntityKind::Program {
                if let Some(program) = program(exit.slot) {
                    sums.add(program, Some(value));
                }
            } else if kind == EntityKind::Process {
                self.note(exit.slot, Some(value), frame);
            }
        }
        for (slot, value) in sums.drain() {
            self.note(slot, value, frame);
        }
    }

    fn note(&mut self, slot: u32, value: Option<f64>, frame: &Frame<'_>) {
        let index = slot as usize;
        if self.by_slot.len() <= index {
            self.by_slot.resize(index + 1, Amount::default());
        }
        let amount = &mut self.by_slot[index];
        let ts_ms = frame.tick.at.ts_ms;
        if let Some(value) = value {
            amount.tally.add(value, frame.tick.interval_ms);
        } else {
            amount.unknown_ms += frame.tick.interval_ms.max(0);
            amount.unknown_ticks += 1;
        }
        let seen = amount.seen.get_or_insert(Range::new(ts_ms, ts_ms));
        seen.from_ms = seen.from_ms.min(ts_ms);
        seen.to_ms = seen.to_ms.max(ts_ms);
    }
}

impl Amount {
    fn join(&mut self, other: &Self) {
        self.tally.join(&other.tally);
        self.unknown_ms += other.unknown_ms;
        self.unknown_ticks += other.unknown_ticks;
        self.seen = match (self.seen, other.seen) {
            (Some(a), Some(b)) => Some(Range::new(a.from_ms.min(b.from_ms), a.to_ms.max(b.to_ms))),
            (a, b) => a.or(b),
        };
    }

    /// Its place in the order; `None` if it never had a value.
    fn ranked(&self, entity: Entity, covered_ms: i64, ticks: u64) -> Option<Ranked> {
        let mean = self.tally.mean_over(covered_ms - self.unknown_ms, ticks - self.unknown_ticks)?;
        Some(Ranked { entity, image: None, mean, max: self.tally.max()?, seen: self.seen? })
    }
}
