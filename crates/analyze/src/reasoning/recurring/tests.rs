use watchkeeper_core::evidence::Cycle;
use watchkeeper_core::port::IncidentRecord;
use watchkeeper_core::{Change, IncidentKey};

use super::*;
use crate::log::Log;
use crate::reasoning::{DAY_MS, MINUTE_MS};
use crate::scenes::{START_MS, Story, burning, process, rule};

/// An incident that a rule opens, with the one who takes the most.
fn opened(when: &str, pid: u32, hog: &str) -> Incident {
    let mut story = Story::new(&[rule("busy", when, "0s")]);
    story.machine.cpu(Some(0.95));
    story.machine.add(burning(0.6, process(pid, hog)));
    story.ticks(1);
    match story.changes.pop() {
        Some(Change::Incident { incident, .. }) => *incident,
        other => panic!("{other:?}"),
    }
}

fn at(mut incident: Incident, opened_ms: i64, length_ms: i64) -> IncidentRecord {
    incident.key = IncidentKey(opened_ms.cast_unsigned());
    incident.opened_ms = opened_ms;
    incident.closed_ms = Some(opened_ms + length_ms);
    IncidentRecord { incident, history: Vec::new(), acknowledgements: Vec::new(), messages: Vec::new() }
}

const HOST: &str = "system.cpu.utilization > \"90%\"";
const PROCESS: &str = "process.cpu.utilization > \"50%\"";

#[test]
fn what_comes_back_is_told_by_cause_and_program_the_regular_first() {
    let range = Range::new(START_MS - 30 * DAY_MS, START_MS);
    let mut incidents: Vec<IncidentRecord> = (1..=7)
        .map(|day| at(opened(PROCESS, 7 + day as u32, "backup"), START_MS - day * DAY_MS, day * MINUTE_MS))
        .collect();
    // Ten times at odd times, by others; the host and the program are not the same thing.
    let odd_hours = [3, 40, 51, 170, 188, 300, 417, 430, 580, 650];
    let odd = |n: i64| START_MS - odd_hours[usize::try_from(n - 1).unwrap()] * 60 * MINUTE_MS - n * 11 * MINUTE_MS;
    incidents.extend((1..=10).map(|n| at(opened(HOST, 7, if n % 3 == 0 { "cc" } else { "ld" }), odd(n), MINUTE_MS)));
    // Once is not again, and neither is what opened before the range.
    incidents.push(at(opened(PROCESS, 9, "once"), START_MS - DAY_MS, 0));
    incidents.push(at(opened(PROCESS, 9, "once"), START_MS - 31 * DAY_MS, 0));
    let found = recurring(&Log { incidents, ..Log::default() }, range, &TimeZone::UTC).unwrap();
    let [nightly, odd] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((nightly.cause.as_str(), &nightly.entity), ("busy", &Entity::Program("backup".to_owned())));
    assert_eq!((nightly.times, nightly.culprit.as_deref()), (7, Some("backup")));
    assert_eq!((nightly.first_ms, nightly.last_ms), (START_MS - 7 * DAY_MS, START_MS - DAY_MS));
    assert_eq!(nightly.median_ms, 4 * MINUTE_MS);
    let pattern = nightly.pattern.as_ref().unwrap();
    assert_eq!((pattern.cycle, pattern.hits, pattern.chances), (Cycle::Day, 7, 8));
    assert_eq!((odd.times, odd.culprit.as_deref(), &odd.entity), (10, Some("ld"), &Entity::Host));
    assert_eq!(odd.pattern, None);
}

#[test]
fn what_cannot_be_read_is_said() {
    let log = Log { fails: true, ..Log::default() };
    assert!(recurring(&log, Range::new(0, 1), &TimeZone::UTC).is_err());
    assert_eq!(recurring(&Log::default(), Range::new(0, 1), &TimeZone::UTC).unwrap(), []);
}

#[test]
fn the_incident_that_opened_now_is_part_of_the_pattern() {
    let former: Vec<Incident> =
        (1..=2).map(|day| at(opened(HOST, 7, "cc"), START_MS - day * DAY_MS, MINUTE_MS).incident).collect();
    let former: Vec<&Incident> = former.iter().collect();
    let recurrence = recurrence(&former, START_MS, &TimeZone::UTC).unwrap();
    assert_eq!((recurrence.times, recurrence.last_ms), (2, START_MS - DAY_MS));
    let pattern = recurrence.pattern.unwrap();
    assert_eq!((pattern.hits, pattern.chances, pattern.next_ms), (3, 3, START_MS + DAY_MS));
}
