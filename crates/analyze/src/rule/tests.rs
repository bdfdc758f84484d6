use std::fmt::Write as _;

use watchkeeper_core::{Validate, catalogue};

use super::*;
use crate::RuleFile;
use crate::scenes::rule;

pub(super) fn told(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut told, problem| {
        let _ = write!(told, "{}", problem.key_path);
        if let Some(range) = &problem.within {
            let _ = write!(told, " [{}..{}]", range.start, range.end);
        }
        let _ = writeln!(told, ": {}", problem.message);
        if let Some(help) = &problem.help {
            let _ = writeln!(told, "    {help}");
        }
        told
    })
}

#[test]
fn a_rule_is_made_of_its_parts() {
    let mut config = rule("memory", "process.memory.usage > \"2GiB\"", "5m");
    config.each = Some("program".to_owned());
    let compiled = &compile(&[config], 1_000).unwrap()[0];
    assert_eq!(compiled.id, "memory");
    assert_eq!(compiled.metric.name, "process.memory.usage");
    assert_eq!(compiled.each, EntityKind::Program);
    assert_eq!((compiled.hold_ms, compiled.asked_ms), (300_000, None));
    assert!(!compiled.shipped);
}

#[test]
fn what_is_watched_one_by_one_is_what_the_metric_belongs_to() {
    for metric in catalogue::metrics() {
        let value = if metric.unit == Unit::Text { "\"S\"" } else { "0" };
        let config = rule("any", &format!("{} != {value}", metric.name), "0s");
        let compiled = compile(&[config], 1_000).unwrap();
        assert_eq!(compiled[0].each, metric.entity_kind(), "{}", metric.name);
    }
}

#[test]
fn a_condition_may_look_at_the_host_beside_its_entities() {
    for (when, word, metric) in [
        ("process.cpu.utilization > 0.5 && system.cpu.utilization > 0.9", "process", "process.cpu.utilization"),
        ("system.cpu.utilization > 0.9 && process.cpu.utilization > 0.5", "process", "process.cpu.utilization"),
        ("system.cpu.utilization > 0.9 && process.state == \"D\"", "process", "process.state"),
        ("system.cpu.utilization > 0.9 && process.name.startsWith(\"pg\")", "process", "system.cpu.utilization"),
        ("process.name.startsWith(\"pg\")", "process", "process.name"),
        ("system.linux.load.1m / system.cpu.logical.count > 2", "host", "system.linux.load.1m"),
    ] {
        let compiled = &compile(&[rule("any", when, "0s")], 1_000).unwrap()[0];
        assert_eq!((compiled.each.word(), compiled.metric.name), (word, metric), "{when}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let each = |id: &str, when: &str, word: &str| RuleConfig { each: Some(word.to_owned()), ..rule(id, when, "0s") };
    let titled = |id: &str, title: &str| RuleConfig {
        title: Some(title.to_owned()),
        ..rule(id, "system.cpu.utilization > 0.5", "0s")
    };
    let rules = [
        rule("twice", "system.cpu.utilization > 0.5", "5s"),
        rule("twice", "system.cpu.utilization > 90", "2s"),
        rule("", "", "0s"),
        rule("with blank", "system.cpu.utilization > 0.5", "0s"),
        rule(&"x".repeat(65), "system.cpu.utilization > 0.5", "0s"),
        each("kind", "system.cpu.utilization > 0.5", "hosts"),
        each("far", "system.cpu.utilization > 0.5", "galaxy"),
        each("check", "system.cpu.utilization > 0.5", "check"),
        each("unfit", "system.cpu.utilization > 0.5", "process"),
        each("host", "process.cpu.utilization > 0.5", "host"),
        each("words", "process.state == \"Z\"", "program"),
        each("age", "process.uptime > \"5m\"", "program"),
        each("sum", "process.cpu.cores > 1 && process.name == \"a\"", "program"),
        each("mixed", "process.cpu.cores > 1 && system.disk.io.read > \"1MiB/s\"", "process"),
        each("both", "proces.uptime > \"5m\"", "rogram"),
        titled("blank", " "),
        titled("lines", "two\nlines"),
        titled("long", &"é".repeat(201)),
    ];
    let problems = compile(&rules, 5_000).unwrap_err();
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(told(&problems)) });
}

#[test]
fn one_rule_validates_by_itself() {
    assert!(rule("good", "system.cpu.utilization > 0.5", "1ms").validate().is_empty());
    let keys: Vec<String> = rule("", "x", "0s").validate().into_iter().map(|problem| problem.key_path).collect();
    assert_eq!(keys, ["id", "when"]);
}

#[test]
fn for_is_three_intervals_at_least() {
    let with = |hold: &str| [rule("any", "system.cpu.utilization > 0.5", hold)];
    for (hold, interval_ms, holds) in [
        ("0s", 5_000, Some((0, None))),
        ("15s", 5_000, Some((15_000, None))),
        ("14999ms", 5_000, None),
        ("300ms", 100, Some((300, None))),
        ("1s", 3_600_000, None),
    ] {
        let compiled = compile(&with(hold), interval_ms).ok().map(|rules| (rules[0].hold_ms, rules[0].asked_ms));
        assert_eq!(compiled, holds, "{hold}");
    }
    let raised = &compile_shipped(&with("1m"), 60_000).unwrap()[0];
    assert_eq!((raised.hold_ms, raised.asked_ms, raised.shipped), (180_000, Some(60_000), true));
    let at_once = &compile_shipped(&with("0s"), 60_000).unwrap()[0];
    assert_eq!((at_once.hold_ms, at_once.asked_ms), (0, None));
}

#[test]
fn a_rule_in_toml_needs_only_an_id_and_what_it_is_about() {
    let text = "[[rule]]\nid = \"a\"\nwhen = 'system.cpu.utilization > \"90%\"'\n";
    let file: RuleFile = toml::from_str(text).unwrap();
    let expected = rule("a", "system.cpu.utilization > \"90%\"", "0s");
    assert_eq!(file.rule, [RuleConfig { keep_firing: Span::from_secs(60), ..expected }]);
    for (text, message) in [
        ("[[rule]]\nid = \"a\"\nexpect = { min = 1 }\n", "missing field `process`"),
        ("[[rule]]\nwhen = \"a\"\n", "missing field `id`"),
        ("[[rule]]\nid = \"a\"\nwhen = \"b\"\nfro = \"5m\"\n", "unknown field `fro`"),
        ("[[rule]]\nid = \"a\"\nwhen = \"b\"\nfor = 5\n", "invalid type"),
        ("[[rule]]\nid = \"a\"\nwhen = \"b\"\nseverity = \"fatal\"\n", "unknown variant `fatal`"),
    ] {
        let error = toml::from_str::<RuleFile>(text).unwrap_err();
        assert!(error.message().contains(message), "{}", error.message());
    }
}

#[test]
fn the_schema_says_what_is_required() {
    let schema = serde_json::to_value(schemars::schema_for!(RuleConfig)).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["id"]));
    assert_eq!(schema["additionalProperties"], serde_json::json!(false));
    assert!(schema["properties"]["for"].is_object());
}

#[test]
fn a_window_has_three_looks_at_the_least() {
    let with_clear = |when: &str, clear: &str| RuleConfig { clear: Some(clear.to_owned()), ..rule("any", when, "0s") };
    let short = with_clear("max(system.cpu.utilization, \"14s\") > 0.9", "avg(system.cpu.utilization, \"5s\") < 0.5");
    let mut problems = compile(std::slice::from_ref(&short), 5_000).unwrap_err();
    problems.sort_by(|a, b| b.key_path.cmp(&a.key_path));
    let told: Vec<(&str, &str)> =
        problems.iter().map(|problem| (problem.key_path.as_str(), problem.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "0.when",
                "the window of `max(system.cpu.utilization, \"14s\")` is under three collection intervals of 5s"
            ),
            (
                "0.clear",
                "the window of `avg(system.cpu.utilization, \"5s\")` is under three collection intervals of 5s"
            ),
        ]
    );
    let enough = with_clear("max(system.cpu.utilization, \"15s\") > 0.9", "avg(system.cpu.utilization, \"15s\") < 0.5");
    assert!(compile(&[enough], 5_000).is_ok());
    // Those that come with the program were written without knowing the interval.
    assert!(compile_shipped(&[short], 5_000).is_ok());
}
