//! Looking at the machine at equal steps for a command that runs in the foreground.

use std::time::{Duration, Instant};

use anyhow::Context;
use watchkeeper_collect::{CollectConfig, Collector, derive};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Reading, Snapshot};

use crate::signals::Ending;

/// A last interval shorter than this says nothing about CPU time.
const SHORTEST: Duration = Duration::from_millis(100);

/// Gives a snapshot an interval, until the time is over or the command is told to end.
pub struct Looks {
    collector: Box<dyn Collector>,
    previous: Reading,
    interval: Duration,
    /// When the last look was due.
    due: Instant,
    until: Option<Instant>,
    ending: Ending,
    has_last_look: bool,
}

impl Looks {
    /// Looks for the first time. `duration` of 0 means without end.
    pub fn begin(collect: &CollectConfig, interval: Span, duration: Span, ending: Ending) -> anyhow::Result<Self> {
        let config = CollectConfig { interval, ..collect.clone() };
        let mut collector = watchkeeper_collect::open(&config)?;
        let previous = collector.read().context("cannot read this machine")?;
        let due = Instant::now();
        let until = (duration.ms() > 0).then(|| due + duration.duration());
        Ok(Self { collector, previous, interval: interval.duration(), due, until, ending, has_last_look: false })
    }

    /// Whoever ends it gets a last look with what there is of the interval under way. Not for numbers that are compared with
    /// those over whole intervals.
    pub fn with_last_look(self) -> Self {
        Self { has_last_look: true, ..self }
    }

    /// The reading that the next snapshot counts from.
    pub fn previous(&self) -> &Reading {
        &self.previous
    }

    /// The name of the tier.
    pub fn tier(&self) -> &'static str {
        self.collector.tier()
    }

    /// Waits for the next look and takes it. `None`: the time is over, or the command is to end.
    ///
    /// Looks stay on the grid of the first one; what took longer than an interval leaves looks out. The last one is at the end of the
    /// duration, with the rest of an interval.
    pub fn next(&mut self) -> anyhow::Result<Option<Snapshot>> {
        let Some(mut due) = next_due(self.due, self.interval, self.until, Instant::now()) else { return Ok(None) };
        if self.ending.wait(due) {
            let now = Instant::now();
            if !self.has_last_look || now < self.due + SHORTEST {
                return Ok(None);
            }
            (due, self.until) = (now, Some(now));
        }
        self.due = due;
        let reading = self.collector.read().context("cannot read this machine")?;
        let snapshot = derive(Some(&self.previous), &reading);
        self.previous = reading;
        Ok(Some(snapshot))
    }
}

/// The next multiple of the interval after `due` that is not past, at the latest `until`; `None` when nothing is left before that.
fn next_due(due: Instant, interval: Duration, until: Option<Instant>, now: Instant) -> Option<Instant> {
    let (next, _) = crate::app::next_due(due, interval, now);
    match until {
        Some(until) if due + SHORTEST > until => None,
        Some(until) => Some(next.min(until)),
        None => Some(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_ends_with_a_look_and_has_no_sliver() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        for (interval_ms, duration_ms, expected) in [
            (5_000, 15_000, vec![5_000, 10_000, 15_000]),
            (5_000, 12_000, vec![5_000, 10_000, 12_000]),
            (5_000, 10_050, vec![5_000, 10_000]),
            (5_000, 1_000, vec![1_000]),
        ] {
            let (mut due, mut looks) = (start, Vec::new());
            while let Some(next) = next_due(due, Duration::from_millis(interval_ms), Some(at(duration_ms)), due) {
                looks.push(next);
                due = next;
            }
            let expected: Vec<Instant> = expected.into_iter().map(at).collect();
            assert_eq!(looks, expected, "{interval_ms} for {duration_ms}");
        }
        let late = next_due(start, Duration::from_secs(5), None, at(12_000));
        assert_eq!(late, Some(at(15_000)), "a look that took too long leaves others out");
    }

    #[test]
    fn it_looks_until_it_is_told_to_end() {
        let ending = Ending::catch().unwrap();
        let (interval, for_ever) = (Span::from_ms(100), Span::from_ms(0));
        let mut looks = Looks::begin(&CollectConfig::default(), interval, for_ever, ending.clone()).unwrap();
        let snapshot = looks.next().unwrap().expect("a look");
        assert!(snapshot.interval_ms >= 90 && snapshot.host.cpu.is_some(), "{}", snapshot.interval_ms);
        ending.end();
        assert!(looks.next().unwrap().is_none());
    }

    #[test]
    fn who_ends_a_recording_gets_the_rest_of_the_interval_once() {
        let (interval, for_ever) = (Span::from_secs(3_600), Span::from_ms(0));
        let recording = |ending: &Ending| {
            Looks::begin(&CollectConfig::default(), interval, for_ever, ending.clone()).unwrap().with_last_look()
        };
        let ending = Ending::catch().unwrap();
        let (mut looks, begun) = (recording(&ending), Instant::now());
        let told = ending.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(SHORTEST * 3);
            told.end();
        });
        let rest = looks.next().unwrap().expect("the rest of the interval");
        let took_ms = i64::try_from(begun.elapsed().as_millis()).unwrap();
        assert!((100..=took_ms + 100).contains(&rest.interval_ms), "{} in {took_ms}", rest.interval_ms);
        assert!(looks.next().unwrap().is_none(), "once");
        thread.join().unwrap();
        let mut sliver = recording(&ending);
        sliver.due += interval.duration();
        assert!(sliver.next().unwrap().is_none(), "nothing of an interval is left");
    }
}
