//! What people see of rules.

use super::*;
use watchkeeper_analyze::{RuleFile, RulesConfig, compile, compile_shipped, standings};

const SHIPPED: &str = r#"
[[rule]]
id = "filesystem-full"
title = "Filesystem almost full"
when = 'system.filesystem.utilization > "90%"'
for = "2m"
clear = 'system.filesystem.utilization < "88%"'
summary = "Little room is left."

[[rule]]
id = "host-cpu"
when = 'system.cpu.utilization > "90%"'
for = "15m"

[[rule]]
id = "host-memory"
when = 'system.memory.utilization > "90%"'
for = "5m"

[[rule]]
id = "new-listening-port"
when = 'system.network.socket.opened > 0'
severity = "info"
enabled = false
"#;

const RULES: &str = r#"
[[rule]]
id = "leak"
title = "The server leaks"
when = 'growth(process.memory.usage, "6h") > "1GiB/h" && process.name == "server"'
for = "10m"
severity = "critical"
labels = { team = "data", pager = "yes" }
summary = """
It grows without an end.
Restart it before the machine is full."""
runbook = "https://wiki.example.com/leak"

[[rule]]
id = "postgres"
expect = { process = 'process.name == "postgres"', min = 1, max_restarts = "3/10m" }
for = "10m"
enabled = false

[[rule]]
id = "host-cpu"
when = 'system.cpu.utilization > "99%"'
"#;

/// The rules as they stand at an interval of two minutes, at costs that stay as they are.
fn listed(folder: &str) -> Vec<Listed> {
    let [shipped, own] = [SHIPPED, RULES].map(|text| toml::from_str::<RuleFile>(text).unwrap().rule);
    let config = RulesConfig { disable: vec!["host-memory".to_owned()], enable: Vec::new() };
    let compiled = |rules: &[RuleConfig]| compile(rules, 120_000).unwrap();
    let all = standings(compile_shipped(&shipped, 120_000).unwrap(), compiled(&own), &config).unwrap();
    let place = |line| Some(Place { file: format!("{folder}/own.toml").into(), line });
    let places = [None, None, None, None, place(2), place(14), place(20)];
    let written = shipped.into_iter().chain(own);
    let listed = all.iter().zip(written).zip(places);
    let mut listed: Vec<Listed> =
        listed.map(|(((rule, standing), written), place)| Listed::of(rule, *standing, written, place)).collect();
    for rule in &mut listed {
        rule.cost = match rule.each {
            "process" => CostOfRule { nanoseconds: 1_320, bytes: 8_192 },
            _ => CostOfRule { nanoseconds: 14, bytes: 0 },
        };
    }
    listed
}

fn plain(width: Option<usize>) -> Look {
    Look { width, colour: false }
}

#[test]
fn every_rule_has_its_line_in_a_wide_terminal_and_two_in_a_narrow_one() {
    let listed = listed("/etc/watchkeeper/rules.d");
    for width in [80, 140] {
        let text = table(&listed, plain(Some(width)));
        assert!(text.lines().all(|line| line.starts_with('*') || console::measure_text_width(line) <= width), "{text}");
        insta::assert_snapshot!(format!("table_of_{width}_columns"), text);
    }
}

#[test]
fn nothing_is_cut_where_no_terminal_looks_on() {
    let text = table(&listed("/etc/watchkeeper/rules.d"), plain(None));
    assert!(text.contains(r#"growth(process.memory.usage, "6h") > "1GiB/h" && process.name == "server""#), "{text}");
    assert_eq!(text.lines().next().unwrap().split_whitespace().last(), Some("CONDITION"));
}

#[test]
fn colours_only_dress_the_table() {
    let listed = listed("/etc/watchkeeper/rules.d");
    for width in [None, Some(80), Some(140)] {
        let coloured = table(&listed, Look { width, colour: true });
        assert!(coloured.contains("\u{1b}[31mcritical\u{1b}[0m"), "{coloured}");
        assert_eq!(console::strip_ansi_codes(&coloured), table(&listed, plain(width)));
    }
}

#[test]
fn a_rule_in_full_says_everything() {
    let listed = listed("/etc/watchkeeper/rules.d");
    insta::assert_snapshot!("in_full", in_full(&listed, plain(Some(80))));
}

#[test]
fn what_a_file_is_called_reaches_no_terminal_as_it_is() {
    let listed = listed("/etc/\u{1b}]0;evil\u{7}rules.d");
    for text in [table(&listed, plain(None)), table(&listed, plain(Some(80))), in_full(&listed, plain(None))] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
        assert!(text.contains("own.toml:2"), "{text}");
    }
}

#[test]
fn programs_are_told_numbers() {
    let listed = listed("rules.d");
    let json = serde_json::to_value(&listed).unwrap();
    let of = |id: &str, shipped: bool| {
        let mut all = json.as_array().unwrap().iter();
        all.find(|rule| rule["id"] == id && rule["shipped"] == shipped).unwrap().clone()
    };
    let raised = of("filesystem-full", true);
    assert_eq!((raised["for_ms"].as_i64(), raised["asked_for_ms"].as_i64()), (Some(360_000), Some(120_000)));
    assert_eq!(of("host-cpu", true)["state"], "replaced");
    let own = of("leak", false);
    assert_eq!((own["file"].as_str(), own["line"].as_u64()), (Some("rules.d/own.toml"), Some(2)));
    assert!(own["cost"]["bytes"].as_u64() > Some(0), "{own}");
    assert_eq!((own["state"].as_str(), own["severity"].as_str()), (Some("on"), Some("critical")));
    assert_eq!(of("postgres", false)["expect"]["max_restarts"], "3/10m");
}
