//! Answers of HTTP servers: good ones, bad ones, slow ones.

use super::*;

/// Asks for `/health` at this address.
fn http(address: SocketAddr) -> CheckConfig {
    let timeout = Span::from_secs(10);
    CheckConfig {
        name: "web".to_owned(),
        http: Some(format!("http://{address}/health")),
        timeout,
        ..CheckConfig::default()
    }
}

fn with_length(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn an_answer_is_good_or_it_is_said_why_not() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nheal\r\n3\r\nthy\r\n0\r\n\r\n";
    for (name, answer, change, expected) in [
        ("plain", with_length("200 OK", "", "healthy"), (|_| ()) as fn(&mut CheckConfig), ""),
        ("its text", with_length("200 OK", "", "is healthy"), |c| c.contains = Some("healthy".to_owned()), ""),
        ("across pieces", CHUNKED.to_owned(), |c| c.contains = Some("healthy".to_owned()), ""),
        (
            "another text",
            with_length("200 OK", "", "sick"),
            |c| c.contains = Some("healthy".to_owned()),
            "the answer does not contain `healthy`",
        ),
        ("no body", with_length("204 No Content", "", ""), |_| (), ""),
        ("failing", with_length("503 Nope", "", ""), |_| (), "the answer was 503 Service Unavailable"),
        ("unknown status", with_length("599 X", "", ""), |_| (), "the answer was 599"),
        ("wanted failure", with_length("503 X", "", ""), |c| c.status = vec![200, 503], ""),
        ("unwanted success", with_length("200 OK", "", ""), |c| c.status = vec![204], "the answer was 200 OK"),
        ("redirect", with_length("302 Found", "Location: /login\r\n", ""), |_| (), ""),
        (
            "unwanted redirect",
            with_length("302 Found", "Location: https://user:secret@other.invalid/login?token=secret\r\n", ""),
            |c| c.status = vec![200],
            "the answer was 302 Found, which leads to https://other.invalid/login; redirects are not followed",
        ),
        (
            "redirect without the text",
            with_length("301 Moved", "Location: /new\r\n", "moved"),
            |c| c.contains = Some("healthy".to_owned()),
            "the answer 301 Moved Permanently does not contain `healthy`, which leads to /new; redirects are not followed",
        ),
        ("nothing", String::new(), |_| (), "the connection was closed without an answer"),
        (
            "another protocol",
            "220 mail.example ESMTP\r\n\r\n".to_owned(),
            |_| (),
            "the answer is not HTTP: invalid HTTP version",
        ),
        (
            "cut body",
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nheal".to_owned(),
            |c| c.contains = Some("healthy".to_owned()),
            "the connection was closed before the answer was complete",
        ),
    ] {
        let mut config = http(answering(answer));
        change(&mut config);
        assert_eq!(said(&config), expected, "{name}");
    }
}

#[test]
fn the_status_is_known_whether_it_is_good_or_not() {
    for (answer, status) in [("200 OK", Some(200)), ("503 X", Some(503)), ("", None)] {
        let text = if answer.is_empty() { String::new() } else { with_length(answer, "", "") };
        let found = Try::new(&http(answering(text)), &mut Trust::default()).unwrap().once();
        assert_eq!(found.status, status, "{answer}");
    }
}

#[test]
fn a_redirect_to_elsewhere_contacts_nobody_else() {
    let (sender, calls) = std::sync::mpsc::channel();
    let elsewhere = server(move |_| sender.send(()).unwrap_or_default());
    let moved = with_length("302 Found", &format!("Location: http://{elsewhere}/\r\n"), "");
    assert_eq!(said(&http(answering(moved))), "");
    assert!(calls.recv_timeout(Duration::from_millis(300)).is_err(), "somebody else was asked");
}

#[test]
fn a_request_is_plain_and_has_nothing_of_ours_in_it() {
    let (sender, asked) = std::sync::mpsc::channel();
    let address = server(move |mut stream| {
        let _ = sender.send(request(&mut stream));
        let _ = stream.write_all(with_length("200 OK", "", "").as_bytes());
    });
    let config = CheckConfig { http: Some(format!("http://{address}/health?full=1")), ..http(address) };
    assert_eq!(said(&config), "");
    let asked = asked.recv().unwrap().to_lowercase();
    assert!(asked.starts_with("get /health?full=1 http/1.1\r\n"), "{asked}");
    assert!(asked.contains("user-agent: watchkeeper/"), "{asked}");
    assert!(!asked.contains("authorization") && !asked.contains("cookie"), "{asked}");
    let target = config.target().unwrap().to_string();
    assert_eq!(target, format!("http://{address}/health?..."), "what follows may be a token");
}

/// A server that writes the beginning, and then one byte after the other, for ever.
fn dripping(beginning: &'static str) -> SocketAddr {
    server(move |mut stream| {
        request(&mut stream);
        let _ = stream.write_all(beginning.as_bytes());
        std::thread::spawn(move || {
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    })
}

#[test]
fn the_deadline_holds_for_whoever_drips_or_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let wants = |address, text: Option<&str>| {
        let timeout = Span::from_ms(400);
        CheckConfig { timeout, contains: text.map(str::to_owned), ..http(address) }
    };
    for (name, config, expected) in [
        ("never accepted", wants(silent.local_addr().unwrap(), None), "no answer within 400ms"),
        ("dripping status", wants(dripping("HTTP/1.1 200 "), None), "no answer within 400ms"),
        ("dripping header", wants(dripping("HTTP/1.1 200 OK\r\nX: "), None), "no answer within 400ms"),
        (
            "dripping body",
            wants(dripping("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"), Some("ok")),
            "the answer was not complete within 400ms",
        ),
        (
            "dripping body to the end of the connection",
            wants(dripping("HTTP/1.1 200 OK\r\n\r\n"), Some("ok")),
            "the answer was not complete within 400ms",
        ),
        ("a body that nobody wants", wants(dripping("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"), None), ""),
    ] {
        let begun = Instant::now();
        assert_eq!(said(&config), expected, "{name}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn only_the_beginning_of_a_body_is_looked_at() {
    let long = |at: usize| format!("{}healthy{}", "x".repeat(at), "x".repeat(1 << 20));
    for (at, is_found) in [(1 << 19, true), ((1 << 20) - 7, true), ((1 << 20) - 6, false)] {
        let config = CheckConfig {
            contains: Some("healthy".to_owned()),
            ..http(answering(with_length("200 OK", "", &long(at))))
        };
        assert_eq!(said(&config).is_empty(), is_found, "{at}");
    }
}
