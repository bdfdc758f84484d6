//! Points and stretches of time, as they come with the data.

use serde::{Deserialize, Serialize};

use crate::identity::BootId;

/// The instant at which the machine was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Wall clock, milliseconds since the Unix epoch, UTC. May step in either direction.
    pub ts_ms: i64,
    /// Monotonic clock, milliseconds since boot, standing still while the machine sleeps. Rates divide by its differences.
    pub mono_ms: i64,
    /// Milliseconds that the machine has slept since boot; `mono_ms + suspended_ms` is the age of the boot.
    pub suspended_ms: i64,
    /// The boot that both monotonic values count from.
    pub boot: BootId,
}

impl Moment {
    /// Wall-clock time of the boot, milliseconds since the epoch, as the wall clock stands now.
    pub fn booted_ms(&self) -> i64 {
        self.ts_ms - self.mono_ms - self.suspended_ms
    }

    /// Wall-clock time of a process start given in 10 ms ticks since boot, milliseconds since the epoch.
    pub fn started_ms(&self, start_ticks: u64) -> i64 {
        self.booted_ms().saturating_add(i64::try_from(start_ticks.saturating_mul(10)).unwrap_or(i64::MAX))
    }
}

/// A half-open stretch of wall-clock time, `from_ms <= t < to_ms`, milliseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// First instant inside.
    pub from_ms: i64,
    /// First instant after.
    pub to_ms: i64,
}

impl Range {
    /// The stretch between two instants; empty when `to_ms <= from_ms`.
    pub fn new(from_ms: i64, to_ms: i64) -> Self {
        Self { from_ms, to_ms }
    }

    /// Length in milliseconds, never negative.
    pub fn length_ms(&self) -> i64 {
        (self.to_ms - self.from_ms).max(0)
    }

    /// Whether the instant lies inside.
    pub fn contains(&self, ts_ms: i64) -> bool {
        (self.from_ms..self.to_ms).contains(&ts_ms)
    }
}
