//! Whole configurations: what is said about wrong ones, how sources win over each other, that secrets stay secret.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use watchkeeper_core::quantity::Span;

use super::load::{Override, SourceFile};
use super::*;

fn file(name: &str, text: &str) -> Sources {
    let file = SourceFile { path: PathBuf::from(name), text: text.to_owned() };
    Sources { file: Some(file), ..Sources::default() }
}

fn variables(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    list.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn error_of(sources: Sources) -> String {
    load(sources).err().map_or_else(|| "no error\n".to_owned(), |error| error.to_string())
}

/// Compares with the file beside it; with `UPDATE_EXPECT=1` writes that file instead.
pub fn golden(expected: &Path, actual: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(expected, actual).unwrap();
    }
    let text = std::fs::read_to_string(expected).unwrap_or_default();
    let first_difference = actual.lines().zip(text.lines()).find(|(actual, expected)| actual != expected);
    assert!(
        actual == text,
        "{} differs, first in {first_difference:?}: run the test with UPDATE_EXPECT=1 and look at what changed",
        expected.display()
    );
}

#[test]
fn every_mistake_is_shown_where_it_was_made() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let error = error_of(file("watchkeeper.toml", &text));
            assert!(!error.contains("hunter2") && !error.contains("22222222"), "{}\n{error}", path.display());
            assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{}\n{error}", path.display());
            golden(&path.with_extension("txt"), &error);
            count += 1;
        }
    }
    assert!(count >= 15, "the fixtures are there");
}

#[test]
fn the_manual_is_up_to_date() {
    golden(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md"), &manual());
}

#[test]
fn the_default_document_sets_nothing() {
    let document = default_document();
    let loaded = load(file("watchkeeper.toml", &document)).map_err(|error| error.to_string()).unwrap();
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn the_default_document_can_be_used_with_every_key_set() {
    let document = default_document();
    // `each` depends on the metric of the rule, a rule has either `when` or `expect`, and a check either `tcp` or `http`.
    let depends = |rest: &str| ["each = ", "expect = ", "tcp = "].into_iter().any(|key| rest.starts_with(key));
    let is_setting = |rest: &str| !rest.starts_with(' ') && !rest.is_empty() && !depends(rest);
    let set = document.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if is_setting(rest) => rest.to_owned(),
        _ => line.to_owned(),
    });
    let mut text = set.collect::<Vec<_>>().join("\n");
    if cfg!(windows) {
        // The examples are those of Unix systems; on Windows a path from the root names its drive.
        text = text.replace(" = \"/", " = \"C:/");
    }
    let loaded = load(file("watchkeeper.toml", &text)).map_err(|error| error.to_string()).unwrap();
    assert_eq!(loaded.config.smtp.len(), 1);
    assert_eq!(loaded.config.check.len(), 1);
    assert_eq!(loaded.config.route.len(), 1);
    assert_eq!(loaded.config.rule.len(), 1);
    // The defaults that are shown are the defaults.
    let Config { collect, store, log, .. } = Config::default();
    assert_eq!((&loaded.config.collect, loaded.config.log), (&collect, log));
    assert_eq!(loaded.config.store.retention, store.retention);
    assert_eq!(loaded.config.store.max_disk, store.max_disk);
    // Nothing is left out: every key of the schema stands in the document.
    load::SHAPE.walk(&mut |path, field| {
        let name = path.last().unwrap();
        let is_listed = ["route", "rule"].contains(&path[0].as_str());
        let is_entry = path.len() > 2 && is_listed;
        let is_table = matches!(field.shape, shape::Shape::Table(_)) && !is_listed;
        let section = is_table || path.len() == 1;
        let shown = if section { format!("[{}", path.join(".")) } else { format!("#{name} = ") };
        assert!(is_entry || document.contains(&shown), "{path:?}");
    });
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let loaded = load(Sources::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.file, None);
    assert_eq!(Config::default().validate(), []);
    assert!(loaded.rules().is_ok_and(|rules| !rules.is_empty()));
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let text = "[log]\nlevel = \"warn\"\nformat = \"json\"\n[collect]\ninterval = \"7s\"\n";
    for (environment, flag, level) in [
        (&[][..], None, LogLevel::Warn),
        (&[("WATCHKEEPER_LOG__LEVEL", "debug")][..], None, LogLevel::Debug),
        (&[("WATCHKEEPER_LOG__LEVEL", "debug")][..], Some("error"), LogLevel::Error),
        (&[][..], Some("error"), LogLevel::Error),
    ] {
        let mut sources = file("watchkeeper.toml", text);
        sources.environment = variables(environment);
        let flag = flag.map(|value| Override::from(("--log-level".into(), "log.level".into(), value.into())));
        sources.overrides.extend(flag);
        let loaded = load(sources).map_err(|error| error.to_string()).unwrap();
        assert_eq!(loaded.config.log.level, level, "{environment:?}");
        assert_eq!(loaded.config.log.format, LogFormat::Json, "what is not set again stays");
        assert_eq!(loaded.config.collect.interval, Span::from_secs(7));
    }
}

type Get = fn(&Config) -> String;

#[test]
fn variables_are_read_as_toml_and_else_as_text() {
    let text = "[smtp.Ops-Mail]\nserver = \"a.example:25\"\nsecurity = \"plaintext\"\nfrom = \"a@b.example\"\n\
                password = { file = \"/a\" }\nuser = \"u\"\n";
    let cases: [(&str, &str, Get, &str); 14] = [
        ("WATCHKEEPER_COLLECT__INTERVAL", "5s", |c| c.collect.interval.to_string(), "5s"),
        ("WATCHKEEPER_COLLECT__INTERVAL", "\"5s\"", |c| c.collect.interval.to_string(), "5s"),
        ("WATCHKEEPER_collect__Interval", "5s", |c| c.collect.interval.to_string(), "5s"),
        ("WATCHKEEPER_HOST__NAME", "42", |c| format!("{:?}", c.host.name), "Some(\"42\")"),
        ("WATCHKEEPER_HOST__NAME", "true", |c| format!("{:?}", c.host.name), "Some(\"true\")"),
        ("WATCHKEEPER_HOST__NAME", "a = b", |c| format!("{:?}", c.host.name), "Some(\"a = b\")"),
        ("WATCHKEEPER_HOST__LABELS", "{ a = \"b\" }", |c| format!("{:?}", c.host.labels), "{\"a\": \"b\"}"),
        ("WATCHKEEPER_HOST__LABELS__TEAM", "data", |c| format!("{:?}", c.host.labels), "{\"team\": \"data\"}"),
        ("WATCHKEEPER_RULES__DISABLE", "[\"host-cpu\"]", |c| format!("{:?}", c.rules.disable), "[\"host-cpu\"]"),
        ("WATCHKEEPER_STORE__MAX_DISK", "4GiB", |c| c.store.max_disk.to_string(), "4GiB"),
        ("WATCHKEEPER_STORE__RETENTION__HOT", "3d", |c| c.store.retention.hot.to_string(), "3d"),
        ("WATCHKEEPER_SMTP__OPS_MAIL__SERVER", "b.example:25", |c| c.smtp["Ops-Mail"].server.clone(), "b.example:25"),
        (
            "WATCHKEEPER_SMTP__OPS_MAIL__PASSWORD",
            "{ env = \"PW\" }",
            |c| format!("{:?}", c.smtp["Ops-Mail"].password),
            "Some(Env(\"PW\"))",
        ),
        (
            "WATCHKEEPER_SMTP__OPS_MAIL__PASSWORD__ENV",
            "PW",
            |c| format!("{:?}", c.smtp["Ops-Mail"].password),
            "Some(Env(\"PW\"))",
        ),
    ];
    for (name, value, get, expected) in cases {
        let mut sources = file("watchkeeper.toml", &text.replace("plaintext", "tls"));
        sources.environment = variables(&[(name, value)]);
        let loaded = load(sources).map_err(|error| error.to_string()).unwrap();
        assert_eq!(get(&loaded.config), expected, "{name}={value}");
    }
}

#[test]
fn a_channel_can_come_from_the_environment_alone() {
    let sources = Sources {
        environment: variables(&[
            ("WATCHKEEPER_SMTP__MAIL__SERVER", "smtp.example.com:587"),
            ("WATCHKEEPER_SMTP__MAIL__SECURITY", "starttls"),
            ("WATCHKEEPER_SMTP__MAIL__FROM", "watch@example.com"),
        ]),
        ..Sources::default()
    };
    let loaded = load(sources).map_err(|error| error.to_string()).unwrap();
    assert_eq!(loaded.config.smtp["mail"].server, "smtp.example.com:587");
}

#[test]
fn variables_of_others_are_left_alone() {
    let names = ["WATCHKEEPER_CONFIG", "WATCHKEEPER_PORT", "WATCHKEEPER_SERVICE_HOST", "PATH", "XWATCHKEEPER_A__B"];
    let environment = variables(&names.map(|name| (name, "tcp://10.0.0.1:80")));
    assert!(load(Sources { environment, ..Sources::default() }).is_ok());
}

#[test]
fn wrong_variables_are_named() {
    for (name, value, said) in [
        (
            "WATCHKEEPER_COLLECT__INTERVAL",
            "0s",
            "a pause\n --> environment variable WATCHKEEPER_COLLECT__INTERVAL\n  |\n  | 0s\n  | ^^\n",
        ),
        ("WATCHKEEPER_COLLECT__INTERVAL", "soon", "`soon` is not a duration"),
        ("WATCHKEEPER_COLLECT__INTERVALL", "5s", "help: did you mean WATCHKEEPER_COLLECT__INTERVAL?"),
        ("WATCHKEEPER_COLECT__INTERVAL", "5s", "help: did you mean WATCHKEEPER_COLLECT__INTERVAL?"),
        (
            "WATCHKEEPER_COLLECT_INTERVAL",
            "5s",
            "help: did you mean WATCHKEEPER_COLLECT__INTERVAL, with two underscores?",
        ),
        ("WATCHKEEPER_COLLECT", "{}", "a whole section cannot be set in the environment"),
        ("WATCHKEEPER_WEATHER__RAIN", "1", "environment variable WATCHKEEPER_WEATHER__RAIN is no setting"),
        (
            "WATCHKEEPER_COLLECT__INTERVAL__MS",
            "5",
            "`collect.interval` takes a duration in quotes: set WATCHKEEPER_COLLECT__INTERVAL",
        ),
        ("WATCHKEEPER_RULE__0__ID", "x", "entries of [[rule]] cannot be set in the environment"),
        ("WATCHKEEPER_ROUTE__0", "x", "entries of [[route]] cannot be set in the environment"),
        ("WATCHKEEPER_RULES__DISABLE", "host-cpu", "expected a list, found a text"),
        ("WATCHKEEPER_SMTP__MAIL", "x", "`mail` stands outside of a table"),
        ("WATCHKEEPER___", "x", "is no setting"),
        ("WATCHKEEPER_SMTP__A_B__FROM", "a@b.example", "this variable means `smtp.a-b` and `smtp.a_b` at once"),
    ] {
        let channel = |name: &str| {
            format!("[smtp.{name}]\nserver = \"a.example:25\"\nsecurity = \"tls\"\nfrom = \"a@b.example\"\n")
        };
        let mut sources = file("watchkeeper.toml", &(channel("a-b") + &channel("a_b")));
        sources.environment = variables(&[(name, value)]);
        let error = error_of(sources);
        assert!(error.contains(said), "{name}={value}\n{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused_without_its_value() {
    use std::os::unix::ffi::OsStringExt;
    let environment = vec![("WATCHKEEPER_HOST__NAME".into(), OsString::from_vec(b"hunter2\xff".to_vec()))];
    let error = error_of(Sources { environment, ..Sources::default() });
    assert_eq!(error, "error: the value of WATCHKEEPER_HOST__NAME in the environment is not valid UTF-8\n");
}

#[test]
fn problems_found_later_are_shown_at_their_place() {
    let loaded =
        load(file("watchkeeper.toml", "[[rule]]\nid = \"a\"\nwhen = \"system.cpu.utilization > \\\"90%\\\"\"\n"));
    let problem = Problem::new("rule.0.when", "not like this").within(25..30).help("otherwise");
    let error = loaded.unwrap().report(vec![problem, Problem::new("host.name", "nobody wrote it")]);
    assert_eq!(
        error.to_string(),
        "error: not like this\n --> watchkeeper.toml:3:34\n  |\n3 | when = \"system.cpu.utilization > \\\"90%\\\"\"\n  \
         |                                  ^^^^^^^\n  = key: rule.0.when\n  = help: otherwise\n\
         \nerror: nobody wrote it\n  = key: host.name\n"
    );
}

#[test]
fn consequences_of_a_mistake_are_not_mistakes() {
    // The password was taken out, the channel could not be read, the first rule is gone: only the causes are told.
    let text = "[smtp.mail]\nserver = \"a.example:25\"\nsecurity = \"tls\"\nfrom = \"a@b.example\"\nuser = \"u\"\npassword = \"x\"\n\
                [[route]]\nto = [{ channel = \"mail\", recipients = [\"a@b.example\"] }]\n\
                [[rule]]\nid = 5\nwhen = \"x\"\n\
                [[rule]]\nid = \"b\"\nwhen = \"nonsense > 1\"\n";
    let text = error_of(file("watchkeeper.toml", text));
    assert_eq!(text.matches("error: ").count(), 3, "{text}");
    assert!(text.contains("key: smtp.mail.password") && text.contains("key: rule.0.id"), "{text}");
    assert!(text.contains("key: rule.1.when"), "positions are those of the file: {text}");
}

#[test]
fn only_so_many_mistakes_are_shown() {
    let text: String = (0..200).flat_map(|n| [format!("key{n}"), " = 1\n".to_owned()]).collect();
    let error = error_of(file("watchkeeper.toml", &text));
    assert_eq!(error.matches("error: ").count(), 50);
    assert!(error.ends_with("\nand 150 more\n"));
}

#[test]
fn colours_only_dress_the_text() {
    let error = load(file("watchkeeper.toml", "[collect]\ninterval = \"0s\"\n")).unwrap_err();
    let coloured = error.text(true);
    assert!(coloured.contains("\u{1b}[1;31m"));
    let mut plain = coloured;
    for paint in ["\u{1b}[1;31m", "\u{1b}[1;34m", "\u{1b}[1m", "\u{1b}[0m"] {
        plain = plain.replace(paint, "");
    }
    assert_eq!(plain, error.to_string());
}

#[test]
fn what_is_in_force_says_where_it_was_written() {
    let mut sources = file(
        "watchkeeper.toml",
        "[collect]\ninterval = \"5s\"\n[[rule]]\nid = \"mine\"\nwhen = 'system.cpu.utilization > \"50%\"'\n",
    );
    sources.environment = variables(&[("WATCHKEEPER_HOST__NAME", "db1")]);
    sources.overrides = vec![Override::from(("--log-level".into(), "log.level".into(), "debug".into()))];
    let loaded = load(sources).unwrap();
    let document = effective_document(&loaded);
    for line in [
        "name = \"db1\"  # environment variable WATCHKEEPER_HOST__NAME\n",
        "interval = \"5s\"  # watchkeeper.toml:2\n",
        "level = \"debug\"  # flag --log-level\n",
        "tier = \"auto\"\n",
        "id = \"mine\"  # watchkeeper.toml:4\n",
        "# - host-cpu (shipped)\n",
        "# - mine (your own)\n",
    ] {
        assert!(document.contains(line), "{line}\n{document}");
    }
    let again = load(file("again.toml", &document)).map_err(|error| error.to_string()).unwrap();
    assert_eq!(again.config, loaded.config, "what is shown can be used as a file");
}

#[test]
fn debug_shows_no_text_of_the_file() {
    let loaded = load(file("watchkeeper.toml", "# password = \"hunter2\"\n")).unwrap();
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

const SECRET: &str = "Zq7Vx9Kw3";

/// Ways in which somebody might write a secret.
fn planted() -> impl Strategy<Value = String> {
    let key =
        prop::sample::select(vec!["password", "passwort_token", "api_key", "Secret", "\"password\"", "smtp-token"]);
    let form = prop::sample::select(vec![
        "KEY = \"VALUE\"",
        "KEY = 'VALUE'",
        "KEY = VALUE",
        "KEY=VALUE",
        "KEY: VALUE",
        "KEY VALUE",
        "KEY \"VALUE\"",
        "KEY = \"VALUE",
        "KEY = 'VALUE",
        "KEY = \"\"\"VALUE\"\"\"",
        "KEY = \"\"\"\nVALUE",
        "KEY = '''\nx\nVALUE'''",
        "KEY = [\"VALUE\"]",
        "KEY = [\n\"VALUE\",\n]",
        "KEY = [ \"VALUE\"",
        "KEY = { value = \"VALUE\" }",
        "KEY = { env = \"VALUE\", file = 'x' }",
        "KEY = { env = \"A\", password = \"VALUE\" }",
        "KEY = { password = VALUE",
        "KEY = \"a\" \"VALUE\"",
        "KEY = \"aVALUE\"b",
        "KEY =\n\"VALUE\"",
        "KEY = \"x\" # VALUE",
        "KEY.value = \"VALUE\"",
        "# KEY = \"VALUE\"",
        "other = 1 # KEY = VALUE",
        "mail = { server = 5, KEY = \"VALUE\", from = 1 }",
        "mail = { KEY = VALUE, from = 1 }",
        "server = \"https://user:VALUE@example.com\"",
        "KEY = \"x\\\"VALUE\"",
        "KEY = \"x\ny VALUE\"",
    ]);
    (key, form).prop_map(|(key, form)| form.replace("KEY", key).replace("VALUE", SECRET))
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_\\[\\]{}=.,\"'# \u{e9}]{0,24}",
        prop::sample::select(vec![
            "[smtp.mail]",
            "[[route]]",
            "[[rule]]",
            "[collect]",
            "[host]",
            "interval = 5",
            "server = \"",
            "to = [{ channel = \"x\" }",
            "id = \"a\"",
            "when = \"x > \\\"1\\\"\"",
            "x = \"\"\"",
            "'''",
            "]",
            "}",
            "password = { env = \"A\" }",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(lines in prop::collection::vec(line(), 0..12), noise in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
        let text = format!("{}\n{noise}", lines.join("\n"));
        if let Err(error) = load(file("watchkeeper.toml", &text)) {
            let shown = error.to_string();
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        }
    }

    #[test]
    fn any_variable_is_answered(name in "[A-Z_]{0,20}", value in "\\PC{0,20}", section in 0..4_usize) {
        let section = ["HOST__", "SMTP__", "RULES__", ""][section];
        let environment = variables(&[(&format!("WATCHKEEPER_{section}{name}"), &value)]);
        let _ = load(Sources { environment, ..Sources::default() });
    }

    #[test]
    fn a_planted_secret_is_never_shown(
        before in prop::collection::vec(line(), 0..5),
        planted in planted(),
        after in prop::collection::vec(line(), 0..5),
    ) {
        let text = format!("{}\n{planted}\n{}\n", before.join("\n"), after.join("\n"));
        match load(file("watchkeeper.toml", &text)) {
            Err(error) => {
                prop_assert!(!error.to_string().contains(SECRET), "{text}\n----\n{error}");
                let debug = format!("{error:?}");
                prop_assert!(!debug.contains(SECRET));
            }
            Ok(loaded) => {
                let debug = format!("{loaded:?}");
                prop_assert!(!debug.contains(SECRET));
            }
        }
    }

    #[test]
    fn a_secret_in_a_variable_is_never_shown(
        name in prop::sample::select(vec!["SMTP__MAIL__PASSWORD", "SMTP__MAIL__PASSWORT", "SMTP_PASSWORD", "HOST__API_KEY"]),
        form in prop::sample::select(vec!["VALUE", "\"VALUE\"", "{ env = VALUE", "[\"VALUE\"]", "{ value = \"VALUE\" }", "x\nVALUE"]),
    ) {
        let environment = variables(&[(&format!("WATCHKEEPER_{name}"), &form.replace("VALUE", SECRET))]);
        let error = error_of(Sources { environment, ..Sources::default() });
        prop_assert!(!error.contains(SECRET), "{error}");
    }
}
