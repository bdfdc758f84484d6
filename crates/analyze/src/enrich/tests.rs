use watchkeeper_core::evidence::{Acknowledgement, Recurrence};
use watchkeeper_core::{Entity, IncidentKey};

use super::*;
use crate::log::Log;
use crate::scenes::{START_MS, Story, burning, process, rule};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The change that opens an incident about the CPU of the machine.
fn opened() -> Change {
    opened_by("system.cpu.utilization > \"90%\"", 7)
}

fn opened_by(when: &str, pid: u32) -> Change {
    let mut story = Story::new(&[rule("busy", when, "0s")]);
    story.machine.cpu(Some(0.95));
    story.machine.add(burning(0.6, process(pid, "yes")));
    story.ticks(1);
    story.changes.pop().unwrap()
}

fn incident(change: &Change) -> &Incident {
    match change {
        Change::Incident { incident, .. } => incident,
        Change::Alert(alert) => panic!("{alert:?}"),
    }
}

/// A former incident that opened so long before and lasted so long.
fn former(like: &Change, before_ms: i64, length_ms: i64) -> IncidentRecord {
    let mut incident = incident(like).clone();
    incident.key = IncidentKey(before_ms as u64);
    incident.opened_ms -= before_ms;
    incident.closed_ms = Some(incident.opened_ms + length_ms);
    IncidentRecord { incident, history: Vec::new(), acknowledgements: Vec::new(), messages: Vec::new() }
}

fn enriched(mut change: Change, log: &Log) -> Evidence {
    enrich(&mut change, log);
    incident(&change).evidence.clone()
}

#[test]
fn usual_is_the_middle_of_the_same_hour_on_days_before() {
    // 0.00 to 0.59 by the minute of the hour.
    let log = Log { value: Some(|ts_ms| Some((ts_ms / MINUTE_MS % 60) as f64 / 100.0)), ..Log::default() };
    let evidence = enriched(opened(), &log);
    let Known::Yes(usual) = evidence.usual else { panic!("{:?}", evidence.usual) };
    assert_eq!(usual.days, 14);
    assert!((usual.low - 0.059).abs() < 0.002 && (usual.high - 0.531).abs() < 0.002, "{usual:?}");
    let asked = log.asked.borrow();
    assert_eq!(asked.len(), 14);
    for (back, (series, range)) in (1..).zip(asked.iter()) {
        assert_eq!(series, &Series { metric: "system.cpu.utilization".to_owned(), entity: Entity::Host });
        let middle_ms = START_MS + 1_000 - back * DAY_MS;
        assert_eq!(*range, Range::new(middle_ms - 30 * MINUTE_MS, middle_ms + 30 * MINUTE_MS));
    }
}

#[test]
fn usual_follows_the_clock_on_the_wall_over_summer_time() {
    let mut change = opened();
    let Change::Incident { incident, .. } = &mut change else { panic!() };
    incident.evidence.time_zone = "Europe/Berlin".to_owned();
    // 2026-10-28 03:00 in Berlin; the clock went back on the 25th.
    incident.evidence.fired_ms = 1_793_152_800_000;
    let log = Log { value: Some(|_| Some(0.5)), ..Log::default() };
    let evidence = enriched(change, &log);
    assert!(matches!(evidence.usual, Known::Yes(_)));
    let back_ms: Vec<i64> =
        log.asked.borrow().iter().map(|(_, range)| 1_793_152_800_000 - range.from_ms - 30 * MINUTE_MS).collect();
    assert_eq!(back_ms[..5], [DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 4 * DAY_MS + HOUR_MS, 5 * DAY_MS + HOUR_MS]);
}

#[test]
fn usual_needs_three_days() {
    for (value, known) in [
        ((|ts_ms| (ts_ms > START_MS - 3 * DAY_MS - DAY_MS / 2).then_some(0.5)) as fn(i64) -> Option<f64>, true),
        (|ts_ms| (ts_ms > START_MS - 2 * DAY_MS - DAY_MS / 2).then_some(0.5), false),
        // Nine minutes of a day are not a day.
        (|ts_ms| (ts_ms / MINUTE_MS % 60 < 9).then_some(0.5), false),
        (|ts_ms| (ts_ms / MINUTE_MS % 60 < 10).then_some(0.5), true),
        (|_| Some(f64::NAN), false),
    ] {
        let log = Log { value: Some(value), ..Log::default() };
        let usual = enriched(opened(), &log).usual;
        assert_eq!(matches!(usual, Known::Yes(_)), known, "{usual:?}");
        assert!(known || matches!(usual, Known::NotYet), "{usual:?}");
    }
}

#[test]
fn what_came_before_the_deadline_counts_if_it_is_three_days() {
    for (in_time, days) in [(2, None), (3, Some(3)), (5, Some(5))] {
        let log = Log { value: Some(|_| Some(0.5)), in_time: Some(in_time), ..Log::default() };
        let known = match enriched(opened(), &log).usual {
            Known::Yes(usual) => Some(usual.days),
            Known::Nothing | Known::NotYet | Known::NoLog => None,
        };
        assert_eq!(known, days, "{in_time} answers in time");
        assert_eq!(log.asked.borrow().len(), in_time + 1, "asked on after the deadline");
    }
}

#[test]
fn days_of_few_minutes_do_not_bend_what_is_usual() {
    let value = |ts_ms: i64| {
        let recent = ts_ms > START_MS - 4 * DAY_MS - DAY_MS / 2;
        (recent || ts_ms / MINUTE_MS % 60 < 9).then_some(if recent { 0.5 } else { 0.01 })
    };
    let Known::Yes(usual) = enriched(opened(), &Log { value: Some(value), ..Log::default() }).usual else { panic!() };
    assert_eq!(usual, UsualRange { low: 0.5, high: 0.5, days: 4 });
}

#[test]
fn what_is_usual_for_a_process_is_what_is_usual_for_its_program() {
    let log = Log { value: Some(|_| Some(0.5)), ..Log::default() };
    enriched(opened_by("process.cpu.utilization > \"50%\"", 7), &log);
    assert_eq!(log.asked.borrow()[0].0.entity, Entity::Program("yes".to_owned()));
}

#[test]
fn words_and_unknown_time_zones_have_no_usual_range() {
    let log = Log { value: Some(|_| Some(0.5)), ..Log::default() };
    let evidence = enriched(opened_by("process.state == \"S\"", 7), &log);
    assert_eq!(evidence.usual, Known::Nothing);
    let mut change = opened();
    let Change::Incident { incident, .. } = &mut change else { panic!() };
    incident.evidence.time_zone = "Atlantis/Capital".to_owned();
    assert_eq!(enriched(change, &log).usual, Known::NotYet);
}

#[test]
fn former_incidents_are_counted() {
    let change = opened();
    let mut records: Vec<IncidentRecord> =
        [(3, 10), (1, 30), (2, 20)].map(|(days, minutes)| former(&change, days * DAY_MS, minutes * MINUTE_MS)).into();
    let acknowledged = |by: &str, at_ms| Acknowledgement { by: by.to_owned(), at_ms, until_ms: None, note: None };
    records[0].acknowledgements = vec![acknowledged("ann", 1), acknowledged("bob", 9)];
    records[1].acknowledgements = vec![acknowledged("cyd", 5)];
    // None of these is the same thing before: too long ago, another disk, later, itself.
    records.push(former(&change, 31 * DAY_MS, 0));
    let mut other = former(&change, DAY_MS, 0);
    other.incident.evidence.entity = Entity::Filesystem("/".to_owned());
    records.push(other);
    records.push(former(&change, -DAY_MS, 0));
    let mut itself = former(&change, 0, 0);
    itself.incident.key = incident(&change).key;
    records.push(itself);
    let opened_ms = incident(&change).opened_ms;
    let log = Log { incidents: records, ..Log::default() };
    let evidence = enriched(change.clone(), &log);
    let Known::Yes(recurrence) = evidence.recurrence else { panic!("{:?}", evidence.recurrence) };
    let pattern = recurrence.pattern.unwrap();
    assert_eq!((pattern.hits, pattern.chances, pattern.next_ms / DAY_MS), (4, 4, opened_ms / DAY_MS + 1));
    let expected = Recurrence { times: 3, last_ms: opened_ms - DAY_MS, median_ms: 20 * MINUTE_MS, pattern: None };
    assert_eq!(Recurrence { pattern: None, ..recurrence }, expected);
    assert_eq!(evidence.last_acknowledgement, Known::Yes(acknowledged("bob", 9)));
    // Of two lengths the median is between them; one that is still open lasts until now.
    let mut records = vec![former(&change, DAY_MS, 10 * MINUTE_MS), former(&change, 2 * HOUR_MS, 0)];
    records[1].incident.closed_ms = None;
    let log = Log { incidents: records, ..Log::default() };
    let Known::Yes(recurrence) = enriched(change, &log).recurrence else { panic!() };
    assert_eq!(recurrence.median_ms, 65 * MINUTE_MS);
}

#[test]
fn a_process_recurs_as_its_program() {
    let when = "process.cpu.utilization > \"50%\"";
    let earlier = former(&opened_by(when, 7), DAY_MS, MINUTE_MS);
    let log = Log { incidents: vec![earlier], ..Log::default() };
    assert!(matches!(enriched(opened_by(when, 8), &log).recurrence, Known::Yes(Recurrence { times: 1, .. })));
}

#[test]
fn nothing_before_is_said_as_such() {
    let evidence = enriched(opened(), &Log::default());
    assert_eq!(evidence.recurrence, Known::Nothing);
    assert_eq!(evidence.last_acknowledgement, Known::Nothing);
}

#[test]
fn what_does_not_come_in_time_is_not_known_yet() {
    let evidence = enriched(opened(), &Log { fails: true, ..Log::default() });
    assert_eq!(evidence.usual, Known::NotYet);
    assert_eq!(evidence.recurrence, Known::NotYet);
    assert_eq!(evidence.last_acknowledgement, Known::NotYet);
}

#[test]
fn what_is_known_stays() {
    let mut change = opened();
    enrich(&mut change, &Log { value: Some(|_| Some(0.25)), ..Log::default() });
    let before = change.clone();
    let log = Log { value: Some(|_| Some(0.75)), incidents: vec![former(&before, DAY_MS, 0)], ..Log::default() };
    enrich(&mut change, &log);
    assert_eq!(change, before);
    assert!(log.asked.borrow().is_empty());
}
