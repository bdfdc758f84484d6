//! Mail to a real server: what is accepted, what is refused, and what is never sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use watchkeeper_core::outbox::{OutboxRow, Outcome};
use watchkeeper_core::{Incident, IncidentEvent};
use watchkeeper_notify::{Security, plan, render};

use crate::fixture::{OPENED_MS, change, due, incident, origin, routes_to};
use crate::ledger::{Bench, logged};
use crate::peer::{Mail, PASSWORD, Peer, USER, channel, write_certificates};

/// Rows that tell these recipients of one incident.
pub fn rows(incident: &Incident, recipients: &[&str]) -> Vec<OutboxRow> {
    plan(&[change(IncidentEvent::Opened, incident, OPENED_MS)], &routes_to(recipients), OPENED_MS)
}

#[tokio::test]
async fn a_mail_is_accepted_over_starttls_with_an_account() {
    let peer = Peer::start("ok", &[]);
    let incident = incident(0);
    let rows_of_it = rows(&incident, &["Ops <ops@example.com>"]);
    let mut bench = Bench::start(peer.channel(), rows_of_it, std::slice::from_ref(&incident));
    let done = bench.next().await;
    assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Sent, Some(250)), "{done:?}");
    let mail = peer.mails().remove(0);
    assert!(mail.tls && mail.auth, "{mail:?}");
    assert_eq!(mail.recipients, ["ops@example.com"]);
    assert_eq!(mail.header("To").as_deref(), Some("Ops <ops@example.com>"));
    assert_eq!(mail.header("From").as_deref(), Some("Watchkeeper <watchkeeper@example.com>"));
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(mail.header("Date").as_deref(), Some("Fri, 20 Nov 2026 02:03:00 +0000"));
    assert!(mail.header("Message-ID").unwrap().ends_with(".watchkeeper@db1>"));
    assert!(mail.header("Subject").unwrap().contains("yes (pid 4711) takes 49.8 %"), "{mail:?}");
    assert!(mail.header("Content-Type").unwrap().starts_with("multipart/alternative"));
    // What arrived is what was rendered, whatever encodings it travelled in.
    let words = render(&due(rows(&incident, &["Ops <ops@example.com>"]), &[incident]), &origin(), bench.now_ms());
    assert_eq!(mail.subject.as_deref(), Some(words.subject.as_str()));
    assert_eq!(mail.text.as_deref(), Some(words.text.as_str()));
    assert_eq!(mail.html.as_deref(), Some(words.html.as_str()));
    assert_eq!(mail.header("In-Reply-To"), None);
    let health = bench.health();
    assert_eq!((health.sent, health.failing_since_ms, health.last_error), (1, None, None));
    bench.stop().await;
    assert_eq!(peer.count("QUIT"), 1);
}

#[tokio::test]
async fn a_mail_is_accepted_over_tls_from_the_first_byte_with_login() {
    let peer = Peer::start("ok", &["--implicit-tls", "--mechanisms", "LOGIN"]);
    let mut config = peer.config();
    config.security = Some(Security::Tls);
    let incident = incident(0);
    let mut bench = Bench::start(channel(&config), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!(done.delivery.outcome, Outcome::Sent, "{done:?}");
    assert!(peer.mails()[0].auth);
}

#[tokio::test]
async fn a_server_without_tls_is_used_only_without_an_account() {
    let peer = Peer::start("plaintext", &[]);
    let mut config = peer.config();
    (config.security, config.user, config.password, config.ca) = (Some(Security::Plaintext), None, None, None);
    let incident = incident(0);
    let mut bench = Bench::start(channel(&config), rows(&incident, &["ops@example.com"]), &[incident]);
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
    assert_eq!(peer.count("AUTH"), 0);
    assert!(!peer.mails()[0].tls);
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_with_a_certificate_of_a_stranger() {
    for implicit in [false, true] {
        let peer = Peer::start("ok", if implicit { &["--implicit-tls"] } else { &[] });
        let stranger = tempfile::tempdir().unwrap();
        write_certificates(stranger.path());
        let mut config = peer.config();
        config.ca = Some(stranger.path().join("authority.pem"));
        config.security = Some(if implicit { Security::Tls } else { Security::Starttls });
        let incident = incident(0);
        let mut bench = Bench::start(channel(&config), rows(&incident, &["ops@example.com"]), &[incident]);
        let done = bench.next().await;
        assert_eq!(done.delivery.outcome, Outcome::Channel, "{done:?}");
        assert!(done.delivery.text.starts_with("TLS: ") && done.delivery.text.contains("certificate"), "{done:?}");
        assert_eq!((peer.count("AUTH"), peer.count("MAIL"), peer.mails().len()), (0, 0, 0));
        assert!(bench.health().misconfigured);
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_with_a_certificate_for_another_name() {
    let peer = Peer::start("ok", &[]);
    let mut config = peer.config();
    config.server = format!("127.0.0.1:{}", peer.port);
    let incident = incident(0);
    let mut bench = Bench::start(channel(&config), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!(done.delivery.outcome, Outcome::Channel, "{done:?}");
    assert!(done.delivery.text.starts_with("TLS: "), "{done:?}");
    assert_eq!(peer.count("AUTH"), 0);
}

#[tokio::test]
async fn a_server_that_no_longer_offers_starttls_gets_neither_password_nor_mail() {
    let peer = Peer::start("no-starttls", &[]);
    let incident = incident(0);
    let mut bench = Bench::start(peer.channel(), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!(done.delivery.outcome, Outcome::Channel);
    assert!(done.delivery.text.starts_with("STARTTLS: "), "{done:?}");
    assert_eq!((peer.count("AUTH"), peer.count("MAIL")), (0, 0), "{:?}", peer.commands());
}

#[tokio::test]
async fn a_refused_password_keeps_the_row_for_a_quarter_of_an_hour() {
    let peer = Peer::start("wrong-password", &[]);
    let incident = incident(0);
    let mut bench = Bench::start(peer.channel(), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Channel, Some(535)), "{done:?}");
    assert!(done.delivery.text.starts_with("AUTH: 535"), "{done:?}");
    let wait_ms = done.next_ms.unwrap() - bench.now_ms();
    assert!((675_000..=1_125_000).contains(&wait_ms), "{wait_ms}");
    let health = bench.health();
    assert!(health.misconfigured && health.failing_since_ms == Some(bench.now_ms()), "{health:?}");
}

#[tokio::test]
async fn a_server_that_cannot_check_passwords_now_is_tried_again_soon() {
    let peer = Peer::start("temporary-auth", &[]);
    let incident = incident(0);
    let mut bench = Bench::start(peer.channel(), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Transient, Some(454)), "{done:?}");
    assert!(done.next_ms.unwrap() - bench.now_ms() <= 6_250);
}

#[tokio::test]
async fn one_unknown_recipient_of_three_does_not_keep_the_mail_from_the_others() {
    let peer = Peer::start("ok", &[]);
    let incident = incident(0);
    let rows = rows(&incident, &["good@example.com", "bad@example.com", "moved@example.com"]);
    let mut bench = Bench::start(peer.channel(), rows, &[incident]);
    let mut done = bench.finished(3).await;
    done.sort_by_key(|done| done.id);
    let outcomes: Vec<_> = done.iter().map(|done| (done.delivery.outcome, done.delivery.code)).collect();
    assert_eq!(outcomes, [(Outcome::Sent, Some(250)), (Outcome::Dead, Some(550)), (Outcome::Sent, Some(250))]);
    assert_eq!(done[1].delivery.text, "RCPT: 550 5.1.1 No such user here");
    let recipients: Vec<_> = peer.mails().into_iter().flat_map(|mail| mail.recipients).collect();
    assert_eq!(recipients, ["good@example.com", "moved@example.com"]);
    // All over one connection, with an account once.
    bench.stop().await;
    assert_eq!((peer.count("EHLO"), peer.count("AUTH"), peer.count("QUIT")), (2, 1, 1), "{:?}", peer.commands());
}

#[tokio::test]
async fn a_full_mailbox_and_a_greylist_are_tried_again() {
    for (mode, recipient, code) in [("ok", "full@example.com", 452), ("greylist", "ops@example.com", 451)] {
        let mut peer = Peer::start(mode, &[]);
        let incident = incident(0);
        let mut bench = Bench::start(peer.channel(), rows(&incident, &[recipient]), &[incident]);
        let done = bench.next().await;
        assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Transient, Some(code)), "{done:?}");
        if mode == "greylist" {
            peer.turn_into("ok");
            bench.at(done.next_ms.unwrap());
            assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
            assert_eq!(peer.mails().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_mail_that_is_refused_for_its_content_is_tried_once_more_as_bare_text() {
    for mode in ["refuse-html", "refuse-html-and-close"] {
        let peer = Peer::start(mode, &[]);
        let incident = incident(0);
        let mut bench = Bench::start(peer.channel(), rows(&incident, &["a@x.org", "b@x.org"]), &[incident]);
        assert!(bench.finished(2).await.iter().all(|done| done.delivery.outcome == Outcome::Sent), "{mode}");
        let mails = peer.mails();
        let forms: Vec<_> = mails.iter().map(|mail| (mail.recipients[0].as_str(), mail.html.is_some())).collect();
        assert_eq!(forms, [("a@x.org", true), ("a@x.org", false), ("b@x.org", true), ("b@x.org", false)], "{mode}");
        let text = |mail: &Mail| mail.text.as_deref().map(|text| text.trim_end().to_owned());
        assert_eq!(text(&mails[0]), text(&mails[1]));
        assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    }
}

#[tokio::test]
async fn a_mail_that_is_refused_in_both_forms_is_dead() {
    let peer = Peer::start("refuse-all-data", &[]);
    let incident = incident(0);
    let mut bench = Bench::start(peer.channel(), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Dead, Some(554)), "{done:?}");
    assert_eq!(peer.mails().len(), 2);
    assert_eq!(bench.ledger.open(), 0);
}

#[tokio::test]
async fn a_server_that_refuses_the_sender_is_a_matter_of_setup() {
    let peer = Peer::start("refuse-sender", &[]);
    let incident = incident(0);
    let mut bench = Bench::start(peer.channel(), rows(&incident, &["ops@example.com"]), &[incident]);
    let done = bench.next().await;
    assert_eq!((done.delivery.outcome, done.delivery.code), (Outcome::Channel, Some(550)), "{done:?}");
    assert!(done.delivery.text.starts_with("MAIL: 550"), "{done:?}");
}

#[tokio::test]
async fn later_mails_about_an_incident_are_in_the_thread_of_the_first() {
    let peer = Peer::start("ok", &[]);
    let mut incident = incident(0);
    let mut bench =
        Bench::start(peer.channel(), rows(&incident, &["ops@example.com"]), std::slice::from_ref(&incident));
    bench.next().await;
    incident.closed_ms = Some(OPENED_MS + 600_000);
    let closed = change(IncidentEvent::Resolved, &incident, OPENED_MS + 600_000);
    bench.ledger.add(plan(&[closed], &routes_to(&["ops@example.com"]), OPENED_MS + 600_000), &[incident]);
    bench.at(OPENED_MS + 600_000);
    bench.next().await;
    let mails = peer.mails();
    let first = mails[0].header("Message-ID");
    assert_eq!(mails[1].header("In-Reply-To"), first);
    assert_eq!(mails[1].header("References"), first);
    assert_ne!(mails[1].header("Message-ID"), first);
    assert!(mails[1].header("Subject").unwrap().starts_with("[RESOLVED]"), "{:?}", mails[1]);
}

#[tokio::test]
async fn a_process_cannot_add_a_header_with_its_name() {
    let peer = Peer::start("ok", &[]);
    let mut incident = incident(0);
    incident.evidence.top[0].program = "x\r\nBcc: victim@example.com\r\n\r\nbody".to_owned();
    incident.title = "t\r\nX-Evil: 1".to_owned();
    incident.host = "h\r\nX-Evil: 2".to_owned();
    let mut bench = Bench::start(peer.channel(), rows(&incident, &["ops@example.com"]), &[incident]);
    assert_eq!(bench.next().await.delivery.outcome, Outcome::Sent);
    let mail = peer.mails().remove(0);
    assert_eq!(mail.recipients, ["ops@example.com"]);
    assert_eq!((mail.header("Bcc"), mail.header("X-Evil")), (None, None), "{mail:?}");
}

#[tokio::test]
async fn a_server_that_repeats_the_password_brings_it_nowhere() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let peer = Peer::start("echo-password", &["--mechanisms", mechanism]);
        let channel = peer.channel();
        assert!(!format!("{channel:?}").contains(PASSWORD));
        let incident = incident(0);
        let mut bench = Bench::start(channel, rows(&incident, &["ops@example.com"]), &[incident]);
        let done = bench.next().await;
        assert!(done.delivery.text.contains("********"), "the server did repeat it: {done:?}");
        let health = bench.health();
        for shown in [format!("{done:?}"), format!("{health:?}"), peer.config().server, format!("{:?}", peer.config())]
        {
            assert!(!shown.contains(PASSWORD), "{shown}");
        }
    }
    let log = logged();
    assert!(log.contains("AUTH: 535"), "{log}");
    for secret in [PASSWORD.to_owned(), BASE64.encode(PASSWORD), BASE64.encode(format!("\0{USER}\0{PASSWORD}"))] {
        assert!(!log.contains(&secret), "{log}");
    }
}
