//! For how long something of the watch itself has been failing, so that rules can ask what `status` says.

use watchkeeper_core::Moment;
use watchkeeper_core::snapshot::Watch;

use super::{Health, locked};

/// Since when what fails has been failing, on the monotonic clock, for the wall clock may step.
#[derive(Debug, Default)]
pub struct Lasting {
    log: Since,
    state: Since,
    /// The longest failing channel, by when it began to by the wall clock: another beginning is another failure.
    channel: Option<(i64, Since)>,
}

#[derive(Debug, Default)]
struct Since(Option<i64>);

impl Since {
    /// Milliseconds for which it has been failing; 0 if it does not.
    fn look(&mut self, is_failing: bool, now_mono_ms: i64) -> u64 {
        self.0 = is_failing.then(|| self.0.unwrap_or(now_mono_ms));
        self.0.map_or(0, |since_ms| now_mono_ms.saturating_sub(since_ms).max(0).cast_unsigned())
    }
}

impl Lasting {
    /// How the watch does at a look that came so many milliseconds too late. What is failing is what `status` calls so.
    pub fn look(&mut self, health: &Health, at: Moment, late_ms: u64) -> Watch {
        let is_log_failing = locked(&health.recorder).error.is_some();
        let is_state_failing = {
            let analyst = locked(&health.analyst);
            analyst.error.is_some() || analyst.memory_only.is_some()
        };
        let channels = locked(&health.channels);
        let failing_since_ms = channels.values().filter_map(|channel| locked(channel).failing_since_ms).min();
        drop(channels);
        let waiting_since_ms = *locked(&health.waiting_since_ms);
        Watch {
            late_ms,
            log_failing_ms: self.log.look(is_log_failing, at.mono_ms),
            state_failing_ms: self.state.look(is_state_failing, at.mono_ms),
            channel_failing_ms: self.channel_failing_ms(failing_since_ms, at),
            outbox_age_ms: waiting_since_ms.map_or(0, |since_ms| (at.ts_ms - since_ms).max(0).cast_unsigned()),
        }
    }

    fn channel_failing_ms(&mut self, failing_since_ms: Option<i64>, at: Moment) -> u64 {
        self.channel = failing_since_ms.map(|since_ms| match self.channel.take() {
            Some((known_ms, since)) if known_ms == since_ms => (since_ms, since),
            // It may have begun before this look, by a clock that did not step since.
            _ => (since_ms, Since(Some(at.mono_ms - (at.ts_ms - since_ms).max(0)))),
        });
        self.channel.as_mut().map_or(0, |(_, since)| since.look(true, at.mono_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use watchkeeper_core::BootId;
    use watchkeeper_notify::ChannelHealth;

    fn at(seconds: i64) -> Moment {
        Moment {
            ts_ms: 1_000_000 + seconds * 1_000,
            mono_ms: seconds * 1_000,
            suspended_ms: 0,
            boot: BootId::default(),
        }
    }

    #[test]
    fn a_watch_that_works_has_no_troubles() {
        let watch = Lasting::default().look(&Health::default(), at(50), 7);
        assert_eq!(watch, Watch { late_ms: 7, ..Watch::default() });
    }

    #[test]
    fn what_fails_is_counted_from_the_look_that_saw_it_until_it_is_over() {
        let (health, mut lasting) = (Health::default(), Lasting::default());
        let mut look = |seconds| {
            let watch = lasting.look(&health, at(seconds), 0);
            (watch.log_failing_ms, watch.state_failing_ms)
        };
        assert_eq!(look(1), (0, 0));
        locked(&health.recorder).error = Some("no space".to_owned());
        assert_eq!((look(2), look(5)), ((0, 0), (3_000, 0)));
        locked(&health.recorder).error = Some("another reason".to_owned());
        locked(&health.analyst).memory_only = Some("no space".to_owned());
        assert_eq!((look(6), look(8)), ((4_000, 0), (6_000, 2_000)));
        locked(&health.analyst).memory_only = None;
        locked(&health.analyst).error = Some("no memory either".to_owned());
        locked(&health.recorder).error = None;
        assert_eq!(look(9), (0, 3_000), "alerts are still not kept");
        locked(&health.analyst).error = None;
        assert_eq!(look(10), (0, 0));
        locked(&health.recorder).error = Some("no space".to_owned());
        assert_eq!(look(11), (0, 0), "it begins anew");
    }

    #[test]
    fn the_channel_that_fails_longest_counts_whatever_the_wall_clock_does() {
        let (health, mut lasting) = (Health::default(), Lasting::default());
        let channel =
            |since_ms| Arc::new(Mutex::new(ChannelHealth { failing_since_ms: since_ms, ..ChannelHealth::default() }));
        let (mail, pager) = (channel(Some(at(3).ts_ms)), channel(Some(at(1).ts_ms)));
        *locked(&health.channels) =
            [("mail".to_owned(), Arc::clone(&mail)), ("pager".to_owned(), Arc::clone(&pager))].into();
        let mut failing = |moment| lasting.look(&health, moment, 0).channel_failing_ms;
        assert_eq!(failing(at(4)), 3_000);
        let stepped = Moment { ts_ms: at(4).ts_ms + 3_600_000, ..at(5) };
        assert_eq!(failing(stepped), 4_000, "an hour was skipped by the wall clock");
        locked(&pager).failing_since_ms = None;
        assert_eq!(failing(at(6)), 3_000, "the other one");
        locked(&mail).failing_since_ms = None;
        assert_eq!(failing(at(7)), 0);
    }

    #[test]
    fn the_age_of_the_outbox_is_never_below_zero() {
        let (health, mut lasting) = (Health::default(), Lasting::default());
        for (since_ms, expected) in [(None, 0), (Some(at(2).ts_ms), 3_000), (Some(at(9).ts_ms), 0)] {
            *locked(&health.waiting_since_ms) = since_ms;
            assert_eq!(lasting.look(&health, at(5), 0).outbox_age_ms, expected);
        }
    }
}
