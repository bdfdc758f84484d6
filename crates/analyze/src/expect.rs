//! Expectations: how many processes of a kind there should be, and how often they may begin anew.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;
use watchkeeper_core::{EntityKind, Problem};

use crate::question::Question;

/// What expectations are counted in: the metric whose place they take in alerts and evidence.
pub(crate) const COUNTED_AS: &str = "system.process.count";

/// Most restarts that a rule can allow.
const MOST_RESTARTS: u32 = 1_000;
/// Shortest and longest time in which restarts are counted.
const SHORTEST_MS: i64 = 1_000;
const LONGEST_MS: i64 = 86_400_000;

/// How many processes there should be: `expect` of a `[[rule]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectConfig {
    /// Which processes count: a condition on processes as they are now. Required.
    /// Example: `'process.name == "postgres"'`.
    pub process: String,
    /// There should be at least so many. Default: 1 if neither `max` nor `max_restarts` is written.
    #[serde(default)]
    pub min: Option<u32>,
    /// There should be at most so many; 0: none at all. Default: any number.
    #[serde(default)]
    pub max: Option<u32>,
    /// How often one of them may begin in the place of one that ended, and in what time: a number, `/` and a duration of
    /// 1 s to 24 h. Default: any number of times. Example: `"3/10m"`.
    #[serde(default)]
    pub max_restarts: Option<String>,
}

/// How many processes there should be, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// At least so many.
    pub min: Option<u32>,
    /// At most so many.
    pub max: Option<u32>,
    /// How often one may begin in the place of another.
    pub restarts: Option<Restarts>,
}

/// How often something may begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// At most so often,
    pub most: u32,
    /// within so many observed milliseconds.
    pub within_ms: i64,
}

impl Expect {
    /// Reads what somebody wrote, with the question which processes count. Key paths begin with `expect`.
    pub(crate) fn read(config: &ExpectConfig) -> Result<(Question, Self), Vec<Problem>> {
        let mut problems = Vec::new();
        let question = processes(&config.process).map_err(|wrong| problems.extend(wrong)).ok();
        let restarts = config.max_restarts.as_deref().map(Restarts::read).transpose();
        let restarts = restarts.map_err(|problem| problems.push(problem)).unwrap_or_default();
        let nothing_else = config.max.is_none() && config.max_restarts.is_none();
        let min = if nothing_else { config.min.or(Some(1)) } else { config.min };
        if let (Some(min), Some(max)) = (min, config.max)
            && min > max
        {
            let message = format!("`min` of {min} is more than `max` of {max}");
            problems.push(Problem::new("expect.min", message).help("no number of processes would be right"));
        }
        if min == Some(0) && nothing_else {
            let problem = Problem::new("expect.min", "at least 0 processes are always there");
            problems.push(problem.help("write 1 or more, or `max = 0` if there should be none"));
        }
        match question {
            Some(question) if problems.is_empty() => Ok((question, Self { min, max: config.max, restarts })),
            _ => Err(problems),
        }
    }
}

impl Restarts {
    /// Reads `3/10m`.
    fn read(text: &str) -> Result<Self, Problem> {
        let wrong = |message: String| {
            let help = "write a number, a slash and a duration, such as \"3/10m\": at most 3 times in 10 minutes";
            Problem::new("expect.max_restarts", message).help(help)
        };
        let shown = clean(text, 40);
        let (most, within) = text.split_once('/').ok_or_else(|| wrong(format!("`{shown}` has no slash")))?;
        let most = most.trim().parse().ok().filter(|most| *most <= MOST_RESTARTS);
        let most = most.ok_or_else(|| wrong(format!("`{shown}` begins with no number from 0 to {MOST_RESTARTS}")))?;
        let within = Span::parse(within).map_err(|problem| wrong(clean(&problem, 200)))?;
        if !(SHORTEST_MS..=LONGEST_MS).contains(&within.ms()) {
            return Err(wrong(format!("restarts are counted over 1 s to 24 h, not over {within}")));
        }
        Ok(Self { most, within_ms: within.ms() })
    }

    /// The time is too short for a collection interval.
    pub(crate) fn too_short(self, shortest_ms: i64, interval_ms: i64) -> Problem {
        let [within, shortest, interval] = [self.within_ms, shortest_ms, interval_ms].map(Span::from_ms);
        let message = format!("restarts within {within} are under three collection intervals of {interval}");
        Problem::new("expect.max_restarts", message)
            .help(format!("count them over \"{shortest}\" or more, or set a shorter [collect] interval"))
    }
}

/// The question which processes count.
fn processes(text: &str) -> Result<Question, Vec<Problem>> {
    const KEY: &str = "expect.process";
    let condition = watchkeeper_expression::compile(text, &watchkeeper_expression::CatalogueFields, KEY)?;
    let windowed = condition.inputs().iter().any(|input| input.window.is_some());
    let problem = match Question::new(condition) {
        None => Problem::new(KEY, "the condition looks at something that is no metric"),
        Some(question) if question.own() != EntityKind::Process => {
            let (name, own) = (question.name().to_owned(), question.own());
            let message = format!("`{name}` belongs to the {own}, but processes are to be counted");
            Problem::new(KEY, message).help("say which processes count, such as 'process.name == \"postgres\"'")
        }
        Some(_) if windowed => Problem::new(KEY, "processes are counted as they are now, not over a window")
            .help("leave the window out; `for` says how long the expectation must be broken"),
        Some(question) => return Ok(question),
    };
    Err(vec![problem])
}

#[cfg(test)]
mod tests;
