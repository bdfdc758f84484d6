//! A condition that was checked, ready to be evaluated.

use std::fmt;

use watchkeeper_core::catalogue::Value;
use watchkeeper_core::{EntityKind, Unit};

use crate::syntax::Binary;

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

/// One comparison of a field with a value, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub(crate) text: String,
    pub(crate) field: String,
    pub(crate) unit: Unit,
    pub(crate) entity: Option<EntityKind>,
    pub(crate) comparison: Comparison,
    pub(crate) threshold: Threshold,
}

impl Condition {
    /// Name of the field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Unit of the field and of the threshold.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The kind of entity the field belongs to, if it belongs to one.
    pub fn entity(&self) -> Option<EntityKind> {
        self.entity
    }

    /// How they are compared, with the field on the left.
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// What the field is compared with.
    pub fn threshold(&self) -> &Threshold {
        &self.threshold
    }

    /// Whether it holds for this value of the field. `None`, unknown, for a value that is missing, not finite or of
    /// the wrong type.
    #[inline]
    pub fn evaluate(&self, value: Option<Value<'_>>) -> Option<bool> {
        match (value?, &self.threshold) {
            (Value::Number(value), Threshold::Number(threshold)) => {
                value.is_finite().then(|| self.comparison.holds(value, *threshold))
            }
            (Value::Text(value), Threshold::Text(threshold)) => match self.comparison {
                Comparison::Equal => Some(value == threshold),
                Comparison::NotEqual => Some(value != threshold),
                _ => None,
            },
            _ => None,
        }
    }
}

impl fmt::Display for Condition {
    /// The text as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
