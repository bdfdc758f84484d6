//! All rules and which of them are in force: the shipped ones, then the user's own.

use watchkeeper_analyze::{Rule, RuleConfig, RuleFile, Standing, compile, compile_shipped, standings};
use watchkeeper_core::Problem;

use super::Config;
use super::nearest::nearest;

/// The shipped rules: name of the file in `rules/`, content.
const SHIPPED: [(&str, &str); 7] = [
    ("disk.toml", include_str!("../../../../rules/disk.toml")),
    ("filesystem.toml", include_str!("../../../../rules/filesystem.toml")),
    ("host.toml", include_str!("../../../../rules/host.toml")),
    ("network.toml", include_str!("../../../../rules/network.toml")),
    ("process.toml", include_str!("../../../../rules/process.toml")),
    ("service.toml", include_str!("../../../../rules/service.toml")),
    ("watch.toml", include_str!("../../../../rules/watch.toml")),
];

/// The shipped rules as they are written. A test reads and compiles every file; one that could not be read would be
/// left out here rather than end the watch.
fn shipped() -> Vec<RuleConfig> {
    let files = SHIPPED.iter().filter_map(|(_, text)| toml::from_str::<RuleFile>(text).ok());
    files.flat_map(|file| file.rule).collect()
}

/// Rules of the user's own; each of them is evaluated at every look.
const MOST_RULES: usize = 1_000;

/// The rules in force, shipped ones first.
///
/// # Errors
/// As [`all_rules`].
pub fn effective_rules(config: &Config) -> Result<Vec<Rule>, Vec<Problem>> {
    let all = all_rules(config)?;
    Ok(all.into_iter().filter(|(_, standing)| *standing == Standing::On).map(|(rule, _)| rule).collect())
}

/// All rules with where they stand, shipped ones first, the user's own in their order.
///
/// # Errors
/// Everything that is wrong with `[rules]` and `[[rule]]`, with key paths from the root of the configuration.
pub fn all_rules(config: &Config) -> Result<Vec<(Rule, Standing)>, Vec<Problem>> {
    let interval_ms = config.collect.interval.ms();
    let mut problems = Vec::new();
    let mut keep = |found: Vec<Problem>, prefix: &str| {
        problems.extend(found.into_iter().map(|problem| problem.under(prefix)));
        Vec::new()
    };
    let shipped = compile_shipped(&shipped(), interval_ms).unwrap_or_else(|found| keep(found, "shipped"));
    let ids: Vec<String> = shipped.iter().map(|rule| rule.id.clone()).collect();
    let own = compile(&config.rule, interval_ms).unwrap_or_else(|found| keep(found, "rule"));
    let all = standings(shipped, own, &config.rules).unwrap_or_else(|found| {
        let found = found.into_iter().map(|problem| with_suggestion(problem, config, &ids));
        problems.extend(found.map(|problem| problem.under("rules")));
        Vec::new()
    });
    if config.rule.len() > MOST_RULES {
        let problem = Problem::new(format!("rule.{MOST_RULES}"), format!("there are more than {MOST_RULES} rules"));
        problems.push(problem.help("a rule with `each` watches many things at once"));
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// Rules in force as they were written, each with whether it is shipped.
pub fn rules_as_written(config: &Config, rules: &[Rule]) -> Vec<(bool, RuleConfig)> {
    let shipped = shipped();
    let written = |rule: &Rule| {
        let all = if rule.shipped { &shipped } else { &config.rule };
        all.iter().find(|written| written.id == rule.id).map(|written| (rule.shipped, written.clone()))
    };
    rules.iter().filter_map(written).collect()
}

/// What was probably meant by an unknown id in `disable` or `enable`.
fn with_suggestion(problem: Problem, config: &Config, shipped: &[String]) -> Problem {
    let (list, index) = problem.key_path.split_once('.').unwrap_or_default();
    let (list, own) = match list {
        "disable" => (&config.rules.disable, "write `enabled = false` in its [[rule]], or remove it"),
        _ => (&config.rules.enable, "it is in force unless its [[rule]] says `enabled = false`"),
    };
    let Some(id) = index.parse().ok().and_then(|index: usize| list.get(index)) else { return problem };
    if shipped.contains(id) {
        // It is known; something else is wrong.
        problem
    } else if config.rule.iter().any(|rule| rule.id == *id) {
        problem.help(format!("it is a rule of your own: {own}"))
    } else if let Some(near) = nearest(id, shipped.iter().cloned()) {
        problem.help(format!("did you mean `{near}`?"))
    } else {
        problem.help("`watchkeeper rules list` shows them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_is_built_in_and_right() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, SHIPPED.map(|(name, _)| name));
        for (name, text) in SHIPPED {
            let file: RuleFile = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            compile(&file.rule, 1_000).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        }
    }

    #[test]
    fn rules_are_replaced_and_disabled_by_their_id() {
        let config = |text: &str| toml::from_str::<Config>(text).unwrap();
        let ids = |text: &str| -> Vec<(String, bool)> {
            effective_rules(&config(text)).unwrap().into_iter().map(|rule| (rule.id, rule.shipped)).collect()
        };
        let on = shipped().into_iter().filter(|rule| rule.enabled);
        let on: Vec<(String, bool)> = on.map(|rule| (rule.id, true)).collect();
        assert_eq!(ids(""), on);
        let disabled = ids("rules.disable = [\"host-cpu\"]");
        assert!(!disabled.contains(&("host-cpu".to_owned(), true)), "{disabled:?}");
        assert_eq!(disabled.len(), on.len() - 1);
        let enabled = ids("rules.enable = [\"new-listening-port\"]");
        assert!(enabled.contains(&("new-listening-port".to_owned(), true)), "{enabled:?}");
        assert_eq!(enabled.len(), on.len() + 1);
        let replaced = ids("[[rule]]\nid = \"host-cpu\"\nwhen = 'system.cpu.utilization > \"50%\"'");
        assert!(!replaced.contains(&("host-cpu".to_owned(), true)), "{replaced:?}");
        assert_eq!(replaced.last(), Some(&("host-cpu".to_owned(), false)));
    }
}
