//! What ends an alert that fires: the condition `clear`, written or made from the one that opened it.

use watchkeeper_core::catalogue::Value;
use watchkeeper_core::{EntityKind, Problem};
use watchkeeper_expression::{Bounds, Comparison, Condition, Input, Threshold};

use super::{not_additive, question, with_article};
use crate::question::{Found, Question};

/// How far a number must come back from its threshold where no `clear` is written, as a share of the threshold.
const BACK: f64 = 0.05;

/// When an alert that fires begins to be over.
#[derive(Clone, Debug)]
pub enum Clear {
    /// When its condition does not hold; for words, and for numbers that are equal to something or not.
    Otherwise,
    /// When the number has come back beyond its threshold so far that hovering there is not over.
    Back {
        /// How the number is compared.
        comparison: Comparison,
        /// With what, in the metric's unit.
        threshold: f64,
    },
    /// When the condition that somebody wrote holds.
    Written(Question),
}

impl Clear {
    /// What ends an alert where nobody wrote it: the opposite of its condition, with the threshold moved back by 5 % if
    /// it is one comparison of a number.
    pub(crate) fn made(when: &Condition) -> Self {
        let Some((input, comparison, threshold)) = compared(when) else { return Self::Otherwise };
        let most = input.bounds.most.unwrap_or(f64::INFINITY);
        let lower = threshold - threshold.abs() * BACK;
        // Never beyond what the number can be: half of what is left is kept to come back into.
        let upper = (threshold + threshold.abs() * BACK).min(threshold + (most - threshold) / 2.0);
        // Of things that are counted, a part of one is no distance.
        let (lower, upper) = if input.is_whole { (lower.ceil(), upper.floor()) } else { (lower, upper) };
        let (comparison, threshold) = match comparison {
            Comparison::Greater => (Comparison::LessOrEqual, lower),
            Comparison::GreaterOrEqual => (Comparison::Less, lower),
            Comparison::Less => (Comparison::GreaterOrEqual, upper),
            Comparison::LessOrEqual => (Comparison::Greater, upper),
            Comparison::Equal | Comparison::NotEqual => return Self::Otherwise,
        };
        Self::Back { comparison, threshold }
    }

    /// Reads what somebody wrote for a rule that watches `each` one by one.
    pub(crate) fn read(text: &str, when: &Question, each: EntityKind) -> Result<Self, Vec<Problem>> {
        let (clear, _) = question(text, "clear")?;
        let (own, name) = (clear.own(), clear.name());
        let added_up = each == EntityKind::Program && own == EntityKind::Process;
        let problem = if let Some(name) = not_additive(&clear).filter(|_| added_up) {
            let message = format!("`{name}` cannot be added up over the processes of a program");
            Some(Problem::new("clear", message).help(format!("write a condition on `{}`", when.name())))
        } else if own != each && !added_up {
            let (own, each) = (with_article(own), with_article(each));
            let message = format!("`{name}` belongs to {own}, but the rule watches {each}");
            let help = format!("write a condition on what belongs to {each}, such as `{}`", when.name());
            Some(Problem::new("clear", message).help(help))
        } else {
            contradiction(&when.condition, &clear.condition)
        };
        match problem {
            Some(problem) => Err(vec![problem]),
            None => Ok(Self::Written(clear)),
        }
    }

    /// The condition that somebody wrote.
    pub(crate) fn written(&self) -> Option<&Question> {
        match self {
            Self::Written(question) => Some(question),
            Self::Otherwise | Self::Back { .. } => None,
        }
    }

    /// Whether it holds after what was found of `when`, and of the condition that somebody wrote.
    #[inline]
    pub(crate) fn verdict(&self, when: Found, written: Option<Found>) -> Option<bool> {
        match self {
            Self::Otherwise => when.verdict.map(|holds| !holds),
            Self::Back { comparison, threshold } => {
                let number = when.value.filter(|number| number.is_finite())?;
                let holds = comparison.holds(number, *threshold);
                // A number that may be larger has only come back for certain if it must be larger.
                let upward = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
                (!when.at_least || upward == holds).then_some(holds)
            }
            Self::Written(_) => written?.verdict,
        }
    }
}

/// The number that a condition compares with a value, if it does nothing else.
fn compared(condition: &Condition) -> Option<(&Input, Comparison, f64)> {
    let only = condition.only()?;
    Some((condition.inputs().get(only.input)?, only.comparison, only.threshold.number()?))
}

/// A mistake if one value would make an alert begin and be over, as far as both conditions are one comparison of the
/// same field, or of the same window of it.
fn contradiction(when: &Condition, clear: &Condition) -> Option<Problem> {
    let (one, other) = (when.only()?, clear.only()?);
    let input = when.inputs().get(one.input)?;
    if clear.inputs().get(other.input) != Some(input) {
        return None;
    }
    let name = input.to_string();
    let both = match (&one.threshold, &other.threshold) {
        (Threshold::Number(first), Threshold::Number(second)) => {
            let both = probes(input, *first, *second)
                .into_iter()
                .find(|value| one.comparison.holds(*value, *first) && other.comparison.holds(*value, *second))?;
            input.unit.show(both).to_string()
        }
        (Threshold::Text(first), Threshold::Text(second)) => {
            // A word that neither names stands for all of them.
            let holds =
                |condition: &Condition, word: &str| condition.evaluate(&[Some(Value::Text(word))]) == Some(true);
            let both = [first, second, ""].into_iter().find(|word| holds(when, word) && holds(clear, word))?;
            if both.is_empty() { "another word".to_owned() } else { format!("\"{both}\"") }
        }
        _ => return None,
    };
    let help = match Clear::made(when) {
        Clear::Back { comparison, threshold } => format!(
            "leave it out to clear `{name}` {} {}, or write what does not hold together with `when`",
            comparison.words(),
            input.unit.show(threshold)
        ),
        _ => "leave it out to clear when the condition does not hold".to_owned(),
    };
    let message = format!("`clear` and `when` hold together: `{name}` may be {both}");
    Some(Problem::new("clear", message).help(help))
}

/// Values among which there is one for which both conditions hold, if there is one at all.
fn probes(input: &Input, first: f64, second: f64) -> Vec<f64> {
    let Bounds { least, most } = input.bounds;
    let mut probes = vec![first, second, f64::midpoint(first, second)];
    probes.extend([first, second].into_iter().flat_map(|edge| [beside(edge, -1.0), beside(edge, 1.0)]));
    probes.extend(least.into_iter().chain(most));
    if input.is_whole {
        probes = probes.into_iter().flat_map(|probe| [probe.floor(), probe.ceil()]).collect();
    }
    let possible = |probe: &f64| least.is_none_or(|least| *probe >= least) && most.is_none_or(|most| *probe <= most);
    probes.retain(possible);
    probes
}

/// A number a little to one side of another.
fn beside(edge: f64, side: f64) -> f64 {
    edge + side * edge.abs().max(1.0) * 1e-3
}

#[cfg(test)]
mod tests;
