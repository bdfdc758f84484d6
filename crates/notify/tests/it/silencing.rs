//! The worker and silences: what is silenced waits, and is told when it still matters.

use watchkeeper_core::outbox::Outcome;
use watchkeeper_core::{IncidentEvent, Severity};
use watchkeeper_notify::{Matcher, plan, plan_test};

use crate::delivery::rows;
use crate::fixture::{OPENED_MS, change, filesystem, incident, routes_to};
use crate::ledger::Bench;
use crate::peer::Peer;

const OPS: [&str; 1] = ["ops@example.com"];
const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_silenced_message_waits_and_is_sent_when_the_silence_ends() {
    let peer = Peer::start("ok", &[]);
    let incidents = [incident(0), filesystem(1)];
    let mut all = rows(&incidents[0], &OPS);
    // It begins after the messages were planned.
    for row in &mut all {
        row.due_ms = OPENED_MS + 100_000;
    }
    let mut bench = Bench::start(peer.channel(), all, &incidents);
    let ends_ms = OPENED_MS + 30 * 24 * HOUR_MS;
    bench.ledger.silence("rule == \"host-cpu\"", ends_ms);
    bench.ledger.add(rows(&incidents[1], &OPS), &incidents);
    bench.at(OPENED_MS + 100_000);
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
    assert_eq!(peer.mails().len(), 1);
    assert!(peer.mails()[0].header("Subject").unwrap().contains("Filesystem almost full"), "the other is not silenced");
    while bench.ledger.next_due_ms() != Some(ends_ms) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    bench.at(ends_ms - 1);
    bench.ledger.add(plan_test("mail", &["test@example.com".to_owned()], ends_ms - 1), &[]);
    bench.at(ends_ms - 1);
    assert_eq!(bench.next().await.recipient, "test@example.com", "a test message is never silenced");
    bench.at(ends_ms);
    let done = bench.next().await;
    assert_eq!((done.recipient.as_str(), done.delivery.outcome), (OPS[0], Outcome::Sent));
}

#[tokio::test]
async fn what_began_and_ended_in_silence_is_needless() {
    let peer = Peer::start("ok", &[]);
    let mut silenced = incident(0);
    let mut bench = Bench::start(peer.channel(), Vec::new(), &[]);
    bench.ledger.silence("severity == \"critical\" && labels.env == \"prod\"", OPENED_MS + HOUR_MS);
    silenced.severity = Severity::Critical;
    silenced.labels.insert("env".to_owned(), "prod".to_owned());
    bench.ledger.add(rows(&silenced, &OPS), std::slice::from_ref(&silenced));
    silenced.closed_ms = Some(bench.now_ms());
    let closed = change(IncidentEvent::Resolved, &silenced, bench.now_ms());
    bench.ledger.add(plan(&[closed], &routes_to(&OPS), bench.now_ms()), &[silenced]);
    bench.at(bench.now_ms() + 60_000);
    for done in bench.finished(2).await {
        assert_eq!(done.delivery.outcome, Outcome::Needless);
        assert!(done.delivery.text.contains("before silence 1 ended, and nobody was told"), "{done:?}");
    }
    assert!(peer.mails().is_empty() && peer.commands().is_empty());
}

#[tokio::test]
async fn what_was_over_seconds_before_its_silence_ended_is_needless_too() {
    let peer = Peer::start("ok", &[]);
    let mut silenced = incident(0);
    let ends_ms = OPENED_MS + HOUR_MS;
    for (closed_ms, matcher, outcome) in [
        (ends_ms - 2_000, "rule == \"host-cpu\"", Outcome::Needless),
        (ends_ms - 2_000, "rule == \"host-memory\"", Outcome::Sent),
        (ends_ms + 2_000, "rule == \"host-cpu\"", Outcome::Sent),
    ] {
        let mut bench = Bench::start(peer.channel(), Vec::new(), &[]);
        bench.ledger.silence(matcher, ends_ms);
        silenced.closed_ms = Some(closed_ms);
        let mut all = rows(&silenced, &OPS);
        let closed = change(IncidentEvent::Resolved, &silenced, closed_ms);
        all.extend(plan(&[closed], &routes_to(&OPS), closed_ms));
        // The message about the opening waited for the end of the silence, that about the end is due after it.
        for row in &mut all {
            row.due_ms = ends_ms + 5_000;
        }
        bench.ledger.add(all, std::slice::from_ref(&silenced));
        bench.at(ends_ms + 5_000);
        for done in bench.finished(2).await {
            assert_eq!(done.delivery.outcome, outcome, "{matcher} {closed_ms}: {done:?}");
        }
    }
    assert_eq!(peer.mails().len(), 2);
}

#[tokio::test]
async fn whoever_was_told_of_an_incident_is_told_of_its_end_after_the_silence() {
    let peer = Peer::start("ok", &[]);
    let mut incident = incident(0);
    let mut bench = Bench::start(peer.channel(), rows(&incident, &OPS), std::slice::from_ref(&incident));
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
    let ends_ms = OPENED_MS + HOUR_MS;
    bench.ledger.silence("host == \"db1\"", ends_ms);
    incident.closed_ms = Some(bench.now_ms());
    let closed = change(IncidentEvent::Resolved, &incident, bench.now_ms());
    bench.ledger.add(plan(&[closed], &routes_to(&OPS), bench.now_ms()), &[incident]);
    bench.at(bench.now_ms() + 60_000);
    while bench.ledger.next_due_ms() != Some(ends_ms) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(bench.is_quiet());
    bench.at(ends_ms);
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
    assert!(peer.mails()[1].header("Subject").unwrap().contains("RESOLVED"), "{:?}", peer.mails()[1]);
}

#[tokio::test]
async fn a_silence_that_is_not_understood_silences_nothing() {
    let peer = Peer::start("ok", &[]);
    let mut bench = Bench::start(peer.channel(), Vec::new(), &[]);
    bench.ledger.silence("phase_of_the_moon == \"full\"", OPENED_MS + HOUR_MS);
    bench.ledger.add(rows(&incident(0), &OPS), &[incident(0)]);
    bench.at(bench.now_ms());
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
}

#[test]
fn all_parts_of_a_condition_must_hold_and_each_mistake_has_its_place() {
    let (cpu, disk) = (incident(0), filesystem(1));
    for (text, expected) in [
        ("rule == \"host-cpu\"", [true, false]),
        ("entity == \"/var/lib\"", [false, true]),
        ("host == \"db1\" && entity != \"/var/lib\"", [true, false]),
        ("host == \"db1\" && (rule == \"host-cpu\" && entity == \"/var/lib\")", [false, false]),
        ("labels.nobody == \"\" && host == \"db1\"", [true, true]),
    ] {
        let matcher = Matcher::parse(text).unwrap();
        assert_eq!([matcher.matches(&cpu), matcher.matches(&disk)], expected, "{text}");
    }
    let text = "host == \"db1\" && rul == \"x\" && severity == \"bad\"";
    let problems = Matcher::parse(text).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| &text[problem.within.clone().unwrap()]).collect();
    assert_eq!(places, ["rul", "\"bad\""], "{problems:?}");
}
