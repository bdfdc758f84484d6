//! Checks of ports and URLs by the whole program: from a port that is closed to the incident, and back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use rustix::process::Signal;

use crate::program::Program;

/// How long an alert may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// A port of loopback that nobody listens at now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has one")
}

fn configuration(check: &str) -> String {
    format!(
        r#"
[[check]]
name = "database"
{check}
interval = "1s"
timeout = "500ms"

[[rule]]
id = "down"
title = "A server does not answer"
each = "check"
when = 'check.up == 0'
for = "3s"
keep_firing = "1s"
severity = "critical"
"#
    )
}

/// The number of the incident with this title, once there is one: the machine may have troubles of its own.
fn ticket(program: &Program, title: &str) -> String {
    let mut ticket = None;
    program.wait_for(PATIENCE, "an incident", || {
        let list = program.command(&["incidents", "list"]).stdout;
        let line = list.lines().find(|line| line.contains(title));
        ticket = line.and_then(|line| line.split_whitespace().next()).map(str::to_owned);
        ticket.is_some()
    });
    ticket.expect("it was waited for")
}

#[test]
fn a_closed_port_fires_with_its_reason_and_is_over_when_it_opens() {
    let address = free();
    let program = Program::new(&configuration(&format!("tcp = \"{address}\"")));
    let mut watch = program.run();
    let title = format!("A server does not answer: database: connection refused (tcp {address})");
    let ticket = ticket(&program, &title);
    let shown = program.command(&["incidents", "show", &ticket]).stdout;
    assert!(shown.contains(&title) && shown.contains("check.up"), "{shown}");
    assert!(!shown.contains("(pid "), "somebody is blamed: {shown}");
    assert!(program.log().contains(&title), "it is not printed: {}", program.log());

    let listener = TcpListener::bind(address).expect("the port is still free");
    program.wait_for(PATIENCE, "the end of the incident", || {
        program.command(&["incidents", "show", &ticket]).stdout.contains("resolved")
    });
    drop(listener);
    assert!(watch.terminate(Duration::from_secs(10)), "SIGTERM did not end the watch with code 0");
}

#[test]
fn a_check_of_an_url_begins_at_a_reload_and_its_token_is_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 503 Broken\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let program = Program::new("[collect]\ninterval = \"1s\"\n");
    let mut watch = program.run();
    program.configure(&configuration(&format!("http = \"http://{address}/health?token=geheim\"")));
    watch.signal(Signal::HUP);
    let title = format!("database: the answer was 503 Service Unavailable (http://{address}/health?...)");
    let ticket = ticket(&program, &title);
    let shown = program.command(&["incidents", "show", &ticket]).stdout;
    assert!(shown.contains(&title) && !shown.contains("geheim"), "{shown}");
    assert!(watch.terminate(Duration::from_secs(10)));
    assert!(!program.log().contains("geheim"), "{}", program.log());
}

#[test]
fn a_check_that_cannot_be_used_is_refused_with_its_place() {
    let program = Program::new("[[check]]\nname = \"a\"\nhttp = \"https://root:geheim@localhost/\"\n");
    let said = program.command(&["config", "check"]);
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains("user and password do not belong into the URL of a check"), "{}", said.stderr);
    assert!(!said.stderr.contains("geheim"), "{}", said.stderr);
}
