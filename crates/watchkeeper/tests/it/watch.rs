//! The whole program against a real machine and a real mail server: from a process that burns CPU to the mailbox.

use std::time::Duration;

use crate::burner::{self, Burner};
use crate::peer::{Authority, Peer};
use crate::program::Program;

/// How long a mail may take: hold time, group wait, a few retries, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// A configuration with one rule that a burning process breaks and one recipient who is told.
pub fn configuration(authority: &Authority, port: u16) -> String {
    format!(
        r#"
[smtp.mail]
server = "localhost:{port}"
security = "starttls"
user = "watchkeeper"
password = {{ env = "TEST_SMTP_PASSWORD" }}
from = "Watchkeeper <watchkeeper@localhost>"
ca = "{ca}"

[[route]]
match = 'rule == "burner"'
to = [{{ channel = "mail", recipients = ["ops@localhost"] }}]
group_wait = "1s"

{rule}for = "3s"
severity = "critical"
"#,
        ca = authority.ca_file().display(),
        rule = burner::rule(),
    )
}

#[test]
fn a_burning_process_is_named_in_a_mail() {
    let authority = Authority::new();
    let peer = Peer::start(&authority, 0, "ok");
    let program = Program::new(&(configuration(&authority, peer.port()) + burner::OVER_AT_ONCE));
    let mut watch = program.run();
    let burner = Burner::start(program.folder());

    let mail = peer.wait_for(PATIENCE, |mail| mail.text.contains(&format!("(pid {})", burner.pid())));
    assert!(mail.tls && mail.authenticated, "sent without TLS or without authentication");
    assert_eq!(mail.recipients, ["ops@localhost"]);
    let subject = &mail.subject;
    assert!(subject.contains("CRITICAL") && subject.contains("testhost"), "{subject}");
    let text = &mail.text;
    let sentence = format!("{} (pid {}) takes ", burner::name(), burner.pid());
    let share = text.split(&sentence).nth(1).and_then(|rest| rest.split(" %").next()?.parse::<f64>().ok());
    assert!(share.is_some_and(|share| share > 5.0), "no share of the culprit in: {text}");

    let listed = program.command(&["incidents", "list"]);
    assert!(listed.status.success());
    assert!(listed.stdout.contains(&burner::name()), "{}", listed.stdout);
    let pid = burner.pid();
    drop(burner);
    let over = peer.wait_for(PATIENCE, |mail| {
        let text = &mail.text;
        text.contains(&format!("(pid {pid})")) && !mail.subject.contains("CRITICAL")
    });
    assert!(over.header("In-Reply-To").is_some(), "the end of an incident is not in its thread");
    assert!(watch.terminate(Duration::from_secs(10)), "SIGTERM did not end the watch with code 0");
}

#[test]
fn a_mail_arrives_once_the_server_is_up() {
    let authority = Authority::new();
    let port = Peer::free_port();
    let program = Program::new(&configuration(&authority, port));
    let mut watch = program.run();
    let burner = Burner::start(program.folder());
    program.wait_for_status(PATIENCE, |status| status["channels"]["mail"]["last_error"].is_string());

    let peer = Peer::start(&authority, port, "ok");
    peer.wait_for(PATIENCE, |mail| mail.text.contains(&format!("(pid {})", burner.pid())));
    assert!(watch.terminate(Duration::from_secs(10)));
}

#[test]
fn a_mail_arrives_after_kill_9_between_firing_and_sending() {
    let authority = Authority::new();
    let port = Peer::free_port();
    let program = Program::new(&configuration(&authority, port));
    let mut watch = program.run();
    let burner = Burner::start(program.folder());
    let pid = burner.pid();
    program.wait_for(PATIENCE, "an incident in the store", || {
        program.command(&["incidents", "list"]).stdout.contains(&format!("(pid {pid})"))
    });
    watch.kill();

    let peer = Peer::start(&authority, port, "ok");
    let mut watch = program.run();
    peer.wait_for(PATIENCE, |mail| mail.text.contains(&format!("(pid {pid})")));
    assert!(watch.terminate(Duration::from_secs(10)));
    drop(burner);
    let opened = peer
        .mails()
        .into_iter()
        .filter(|mail| mail.text.contains(&format!("(pid {pid})")) && mail.subject.contains("CRITICAL"));
    let identities: Vec<_> = opened.map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(identities.len(), 1, "told more than once: {identities:?}");
}

#[test]
fn a_test_message_goes_through_the_running_watch_and_without_one() {
    let authority = Authority::new();
    let peer = Peer::start(&authority, 0, "ok");
    let program = Program::new(&configuration(&authority, peer.port()));
    let alone = program.command(&["notify", "test", "--channel", "mail", "--to", "alone@localhost"]);
    assert!(alone.status.success() && alone.stdout.contains("accepted: 250"), "{alone:?}");
    let mut watch = program.run();
    let running = program.command(&["notify", "test", "--channel", "mail"]);
    assert!(running.status.success() && running.stdout.contains("mail -> ops@localhost: accepted: 250"), "{running:?}");
    let unknown = program.command(&["notify", "test", "--channel", "nail"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("there is no channel `nail`; the configuration has: mail"), "{unknown:?}");
    assert!(watch.terminate(Duration::from_secs(10)));
    assert_eq!(peer.mails().len(), 2);
}
