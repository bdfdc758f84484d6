//! What people see of rules.

use super::*;
use crate::config::rule_files::RuleFiles;
use crate::config::{SourceFile, Sources, load};

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

fn listed(main: &str, folder: &str) -> Vec<Listed> {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.to_owned() };
    let rules = RuleFiles { files: vec![file(&format!("{folder}/own.toml"), RULES)], unread: Vec::new() };
    let main = Some(file("/etc/watchkeeper/watchkeeper.toml", main));
    let loaded = load(Sources { file: main, rules, ..Sources::default() }).map_err(|error| error.to_string()).unwrap();
    let known = ["host-cpu", "host-memory", "filesystem-full"];
    let mut listed = all(&loaded).unwrap();
    listed.retain(|rule| !rule.shipped || known.contains(&rule.id.as_str()));
    listed
}

/// The same with estimates that stay as they are.
fn at_fixed_cost(main: &str, folder: &str) -> Vec<Listed> {
    let mut listed = listed(main, folder);
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
    let listed = at_fixed_cost(
        "[collect]\ninterval = \"2m\"\n[rules]\ndisable = [\"host-memory\"]\n",
        "/etc/watchkeeper/rules.d",
    );
    for width in [80, 140] {
        let text = table(&listed, plain(Some(width)));
        assert!(text.lines().all(|line| line.starts_with('*') || console::measure_text_width(line) <= width), "{text}");
        insta::assert_snapshot!(format!("table_of_{width}_columns"), text);
    }
}

#[test]
fn nothing_is_cut_where_no_terminal_looks_on() {
    let text = table(&listed("", "/etc/watchkeeper/rules.d"), plain(None));
    assert!(text.contains(r#"growth(process.memory.usage, "6h") > "1GiB/h" && process.name == "server""#), "{text}");
    assert_eq!(text.lines().next().unwrap().split_whitespace().last(), Some("CONDITION"));
}

#[test]
fn colours_only_dress_the_table() {
    let listed = listed("", "/etc/watchkeeper/rules.d");
    for width in [None, Some(80), Some(140)] {
        let coloured = table(&listed, Look { width, colour: true });
        assert!(coloured.contains("\u{1b}[31mcritical\u{1b}[0m"), "{coloured}");
        assert_eq!(console::strip_ansi_codes(&coloured), table(&listed, plain(width)));
    }
}

#[test]
fn a_rule_in_full_says_everything() {
    let listed = at_fixed_cost(
        "[collect]\ninterval = \"2m\"\n[rules]\ndisable = [\"host-memory\"]\n",
        "/etc/watchkeeper/rules.d",
    );
    insta::assert_snapshot!("in_full", in_full(&listed, plain(Some(80))));
}

#[test]
fn what_a_file_is_called_reaches_no_terminal_as_it_is() {
    let listed = listed("", "/etc/\u{1b}]0;evil\u{7}rules.d");
    for text in [table(&listed, plain(None)), table(&listed, plain(Some(80))), in_full(&listed, plain(None))] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
        assert!(text.contains("own.toml:2"), "{text}");
    }
}

#[test]
fn programs_are_told_numbers() {
    let listed = listed("[collect]\ninterval = \"2m\"\n", "rules.d");
    let json = serde_json::to_value(&listed).unwrap();
    let of = |id: &str, shipped: bool| {
        let mut all = json.as_array().unwrap().iter();
        all.find(|rule| rule["id"] == id && rule["shipped"] == shipped).unwrap().clone()
    };
    let raised = of("host-cpu", true);
    assert_eq!((raised["for_ms"].as_i64(), raised["asked_for_ms"].as_i64()), (Some(360_000), Some(300_000)));
    assert_eq!(raised["state"], "replaced");
    let own = of("leak", false);
    assert_eq!((own["file"].as_str(), own["line"].as_u64()), (Some("rules.d/own.toml"), Some(2)));
    assert!(own["cost"]["bytes"].as_u64() > Some(0), "{own}");
    assert_eq!((own["state"].as_str(), own["severity"].as_str()), (Some("on"), Some("critical")));
    assert_eq!(of("postgres", false)["expect"]["max_restarts"], "3/10m");
}
