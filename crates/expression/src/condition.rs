//! A condition that was checked, ready to be evaluated.

use std::fmt;

use watchkeeper_core::catalogue::Value;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{EntityKind, Unit};

use crate::field::Bounds;
use crate::program::{Known, Program};
use crate::syntax::Binary;
use crate::window::{Function, Window};

/// How a field is compared, with the field on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the symbols stand in `symbol`")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// As it is said of a value and its threshold.
    pub fn words(self) -> &'static str {
        match self {
            Self::Equal => "equal to",
            Self::NotEqual => "other than",
            Self::Less => "below",
            Self::LessOrEqual => "at or below",
            Self::Greater => "above",
            Self::GreaterOrEqual => "at or above",
        }
    }

    pub(crate) fn from_operator(operator: Binary) -> Option<Self> {
        Some(match operator {
            Binary::Equal => Self::Equal,
            Binary::NotEqual => Self::NotEqual,
            Binary::Less => Self::Less,
            Binary::LessOrEqual => Self::LessOrEqual,
            Binary::Greater => Self::Greater,
            Binary::GreaterOrEqual => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// The same with the sides exchanged.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// What holds where this does not.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }

    /// Whether it holds between two numbers.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Equal => value == threshold,
            Self::NotEqual => value != threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
        }
    }
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Threshold {
    /// A number in the field's unit.
    Number(f64),
    /// Words.
    Text(String),
}

impl Threshold {
    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

/// A field that a condition looks at, as it is now or over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Name of the field.
    pub name: String,
    /// Unit of the value that the condition is given: of the field, or of what the window function makes of it;
    /// [`Unit::Text`] for words.
    pub unit: Unit,
    /// The kind of entity it belongs to, if it belongs to one.
    pub entity: Option<EntityKind>,
    /// What is made of its values over time; `None`: the value now.
    pub window: Option<Window>,
    /// What the value that the condition is given can be at the least and at the most; a prediction can be anything.
    pub bounds: Bounds,
    /// Whether that value is always a whole number: a count, not the mean of counts.
    pub is_whole: bool,
}

impl fmt::Display for Input {
    /// As it is written in a rule: `system.cpu.utilization`, `avg(system.cpu.utilization, "5m")`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        let Some(Window { function, length_ms }) = self.window else { return f.write_str(name) };
        write!(f, "{}({name}, \"{}\"", function.word(), Span::from_ms(length_ms))?;
        match function {
            Function::Quantile(share) => write!(f, ", {share})"),
            Function::Predict { horizon_ms } => write!(f, ", \"{}\")", Span::from_ms(horizon_ms)),
            _ => f.write_str(")"),
        }
    }
}

/// The comparison that people are shown: a field, what it is compared with, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// Index of the field in [`Condition::inputs`].
    pub input: usize,
    /// How they are compared, with the field on the left.
    pub comparison: Comparison,
    /// What the field is compared with, in its unit.
    pub threshold: Threshold,
}

/// An expression that was checked.
#[derive(Clone, Debug)]
pub struct Condition {
    pub(crate) text: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) entity: Option<EntityKind>,
    pub(crate) headline: Option<Headline>,
    pub(crate) program: Program,
}

impl Condition {
    /// The fields it looks at, each once, in the order of the text. Never empty.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The kind of entity it is about: the one of its fields that is not the host, else the host; `None` if its fields
    /// belong to no entity.
    pub fn entity(&self) -> Option<EntityKind> {
        self.entity
    }

    /// The first comparison of a field with a value. One on the condition's own entity comes before one on the host, and
    /// there one of a number before one of words. `None` if there is no such comparison.
    pub fn headline(&self) -> Option<&Headline> {
        self.headline.as_ref()
    }

    /// The headline, if the condition is that comparison and nothing else.
    pub fn only(&self) -> Option<&Headline> {
        self.headline.as_ref().filter(|_| self.program.is_one_comparison())
    }

    /// Whether it holds for these values of its inputs. `None`, unknown, where it hangs on a value that is missing, not
    /// finite or of the wrong type, or on a result that is not finite.
    #[inline]
    pub fn evaluate(&self, values: &[Option<Value<'_>>]) -> Option<bool> {
        self.program.run(Known { values, at_least: &[] })
    }

    /// The same where the real number of some inputs is as large as the value given here or larger: those where
    /// `at_least` is true. What hangs on how much larger it is, is unknown.
    pub fn evaluate_at_least(&self, values: &[Option<Value<'_>>], at_least: &[bool]) -> Option<bool> {
        self.program.run(Known { values, at_least })
    }
}

impl fmt::Display for Condition {
    /// The text as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
