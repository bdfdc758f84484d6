//! Servers that do not answer, ports that open, and a check that fails.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use super::quick::{Incidents, configuration, culprit, quick};
use super::trouble::Trouble;
use crate::program::Program;

/// An address of loopback.
fn at(port: u32) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, u16::try_from(port).expect("a port")).into()
}

/// Sends until the other side takes no more.
fn fill(mut stream: &TcpStream) {
    stream.set_nonblocking(true).expect("it can be so");
    loop {
        match stream.write(&[b'.'; 4_096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn servers_that_do_not_answer_and_a_new_port_are_named_with_their_process() {
    let rules = vec![quick("listener-not-accepting", 2), quick("unread-queue", 2), quick("new-listening-port", 0)];
    let program = Program::new(&configuration(rules, ""));
    let start = |name: &str, trouble: &str| Trouble::start(program.folder(), name, trouble);
    let mut deaf = start("wk-deaf", "listener");
    let mut full = start("wk-full", "reader");
    // One that waits, and the one that makes the backlog full.
    let clients = [(); 2].map(|()| TcpStream::connect(at(deaf.number())).expect("the kernel answers"));
    let sender = TcpStream::connect(at(full.number())).expect("the kernel answers");
    fill(&sender);
    let mut watch = program.run();

    let incidents = Incidents(&program);
    let silent = incidents.blames("listener-not-accepting", deaf.pid());
    let unread = incidents.blames("unread-queue", full.pid());
    for (incident, server) in [(&silent, &deaf), (&unread, &full)] {
        assert_eq!(incident["evidence"]["entity"]["socket"], format!("tcp {}", at(server.number())));
    }
    let new = start("wk-new", "listener");
    let socket = format!("tcp {}", at(new.number()));
    let opened = incidents
        .wait("new-listening-port", &socket, |incident| incident["evidence"]["entity"]["socket"] == socket.as_str());
    assert_eq!(culprit(&opened), Some(u64::from(new.pid())), "{opened:#}");
    for before in [&deaf, &full] {
        let socket = format!("tcp {}", at(before.number()));
        let is_told = |incident: &serde_json::Value| {
            incident["cause"] == "new-listening-port" && incident["evidence"]["entity"]["socket"] == socket.as_str()
        };
        assert!(!incidents.all().iter().any(is_told), "{socket} was there before the watch");
    }

    deaf.heal();
    full.heal();
    for incident in [&silent, &unread, &opened] {
        incidents.is_resolved(incident);
    }
    drop((clients, sender));
    assert!(watch.terminate(std::time::Duration::from_secs(10)));
}

#[test]
fn a_port_that_closes_fails_its_check_until_it_is_open_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let check = format!("[[check]]\nname = \"wk-port\"\ntcp = \"{address}\"\ninterval = \"1s\"\ntimeout = \"500ms\"\n");
    let program = Program::new(&configuration(vec![quick("check-failed", 2)], &check));
    let mut watch = program.run();
    program.wait_for_status(super::quick::PATIENCE, |status| status["analyst"]["last_tick_mono_ms"].is_i64());
    assert_eq!(Incidents(&program).all(), Vec::<serde_json::Value>::new());
    drop(listener);
    let incidents = Incidents(&program);
    let failed =
        incidents.wait("check-failed", "wk-port", |incident| incident["evidence"]["entity"]["check"] == "wk-port");
    assert!(failed["title"].as_str().is_some_and(|title| title.contains("connection refused")), "{failed:#}");
    assert_eq!(culprit(&failed), None, "nobody is to blame: {failed:#}");
    let listener = TcpListener::bind(address).expect("the port is still free");
    incidents.is_resolved(&failed);
    drop(listener);
    assert!(watch.terminate(std::time::Duration::from_secs(10)));
}
