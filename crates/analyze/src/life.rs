//! The life of one alert: pending, firing, recovering, over. Three-valued, and only observed time counts.

use watchkeeper_core::{Alert, AlertState, Fingerprint, HostId};

/// An alert that waits is worth a new row once it has moved on by so much observed time.
const ROW_EVERY_MS: i64 = 10_000;

/// Before the id of a rule whose data is missing. No id of a rule has a slash.
const NO_DATA: &str = "no-data/";

/// How long an alert that flaps must have been clear to be over, observed milliseconds.
const CALM_MS: i64 = 1_800_000;

/// What one tick shows of a condition on one entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// Whether the condition holds; `None` is unknown.
    pub(crate) verdict: Option<bool>,
    /// Whether what ends an alert holds; `None` is unknown. Only counts where the condition is known not to hold.
    pub(crate) clear: Option<bool>,
    /// The value, if it is a known number.
    pub(crate) value: Option<f64>,
    /// Wall clock, milliseconds UTC.
    pub(crate) at_ms: i64,
    /// Length of the interval, monotonic milliseconds.
    pub(crate) interval_ms: i64,
    /// Time of the ticks that were lost before this one, monotonic milliseconds.
    pub(crate) dropped_ms: i64,
}

/// How long an alert waits in two of its states, observed milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// From pending to firing: `for`.
    pub(crate) hold_ms: i64,
    /// From recovering to resolved: `keep_firing`.
    pub(crate) keep_ms: i64,
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
    /// Began to fire after it was over too often of late.
    Flapped,
    /// Began to recover, or has recovered for noticeably longer.
    Recovering,
    /// Was recovering and fires as before; nobody is told anew.
    Relapsed,
    /// The value is back.
    Resolved,
    /// What it watched is gone.
    Ended,
    /// Nobody has known for long whether it goes on: an alert of its own says so.
    Blinded,
}

impl Turn {
    /// Whether an alert begins to fire.
    pub(crate) fn fires(self) -> bool {
        matches!(self, Self::Fired | Self::Flapped | Self::Blinded)
    }

    /// Whether an alert that fired is over.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Ended)
    }
}

/// The rule whose data an alert says is missing; `None` for the alerts of rules.
pub(crate) fn rule_without_data(alert: &Alert) -> Option<&str> {
    alert.rule.strip_prefix(NO_DATA)
}

/// An alert with what only matters while the watch runs.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) alert: Alert,
    /// Time since it began in which the condition was unknown, monotonic milliseconds.
    unobserved_ms: i64,
    /// `observed_ms` when it was last worth a row.
    written_ms: i64,
    /// Time since the condition was last known, monotonic milliseconds.
    unknown_ms: i64,
    /// Whether the last look knew the condition.
    is_known: bool,
    /// It was over too often before it fired: it is over when it has been calm for long.
    pub(crate) flaps: bool,
    /// The alert that says that its data is missing.
    pub(crate) no_data: Option<Alert>,
    /// Number of the last tick that showed its entity.
    pub(crate) shown: u64,
}

impl Life {
    /// An alert whose condition is seen to hold for the first time. `alert` names it; its times are set here.
    pub(crate) fn begin(mut alert: Alert, sight: Sight, waits: Waits) -> (Self, Turn) {
        alert.state = AlertState::Pending;
        alert.since_ms = sight.at_ms;
        alert.observed_ms = 0;
        let mut life = Self { is_known: true, ..Self::resume(alert) };
        life.note(sight);
        let turn = if life.ripe(waits.hold_ms) { life.fire(sight.at_ms) } else { Turn::Pending };
        (life, turn)
    }

    /// An alert that an earlier watch left behind.
    pub(crate) fn resume(alert: Alert) -> Self {
        let written_ms = alert.observed_ms;
        Self {
            alert,
            unobserved_ms: 0,
            written_ms,
            unknown_ms: 0,
            is_known: false,
            flaps: false,
            no_data: None,
            shown: 0,
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.alert.state == AlertState::Pending
    }

    pub(crate) fn is_firing(&self) -> bool {
        self.alert.state == AlertState::Firing
    }

    pub(crate) fn is_recovering(&self) -> bool {
        self.alert.state == AlertState::Recovering
    }

    /// Whether it is not over.
    pub(crate) fn goes_on(&self) -> bool {
        self.is_pending() || self.is_firing() || self.is_recovering()
    }

    /// One more tick.
    pub(crate) fn look(&mut self, sight: Sight, waits: Waits) -> Turn {
        self.unobserved_ms += sight.dropped_ms;
        self.is_known = sight.verdict.is_some();
        let Some(holds) = sight.verdict else {
            self.unobserved_ms += sight.interval_ms;
            self.unknown_ms += sight.interval_ms + sight.dropped_ms;
            return Turn::Still;
        };
        self.unknown_ms = 0;
        self.note(sight);
        match (self.is_pending(), holds, sight.clear) {
            (true, true, _) => {
                self.alert.observed_ms += sight.interval_ms;
                if self.ripe(waits.hold_ms) { self.fire(sight.at_ms) } else { self.progress(Turn::Pending) }
            }
            (true, false, _) => self.over(AlertState::Inactive, sight.at_ms),
            (false, true, _) | (false, false, Some(false)) => self.relapse(),
            (false, false, None) => Turn::Still,
            (false, false, Some(true)) => self.recover(sight, waits.keep_ms),
        }
    }

    /// What it watched, or its rule, is not there any more.
    pub(crate) fn gone(&mut self, at_ms: i64) -> Turn {
        let state = if self.is_pending() { AlertState::Inactive } else { AlertState::Ended };
        self.is_known = false;
        self.over(state, at_ms)
    }

    /// What there is to say after a look about data that is missing: that it is, for so long, that it is back, or that
    /// nobody waits for it any more.
    pub(crate) fn say_no_data(&mut self, host: HostId, at_ms: i64, limit_ms: i64) -> Option<(Turn, Alert)> {
        let (is_back, goes_on) = (self.is_known, self.goes_on());
        if let Some(mut alert) = self.no_data.take_if(|_| is_back || !goes_on) {
            let (turn, state) =
                if is_back { (Turn::Resolved, AlertState::Resolved) } else { (Turn::Ended, AlertState::Ended) };
            (alert.state, alert.ended_ms) = (state, Some(at_ms));
            return Some((turn, alert));
        }
        if !goes_on || self.no_data.is_some() || self.unknown_ms < limit_ms {
            return None;
        }
        let rule = format!("{NO_DATA}{}", self.alert.rule);
        let alert = Alert {
            fingerprint: Fingerprint::of(host, &rule, &self.alert.entity),
            rule,
            state: AlertState::Firing,
            since_ms: at_ms - self.unknown_ms,
            observed_ms: self.unknown_ms,
            fired_ms: Some(at_ms),
            value: None,
            incident: None,
            ..self.alert.clone()
        };
        self.no_data = Some(alert.clone());
        Some((Turn::Blinded, alert))
    }

    /// It, and the alert that says that its data is missing.
    pub(crate) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        std::iter::once(&self.alert).chain(&self.no_data)
    }

    /// Nobody looked for so long that what it waits for has to begin anew.
    pub(crate) fn lapse(&mut self, at_ms: i64) -> Turn {
        if self.is_pending() { self.gone(at_ms) } else { self.relapse() }
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

    /// Says now and then how far what it waits for has come.
    fn progress(&mut self, turn: Turn) -> Turn {
        if self.alert.observed_ms - self.written_ms < ROW_EVERY_MS {
            return Turn::Still;
        }
        self.written_ms = self.alert.observed_ms;
        turn
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

    fn recover(&mut self, sight: Sight, keep_ms: i64) -> Turn {
        let begins = self.is_firing();
        if begins {
            self.alert.state = AlertState::Recovering;
            (self.alert.observed_ms, self.written_ms) = (0, 0);
        } else {
            self.alert.observed_ms += sight.interval_ms;
        }
        let keep_ms = if self.flaps { keep_ms.max(CALM_MS) } else { keep_ms };
        if self.alert.observed_ms >= keep_ms {
            self.over(AlertState::Resolved, sight.at_ms)
        } else if begins {
            Turn::Recovering
        } else {
            self.progress(Turn::Recovering)
        }
    }

    fn relapse(&mut self) -> Turn {
        if self.is_firing() {
            return Turn::Still;
        }
        self.alert.state = AlertState::Firing;
        self.alert.observed_ms = 0;
        Turn::Relapsed
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
