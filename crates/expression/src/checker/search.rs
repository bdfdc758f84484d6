//! What a text or a number is looked for in: lists, and the methods of texts.

use regex::{Regex, RegexBuilder};

use crate::condition::Comparison;
use crate::error::ExpressionError;
use crate::measure::Measure;
use crate::program::{Amount, Search, Truth, Words};
use crate::syntax::{Literal, Node, Syntax, Unary, Word};

use super::names::most_like;
use super::window::Form;
use super::{Checker, Loose, Part, shown};

/// Methods of texts.
pub(super) const METHODS: [&str; 4] = ["startsWith", "endsWith", "contains", "matches"];

/// Largest compiled pattern in bytes; `\w` alone takes some ten thousand.
const PATTERN_BYTES: usize = 262_144;

impl Checker<'_> {
    /// `left in [a, b]`
    pub(super) fn among(&mut self, left: &Syntax, right: &Syntax) -> Option<Part> {
        let part = self.part(left);
        let Node::List(items) = &right.node else {
            let error = ExpressionError::new(right.range.clone(), "a list has to follow `in`");
            return self.wrong(error.help("write it in brackets, such as [\"D\", \"Z\"]"));
        };
        if items.is_empty() {
            return self.wrong(ExpressionError::new(right.range.clone(), "nothing is in an empty list"));
        }
        match part? {
            Part::Number { step, measure } => {
                let numbers: Vec<Option<f64>> =
                    items.iter().map(|item| self.listed_number(item, left, &step, measure)).collect();
                let numbers = numbers.into_iter().collect::<Option<_>>()?;
                let of = self.program.amount(step);
                Some(self.step(Truth::NumberAmong { of, numbers }))
            }
            Part::Words(step) => {
                let words: Vec<Option<String>> = items.iter().map(|item| self.listed_word(item, left, &step)).collect();
                let words = words.into_iter().collect::<Option<_>>()?;
                let of = self.program.words(step);
                Some(self.step(Truth::WordsAmong { of, words }))
            }
            Part::Truth(_) => {
                let message = format!("`{}` is a condition; only text and numbers stand in lists", shown(left));
                self.wrong(ExpressionError::new(left.range.clone(), message))
            }
            Part::Loose(_) => {
                let message = format!("`{}` is a value; a field has to stand before `in`", shown(left));
                self.wrong(ExpressionError::new(left.range.clone(), message))
            }
        }
    }

    fn listed_number(&mut self, item: &Syntax, left: &Syntax, step: &Amount, measure: Measure) -> Option<f64> {
        let loose = self.listed(item)?;
        let Amount::Constant(number) = self.settle(item, loose, measure, left)? else { return None };
        if let Amount::Input(input) = step {
            self.within_bounds(item, *input, Comparison::Equal, number)?;
        }
        Some(number)
    }

    fn listed_word(&mut self, item: &Syntax, left: &Syntax, step: &Words) -> Option<String> {
        let Loose::Text(text) = self.listed(item)? else {
            let message = format!("`{}` is text; `{}` is not", shown(left), shown(item));
            let help = format!("write \"{}\"", shown(item));
            return self.wrong(ExpressionError::new(item.range.clone(), message).help(help));
        };
        if let Words::Input(input) = step {
            self.possible_word(item, *input, &text)?;
        }
        Some(text)
    }

    /// An item of a list as it is written.
    fn listed(&mut self, item: &Syntax) -> Option<Loose> {
        match &item.node {
            Node::Literal(Literal::Number(number)) => return Some(Loose::Number(*number)),
            Node::Literal(Literal::Text(text)) => return Some(Loose::Text(text.clone())),
            Node::Literal(Literal::Boolean(truth)) => return Some(Loose::Truth(*truth)),
            Node::Unary { operator: Unary::Negate, operand } => {
                if let Node::Literal(Literal::Number(number)) = operand.node {
                    return Some(Loose::Number(-number));
                }
            }
            _ => {}
        }
        let message = format!("`{}` is no value; only values stand in lists", shown(item));
        self.wrong(ExpressionError::new(item.range.clone(), message))
    }

    /// `target.startsWith("x")` and the like.
    pub(super) fn method(&mut self, target: &Syntax, method: &Word, arguments: &[Syntax]) -> Option<Part> {
        let part = self.part(target);
        let wanted: Vec<Option<Part>> = arguments.iter().map(|argument| self.part(argument)).collect();
        if !METHODS.contains(&method.text.as_str()) {
            let error = ExpressionError::new(method.range.clone(), format!("there is no method `{}`", method.text));
            if let Some(form) = Form::of(&method.text) {
                let written = form.written(&shown(target));
                return self.wrong(error.help(format!("write the function before the field: {written}")));
            }
            return self.wrong(match most_like(&method.text, METHODS.into_iter()) {
                Some(known) => error.help(format!("did you mean `{known}`?")),
                None => error.help(format!("there are {}", METHODS.join(", "))),
            });
        }
        let ([argument], Ok([wanted])) = (arguments, <[Option<Part>; 1]>::try_from(wanted)) else {
            let error = ExpressionError::new(method.range.clone(), format!("`{}` takes one text", method.text));
            return self.wrong(error.help(format!("write it like field.{}(\"...\")", method.text)));
        };
        let (target_words, wanted) = (self.words(target, part?), self.words(argument, wanted?));
        let (target_words, wanted) = (target_words?, wanted?);
        if let Words::Constant(text) = &wanted {
            if matches!(target_words, Words::Constant(_)) {
                let message = format!("`{}` is a value; a field has to stand here", shown(target));
                return self.wrong(ExpressionError::new(target.range.clone(), message));
            }
            if text.is_empty() {
                let message = "every text has the empty text in it";
                return self.wrong(ExpressionError::new(argument.range.clone(), message));
            }
        }
        let search = match method.text.as_str() {
            "startsWith" => Search::StartsWith,
            "endsWith" => Search::EndsWith,
            "contains" => Search::Contains,
            _ => {
                let pattern = self.pattern(argument, &wanted)?;
                let target = self.program.words(target_words);
                return Some(self.step(Truth::Matches { target, pattern }));
            }
        };
        let (target, wanted) = (self.program.words(target_words), self.program.words(wanted));
        Some(self.step(Truth::Search { search, target, wanted }))
    }

    fn pattern(&mut self, argument: &Syntax, wanted: &Words) -> Option<Regex> {
        let Words::Constant(pattern) = wanted else {
            let message = "a pattern has to be written in quotes";
            return self.wrong(ExpressionError::new(argument.range.clone(), message));
        };
        let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
        match built {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let why = match error {
                    regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                    error => {
                        let told = error.to_string();
                        let last = told.lines().last().unwrap_or_default();
                        watchkeeper_core::text::clean(last.strip_prefix("error: ").unwrap_or(last), 120)
                    }
                };
                self.wrong(ExpressionError::new(argument.range.clone(), format!("this is no pattern: {why}")))
            }
        }
    }

    /// A part that has to be text.
    pub(super) fn words(&mut self, syntax: &Syntax, part: Part) -> Option<Words> {
        let what = match part {
            Part::Words(step) => return Some(step),
            Part::Loose(Loose::Text(text)) => return Some(Words::Constant(text)),
            Part::Loose(Loose::Choice { condition, yes, no }) => {
                let Node::Conditional { yes: yes_syntax, no: no_syntax, .. } = &syntax.node else { return None };
                let (yes, no) = (self.words(yes_syntax, Part::Loose(*yes)), self.words(no_syntax, Part::Loose(*no)));
                let (yes, no) = (self.program.words(yes?), self.program.words(no?));
                return Some(Words::Choice { condition, yes, no });
            }
            Part::Number { .. } | Part::Loose(Loose::Number(_)) => "a number",
            Part::Truth(_) | Part::Loose(Loose::Truth(_)) => "a condition",
        };
        self.wrong(ExpressionError::new(syntax.range.clone(), format!("`{}` is {what}, not text", shown(syntax))))
    }
}
