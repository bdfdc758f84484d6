//! `watchkeeper rules list`: all rules, what they look at and where they stand.

mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use console::Term;
use serde::Serialize;
use watchkeeper_analyze::{Clear, ExpectConfig, Rule, RuleConfig, Standing};
use watchkeeper_core::Severity;
use watchkeeper_core::quantity::Span;

use crate::app::is_coloured;
use crate::cli::{DONE, FAILED, Global};
use crate::command::{complain, print, print_json};
use crate::config::{ConfigError, Loaded, Place, all_rules, guide, nearest, rules_as_written};

use table::{Look, in_full, table};

/// Which rules, and how to answer.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only the rule of this id, with all that it says; of a shipped one with its guide page
    id: Option<String>,
    /// All that each rule says
    #[arg(long)]
    long: bool,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// A rule as it is shown. Texts are foreign: they are cleaned where they are printed.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    /// `on`, `off` or `replaced`.
    state: &'static str,
    shipped: bool,
    /// File and line of a rule of the user's own.
    file: Option<String>,
    line: Option<usize>,
    title: Option<String>,
    severity: Severity,
    /// What is watched one by one.
    each: &'static str,
    when: Option<String>,
    expect: Option<ExpectConfig>,
    for_ms: i64,
    /// What the rule asked for, where `for_ms` was raised to three intervals.
    asked_for_ms: Option<i64>,
    interval_ms: i64,
    /// As it is written, else as it is made from `when`.
    clear: Option<String>,
    keep_firing_ms: i64,
    labels: BTreeMap<String, String>,
    summary: Option<String>,
    runbook: Option<String>,
    /// Why a rule is not in force.
    why: Option<String>,
    cost: CostOfRule,
}

/// What a rule costs for each entity that it watches, an estimate.
#[derive(Clone, Copy, Debug, Serialize)]
struct CostOfRule {
    /// CPU time of one look at one entity, nanoseconds.
    nanoseconds: u64,
    /// Memory for one entity, bytes.
    bytes: u64,
}

/// Lists them, shipped ones first.
pub fn list(global: &Global, args: &ListArgs) -> anyhow::Result<u8> {
    let loaded = global.load()?;
    let mut listed = all(&loaded)?;
    if let Some(id) = &args.id {
        if !listed.iter().any(|rule| rule.id == *id) {
            let near = nearest(id, listed.iter().map(|rule| rule.id.clone()));
            let help =
                near.map_or("`watchkeeper rules list` shows all".to_owned(), |near| format!("did you mean `{near}`?"));
            complain(&format!("there is no rule `{}`; {help}", watchkeeper_core::text::clean(id, 64)));
            return Ok(FAILED);
        }
        listed.retain(|rule| rule.id == *id);
    }
    if args.json {
        print_json(&listed)?;
        return Ok(DONE);
    }
    // Nobody cuts what goes into a file.
    let width = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    let look = Look { width, colour: is_coloured() };
    let mut text = if args.long || args.id.is_some() { in_full(&listed, look) } else { table(&listed, look) };
    // Who asks for one rule wants to know what to do.
    if let Some(page) = args.id.as_deref().filter(|_| listed.iter().any(has_guide)).and_then(guide) {
        let _ = write!(text, "\n{page}");
    }
    print(&text)?;
    Ok(DONE)
}

/// Whether the guide page is what the rule sends people to.
fn has_guide(rule: &Listed) -> bool {
    rule.shipped && rule.runbook.as_deref().is_some_and(|runbook| runbook.starts_with("docs/rules/"))
}

/// All rules of a configuration.
fn all(loaded: &Loaded) -> Result<Vec<Listed>, ConfigError> {
    let rules = all_rules(&loaded.config).map_err(|problems| loaded.report(problems))?;
    let (rules, standings): (Vec<Rule>, Vec<Standing>) = rules.into_iter().unzip();
    let written = rules_as_written(&loaded.config, &rules);
    let shipped = rules.iter().filter(|rule| rule.shipped).count();
    let places = std::iter::repeat_with(|| None).take(shipped).chain(loaded.rule_places());
    let listed = rules.iter().zip(standings).zip(written).zip(places);
    Ok(listed.map(|(((rule, standing), (_, written)), place)| Listed::of(rule, standing, written, place)).collect())
}

impl Listed {
    fn of(rule: &Rule, standing: Standing, written: RuleConfig, place: Option<Place>) -> Self {
        let line = place.as_ref().map(|place| place.line);
        Self {
            id: rule.id.clone(),
            state: standing.word(),
            shipped: rule.shipped,
            file: place.map(|place| place.file.display().to_string()),
            line,
            title: rule.title.clone(),
            severity: rule.severity,
            each: rule.each.word(),
            when: written.when,
            expect: written.expect,
            for_ms: rule.hold_ms,
            asked_for_ms: rule.asked_ms,
            interval_ms: rule.interval_ms,
            clear: written.clear.or_else(|| made_clear(rule)),
            keep_firing_ms: rule.keep_ms,
            labels: rule.labels.clone(),
            summary: rule.summary.clone(),
            runbook: rule.runbook.clone(),
            why: why_not(rule, standing),
            cost: CostOfRule::of(rule),
        }
    }

    /// The condition, or what is expected.
    fn condition(&self) -> String {
        match (&self.when, &self.expect) {
            (Some(when), _) => when.clone(),
            (None, Some(expect)) => {
                let min = expect.min.map(|min| format!("at least {min}"));
                let max = expect.max.map(|max| format!("at most {max}"));
                let restarts = expect.max_restarts.as_ref().map(|most| {
                    let (most, within) = most.split_once('/').unwrap_or((most, ""));
                    format!("at most {} restarts in {}", most.trim(), within.trim())
                });
                let said: Vec<String> = [min, max, restarts].into_iter().flatten().collect();
                let said = if said.is_empty() { "at least 1".to_owned() } else { said.join(", ") };
                format!("{said} of {}", expect.process)
            }
            (None, None) => String::new(),
        }
    }

    /// How long the condition must hold.
    fn hold(&self) -> String {
        if self.for_ms == 0 { "at once".to_owned() } else { Span::from_ms(self.for_ms).to_string() }
    }
}

/// What ends an alert where nobody wrote it.
fn made_clear(rule: &Rule) -> Option<String> {
    match &rule.clear {
        Clear::Back { comparison, threshold } => {
            Some(format!("{} {} {}", rule.metric.name, comparison.symbol(), rule.metric.unit.show(*threshold)))
        }
        Clear::Otherwise | Clear::Written(_) => None,
    }
}

/// Why a rule is not in force, and what would change it.
fn why_not(rule: &Rule, standing: Standing) -> Option<String> {
    match standing {
        Standing::On => None,
        Standing::Replaced => Some("a rule of your own has its id".to_owned()),
        Standing::Off if !rule.shipped => Some("its [[rule]] says `enabled = false`".to_owned()),
        Standing::Off if !rule.enabled => Some("off by itself; `enable` of [rules] turns it on".to_owned()),
        Standing::Off => Some("`disable` of [rules] names it".to_owned()),
    }
}

impl CostOfRule {
    fn of(rule: &Rule) -> Self {
        let cost = rule.when.condition.cost();
        let (mut nanoseconds, mut bytes) = (u64::from(cost.nanoseconds), u64::from(cost.bytes));
        if let Clear::Written(clear) = &rule.clear {
            let cost = clear.condition.cost();
            nanoseconds += u64::from(cost.nanoseconds);
            bytes += u64::from(cost.bytes);
        }
        Self { nanoseconds, bytes }
    }
}

#[cfg(test)]
mod tests;
