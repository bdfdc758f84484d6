//! Reading beside a watch.

use std::time::{Duration, Instant};

use watchkeeper_core::moment::Range;
use watchkeeper_core::port::HistoryError;

use super::*;
use crate::state::query;

#[test]
fn an_answer_that_takes_too_long_is_cut_short() {
    let mut world = World::new();
    world.ledger.commit(&[opened(&incident(1, 0))], &[]).unwrap();
    let many = "WITH RECURSIVE n (k) AS (SELECT 2 UNION ALL SELECT k + 1 FROM n WHERE k < 5000) \
                INSERT INTO incident SELECT k, k, cause, rule, severity, title, host, labels, alerts, \
                joined, times, course, opened_ms, closed_ms, evidence FROM n, incident WHERE ticket = 1";
    world.disk().execute_batch(many).unwrap();
    let ask = |deadline| query::incidents(&world.path(), deadline, &IncidentFilter::default());
    let begun = Instant::now();
    assert_eq!(ask(None).unwrap().len(), 5_000);
    let needed = begun.elapsed();
    for given in [Duration::ZERO, needed / 10] {
        let answer = ask(Some(Instant::now() + given));
        assert!(matches!(answer, Err(HistoryError::Deadline)), "{given:?} of {needed:?}");
    }
}

#[test]
fn a_filter_picks_what_it_names() {
    let mut world = World::new();
    let long = Incident { closed_ms: Some(300), ..incident(1, 100) };
    let other = Incident { cause: "disk-full".to_owned(), ..incident(2, 200) };
    world.ledger.commit(&[opened(&long), opened(&other)], &[]).unwrap();
    let filter = IncidentFilter::default;
    let range = |from_ms, to_ms| IncidentFilter { range: Some(Range::new(from_ms, to_ms)), ..filter() };
    let cause = |word: &str| IncidentFilter { cause: Some(word.to_owned()), ..filter() };
    let cases = [
        ("all, newest first", filter(), vec![2, 1]),
        ("open", IncidentFilter { open: true, ..filter() }, vec![2]),
        ("ticket", IncidentFilter { ticket: Some(1), ..filter() }, vec![1]),
        ("no such ticket", IncidentFilter { ticket: Some(9), ..filter() }, vec![]),
        ("cause", cause("disk-full"), vec![2]),
        ("rule", cause("cpu-high"), vec![2, 1]),
        ("a cause is no pattern", cause("%"), vec![]),
        ("limit", IncidentFilter { limit: Some(1), ..filter() }, vec![2]),
        ("no limit at all", IncidentFilter { limit: Some(usize::MAX), ..filter() }, vec![2, 1]),
        ("before", range(0, 100), vec![]),
        ("its first instant", range(0, 101), vec![1]),
        ("within", range(150, 160), vec![1]),
        ("its last instant", range(300, 301), vec![2, 1]),
        ("after it closed", range(301, 400), vec![2]),
        ("empty", range(250, 250), vec![]),
    ];
    for (name, filter, expected) in cases {
        let found = query::incidents(&world.path(), None, &filter).unwrap();
        let tickets: Vec<_> = found.iter().map(|record| record.incident.ticket.unwrap()).collect();
        assert_eq!(tickets, expected, "{name}");
    }
}

#[test]
fn a_store_without_a_state_database_has_no_incidents() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(query::incidents(folder.path(), None, &IncidentFilter::default()).unwrap(), []);
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let world = World::new();
    let later = "INSERT INTO refinery_schema_history VALUES (2, 'later', '2030-01-01T00:00:00Z', '1')";
    world.disk().execute_batch(later).unwrap();
    let answer = query::incidents(&world.path(), None, &IncidentFilter::default());
    assert!(
        matches!(&answer, Err(HistoryError::Read { reason, .. }) if reason.contains("newer version")),
        "{answer:?}"
    );
}
