//! CPU time of the machine where only percentages are offered.
//!
//! A percentage is of the time since the previous look, so percentage times that time is CPU time; added up it is a
//! counter like any other, from the start of the watch instead of the boot. Busy time stands in `user_us`, all other
//! time in `idle_us`: the modes are unknown. Looks closer together than the crate's own limit (200 ms on most systems)
//! repeat its last percentage, so a short interval is right on average only.

use std::collections::BTreeMap;

use watchkeeper_core::reading::{CpuReading, CpuTimes};

/// The counters.
#[derive(Default)]
pub(super) struct Processors {
    all: CpuTimes,
    by_number: BTreeMap<u32, CpuTimes>,
    last_ms: Option<i64>,
}

impl Processors {
    /// Books the time since the previous call: `shares` are the CPUs online with how busy they were, 0..1.
    ///
    /// A share that is not a number books nothing. A CPU that went offline loses its counter; the sum keeps its time.
    pub(super) fn advance(&mut self, mono_ms: i64, shares: impl Iterator<Item = (u32, f64)>) {
        let elapsed_us = self.last_ms.map_or(0, |last| (mono_ms - last).max(0) as u64 * 1_000);
        self.last_ms = Some(mono_ms);
        let mut online = BTreeMap::new();
        for (number, share) in shares {
            let mut times = self.by_number.get(&number).copied().unwrap_or_default();
            if share.is_finite() {
                let busy_us = ((elapsed_us as f64 * share).round() as u64).min(elapsed_us);
                for times in [&mut times, &mut self.all] {
                    times.user_us += busy_us;
                    times.idle_us += elapsed_us - busy_us;
                }
            }
            online.insert(number, times);
        }
        self.by_number = online;
    }

    /// All CPUs together since the start of the watch.
    pub(super) fn all(&self) -> CpuTimes {
        self.all
    }

    /// Each CPU since the start of the watch, by number.
    pub(super) fn each(&self) -> Vec<CpuReading> {
        self.by_number.iter().map(|(number, times)| CpuReading { number: *number, times: *times }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentages_become_time() {
        let mut processors = Processors::default();
        processors.advance(5_000, [(0, 0.9), (1, 0.9)].into_iter());
        assert_eq!(processors.all(), CpuTimes::default(), "the time before the first look is not known");
        processors.advance(6_000, [(0, 0.25), (1, 1.5)].into_iter());
        assert_eq!((processors.all().user_us, processors.all().idle_us), (1_250_000, 750_000));
        processors.advance(7_000, [(0, f64::NAN), (1, -1.0)].into_iter());
        let each = processors.each();
        assert_eq!((each[0].times.user_us, each[0].times.idle_us), (250_000, 750_000), "not a number books nothing");
        assert_eq!((each[1].times.user_us, each[1].times.idle_us), (1_000_000, 1_000_000));
    }

    #[test]
    fn a_cpu_that_goes_offline_takes_no_time_from_the_machine() {
        let mut processors = Processors::default();
        processors.advance(0, [(0, 0.0), (1, 0.0)].into_iter());
        processors.advance(1_000, [(0, 0.5), (1, 0.5)].into_iter());
        processors.advance(2_000, [(0, 0.5)].into_iter());
        assert_eq!(processors.each().len(), 1);
        assert_eq!(processors.all().total_us(), 3_000_000);
    }

    proptest! {
        #[test]
        fn counters_never_run_backwards(looks in proptest::collection::vec((0_i64..100_000, any::<f64>()), 0..20)) {
            let mut processors = Processors::default();
            let mut before = CpuTimes::default();
            for (mono_ms, share) in looks {
                processors.advance(mono_ms, [(0, share)].into_iter());
                let now = processors.all();
                prop_assert!(now.user_us >= before.user_us && now.idle_us >= before.idle_us);
                before = now;
            }
        }
    }
}
