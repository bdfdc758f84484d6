//! Which rules are in force: the shipped ones that are on and not replaced, and the user's own that are on.

use watchkeeper_core::Problem;

use super::{Rule, shown};
use crate::config::RulesConfig;

/// Whether a rule is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is evaluated.
    On,
    /// It is off by itself, or somebody turned it off.
    Off,
    /// It is shipped, and a rule of the user's own has its id.
    Replaced,
}

impl Standing {
    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Replaced => "replaced",
        }
    }
}

/// All rules with where they stand, the shipped ones first.
///
/// # Errors
/// An entry of `disable` or `enable` that names no shipped rule or stands in both, at `disable.N` and `enable.N`.
pub fn standings(
    shipped: Vec<Rule>,
    own: Vec<Rule>,
    config: &RulesConfig,
) -> Result<Vec<(Rule, Standing)>, Vec<Problem>> {
    let mut problems = unknown(&shipped, &config.disable, "disable");
    problems.extend(unknown(&shipped, &config.enable, "enable"));
    for (index, id) in config.enable.iter().enumerate() {
        if let Some(first) = config.disable.iter().position(|other| other == id) {
            let problem = Problem::new(format!("enable.{index}"), format!("`{}` is disabled as well", shown(id)));
            problems.push(problem.first(format!("disable.{first}")).help("take it out of one of the two lists"));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let of_shipped = |rule: &Rule| {
        let is_wanted = rule.enabled || config.enable.contains(&rule.id);
        if own.iter().any(|other| other.id == rule.id) {
            Standing::Replaced
        } else if is_wanted && !config.disable.contains(&rule.id) {
            Standing::On
        } else {
            Standing::Off
        }
    };
    let mut all: Vec<(Rule, Standing)> =
        shipped.into_iter().map(|rule| (of_shipped(&rule), rule)).map(|(standing, rule)| (rule, standing)).collect();
    all.extend(own.into_iter().map(|rule| {
        let standing = if rule.enabled { Standing::On } else { Standing::Off };
        (rule, standing)
    }));
    Ok(all)
}

/// The rules that are in force, the shipped ones first.
///
/// # Errors
/// As [`standings`].
pub fn effective(shipped: Vec<Rule>, own: Vec<Rule>, config: &RulesConfig) -> Result<Vec<Rule>, Vec<Problem>> {
    let all = standings(shipped, own, config)?;
    Ok(all.into_iter().filter(|(_, standing)| *standing == Standing::On).map(|(rule, _)| rule).collect())
}

/// Entries that name no shipped rule.
fn unknown(shipped: &[Rule], list: &[String], name: &str) -> Vec<Problem> {
    let unknown = list.iter().enumerate().filter(|(_, id)| !shipped.iter().any(|rule| rule.id == **id));
    unknown
        .map(|(index, id)| {
            let ids: Vec<&str> = shipped.iter().map(|rule| rule.id.as_str()).collect();
            Problem::new(format!("{name}.{index}"), format!("no shipped rule has the id `{}`", shown(id)))
                .help(format!("shipped rules are {}", ids.join(", ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{compile, compile_shipped};
    use crate::scenes::rule;

    /// `on` and `off`, as they are shipped.
    fn shipped() -> Vec<Rule> {
        let one = |id: &str, enabled: bool| {
            let mut config = rule(id, "system.cpu.utilization > 0.5", "5m");
            config.enabled = enabled;
            config
        };
        compile_shipped(&[one("on", true), one("off", false)], 1_000).unwrap()
    }

    fn own(id: &str, enabled: bool) -> Vec<Rule> {
        let mut config = rule(id, "system.cpu.utilization > 0.5", "5m");
        config.enabled = enabled;
        compile(&[config], 1_000).unwrap()
    }

    fn lists(disable: &[&str], enable: &[&str]) -> RulesConfig {
        let texts = |list: &[&str]| list.iter().map(|&id| id.to_owned()).collect();
        RulesConfig { disable: texts(disable), enable: texts(enable) }
    }

    #[test]
    fn what_is_in_force_is_what_is_on_and_not_replaced() {
        use Standing::{Off, On, Replaced};
        for (name, own, config, expected) in [
            ("as shipped", vec![], lists(&[], &[]), vec![On, Off]),
            ("disabled", vec![], lists(&["on"], &[]), vec![Off, Off]),
            ("what is off may be disabled as well", vec![], lists(&["off"], &[]), vec![On, Off]),
            ("enabled", vec![], lists(&[], &["off"]), vec![On, On]),
            ("what is on may be enabled as well", vec![], lists(&[], &["on", "off"]), vec![On, On]),
            ("own", own("mine", true), lists(&[], &[]), vec![On, Off, On]),
            ("own that is off", own("mine", false), lists(&[], &[]), vec![On, Off, Off]),
            ("replaced", own("on", true), lists(&[], &[]), vec![Replaced, Off, On]),
            ("replaced by one that is off", own("on", false), lists(&[], &[]), vec![Replaced, Off, Off]),
            ("only the shipped one is disabled", own("on", true), lists(&["on"], &[]), vec![Replaced, Off, On]),
        ] {
            let count = expected.iter().filter(|standing| **standing == On).count();
            let all = standings(shipped(), own.clone(), &config).unwrap();
            assert_eq!(all.iter().map(|(_, standing)| *standing).collect::<Vec<_>>(), expected, "{name}");
            assert_eq!(effective(shipped(), own, &config).unwrap().len(), count, "{name}");
        }
    }

    #[test]
    fn both_lists_name_shipped_rules_and_no_rule_twice() {
        let told = |config: RulesConfig| -> Vec<(String, String, Option<String>)> {
            let problems = effective(shipped(), own("mine", true), &config).unwrap_err();
            problems.into_iter().map(|problem| (problem.key_path, problem.message, problem.first)).collect()
        };
        let unknown = |at: &str, id: &str| (at.to_owned(), format!("no shipped rule has the id `{id}`"), None);
        assert_eq!(
            told(lists(&["on", "nothing"], &["mine"])),
            [unknown("disable.1", "nothing"), unknown("enable.0", "mine")]
        );
        let both = ("enable.0".to_owned(), "`off` is disabled as well".to_owned(), Some("disable.1".to_owned()));
        assert_eq!(told(lists(&["on", "off"], &["off"])), [both]);
    }
}
