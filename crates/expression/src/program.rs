//! Conditions as small programs: flat lists of steps that name each other by index, evaluated without allocation.
//!
//! Truth has three values, as in Kleene's logic; numbers have one more, not-a-number, which stands for unknown.

use regex::Regex;
use watchkeeper_core::catalogue::Value;

use crate::condition::Comparison;

/// The place of a step in its list.
pub(crate) type Place = u16;

/// What is known of the inputs.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) values: &'a [Option<Value<'a>>],
    /// Inputs whose real number is as large as the value or larger; no entry is `false`.
    pub(crate) at_least: &'a [bool],
}

/// A step that holds, does not hold, or is unknown.
#[derive(Clone, Debug)]
pub(crate) enum Truth {
    Constant(bool),
    /// One input against one number: what most conditions are, in one step.
    Threshold {
        input: Place,
        comparison: Comparison,
        threshold: f64,
    },
    Numbers {
        comparison: Comparison,
        left: Place,
        right: Place,
    },
    SameWords {
        equal: bool,
        left: Place,
        right: Place,
    },
    Equivalent {
        equal: bool,
        left: Place,
        right: Place,
    },
    NumberAmong {
        of: Place,
        numbers: Box<[f64]>,
    },
    WordsAmong {
        of: Place,
        words: Box<[String]>,
    },
    Search {
        search: Search,
        target: Place,
        wanted: Place,
    },
    Matches {
        target: Place,
        pattern: Regex,
    },
    Not(Place),
    And(Place, Place),
    Or(Place, Place),
    Choice {
        condition: Place,
        yes: Place,
        no: Place,
    },
}

/// A step that is a number; not-a-number is unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Amount {
    Constant(f64),
    Input(Place),
    Negated(Place),
    Of { operation: Operation, left: Place, right: Place },
    Choice { condition: Place, yes: Place, no: Place },
}

/// A step that is text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Words {
    Constant(String),
    Input(Place),
    Choice { condition: Place, yes: Place, no: Place },
}

/// What is looked for in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    StartsWith,
    EndsWith,
    Contains,
}

/// What is done with two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operation {
    /// The result; not-a-number where there is none that is finite.
    pub(crate) fn apply(self, left: f64, right: f64) -> f64 {
        let result = match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        };
        if result.is_finite() { result } else { f64::NAN }
    }
}

/// The steps of a condition. Steps only name steps that stand before them, so every walk ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) truths: Vec<Truth>,
    pub(crate) amounts: Vec<Amount>,
    pub(crate) words: Vec<Words>,
}

impl Program {
    pub(crate) fn truth(&mut self, step: Truth) -> Place {
        push(&mut self.truths, step)
    }

    pub(crate) fn amount(&mut self, step: Amount) -> Place {
        push(&mut self.amounts, step)
    }

    pub(crate) fn words(&mut self, step: Words) -> Place {
        push(&mut self.words, step)
    }

    /// Whether the last step holds; `None` is unknown.
    #[inline]
    pub(crate) fn run(&self, known: Known<'_>) -> Option<bool> {
        self.holds(self.truths.last()?, known)
    }

    /// Whether it compares once and does nothing else.
    pub(crate) fn is_one_comparison(&self) -> bool {
        matches!(self.truths.as_slice(), [Truth::Threshold { .. } | Truth::SameWords { .. }])
    }

    fn holds(&self, step: &Truth, known: Known<'_>) -> Option<bool> {
        match step {
            Truth::Threshold { input, comparison, threshold } => known.against(*input, *comparison, *threshold),
            Truth::Constant(truth) => Some(*truth),
            Truth::Numbers { comparison, left, right } => {
                let (left, right) = (self.number(*left, known)?, self.number(*right, known)?);
                Some(comparison.holds(left, right))
            }
            Truth::SameWords { equal, left, right } => {
                Some((self.text(*left, known)? == self.text(*right, known)?) == *equal)
            }
            Truth::Equivalent { equal, left, right } => {
                Some((self.holds_at(*left, known)? == self.holds_at(*right, known)?) == *equal)
            }
            Truth::NumberAmong { of, numbers } => Some(numbers.contains(&self.number(*of, known)?)),
            Truth::WordsAmong { of, words } => {
                let of = self.text(*of, known)?;
                Some(words.iter().any(|word| word == of))
            }
            Truth::Search { search, target, wanted } => {
                let (target, wanted) = (self.text(*target, known)?, self.text(*wanted, known)?);
                Some(match search {
                    Search::StartsWith => target.starts_with(wanted),
                    Search::EndsWith => target.ends_with(wanted),
                    Search::Contains => target.contains(wanted),
                })
            }
            Truth::Matches { target, pattern } => Some(pattern.is_match(self.text(*target, known)?)),
            Truth::Not(operand) => self.holds_at(*operand, known).map(|truth| !truth),
            Truth::And(left, right) => match self.holds_at(*left, known) {
                Some(false) => Some(false),
                left => match self.holds_at(*right, known) {
                    Some(true) => left,
                    other => other,
                },
            },
            Truth::Or(left, right) => match self.holds_at(*left, known) {
                Some(true) => Some(true),
                left => match self.holds_at(*right, known) {
                    Some(false) => left,
                    other => other,
                },
            },
            Truth::Choice { condition, yes, no } => self.holds_at(self.chosen(*condition, *yes, *no, known)?, known),
        }
    }

    fn holds_at(&self, place: Place, known: Known<'_>) -> Option<bool> {
        self.holds(self.truths.get(usize::from(place))?, known)
    }

    fn chosen(&self, condition: Place, yes: Place, no: Place, known: Known<'_>) -> Option<Place> {
        self.holds_at(condition, known).map(|truth| if truth { yes } else { no })
    }

    fn number(&self, place: Place, known: Known<'_>) -> Option<f64> {
        Some(self.measure(place, known)).filter(|number| !number.is_nan())
    }

    fn measure(&self, place: Place, known: Known<'_>) -> f64 {
        match self.amounts.get(usize::from(place)) {
            Some(Amount::Constant(number)) => *number,
            Some(Amount::Input(input)) => known.number(*input).unwrap_or(f64::NAN),
            Some(Amount::Negated(operand)) => -self.measure(*operand, known),
            Some(Amount::Of { operation, left, right }) => {
                operation.apply(self.measure(*left, known), self.measure(*right, known))
            }
            Some(Amount::Choice { condition, yes, no }) => match self.chosen(*condition, *yes, *no, known) {
                Some(chosen) => self.measure(chosen, known),
                None => f64::NAN,
            },
            None => f64::NAN,
        }
    }

    fn text<'a>(&'a self, place: Place, known: Known<'a>) -> Option<&'a str> {
        match self.words.get(usize::from(place))? {
            Words::Constant(text) => Some(text),
            Words::Input(input) => known.text(*input),
            Words::Choice { condition, yes, no } => self.text(self.chosen(*condition, *yes, *no, known)?, known),
        }
    }
}

impl<'a> Known<'a> {
    fn value(self, input: Place) -> Option<Value<'a>> {
        self.values.get(usize::from(input)).copied().flatten()
    }

    fn is_at_least(self, input: Place) -> bool {
        self.at_least.get(usize::from(input)) == Some(&true)
    }

    fn number(self, input: Place) -> Option<f64> {
        let number = self.value(input)?.number().filter(|number| number.is_finite())?;
        (!self.is_at_least(input)).then_some(number)
    }

    fn text(self, input: Place) -> Option<&'a str> {
        match self.value(input)? {
            Value::Text(text) => Some(text),
            Value::Number(_) => None,
        }
    }

    /// One comparison; of a number that may be larger only what stays so however large it is.
    #[inline]
    fn against(self, input: Place, comparison: Comparison, threshold: f64) -> Option<bool> {
        let number = self.value(input)?.number().filter(|number| number.is_finite())?;
        let holds = comparison.holds(number, threshold);
        let settled = !self.is_at_least(input)
            || match comparison {
                Comparison::Greater | Comparison::GreaterOrEqual => holds,
                Comparison::Less | Comparison::LessOrEqual => !holds,
                Comparison::Equal | Comparison::NotEqual => number > threshold,
            };
        settled.then_some(holds)
    }
}

fn push<T>(steps: &mut Vec<T>, step: T) -> Place {
    steps.push(step);
    // A text has fewer bytes than places can be counted, and every step comes from a byte of its own or two.
    (steps.len() - 1) as Place
}

#[cfg(test)]
mod tests;
