//! Mistakes in `[[check]]` tables.

use super::*;

/// A check that is right but for what `change` does.
fn problems(change: impl FnOnce(&mut CheckConfig)) -> Vec<String> {
    let mut config = CheckConfig { name: "one".to_owned(), tcp: Some("db:5432".to_owned()), ..CheckConfig::default() };
    change(&mut config);
    shown(&[config])
}

fn shown(checks: &[CheckConfig]) -> Vec<String> {
    let problems = validate_checks(checks);
    for problem in &problems {
        assert!(problem.help.is_some(), "{problem:?}");
    }
    problems.into_iter().map(|problem| format!("{}: {}", problem.key_path, problem.message)).collect()
}

#[test]
fn good_checks_have_no_problem_and_are_shown_without_secrets() {
    for (tcp, http, shown) in [
        (Some("127.0.0.1:5432"), None, "tcp 127.0.0.1:5432"),
        (Some("[::1]:22"), None, "tcp [::1]:22"),
        (Some("db.example.com:5432"), None, "tcp db.example.com:5432"),
        (None, Some("http://localhost"), "http://localhost/"),
        (None, Some("https://example.com/health"), "https://example.com/health"),
        (None, Some("https://example.com:8443/a/b?token=geheim"), "https://example.com:8443/a/b?..."),
        (None, Some("http://[::1]:8080/"), "http://[::1]:8080/"),
    ] {
        let found = problems(|c| (c.tcp, c.http) = (tcp.map(str::to_owned), http.map(str::to_owned)));
        assert_eq!(found, [""; 0], "{shown}");
        let config =
            CheckConfig { tcp: tcp.map(str::to_owned), http: http.map(str::to_owned), ..CheckConfig::default() };
        assert_eq!(config.target().unwrap().to_string(), shown);
    }
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let url = |url: &str| {
        let url = url.to_owned();
        move |c: &mut CheckConfig| (c.tcp, c.http) = (None, Some(url))
    };
    let tcp = |tcp: &str| {
        let tcp = tcp.to_owned();
        move |c: &mut CheckConfig| c.tcp = Some(tcp)
    };
    let of = |change: &dyn Fn(&mut CheckConfig)| problems(change);
    for (found, expected) in [
        (of(&|c| c.name.clear()), "0.name: the check has no name"),
        (of(&|c| c.name = "a\u{1b}b".to_owned()), "0.name: the name has control characters in it, or blanks around it"),
        (of(&|c| c.name = " a".to_owned()), "0.name: the name has control characters in it, or blanks around it"),
        (of(&|c| c.name = "a".repeat(65)), "0.name: the name is longer than 64 characters"),
        (of(&|c| c.tcp = None), "0: it is not said what is checked"),
        (of(&|c| c.http = Some("http://a".to_owned())), "0.http: a check has either `tcp` or `http`, not both"),
        (problems(tcp("db")), "0.tcp: `db` has no port"),
        (problems(tcp("db:0")), "0.tcp: `0` is not a port; it must be a number from 1 to 65535"),
        (problems(tcp("db:pg")), "0.tcp: `pg` is not a port; it must be a number from 1 to 65535"),
        (problems(tcp(":80")), "0.tcp: `` cannot be the name of a server"),
        (problems(tcp("::1:80")), "0.tcp: `::1:80` has an IPv6 address that is not in brackets, as in [::1]:5432"),
        (problems(tcp("http://db:80")), "0.tcp: an URL stands where a name and a port are expected"),
        (problems(tcp("root:geheim@db:80")), "0.tcp: a name and a port are expected, without a user"),
        (problems(url("example.com")), "0.http: the URL begins with neither http:// nor https://"),
        (problems(url("ftp://example.com")), "0.http: the URL begins with neither http:// nor https://"),
        (problems(url("http:///health")), "0.http: the URL names no server"),
        (problems(url("http://a:99999/")), "0.http: the port of the URL is not a number from 1 to 65535"),
        (problems(url("http://a/b c")), "0.http: this is not an URL"),
        (problems(url("http://a/#top")), "0.http: what follows `#` is never sent"),
        (
            problems(url("https://root:geheim@example.com/")),
            "0.http: user and password do not belong into the URL of a check",
        ),
        (of(&|c| c.interval = Span::from_ms(999)), "0.interval: 999ms is no time between two tries"),
        (of(&|c| c.interval = Span::from_secs(86_401)), "0.interval: 1d1s is no time between two tries"),
        (of(&|c| c.timeout = Span::from_secs(31)), "0.timeout: a try of 31s does not fit into an interval of 30s"),
        (of(&|c| c.timeout = Span::from_ms(99)), "0.timeout: 99ms is too short for a try"),
        (of(&|c| c.status = vec![200]), "0.status: a TCP connection has no answer to look at"),
        (of(&|c| c.contains = Some("a".to_owned())), "0.contains: a TCP connection has no answer to look at"),
        (of(&|c| c.ca = Some(std::env::temp_dir())), "0.ca: there is no certificate to check without https"),
        (
            problems(|c| {
                url("https://a/")(c);
                c.ca = Some("a.pem".into());
            }),
            "0.ca: the path of the file is relative, and the watch has no folder of its own to start at",
        ),
        (
            problems(|c| {
                url("http://a/")(c);
                c.status = vec![200, 99];
            }),
            "0.status.1: 99 is no status of an HTTP answer",
        ),
        (
            problems(|c| {
                url("http://a/")(c);
                c.contains = Some(String::new());
            }),
            "0.contains: a text of 1 to 1000 bytes is looked for",
        ),
    ] {
        assert_eq!(found, [expected]);
        assert!(!expected.contains("geheim"));
    }
}

#[test]
fn two_checks_have_two_names_and_there_are_not_too_many() {
    let one = |index: usize| CheckConfig { name: format!("c{index}"), ..tcp(&"db:5432") };
    assert_eq!(shown(&(0..64).map(one).collect::<Vec<_>>()), [""; 0]);
    let many: Vec<_> = (0..65).map(one).collect();
    assert_eq!(shown(&many), ["64: 65 checks are more than the 64 that one machine may have"]);
    assert_eq!(shown(&[one(1), one(2), one(1)]), ["2.name: the name `c1` is used twice"]);
    assert_eq!(validate_checks(&[one(1), one(1)])[0].first.as_deref(), Some("0.name"));
}
