//! The worker: order, waiting, waking, giving up, and a state database that fails.

use watchkeeper_core::outbox::Outcome;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Change, IncidentEvent};
use watchkeeper_notify::{plan, plan_test};

use crate::delivery::rows;
use crate::fixture::{OPENED_MS, change, filesystem, incident, routes_to};
use crate::ledger::Bench;
use crate::peer::{Peer, channel};

const OPS: [&str; 1] = ["ops@example.com"];

#[tokio::test]
async fn incidents_of_a_group_are_one_mail_and_other_groups_are_not() {
    let peer = Peer::start("ok", &[]);
    let incidents = [incident(0), incident(1), filesystem(2)];
    let changes: Vec<Change> = incidents.iter().map(|i| change(IncidentEvent::Opened, i, OPENED_MS)).collect();
    let mut bench = Bench::start(peer.channel(), plan(&changes, &routes_to(&OPS), OPENED_MS), &incidents);
    assert!(bench.finished(3).await.iter().all(|done| done.delivery.outcome == Outcome::Sent));
    let mails = peer.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails[0].header("Subject").unwrap().ends_with("(+1 more)"), "{:?}", mails[0]);
    assert!(mails[1].header("Subject").unwrap().contains("Filesystem almost full"), "{:?}", mails[1]);
    // Refers to the threads of both incidents, as their later mails will.
    assert_eq!(mails[0].header("References").unwrap().split(' ').count(), 2);
    assert_eq!(bench.health().sent, 2);
}

#[tokio::test]
async fn a_flood_of_incidents_is_one_mail_that_a_server_takes() {
    let peer = Peer::start("ok", &[]);
    let incidents: Vec<_> = (0..300).map(incident).collect();
    let changes: Vec<Change> = incidents.iter().map(|i| change(IncidentEvent::Opened, i, OPENED_MS)).collect();
    let mut bench = Bench::start(peer.channel(), plan(&changes, &routes_to(&OPS), OPENED_MS), &incidents);
    assert!(bench.finished(300).await.iter().all(|done| done.delivery.outcome == Outcome::Sent));
    let mails = peer.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].data.lines().all(|line| line.len() <= 998), "a line that no server must take");
    assert!(mails[0].header("References").unwrap().split(' ').count() <= 20);
}

#[tokio::test]
async fn rows_wait_for_their_time() {
    let peer = Peer::start("ok", &[]);
    let mut bench = Bench::start(peer.channel(), plan_test("mail", &["ops@example.com".to_owned()], OPENED_MS), &[]);
    bench.next().await;
    let incident = incident(0);
    let mut later = rows(&incident, &OPS);
    later[0].due_ms = bench.now_ms() + 5_000;
    bench.ledger.add(later, &[incident]);
    bench.at(bench.now_ms() + 4_999);
    bench.ledger.add(plan_test("mail", &["second@example.com".to_owned()], bench.now_ms()), &[]);
    bench.at(bench.now_ms());
    assert_eq!(bench.next().await.recipient, "second@example.com");
    assert_eq!(bench.ledger.open(), 1);
    bench.at(bench.now_ms() + 1);
    assert_eq!(bench.next().await.recipient, "ops@example.com");
}

#[tokio::test]
async fn an_outage_delays_the_mails_and_the_first_success_wakes_the_others() {
    let mut peer = Peer::start("banner-421", &[]);
    let incidents = [incident(0), filesystem(1)];
    let mut bench = Bench::start(peer.channel(), rows(&incidents[0], &OPS), &incidents);
    // Six attempts, until the wait is a quarter of an hour.
    let mut next_ms = 0;
    for attempt in 1..=6 {
        let done = bench.next().await;
        assert_eq!(done.delivery.outcome, Outcome::Transient);
        next_ms = done.next_ms.unwrap();
        let wait_ms = next_ms - bench.now_ms();
        let step_ms = [5_000, 15_000, 45_000, 120_000, 300_000, 900_000][attempt - 1];
        assert!((step_ms * 3 / 4..=step_ms * 5 / 4).contains(&wait_ms), "attempt {attempt}: {wait_ms}");
        if attempt < 6 {
            bench.at(next_ms);
        }
    }
    let health = bench.health();
    assert_eq!((health.attempts, health.failing_since_ms), (6, Some(OPENED_MS + 60_000)), "{health:?}");
    assert!(health.last_error.unwrap().contains("421"));
    peer.turn_into("ok");
    // A new incident is due long before the old one would be tried again.
    assert!(next_ms - bench.now_ms() > 600_000);
    bench.ledger.add(rows(&incidents[1], &OPS), &incidents);
    bench.at(bench.now_ms() + 1);
    assert!(bench.finished(2).await.iter().all(|done| done.delivery.outcome == Outcome::Sent));
    let mails = peer.mails();
    assert!(mails[1].header("Subject").unwrap().contains("[delayed "), "{:?}", mails[1]);
    let health = bench.health();
    assert_eq!((health.sent, health.failing_since_ms), (2, None), "{health:?}");
}

#[tokio::test]
async fn what_opened_during_an_outage_and_is_over_now_is_told_as_one() {
    let mut peer = Peer::start("banner-421", &[]);
    let mut incident = incident(0);
    let mut bench = Bench::start(peer.channel(), rows(&incident, &OPS), std::slice::from_ref(&incident));
    let done = bench.next().await;
    peer.turn_into("ok");
    incident.closed_ms = Some(bench.now_ms() + 1_000);
    let closed = change(IncidentEvent::Resolved, &incident, bench.now_ms() + 1_000);
    bench.ledger.add(plan(&[closed], &routes_to(&OPS), bench.now_ms() + 1_000), &[incident]);
    assert!(done.next_ms.unwrap() > bench.now_ms() + 1_000);
    bench.at(bench.now_ms() + 1_000);
    assert!(bench.finished(2).await.iter().all(|done| done.delivery.outcome == Outcome::Sent));
    let mails = peer.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].header("Subject").unwrap().contains("fired 03:02, resolved 03:03"), "{:?}", mails[0]);
}

#[tokio::test]
async fn a_mail_is_given_up_after_its_time_with_a_last_attempt() {
    let peer = Peer::start("banner-421", &[]);
    let incident = incident(0);
    let mut config = peer.config();
    config.give_up_after = Span::from_secs(90);
    let mut bench = Bench::start(channel(&config), rows(&incident, &OPS), &[incident]);
    let expires_ms = OPENED_MS + 90_000;
    loop {
        let done = bench.next().await;
        let Some(next_ms) = done.next_ms else {
            assert_eq!(done.delivery.outcome, Outcome::Dead);
            assert_eq!(bench.now_ms(), expires_ms);
            assert!(done.delivery.text.starts_with("given up after "), "{done:?}");
            assert!(done.delivery.text.contains("421"), "{done:?}");
            break;
        };
        assert!(next_ms <= expires_ms);
        bench.at(next_ms);
    }
    assert_eq!(bench.ledger.open(), 0);
}

#[tokio::test]
async fn an_alert_from_before_a_long_pause_is_tried_once_all_the_same() {
    let peer = Peer::start("ok", &[]);
    let incident = incident(0);
    let mut old = rows(&incident, &OPS);
    old[0].created_ms -= 10 * 86_400_000;
    old[0].expires_ms -= 10 * 86_400_000;
    old[0].due_ms -= 10 * 86_400_000;
    let mut bench = Bench::start(peer.channel(), old, &[incident]);
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
    assert!(peer.mails()[0].header("Subject").unwrap().contains("[delayed 10 d]"));
}

#[tokio::test]
async fn an_accepted_mail_is_not_sent_again_when_that_cannot_be_written_down() {
    let peer = Peer::start("ok", &[]);
    let incident = incident(0);
    let mut bench = Bench::start(peer.channel(), plan_test("mail", &["a@example.com".to_owned()], OPENED_MS), &[]);
    bench.next().await;
    bench.ledger.fail(3);
    bench.ledger.add(rows(&incident, &OPS), &[incident]);
    // Long past the lease, again and again, while the disk is full.
    let mut now_ms = bench.now_ms();
    let done = loop {
        now_ms += 60_000;
        bench.at(now_ms);
        if let Ok(done) = tokio::time::timeout(std::time::Duration::from_millis(300), bench.next()).await {
            break done;
        }
    };
    assert_eq!(done.delivery.outcome, Outcome::Sent);
    assert_eq!(peer.mails().len(), 2, "the test mail and one about the incident");
    assert!(bench.health().last_error.unwrap().contains("disk full"));
}

#[tokio::test]
async fn a_message_that_is_needless_once_acknowledged_is_not_sent() {
    let peer = Peer::start("ok", &[]);
    let incident = incident(0);
    let mut held = rows(&incident, &OPS);
    held[0].due_ms = OPENED_MS + 100_000;
    let mut bench = Bench::start(peer.channel(), held, &[incident]);
    bench.ledger.acknowledge();
    bench.at(OPENED_MS + 100_000);
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Needless);
    assert!(peer.mails().is_empty() && peer.commands().is_empty());
}

#[tokio::test]
async fn a_message_about_an_incident_that_is_gone_is_given_up() {
    let peer = Peer::start("ok", &[]);
    let mut bench = Bench::start(peer.channel(), rows(&incident(0), &OPS), &[]);
    let done = bench.next().await;
    assert_eq!(done.delivery.outcome, Outcome::Dead);
    assert!(done.delivery.text.contains("no longer stored") && peer.commands().is_empty(), "{done:?}");
}

#[tokio::test]
async fn a_full_mailbox_of_one_recipient_is_no_failure_of_the_channel() {
    let peer = Peer::start("ok", &[]);
    let incident = incident(0);
    let rows = rows(&incident, &["full@example.com", "ops@example.com"]);
    let mut bench = Bench::start(peer.channel(), rows, &[incident]);
    let done = bench.finished(2).await;
    assert_eq!(done[0].delivery.outcome, Outcome::Transient);
    assert_eq!(done[1].delivery.outcome, Outcome::Sent);
    let health = bench.health();
    assert_eq!((health.failing_since_ms, health.sent, health.attempts), (None, 1, 2), "{health:?}");
    assert!(health.last_error.unwrap().starts_with("RCPT: 452"));
    // The success of the other does not wake it: nothing happens before its time.
    let tries = peer.count("RCPT");
    bench.ledger.add(plan_test("mail", &["other@example.com".to_owned()], OPENED_MS), &[]);
    bench.at(bench.now_ms());
    assert_eq!(bench.next().await.recipient, "other@example.com");
    assert_eq!(peer.count("RCPT"), tries + 1);
    assert!(bench.is_quiet());
}

#[tokio::test]
async fn a_send_under_way_is_cut_five_seconds_after_the_end_was_asked_for() {
    let peer = Peer::start("silence-after-data", &[]);
    let incident = incident(0);
    let bench = Bench::start(peer.channel(), rows(&incident, &OPS), &[incident]);
    while peer.mails().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let ledger = bench.ledger.clone();
    let begun = std::time::Instant::now();
    bench.stop().await;
    let took = begun.elapsed().as_secs_f64();
    assert!((4.5..9.0).contains(&took), "{took} s");
    assert_eq!(ledger.open(), 1, "the row is left to its lease");
}

#[tokio::test]
async fn an_idle_worker_ends_at_once() {
    let peer = Peer::start("ok", &[]);
    let mut bench = Bench::start(peer.channel(), Vec::new(), &[]);
    assert!(bench.is_quiet());
    let begun = std::time::Instant::now();
    bench.stop().await;
    assert!(begun.elapsed().as_secs() < 2);
}
