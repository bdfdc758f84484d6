//! Settings of a mail channel: everything that is wrong is said, and no secret with it.

use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Secret, SecretSource, Validate};
use watchkeeper_notify::{Channel, ChannelError, RouteConfig, Security, SmtpConfig};

use crate::fixture::origin;
use crate::peer::{PASSWORD, write_certificates};

fn good() -> SmtpConfig {
    serde_json::from_value(serde_json::json!({
        "server": "smtp.example.com:587",
        "security": "starttls",
        "user": "watchkeeper@example.com",
        "password": { "env": "SMTP_PASSWORD" },
        "from": "Watchkeeper <watchkeeper@example.com>",
    }))
    .unwrap()
}

#[test]
fn the_example_of_the_manual_is_right() {
    let config = good();
    assert_eq!(config.validate(), []);
    assert_eq!(config.give_up_after, Span::from_secs(259_200));
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(serde_json::from_value::<SmtpConfig>(json).unwrap(), config);
}

fn in_the_clear(config: &mut SmtpConfig) {
    let ca = Some("/etc/authority.pem".into());
    *config = SmtpConfig { security: Some(Security::Plaintext), user: None, password: None, ca, ..good() };
}

#[test]
fn every_mistake_is_found_where_it_is() {
    type Change = fn(&mut SmtpConfig);
    let table: [(&str, Change, &[&str]); 25] = [
        ("nothing", |c| *c = SmtpConfig::default(), &["server", "security", "from"]),
        ("no port", |c| c.server = "smtp.example.com".into(), &["server"]),
        ("port 0", |c| c.server = "smtp.example.com:0".into(), &["server"]),
        ("large port", |c| c.server = "smtp.example.com:65536".into(), &["server"]),
        ("port of words", |c| c.server = "smtp.example.com:smtp".into(), &["server"]),
        ("no host", |c| c.server = ":587".into(), &["server"]),
        ("an URL", |c| c.server = "smtp://smtp.example.com:587".into(), &["server"]),
        ("blank in the host", |c| c.server = "smtp example.com:587".into(), &["server"]),
        ("line break in the host", |c| c.server = "smtp\r\n.com:587".into(), &["server"]),
        ("bare IPv6", |c| c.server = "::1:587".into(), &["server"]),
        ("IPv6", |c| c.server = "[::1]:587".into(), &[]),
        ("IPv4", |c| c.server = "127.0.0.1:587".into(), &[]),
        ("no address", |c| c.from = "watchkeeper".into(), &["from"]),
        ("a header in the address", |c| c.from = "a\r\nBcc: b <a@example.com>".into(), &["from"]),
        ("user without password", |c| c.password = None, &["user"]),
        ("password without user", |c| c.user = None, &["password"]),
        ("neither", |c| (c.user, c.password) = (None, None), &[]),
        ("empty user", |c| c.user = Some(String::new()), &["user"]),
        ("empty place", |c| c.password = Some(SecretSource::Env(String::new())), &["password"]),
        ("account in the clear", |c| c.security = Some(Security::Plaintext), &["user"]),
        ("relative path", |c| c.ca = Some("authority.pem".into()), &["ca"]),
        ("empty path", |c| c.ca = Some("".into()), &["ca"]),
        ("certificate in the clear", in_the_clear, &["ca"]),
        ("given up at once", |c| c.give_up_after = Span::from_secs(59), &["give_up_after"]),
        ("never given up", |c| c.give_up_after = Span::from_secs(31 * 86_400), &["give_up_after"]),
    ];
    for (name, change, keys) in table {
        let mut config = good();
        change(&mut config);
        let problems = config.validate();
        let found: Vec<_> = problems.iter().map(|problem| problem.key_path.as_str()).collect();
        assert_eq!(found, keys, "{name}: {problems:?}");
        for problem in problems {
            assert!(!problem.message.ends_with('.') && !problem.message.contains(['\r', '\n']), "{problem:?}");
        }
    }
}

#[test]
fn a_password_in_the_configuration_is_refused_without_repeating_it() {
    let json = serde_json::json!({ "server": "a:1", "password": "hunter2" });
    let error = serde_json::from_value::<SmtpConfig>(json).unwrap_err().to_string();
    assert!(error.contains("a secret must not be written here") && !error.contains("hunter2"), "{error}");
}

#[test]
fn unknown_keys_are_refused() {
    for json in [serde_json::json!({ "servr": "a:1" }), serde_json::json!({ "rate": "30/h" })] {
        assert!(serde_json::from_value::<SmtpConfig>(json).is_err());
    }
    let error = serde_json::from_value::<RouteConfig>(serde_json::json!({ "quiet": {} })).unwrap_err();
    assert!(error.to_string().contains("quiet"), "{error}");
}

#[test]
fn a_route_reads_as_it_is_written() {
    let route: RouteConfig = serde_json::from_value(serde_json::json!({
        "match": "severity == \"critical\"",
        "to": [{ "channel": "mail", "recipients": ["ops@example.com"] }],
        "group_wait": "10s",
        "continue": true,
    }))
    .unwrap();
    assert_eq!(route.validate(), []);
    assert!(route.go_on && route.group_wait == Some(Span::from_secs(10)));
    assert_eq!(route.group_by, ["host", "cause"]);
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_certificates(folder.path());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(folder.path().join("broken.pem"), broken).unwrap();
    std::fs::write(folder.path().join("empty.pem"), "nothing\n").unwrap();
    let open = |file: &str| {
        let config = SmtpConfig { ca: Some(folder.path().join(file)), ..good() };
        Channel::smtp("mail", &config, Some(Secret::new(PASSWORD)), origin())
    };
    assert_eq!(open("authority.pem").unwrap().name(), "mail");
    assert!(matches!(open("missing.pem"), Err(ChannelError::Certificates { .. })));
    for file in ["broken.pem", "empty.pem", "server.key"] {
        let error = open(file).unwrap_err();
        assert!(matches!(error, ChannelError::NoCertificate { .. }), "{file}: {error}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_channel_that_validation_refuses_is_not_made() {
    let password = || Some(Secret::new(PASSWORD));
    for (config, password) in [
        (SmtpConfig { security: Some(Security::Plaintext), ..good() }, password()),
        (SmtpConfig { security: None, ..good() }, password()),
        (SmtpConfig { from: "nobody".into(), ..good() }, password()),
        (SmtpConfig { server: "nowhere".into(), ..good() }, password()),
        (good(), None),
        (SmtpConfig { user: None, ..good() }, password()),
    ] {
        let error = Channel::smtp("mail", &config, password, origin()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(PASSWORD));
    }
}
