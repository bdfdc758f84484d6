mod answers;
mod certificates;
mod mistakes;

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use super::*;

/// A server on loopback that gives each connection to `serve`.
pub(super) fn server(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    address
}

/// Reads a request up to its empty line.
pub(super) fn request(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0_u8];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// A server that answers everything with this text.
pub(super) fn answering(answer: impl Into<String>) -> SocketAddr {
    let answer = answer.into();
    server(move |mut stream| {
        request(&mut stream);
        let _ = stream.write_all(answer.as_bytes());
    })
}

/// A port of loopback that nobody listens at.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(super) fn tcp(address: &impl ToString) -> CheckConfig {
    let timeout = Span::from_ms(300);
    CheckConfig { name: "one".to_owned(), tcp: Some(address.to_string()), timeout, ..CheckConfig::default() }
}

/// Time enough for a system that asks a closed port several times, as Windows does for two seconds.
fn patient(address: &impl ToString) -> CheckConfig {
    CheckConfig { timeout: Span::from_secs(20), ..tcp(address) }
}

/// What a try says: nothing if it succeeded.
pub(super) fn said(config: &CheckConfig) -> String {
    let answer = Try::new(config, &mut Trust::default()).unwrap().once();
    answer.failure.map(|failure| failure.to_string()).unwrap_or_default()
}

#[test]
fn a_port_is_up_when_it_takes_a_connection() {
    assert_eq!(said(&tcp(&server(drop))), "");
    // Nobody accepts: the system does, as long as the backlog is not full.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(said(&tcp(&silent.local_addr().unwrap())), "");
    assert_eq!(said(&patient(&closed())), "connection refused");
}

#[test]
fn a_port_on_loopback_of_ipv6_is_reached_in_brackets_and_by_name() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let port = listener.local_addr().unwrap().port();
    assert_eq!(said(&tcp(&format!("[::1]:{port}"))), "");
    // The name may mean the address of IPv4 alone, or first: nobody listens there.
    let by_name = said(&patient(&format!("localhost:{port}")));
    assert!(by_name.is_empty() || by_name == "connection refused", "{by_name}");
}

#[cfg(target_os = "linux")] // others let more wait than is asked for
#[test]
fn a_full_backlog_is_a_failure_within_the_deadline() {
    // The system lets so few wait that some connection soon gets no answer.
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let waiting: Vec<TcpStream> =
        (0..8).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()).collect();
    assert!(waiting.len() < 8, "the backlog is never full here");
    let begun = Instant::now();
    assert_eq!(said(&tcp(&address)), "no connection within 300ms");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_name_that_does_not_exist_is_said_so() {
    // By definition no name ends so.
    let said = said(&patient(&"database.invalid:5432"));
    assert!(said.starts_with("the name database.invalid "), "{said}");
    assert!(!said.contains("os error") && !said.contains("5432"), "{said}");
}

#[test]
fn a_lookup_that_hangs_is_asked_once_and_its_late_answer_counts() {
    let names = Names::default();
    let server = Server { host: "slow.example".to_owned(), port: 80 };
    let (answer, question) = std::sync::mpsc::sync_channel(1);
    names.pretend(question);
    for _ in 0..3 {
        let until = Instant::now() + Duration::from_millis(20);
        let failure = names.look_up(&server, until, Span::from_ms(20)).unwrap_err();
        assert_eq!(failure.to_string(), "the name slow.example was not looked up within 20ms");
    }
    let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
    answer.send(Ok(vec![address])).unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    assert_eq!(names.look_up(&server, until, Span::from_secs(60)), Ok(vec![address]));
}

#[test]
fn what_was_found_too_long_ago_is_unknown() {
    let interval = Span::from_secs(30);
    let found = Check {
        name: "web".to_owned(),
        target: "tcp 127.0.0.1:80".to_owned(),
        up: Some(false),
        duration_us: Some(7),
        status: Some(503),
        error: Some("the answer was 503".to_owned()),
        tried_mono_ms: Some(1_000_000),
    };
    assert_eq!(known(&found, interval, 1_090_000), found);
    let unknown = known(&found, interval, 1_090_001);
    assert_eq!((unknown.up, unknown.duration_us, unknown.status, unknown.error), (None, None, None, None));
    assert_eq!((unknown.name, unknown.tried_mono_ms), (found.name, Some(1_000_000)));
    let never = Check { tried_mono_ms: None, ..Check::default() };
    assert_eq!(known(&never, interval, i64::MAX), never, "before the first try is over");
}

#[test]
fn a_reading_holds_what_the_last_tries_found_and_no_try_delays_it() {
    let (open, shut) = (server(drop), closed());
    // It takes the connection and never answers.
    let held = Mutex::new(Vec::new());
    let hangs = server(move |stream| locked(&held).push(stream));
    let long = Span::from_secs(60);
    let checks = [
        CheckConfig { name: "open".to_owned(), ..tcp(&open) },
        CheckConfig { name: "shut".to_owned(), ..patient(&shut) },
        CheckConfig {
            name: "hangs".to_owned(),
            tcp: None,
            http: Some(format!("http://{hangs}/")),
            interval: long,
            timeout: long,
            ..CheckConfig::default()
        },
    ];
    let mut collector = crate::open_with_checks(&crate::CollectConfig::default(), &checks).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let found = loop {
        let begun = Instant::now();
        let found = collector.read().unwrap().checks.expect("there are checks");
        assert!(begun.elapsed() < long.duration() / 2, "a look took {:?}", begun.elapsed());
        if found.iter().filter(|check| check.up.is_some()).count() == 2 || Instant::now() > until {
            break found;
        }
        std::thread::yield_now();
    };
    let shown: Vec<_> = found.iter().map(|check| (check.name.as_str(), check.up, check.error.as_deref())).collect();
    let expected =
        [("open", Some(true), None), ("shut", Some(false), Some("connection refused")), ("hangs", None, None)];
    assert_eq!(shown, expected);
    assert_eq!(found[0].target, format!("tcp {open}"));
    assert!(found[0].duration_us.is_some() && found[0].tried_mono_ms.is_some());
    assert_eq!(collector.tier(), crate::open(&crate::CollectConfig::default()).unwrap().tier());
}

#[test]
fn without_a_check_a_reading_has_no_list_of_them() {
    let mut collector = crate::open_with_checks(&crate::CollectConfig::default(), &[]).unwrap();
    assert_eq!(collector.read().unwrap().checks, None);
}

#[test]
fn checks_go_on_at_their_interval_and_end_when_they_are_dropped() {
    let (sender, calls) = std::sync::mpsc::channel();
    let address = server(move |_| sender.send(Instant::now()).unwrap_or_default());
    let mut checks = Checks::new(&[CheckConfig { interval: Span::from_secs(1), ..tcp(&address) }]).unwrap();
    assert!(calls.recv_timeout(Duration::from_millis(300)).is_err(), "nobody has looked yet");
    checks.begin();
    checks.begin();
    let patience = Duration::from_secs(30);
    let first = calls.recv_timeout(patience).unwrap();
    let second = calls.recv_timeout(patience).unwrap();
    assert!(second - first >= Duration::from_millis(800), "{:?}", second - first);
    drop(checks);
    // One try may have been under way.
    let _ = calls.recv_timeout(Duration::from_millis(500));
    assert!(calls.recv_timeout(Duration::from_millis(1_500)).is_err(), "it goes on");
}
