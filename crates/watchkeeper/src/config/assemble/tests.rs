//! Configurations of several files: what is said about wrong ones, and what right ones come to.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::config::rule_files::RuleFiles;
use crate::config::tests::golden;
use crate::config::{Loaded, Place, SourceFile, Sources, effective_document, load, rules_as_written, salvaged};

/// The main file and files of rules, by name and text.
fn sources(main: Option<&str>, files: &[(&str, &str)]) -> Sources {
    let file = |name: &str, text: &str| SourceFile { path: PathBuf::from(name), text: text.to_owned() };
    let files = files.iter().map(|(name, text)| file(name, text)).collect();
    let main = main.map(|text| file("watchkeeper.toml", text));
    Sources { file: main, rules: RuleFiles { files, unread: Vec::new() }, ..Sources::default() }
}

fn loaded(main: Option<&str>, files: &[(&str, &str)]) -> Loaded {
    load(sources(main, files)).map_err(|error| error.to_string()).unwrap()
}

fn error_of(main: Option<&str>, files: &[(&str, &str)]) -> String {
    load(sources(main, files)).err().map_or_else(|| "no error\n".to_owned(), |error| error.to_string())
}

/// A rule in a file.
fn rule(id: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\nwhen = 'system.cpu.utilization > \"50%\"'\n")
}

#[test]
fn all_mistakes_of_all_files_are_shown_where_they_were_made() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rules.d");
    let mut count = 0;
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let main = fs::read_to_string(case.join("watchkeeper.toml")).unwrap();
        let mut files: Vec<(String, String)> = fs::read_dir(case.join("rules.d"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
            .map(|(name, text)| (format!("rules.d/{name}"), text))
            .collect();
        files.sort();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let error = error_of(Some(&main), &files);
        assert!(!error.contains("hunter2"), "{}\n{error}", case.display());
        golden(&case.join("expected.txt"), &error);
        count += 1;
    }
    assert!(count >= 6, "the fixtures are there");
}

#[test]
fn rules_of_all_files_are_one_list_in_the_order_of_the_files() {
    let (main, first, second) = (rule("main"), rule("a1") + &rule("a2"), rule("b"));
    let files = [("rules.d/a.toml", first.as_str()), ("rules.d/b.toml", second.as_str())];
    for (main, expected) in [(Some(main.as_str()), &["main", "a1", "a2", "b"][..]), (None, &["a1", "a2", "b"][..])] {
        let loaded = loaded(main, &files);
        let ids: Vec<&str> = loaded.config.rule.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, expected);
        assert_eq!(loaded.rule_files, [PathBuf::from("rules.d/a.toml"), PathBuf::from("rules.d/b.toml")]);
        let place = |file: &str, line| Some(Place { file: PathBuf::from(file), line });
        let mut places = vec![place("rules.d/a.toml", 1), place("rules.d/a.toml", 4), place("rules.d/b.toml", 1)];
        if main.is_some() {
            places.insert(0, place("watchkeeper.toml", 1));
        }
        assert_eq!(loaded.rule_places(), places);
        // A recording holds them all.
        let rules = loaded.rules().unwrap();
        let written = rules_as_written(&loaded.config, &rules);
        let own: Vec<&str> = written.iter().filter(|(shipped, _)| !shipped).map(|(_, rule)| rule.id.as_str()).collect();
        assert_eq!(own, expected);
    }
}

#[test]
fn an_empty_file_is_a_file_of_rules() {
    let loaded = loaded(None, &[("rules.d/a.toml", ""), ("rules.d/b.toml", "# nothing yet\n")]);
    assert_eq!(loaded.config, crate::config::Config::default());
}

#[test]
fn the_environment_is_laid_over_the_main_file_whatever_the_files_of_rules_say() {
    let file = rule("a");
    let mut sources = sources(Some("[collect]\ninterval = \"7s\"\n"), &[("rules.d/a.toml", &file)]);
    sources.environment = vec![("WATCHKEEPER_COLLECT__INTERVAL".into(), "5s".into())];
    let loaded = load(sources).map_err(|error| error.to_string()).unwrap();
    assert_eq!(loaded.config.collect.interval.ms(), 5_000);
    let shown = effective_document(&loaded);
    assert!(shown.contains("id = \"a\"  # rules.d/a.toml:2\n"), "{shown}");
}

#[test]
fn mistakes_found_later_have_the_position_in_their_own_file() {
    let (main, file) = (rule("main"), rule("a1") + &rule("a2"));
    let loaded = loaded(Some(&main), &[("rules.d/a.toml", &file)]);
    let problem = watchkeeper_core::Problem::new("rule.2.when", "not like this").first("rule.0.when");
    let error = loaded.report(vec![problem]).to_string();
    let expected = "error: not like this\n --> rules.d/a.toml:6:8\n  |\n6 | when = 'system.cpu.utilization > \"50%\"'\n  \
                    |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  = first: watchkeeper.toml:3:8\n  = key: rule.1.when\n";
    assert_eq!(error, expected);
}

#[test]
fn what_the_files_say_has_a_number_that_changes_with_it() {
    let digest = |main: Option<&str>, files: &[(&str, &str)]| loaded(main, files).digest();
    let one = digest(Some(""), &[("rules.d/a.toml", "# a")]);
    assert_eq!(one, digest(Some(""), &[("rules.d/a.toml", "# a")]));
    for other in [
        digest(Some(""), &[]),
        digest(None, &[("rules.d/a.toml", "# a")]),
        digest(Some(""), &[("rules.d/b.toml", "# a")]),
        digest(Some(""), &[("rules.d/a.toml", "# b")]),
        digest(Some("# a"), &[("rules.d/a.toml", "")]),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn there_is_a_limit_to_how_many_rules_there_are() {
    let file: String = (0..=1_000).map(|number| rule(&format!("r{number}"))).collect();
    let error = error_of(None, &[("rules.d/a.toml", &file)]);
    assert!(error.starts_with("error: there are more than 1000 rules\n    --> rules.d/a.toml:3001:1\n"), "{error}");
}

#[test]
fn what_can_be_read_of_a_broken_configuration_is_enough_to_ask_the_watch() {
    let store = "[store]\npath = \"/state\"\n";
    for (name, text) in [
        ("sound", store.to_owned()),
        ("an unknown key", format!("{store}speed = 5\n")),
        ("a broken line behind it", format!("{store}[collect]\ninterval = 5s\n")),
        ("a broken line before it", format!("[collect]\ninterval = 5s\n{store}")),
        ("a text that is not closed behind it", format!("{store}[host]\nname = \"db1\n")),
        ("a wrong rule", format!("{store}[[rule]]\nid = 5\n")),
    ] {
        let config = salvaged(sources(Some(&text), &[("rules.d/a.toml", "nonsense")]));
        assert_eq!(config.store.path, Some(PathBuf::from("/state")), "{name}");
    }
    let mut from_environment = sources(Some("nonsense"), &[]);
    from_environment.environment = vec![("WATCHKEEPER_STORE__PATH".into(), "/elsewhere".into())];
    assert_eq!(salvaged(from_environment).store.path, Some(PathBuf::from("/elsewhere")));
}

#[test]
fn a_configuration_error_has_a_summary_in_one_line() {
    let error = |main: &str| load(sources(Some(main), &[("rules.d/a.toml", "x = 1\n")])).unwrap_err().summary();
    assert_eq!(error(""), "unknown key `x` (rules.d/a.toml:1:1)");
    assert_eq!(error("[collect]\nintervall = 1\n"), "unknown key `intervall` (watchkeeper.toml:2:1), and 1 more");
}

/// A line that a file of rules may have, right or wrong.
fn line() -> impl Strategy<Value = String> {
    let pieces = [
        "[[rule]]",
        "[rule]",
        "[[rules]]",
        "[[route]]",
        "[smtp.mail]",
        "[host",
        "id = \"a\"",
        "id = \"b\"",
        "id = 5",
        "when = 'system.cpu.utilization > \"90%\"'",
        "when = 'nonsense > 1'",
        "when = '",
        "for = \"1s\"",
        "for = 5",
        "labels = { a = \"b\" }",
        "labels = { \"a b\" = 5 }",
        "summary = \"\"\"",
        "enabled = \"no\"",
        "rule = 5",
        "rule = []",
        "rule.id = \"a\"",
        "\u{1b}[31m",
        "expect = { process = 5 }",
        "",
    ];
    prop_oneof![4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,12}"]
}

proptest! {
    #[test]
    fn whatever_stands_in_the_files_is_answered(
        main in prop::collection::vec(line(), 0..6),
        one in prop::collection::vec(line(), 0..8),
        other in prop::collection::vec(line(), 0..8),
    ) {
        let [main, one, other] = [main, one, other].map(|lines| lines.join("\n"));
        match load(sources(Some(&main), &[("rules.d/a.toml", &one), ("rules.d/b.toml", &other)])) {
            Err(error) => {
                let shown = error.to_string();
                prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
                prop_assert!(!error.summary().is_empty());
            }
            Ok(loaded) => {
                // What is shown as one document is the same configuration.
                let again = load(sources(Some(&effective_document(&loaded)), &[]));
                let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(again.config, loaded.config);
            }
        }
    }
}
