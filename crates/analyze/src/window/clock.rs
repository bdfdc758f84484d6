//! Time as windows count it: monotonic, from the first tick on, over boots; asleep or switched off it stands still.

use watchkeeper_core::Snapshot;
use watchkeeper_core::moment::Moment;

/// Observed time since the first tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    now_ms: i64,
    last: Option<Moment>,
}

/// The time that a tick stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Its end.
    pub(crate) now_ms: i64,
    /// How much of the time before its end it knows, milliseconds; 0 at a first look.
    pub(crate) known_ms: i64,
}

impl Clock {
    /// Moves on to a tick. What lies between the end of the last one and the interval of this one is time of which
    /// nothing is known: ticks that were lost, and the time without a watch.
    pub(crate) fn advance(&mut self, snapshot: &Snapshot) -> Stretch {
        let interval_ms = snapshot.interval_ms.max(0);
        let passed_ms = match self.last {
            Some(last) if last.boot == snapshot.at.boot => snapshot.at.mono_ms.saturating_sub(last.mono_ms),
            // How long a machine was off is no more observed than how long it slept.
            _ => interval_ms,
        };
        self.last = Some(snapshot.at);
        self.now_ms = self.now_ms.saturating_add(passed_ms.max(interval_ms));
        Stretch { now_ms: self.now_ms, known_ms: interval_ms }
    }
}
