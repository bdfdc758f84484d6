//! The stage that looks at the machine, one look an interval, and hands each snapshot on.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use watchkeeper_collect::{Collector, derive};
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::{Reading, Snapshot, metric};

use super::analyst::Command;
use super::pace::{NewReading, Signal, Woken, next_due};
use super::sinks::Outlets;
use crate::health::{Health, Lasting, ReaderHealth, locked};
use crate::judge::Judge;
use crate::mailbox::Mailbox;

/// The reader and where its snapshots go.
pub struct Reader {
    /// How the machine is read.
    pub collector: Box<dyn Collector>,
    /// Interval between looks.
    pub interval: Duration,
    /// Orders from outside.
    pub signal: Arc<Signal>,
    /// What says how strange a look is, if anything does.
    pub judge: Arc<Bench>,
    /// The recorder's mailbox.
    pub recorder: Arc<Mailbox<()>>,
    /// The analyst's mailbox.
    pub analyst: Arc<Mailbox<Command>>,
    /// The mailboxes of the sinks.
    pub sinks: Arc<Outlets>,
    /// Where it says how it does.
    pub health: Arc<Health>,
    /// For how long what fails has been failing.
    pub lasting: Lasting,
}

/// Where the judge of the day sits; a reload seats another one.
pub type Bench = Mutex<Option<Arc<Judge>>>;

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
            let late = Instant::now().saturating_duration_since(due) + self.interval.saturating_mul(skipped as u32);
            match self.collector.read() {
                Ok(reading) => {
                    self.hand_on(derive(previous.as_ref(), &reading), late);
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

    /// Gives a snapshot to recorder, sinks and analyst, with how the watch itself does. `late` is by how much the look came
    /// after the one that was due: those that were left out count.
    pub fn hand_on(&mut self, mut snapshot: Snapshot, late: Duration) {
        let late_ms = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
        snapshot.watch = Some(self.lasting.look(&self.health, snapshot.at, late_ms));
        let judge = locked(&self.judge).clone();
        snapshot.anomaly = judge.and_then(|judge| judge.anomaly(&snapshot));
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

    fn reader(collector: impl Collector + 'static, interval: Duration) -> Reader {
        Reader {
            collector: Box::new(collector),
            interval,
            signal: Arc::default(),
            judge: Arc::default(),
            recorder: Arc::default(),
            analyst: Arc::default(),
            sinks: Arc::default(),
            health: Arc::default(),
            lasting: Lasting::default(),
        }
    }

    /// Takes its time for the second look.
    struct Slow(u32, Duration);

    impl Collector for Slow {
        fn read(&mut self) -> Result<Reading, CollectError> {
            self.0 += 1;
            if self.0 == 2 {
                std::thread::sleep(self.1);
            }
            Empty("proc").read()
        }

        fn tier(&self) -> &'static str {
            "proc"
        }
    }

    #[test]
    fn a_look_that_comes_too_late_says_by_how_much_those_that_were_left_out_included() {
        let interval = Duration::from_millis(100);
        let mut reader = reader(Slow(0, interval * 7 / 2), interval);
        let (signal, analyst) = (Arc::clone(&reader.signal), Arc::clone(&reader.analyst));
        let first = reader.collector.read().unwrap();
        let thread = std::thread::spawn(move || reader.run(first));
        let look = || {
            let Some(Mail::Tick(snapshot, _)) = analyst.take(Duration::from_secs(30)) else { panic!("no look") };
            snapshot.watch.expect("the watch looked").late_ms
        };
        look();
        let late_ms = look();
        assert!(late_ms >= 300, "three looks were left out, it is {late_ms} ms late");
        signal.stop();
        thread.join().unwrap();
    }

    #[test]
    fn every_snapshot_says_how_the_watch_does() {
        let mut reader = reader(Empty("proc"), Duration::from_secs(1));
        locked(&reader.health.recorder).error = Some("no space".to_owned());
        for (mono_ms, failing_ms) in [(1_000, 0), (3_500, 2_500)] {
            let at = Moment { ts_ms: mono_ms, mono_ms, suspended_ms: 0, boot: BootId::default() };
            reader.hand_on(Snapshot::unknown(at, 1_000), Duration::from_millis(70));
            let Some(Mail::Tick(snapshot, _)) = reader.analyst.take(Duration::ZERO) else { panic!("no tick") };
            let watch = snapshot.watch.expect("it is filled");
            assert_eq!((watch.late_ms, watch.log_failing_ms), (70, failing_ms));
        }
    }

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
            let mut reader = reader(Empty("proc"), Duration::from_hours(1));
            let (signal, analyst) = (Arc::clone(&reader.signal), Arc::clone(&reader.analyst));
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
