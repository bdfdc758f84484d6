//! What is usual at an hour of the day.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use watchkeeper_core::evidence::UsualRange;
use watchkeeper_core::{History, Range, Series};

use super::MINUTE_MS;

/// Days that a usual range looks back.
const USUAL_DAYS: i32 = 14;
/// Fewest days that make something usual.
const FEWEST_DAYS: u32 = 3;
/// Minutes to either side of the same time of day.
const USUAL_HALF_MS: i64 = 30 * MINUTE_MS;
/// Fewest known minutes that make a day count.
const FEWEST_MINUTES: usize = 10;

/// What is usual for a series at this time of the day, milliseconds UTC: p10 to p90 of its 1-minute values within 30 min
/// of the same local time over the last 14 days. `None` if fewer than three of these days have ten known minutes, or were
/// answered before the handle's deadline.
pub fn usual(history: &dyn History, series: &Series, at_ms: i64, zone: &TimeZone) -> Option<UsualRange> {
    let at = Timestamp::from_millisecond(at_ms).ok()?.to_zoned(zone.clone());
    let mut values = Vec::new();
    let mut days = 0;
    for back in 1..=USUAL_DAYS {
        // The same time on the clock, whatever summer time did in between.
        let middle_ms = at.checked_sub(back.days()).ok()?.timestamp().as_millisecond();
        let range = Range::new(middle_ms - USUAL_HALF_MS, middle_ms + USUAL_HALF_MS);
        // The nearest days come first: what the deadline leaves is still what was usual lately.
        let Ok(points) = history.series(series, range, MINUTE_MS) else { break };
        let before = values.len();
        values.extend(points.iter().filter_map(|point| point.mean).filter(|mean| mean.is_finite()));
        if values.len() - before >= FEWEST_MINUTES {
            days += 1;
        } else {
            values.truncate(before);
        }
    }
    if days < FEWEST_DAYS {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some(UsualRange { low: quantile(&values, 0.1), high: quantile(&values, 0.9), days })
}

/// A quantile of sorted values, between two of them by proportion; the values are not empty.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
