//! The rules that come with the program: that each has its guide page, and help for tests that want none of them or count
//! them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use watchkeeper_analyze::{RuleConfig, RuleFile, compile};

/// Ids of those that are in force without configuration.
#[cfg(unix)]
pub fn in_force() -> Vec<String> {
    rules().into_iter().filter(|rule| rule.enabled).map(|rule| rule.id).collect()
}

/// A line of `[rules]` that takes them all out.
#[cfg(target_os = "linux")]
pub fn none() -> String {
    format!("disable = {:?}", in_force())
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// The files of a folder that end like this, by name: their names without the ending, and their texts.
fn texts(name: &str, ending: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder(name)).expect("a folder");
    let mut texts: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let path = entry.expect("an entry").path();
            let stem = path.file_name()?.to_str()?.strip_suffix(ending)?.to_owned();
            Some((stem, std::fs::read_to_string(&path).expect("a text")))
        })
        .collect();
    texts.sort();
    texts
}

/// All of them as they are written.
pub fn rules() -> Vec<RuleConfig> {
    let files = texts("rules", ".toml");
    files.iter().flat_map(|(_, text)| toml::from_str::<RuleFile>(text).expect("rules").rule).collect()
}

#[test]
fn every_rule_has_a_guide_page_and_every_guide_page_a_rule() {
    let mut expected: BTreeSet<String> = rules().into_iter().map(|rule| rule.id).collect();
    // Rules that only their users can write stand in the files as examples.
    for (_, text) in texts("rules", ".toml") {
        let examples = text.lines().filter_map(|line| line.strip_prefix("#   id = \"")?.strip_suffix('"'));
        expected.extend(examples.map(str::to_owned));
    }
    let pages = texts("docs/rules", ".md");
    let names: BTreeSet<String> = pages.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, expected);
    for (name, text) in &pages {
        assert!(text.starts_with(&format!("# {name}\n")), "{name} does not begin with its name");
        for heading in ["## What it means", "## See for yourself", "## What to do", "## Change or silence it"] {
            assert!(text.contains(heading), "{name} has no `{heading}`");
        }
        for system in ["Linux", "macOS", "Windows"] {
            assert!(text.contains(system), "{name} says nothing about {system}");
        }
        let mut prose = text.split("```").step_by(2).flat_map(str::lines);
        assert!(prose.all(|line| line.chars().count() <= 120), "{name} has a long line");
    }
}

#[test]
fn guide_pages_show_rules_that_are_right_and_pages_that_exist() {
    for (name, text) in texts("docs/rules", ".md") {
        let blocks: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(blocks.len(), 1, "{name} shows one rule");
        for block in blocks {
            let file: RuleFile = toml::from_str(block).unwrap_or_else(|error| panic!("{name}: {error}"));
            compile(&file.rule, 1_000).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        }
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(folder("docs/rules").join(target).exists(), "{name} leads to {target}");
        }
    }
}

#[test]
fn every_file_of_rules_is_tried_on_recorded_readings() {
    let tried = std::fs::read_to_string(folder("crates/analyze/src").join("shipped.rs")).expect("the test");
    for (name, _) in texts("rules", ".toml") {
        assert!(tried.contains(&format!("rules/{name}.toml")), "crates/analyze/src/shipped.rs leaves out {name}.toml");
    }
}
