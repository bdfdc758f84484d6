//! When something comes, in words.

use jiff::tz::TimeZone;

use super::{duration, local_time};
use crate::evidence::{Cycle, Pattern};

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// When something comes, and when it is to be expected next, without full stop, e.g. `6 of the last 7 nights, 03:04 ±1 m;
/// next about 2026-11-21 03:04`.
pub fn pattern_sentence(pattern: &Pattern, zone: &TimeZone) -> String {
    let Pattern { hits, chances, .. } = *pattern;
    let of = if hits == chances { "each".to_owned() } else { hits.to_string() };
    let clock = pattern.minute.map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60)).unwrap_or_default();
    let spread = spread(pattern.spread_ms);
    let when = match pattern.cycle {
        Cycle::Day => format!("{of} of the last {chances} {}, {clock}{spread}", days(pattern.minute)),
        Cycle::Week => {
            let day = pattern.weekday.and_then(|day| WEEKDAYS.get(usize::from(day).checked_sub(1)?));
            format!("{of} of the last {chances} {}s, {clock}{spread}", day.unwrap_or(&"week"))
        }
        Cycle::Interval => format!("every {}{spread}, {hits} of {chances} times", duration(pattern.period_ms)),
    };
    let mut next = local_time(pattern.next_ms, zone);
    // Nobody knows it to the second.
    next.truncate(next.rfind(':').unwrap_or(next.len()));
    format!("{when}; next about {next}")
}

/// What people call a day at whose end or begin something comes.
fn days(minute: Option<u16>) -> &'static str {
    if minute.is_some_and(|minute| (360..1_260).contains(&minute)) { "days" } else { "nights" }
}

/// How far off it may be, in whole minutes; of an hour and more in the same words as other times.
fn spread(spread_ms: i64) -> String {
    match (spread_ms + 30_000) / 60_000 {
        0 => " ±1 m".to_owned(),
        minutes => format!(" ±{}", duration(minutes * 60_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_read_well() {
        let nightly = Pattern {
            cycle: Cycle::Day,
            period_ms: 86_400_000,
            minute: Some(184),
            weekday: None,
            spread_ms: 20_000,
            hits: 6,
            chances: 7,
            next_ms: 1_795_143_845_000,
        };
        let weekly =
            Pattern { cycle: Cycle::Week, weekday: Some(1), minute: Some(540), spread_ms: 180_000, ..nightly.clone() };
        let every = Pattern {
            cycle: Cycle::Interval,
            period_ms: 21_600_000,
            minute: None,
            spread_ms: 5_400_000,
            ..nightly.clone()
        };
        for (pattern, sentence) in [
            (nightly.clone(), "6 of the last 7 nights, 03:04 ±1 m; next about 2026-11-20 03:04"),
            (
                Pattern { hits: 7, ..nightly.clone() },
                "each of the last 7 nights, 03:04 ±1 m; next about 2026-11-20 03:04",
            ),
            (
                Pattern { minute: Some(725), spread_ms: 95_000, ..nightly },
                "6 of the last 7 days, 12:05 ±2 m; next about 2026-11-20 03:04",
            ),
            (weekly, "6 of the last 7 Mondays, 09:00 ±3 m; next about 2026-11-20 03:04"),
            (every, "every 6 h 0 m ±1 h 30 m, 6 of 7 times; next about 2026-11-20 03:04"),
        ] {
            assert_eq!(pattern_sentence(&pattern, &TimeZone::UTC), sentence);
        }
    }
}
