//! When to look next: equal steps of monotonic time, and a wait that a stop or a reload ends at once.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use watchkeeper_collect::Collector;

/// Another way of reading.
pub struct NewReading {
    /// How the machine is read.
    pub collector: Box<dyn Collector>,
    /// Interval between looks.
    pub interval: Duration,
}

/// What the reader is told from outside.
#[derive(Default)]
struct Orders {
    stop: bool,
    reading: Option<NewReading>,
}

/// Tells the reader to stop or to read differently; a waiting reader notices at once.
#[derive(Default)]
pub struct Signal {
    orders: Mutex<Orders>,
    changed: Condvar,
}

/// Why a wait ended.
pub enum Woken {
    /// The time has come.
    Due,
    /// Read like this from now on.
    Reload(NewReading),
    /// End.
    Stop,
}

impl Signal {
    /// Ends the reader.
    pub fn stop(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.changed.notify_all();
    }

    /// Makes the reader read differently.
    pub fn reload(&self, reading: NewReading) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).reading = Some(reading);
        self.changed.notify_all();
    }

    /// Waits until `due`, or for an order.
    pub fn wait(&self, due: Instant) -> Woken {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if orders.stop {
                return Woken::Stop;
            }
            if let Some(reading) = orders.reading.take() {
                return Woken::Reload(reading);
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Woken::Due;
            }
            orders = self.changed.wait_timeout(orders, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The look after the one that was due at `due`: the first multiple of the interval that is still ahead of `now`, and how many had to be
/// left out because the look took longer than an interval.
pub fn next_due(due: Instant, interval: Duration, now: Instant) -> (Instant, u64) {
    let next = due + interval;
    if next > now || interval.is_zero() {
        return (next, 0);
    }
    let late = now.duration_since(next).as_nanos() / interval.as_nanos();
    let skipped = u32::try_from(late).unwrap_or(u32::MAX).saturating_add(1);
    (next + interval * skipped, u64::from(skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_stay_on_the_grid_and_late_ones_are_left_out() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let at = |ms: u64| start + Duration::from_millis(ms);
        for (now_ms, next_ms, skipped) in
            [(10, 1_000, 0), (999, 1_000, 0), (1_000, 2_000, 1), (1_500, 2_000, 1), (3_700, 4_000, 3)]
        {
            assert_eq!(next_due(start, second, at(now_ms)), (at(next_ms), skipped), "{now_ms}");
        }
    }

    #[test]
    fn an_order_ends_the_wait_at_once() {
        let signal = Signal::default();
        let far = Instant::now() + Duration::from_hours(1);
        let collector = watchkeeper_collect::open(&watchkeeper_collect::CollectConfig::default()).unwrap();
        signal.reload(NewReading { collector, interval: Duration::from_secs(1) });
        assert!(matches!(signal.wait(far), Woken::Reload(_)));
        signal.stop();
        assert!(matches!(signal.wait(far), Woken::Stop));
        assert!(matches!(Signal::default().wait(Instant::now()), Woken::Due));
    }
}
