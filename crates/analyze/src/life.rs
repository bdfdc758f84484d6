//! The life of one alert: pending, firing, over. Three-valued, and only observed time counts.

use watchkeeper_core::{Alert, AlertState};

/// A pending alert is worth a new row once it has moved on by so much observed time.
const ROW_EVERY_MS: i64 = 10_000;

/// What one tick shows of a condition on one entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// Whether the condition holds; `None` is unknown.
    pub(crate) verdict: Option<bool>,
    /// The value, if it is a known number.
    pub(crate) value: Option<f64>,
    /// Wall clock, milliseconds UTC.
    pub(crate) at_ms: i64,
    /// Length of the interval, monotonic milliseconds.
    pub(crate) interval_ms: i64,
    /// Time of the ticks that were lost before this one, monotonic milliseconds.
    pub(crate) dropped_ms: i64,
}

/// What a tick did to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing that has to be written.
    Still,
    /// Began to be pending, or is pending for noticeably longer.
    Pending,
    /// Was pending and is not any more.
    Cleared,
    /// Began to fire.
    Fired,
    /// The value is back.
    Resolved,
    /// What it watched is gone.
    Ended,
}

/// An alert with what only matters while the watch runs.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) alert: Alert,
    /// Time since it began in which the condition was unknown, monotonic milliseconds.
    unobserved_ms: i64,
    /// `observed_ms` when it was last worth a row.
    written_ms: i64,
    /// Number of the last tick that showed its entity.
    pub(crate) shown: u64,
}

impl Life {
    /// An alert whose condition is seen to hold for the first time. `alert` names it; its times are set here.
    pub(crate) fn begin(mut alert: Alert, sight: Sight, hold_ms: i64) -> (Self, Turn) {
        alert.state = AlertState::Pending;
        alert.since_ms = sight.at_ms;
        alert.observed_ms = 0;
        let mut life = Self { alert, unobserved_ms: 0, written_ms: 0, shown: 0 };
        life.note(sight);
        let turn = if life.ripe(hold_ms) { life.fire(sight.at_ms) } else { Turn::Pending };
        (life, turn)
    }

    /// An alert that an earlier watch left behind.
    pub(crate) fn resume(mut alert: Alert) -> Self {
        if alert.state == AlertState::Recovering {
            alert.state = AlertState::Firing;
        }
        Self { written_ms: alert.observed_ms, alert, unobserved_ms: 0, shown: 0 }
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.alert.state == AlertState::Pending
    }

    pub(crate) fn is_firing(&self) -> bool {
        self.alert.state == AlertState::Firing
    }

    /// One more tick.
    pub(crate) fn look(&mut self, sight: Sight, hold_ms: i64) -> Turn {
        self.unobserved_ms += sight.dropped_ms;
        match sight.verdict {
            None => {
                self.unobserved_ms += sight.interval_ms;
                Turn::Still
            }
            Some(holds) => {
                self.note(sight);
                match (self.is_firing(), holds) {
                    (true, true) => Turn::Still,
                    (true, false) => self.over(AlertState::Resolved, sight.at_ms),
                    (false, false) => self.over(AlertState::Inactive, sight.at_ms),
                    (false, true) => {
                        self.alert.observed_ms += sight.interval_ms;
                        self.ripen(sight.at_ms, hold_ms)
                    }
                }
            }
        }
    }

    /// What it watched, or its rule, is not there any more.
    pub(crate) fn gone(&mut self, at_ms: i64) -> Turn {
        let state = if self.is_firing() { AlertState::Ended } else { AlertState::Inactive };
        self.over(state, at_ms)
    }

    /// The wall clock was set: what began before it was set began at another time than it was written down.
    pub(crate) fn shift(&mut self, by_ms: i64) {
        if self.is_pending() {
            self.alert.since_ms = self.alert.since_ms.saturating_add(by_ms);
        }
    }

    fn note(&mut self, sight: Sight) {
        self.alert.value = sight.value;
        self.alert.seen_ms = sight.at_ms;
    }

    fn ripen(&mut self, at_ms: i64, hold_ms: i64) -> Turn {
        if self.ripe(hold_ms) {
            self.fire(at_ms)
        } else if self.alert.observed_ms - self.written_ms >= ROW_EVERY_MS {
            self.written_ms = self.alert.observed_ms;
            Turn::Pending
        } else {
            Turn::Still
        }
    }

    /// Held long enough, and known for at least 80 % of the time it took.
    fn ripe(&self, hold_ms: i64) -> bool {
        let observed = self.alert.observed_ms;
        observed >= hold_ms && observed * 5 >= (observed + self.unobserved_ms) * 4
    }

    fn fire(&mut self, at_ms: i64) -> Turn {
        self.alert.state = AlertState::Firing;
        self.alert.fired_ms = Some(at_ms);
        Turn::Fired
    }

    fn over(&mut self, state: AlertState, at_ms: i64) -> Turn {
        self.alert.state = state;
        if state == AlertState::Inactive {
            return Turn::Cleared;
        }
        self.alert.ended_ms = Some(at_ms);
        if state == AlertState::Ended { Turn::Ended } else { Turn::Resolved }
    }
}
