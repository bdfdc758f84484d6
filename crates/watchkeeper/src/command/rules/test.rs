//! `watchkeeper rules test`: given series of values, the alerts that are to come of them.

mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use watchkeeper_analyze::series_test::{Outcome, SeriesTest, SeriesTestFile, run, test_problems};
use watchkeeper_analyze::{Rule, RuleConfig, RuleFile, compile};
use watchkeeper_core::text::clean;
use watchkeeper_core::{Problem, Validate as _};

use crate::cli::{DONE, FAILED, Global};
use crate::config::{Config, ConfigError, all_rules, load_side, nearest};

/// What to test and how to answer.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// File of tests, see docs/rules.md
    file: PathBuf,
    /// Only tests with this in their names
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Examples below the help.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper rules test docs/examples/rules-test.toml     says what is other than expected
  watchkeeper rules test disk-test.toml --only full        only tests with `full` in their names

A test gives values of metrics, look by look, and says which alerts are to be there at which times.
Nobody is told and nothing is stored. The exit code is 1 if a test fails, 2 if the file is wrong.";

/// Runs all tests of a file.
pub fn test(global: &Global, args: &TestArgs) -> anyhow::Result<u8> {
    let config = global.load()?.config;
    let played = play(&args.file, args.only.as_deref(), &config)?;
    let failed = played.iter().filter(|(_, outcome)| !outcome.differences.is_empty()).count();
    if args.json {
        super::super::print_json(&Answer::of(&played, failed))?;
    } else {
        super::super::print(&text::report(&played, failed))?;
    }
    Ok(if failed == 0 { DONE } else { FAILED })
}

/// The tests of a file with what came of them.
///
/// # Errors
/// The file, or a file of rules that it names, is wrong; all mistakes of a file are said at once.
fn play(path: &Path, only: Option<&str>, config: &Config) -> Result<Vec<(SeriesTest, Outcome)>, ConfigError> {
    let file = load_side::<SeriesTestFile>(path, "file of tests", own_problems)?;
    let mut of_files = Vec::new();
    let folder = path.parent().unwrap_or(Path::new(""));
    for name in &file.value.rule_files {
        of_files.extend(load_side::<RuleFile>(&folder.join(name), "file of rules", rule_problems)?.value.rule);
    }
    let mut problems = Vec::new();
    let mut chosen = Vec::new();
    for (index, test) in file.value.test.iter().enumerate() {
        let found = rules_of(test, &file.value, &of_files, config);
        let under = |problem: Problem| {
            // A rule of this file is wrong, not the test.
            if problem.key_path.starts_with("rule.") { problem } else { problem.under(&format!("test.{index}")) }
        };
        match found {
            Ok(rules) => {
                problems.extend(test_problems(test, Some(&rules)).into_iter().map(under));
                chosen.push(rules);
            }
            Err(wrong) => problems.extend(wrong.into_iter().chain(test_problems(test, None)).map(under)),
        }
    }
    if !problems.is_empty() {
        return Err(file.report(problems));
    }
    let mut played = Vec::new();
    for (index, (test, rules)) in file.value.test.iter().zip(chosen).enumerate() {
        if only.is_some_and(|only| !test.name.contains(only)) {
            continue;
        }
        match run(test, rules) {
            Ok(outcome) => played.push((test.clone(), outcome)),
            Err(wrong) => problems.extend(wrong.into_iter().map(|problem| problem.under(&format!("test.{index}")))),
        }
    }
    if !problems.is_empty() {
        return Err(file.report(problems));
    }
    if played.is_empty() {
        let help = only.map(|_| format!("there are {} in it", file.value.test.len()));
        return Err(ConfigError::sentence(format!("no test of {} is meant", path.display()), help));
    }
    Ok(played)
}

/// What is wrong with a file of tests whatever the rules are.
fn own_problems(file: &SeriesTestFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    if file.test.is_empty() {
        problems.push(Problem::new("test", "there are no tests in it").help("begin one with [[test]]"));
    }
    for (index, rule) in file.rule.iter().enumerate() {
        problems.extend(rule.validate().into_iter().map(|problem| problem.under(&format!("rule.{index}"))));
    }
    problems
}

/// What is wrong with a file of rules whatever the interval is.
fn rule_problems(file: &RuleFile) -> Vec<Problem> {
    let rules = file.rule.iter().enumerate();
    rules
        .flat_map(|(index, rule)| {
            rule.validate().into_iter().map(move |problem| problem.under(&format!("rule.{index}")))
        })
        .collect()
}

/// The rules in force in a test. Of rules with the same id that of the file counts, then that of its files of rules, then
/// that of the configuration.
fn rules_of(
    test: &SeriesTest,
    file: &SeriesTestFile,
    of_files: &[RuleConfig],
    config: &Config,
) -> Result<Vec<Rule>, Vec<Problem>> {
    let interval_ms = test.interval.ms().max(1);
    let mut config = config.clone();
    config.collect.interval = test.interval;
    let mut problems = Vec::new();
    let mut wrong = |found: Vec<Problem>| {
        problems.extend(found);
        Vec::new()
    };
    let own = compile(&file.rule, interval_ms)
        .unwrap_or_else(|found| wrong(found.into_iter().map(|problem| problem.under("rule")).collect()));
    let of_files_compiled = compile(of_files, interval_ms).unwrap_or_else(|found| wrong(at_interval(&found)));
    let configured: Vec<Rule> = match all_rules(&config) {
        Ok(all) => all.into_iter().map(|(rule, _)| rule).collect(),
        Err(found) => wrong(at_interval(&found)),
    };
    let ids: BTreeSet<&String> = file.rule.iter().chain(of_files).map(|rule| &rule.id).collect();
    let ids: BTreeSet<String> = ids.into_iter().chain(configured.iter().map(|rule| &rule.id)).cloned().collect();
    let unknown = test.rules.iter().enumerate().filter(|(_, id)| !ids.contains(*id));
    problems.extend(unknown.map(|(index, id)| {
        let problem =
            Problem::new(format!("rules.{index}"), format!("there is no rule with the id `{}`", clean(id, 80)));
        match nearest(id, ids.iter().cloned()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("`watchkeeper rules list` shows those of the configuration"),
        }
    }));
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut all = own;
    add_others(&mut all, of_files_compiled);
    let written: BTreeSet<String> = all.iter().map(|rule| rule.id.clone()).collect();
    let (shipped, users): (Vec<Rule>, Vec<Rule>) = configured.into_iter().partition(|rule| rule.shipped);
    add_others(&mut all, users);
    add_others(&mut all, shipped);
    let expected: BTreeSet<String> = test.expect.iter().flat_map(expected_ids).collect();
    all.retain(|rule| {
        if test.rules.is_empty() {
            written.contains(&rule.id) || expected.contains(&rule.id)
        } else {
            test.rules.contains(&rule.id)
        }
    });
    Ok(all)
}

/// Adds the rules whose ids are not there yet.
fn add_others(all: &mut Vec<Rule>, others: Vec<Rule>) {
    for rule in others {
        if !all.iter().any(|other| other.id == rule.id) {
            all.push(rule);
        }
    }
}

/// Rules elsewhere that are wrong with the looks of a test so far apart.
fn at_interval(problems: &[Problem]) -> Vec<Problem> {
    let said: BTreeSet<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let said: Vec<&str> = said.into_iter().collect();
    let message = format!("with this interval not all rules are right: {}", said.join("; "));
    vec![Problem::new("interval", message).help("take a shorter `interval`")]
}

fn expected_ids(expect: &watchkeeper_analyze::series_test::ExpectedAlerts) -> Vec<String> {
    let lists = [&expect.pending, &expect.firing, &expect.recovering, &expect.resolved, &expect.ended];
    let written = lists.into_iter().flatten().flatten();
    written
        .map(|alert| {
            let id = alert.split(" on ").next().unwrap_or(alert);
            id.strip_prefix("no-data/").unwrap_or(id).to_owned()
        })
        .collect()
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer<'p> {
    tests: Vec<Tested<'p>>,
    failed: usize,
}

#[derive(Debug, Serialize)]
struct Tested<'p> {
    name: &'p str,
    passed: bool,
    looks: u64,
    differences: Vec<DifferenceAnswer<'p>>,
    happened: Vec<HappenedAnswer<'p>>,
}

#[derive(Debug, Serialize)]
struct DifferenceAnswer<'p> {
    at_ms: i64,
    state: &'static str,
    expected: &'p [String],
    found: &'p [String],
}

#[derive(Debug, Serialize)]
struct HappenedAnswer<'p> {
    at_ms: i64,
    alert: &'p str,
    state: &'static str,
}

impl<'p> Answer<'p> {
    fn of(played: &'p [(SeriesTest, Outcome)], failed: usize) -> Self {
        let tests = played.iter().map(|(test, outcome)| Tested {
            name: &test.name,
            passed: outcome.differences.is_empty(),
            looks: outcome.looks,
            differences: outcome
                .differences
                .iter()
                .map(|difference| DifferenceAnswer {
                    at_ms: difference.at_ms,
                    state: difference.state.word(),
                    expected: &difference.expected,
                    found: &difference.found,
                })
                .collect(),
            happened: outcome
                .happened
                .iter()
                .map(|happened| HappenedAnswer {
                    at_ms: happened.at_ms,
                    alert: &happened.alert,
                    state: happened.state.word(),
                })
                .collect(),
        });
        Self { tests: tests.collect(), failed }
    }
}

#[cfg(test)]
mod tests;
