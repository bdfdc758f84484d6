//! What programs did in the last minutes: sums over a minute each, in bounded memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use watchkeeper_core::catalogue::Metric;
use watchkeeper_core::evidence::{ProgramChange, TOP};
use watchkeeper_core::snapshot::Process;
use watchkeeper_core::{Image, ProcessKey};

use crate::killed::Killed;
use crate::programs::number;
use crate::watch::Tick;

const MINUTE_MS: i64 = 60_000;
/// Observed time that "the last 15 minutes" covers.
const WINDOW_MS: i64 = 15 * MINUTE_MS;
/// A minute that has only begun says too little to be "now" by itself.
const LEAST_NOW_MS: i64 = 30_000;
/// Programs, and processes that write, kept for a minute; the largest are.
const KEPT: usize = 2_000;
/// Changes below this part of the largest one are not worth naming.
const WORTH_NAMING: f64 = 0.01;

/// The minutes, oldest first; a minute is as long as its ticks, so longer where they are.
pub(crate) struct Ring {
    /// What is added up.
    columns: Vec<&'static Metric>,
    minutes: VecDeque<Minute>,
    /// Who held memory when the kernel last killed for it.
    pub(crate) killed: Killed,
}

#[derive(Default)]
struct Minute {
    /// Observed time, monotonic milliseconds.
    covered_ms: i64,
    /// For each program and column the value multiplied by milliseconds.
    programs: BTreeMap<String, Vec<f64>>,
    /// Processes that wrote to disks.
    writers: BTreeMap<ProcessKey, Writer>,
    /// Bytes written by all processes, also those that are not kept.
    written_bytes: u64,
    /// Bytes written that belong to no process; `None` if some tick could not say.
    unattributed_bytes: Option<i64>,
}

/// A process that wrote to disks, also if it has ended since.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) key: ProcessKey,
    pub(crate) parent: u32,
    pub(crate) image: Arc<Image>,
    pub(crate) uid: Option<u32>,
    /// In the time that was asked for.
    pub(crate) written_bytes: u64,
}

/// Who wrote in the last 15 minutes.
#[derive(Debug)]
pub(crate) struct Writers {
    /// By key.
    pub(crate) all: Vec<Writer>,
    /// Observed time, monotonic milliseconds; more than 0.
    pub(crate) covered_ms: i64,
    /// Bytes written by all processes, also those that are not listed.
    pub(crate) written_bytes: u64,
    /// Bytes written that belong to no process, if known; signed.
    pub(crate) unattributed_bytes: Option<i64>,
}

impl Ring {
    pub(crate) fn new(columns: Vec<&'static Metric>) -> Self {
        Self { columns, minutes: VecDeque::new(), killed: Killed::default() }
    }

    /// Adds up other columns from now on; what is known of the columns that stay is kept.
    pub(crate) fn set_columns(&mut self, columns: Vec<&'static Metric>) {
        let from: Vec<Option<usize>> = columns.iter().map(|metric| self.column(metric)).collect();
        if from.iter().any(Option::is_none) {
            // Minutes that lack a column would read as minutes in which nothing happened.
            self.minutes.clear();
        }
        for minute in &mut self.minutes {
            for sums in minute.programs.values_mut() {
                *sums = from.iter().map(|place| place.map_or(0.0, |place| sums[place])).collect();
            }
        }
        self.columns = columns;
    }

    fn column(&self, metric: &Metric) -> Option<usize> {
        self.columns.iter().position(|column| column.name == metric.name)
    }

    /// Adds a tick.
    pub(crate) fn record(&mut self, tick: &Tick<'_>) {
        self.killed.record(tick);
        let interval_ms = tick.snapshot.interval_ms;
        if interval_ms <= 0 {
            return;
        }
        if self.minutes.back().is_none_or(|minute| minute.covered_ms >= MINUTE_MS) {
            if let Some(finished) = self.minutes.back_mut() {
                finished.trim(KEPT);
            }
            self.minutes.push_back(Minute { unattributed_bytes: Some(0), ..Minute::default() });
            self.drop_old();
        }
        let Some(minute) = self.minutes.back_mut() else { return };
        minute.covered_ms += interval_ms;
        minute.add_programs(&self.columns, tick);
        minute.add_writers(tick);
        // A storm of new programs must not fill the memory before the minute is over.
        if minute.programs.len().max(minute.writers.len()) > 2 * KEPT {
            minute.trim(KEPT);
        }
    }

    /// Drops minutes that are neither now nor one of the 15 minutes before.
    fn drop_old(&mut self) {
        let mut newer_ms: i64 = self.minutes.iter().map(|minute| minute.covered_ms).sum();
        while let Some(oldest) = self.minutes.front() {
            newer_ms -= oldest.covered_ms;
            if newer_ms < WINDOW_MS + MINUTE_MS {
                break;
            }
            self.minutes.pop_front();
        }
    }

    /// Who wrote to disks in the last 15 minutes; `None` before the first tick.
    pub(crate) fn writers(&self) -> Option<Writers> {
        let mut all: BTreeMap<ProcessKey, Writer> = BTreeMap::new();
        let mut found = Writers { all: Vec::new(), covered_ms: 0, written_bytes: 0, unattributed_bytes: Some(0) };
        for minute in self.minutes.iter().rev() {
            if found.covered_ms >= WINDOW_MS {
                break;
            }
            found.covered_ms += minute.covered_ms;
            found.written_bytes += minute.written_bytes;
            found.unattributed_bytes = found.unattributed_bytes.zip(minute.unattributed_bytes).map(|(a, b)| a + b);
            for (key, writer) in &minute.writers {
                all.entry(*key)
                    .and_modify(|newer| newer.written_bytes += writer.written_bytes)
                    .or_insert_with(|| writer.clone());
            }
        }
        found.all = all.into_values().collect();
        (found.covered_ms > 0).then_some(found)
    }

    /// How programs changed in the last minute against the 15 before, in the unit of the metric: those that changed
    /// most, largest rise first. Empty before there is something to compare with.
    pub(crate) fn changes(&self, metric: &Metric) -> Vec<ProgramChange> {
        let Some(column) = self.column(metric) else { return Vec::new() };
        let mut newest_first = self.minutes.iter().rev();
        let now = Stretch::take(&mut newest_first, LEAST_NOW_MS, column);
        let before = Stretch::take(&mut newest_first, WINDOW_MS, column);
        if before.covered_ms == 0 {
            return Vec::new();
        }
        let names: std::collections::BTreeSet<&str> = now.sums.keys().chain(before.sums.keys()).copied().collect();
        let mut changes: Vec<(f64, ProgramChange)> = names
            .into_iter()
            .map(|program| {
                let (now, before) = (now.mean(program).unwrap_or(0.0), before.mean(program));
                let rise = now - before.unwrap_or(0.0);
                (rise, ProgramChange { program: program.to_owned(), now, before })
            })
            .collect();
        let largest = changes.iter().map(|(rise, _)| rise.abs()).fold(0.0, f64::max);
        changes.retain(|(rise, _)| *rise != 0.0 && rise.abs() >= largest * WORTH_NAMING);
        changes.sort_by(|(a, _), (b, _)| b.abs().total_cmp(&a.abs()));
        changes.truncate(TOP);
        changes.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        changes.into_iter().map(|(_, change)| change).collect()
    }
}

/// Some minutes of one column, added up.
struct Stretch<'a> {
    covered_ms: i64,
    sums: BTreeMap<&'a str, f64>,
}

impl<'a> Stretch<'a> {
    /// The next minutes until so much time is covered.
    fn take(minutes: &mut impl Iterator<Item = &'a Minute>, enough_ms: i64, column: usize) -> Self {
        let mut stretch = Self { covered_ms: 0, sums: BTreeMap::new() };
        while stretch.covered_ms < enough_ms {
            let Some(minute) = minutes.next() else { break };
            stretch.covered_ms += minute.covered_ms;
            for (program, sums) in &minute.programs {
                *stretch.sums.entry(program).or_default() += sums[column];
            }
        }
        stretch
    }

    fn mean(&self, program: &str) -> Option<f64> {
        self.sums.get(program).map(|sum| sum / self.covered_ms as f64)
    }
}

impl Minute {
    fn add_programs(&mut self, columns: &[&'static Metric], tick: &Tick<'_>) {
        let snapshot = tick.snapshot;
        let width = columns.len();
        let mut sums = vec![0.0; tick.programs.names().len() * width];
        let processes = snapshot.processes.as_deref().unwrap_or_default().iter().chain(tick.ended);
        for (process, program) in processes.zip(tick.programs.indexes()) {
            for (column, metric) in columns.iter().enumerate() {
                if let Some(value) = number(metric, snapshot, process) {
                    sums[*program as usize * width + column] += value * snapshot.interval_ms as f64;
                }
            }
        }
        for (name, added) in tick.programs.names().iter().zip(sums.chunks_exact(width.max(1))) {
            match self.programs.get_mut(*name) {
                Some(kept) => kept.iter_mut().zip(added).for_each(|(kept, added)| *kept += added),
                None => {
                    self.programs.insert((*name).to_owned(), added.to_vec());
                }
            }
        }
    }

    fn add_writers(&mut self, tick: &Tick<'_>) {
        let processes = tick.snapshot.processes.as_deref().unwrap_or_default().iter().chain(tick.ended);
        let wrote = |process: &Process| process.io.map_or(0, |io| io.written_bytes);
        for process in processes.filter(|process| wrote(process) > 0) {
            let writer = self.writers.entry(process.key).or_insert_with(|| Writer {
                key: process.key,
                parent: process.parent,
                image: process.image.clone(),
                uid: process.uid,
                written_bytes: 0,
            });
            if !Arc::ptr_eq(&writer.image, &process.image) {
                writer.image = process.image.clone();
            }
            writer.parent = process.parent;
            writer.written_bytes += wrote(process);
            self.written_bytes += wrote(process);
        }
        let unattributed = tick.snapshot.not_attributed.written_bytes;
        self.unattributed_bytes = self.unattributed_bytes.zip(unattributed).map(|(a, b)| a + b);
    }

    /// Keeps the `kept` largest programs and writers; a program is as large as its largest share of a column.
    fn trim(&mut self, kept: usize) {
        if self.programs.len() > kept {
            let width = self.programs.values().next().map_or(0, Vec::len);
            let mut totals = vec![0.0_f64; width];
            for sums in self.programs.values() {
                totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
            }
            let share = |(sum, total): (&f64, &f64)| if *total > 0.0 { sum / total } else { 0.0 };
            let size = |sums: &Vec<f64>| sums.iter().zip(&totals).map(share).fold(0.0, f64::max);
            let mut largest: Vec<(String, Vec<f64>)> = std::mem::take(&mut self.programs).into_iter().collect();
            largest.sort_by(|(_, a), (_, b)| size(b).total_cmp(&size(a)));
            largest.truncate(kept);
            self.programs = largest.into_iter().collect();
        }
        if self.writers.len() > kept {
            let mut largest: Vec<(ProcessKey, Writer)> = std::mem::take(&mut self.writers).into_iter().collect();
            largest.sort_by_key(|(_, writer)| std::cmp::Reverse(writer.written_bytes));
            largest.truncate(kept);
            self.writers = largest.into_iter().collect();
        }
    }
}

#[cfg(test)]
mod tests;
