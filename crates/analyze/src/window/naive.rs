//! Windows against a direct computation over all values: every function, with gaps, lost ticks, sleep and clocks that are set.

use proptest::prelude::*;
use watchkeeper_core::moment::Moment;
use watchkeeper_expression::Function;

use super::clock::{Clock, Stretch};
use super::track::{Look, Shape, Track};
use crate::scenes::{BOOT, Machine};

/// What happens between two looks, and what the second one sees.
#[derive(Clone, Copy, Debug)]
struct Step {
    value: Option<f64>,
    /// Ticks that were lost before it.
    lost: i64,
    /// How long the machine slept before it, and by how much the clock was set, milliseconds.
    slept_ms: i64,
    set_ms: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Values that seldom move, and values that always do.
    let value = prop_oneof![Just((1, 40)), Just((2, 30)), Just((2, 4)), Just((100, 10))];
    let lost = prop_oneof![20 => Just(0_i64), 1 => 1_i64..6];
    let odd = prop_oneof![20 => Just(0_i64), 1 => -40_000_000_i64..40_000_000];
    value.prop_flat_map(move |(values, seldom)| {
        let value = prop_oneof![
            seldom => Just(Some(3.25)),
            2 => (0..values).prop_map(|value| Some(f64::from(value) - 50.0)),
            1 => Just(None),
        ];
        let step = (value, lost.clone(), odd.clone(), odd.clone()).prop_map(|(value, lost, slept_ms, set_ms)| Step {
            value,
            lost,
            slept_ms: slept_ms.max(0),
            set_ms,
        });
        prop::collection::vec(step, 1..120)
    })
}

/// The values of a window with their times, milliseconds, as anybody would write it down.
struct Naive {
    /// End of the look, and its value.
    seen: Vec<(i64, f64)>,
    now_ms: i64,
    length_ms: i64,
    interval_ms: i64,
}

impl Naive {
    fn inside(&self) -> Vec<(i64, f64)> {
        let begin_ms = self.now_ms - self.length_ms;
        self.seen.iter().filter(|(end_ms, _)| end_ms - self.interval_ms >= begin_ms).copied().collect()
    }

    /// Slopes of all pairs are only worked out where they are asked for.
    fn value(&self, function: Function) -> Option<f64> {
        let inside = self.inside();
        let known_ms = inside.len() as i64 * self.interval_ms;
        if known_ms * 5 < self.length_ms * 4 {
            return None;
        }
        let mut values: Vec<f64> = inside.iter().map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let mut slopes = Vec::new();
        let of_pairs = matches!(function, Function::Slope | Function::Predict { .. });
        for (index, (later_ms, later)) in inside.iter().enumerate().filter(|_| of_pairs) {
            for (earlier_ms, earlier) in &inside[..index] {
                slopes.push((later - earlier) / (later_ms - earlier_ms) as f64 * 1e3);
            }
        }
        let middle = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
        };
        let (first, last) = (inside.first()?, inside.last()?);
        Some(match function {
            Function::Avg => values.iter().sum::<f64>() / values.len() as f64,
            Function::Min => values[0],
            Function::Max => values[values.len() - 1],
            Function::Count => values.iter().sum::<f64>() * self.interval_ms as f64 / 1e3,
            Function::Quantile(share) => {
                let place = share * (values.len() - 1) as f64;
                let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
                below + (above - below) * place.fract()
            }
            Function::Rate if inside.len() < 2 => return None,
            Function::Rate => (last.1 - first.1) / (last.0 - first.0) as f64 * 1e3,
            Function::Slope | Function::Predict { .. } if slopes.is_empty() => return None,
            Function::Slope => middle(&mut slopes),
            Function::Predict { horizon_ms } => {
                let slope = middle(&mut slopes);
                // A value stands for its interval, so for the middle of it.
                let at = |end_ms: i64| (self.now_ms - end_ms) as f64 / 1e3 + self.interval_ms as f64 / 2e3;
                let mut levels = inside.iter().map(|(end_ms, value)| value + slope * at(*end_ms)).collect();
                middle(&mut levels) + slope * horizon_ms as f64 / 1e3
            }
            Function::TrendP | Function::Growth => unreachable!("they have tests of their own"),
        })
    }
}

const FUNCTIONS: [Function; 9] = [
    Function::Avg,
    Function::Min,
    Function::Max,
    Function::Count,
    Function::Rate,
    Function::Quantile(0.5),
    Function::Quantile(0.95),
    Function::Slope,
    Function::Predict { horizon_ms: 30_000 },
];

proptest! {
    #[test]
    fn a_window_that_keeps_every_look_is_exact(
        steps in steps(), looks in 3_i64..40, interval_ms in prop_oneof![Just(1_000_i64), Just(2_500)],
    ) {
        let shape = Shape::new(looks * interval_ms, interval_ms);
        let mut naive = Naive { seen: Vec::new(), now_ms: 0, length_ms: looks * interval_ms, interval_ms };
        let (mut track, mut clock, mut machine) = (Track::default(), Clock::default(), Machine::new());
        machine.snapshot.interval_ms = interval_ms;
        for step in steps {
            machine.snapshot.at.ts_ms += step.slept_ms + step.set_ms + step.lost * interval_ms;
            machine.snapshot.at.suspended_ms += step.slept_ms;
            machine.snapshot.at.mono_ms += step.lost * interval_ms;
            let stretch = clock.advance(&machine.tick());
            // Before the first look there is no time that could be lost.
            naive.now_ms += interval_ms + if naive.now_ms > 0 { step.lost * interval_ms } else { 0 };
            let look = step.value.map(|value| Look { value, weight_ms: interval_ms as f64, life_ms: 0 });
            track.record(shape, stretch, look);
            naive.seen.extend(step.value.map(|value| (naive.now_ms, value)));
            prop_assert_eq!(stretch.now_ms, naive.now_ms);
            for function in FUNCTIONS {
                let (found, wanted) = (track.value(shape, function, stretch.now_ms), naive.value(function));
                let near = match (found, wanted) {
                    (Some(found), Some(wanted)) => (found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
                    (found, wanted) => found == wanted,
                };
                prop_assert!(near, "{:?}: {:?} instead of {:?}", function, found, wanted);
            }
        }
    }

    #[test]
    fn a_long_window_is_as_exact_as_its_buckets(seed in any::<u64>(), looks in 200_i64..3_000) {
        let (interval_ms, length_ms) = (1_000, looks * 1_000);
        let shape = Shape::new(length_ms, interval_ms);
        let mut track = Track::default();
        let mut naive = Naive { seen: Vec::new(), now_ms: 0, length_ms, interval_ms };
        let mut state = seed;
        for number in 1..=looks * 2 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = ((state >> 40) % 100) as f64 + number as f64 / 10.0;
            naive.now_ms = number * interval_ms;
            naive.seen.push((naive.now_ms, value));
            let look = Look { value, weight_ms: 1e3, life_ms: 0 };
            track.record(shape, Stretch { now_ms: naive.now_ms, known_ms: interval_ms }, Some(look));
        }
        prop_assert!(track.buckets().count() <= 128);
        // The part of the oldest bucket that is still inside is left out.
        let from_ms = track.buckets().map(|bucket| bucket.from_ms).min().unwrap();
        let begin_ms = naive.now_ms - length_ms;
        prop_assert!((begin_ms..begin_ms + length_ms / 64 + 1_000).contains(&from_ms));
        naive.length_ms = naive.now_ms - from_ms;
        for function in [Function::Avg, Function::Min, Function::Max, Function::Count] {
            let (found, wanted) = (track.value(shape, function, naive.now_ms), naive.value(function));
            let (Some(found), Some(wanted)) = (found, wanted) else { panic!("{function:?}: {found:?}, {wanted:?}") };
            prop_assert!((found - wanted).abs() <= 1e-9 * wanted, "{:?}: {} instead of {}", function, found, wanted);
        }
        // A slope of 0.1 under noise of 0 to 100.
        let slope = track.value(shape, Function::Slope, naive.now_ms).unwrap();
        prop_assert!((slope - 0.1).abs() <= 60.0 / looks as f64, "{}", slope);
    }
}

#[test]
fn a_window_is_known_from_four_fifths_on() {
    let shape = Shape::new(10_000, 1_000);
    let mut track = Track::default();
    let mut known = Vec::new();
    let seen = [true, true, true, true, true, true, true, false, true, true, false, false, true, true];
    for (number, is_seen) in (1..).zip(seen) {
        let look = is_seen.then_some(Look { value: 1.0, weight_ms: 1e3, life_ms: 0 });
        track.record(shape, Stretch { now_ms: number * 1_000, known_ms: 1_000 }, look);
        known.push(track.value(shape, Function::Avg, number * 1_000).is_some());
    }
    let wanted = [false, false, false, false, false, false, false, false, true, true, true, false, false, false];
    assert_eq!(known, wanted);
}

#[test]
fn time_is_that_of_the_monotonic_clock_over_boots() {
    let mut machine = Machine::new();
    let mut clock = Clock::default();
    // A first look of a watch knows nothing of the time before it.
    assert_eq!(clock.advance(&machine.first_look(0)), Stretch { now_ms: 0, known_ms: 0 });
    assert_eq!(clock.advance(&machine.tick()), Stretch { now_ms: 1_000, known_ms: 1_000 });
    // Asleep for eight hours: the wall clock alone moves.
    machine.snapshot.at.ts_ms += 28_800_000;
    machine.snapshot.at.suspended_ms += 28_800_000;
    assert_eq!(clock.advance(&machine.tick()), Stretch { now_ms: 2_000, known_ms: 1_000 });
    // Five minutes without a watch.
    assert_eq!(clock.advance(&machine.first_look(300_000)), Stretch { now_ms: 302_000, known_ms: 0 });
    // Another boot: nobody was off for any time that counts.
    let boot = watchkeeper_core::BootId(uuid::Uuid::from_u128(77));
    machine.snapshot.at = Moment { mono_ms: 4_000, boot, ..machine.snapshot.at };
    assert_ne!(boot, BOOT);
    assert_eq!(clock.advance(&machine.tick()), Stretch { now_ms: 303_000, known_ms: 1_000 });
}

#[test]
fn looks_that_come_early_or_late_are_one_bucket_each() {
    let shape = Shape::new(120_000, 1_000);
    let mut track = Track::default();
    let mut now_ms = 0;
    for number in 0..500 {
        let known_ms = 1_000 + [0, 12, -7, 3, -8][number % 5];
        now_ms += known_ms;
        let look = Look { value: number as f64, weight_ms: known_ms as f64, life_ms: 0 };
        track.record(shape, Stretch { now_ms, known_ms }, Some(look));
    }
    assert_eq!(track.buckets().count(), 120);
}

#[test]
fn what_is_still_takes_no_buckets_and_moves_as_if_it_had_some() {
    let shape = Shape::new(600_000, 1_000);
    let mut track = Track::default();
    let mut feed = |value: f64, range: std::ops::RangeInclusive<i64>| {
        for number in range {
            let look = Look { value, weight_ms: 1e3, life_ms: 0 };
            track.record(shape, Stretch { now_ms: number * 1_000, known_ms: 1_000 }, Some(look));
        }
        let functions = [Function::Avg, Function::Max, Function::Slope, Function::TrendP, Function::Quantile(0.5)];
        (track.buckets().count(), functions.map(|function| track.value(shape, function, 0)))
    };
    assert_eq!(feed(7.0, 1..=1_000), (0, [7.0, 7.0, 0.0, 1.0, 7.0].map(Some)));
    // One more for a minute: 120 buckets of five seconds, of which twelve have it.
    let (buckets, [mean, most, slope, p, middle]) = feed(8.0, 1_001..=1_060);
    assert_eq!((buckets, most, slope, middle), (120, Some(8.0), Some(0.0), Some(7.0)));
    assert!((mean.unwrap() - 7.1).abs() < 1e-9 && p.unwrap() < 1e-6, "{mean:?} {p:?}");
    // Ten minutes later it is still again.
    assert_eq!(feed(8.0, 1_061..=1_700), (0, [8.0, 8.0, 0.0, 1.0, 8.0].map(Some)));
}
