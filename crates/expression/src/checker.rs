//! Trees to conditions: names, types, units and limits.

mod arithmetic;
mod comparison;
mod names;
mod search;
mod window;

use std::ops::Range;

use watchkeeper_core::{EntityKind, Problem, Unit};

use crate::condition::{Condition, Headline, Input, Threshold};
use crate::error::ExpressionError;
use crate::field::{Field, Fields};
use crate::measure::Measure;
use crate::parser::parse;
use crate::program::{Amount, Place, Program, Truth, Words};
use crate::syntax::{Binary, Expression, Literal, Node, Syntax, Unary};

/// Checks an expression against the fields that exist.
///
/// # Errors
/// All mistakes, in the order of the text.
pub fn check(expression: &Expression, fields: &dyn Fields) -> Result<Condition, Vec<ExpressionError>> {
    let mut checker = Checker::new(fields);
    let root = checker.truth(&expression.root);
    if let (None, Node::Literal(Literal::Boolean(_)), [error]) =
        (&root, &expression.root.node, checker.errors.as_mut_slice())
    {
        // Nothing would be left.
        error.help = Some(format!("write a condition on a field, such as {}", fields.example()));
    }
    if root.is_none() || !checker.errors.is_empty() {
        checker.errors.sort_by_key(|error| error.range.start);
        return Err(checker.errors);
    }
    let entity = checker.entity();
    Ok(Condition {
        text: expression.text.clone(),
        headline: checker.headline(entity),
        inputs: checker.inputs,
        entity,
        program: checker.program,
    })
}

/// Parses and checks a text; mistakes are reported at `key_path`.
///
/// # Errors
/// All mistakes that can be told apart.
pub fn compile(text: &str, fields: &dyn Fields, key_path: &str) -> Result<Condition, Vec<Problem>> {
    let expression = parse(text).map_err(|error| vec![error.problem(key_path)])?;
    check(&expression, fields).map_err(|errors| errors.into_iter().map(|error| error.problem(key_path)).collect())
}

/// What came of a part of the tree.
enum Part {
    /// A condition.
    Truth(Place),
    /// A number of which it is known what it measures.
    Number { step: Amount, measure: Measure },
    /// Text.
    Words(Words),
    /// A value as it is written: what it means depends on what it meets.
    Loose(Loose),
}

/// A value that has met no field yet.
enum Loose {
    Number(f64),
    Text(String),
    Truth(bool),
    Choice { condition: Place, yes: Box<Loose>, no: Box<Loose> },
}

/// The tree so far. A part that is wrong is `None`, with its mistake in `errors`, so that no mistake is told twice.
struct Checker<'a> {
    fields: &'a dyn Fields,
    errors: Vec<ExpressionError>,
    inputs: Vec<Input>,
    /// The only words that each input can be, in their order; none if any, and of numbers.
    words: Vec<Vec<&'static str>>,
    /// The first field that is not the host's, by its index.
    own: Option<(EntityKind, usize)>,
    /// Comparisons of a field with a value, in the order of the text.
    headlines: Vec<Headline>,
    /// Whether an odd number of `!` stands around the part at hand.
    negated: bool,
    program: Program,
}

impl<'a> Checker<'a> {
    fn new(fields: &'a dyn Fields) -> Self {
        Self {
            fields,
            errors: Vec::new(),
            inputs: Vec::new(),
            words: Vec::new(),
            own: None,
            headlines: Vec::new(),
            negated: false,
            program: Program::default(),
        }
    }

    /// Remembers a mistake.
    fn wrong<T>(&mut self, error: ExpressionError) -> Option<T> {
        self.errors.push(error);
        None
    }

    /// A part that has to be a condition.
    fn truth(&mut self, syntax: &Syntax) -> Option<Place> {
        let what = match self.part(syntax)? {
            Part::Truth(place) => return Some(place),
            Part::Loose(Loose::Truth(_)) => {
                let message = format!("`{}` is always the same; a condition needs a field", shown(syntax));
                return self.wrong(ExpressionError::new(syntax.range.clone(), message).help("leave it out"));
            }
            Part::Number { .. } | Part::Loose(Loose::Number(_)) => "a number",
            Part::Words(_) | Part::Loose(Loose::Text(_)) => "text",
            Part::Loose(Loose::Choice { .. }) => "a value",
        };
        let message = format!("`{}` is {what}, not a condition", shown(syntax));
        let help = format!("compare it, such as {}", self.fields.example());
        self.wrong(ExpressionError::new(syntax.range.clone(), message).help(help))
    }

    /// Any part. The height of a tree is bounded by the parser.
    fn part(&mut self, syntax: &Syntax) -> Option<Part> {
        match &syntax.node {
            Node::Literal(Literal::Number(number)) => Some(Part::Loose(Loose::Number(*number))),
            Node::Literal(Literal::Text(text)) => Some(Part::Loose(Loose::Text(text.clone()))),
            Node::Literal(Literal::Boolean(truth)) => Some(Part::Loose(Loose::Truth(*truth))),
            Node::Name(name) => self.field(name, &syntax.range),
            Node::List(_) => {
                let message = "a list can only stand after `in`";
                self.wrong(ExpressionError::new(syntax.range.clone(), message))
            }
            Node::Unary { operator: Unary::Not, operand } => {
                self.negated = !self.negated;
                let operand = self.truth(operand);
                self.negated = !self.negated;
                Some(self.step(Truth::Not(operand?)))
            }
            Node::Unary { operator: Unary::Negate, operand } => self.negate(operand),
            Node::Binary { operator, operator_range, left, right } => match operator {
                Binary::And | Binary::Or => {
                    let (left, right) = (self.truth(left), self.truth(right));
                    let join = if *operator == Binary::And { Truth::And } else { Truth::Or };
                    Some(self.step(join(left?, right?)))
                }
                Binary::In => self.among(left, right),
                Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide => {
                    self.arithmetic(syntax, *operator, left, right)
                }
                _ => self.comparison(syntax, *operator, operator_range, left, right),
            },
            Node::Conditional { condition, yes, no } => self.choice(syntax, condition, yes, no),
            Node::Method { target, method, arguments } => self.method(target, method, arguments),
            Node::Call { function, arguments } => self.call(function, arguments),
        }
    }

    /// `condition ? yes : no`
    fn choice(&mut self, syntax: &Syntax, condition: &Syntax, yes: &Syntax, no: &Syntax) -> Option<Part> {
        let place = self.truth(condition);
        let parts = (self.part(yes), self.part(no));
        let (condition, first, second) = (place?, parts.0?, parts.1?);
        match (first, second) {
            (Part::Loose(Loose::Truth(first)), Part::Loose(Loose::Truth(second))) if first == second => {
                let message = format!("this is always {first}");
                self.wrong(ExpressionError::new(syntax.range.clone(), message).help("leave it out"))
            }
            (
                first @ (Part::Truth(_) | Part::Loose(Loose::Truth(_))),
                second @ (Part::Truth(_) | Part::Loose(Loose::Truth(_))),
            ) => {
                let (yes, no) = (self.settled_truth(&first)?, self.settled_truth(&second)?);
                Some(self.step(Truth::Choice { condition, yes, no }))
            }
            (Part::Number { step: first, measure: one }, Part::Number { step: second, measure: other }) => {
                let Some(measure) = one.common(other) else {
                    return self.unfit(syntax, (yes, one), (no, other), "take the place of each other");
                };
                Some(self.chosen_number(condition, first, second, measure))
            }
            (Part::Number { step, measure }, Part::Loose(loose)) => {
                let other = self.settle(no, loose, measure, yes)?;
                Some(self.chosen_number(condition, step, other, measure))
            }
            (Part::Loose(loose), Part::Number { step, measure }) => {
                let other = self.settle(yes, loose, measure, no)?;
                Some(self.chosen_number(condition, other, step, measure))
            }
            (first @ Part::Words(_), second) | (first, second @ Part::Words(_)) => {
                let (first, second) = (self.words(yes, first), self.words(no, second));
                let (yes, no) = (self.program.words(first?), self.program.words(second?));
                Some(Part::Words(Words::Choice { condition, yes, no }))
            }
            (Part::Loose(first), Part::Loose(second))
                if !matches!((&first, &second), (Loose::Truth(_), _) | (_, Loose::Truth(_))) =>
            {
                Some(Part::Loose(Loose::Choice { condition, yes: Box::new(first), no: Box::new(second) }))
            }
            _ => {
                let message = format!("`{}` and `{}` cannot take the place of each other", shown(yes), shown(no));
                let help = "both sides of `:` are conditions, or both are values";
                self.wrong(ExpressionError::new(syntax.range.clone(), message).help(help))
            }
        }
    }

    fn settled_truth(&mut self, part: &Part) -> Option<Place> {
        match part {
            Part::Truth(place) => Some(*place),
            Part::Loose(Loose::Truth(truth)) => Some(self.program.truth(Truth::Constant(*truth))),
            _ => None,
        }
    }

    fn chosen_number(&mut self, condition: Place, yes: Amount, no: Amount, measure: Measure) -> Part {
        let (yes, no) = (self.program.amount(yes), self.program.amount(no));
        Part::Number { step: Amount::Choice { condition, yes, no }, measure }
    }

    fn step(&mut self, step: Truth) -> Part {
        Part::Truth(self.program.truth(step))
    }

    fn unfit<T>(
        &mut self,
        syntax: &Syntax,
        (left, one): (&Syntax, Measure),
        (right, other): (&Syntax, Measure),
        what: &str,
    ) -> Option<T> {
        let (left, right, one, other) = (shown(left), shown(right), one.words(), other.words());
        let message = format!("`{left}` is {one}, `{right}` is {other}; they cannot {what}");
        self.wrong(ExpressionError::new(syntax.range.clone(), message))
    }

    /// The kind of entity of the whole condition.
    fn entity(&self) -> Option<EntityKind> {
        self.own.map(|(kind, _)| kind).or_else(|| self.inputs.iter().find_map(|input| input.entity))
    }

    /// The comparison to show: of the condition's own entity before others, of a number before words.
    fn headline(&self, entity: Option<EntityKind>) -> Option<Headline> {
        let rank = |headline: &&Headline| {
            let is_own = self.inputs.get(headline.input).is_some_and(|input| input.entity == entity);
            (!is_own, matches!(headline.threshold, Threshold::Text(_)))
        };
        self.headlines.iter().min_by_key(rank).cloned()
    }

    fn field(&mut self, name: &str, range: &Range<usize>) -> Option<Part> {
        let Some(field) = self.fields.field(name) else {
            let error = names::unknown_name(name, range, self.fields);
            return self.wrong(error);
        };
        let Field { unit, bounds, entity, is_event: _, words } = field;
        let is_whole = unit == Unit::Count;
        let input = Input { name: name.to_owned(), unit, entity, window: None, bounds, is_whole };
        let place = self.input(input, words, range);
        Some(if unit == Unit::Text {
            Part::Words(Words::Input(place))
        } else {
            Part::Number { step: Amount::Input(place), measure: Measure::Of(unit) }
        })
    }

    /// The place of an input; of one that is met for the first time a new one.
    fn input(&mut self, input: Input, words: Vec<&'static str>, range: &Range<usize>) -> Place {
        let same = |known: &Input| known.name == input.name && known.window == input.window;
        if let Some(index) = self.inputs.iter().position(same) {
            return index as Place;
        }
        let index = self.inputs.len();
        match (input.entity.filter(|kind| *kind != EntityKind::Host), self.own) {
            (Some(kind), None) => self.own = Some((kind, index)),
            (Some(kind), Some((own, first))) if kind != own => {
                let (name, first) = (&input.name, &self.inputs[first].name);
                let message = format!("`{name}` belongs to a {kind}, `{first}` to a {own}");
                let error = ExpressionError::new(range.clone(), message);
                self.errors.push(error.help("a condition looks at one kind of entity, and at the host beside it"));
            }
            _ => {}
        }
        self.inputs.push(input);
        self.words.push(words);
        index as Place
    }
}

/// A part of the tree for a message.
fn shown(syntax: &Syntax) -> String {
    watchkeeper_core::text::clean(&syntax.to_string(), 60)
}

#[cfg(test)]
mod tests;
