//! The stage that looks at the machine, one look an interval, and hands each snapshot on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper_collect::{Collector, derive};
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::{Reading, Snapshot, metric};

use super::analyst::Command;
use super::pace::{NewReading, Signal, Woken, next_due};
use super::sinks::Outlets;
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
    /// The mailboxes of the sinks.
    pub sinks: Arc<Outlets>,
    /// Where it says how it does.
    pub health: Arc<Health>,
}

impl Reader {
    /// Looks until told to stop. `first` is the reading that was handed on already.
    pub fn run(mut self, first: Reading) {
        let mut due = Instant::now();
        let mut previous = Some(first);
        loop {
            let (next, skipped) = next_due(due, self.interval, Instant::now());
            match self.signal.wait(next) {
                Woken::Stop => return,
                Woken::Reload(reading) => {
                    // A look right after the last one would make rates of next to no time: the next one is a whole interval away.
                    due = Instant::now();
                    if self.take_on(reading) {
                        previous = None;
                    }
                    continue;
                }
                Woken::Due => due = next,
            }
            if skipped > 0 {
                locked(&self.health.reader).late += skipped;
                tracing::debug!(skipped, "looks left out: the one before took too long");
            }
            match self.collector.read() {
                Ok(reading) => {
                    self.hand_on(derive(previous.as_ref(), &reading));
                    previous = Some(reading);
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

    /// Reads in another way from now on. Says whether it is another tier, whose counters go on from nothing of the former.
    fn take_on(&mut self, reading: NewReading) -> bool {
        let former = std::mem::replace(&mut self.collector, reading.collector);
        self.interval = reading.interval;
        former.tier() != self.collector.tier()
    }

    /// Gives a snapshot to recorder, sinks and analyst.
    pub fn hand_on(&self, snapshot: Snapshot) {
        note(&mut locked(&self.health.reader), &snapshot);
        let snapshot = Arc::new(snapshot);
        self.recorder.put(Arc::clone(&snapshot));
        self.sinks.put(&snapshot);
        self.analyst.put(snapshot);
    }
}

/// Writes down what `status` shows of the last look.
fn note(health: &mut ReaderHealth, snapshot: &Snapshot) {
    let host = |name| metric(name)?.value(snapshot, EntityRef::Host)?.number();
    health.ticks += 1;
    health.error = None;
    health.last_tick_ms = Some(snapshot.at.ts_ms);
    health.last_tick_mono_ms = Some(snapshot.at.mono_ms);
    health.processes = snapshot.processes.as_ref().map(|processes| processes.len() as u64);
    health.cpu_utilization = host("system.cpu.utilization");
    health.memory_utilization = host("system.memory.utilization");
    health.not_attributed = host("system.cpu.not_attributed");
    health.not_attributed_reasons =
        snapshot.not_attributed.reasons.iter().map(|reason| reason.words().to_owned()).collect();
    health.gaps.clone_from(&snapshot.gaps);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Mail;
    use watchkeeper_collect::CollectError;
    use watchkeeper_core::reading::HostReading;
    use watchkeeper_core::snapshot::TickFlags;
    use watchkeeper_core::{BootId, Moment};

    /// An empty machine.
    struct Empty(&'static str);

    impl Collector for Empty {
        fn read(&mut self) -> Result<Reading, CollectError> {
            let now_ms = watchkeeper_collect::monotonic_ms();
            Ok(Reading {
                checks: None,
                at: Moment { ts_ms: now_ms, mono_ms: now_ms, suspended_ms: 0, boot: BootId::default() },
                host: HostReading::default(),
                cpus: None,
                disks: None,
                filesystems: None,
                interfaces: None,
                peers: None,
                sockets: None,
                processes: None,
                gaps: Vec::new(),
            })
        }

        fn tier(&self) -> &'static str {
            self.0
        }
    }

    #[test]
    fn after_a_reload_the_next_look_is_a_whole_interval_away_and_another_tier_begins_anew() {
        let interval = Duration::from_millis(200);
        for (tier, is_first) in [("proc", false), ("portable", true)] {
            let (signal, analyst) = (Arc::new(Signal::default()), Arc::new(Mailbox::default()));
            let mut reader = Reader {
                collector: Box::new(Empty("proc")),
                interval: Duration::from_hours(1),
                signal: Arc::clone(&signal),
                recorder: Arc::new(Mailbox::default()),
                analyst: Arc::clone(&analyst),
                sinks: Arc::default(),
                health: Arc::new(Health::default()),
            };
            let health = Arc::clone(&reader.health);
            let first = reader.collector.read().unwrap();
            let thread = std::thread::spawn(move || reader.run(first));
            let told = Instant::now();
            signal.reload(NewReading { collector: Box::new(Empty(tier)), interval });
            let Some(Mail::Tick(snapshot, _)) = analyst.take(Duration::from_secs(30)) else { panic!("no look") };
            assert!(told.elapsed() >= interval, "{tier}: it looked after {:?}", told.elapsed());
            assert_eq!(snapshot.flags.has(TickFlags::FIRST_LOOK), is_first, "{tier}");
            assert_eq!(locked(&health.reader).late, 0, "{tier}: the hour before counts for nothing");
            signal.stop();
            thread.join().unwrap();
        }
    }
}
