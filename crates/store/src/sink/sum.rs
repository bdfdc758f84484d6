//! Counters that belong together, added up over an interval.

/// Differences of `N` counters that are read together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum<const N: usize> {
    amounts: [u64; N],
    /// Time of ticks in which they were unknown, milliseconds.
    unknown_ms: i64,
    is_known: bool,
}

impl<const N: usize> Default for Sum<N> {
    fn default() -> Self {
        Self { amounts: [0; N], unknown_ms: 0, is_known: false }
    }
}

impl<const N: usize> Sum<N> {
    /// Adds the differences of a tick. A first look has no length and says nothing.
    pub(super) fn add(&mut self, differences: Option<[u64; N]>, interval_ms: i64) {
        match differences {
            _ if interval_ms <= 0 => {}
            Some(_) => self.add_known(differences),
            None => self.unknown_ms += interval_ms,
        }
    }

    /// Adds differences where they are known.
    pub(super) fn add_known(&mut self, differences: Option<[u64; N]>) {
        let Some(differences) = differences else { return };
        for (amount, difference) in self.amounts.iter_mut().zip(differences) {
            *amount = amount.saturating_add(difference);
        }
        self.is_known = true;
    }

    /// Means over that part of the interval in which they were known; `None` where they never were.
    pub(super) fn per_second(&self, interval_ms: i64) -> [Option<f64>; N] {
        let known_ms = interval_ms - self.unknown_ms;
        self.amounts.map(|amount| (self.is_known && known_ms > 0).then(|| amount as f64 * 1e3 / known_ms as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_over_the_time_in_which_it_was_known() {
        let mean = |ticks: &[(Option<u64>, i64)]| {
            let mut sum = Sum::<1>::default();
            for (difference, interval_ms) in ticks {
                sum.add(difference.map(|difference| [difference]), *interval_ms);
            }
            sum.per_second(ticks.iter().map(|(_, interval_ms)| interval_ms).sum())
        };
        for (name, ticks, expected) in [
            ("nothing", &[][..], None),
            ("a first look", &[(None, 0)], None),
            ("a first look, then ticks", &[(None, 0), (Some(10), 1_000), (Some(20), 1_000)], Some(15.0)),
            ("idle", &[(Some(0), 1_000)], Some(0.0)),
            ("unknown once", &[(Some(10), 1_000), (None, 2_000)], Some(10.0)),
            ("never known", &[(None, 1_000), (None, 1_000)], None),
            ("more than there is", &[(Some(u64::MAX), 1_000), (Some(1), 1_000)], Some(u64::MAX as f64 / 2.0)),
        ] {
            assert_eq!(mean(ticks), [expected], "{name}");
        }
    }

    #[test]
    fn what_is_unknown_of_an_end_does_not_take_away_what_was_seen() {
        let mut sum = Sum::<2>::default();
        sum.add(Some([1_000, 0]), 1_000);
        sum.add_known(None);
        assert_eq!(sum.per_second(2_000), [Some(500.0), Some(0.0)]);
        sum.add_known(Some([1_000, 2_000]));
        assert_eq!(sum.per_second(2_000), [Some(1_000.0), Some(1_000.0)]);
    }
}
