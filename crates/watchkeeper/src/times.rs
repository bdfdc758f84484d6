//! Times as people write them: `2h`, `03:00`, `tomorrow 03:00`, `yesterday 3am`, `2h ago`, ISO 8601, epoch.

mod past;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::{clean, local_time};

pub use past::past;

/// Numbers from here on are milliseconds since 1970, smaller ones seconds: as seconds it is the year 5138.
const LEAST_EPOCH_MS: i64 = 100_000_000_000;

/// The time that is meant, milliseconds UTC: a length counts from now, a time of day is the next one in this zone.
///
/// # Errors
/// A sentence: it is no time, or it is over.
pub fn future(text: &str, now_ms: i64, zone: &TimeZone) -> Result<i64, String> {
    let text = text.trim();
    let Some(time_ms) = parse(text, now_ms, zone) else {
        return Err(format!(
            "`{}` is not a time; write a length such as 2h or 1d, a time of day such as 03:00 or `tomorrow 03:00`, \
             or a date such as 2026-12-31T18:00",
            clean(text, 80)
        ));
    };
    if time_ms <= now_ms {
        let (meant, now) = (local_time(time_ms, zone), local_time(now_ms, zone));
        return Err(format!("`{}` is {meant}, and it is {now} now; name a time to come", clean(text, 80)));
    }
    Ok(time_ms)
}

fn parse(text: &str, now_ms: i64, zone: &TimeZone) -> Option<i64> {
    if let Some(time_ms) = absolute(text, zone) {
        return Some(time_ms);
    }
    if let Ok(span) = Span::parse(text.strip_prefix("in ").unwrap_or(text)) {
        return now_ms.checked_add(span.ms());
    }
    let today = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone()).date();
    let at = |moment: DateTime| Some(moment.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
    if let Some(time) = time_of_day(text) {
        let next = at(today.to_datetime(time))?;
        return if next > now_ms { Some(next) } else { at(today.tomorrow().ok()?.to_datetime(time)) };
    }
    for (word, days) in [("today", 0), ("tomorrow", 1)] {
        if let Some(rest) = text.strip_prefix(word) {
            let time = if rest.is_empty() { Time::midnight() } else { time_of_day(rest.strip_prefix(' ')?.trim())? };
            return at(today.checked_add(days.days()).ok()?.to_datetime(time));
        }
    }
    None
}

/// A time that says by itself which one it is: epoch, ISO 8601, a date, a date and a time of day.
fn absolute(text: &str, zone: &TimeZone) -> Option<i64> {
    if text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let epoch: i64 = text.parse().ok()?;
        return Some(if epoch < LEAST_EPOCH_MS { epoch * 1_000 } else { epoch });
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10).map(|date| date.to_datetime(Time::midnight()));
    let moment = date.or_else(|| text.parse::<DateTime>().ok().filter(|_| time_of_day(text).is_none()))?;
    Some(moment.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

/// `03:00` or `03:00:30`.
fn time_of_day(text: &str) -> Option<Time> {
    Time::strptime("%H:%M", text).or_else(|_| Time::strptime("%H:%M:%S", text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20 17:30:00 in Berlin.
    pub(super) const NOW_MS: i64 = 1_795_192_200_000;

    pub(super) fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    #[test]
    fn a_time_to_come_is_understood_in_every_form() {
        assert_eq!(local_time(NOW_MS, &berlin()), "2026-11-20 17:30:00");
        for (text, expected) in [
            ("2h", "2026-11-20 19:30:00"),
            ("in 2h", "2026-11-20 19:30:00"),
            (" 1h30m ", "2026-11-20 19:00:00"),
            ("1d", "2026-11-21 17:30:00"),
            ("18:00", "2026-11-20 18:00:00"),
            ("3:00", "2026-11-21 03:00:00"),
            ("03:00", "2026-11-21 03:00:00"),
            ("17:30", "2026-11-21 17:30:00"),
            ("03:00:30", "2026-11-21 03:00:30"),
            ("today 20:15", "2026-11-20 20:15:00"),
            ("tomorrow", "2026-11-21 00:00:00"),
            ("tomorrow 03:00", "2026-11-21 03:00:00"),
            ("2026-12-31", "2026-12-31 00:00:00"),
            ("2026-12-31T18:00", "2026-12-31 18:00:00"),
            ("2026-12-31 18:00:05", "2026-12-31 18:00:05"),
            ("2026-12-31T18:00Z", "2026-12-31 19:00:00"),
            ("2026-12-31T18:00+02:00", "2026-12-31 17:00:00"),
            ("1795195800", "2026-11-20 18:30:00"),
            ("1795195800000", "2026-11-20 18:30:00"),
        ] {
            let time_ms = future(text, NOW_MS, &berlin()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(local_time(time_ms, &berlin()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_is_over_is_said() {
        for text in ["", "soon", "25:00", "3", "2 parsecs", "-2h", "2026-13-01", "tomorrow3:00", "99999999999999999999"]
        {
            let error = future(text, NOW_MS, &berlin()).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is not a time; write ")), "{error}");
        }
        assert_eq!(
            future("2026-11-20T17:30", NOW_MS, &berlin()).unwrap_err(),
            "`2026-11-20T17:30` is 2026-11-20 17:30:00, and it is 2026-11-20 17:30:00 now; name a time to come"
        );
        for text in ["today 17:00", "today", "2026-11-20", "0s", "1700000000"] {
            assert!(future(text, NOW_MS, &berlin()).unwrap_err().ends_with("name a time to come"), "{text}");
        }
        assert!(future("\u{1b}[31m", NOW_MS, &berlin()).is_err_and(|error| !error.contains('\u{1b}')));
    }

    #[test]
    fn a_time_of_day_follows_the_clock_through_summer_time() {
        // 2026-10-24 12:00 in Berlin; the clocks go back in the night.
        let now_ms = 1_792_836_000_000;
        assert_eq!(future("12:00", now_ms, &berlin()).unwrap() - now_ms, 25 * 3_600_000);
    }
}
