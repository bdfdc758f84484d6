//! Random numbers that stay the same: for a seed, on every machine, with every version of the libraries.

use std::collections::BTreeSet;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

/// A stream of random numbers: xoshiro256++ with mappings of our own, because those of libraries change.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    generator: Xoshiro256PlusPlus,
}

impl Stream {
    /// `count` streams of one seed that do not overlap within 2^128 numbers: one for each tree, so that the order in which
    /// threads grow them does not matter.
    pub(crate) fn many(seed: u64, count: usize) -> Vec<Self> {
        let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
        (0..count)
            .map(|_| {
                let stream = Self { generator: generator.clone() };
                generator.jump();
                stream
            })
            .collect()
    }

    /// A whole number in `0..end`, each equally likely; `end` is not 0.
    ///
    /// Lemire, "Fast random integer generation in an interval" (2019): the upper half of a product, without the few
    /// values that would make some results more likely.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        loop {
            let product = u128::from(self.generator.next_u64()) * u128::from(end);
            if product as u64 >= end.wrapping_neg() % end {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// `count` different numbers of `0..end` in ascending order, each set equally likely; `count` is at most `end`.
    ///
    /// Floyd's algorithm: costs `count` draws, however large `end` is.
    pub(crate) fn choose(&mut self, count: usize, end: usize) -> Vec<usize> {
        if count >= end {
            return (0..end).collect();
        }
        let mut chosen = BTreeSet::new();
        for last in end - count..end {
            let number = self.below(last as u64 + 1) as usize;
            if !chosen.insert(number) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_for_ever() {
        // From an independent implementation of xoshiro256++, seeded by SplitMix64; the second stream is one jump on.
        let mut streams = Stream::many(42, 2);
        let first: Vec<u64> = (0..3).map(|_| streams[0].generator.next_u64()).collect();
        assert_eq!(first, [15_021_278_609_987_233_951, 5_881_210_131_331_364_753, 18_149_643_915_985_481_100]);
        assert_eq!(streams[1].below(1_000_000), 752_791);
        assert_eq!(streams[1].unit().to_bits(), 4_600_265_354_200_021_486);
        assert_eq!(streams[1].choose(5, 1_000_000), [6_443, 34_446, 127_861, 727_640, 864_431]);
    }

    #[test]
    fn numbers_below_an_end_are_all_equally_likely() {
        let mut stream = Stream::many(7, 1).remove(0);
        for end in [1_u64, 2, 3, 10, 256] {
            let draws = 4_000 * end;
            let mut counts = vec![0_u32; end as usize];
            for _ in 0..draws {
                counts[stream.below(end) as usize] += 1;
            }
            // 4,000 each, with a standard deviation of 63 at most.
            assert!(counts.iter().all(|count| count.abs_diff(4_000) < 320), "{end}: {counts:?}");
        }
        assert!(stream.below(u64::MAX) < u64::MAX);
    }

    #[test]
    fn chosen_numbers_are_different_and_all_equally_likely() {
        let mut stream = Stream::many(7, 1).remove(0);
        let mut counts = [0_u32; 12];
        for _ in 0..6_000 {
            let chosen = stream.choose(5, 12);
            assert!(chosen.len() == 5 && chosen.is_sorted_by(|a, b| a < b) && chosen[4] < 12, "{chosen:?}");
            for number in chosen {
                counts[number] += 1;
            }
        }
        assert!(counts.iter().all(|count| count.abs_diff(2_500) < 200), "{counts:?}");
        assert_eq!(stream.choose(3, 3), [0, 1, 2]);
        assert_eq!(stream.choose(9, 3), [0, 1, 2]);
        assert!(stream.choose(0, 3).is_empty());
    }

    #[test]
    fn units_are_below_one() {
        let mut stream = Stream::many(7, 1).remove(0);
        let numbers: Vec<f64> = (0..10_000).map(|_| stream.unit()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }
}
