//! Times where one that is over is meant: `2h ago`, `03:00`, `yesterday 3am`, ISO 8601, epoch.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::{clean, local_time};

use super::{absolute, time_of_day};

/// The time that is meant, milliseconds UTC: a length counts back from now, a time of day is the last one in this zone.
///
/// # Errors
/// A sentence: it is no time, or it is still to come.
pub fn past(text: &str, now_ms: i64, zone: &TimeZone) -> Result<i64, String> {
    let text = text.trim();
    let Some(time_ms) = parse(text, now_ms, zone) else {
        return Err(format!(
            "`{}` is not a time; write a length such as `2h ago`, a time of day such as 03:00 or `yesterday 3am`, or a \
             date such as 2026-11-20T18:00",
            clean(text, 80)
        ));
    };
    if time_ms > now_ms {
        let (meant, now) = (local_time(time_ms, zone), local_time(now_ms, zone));
        return Err(format!("`{}` is {meant}, and it is {now} now; name a time that is over", clean(text, 80)));
    }
    Ok(time_ms)
}

fn parse(text: &str, now_ms: i64, zone: &TimeZone) -> Option<i64> {
    if text == "now" {
        return Some(now_ms);
    }
    if let Some(time_ms) = absolute(text, zone) {
        return Some(time_ms);
    }
    if let Ok(span) = Span::parse(text.strip_suffix("ago").unwrap_or(text)) {
        return now_ms.checked_sub(span.ms());
    }
    let today = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone()).date();
    let at = |moment: DateTime| Some(moment.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
    if let Some(time) = clock(text) {
        let last = at(today.to_datetime(time))?;
        return if last <= now_ms { Some(last) } else { at(today.yesterday().ok()?.to_datetime(time)) };
    }
    for (word, days) in [("today", 0), ("yesterday", 1)] {
        if let Some(rest) = text.strip_prefix(word) {
            let time = if rest.is_empty() { Time::midnight() } else { clock(rest.strip_prefix(' ')?.trim())? };
            return at(today.checked_sub(days.days()).ok()?.to_datetime(time));
        }
    }
    None
}

/// `03:00`, `03:00:30`, `3am`, `3:30 pm`.
fn clock(text: &str) -> Option<Time> {
    let (text, is_afternoon) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(text), _) => (text, false),
        (_, Some(text)) => (text, true),
        _ => return time_of_day(text),
    };
    let text = text.trim_end();
    let time = time_of_day(text).or_else(|| Time::new(text.parse().ok()?, 0, 0, 0).ok())?;
    // Noon is 12pm, midnight 12am.
    let hour = (1..=12).contains(&time.hour()).then(|| time.hour() % 12 + if is_afternoon { 12 } else { 0 })?;
    Time::new(hour, time.minute(), time.second(), 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::tests::{NOW_MS, berlin};

    #[test]
    fn a_time_that_is_over_is_understood_in_every_form() {
        for (text, expected) in [
            ("now", "2026-11-20 17:30:00"),
            ("2h ago", "2026-11-20 15:30:00"),
            ("2h", "2026-11-20 15:30:00"),
            (" 1h30m ago ", "2026-11-20 16:00:00"),
            ("14d", "2026-11-06 17:30:00"),
            ("17:30", "2026-11-20 17:30:00"),
            ("18:00", "2026-11-19 18:00:00"),
            ("03:00:30", "2026-11-20 03:00:30"),
            ("3am", "2026-11-20 03:00:00"),
            ("3 pm", "2026-11-20 15:00:00"),
            ("6:15pm", "2026-11-19 18:15:00"),
            ("12am", "2026-11-20 00:00:00"),
            ("12pm", "2026-11-20 12:00:00"),
            ("today", "2026-11-20 00:00:00"),
            ("yesterday", "2026-11-19 00:00:00"),
            ("yesterday 3am", "2026-11-19 03:00:00"),
            ("yesterday 15:00", "2026-11-19 15:00:00"),
            ("2026-11-01", "2026-11-01 00:00:00"),
            ("2026-11-01T18:00", "2026-11-01 18:00:00"),
            ("2026-11-01 18:00:05", "2026-11-01 18:00:05"),
            ("2026-11-01T18:00Z", "2026-11-01 19:00:00"),
            ("1795100000", "2026-11-19 15:53:20"),
            ("1795100000000", "2026-11-19 15:53:20"),
        ] {
            let time_ms = past(text, NOW_MS, &berlin()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(local_time(time_ms, &berlin()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_is_still_to_come_is_said() {
        for text in ["", "ago", "soon", "25:00", "3", "0am", "13pm", "-2h", "yesterday3am", "tomorrow", "2026-13-01"] {
            let error = past(text, NOW_MS, &berlin()).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is not a time; write ")), "{error}");
        }
        assert_eq!(
            past("2026-11-20T17:31", NOW_MS, &berlin()).unwrap_err(),
            "`2026-11-20T17:31` is 2026-11-20 17:31:00, and it is 2026-11-20 17:30:00 now; name a time that is over"
        );
        assert!(past("\u{1b}[31m", NOW_MS, &berlin()).is_err_and(|error| !error.contains('\u{1b}')));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        // 2026-10-25 12:00 in Berlin; the clocks went back in the night.
        let now_ms = 1_792_926_000_000;
        assert_eq!(now_ms - past("yesterday 12:00", now_ms, &berlin()).unwrap(), 25 * 3_600_000);
    }
}
