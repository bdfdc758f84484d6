//! Which program every process of a tick counts as, worked out once for everybody who adds up.

use std::collections::HashMap;

use watchkeeper_core::Snapshot;
use watchkeeper_core::catalogue::{EntityRef, Metric, Value};
use watchkeeper_core::process::ProcessState;
use watchkeeper_core::snapshot::{Exited, Process};

/// The programs of a tick, and its processes in the order of the snapshot.
pub(crate) struct Programs<'a> {
    /// Names in the order in which they are met; those with a living process come first.
    names: Vec<&'a str>,
    /// How many of them have a living process.
    living: usize,
    /// Index of the program of each process: living ones, then those that ended.
    of: Vec<u32>,
}

/// A value added up over the processes of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sum {
    /// What is known of it.
    pub(crate) known: f64,
    /// Processes whose value is known.
    pub(crate) counted: u32,
    /// Some living process has a value that is not known: the real sum is `known` or more.
    pub(crate) incomplete: bool,
}

impl<'a> Programs<'a> {
    pub(crate) fn of(living: &'a [Process], ended: &'a [Process]) -> Self {
        let mut index: HashMap<&str, u32> = HashMap::with_capacity(256);
        let mut names = Vec::new();
        let mut of = Vec::with_capacity(living.len() + ended.len());
        let mut place = |process: &'a Process| {
            let name = process.image.program.as_str();
            let place = *index.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() as u32 - 1
            });
            of.push(place);
            place
        };
        let living = living.iter().map(|process| place(process) as usize + 1).max().unwrap_or(0);
        for process in ended {
            place(process);
        }
        Self { names, living, of }
    }

    /// Programs that have a living process.
    pub(crate) fn living(&self) -> &[&'a str] {
        &self.names[..self.living]
    }

    /// All programs of the tick, those that only ended in it last.
    pub(crate) fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// Index of the program of each process: living ones, then those that ended.
    pub(crate) fn indexes(&self) -> &[u32] {
        &self.of
    }

    /// A metric of processes added up over each program.
    pub(crate) fn sums(&self, metric: &Metric, snapshot: &Snapshot, ended: &[Process]) -> Vec<Sum> {
        let mut sums = vec![Sum::default(); self.names.len()];
        let living = snapshot.processes.as_deref().unwrap_or_default();
        for (process, place) in living.iter().chain(ended).zip(&self.of) {
            let sum = &mut sums[*place as usize];
            match number(metric, snapshot, process) {
                Some(value) => {
                    sum.known += value;
                    sum.counted += 1;
                }
                None => sum.incomplete |= holds_something(process),
            }
        }
        sums
    }
}

/// The value of a metric for one process.
pub(crate) fn number(metric: &Metric, snapshot: &Snapshot, process: &Process) -> Option<f64> {
    metric.value(snapshot, EntityRef::Process(process)).and_then(Value::number)
}

/// Whether an unknown value of a process can hide something: zombies and the dead hold nothing any more.
fn holds_something(process: &Process) -> bool {
    !matches!(process.state, Some(ProcessState::Zombie | ProcessState::Dead))
}

/// A process that ended, as the process it was in its last interval. It is dead, so that gauges, which it has no more,
/// leave no sum incomplete.
pub(crate) fn last_row(ended: &Exited) -> Process {
    Process {
        key: ended.key,
        parent: ended.parent,
        image: ended.image.clone(),
        uid: ended.uid,
        state: Some(ProcessState::Dead),
        threads: None,
        cpu: ended.cpu,
        memory: None,
        faults: ended.faults,
        io: ended.io,
        network: ended.network,
        descriptors: None,
    }
}
