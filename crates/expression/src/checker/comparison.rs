//! Two parts against each other.

use std::ops::Range;

use crate::condition::{Comparison, Headline, Threshold};
use crate::error::ExpressionError;
use crate::program::{Amount, Place, Truth, Words};
use crate::syntax::{Binary, Syntax};

use super::{Checker, Loose, Part, shown};

impl Checker<'_> {
    /// `left > right` and the like.
    pub(super) fn comparison(
        &mut self,
        syntax: &Syntax,
        operator: Binary,
        operator_range: &Range<usize>,
        left: &Syntax,
        right: &Syntax,
    ) -> Option<Part> {
        let comparison = Comparison::from_operator(operator)?;
        let parts = (self.part(left), self.part(right));
        match (parts.0?, parts.1?) {
            (Part::Loose(_), Part::Loose(_)) => self.two_values(syntax),
            (Part::Number { step: one, measure }, Part::Number { step: other, measure: second }) => {
                if measure.common(second).is_none() {
                    return self.unfit(syntax, (left, measure), (right, second), "be compared");
                }
                self.numbers(syntax, comparison, (left, one), (right, other))
            }
            (Part::Number { step, measure }, Part::Loose(loose)) => {
                let other = self.settle(right, loose, measure, left)?;
                self.numbers(syntax, comparison, (left, step), (right, other))
            }
            (Part::Loose(loose), Part::Number { step, measure }) => {
                let one = self.settle(left, loose, measure, right)?;
                self.numbers(syntax, comparison, (left, one), (right, step))
            }
            (one @ Part::Words(_), other @ (Part::Words(_) | Part::Loose(_)))
            | (one @ Part::Loose(_), other @ Part::Words(_)) => {
                let (name, value) = if matches!(one, Part::Words(_)) { (left, right) } else { (right, left) };
                let equal = match (&one, &other) {
                    (Part::Loose(Loose::Text(_) | Loose::Choice { .. }) | Part::Words(_), Part::Words(_))
                    | (Part::Words(_), Part::Loose(Loose::Text(_) | Loose::Choice { .. })) => {
                        self.equality(comparison, operator_range, &format!("`{}` is text", shown(name)))?
                    }
                    _ => {
                        let message = format!("`{}` is text; `{}` is not", shown(name), shown(value));
                        let help = format!("write \"{}\"", shown(value));
                        return self.wrong(ExpressionError::new(value.range.clone(), message).help(help));
                    }
                };
                let (one, other) = (self.words(left, one), self.words(right, other));
                self.same_words(syntax, equal, (left, one?), (right, other?))
            }
            (Part::Truth(one), Part::Truth(other)) => {
                let what = format!("`{}` is a condition", shown(left));
                let equal = self.equality(comparison, operator_range, &what)?;
                Some(self.step(Truth::Equivalent { equal, left: one, right: other }))
            }
            (Part::Truth(_), Part::Loose(Loose::Truth(_))) | (Part::Loose(Loose::Truth(_)), Part::Truth(_)) => {
                let message = "a condition is not compared with `true` or `false`";
                let help = "write the condition alone, or with `!` before it";
                self.wrong(ExpressionError::new(syntax.range.clone(), message).help(help))
            }
            (one, other) => {
                let (what, second) = (named(&one), named(&other));
                let message =
                    format!("`{}` is {what}, `{}` is {second}; they cannot be compared", shown(left), shown(right));
                self.wrong(ExpressionError::new(syntax.range.clone(), message))
            }
        }
    }

    /// Whether things that have no order are to be the same or not.
    fn equality(&mut self, comparison: Comparison, operator_range: &Range<usize>, what: &str) -> Option<bool> {
        match comparison {
            Comparison::Equal => Some(true),
            Comparison::NotEqual => Some(false),
            _ => {
                let message = format!("{what}; it can be compared with `==` and `!=` only");
                self.wrong(ExpressionError::new(operator_range.clone(), message))
            }
        }
    }

    pub(super) fn two_values<T>(&mut self, syntax: &Syntax) -> Option<T> {
        let help = format!("write it like {}", self.fields.example());
        let message = "this compares two values; one side has to be a field";
        self.wrong(ExpressionError::new(syntax.range.clone(), message).help(help))
    }

    fn numbers(
        &mut self,
        syntax: &Syntax,
        comparison: Comparison,
        (left_syntax, left): (&Syntax, Amount),
        (right_syntax, right): (&Syntax, Amount),
    ) -> Option<Part> {
        let step = match (left, right) {
            (Amount::Constant(_), Amount::Constant(_)) => return self.two_values(syntax),
            (Amount::Input(input), Amount::Constant(threshold)) => {
                self.threshold(right_syntax, input, comparison, threshold)?
            }
            (Amount::Constant(threshold), Amount::Input(input)) => {
                self.threshold(left_syntax, input, comparison.flipped(), threshold)?
            }
            (left, right) => {
                let (left, right) = (self.program.amount(left), self.program.amount(right));
                Truth::Numbers { comparison, left, right }
            }
        };
        Some(self.step(step))
    }

    /// A field against a number.
    fn threshold(&mut self, value: &Syntax, input: Place, comparison: Comparison, threshold: f64) -> Option<Truth> {
        self.within_bounds(value, input, comparison, threshold)?;
        self.remember(input, comparison, Threshold::Number(threshold));
        Some(Truth::Threshold { input, comparison, threshold })
    }

    fn same_words(
        &mut self,
        syntax: &Syntax,
        equal: bool,
        (left_syntax, left): (&Syntax, Words),
        (right_syntax, right): (&Syntax, Words),
    ) -> Option<Part> {
        match (&left, &right) {
            (Words::Constant(_), Words::Constant(_)) => return self.two_values(syntax),
            (Words::Input(input), Words::Constant(text)) => self.word(right_syntax, *input, equal, text)?,
            (Words::Constant(text), Words::Input(input)) => self.word(left_syntax, *input, equal, text)?,
            _ => {}
        }
        let (left, right) = (self.program.words(left), self.program.words(right));
        Some(self.step(Truth::SameWords { equal, left, right }))
    }

    /// A field against words.
    fn word(&mut self, value: &Syntax, input: Place, equal: bool, text: &str) -> Option<()> {
        self.possible_word(value, input, text)?;
        let comparison = if equal { Comparison::Equal } else { Comparison::NotEqual };
        self.remember(input, comparison, Threshold::Text(text.to_owned()));
        Some(())
    }

    /// Refuses words that a field never is.
    pub(super) fn possible_word(&mut self, value: &Syntax, input: Place, text: &str) -> Option<()> {
        let words = &self.words[usize::from(input)];
        if words.is_empty() || words.contains(&text) {
            return Some(());
        }
        let message = format!(
            "`{}` is never \"{}\"",
            self.inputs[usize::from(input)].name,
            watchkeeper_core::text::clean(text, 40)
        );
        let help = format!("it is one of {}", words.join(", "));
        self.wrong(ExpressionError::new(value.range.clone(), message).help(help))
    }

    fn remember(&mut self, input: Place, comparison: Comparison, threshold: Threshold) {
        let comparison = if self.negated { comparison.negated() } else { comparison };
        self.headlines.push(Headline { input: usize::from(input), comparison, threshold });
    }

    /// Refuses a comparison whose answer the limits of the field already give.
    pub(super) fn within_bounds(
        &mut self,
        value: &Syntax,
        input: Place,
        comparison: Comparison,
        threshold: f64,
    ) -> Option<()> {
        let input = &self.inputs[usize::from(input)];
        let least = input.bounds.least.unwrap_or(f64::NEG_INFINITY);
        let most = input.bounds.most.unwrap_or(f64::INFINITY);
        let (never, always) = match comparison {
            Comparison::Equal => (threshold < least || threshold > most, false),
            Comparison::NotEqual => (false, threshold < least || threshold > most),
            Comparison::Less => (threshold <= least, threshold > most),
            Comparison::LessOrEqual => (threshold < least, threshold >= most),
            Comparison::Greater => (threshold >= most, threshold < least),
            Comparison::GreaterOrEqual => (threshold > most, threshold <= least),
        };
        let how_often = match (never, always) {
            (false, false) => return Some(()),
            (true, _) => "never",
            (_, true) => "always",
        };
        let unit = input.unit;
        let (words, shown) = (comparison.words(), unit.show(threshold));
        let error = ExpressionError::new(value.range.clone(), format!("`{input}` is {how_often} {words} {shown}"));
        let shown = |limit: Option<f64>| limit.map(|limit| unit.show(limit).to_string());
        let error = match (shown(input.bounds.least), shown(input.bounds.most)) {
            (Some(least), Some(most)) => error.help(format!("it is between {least} and {most}")),
            (Some(least), None) => error.help(format!("it is never below {least}")),
            (None, Some(most)) => error.help(format!("it is never above {most}")),
            (None, None) => error,
        };
        self.wrong(error)
    }
}

fn named(part: &Part) -> &'static str {
    match part {
        Part::Truth(_) | Part::Loose(Loose::Truth(_)) => "a condition",
        Part::Number { .. } | Part::Loose(Loose::Number(_)) => "a number",
        Part::Words(_) | Part::Loose(Loose::Text(_)) => "text",
        Part::Loose(Loose::Choice { .. }) => "a value",
    }
}
