//! What ends an alert that fires: the condition `clear`, written or made from the one that opened it.

use watchkeeper_core::catalogue::{self, Metric, Value};
use watchkeeper_core::{EntityKind, Problem, Unit};
use watchkeeper_expression::{Bounds, CatalogueFields, Comparison, Condition, Fields, Threshold};

use super::{is_additive, with_article};

/// How far a number must come back from its threshold where no `clear` is written, as a share of the threshold.
const BACK: f64 = 0.05;

/// When an alert that fires begins to be over.
#[derive(Clone, Debug)]
pub enum Clear {
    /// When its condition does not hold; for words, and for numbers that are equal to something or not.
    Otherwise(Condition),
    /// When the number has come back beyond its threshold so far that hovering there is not over.
    Back {
        /// How the number is compared.
        comparison: Comparison,
        /// With what, in the metric's unit.
        threshold: f64,
    },
    /// When the condition that somebody wrote holds.
    Written {
        /// The condition.
        condition: Condition,
        /// Its metric, if that is not the one of `when`.
        other: Option<&'static Metric>,
    },
}

impl Clear {
    /// What ends an alert where nobody wrote it: the opposite of its condition, with the threshold moved back by 5 %.
    pub(crate) fn made(when: &Condition) -> Self {
        let Threshold::Number(threshold) = *when.threshold() else { return Self::Otherwise(when.clone()) };
        let most = bounds(when).most.unwrap_or(f64::INFINITY);
        let whole = when.unit() == Unit::Count;
        let lower = threshold - threshold.abs() * BACK;
        // Never beyond what the number can be: half of what is left is kept to come back into.
        let upper = (threshold + threshold.abs() * BACK).min(threshold + (most - threshold) / 2.0);
        // Of things that are counted, a part of one is no distance.
        let (lower, upper) = if whole { (lower.ceil(), upper.floor()) } else { (lower, upper) };
        let (comparison, threshold) = match when.comparison() {
            Comparison::Greater => (Comparison::LessOrEqual, lower),
            Comparison::GreaterOrEqual => (Comparison::Less, lower),
            Comparison::Less => (Comparison::GreaterOrEqual, upper),
            Comparison::LessOrEqual => (Comparison::Greater, upper),
            Comparison::Equal | Comparison::NotEqual => return Self::Otherwise(when.clone()),
        };
        Self::Back { comparison, threshold }
    }

    /// Reads what somebody wrote for a rule that watches `each` one by one.
    pub(crate) fn read(text: &str, when: &Condition, each: EntityKind) -> Result<Self, Vec<Problem>> {
        let condition = watchkeeper_expression::compile(text, &CatalogueFields, "clear")?;
        let name = condition.field();
        let Some(metric) = catalogue::metric(name) else {
            return Err(vec![Problem::new("clear", format!("there is no metric `{name}`"))]);
        };
        let own = metric.entity_kind();
        let added_up = each == EntityKind::Program && own == EntityKind::Process;
        let problem = if added_up && !is_additive(metric) {
            let message = format!("`{name}` cannot be added up over the processes of a program");
            Some(Problem::new("clear", message).help(format!("write a condition on `{}`", when.field())))
        } else if own != each && !added_up {
            let (own, each) = (with_article(own), with_article(each));
            let message = format!("`{name}` belongs to {own}, but the rule watches {each}");
            let help = format!("write a condition on what belongs to {each}, such as `{}`", when.field());
            Some(Problem::new("clear", message).help(help))
        } else {
            contradiction(when, &condition)
        };
        match problem {
            Some(problem) => Err(vec![problem]),
            None => Ok(Self::Written { other: (name != when.field()).then_some(metric), condition }),
        }
    }

    /// The metric it looks at, if that is not the one of `when`.
    pub fn other(&self) -> Option<&'static Metric> {
        match self {
            Self::Written { other, .. } => *other,
            Self::Otherwise(_) | Self::Back { .. } => None,
        }
    }

    /// How a number is compared, where a part of it could already settle the answer.
    pub fn comparison(&self) -> Comparison {
        match self {
            Self::Otherwise(_) => Comparison::Equal,
            Self::Back { comparison, .. } => *comparison,
            Self::Written { condition, .. } => condition.comparison(),
        }
    }

    /// Whether it holds for this value; `None`, unknown, for a value that is missing, not finite or of the wrong type.
    #[inline]
    pub fn evaluate(&self, value: Option<Value<'_>>) -> Option<bool> {
        match self {
            Self::Otherwise(condition) => condition.evaluate(value).map(|holds| !holds),
            Self::Back { comparison, threshold } => {
                let number = value?.number().filter(|number| number.is_finite())?;
                Some(comparison.holds(number, *threshold))
            }
            Self::Written { condition, .. } => condition.evaluate(value),
        }
    }
}

/// A mistake if one value would make an alert begin and be over.
fn contradiction(when: &Condition, clear: &Condition) -> Option<Problem> {
    if when.field() != clear.field() {
        return None;
    }
    let name = when.field();
    let both = match (when.threshold(), clear.threshold()) {
        (Threshold::Number(first), Threshold::Number(second)) => {
            let both = probes(when, *first, *second)
                .into_iter()
                .find(|value| when.comparison().holds(*value, *first) && clear.comparison().holds(*value, *second))?;
            when.unit().show(both).to_string()
        }
        (Threshold::Text(first), Threshold::Text(second)) => {
            // A word that neither names stands for all of them.
            let holds = |condition: &Condition, word: &str| condition.evaluate(Some(Value::Text(word))) == Some(true);
            let both = [first, second, ""].into_iter().find(|word| holds(when, word) && holds(clear, word))?;
            if both.is_empty() { "another word".to_owned() } else { format!("\"{both}\"") }
        }
        _ => return None,
    };
    let help = match Clear::made(when) {
        Clear::Back { comparison, threshold } => format!(
            "leave it out to clear `{name}` {} {}, or write what does not hold together with `when`",
            comparison.words(),
            when.unit().show(threshold)
        ),
        _ => "leave it out to clear when the condition does not hold".to_owned(),
    };
    let message = format!("`clear` and `when` hold together: `{name}` may be {both}");
    Some(Problem::new("clear", message).help(help))
}

/// Values among which there is one for which both conditions hold, if there is one at all.
fn probes(condition: &Condition, first: f64, second: f64) -> Vec<f64> {
    let Bounds { least, most } = bounds(condition);
    let mut probes = vec![first, second, f64::midpoint(first, second)];
    probes.extend([first, second].into_iter().flat_map(|edge| [beside(edge, -1.0), beside(edge, 1.0)]));
    probes.extend(least.into_iter().chain(most));
    if condition.unit() == Unit::Count {
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

fn bounds(condition: &Condition) -> Bounds {
    CatalogueFields.field(condition.field()).map(|field| field.bounds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
