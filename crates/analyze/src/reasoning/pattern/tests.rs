use proptest::prelude::*;

use super::*;

const HOUR_MS: i64 = 60 * MINUTE_MS;
/// 2026-11-02 00:00 UTC, a Monday.
const MONDAY_MS: i64 = 1_793_577_600_000;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// Times of so many days in a row, each so long after its midnight.
fn daily(days: impl IntoIterator<Item = i64>, at_ms: i64) -> Vec<i64> {
    days.into_iter().map(|day| MONDAY_MS + day * DAY_MS + at_ms).collect()
}

/// A few seconds to minutes off, differently each time, at most `most_ms` to either side.
fn shaken(times_ms: &[i64], most_ms: i64) -> Vec<i64> {
    let off = |index: i64| (index * 7_919 + 31).rem_euclid(2 * most_ms + 1) - most_ms;
    times_ms.iter().zip(0..).map(|(time_ms, index)| time_ms + off(index)).collect()
}

fn pattern_of(times_ms: &[i64], now_ms: i64, zone: &TimeZone) -> Option<Pattern> {
    pattern(times_ms, now_ms, zone)
}

fn found(times_ms: &[i64]) -> Option<Pattern> {
    pattern(times_ms, *times_ms.iter().max().unwrap(), &TimeZone::UTC)
}

#[test]
fn every_night_at_the_same_time_is_a_day() {
    let times_ms = shaken(&daily(0..7, 3 * HOUR_MS + 4 * MINUTE_MS), 30_000);
    let pattern = found(&times_ms).unwrap();
    assert_eq!((pattern.cycle, pattern.minute, pattern.weekday), (Cycle::Day, Some(184), None));
    assert_eq!((pattern.hits, pattern.chances, pattern.period_ms), (7, 7, DAY_MS));
    assert!(pattern.spread_ms <= 30_000, "{pattern:?}");
    assert_eq!(pattern.next_ms, MONDAY_MS + 7 * DAY_MS + 3 * HOUR_MS + 4 * MINUTE_MS);
}

#[test]
fn a_night_without_it_is_a_chance_that_was_not_taken() {
    let at_ms = 3 * HOUR_MS;
    let pattern = found(&daily([0, 1, 2, 4, 5, 6], at_ms)).unwrap();
    assert_eq!((pattern.hits, pattern.chances), (6, 7));
    // Two weeks are looked at.
    let pattern = found(&daily(0..30, at_ms)).unwrap();
    assert_eq!((pattern.hits, pattern.chances), (14, 14));
    // It is over: of the last fourteen nights it came in four.
    let times_ms = daily(0..14, at_ms);
    assert_eq!(pattern_of(&times_ms, MONDAY_MS + 24 * DAY_MS, &TimeZone::UTC), None);
    // Until the time of this night has come nothing is missing.
    let early_ms = MONDAY_MS + 7 * DAY_MS + at_ms - HOUR_MS;
    let pattern = pattern_of(&daily(0..7, at_ms), early_ms, &TimeZone::UTC).unwrap();
    assert_eq!((pattern.hits, pattern.chances, pattern.next_ms), (7, 7, early_ms + HOUR_MS));
}

#[test]
fn a_time_around_midnight_is_one_time() {
    let times_ms: Vec<i64> =
        (0..8).map(|day| MONDAY_MS + day * DAY_MS + if day % 2 == 0 { 60_000 } else { -60_000 }).collect();
    let pattern = found(&times_ms).unwrap();
    assert_eq!((pattern.cycle, pattern.hits, pattern.chances), (Cycle::Day, 8, 8));
    assert!(matches!(pattern.minute, Some(0 | 1 | 1_439)), "{pattern:?}");
}

#[test]
fn the_clock_on_the_wall_counts_over_summer_time() {
    // 03:04 in Berlin from 20 to 30 October 2026; the clock went back on the 25th.
    let zone = berlin();
    let times_ms: Vec<i64> = (20..=30)
        .map(|day| jiff::civil::date(2026, 10, day).at(3, 4, 0, 0).to_zoned(zone.clone()).unwrap())
        .map(|zoned| zoned.timestamp().as_millisecond())
        .collect();
    let pattern = pattern_of(&times_ms, times_ms[10], &zone).unwrap();
    assert_eq!((pattern.cycle, pattern.minute, pattern.hits, pattern.chances), (Cycle::Day, Some(184), 11, 11));
    assert_eq!((pattern.spread_ms, pattern.next_ms), (0, times_ms[10] + DAY_MS));
    // In the night before the clock goes back a day has 25 hours.
    let pattern = pattern_of(&times_ms[..5], times_ms[4], &zone).unwrap();
    assert_eq!(pattern.next_ms, times_ms[4] + 25 * HOUR_MS);
}

#[test]
fn mondays_are_a_week() {
    let times_ms = shaken(&daily([0, 7, 14, 21], 2 * HOUR_MS), 20_000);
    let pattern = found(&times_ms).unwrap();
    assert_eq!((pattern.cycle, pattern.weekday, pattern.minute), (Cycle::Week, Some(1), Some(120)));
    assert_eq!((pattern.hits, pattern.chances), (4, 4));
    assert_eq!(pattern.next_ms, MONDAY_MS + 28 * DAY_MS + 2 * HOUR_MS);
    let sundays = daily([6, 13, 20], 23 * HOUR_MS);
    assert_eq!(found(&sundays).unwrap().weekday, Some(7));
    // Working days are days: ten of fourteen.
    let working = daily([0, 1, 2, 3, 4, 7, 8, 9, 10, 11], 9 * HOUR_MS);
    let pattern = pattern_of(&working, MONDAY_MS + 13 * DAY_MS + 10 * HOUR_MS, &TimeZone::UTC).unwrap();
    assert_eq!((pattern.cycle, pattern.hits, pattern.chances), (Cycle::Day, 10, 14));
}

#[test]
fn equal_distances_are_an_interval() {
    let times_ms = shaken(&(0..12).map(|n| MONDAY_MS + n * 6 * HOUR_MS).collect::<Vec<_>>(), 60_000);
    let pattern = found(&times_ms).unwrap();
    assert_eq!((pattern.cycle, pattern.minute, pattern.hits, pattern.chances), (Cycle::Interval, None, 11, 11));
    assert!((pattern.period_ms - 6 * HOUR_MS).abs() <= 120_000, "{pattern:?}");
    assert_eq!(pattern.next_ms, times_ms[11] + pattern.period_ms);
    // One that did not come leaves the others where they are.
    let mut missing = times_ms.clone();
    missing.remove(5);
    let pattern = found(&missing).unwrap();
    assert_eq!((pattern.cycle, pattern.hits, pattern.chances), (Cycle::Interval, 9, 11));
    // It has not come for days.
    assert_eq!(pattern_of(&times_ms, times_ms[11] + 3 * DAY_MS, &TimeZone::UTC), None);
    // What comes and goes within minutes flaps.
    let flapping: Vec<i64> = (0..50).map(|n| MONDAY_MS + n * 2 * MINUTE_MS).collect();
    assert!(found(&flapping).is_none_or(|pattern| pattern.cycle != Cycle::Interval));
}

#[test]
fn others_in_between_do_not_hide_what_is_regular() {
    let mut times_ms = shaken(&daily(0..14, 3 * HOUR_MS + 4 * MINUTE_MS), 60_000);
    times_ms.extend(shaken(&daily([1, 4, 6, 9, 12], 15 * HOUR_MS), 5 * HOUR_MS));
    let pattern = pattern_of(&times_ms, MONDAY_MS + 14 * DAY_MS, &TimeZone::UTC).unwrap();
    assert_eq!((pattern.cycle, pattern.minute, pattern.hits, pattern.chances), (Cycle::Day, Some(184), 14, 14));
}

#[test]
fn too_little_says_nothing() {
    for times_ms in [vec![], vec![MONDAY_MS], daily([0, 1], 0), daily([0, 0, 0, 0], 0), daily([0, 9, 13], 0)] {
        assert_eq!(pattern(&times_ms, MONDAY_MS + 14 * DAY_MS, &TimeZone::UTC), None, "{times_ms:?}");
    }
    assert_eq!(pattern(&[i64::MAX, i64::MIN, 0, 1], i64::MAX, &TimeZone::UTC), None);
}

#[test]
fn what_comes_by_chance_has_seldom_a_pattern() {
    let mut state = 42_u64;
    let mut random = |below: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap() % below
    };
    for (count, most) in [(3, 20), (7, 20), (30, 30), (100, 30)] {
        let mut patterns = 0;
        for _ in 0..1_000 {
            let times_ms: Vec<i64> = (0..count).map(|_| MONDAY_MS + random(30 * DAY_MS)).collect();
            patterns += usize::from(pattern(&times_ms, MONDAY_MS + 30 * DAY_MS, &TimeZone::UTC).is_some());
        }
        assert!(patterns <= most, "{patterns} of 1,000 with {count} times each");
    }
}

#[test]
fn the_tail_of_the_binomial_distribution_is_right() {
    for (hits, tries, each, expected) in
        [(0, 5, 0.3, 1.0), (1, 2, 0.5, 0.75), (3, 3, 0.1, 0.001), (2, 4, 0.25, 0.261_718_75), (4, 3, 0.5, 0.0)]
    {
        assert!((at_least(hits, tries, each) - expected).abs() < 1e-12, "{hits} of {tries}");
    }
    assert_eq!(at_least(3, 3, 1.0), 1.0);
}

proptest! {
    #[test]
    fn any_times_give_a_pattern_that_makes_sense(
        times in prop::collection::vec(prop_oneof![0..30 * DAY_MS, (0..120_i64).prop_map(|n| n * 6 * HOUR_MS)], 0..40),
        after in 0..3 * DAY_MS,
    ) {
        let times_ms: Vec<i64> = times.into_iter().map(|time_ms| MONDAY_MS + time_ms).collect();
        let now_ms = times_ms.iter().max().copied().unwrap_or(MONDAY_MS) + after;
        if let Some(pattern) = pattern(&times_ms, now_ms, &berlin()) {
            prop_assert!(pattern.next_ms > now_ms && pattern.next_ms <= now_ms + WEEK_MS + HOUR_MS);
            prop_assert!(pattern.hits >= 3 && pattern.hits <= pattern.chances, "{pattern:?}");
            prop_assert!(pattern.spread_ms >= 0 && pattern.minute.is_none_or(|minute| minute < 1_440));
            prop_assert_eq!(pattern.weekday.is_some(), pattern.cycle == Cycle::Week);
        }
    }
}
