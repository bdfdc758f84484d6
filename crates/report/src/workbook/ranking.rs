//! Sums for each of many, where only those with the most are wanted.

use std::collections::HashMap;
use std::hash::Hash;

/// What is summed up and ranked.
pub(super) trait Ranked {
    /// What is more comes first.
    fn rank(&self) -> (u64, u64);
}

/// Sums for each key, in a bounded memory: of too many keys the half with the least is forgotten, so that days of
/// short-lived processes do not pile up. Who was forgotten and comes back begins anew.
#[derive(Debug)]
pub(super) struct Ranking<K, V> {
    entries: HashMap<K, V>,
    most: usize,
    forgotten: u64,
}

/// Those with the most.
#[derive(Debug)]
pub(super) struct Top<K, V> {
    /// The most first.
    pub(super) first: Vec<(K, V)>,
    /// How many others there were.
    pub(super) others: u64,
}

impl<K, V> Default for Top<K, V> {
    fn default() -> Self {
        Self { first: Vec::new(), others: 0 }
    }
}

impl<K: Hash + Ord + Clone, V: Ranked> Ranking<K, V> {
    /// Holds at most so many, and what one row adds.
    pub(super) fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), most, forgotten: 0 }
    }

    /// The sums of a key, made when they are missing.
    pub(super) fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.entries.entry(key).or_insert_with(make)
    }

    /// Forgets, if there are too many; called after each row.
    pub(super) fn tidy(&mut self) {
        if self.entries.len() > self.most {
            let top = self.take(self.most / 2);
            self.forgotten = top.others;
            self.entries = top.first.into_iter().collect();
        }
    }

    /// The first ones, and how many others there are or were.
    pub(super) fn first(mut self, count: usize) -> Top<K, V> {
        self.take(count)
    }

    fn take(&mut self, count: usize) -> Top<K, V> {
        let mut first: Vec<_> = self.entries.drain().collect();
        first.sort_by(|(one, a), (other, b)| b.rank().cmp(&a.rank()).then_with(|| one.cmp(other)));
        let others = self.forgotten + first.len().saturating_sub(count) as u64;
        first.truncate(count);
        Top { first, others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Ranked for u64 {
        fn rank(&self) -> (u64, u64) {
            (*self, 0)
        }
    }

    #[test]
    fn who_has_the_most_is_never_forgotten() {
        let mut ranking = Ranking::new(10);
        for round in 0..1_000_u64 {
            *ranking.entry("always", || 0) += 5;
            *ranking.entry("often", || 0) += u64::from(round % 2 == 0) * 5;
            for name in
                ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].iter().cycle().skip(round as usize % 10).take(9)
            {
                *ranking.entry(*name, || 0) += 0;
            }
            ranking.tidy();
            assert!(ranking.entries.len() <= 10);
        }
        let top = ranking.first(2);
        assert_eq!(top.first, [("always", 5_000), ("often", 2_500)]);
        assert!(top.others > 100);
    }

    #[test]
    fn equals_are_in_the_order_of_their_names() {
        let mut ranking = Ranking::new(10);
        for name in ["c", "a", "b"] {
            ranking.entry(name, || 1);
        }
        let top = ranking.first(2);
        assert_eq!((top.first, top.others), (vec![("a", 1), ("b", 1)], 1));
    }
}
