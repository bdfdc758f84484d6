//! When something comes: at the same time every day or week, or in equal distances.
//!
//! A pattern is only said where times without one would rarely look like it: the number of cycles in which something came
//! is held against a binomial distribution of times that are spread evenly, corrected for having looked everywhere.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use watchkeeper_core::evidence::{Cycle, Pattern};

use super::{DAY_MS, MINUTE_MS};

const WEEK_MS: i64 = 7 * DAY_MS;
/// Fewest cycles in which something came.
const FEWEST_HITS: usize = 3;
/// Fewest equal distances.
const FEWEST_DISTANCES: usize = 4;
/// Least share of the cycles in which it came.
const LEAST_SHARE: f64 = 0.6;
/// What comes at the same time comes within so long.
const WIDEST_MS: i64 = 60 * MINUTE_MS;
/// Times are not taken for closer to each other than this: they come with the ticks and with `for`.
const NARROWEST_MS: i64 = 2 * MINUTE_MS;
/// Days and weeks looked at.
const MOST_DAYS: i64 = 14;
const MOST_WEEKS: i64 = 8;
/// Times without a pattern look like one no more often than this.
const LIKELY_CHANCE: f64 = 0.01;
/// How far a distance may be from the middle one to be equal, as a share of it.
const EQUAL: f64 = 0.1;
/// Share of distances of a Poisson process that lie within [`EQUAL`] of their median: `2^-0.9 - 2^-1.1`.
const EQUAL_BY_CHANCE: f64 = 0.0694;
/// Distances under this are one coming and going.
const SHORTEST_MS: i64 = 5 * MINUTE_MS;

/// When something comes that came at these times, milliseconds UTC in any order; `now_ms` is the end of the time looked
/// at. `None` if it comes irregularly, or too seldom to say.
pub fn pattern(times_ms: &[i64], now_ms: i64, zone: &TimeZone) -> Option<Pattern> {
    let mut times_ms: Vec<i64> = times_ms.iter().copied().filter(|time_ms| *time_ms <= now_ms).collect();
    times_ms.sort_unstable();
    times_ms.dedup();
    if times_ms.len() < FEWEST_HITS {
        return None;
    }
    let local: Vec<Local> = times_ms.iter().map(|time_ms| Local::of(*time_ms, zone)).collect::<Option<_>>()?;
    let now = Local::of(now_ms, zone)?;
    interval(&times_ms, now_ms)
        .or_else(|| cycle(&local, now, Cycle::Day, now_ms, zone))
        .or_else(|| cycle(&local, now, Cycle::Week, now_ms, zone))
}

/// A time as clocks on the wall show it, in milliseconds since a Monday long ago; days have 24 hours there.
#[derive(Clone, Copy)]
struct Local(i64);

impl Local {
    fn of(time_ms: i64, zone: &TimeZone) -> Option<Self> {
        let zoned = Timestamp::from_millisecond(time_ms).ok()?.to_zoned(zone.clone());
        let days = Self::first().until(zoned.date()).ok()?.get_days();
        let time = zoned.time();
        let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
        Some(Self(i64::from(days) * DAY_MS + seconds * 1_000 + i64::from(time.millisecond())))
    }

    /// A Monday.
    fn first() -> Date {
        Date::constant(1969, 12, 29)
    }
}

/// The same time of the day or week.
fn cycle(times: &[Local], now: Local, cycle: Cycle, now_ms: i64, zone: &TimeZone) -> Option<Pattern> {
    let (period_ms, most) = if cycle == Cycle::Week { (WEEK_MS, MOST_WEEKS) } else { (DAY_MS, MOST_DAYS) };
    let center_ms = densest(times, period_ms)?;
    // Cycles are counted from half a period before the center, so that a time around midnight has one number.
    let numbered = |time: &Local| {
        let shifted_ms = time.0 - center_ms + period_ms / 2;
        (shifted_ms.div_euclid(period_ms), shifted_ms.rem_euclid(period_ms) - period_ms / 2)
    };
    let all: Vec<(i64, i64)> = times.iter().map(numbered).collect();
    let near = |distance_ms: i64| distance_ms.abs() <= WIDEST_MS / 2;
    let first = all.iter().find(|(_, distance_ms)| near(*distance_ms))?.0;
    // The last time at which it could have come.
    let (number, distance_ms) = numbered(&now);
    let last = if distance_ms < -NARROWEST_MS { number - 1 } else { number };
    let chances = (last - first + 1).min(most);
    let lately: Vec<(i64, i64)> = all.into_iter().filter(|(number, _)| *number > last - chances).collect();
    let mut hits: Vec<i64> =
        lately.iter().filter(|(_, distance_ms)| near(*distance_ms)).map(|(number, _)| *number).collect();
    hits.dedup();
    if hits.len() < FEWEST_HITS || (hits.len() as f64) < LEAST_SHARE * chances as f64 {
        return None;
    }
    let mut off_ms: Vec<i64> =
        lately.iter().map(|(_, distance_ms)| distance_ms.abs()).filter(|distance_ms| near(*distance_ms)).collect();
    off_ms.sort_unstable();
    let width_ms = (2 * off_ms.last()?).max(NARROWEST_MS);
    let by_chance = 1.0 - (-(lately.len() as f64) / chances as f64 * width_ms as f64 / period_ms as f64).exp();
    let places = period_ms as f64 / width_ms as f64;
    if places * at_least(hits.len(), usize::try_from(chances).ok()?, by_chance) > LIKELY_CHANCE {
        return None;
    }
    let minute = (center_ms.rem_euclid(DAY_MS) + MINUTE_MS / 2) / MINUTE_MS % 1_440;
    let weekday = (cycle == Cycle::Week).then(|| center_ms.div_euclid(DAY_MS).rem_euclid(7) as i8 + 1);
    Some(Pattern {
        cycle,
        period_ms,
        minute: Some(u16::try_from(minute).ok()?),
        weekday: weekday.map(i8::unsigned_abs),
        spread_ms: off_ms[off_ms.len() / 2],
        hits: u32::try_from(hits.len()).ok()?,
        chances: u32::try_from(chances).ok()?,
        next_ms: next(minute, weekday, now_ms, zone)?,
    })
}

/// The middle of the hour of the period into which most of the times fall, milliseconds since the period began.
fn densest(times: &[Local], period_ms: i64) -> Option<i64> {
    let mut places: Vec<i64> = times.iter().map(|time| time.0.rem_euclid(period_ms)).collect();
    places.sort_unstable();
    let count = places.len();
    // Once around, so that midnight divides nothing.
    places.extend_from_within(..);
    places[count..].iter_mut().for_each(|place| *place += period_ms);
    let reach = |from: usize| places[from..from + count].partition_point(|place| *place - places[from] <= WIDEST_MS);
    // Of several that are as full, the closest together.
    let width = |from: usize| places[from + reach(from) - 1] - places[from];
    let from = (0..count).max_by_key(|from| (reach(*from), -width(*from)))?;
    Some(places[from + reach(from) / 2].rem_euclid(period_ms))
}

/// The next time that clocks show this minute of the day, on this day of the week if there is one.
fn next(minute: i64, weekday: Option<i8>, now_ms: i64, zone: &TimeZone) -> Option<i64> {
    let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone());
    let weekday = weekday.and_then(|weekday| Weekday::from_monday_one_offset(weekday).ok());
    let time = jiff::civil::time(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0);
    let days = (0..=7).filter_map(|days| now.date().checked_add(days.days()).ok());
    days.filter(|date| weekday.is_none_or(|weekday| date.weekday() == weekday))
        .filter_map(|date| date.to_datetime(time).to_zoned(zone.clone()).ok())
        .map(|zoned| zoned.timestamp().as_millisecond())
        .find(|time_ms| *time_ms > now_ms)
}

/// Equal distances that are not days, which have patterns of their own.
fn interval(times_ms: &[i64], now_ms: i64) -> Option<Pattern> {
    let mut distances_ms: Vec<i64> = times_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances_ms.sort_unstable();
    let period_ms = *distances_ms.get(distances_ms.len() / 2)?;
    let of_a_day = (period_ms + DAY_MS / 2).rem_euclid(DAY_MS) - DAY_MS / 2;
    if period_ms < SHORTEST_MS || (period_ms > DAY_MS / 2 && of_a_day.abs() <= WIDEST_MS) {
        return None;
    }
    let off_ms = |distance_ms: &i64| (distance_ms - period_ms).abs();
    let hits = distances_ms.iter().filter(|d| off_ms(d) as f64 <= EQUAL * period_ms as f64).count();
    let (first_ms, last_ms) = (*times_ms.first()?, *times_ms.last()?);
    // Those that did not come count, also those that are due and did not come.
    let chances = ((last_ms - first_ms) as f64 / period_ms as f64).round() as usize;
    let overdue = (now_ms - last_ms) as f64 / period_ms as f64;
    let chance = at_least(hits, distances_ms.len(), EQUAL_BY_CHANCE);
    if hits < FEWEST_DISTANCES
        || (hits as f64) < LEAST_SHARE * chances as f64
        || overdue > 2.0
        || chance > LIKELY_CHANCE
    {
        return None;
    }
    let mut spread_ms: Vec<i64> = distances_ms.iter().map(off_ms).collect();
    spread_ms.sort_unstable();
    let periods = (now_ms - last_ms) / period_ms + 1;
    Some(Pattern {
        cycle: Cycle::Interval,
        period_ms,
        minute: None,
        weekday: None,
        spread_ms: spread_ms[spread_ms.len() / 2],
        hits: u32::try_from(hits).ok()?,
        chances: u32::try_from(chances.max(hits)).ok()?,
        next_ms: last_ms + periods * period_ms,
    })
}

/// Probability of at least `hits` of `tries` that each come with probability `each`.
fn at_least(hits: usize, tries: usize, each: f64) -> f64 {
    if each >= 1.0 {
        return 1.0;
    }
    let mut exactly = (1.0 - each).powi(i32::try_from(tries).unwrap_or(i32::MAX));
    let mut fewer = 0.0;
    for count in 0..hits {
        fewer += exactly;
        exactly *= (tries.saturating_sub(count)) as f64 / (count + 1) as f64 * each / (1.0 - each);
    }
    (1.0 - fewer).max(0.0)
}

#[cfg(test)]
mod tests;
