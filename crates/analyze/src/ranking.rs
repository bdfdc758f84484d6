//! Who did it: processes ranked by what explains a metric.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchkeeper_core::catalogue::{self, EntityRef, Metric, Value};
use watchkeeper_core::evidence::{Amount, Contributor, RankedBy};
use watchkeeper_core::snapshot::{Memory, Process};
use watchkeeper_core::{EntityKind, Image, ProcessKey, Unit};

use crate::killed::Holder;
use crate::programs::number;
use crate::ring::Ring;
use crate::watch::Tick;

/// What processes are ranked by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// A numeric metric of processes.
    pub(crate) metric: &'static Metric,
    whole: Whole,
}

/// What a share is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whole {
    /// The machine's CPU: the value is the share.
    Cpu,
    /// The machine's memory.
    Memory,
    /// The machine's memory, as it was before the kernel last killed for it.
    Killed,
    /// All that processes wrote in the last 15 minutes; the value is the mean over that time.
    Written,
    /// The sum over all processes.
    Sum,
    /// Nothing: the metric does not add up.
    Nothing,
}

/// A process in the order of a measure.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    pub(crate) key: ProcessKey,
    pub(crate) parent: u32,
    pub(crate) image: Arc<Image>,
    uid: Option<u32>,
    value: f64,
}

/// All processes in the order of a measure, at one tick.
pub(crate) struct Ranking {
    measure: Measure,
    /// Largest first; without those that contribute nothing.
    pub(crate) processes: Vec<Ranked>,
    /// What a share of 1 is; `None` if unknown.
    total: Option<f64>,
    /// What no process answers for.
    pub(crate) not_attributed: Option<Amount>,
}

const OOM_KILLS: &str = "system.linux.oom_kills";
const CPU: &str = "process.cpu.utilization";
const MEMORY: &str = "process.memory.usage";
const WRITTEN: &str = "process.disk.io.write";
const AGE: &str = "process.uptime";

/// What explains a metric: the first prefix that fits.
const EXPLAINED_BY: [(&str, &str); 15] = [
    ("system.memory.", MEMORY),
    ("system.paging.faults.", "process.paging.faults.major"),
    ("system.paging.", MEMORY),
    ("system.linux.pressure.memory.", MEMORY),
    ("process.memory.", MEMORY),
    ("system.filesystem.", WRITTEN),
    ("system.disk.", WRITTEN),
    ("system.linux.pressure.io.", WRITTEN),
    ("system.network.io.", "process.network.io"),
    ("system.network.packet.", "process.network.io"),
    ("process.cpu.", CPU),
    // Yes or no explains nothing.
    ("process.executable.", CPU),
    ("process.service.", CPU),
    ("process.window.", CPU),
    ("system.", CPU),
];

impl Measure {
    /// What explains a metric; of a metric of processes that is not about CPU or memory, the metric itself.
    pub(crate) fn of(metric: &'static Metric) -> Self {
        if metric.name == OOM_KILLS
            && let Some(memory) = Self::named(MEMORY)
        {
            return Self { whole: Whole::Killed, ..memory };
        }
        let explained = EXPLAINED_BY.iter().find(|(prefix, _)| metric.name.starts_with(prefix));
        match explained {
            Some((_, name)) => Self::named(name).unwrap_or_else(|| Self::of_itself(metric)),
            None if metric.entity_kind() == EntityKind::Process && metric.unit != Unit::Text => Self::of_itself(metric),
            None => Self::named(CPU).unwrap_or_else(|| Self::of_itself(metric)),
        }
    }

    /// What is always added up, because it stands in for everything else.
    pub(crate) fn always() -> impl Iterator<Item = Self> {
        [CPU, MEMORY].into_iter().filter_map(Self::named)
    }

    /// What names a culprit when nothing is known of this for any process: the CPU, unless the measure itself says
    /// where to look (who wrote, who holds memory), where another one would mislead.
    pub(crate) fn substitute(self) -> Option<Self> {
        (self.whole == Whole::Sum).then(|| Self::named(CPU)).flatten()
    }

    /// What stands in when the value of a process under its own measure is unknown: memory, at last the age, which
    /// is always known.
    pub(crate) fn stand_ins() -> impl Iterator<Item = Self> {
        [MEMORY, AGE].into_iter().filter_map(Self::named)
    }

    /// The memory of processes, which is known of all that live.
    pub(crate) fn memory() -> Option<Self> {
        Self::named(MEMORY)
    }

    fn named(name: &str) -> Option<Self> {
        let metric = catalogue::metric(name)?;
        let whole = match name {
            CPU => Whole::Cpu,
            MEMORY => Whole::Memory,
            WRITTEN => Whole::Written,
            _ => return Some(Self::of_itself(metric)),
        };
        Some(Self { metric, whole })
    }

    fn of_itself(metric: &'static Metric) -> Self {
        let whole = if metric.unit == Unit::Seconds { Whole::Nothing } else { Whole::Sum };
        Self { metric, whole }
    }

    /// What tells it from every other measure: the same metric can be looked at over different times.
    pub(crate) fn key(self) -> (&'static str, Whole) {
        (self.metric.name, self.whole)
    }

    /// As evidence says it.
    pub(crate) fn ranked_by(self) -> RankedBy {
        let whole = match self.whole {
            Whole::Cpu => "this machine's CPU".to_owned(),
            Whole::Memory => "this machine's memory".to_owned(),
            Whole::Killed => "this machine's memory before the kill".to_owned(),
            Whole::Written => "all bytes written by processes in the last 15 minutes".to_owned(),
            Whole::Sum | Whole::Nothing => format!("all {}", self.metric.help),
        };
        RankedBy { metric: self.metric.name.to_owned(), unit: self.metric.unit, whole }
    }
}

impl Ranking {
    pub(crate) fn new(measure: Measure, tick: &Tick<'_>, ring: &Ring) -> Self {
        let mut ranking = match measure.whole {
            Whole::Killed if !ring.killed.holders().is_empty() => return Self::of_killed(measure, tick, ring),
            Whole::Written => Self::of_writers(measure, ring),
            _ => Self::of_instant(measure, tick),
        };
        ranking.processes.sort_by(Ranked::largest_first);
        ranking
    }

    /// In the order of the ring: who was killed comes first, however much others hold.
    fn of_killed(measure: Measure, tick: &Tick<'_>, ring: &Ring) -> Self {
        let holders = ring.killed.holders().iter().cloned();
        let processes = holders.map(|Holder { key, parent, image, uid, resident_bytes }| Ranked {
            key,
            parent,
            image,
            uid,
            value: resident_bytes as f64,
        });
        let memory = tick.snapshot.host.memory.filter(|memory| memory.total_bytes > 0);
        let total = memory.map(|memory| memory.total_bytes as f64);
        Self { measure, processes: processes.collect(), total, not_attributed: None }
    }

    fn of_writers(measure: Measure, ring: &Ring) -> Self {
        let Some(writers) = ring.writers() else {
            return Self { measure, processes: Vec::new(), total: None, not_attributed: None };
        };
        let per_second = |bytes: f64| bytes * 1_000.0 / writers.covered_ms as f64;
        let processes = writers
            .all
            .into_iter()
            .map(|writer| Ranked {
                key: writer.key,
                parent: writer.parent,
                image: writer.image,
                uid: writer.uid,
                value: per_second(writer.written_bytes as f64),
            })
            .collect();
        // The whole is what processes wrote, so the rest is no share of it.
        let rest = |bytes: i64| Amount { value: per_second(bytes as f64), share: None };
        Self {
            measure,
            processes,
            total: Some(per_second(writers.written_bytes as f64)),
            not_attributed: writers.unattributed_bytes.map(rest),
        }
    }

    fn of_instant(measure: Measure, tick: &Tick<'_>) -> Self {
        let snapshot = tick.snapshot;
        let living = snapshot.processes.as_deref().unwrap_or_default();
        let ranked = |process: &Process| {
            let value = number(measure.metric, snapshot, process).filter(|value| *value > 0.0)?;
            Some(Ranked::new(process, value))
        };
        let processes: Vec<Ranked> = living.iter().chain(tick.ended).filter_map(ranked).collect();
        let sum = processes.iter().map(|process| process.value).sum::<f64>();
        let (total, not_attributed) = match measure.whole {
            Whole::Cpu => {
                let rest = catalogue::metric("system.cpu.not_attributed")
                    .and_then(|metric| metric.value(snapshot, EntityRef::Host))
                    .and_then(Value::number);
                (Some(1.0), rest.map(|share| Amount { value: share, share: Some(share) }))
            }
            Whole::Memory | Whole::Killed => {
                let memory = snapshot.host.memory.filter(|memory| memory.total_bytes > 0);
                // Pages that processes share count for each of them; where that hides the rest, it is unknown.
                let rest = |memory: Memory| {
                    let value = memory.used_bytes() as f64 - sum;
                    (value >= 0.0).then(|| Amount { value, share: Some(value / memory.total_bytes as f64) })
                };
                (memory.map(|memory| memory.total_bytes as f64), memory.and_then(rest))
            }
            Whole::Sum => (Some(sum), None),
            Whole::Written | Whole::Nothing => (None, None),
        };
        Self { measure, processes, total, not_attributed }
    }

    /// The processes of a program in this order, of equals those first that have the most siblings: one of a crowd says
    /// who started the crowd, one that was there before does not.
    pub(crate) fn of_program(&self, program: &str) -> Vec<&Ranked> {
        let mut found: Vec<&Ranked> = self.processes.iter().filter(|ranked| ranked.image.program == *program).collect();
        let mut siblings: BTreeMap<u32, usize> = BTreeMap::new();
        for ranked in &found {
            *siblings.entry(ranked.parent).or_default() += 1;
        }
        // Stable: what is equal in this, too, stays in the order of the ranking.
        found.sort_by(|a, b| {
            b.value.total_cmp(&a.value).then_with(|| siblings.get(&b.parent).cmp(&siblings.get(&a.parent)))
        });
        found
    }

    /// A living process in this order, wherever it stands; `None` if its value is unknown.
    pub(crate) fn place(&self, process: &Process, tick: &Tick<'_>) -> Option<Ranked> {
        if let Some(ranked) = self.processes.iter().find(|ranked| ranked.key == process.key) {
            return Some(ranked.clone());
        }
        number(self.measure.metric, tick.snapshot, process).map(|value| Ranked::new(process, value))
    }

    /// A process as evidence lists it.
    pub(crate) fn contributor(&self, ranked: &Ranked, tick: &Tick<'_>) -> Contributor {
        let share = self.total.filter(|total| *total > 0.0).map(|total| ranked.value / total);
        Contributor {
            key: ranked.key,
            name: ranked.image.name.clone(),
            program: ranked.image.program.clone(),
            uid: ranked.uid,
            user: None,
            command: ranked.image.command.as_ref().map(|command| command.text.clone()),
            started_ms: tick.snapshot.at.started_ms(ranked.key.start_ticks),
            amount: Amount { value: ranked.value, share },
        }
    }
}

impl Ranked {
    /// One that ended and contributes nothing any more.
    pub(crate) fn ended(key: ProcessKey, parent: u32, image: Arc<Image>, uid: Option<u32>) -> Self {
        Self { key, parent, image, uid, value: 0.0 }
    }

    /// The order of a ranking.
    pub(crate) fn largest_first(a: &Self, b: &Self) -> std::cmp::Ordering {
        b.value.total_cmp(&a.value).then(a.key.cmp(&b.key))
    }

    fn new(process: &Process, value: f64) -> Self {
        Self { key: process.key, parent: process.parent, image: process.image.clone(), uid: process.uid, value }
    }
}

#[cfg(test)]
mod tests;
