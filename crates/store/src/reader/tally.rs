//! Means over time, weighted by how long each value held.

/// Values of one thing over some ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    sum: f64,
    known_ms: i64,
    plain_sum: f64,
    known_ticks: u64,
    max: Option<f64>,
}

impl Tally {
    /// Adds the value of a tick over an interval.
    pub(super) fn add(&mut self, value: f64, interval_ms: i64) {
        let weight_ms = interval_ms.max(0);
        self.sum += value * weight_ms as f64;
        self.known_ms += weight_ms;
        self.plain_sum += value;
        self.known_ticks += 1;
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
    }

    /// Adds another tally of the same thing.
    pub(super) fn join(&mut self, other: &Self) {
        self.sum += other.sum;
        self.known_ms += other.known_ms;
        self.plain_sum += other.plain_sum;
        self.known_ticks += other.known_ticks;
        self.max = match (self.max, other.max) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
    }

    /// The largest value of one tick.
    pub(super) fn max(&self) -> Option<f64> {
        self.max
    }

    /// The mean over the time in which it was known. Ticks without length (first looks) count alike among themselves.
    pub(super) fn mean(&self) -> Option<f64> {
        self.max?;
        Some(if self.known_ms > 0 { self.sum / self.known_ms as f64 } else { self.plain_sum / self.known_ticks as f64 })
    }

    /// The mean over `covered_ms` in `ticks` ticks, counting zero where it was not there.
    pub(super) fn mean_over(&self, covered_ms: i64, ticks: u64) -> Option<f64> {
        self.max?;
        Some(if covered_ms > 0 { self.sum / covered_ms as f64 } else { self.plain_sum / ticks.max(1) as f64 })
    }
}
