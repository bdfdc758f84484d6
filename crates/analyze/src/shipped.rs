//! The shipped rules: each with its guide page, each made to fire and not to fire by recorded readings, and all of them
//! silent on a day on which nothing is wrong.

mod coverage;
mod day;
mod rows;
mod sets;

use std::collections::BTreeSet;
use std::path::Path;

use watchkeeper_core::{Change, IncidentEvent};

use crate::scenes::{HOST, Machine, nothing};
use crate::{Analyzer, RuleConfig, RuleFile, Settings, compile_shipped};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Every file of rules, by name.
fn files() -> Vec<(String, String)> {
    named("rules", ".toml")
}

fn named(folder: &str, ending: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let mut files: Vec<(String, String)> = entries
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let stem = name.strip_suffix(ending)?.to_owned();
            Some((stem, std::fs::read_to_string(entry.path()).unwrap()))
        })
        .collect();
    files.sort();
    files
}

/// Every shipped rule as it is written.
pub(crate) fn shipped() -> Vec<RuleConfig> {
    files().iter().flat_map(|(_, text)| toml::from_str::<RuleFile>(text).unwrap().rule).collect()
}

/// A machine and some shipped rules.
struct Watch {
    machine: Machine,
    analyzer: Analyzer,
    /// Titles of incidents that were opened, with the second since the beginning.
    opened: Vec<(i64, String)>,
    began_ms: i64,
}

impl Watch {
    fn new(rules: &[RuleConfig], interval_ms: i64) -> Self {
        let mut machine = Machine::new();
        machine.snapshot.interval_ms = interval_ms;
        machine.cpu(Some(0.1));
        let settings = Settings {
            host: HOST,
            host_name: "db1".to_owned(),
            labels: std::collections::BTreeMap::new(),
            time_zone: "UTC".to_owned(),
            rules: compile_shipped(rules, interval_ms).unwrap(),
        };
        let began_ms = machine.snapshot.at.ts_ms;
        Self { machine, analyzer: Analyzer::new(settings, nothing()), opened: Vec::new(), began_ms }
    }

    /// Seconds since the beginning.
    fn now_s(&self) -> i64 {
        (self.machine.snapshot.at.ts_ms - self.began_ms) / 1_000
    }

    fn tick(&mut self) {
        let snapshot = self.machine.tick();
        for change in self.analyzer.step(&snapshot) {
            if let Change::Incident { event: IncidentEvent::Opened, incident, .. } = change {
                self.opened.push((self.now_s(), incident.title.clone()));
            }
        }
    }
}

#[test]
fn every_rule_is_written_whole() {
    let all = shipped();
    let ids: BTreeSet<&str> = all.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids.len(), all.len(), "an id is used twice");
    for rule in &all {
        assert!(rule.title.is_some() && rule.summary.is_some(), "{} says too little", rule.id);
        assert!(rule.runbook.is_none(), "{} has its guide page as runbook", rule.id);
        let summary = rule.summary.as_deref().unwrap();
        assert!(summary.ends_with('.') && summary.len() < 200, "{summary}");
        assert!(!rule.title.as_deref().unwrap().ends_with('.'), "{}", rule.id);
    }
    for (name, text) in files() {
        // Every table comes with the reasons for its numbers.
        let lines: Vec<&str> = text.lines().collect();
        for (place, _) in lines.iter().enumerate().filter(|(_, line)| **line == "[[rule]]") {
            assert!(place > 0 && lines[place - 1].starts_with('#'), "{name}:{}", place + 1);
        }
    }
}

#[test]
fn every_rule_is_right_at_every_interval() {
    for interval_ms in [100, 1_000, 10_000, 60_000] {
        for rule in compile_shipped(&shipped(), interval_ms).unwrap() {
            assert!(rule.hold_ms == 0 || rule.hold_ms >= 3 * interval_ms, "{}", rule.id);
            assert_eq!(rule.runbook, Some(format!("docs/rules/{}.md", rule.id)));
        }
    }
    // At the interval that is set without configuration nothing is raised.
    crate::compile(&shipped(), 1_000).unwrap();
}

#[test]
fn every_rule_has_a_guide_page_and_every_guide_page_a_rule() {
    let mut rules: BTreeSet<String> = shipped().into_iter().map(|rule| rule.id).collect();
    // Rules that only their users can write stand in the files as examples.
    for (_, text) in files() {
        let examples = text.lines().filter_map(|line| line.strip_prefix("#   id = \"")?.strip_suffix('"'));
        rules.extend(examples.map(str::to_owned));
    }
    let pages = named("docs/rules", ".md");
    let names: BTreeSet<String> = pages.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(rules, names);
    for (name, text) in &pages {
        assert!(text.starts_with(&format!("# {name}\n")), "{name} does not begin with its name");
        for heading in ["## What it means", "## See for yourself", "## What to do", "## Change or silence it"] {
            assert!(text.contains(heading), "{name} has no `{heading}`");
        }
        for system in ["Linux", "macOS", "Windows"] {
            assert!(text.contains(system), "{name} says nothing about {system}");
        }
        let prose = text.split("```").step_by(2).flat_map(str::lines);
        assert!(prose.into_iter().all(|line| line.chars().count() <= 120), "{name} has a long line");
    }
}

#[test]
fn guide_pages_show_rules_that_are_right_and_pages_that_exist() {
    let pages = named("docs/rules", ".md");
    for (name, text) in &pages {
        let blocks: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(blocks.len(), 1, "{name} shows one rule");
        for block in blocks {
            let file: RuleFile = toml::from_str(block).unwrap_or_else(|error| panic!("{name}: {error}"));
            crate::compile(&file.rule, 1_000).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        }
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(Path::new(ROOT).join("docs/rules").join(target).exists(), "{name} leads to {target}");
        }
    }
}

#[test]
fn examples_in_the_files_are_rules() {
    let mut found = 0;
    for (name, text) in files() {
        let commented: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
        for example in commented.join("\n").split("[[rule]]").skip(1) {
            let file: RuleFile = toml::from_str(&format!("[[rule]]{example}")).unwrap();
            crate::compile(&file.rule, 1_000).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            found += 1;
        }
    }
    assert_eq!(found, 2);
}
