//! The shipped rules: each made to fire and not to fire by recorded readings, and all of them silent on a day on which
//! nothing is wrong. Their guide pages are looked at by the tests of the whole.

mod coverage;
mod day;
mod rows;
mod sets;

use std::collections::BTreeSet;

use watchkeeper_core::{Change, IncidentEvent};

use crate::scenes::{HOST, Machine, nothing};
use crate::{Analyzer, RuleConfig, RuleFile, Settings, compile_shipped};

/// Every file of rules.
const FILES: [(&str, &str); 7] = [
    ("disk", include_str!("../../../rules/disk.toml")),
    ("filesystem", include_str!("../../../rules/filesystem.toml")),
    ("host", include_str!("../../../rules/host.toml")),
    ("network", include_str!("../../../rules/network.toml")),
    ("process", include_str!("../../../rules/process.toml")),
    ("service", include_str!("../../../rules/service.toml")),
    ("watch", include_str!("../../../rules/watch.toml")),
];

/// Every shipped rule as it is written.
pub(crate) fn shipped() -> Vec<RuleConfig> {
    FILES.iter().flat_map(|(_, text)| toml::from_str::<RuleFile>(text).unwrap().rule).collect()
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
    for (name, text) in FILES {
        // Every table comes with the reasons for its numbers.
        let lines: Vec<&str> = text.lines().collect();
        for (place, _) in lines.iter().enumerate().filter(|(_, line)| **line == "[[rule]]") {
            assert!(place > 0 && lines[place - 1].starts_with('#'), "{name}:{}", place + 1);
        }
    }
}

#[test]
fn every_rule_is_right_at_every_interval() {
    for interval_ms in [100, 1_000, 10_000, 60_000, 3_600_000] {
        for rule in compile_shipped(&shipped(), interval_ms).unwrap() {
            assert!(rule.hold_ms == 0 || rule.hold_ms >= 3 * interval_ms, "{}", rule.id);
            assert_eq!(rule.runbook, Some(format!("docs/rules/{}.md", rule.id)));
        }
    }
    // At the interval that is set without configuration nothing is raised.
    crate::compile(&shipped(), 1_000).unwrap();
}

#[test]
fn examples_in_the_files_are_rules() {
    let mut found = 0;
    for (name, text) in FILES {
        let commented: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
        for example in commented.join("\n").split("[[rule]]").skip(1) {
            let file: RuleFile = toml::from_str(&format!("[[rule]]{example}")).unwrap();
            crate::compile(&file.rule, 1_000).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            found += 1;
        }
    }
    assert_eq!(found, 2);
}
