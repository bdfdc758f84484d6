//! Rules that were checked, ready to be evaluated.

mod about;
mod clear;
mod effective;
mod windows;

use std::collections::BTreeMap;

use watchkeeper_core::catalogue::Metric;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{EntityKind, Problem, Severity, Unit};
use watchkeeper_expression::CatalogueFields;

use crate::config::RuleConfig;
use crate::expect::{COUNTED_AS, Expect};
use crate::question::Question;
pub use clear::Clear;
pub use effective::{Standing, effective, standings};

/// Longest id of a rule in bytes.
const LONGEST_ID: usize = 64;
/// Longest title of a rule in characters.
const LONGEST_TITLE: usize = 200;
/// A condition must be seen so often before it can be said to have held.
const FEWEST_LOOKS: i64 = 3;

/// A rule that was checked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name of the rule, unique.
    pub id: String,
    /// What people read when it fires, if somebody wrote it.
    pub title: Option<String>,
    /// The condition; of an expectation: which processes count.
    pub when: Question,
    /// How many processes there should be for which `when` holds; `None`: it fires when `when` holds.
    pub expect: Option<Expect>,
    /// The metric that people are shown: of the comparison that the condition is about, or its first.
    pub metric: &'static Metric,
    /// What is watched one by one.
    pub each: EntityKind,
    /// How long the condition must hold, observed milliseconds; 0 fires at once.
    pub hold_ms: i64,
    /// How long the rule asked for, where `hold_ms` had to be raised to three intervals.
    pub asked_ms: Option<i64>,
    /// What begins to end an alert that fires.
    pub clear: Clear,
    /// How long `clear` must hold before an alert is over, observed milliseconds; 0 ends it at once.
    pub keep_ms: i64,
    /// How bad it is.
    pub severity: Severity,
    /// Labels of its incidents beside those of the host.
    pub labels: BTreeMap<String, String>,
    /// What it means, for those who are told.
    pub summary: Option<String>,
    /// Where it is written what to do.
    pub runbook: Option<String>,
    /// Whether it is in force unless somebody says otherwise.
    pub enabled: bool,
    /// Whether it is one of those that come with the program.
    pub shipped: bool,
    /// The collection interval it was checked for, milliseconds.
    pub interval_ms: i64,
}

/// Checks the user's rules.
///
/// # Errors
/// All problems of all rules, each at `N.key` with the index of its rule.
pub fn compile(rules: &[RuleConfig], interval_ms: i64) -> Result<Vec<Rule>, Vec<Problem>> {
    compile_all(rules, interval_ms, false)
}

/// Checks rules that come with the program. A `for` or a window under three intervals is raised instead of refused, because such
/// rules were written without knowing the interval.
///
/// # Errors
/// All problems of all rules, each at `N.key` with the index of its rule.
pub fn compile_shipped(rules: &[RuleConfig], interval_ms: i64) -> Result<Vec<Rule>, Vec<Problem>> {
    compile_all(rules, interval_ms, true)
}

/// The shortest time in which there is something to be seen at this interval.
pub(crate) fn shortest_ms(interval_ms: i64) -> i64 {
    interval_ms.saturating_mul(FEWEST_LOOKS)
}

fn compile_all(rules: &[RuleConfig], interval_ms: i64, shipped: bool) -> Result<Vec<Rule>, Vec<Problem>> {
    let shortest_ms = shortest_ms(interval_ms);
    let mut compiled = Vec::new();
    let mut problems = Vec::new();
    let mut first_with: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, config) in rules.iter().enumerate() {
        let mut of_rule = Vec::new();
        let first = *first_with.entry(config.id.as_str()).or_insert(index);
        if first != index && !config.id.is_empty() {
            let problem = Problem::new(format!("{index}.id"), format!("the id `{}` is used twice", shown(&config.id)));
            problems.push(problem.first(format!("{first}.id")).help("give each rule an id of its own"));
        }
        let asked_ms = config.hold.ms();
        let too_short = asked_ms > 0 && asked_ms < shortest_ms;
        if too_short && !shipped {
            of_rule.push(too_short_problem(config.hold, shortest_ms, interval_ms));
        }
        let parts = parts(config);
        if let Some(parts) = parts.as_ref().ok().filter(|_| !shipped) {
            of_rule.extend(windows::too_short(parts, shortest_ms, interval_ms));
        }
        match parts {
            Err(wrong) => of_rule.extend(wrong),
            Ok(Parts { expect: Some(Expect { restarts: Some(restarts), .. }), .. })
                if restarts.within_ms < shortest_ms && !shipped =>
            {
                of_rule.push(restarts.too_short(shortest_ms, interval_ms));
            }
            Ok(Parts { when, expect, metric, each, clear }) => compiled.push(Rule {
                id: config.id.clone(),
                title: config.title.clone(),
                when,
                expect,
                metric,
                each,
                hold_ms: if too_short { shortest_ms } else { asked_ms },
                asked_ms: too_short.then_some(asked_ms),
                clear,
                keep_ms: config.keep_firing.ms(),
                severity: config.severity,
                labels: config.labels.clone(),
                summary: config.summary.clone(),
                runbook: config.runbook.clone().or_else(|| shipped.then(|| about::guide(&config.id))),
                enabled: config.enabled,
                shipped,
                interval_ms,
            }),
        }
        problems.extend(of_rule.into_iter().map(|problem| problem.under(&index.to_string())));
    }
    if problems.is_empty() { Ok(compiled) } else { Err(problems) }
}

fn too_short_problem(hold: Span, shortest_ms: i64, interval_ms: i64) -> Problem {
    let shortest = Span::from_ms(shortest_ms);
    let interval = Span::from_ms(interval_ms);
    Problem::new("for", format!("`for` of {hold} is under three collection intervals of {interval}")).help(format!(
        "write \"{shortest}\" or more, leave it out to fire at once, or set a shorter [collect] interval"
    ))
}

/// What a rule is made of.
pub(crate) struct Parts {
    when: Question,
    expect: Option<Expect>,
    metric: &'static Metric,
    each: EntityKind,
    clear: Clear,
}

/// What a rule is made of; all problems that need neither the other rules nor the interval.
pub(crate) fn parts(config: &RuleConfig) -> Result<Parts, Vec<Problem>> {
    let mut problems = id_problems(&config.id);
    problems.extend(config.title.as_deref().and_then(title_problem));
    problems.extend(about::about_problems(config));
    let asked = match config.each.as_deref().map(kind) {
        None => None,
        Some(Ok(kind)) => Some(kind),
        Some(Err(problem)) => {
            problems.push(problem);
            None
        }
    };
    let when = match (config.when.as_deref(), &config.expect) {
        (Some(when), None) => question(when, "when"),
        (None, Some(_)) => return expectation(config, problems),
        (None, None) => Err(vec![
            Problem::new("", "the rule says neither when it fires nor what it expects")
                .help("write `when = '...'` with a condition, or `expect = { process = '...' }`"),
        ]),
        (Some(_), Some(_)) => Err(vec![
            Problem::new("expect", "a rule has either `when` or `expect`, not both").help("make two rules of it"),
        ]),
    };
    match when {
        Err(wrong) => problems.extend(wrong),
        Ok((when, metric)) => match each(&when, asked) {
            Err(problem) => problems.push(problem),
            Ok(each) => {
                let clear = match config.clear.as_deref() {
                    None => Ok(Clear::made(&when.condition)),
                    Some(text) => Clear::read(text, &when, each),
                };
                match clear {
                    Err(wrong) => problems.extend(wrong),
                    Ok(clear) if problems.is_empty() => return Ok(Parts { when, expect: None, metric, each, clear }),
                    Ok(_) => {}
                }
            }
        },
    }
    Err(problems)
}

/// What a rule with `expect` is made of, after the problems that were found so far.
fn expectation(config: &RuleConfig, mut problems: Vec<Problem>) -> Result<Parts, Vec<Problem>> {
    if config.clear.is_some() {
        let problem = Problem::new("clear", "an expectation has no `clear`: it is over when all is as expected again");
        problems.push(problem.help("leave it out; `keep_firing` says for how long all must be well"));
    }
    if config.each.is_some() {
        let problem = Problem::new("each", "an expectation counts the processes of the whole machine");
        problems.push(problem.help("leave `each` out; make a rule for each kind of processes"));
    }
    let read = config.expect.as_ref().map(Expect::read).transpose().map_err(|wrong| problems.extend(wrong));
    match (read, watchkeeper_core::catalogue::metric(COUNTED_AS)) {
        (Ok(Some((when, expect))), Some(metric)) if problems.is_empty() => {
            Ok(Parts { when, expect: Some(expect), metric, each: EntityKind::Host, clear: Clear::Otherwise })
        }
        _ => Err(problems),
    }
}

/// A condition with its metrics, and the one of them that people are shown.
fn question(text: &str, key_path: &str) -> Result<(Question, &'static Metric), Vec<Problem>> {
    let condition = watchkeeper_expression::compile(text, &CatalogueFields, key_path)?;
    let question = Question::new(condition);
    question
        .and_then(|question| Some((question.metric()?, question)).map(|(metric, question)| (question, metric)))
        .ok_or_else(|| vec![Problem::new(key_path, "the condition looks at something that is no metric")])
}

fn id_problems(id: &str) -> Vec<Problem> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let problem = if id.is_empty() {
        Problem::new("id", "the id is empty")
    } else if id.len() > LONGEST_ID {
        Problem::new("id", format!("the id is longer than {LONGEST_ID} characters"))
    } else if !id.bytes().all(allowed) {
        Problem::new(
            "id",
            format!("the id `{}` has other characters than letters, digits, `-`, `_` and `.`", shown(id)),
        )
    } else {
        return Vec::new();
    };
    vec![problem.help("write a short name, such as \"cpu-high\"")]
}

fn title_problem(title: &str) -> Option<Problem> {
    if title.trim().is_empty() {
        Some(Problem::new("title", "the title is empty").help("leave it out to have one made from the condition"))
    } else if title.chars().count() > LONGEST_TITLE {
        Some(Problem::new("title", format!("the title is longer than {LONGEST_TITLE} characters")))
    } else if title.chars().any(char::is_control) {
        Some(Problem::new("title", "the title has control characters or more than one line"))
    } else {
        None
    }
}

/// Kinds that a condition on a metric can watch one by one.
const EACH: [EntityKind; 10] = [
    EntityKind::Host,
    EntityKind::Cpu,
    EntityKind::Disk,
    EntityKind::Filesystem,
    EntityKind::Interface,
    EntityKind::Peer,
    EntityKind::Socket,
    EntityKind::Check,
    EntityKind::Process,
    EntityKind::Program,
];

fn kind(word: &str) -> Result<EntityKind, Problem> {
    EACH.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
        let words: Vec<&str> = EACH.into_iter().map(EntityKind::word).collect();
        let likely = words
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, word), known))
            .min()
            .filter(|(distance, _)| *distance <= 2);
        let help = match likely {
            Some((_, known)) => format!("did you mean \"{known}\"?"),
            None => format!("it is one of {}", words.join(", ")),
        };
        Problem::new("each", format!("`{}` is nothing that can be watched one by one", shown(word))).help(help)
    })
}

fn each(when: &Question, asked: Option<EntityKind>) -> Result<EntityKind, Problem> {
    let own = when.own();
    let (name, own_word) = (when.name(), own.word());
    match asked {
        None => Ok(own),
        Some(kind) if kind == own => Ok(own),
        Some(EntityKind::Program) if own == EntityKind::Process => match not_additive(when) {
            None => Ok(EntityKind::Program),
            Some(name) => {
                Err(Problem::new("each", format!("`{name}` cannot be added up over the processes of a program"))
                    .help("write each = \"process\""))
            }
        },
        Some(kind) => {
            let message = format!("`{name}` belongs to {}, not to {}", with_article(own), with_article(kind));
            let problem = Problem::new("each", message);
            Err(if own == EntityKind::Process {
                problem.help("write each = \"process\" or each = \"program\"")
            } else {
                problem.help(format!("leave it out or write each = \"{own_word}\""))
            })
        }
    }
}

/// The first metric of processes that cannot be added up: their ages and words are not those of a program.
fn not_additive(question: &Question) -> Option<&'static str> {
    let of_processes = |metric: &&&Metric| metric.entity_kind() == EntityKind::Process;
    let mut own = question.metrics.iter().filter(of_processes);
    own.find(|metric| matches!(metric.unit, Unit::Text | Unit::Seconds)).map(|metric| metric.name)
}

fn with_article(kind: EntityKind) -> String {
    let article = match kind {
        EntityKind::Host => "the",
        EntityKind::Interface => "an",
        _ => "a",
    };
    format!("{article} {kind}")
}

fn shown(text: &str) -> String {
    watchkeeper_core::text::clean(text, LONGEST_ID)
}

#[cfg(test)]
mod tests;
