//! CPU time of one process, from two accounts of the kernel.
//!
//! `stat` counts every thread, ended ones included, but user and system time are cut to whole clock ticks (10 ms)
//! each: the truth lies less than two ticks above their sum. `schedstat` is exact to the nanosecond, but counts only the
//! main thread. So `stat` is the measure, and `schedstat` may place the total within those two ticks.

use watchkeeper_core::reading::ProcessCpu;

/// What was booked so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    tick_us: u64,
    /// User plus system time of the last look.
    ticks_us: u64,
    /// Scheduler's time of the main thread at the last look.
    run_us: Option<u64>,
    /// There was one thread at the last look.
    single: bool,
    total_us: u64,
}

/// What one look gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// User time, clock ticks.
    pub(super) user_ticks: u64,
    /// System time, clock ticks.
    pub(super) system_ticks: u64,
    /// Scheduler's time of the main thread in nanoseconds; `None` where the kernel does not keep it.
    pub(super) run_ns: Option<u64>,
    /// Threads.
    pub(super) threads: u32,
}

impl Meter {
    /// A process at its birth: nothing used, one thread. A tick has `tick_us` microseconds.
    pub(super) fn new(tick_us: u64) -> Self {
        Self { tick_us, ticks_us: 0, run_us: Some(0), single: true, total_us: 0 }
    }

    /// Books a look and gives the totals since the birth. The total never falls, and differs from user plus system
    /// time by less than two ticks.
    pub(super) fn book(&mut self, look: Look) -> ProcessCpu {
        let user_us = look.user_ticks.saturating_mul(self.tick_us);
        let ticks_us = look.system_ticks.saturating_mul(self.tick_us).saturating_add(user_us).max(self.ticks_us);
        let run_us = look.run_ns.map(|ns| ns / 1_000);
        let single = look.threads == 1;
        let by_ticks = ticks_us - self.ticks_us;
        let difference_us = match (self.run_us, run_us) {
            (Some(before), Some(now)) if self.single && single && now >= before => {
                let by_scheduler = now - before;
                // Further apart than rounding can explain: threads came and went in between.
                if by_scheduler.abs_diff(by_ticks) <= 2 * self.tick_us { by_scheduler } else { by_ticks }
            }
            _ => by_ticks,
        };
        let ceiling_us = ticks_us.saturating_add((2 * self.tick_us).saturating_sub(1));
        let total_us = self.total_us.saturating_add(difference_us).clamp(ticks_us, ceiling_us).max(self.total_us);
        *self = Self { tick_us: self.tick_us, ticks_us, run_us, single, total_us };
        ProcessCpu { total_us, user_us: user_us.min(total_us) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK_US: u64 = 10_000;

    fn look(user_ticks: u64, system_ticks: u64, run_ms: u64, threads: u32) -> Look {
        Look { user_ticks, system_ticks, run_ns: Some(run_ms * 1_000_000), threads }
    }

    #[test]
    fn one_thread_is_measured_below_a_tick() {
        let mut meter = Meter::new(TICK_US);
        assert_eq!(meter.book(look(0, 0, 3, 1)).total_us, 3_000);
        assert_eq!(meter.book(look(0, 0, 9, 1)).total_us, 9_000);
        assert_eq!(meter.book(look(1, 0, 17, 1)), ProcessCpu { total_us: 17_000, user_us: 10_000 });
    }

    #[test]
    fn threads_that_ended_count_although_the_scheduler_forgot_them() {
        let mut meter = Meter::new(TICK_US);
        meter.book(look(0, 0, 5, 1));
        // A thread burned 300 ms in between; only the main thread is left.
        assert_eq!(meter.book(look(30, 0, 7, 1)).total_us, 305_000);
    }

    #[test]
    fn several_threads_are_measured_by_ticks_alone() {
        let mut meter = Meter::new(TICK_US);
        assert_eq!(meter.book(look(100, 20, 3, 8)).total_us, 1_200_000);
        assert_eq!(meter.book(look(100, 20, 900, 8)).total_us, 1_200_000);
        assert_eq!(meter.book(look(101, 20, 901, 1)).total_us, 1_210_000, "one thread now, several before");
    }

    #[test]
    fn without_the_schedulers_account_ticks_are_the_measure() {
        let mut meter = Meter::new(TICK_US);
        let bare = |user_ticks| Look { user_ticks, system_ticks: 0, run_ns: None, threads: 1 };
        assert_eq!(meter.book(bare(7)).total_us, 70_000);
        assert_eq!(meter.book(look(8, 0, 1_000, 1)).total_us, 80_000, "no account at the look before");
    }

    proptest! {
        /// A process of changing threads, each look as the kernel would print it.
        #[test]
        fn the_total_never_falls_and_stays_within_two_ticks_of_the_kernels(
            steps in prop::collection::vec((0_u64..40_000, 0_u64..40_000, 0_u64..60_000, any::<bool>(), 1_u32..3), 1..40),
        ) {
            let mut meter = Meter::new(TICK_US);
            let (mut user_us, mut system_us, mut run_us, mut last) = (0, 0, 0, 0);
            for (user, system, others, is_main, threads) in steps {
                // What the main thread used is in both accounts, what others used only in stat's.
                user_us += user;
                system_us += system;
                if is_main { run_us += user + system; } else { user_us += others; }
                let (user_ticks, system_ticks) = (user_us / TICK_US, system_us / TICK_US);
                let booked = meter.book(Look { user_ticks, system_ticks, run_ns: Some(run_us * 1_000), threads });
                let kernel_us = (user_ticks + system_ticks) * TICK_US;
                prop_assert!(booked.total_us >= last, "fell");
                prop_assert!((kernel_us..kernel_us + 2 * TICK_US).contains(&booked.total_us));
                prop_assert!(booked.user_us <= booked.total_us);
                last = booked.total_us;
            }
        }

        #[test]
        fn a_lone_thread_is_exact_to_the_microsecond(steps in prop::collection::vec((0_u64..30_000, 0_u64..30_000), 1..40)) {
            let mut meter = Meter::new(TICK_US);
            let (mut user_us, mut system_us) = (0, 0);
            for (user, system) in steps {
                user_us += user;
                system_us += system;
                let run_ns = Some((user_us + system_us) * 1_000);
                let (user_ticks, system_ticks) = (user_us / TICK_US, system_us / TICK_US);
                let booked = meter.book(Look { user_ticks, system_ticks, run_ns, threads: 1 });
                prop_assert_eq!(booked.total_us, user_us + system_us);
            }
        }

        #[test]
        fn absurd_counters_are_answered(looks in prop::collection::vec(any::<(u64, u64, Option<u64>, u32)>(), 0..10)) {
            let mut meter = Meter::new(TICK_US);
            let mut last = 0;
            for (user_ticks, system_ticks, run_ns, threads) in looks {
                let booked = meter.book(Look { user_ticks, system_ticks, run_ns, threads });
                prop_assert!(booked.total_us >= last && booked.user_us <= booked.total_us);
                last = booked.total_us;
            }
        }
    }
}
