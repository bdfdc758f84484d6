//! Storms: more incidents than people can be told of one by one.

use std::collections::VecDeque;

use watchkeeper_core::IncidentKey;

/// More new incidents than this within [`WINDOW_MS`] are a storm.
const MANY: usize = 20;
/// Observed milliseconds.
const WINDOW_MS: i64 = 60_000;

/// Counts the incidents that open.
#[derive(Default)]
pub(super) struct Storms {
    /// Those of the last minute, with the observed time at which they opened, milliseconds.
    lately: VecDeque<(i64, IncidentKey)>,
    observed_ms: i64,
    /// When the storm began that goes on, milliseconds UTC.
    since_ms: Option<i64>,
}

impl Storms {
    /// One tick with its new incidents. If there is a storm: when it began, and all incidents of the last minute.
    pub(super) fn look(
        &mut self,
        at_ms: i64,
        passed_ms: i64,
        opened: impl Iterator<Item = IncidentKey>,
    ) -> Option<(i64, impl Iterator<Item = IncidentKey>)> {
        self.observed_ms += passed_ms;
        let now_ms = self.observed_ms;
        self.lately.extend(opened.map(|key| (now_ms, key)));
        while self.lately.front().is_some_and(|(opened_ms, _)| now_ms - opened_ms > WINDOW_MS) {
            self.lately.pop_front();
        }
        if self.lately.len() <= MANY {
            self.since_ms = None;
            return None;
        }
        let since_ms = *self.since_ms.get_or_insert(at_ms);
        Some((since_ms, self.lately.iter().map(|(_, key)| *key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_twenty_in_a_minute_are_a_storm_until_it_calms_down() {
        let mut storms = Storms::default();
        let mut number = 0;
        let mut look = |at_ms, passed_ms, count: u64| {
            let keys: Vec<_> = (0..count).map(|more| IncidentKey(number + more)).collect();
            number += count;
            storms.look(at_ms, passed_ms, keys.into_iter()).map(|(since_ms, keys)| (since_ms, keys.count()))
        };
        assert_eq!(look(1_000, 1_000, 20), None);
        assert_eq!(look(2_000, 1_000, 1), Some((2_000, 21)));
        assert_eq!(look(61_000, 59_000, 0), Some((2_000, 21)), "exactly a minute");
        assert_eq!(look(61_500, 500, 0), None);
        assert_eq!(look(61_600, 100, 20), Some((61_600, 21)), "another storm");
        assert_eq!(look(500_000, 0, 1), Some((61_600, 22)), "the wall clock was set");
    }
}
