//! Servers that misbehave: none of them may hold a worker, end it, or make it believe that a mail was accepted.

use std::time::{Duration, Instant};

use watchkeeper_core::outbox::Outcome;
use watchkeeper_notify::Security;

use crate::delivery::rows;
use crate::fixture::incident;
use crate::ledger::Bench;
use crate::peer::{Peer, channel};

const DEADLINE: Duration = Duration::from_secs(2);

/// The next attempt at a server in this mode, with a deadline of two seconds.
async fn attempt(peer: &Peer) -> (Bench, crate::ledger::Finished) {
    let incident = incident(0);
    let channel = peer.channel().with_deadline(DEADLINE);
    let mut bench = Bench::start(channel, rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    (bench, done)
}

#[tokio::test]
async fn no_server_can_hold_a_worker_beyond_the_deadline() {
    for (mode, stage) in [("silent", "EHLO"), ("drip", "EHLO"), ("silence-after-data", "DATA")] {
        let peer = Peer::start(mode, &[]);
        let begun = Instant::now();
        let (bench, done) = attempt(&peer).await;
        let took = begun.elapsed();
        assert!((DEADLINE..DEADLINE * 4).contains(&took), "{mode}: {took:?}");
        assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Transient, None), "{mode}: {done:?}");
        assert_eq!(done.delivery.text, format!("{stage}: no answer within 2 s"), "{mode}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_greeting_that_never_ends_is_cut() {
    let peer = Peer::start("endless", &[]);
    let (_bench, done) = attempt(&peer).await;
    assert_eq!(done.delivery.outcome, Outcome::Transient, "{done:?}");
    assert!(done.delivery.text.starts_with("EHLO: "), "{done:?}");
}

#[tokio::test]
async fn greetings_that_turn_us_away_keep_the_row() {
    for (mode, outcome, code) in [("banner-421", Outcome::Transient, 421), ("banner-554", Outcome::Channel, 554)] {
        let peer = Peer::start(mode, &[]);
        let (_bench, done) = attempt(&peer).await;
        assert_eq!((done.delivery.outcome, done.delivery.code), (outcome, Some(code)), "{done:?}");
        assert!(done.delivery.text.starts_with(&format!("EHLO: {code}")), "{done:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_before_the_answer_brings_the_same_message_id_again() {
    let peer = Peer::start("drop-before-250", &[]);
    let (mut bench, done) = attempt(&peer).await;
    assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Transient, None), "{done:?}");
    assert!(done.delivery.text.starts_with("DATA: "), "{done:?}");
    bench.at(done.next_ms.unwrap());
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
    let mails = peer.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[tokio::test]
async fn nobody_listening_and_a_name_that_nobody_has_are_tried_again() {
    let peer = Peer::start("ok", &[]);
    let mut config = peer.config();
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (server, security) in [
        (format!("localhost:{vacant}"), Security::Starttls),
        (format!("localhost:{vacant}"), Security::Tls),
        ("nobody.invalid:587".to_owned(), Security::Starttls),
    ] {
        (config.server, config.security) = (server, Some(security));
        let incident = incident(0);
        let mut bench = Bench::start(channel(&config), rows(&incident, &["ops@example.com"]), &[incident]);
        let done = bench.next().await;
        assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Transient, None), "{done:?}");
        assert!(done.delivery.text.starts_with("connect: "), "{done:?}");
    }
}

#[tokio::test]
async fn tls_at_a_port_that_begins_in_the_clear_is_a_matter_of_setup() {
    let peer = Peer::start("ok", &[]);
    let mut config = peer.config();
    config.security = Some(Security::Tls);
    let incident = incident(0);
    let mut bench = Bench::start(channel(&config), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!(done.delivery.outcome, Outcome::Channel, "{done:?}");
    assert!(done.delivery.text.starts_with("TLS: "), "{done:?}");
}

#[tokio::test]
async fn a_line_of_blanks_in_the_answer_to_ehlo_ends_no_worker() {
    let mut peer = Peer::start("blank-line", &[]);
    let (mut bench, done) = attempt(&peer).await;
    assert_eq!(done.delivery.outcome, Outcome::Transient, "{done:?}");
    assert_eq!(done.delivery.text, "EHLO: the answer could not be understood");
    peer.turn_into("ok");
    bench.at(done.next_ms.unwrap());
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
}

#[tokio::test]
async fn an_answer_that_was_slipped_in_before_the_handshake_accepts_nothing() {
    let peer = Peer::start("inject", &[]);
    let (_bench, done) = attempt(&peer).await;
    assert_eq!(done.delivery.outcome, Outcome::Transient, "{done:?}");
    assert!(peer.mails().is_empty());
}

#[tokio::test]
async fn a_server_that_ends_the_connection_after_each_mail_gets_them_all() {
    let peer = Peer::start("close-after-each", &[]);
    let incident = incident(0);
    let recipients = ["a@example.com", "b@example.com", "c@example.com"];
    let mut bench = Bench::start(peer.channel(), rows(&incident, &recipients), &[incident]);
    let mut sent = 0;
    while sent < recipients.len() {
        let done = bench.next().await;
        match done.next_ms {
            Some(next_ms) => bench.at(next_ms),
            None => sent += 1,
        }
    }
    let mut told: Vec<_> = peer.mails().into_iter().flat_map(|mail| mail.recipients).collect();
    told.sort();
    assert_eq!(told, recipients);
}
