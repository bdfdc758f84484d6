//! What would have fired, for people.

use std::cmp::Reverse;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use watchkeeper_analyze::backtest::{Firing, RuleRecord};
use watchkeeper_core::evidence::{Cycle, Pattern};
use watchkeeper_core::text::{clean, duration, local_time};

use super::Tested;

/// Alerts of a rule that are shown.
const MOST_SHOWN: usize = 20;
/// Characters of a line of ids.
const WIDEST: usize = 100;
/// What comes within so long is at a time, not around it.
const AT_MS: i64 = 120_000;
const WEEKDAYS: [&str; 7] = ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"];

/// The rules that would have fired, the busiest first, then the others.
pub fn report(tested: &Tested, zone: &TimeZone, longest_first: bool) -> String {
    let mut text = head(tested, zone);
    let (mut fired, never): (Vec<&RuleRecord>, Vec<&RuleRecord>) =
        tested.records.iter().partition(|record| record.times > 0 || record.blind > 0);
    fired.sort_by_key(|record| Reverse(record.times));
    for record in fired {
        text.push('\n');
        rule(record, tested.range.to_ms, zone, longest_first, &mut text);
    }
    if !never.is_empty() {
        text.push('\n');
        never_fired(&never, &mut text);
    }
    text
}

fn head(tested: &Tested, zone: &TimeZone) -> String {
    let (range, covered_ms) = (tested.range, tested.coverage.covered_ms);
    let length_ms = range.length_ms();
    let rules = counted(tested.records.len() as u64, "rule");
    let mut text = format!(
        "{rules} over {} to {} ({}), {}\n",
        local_time(range.from_ms, zone),
        local_time(range.to_ms, zone),
        length(length_ms),
        counted(tested.ticks, "look")
    );
    // What is not covered to the second is not worth a word.
    if covered_ms * 100 < length_ms * 99 {
        let _ = write!(text, "the log covers {} of it", length(covered_ms));
        if let Some(first_ms) = tested.coverage.first_ms {
            let _ = write!(text, ", from {} on", local_time(first_ms, zone));
        }
        text.push('\n');
    }
    text
}

/// The ids of rules that would never have fired, in lines of which each fits on a screen.
fn never_fired(never: &[&RuleRecord], text: &mut String) {
    let mut line = "would never have fired:".to_owned();
    for (index, record) in never.iter().enumerate() {
        let id = clean(&record.id, 64);
        if line.len() + id.len() + 2 > WIDEST {
            text.push_str(&line);
            text.push('\n');
            line.replace_range(.., " ");
        }
        let comma = if index + 1 < never.len() { "," } else { "" };
        let _ = write!(line, " {id}{comma}");
    }
    text.push_str(&line);
    text.push('\n');
}

fn rule(record: &RuleRecord, end_ms: i64, zone: &TimeZone, longest_first: bool, text: &mut String) {
    let id = clean(&record.id, 64);
    let together_ms: i64 = record.firings.iter().map(|firing| firing.length_ms(end_ms)).sum();
    if record.times > 0 {
        let _ = write!(text, "{id} would have fired {}", times(record.times));
        if let Some(pattern) = &record.pattern {
            text.push_str(&when(pattern, record.at_pattern, record.times));
        }
        let _ = writeln!(text, "; {} together", duration(together_ms));
    }
    if record.blind > 0 {
        let _ = writeln!(text, "{id} would have said {} that its data is missing", times(record.blind));
    }
    let mut shown: Vec<&Firing> = record.firings.iter().collect();
    if longest_first {
        shown.sort_by_key(|firing| Reverse(firing.length_ms(end_ms)));
    }
    for firing in shown.iter().take(MOST_SHOWN) {
        let open = if firing.over_ms.is_none() { "+" } else { " " };
        let length = duration(firing.length_ms(end_ms));
        let told = firing.told.as_deref().unwrap_or_default();
        let line = format!("  {}  {length:>11}{open} {told}", local_time(firing.fired_ms, zone));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let more = record.times.saturating_sub(shown.len().min(MOST_SHOWN) as u64);
    if more > 0 {
        let order = if longest_first { "shorter" } else { "later" };
        let _ = writeln!(text, "  and {more} {order} ones; `--json` has all of them");
    }
}

/// How many of the times are when, e.g. `, 38 of them at 03:04 nightly`.
fn when(pattern: &Pattern, at_pattern: u64, times: u64) -> String {
    let many = if at_pattern >= times { "all".to_owned() } else { at_pattern.to_string() };
    let near = if pattern.spread_ms <= AT_MS { "at" } else { "around" };
    let minute = pattern.minute.unwrap_or(0);
    let clock = format!("{near} {:02}:{:02}", minute / 60, minute % 60);
    match pattern.cycle {
        Cycle::Day => {
            // As with the patterns of incidents: from 06:00 to 21:00 it is day.
            let how = if (360..1_260).contains(&minute) { "daily" } else { "nightly" };
            format!(", {many} of them {clock} {how}")
        }
        Cycle::Week => {
            let day = pattern.weekday.and_then(|day| WEEKDAYS.get(usize::from(day).checked_sub(1)?));
            format!(", {many} of them {clock} on {}", day.unwrap_or(&"one day of the week"))
        }
        Cycle::Interval => format!(", {many} of them every {}", duration(pattern.period_ms)),
    }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A length of days in days.
fn length(ms: i64) -> String {
    const DAY_MS: i64 = 86_400_000;
    match (ms / DAY_MS, ms % DAY_MS / 3_600_000) {
        (0, _) => duration(ms),
        (days, 0) => format!("{days} d"),
        (days, hours) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests;
