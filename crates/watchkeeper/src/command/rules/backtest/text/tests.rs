use super::*;
use watchkeeper_core::port::Coverage;
use watchkeeper_core::{Entity, Range, Severity};

const DAY_MS: i64 = 86_400_000;
/// 2026-11-06 00:00:00 UTC.
const BEGIN_MS: i64 = 1_793_923_200_000;

fn firing(after_ms: i64, length_ms: Option<i64>, told: &str) -> Firing {
    let fired_ms = BEGIN_MS + after_ms;
    Firing {
        entity: Entity::Host,
        since_ms: fired_ms,
        fired_ms,
        over_ms: length_ms.map(|length_ms| fired_ms + length_ms),
        is_gone: false,
        told: Some(told.to_owned()),
        culprit: None,
    }
}

fn record(id: &str, firings: Vec<Firing>) -> RuleRecord {
    RuleRecord {
        id: id.to_owned(),
        severity: Severity::Warning,
        times: firings.len() as u64,
        firings,
        blind: 0,
        pattern: None,
        at_pattern: 0,
    }
}

fn tested(records: Vec<RuleRecord>, covered_ms: i64) -> Tested {
    let coverage = Coverage { first_ms: Some(BEGIN_MS + DAY_MS), covered_ms, ..Coverage::default() };
    Tested { range: Range::new(BEGIN_MS, BEGIN_MS + 14 * DAY_MS), coverage, ticks: 1_000_000, records }
}

fn nightly() -> Pattern {
    Pattern {
        cycle: Cycle::Day,
        period_ms: DAY_MS,
        minute: Some(184),
        weekday: None,
        spread_ms: 20_000,
        hits: 12,
        chances: 14,
        next_ms: 0,
    }
}

#[test]
fn what_would_have_fired_is_told_with_dates_lengths_and_culprits() {
    let told = "CPU busy: backup (pid 77) takes 90.0 % of this machine's CPU";
    let mut busy: Vec<Firing> =
        (0..38).map(|night| firing(night * DAY_MS / 3 + 11_040_000, Some(960_000), told)).collect();
    busy.push(firing(13 * DAY_MS + 50_000_000, None, "CPU busy: cc1 (pid 9) takes 12.0 % of this machine's CPU"));
    let mut busy = RuleRecord { pattern: Some(nightly()), at_pattern: 38, blind: 2, ..record("host-cpu", busy) };
    busy.times = 41;
    let once = record("data-full", vec![firing(5_000, Some(3_600_000), "/data is full")]);
    let records = vec![once, busy, record("quiet", Vec::new()), record("silent", Vec::new())];
    let text = report(&tested(records.clone(), 13 * DAY_MS), &TimeZone::UTC, false);
    // Columns are lined up whatever a length is called.
    let (quarter, hour) = (duration(960_000), duration(3_600_000));
    let text = text.replace(&format!("{quarter:>11}"), "QUARTER").replace(&format!("{hour:>11}"), "HOUR");
    let shown: Vec<&str> = text.lines().collect();
    assert_eq!(
        shown[..6],
        [
            "4 rules over 2026-11-06 00:00:00 to 2026-11-20 00:00:00 (14 d), 1000000 looks",
            "the log covers 13 d of it, from 2026-11-07 00:00:00 on",
            "",
            "host-cpu would have fired 41 times, 38 of them at 03:04 nightly; 20 h 14 m together",
            "host-cpu would have said twice that its data is missing",
            "  2026-11-06 03:04:00  QUARTER  CPU busy: backup (pid 77) takes 90.0 % of this machine's CPU",
        ]
    );
    assert_eq!(
        shown[24..],
        [
            "  2026-11-12 11:04:00  QUARTER  CPU busy: backup (pid 77) takes 90.0 % of this machine's CPU",
            "  and 21 later ones; `--json` has all of them",
            "",
            format!("data-full would have fired once; {hour} together").as_str(),
            "  2026-11-06 00:00:05  HOUR  /data is full",
            "",
            "would never have fired: quiet, silent",
        ]
    );
    let text = report(&tested(records, 14 * DAY_MS), &TimeZone::UTC, true);
    let first = text.lines().nth(4).unwrap();
    assert_eq!(first, "  2026-11-19 13:53:20     10 h 6 m+ CPU busy: cc1 (pid 9) takes 12.0 % of this machine's CPU");
    assert!(!text.contains("the log covers") && text.contains("and 21 shorter ones"), "{text}");
}

#[test]
fn many_rules_that_never_fire_take_several_lines() {
    let records: Vec<RuleRecord> = (0..12).map(|number| record(&format!("rule-number-{number:02}"), vec![])).collect();
    let text = report(&tested(records, 14 * DAY_MS), &TimeZone::UTC, false);
    let lines: Vec<&str> = text.lines().skip(2).collect();
    assert!(lines[0].starts_with("would never have fired: rule-number-00, ") && lines[0].ends_with("-03,"), "{text}");
    assert!(lines[1].starts_with("  rule-number-04, ") && lines[2].ends_with("rule-number-11"), "{text}");
    assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= 100), "{text}");
}

#[test]
fn times_that_come_back_are_named_as_people_do() {
    for (pattern, at, times, expected) in [
        (nightly(), 7, 7, ", all of them at 03:04 nightly"),
        (Pattern { minute: Some(725), spread_ms: 600_000, ..nightly() }, 6, 7, ", 6 of them around 12:05 daily"),
        (
            Pattern { cycle: Cycle::Week, weekday: Some(1), minute: Some(540), ..nightly() },
            5,
            9,
            ", 5 of them at 09:00 on Mondays",
        ),
        (
            Pattern { cycle: Cycle::Interval, period_ms: 21_600_000, minute: None, ..nightly() },
            8,
            9,
            ", 8 of them every 6 h 0 m",
        ),
    ] {
        assert_eq!(when(&pattern, at, times), expected);
    }
}
