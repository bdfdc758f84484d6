//! The stage that looks at the machine, one look an interval, and hands each snapshot on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper_collect::{CollectConfig, Collector, derive};
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::{Reading, Snapshot, metric};

use super::analyst::Command;
use super::pace::{Signal, Woken, next_due};
use crate::health::{Health, ReaderHealth, locked};
use crate::mailbox::Mailbox;

/// The reader and where its snapshots go.
pub struct Reader {
    /// How the machine is read.
    pub collector: Box<dyn Collector>,
    /// Interval between looks.
    pub interval: Duration,
    /// Orders from outside.
    pub signal: Arc<Signal>,
    /// The recorder's mailbox.
    pub recorder: Arc<Mailbox<()>>,
    /// The analyst's mailbox.
    pub analyst: Arc<Mailbox<Command>>,
    /// Where it says how it does.
    pub health: Arc<Health>,
}

impl Reader {
    /// Looks until told to stop. `first` is a reading taken before the stage began.
    pub fn run(mut self, first: Reading) {
        let mut due = Instant::now();
        self.hand_on(derive(None, &first));
        let mut previous = first;
        loop {
            let (next, skipped) = next_due(due, self.interval, Instant::now());
            due = next;
            if skipped > 0 {
                locked(&self.health.reader).late += skipped;
                tracing::debug!(skipped, "looks left out: the one before took too long");
            }
            match self.signal.wait(due) {
                Woken::Stop => return,
                Woken::Reload(collect) => {
                    self.reload(&collect);
                    due = Instant::now();
                }
                Woken::Due => {}
            }
            match self.collector.read() {
                Ok(reading) => {
                    self.hand_on(derive(Some(&previous), &reading));
                    previous = reading;
                }
                Err(error) => {
                    let text = error.to_string();
                    let mut health = locked(&self.health.reader);
                    if health.error.as_ref() != Some(&text) {
                        tracing::error!("the machine cannot be read: {text}");
                        health.error = Some(text);
                    }
                }
            }
        }
    }

    fn reload(&mut self, collect: &CollectConfig) {
        match watchkeeper_collect::open(collect) {
            Ok(collector) => {
                self.collector = collector;
                self.interval = collect.interval.duration();
            }
            Err(error) => tracing::error!("the old way of reading goes on: {error}"),
        }
    }

    fn hand_on(&self, snapshot: Snapshot) {
        note(&mut locked(&self.health.reader), &snapshot);
        let snapshot = Arc::new(snapshot);
        self.recorder.put(Arc::clone(&snapshot));
        self.analyst.put(snapshot);
    }
}

/// Writes down what `status` shows of the last look.
fn note(health: &mut ReaderHealth, snapshot: &Snapshot) {
    let host = |name| metric(name)?.value(snapshot, EntityRef::Host)?.number();
    health.ticks += 1;
    health.error = None;
    health.last_tick_ms = Some(snapshot.at.ts_ms);
    health.processes = snapshot.processes.as_ref().map(|processes| processes.len() as u64);
    health.cpu_utilization = host("system.cpu.utilization");
    health.memory_utilization = host("system.memory.utilization");
    health.not_attributed = host("system.cpu.not_attributed");
    health.not_attributed_reasons =
        snapshot.not_attributed.reasons.iter().map(|reason| reason.words().to_owned()).collect();
    health.gaps.clone_from(&snapshot.gaps);
}
