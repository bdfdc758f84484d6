//! Numbers that are worked out, and values read in the unit of what they meet.

use watchkeeper_core::Unit;

use crate::error::ExpressionError;
use crate::literal;
use crate::measure::Measure;
use crate::program::{Amount, Operation};
use crate::syntax::{Binary, Node, Syntax};

use super::{Checker, Loose, Part, shown};

impl Checker<'_> {
    /// `-operand`
    pub(super) fn negate(&mut self, operand: &Syntax) -> Option<Part> {
        let (step, measure) = match self.part(operand)? {
            Part::Loose(Loose::Number(number)) => return Some(Part::Loose(Loose::Number(-number))),
            part => self.number(operand, part, "negated")?,
        };
        let step = match step {
            Amount::Constant(number) => Amount::Constant(-number),
            step => Amount::Negated(self.program.amount(step)),
        };
        Some(Part::Number { step, measure })
    }

    /// `left + right` and the like.
    pub(super) fn arithmetic(
        &mut self,
        syntax: &Syntax,
        operator: Binary,
        left: &Syntax,
        right: &Syntax,
    ) -> Option<Part> {
        let (operation, done) = match operator {
            Binary::Add => (Operation::Add, "added"),
            Binary::Subtract => (Operation::Subtract, "subtracted"),
            Binary::Multiply => (Operation::Multiply, "multiplied"),
            _ => (Operation::Divide, "divided"),
        };
        let parts = (self.part(left), self.part(right));
        let (one, other) = match (parts.0?, parts.1?) {
            (Part::Loose(Loose::Number(one)), Part::Loose(Loose::Number(other))) => {
                return Some(Part::Loose(Loose::Number(self.worked_out(syntax, operation, one, other)?)));
            }
            // What is added to a part has its unit; what it is multiplied with has one of its own.
            (Part::Number { step, measure }, Part::Loose(loose)) if is_sum(operation) => {
                let other = self.settle(right, loose, measure, left)?;
                ((step, measure), (other, measure))
            }
            (Part::Loose(loose), Part::Number { step, measure }) if is_sum(operation) => {
                let one = self.settle(left, loose, measure, right)?;
                ((one, measure), (step, measure))
            }
            (one, other) => {
                let (one, other) = (self.number(left, one, done), self.number(right, other, done));
                (one?, other?)
            }
        };
        let measure = match operation {
            Operation::Add | Operation::Subtract => one.1.common(other.1),
            Operation::Multiply => one.1.times(other.1),
            Operation::Divide => one.1.over(other.1),
        };
        let Some(measure) = measure else {
            return self.unfit(syntax, (left, one.1), (right, other.1), &format!("be {done}"));
        };
        let step = match (one.0, other.0) {
            (Amount::Constant(one), Amount::Constant(other)) => {
                Amount::Constant(self.worked_out(syntax, operation, one, other)?)
            }
            (_, Amount::Constant(0.0)) if operation == Operation::Divide => return self.without_result(syntax),
            (one, other) => {
                let (left, right) = (self.program.amount(one), self.program.amount(other));
                Amount::Of { operation, left, right }
            }
        };
        Some(Part::Number { step, measure })
    }

    fn worked_out(&mut self, syntax: &Syntax, operation: Operation, one: f64, other: f64) -> Option<f64> {
        let result = operation.apply(one, other);
        if result.is_nan() { self.without_result(syntax) } else { Some(result) }
    }

    fn without_result<T>(&mut self, syntax: &Syntax) -> Option<T> {
        let message = format!("`{}` has no result", shown(syntax));
        self.wrong(ExpressionError::new(syntax.range.clone(), message).help("divide by something other than 0"))
    }

    /// A part that has to be a number; a value in quotes says by itself what it measures.
    pub(super) fn number(&mut self, syntax: &Syntax, part: Part, done: &str) -> Option<(Amount, Measure)> {
        let what = match part {
            Part::Number { step, measure } => return Some((step, measure)),
            Part::Loose(Loose::Number(number)) => return Some((Amount::Constant(number), Measure::Plain)),
            Part::Loose(Loose::Text(text)) => match literal::by_itself(&text) {
                Some((measure, number)) => return Some((Amount::Constant(number), measure)),
                None => "text",
            },
            Part::Loose(Loose::Choice { condition, yes, no }) => {
                let Node::Conditional { yes: yes_syntax, no: no_syntax, .. } = &syntax.node else { return None };
                let (yes, no) =
                    (self.number(yes_syntax, Part::Loose(*yes), done), self.number(no_syntax, Part::Loose(*no), done));
                let ((yes, one), (no, other)) = (yes?, no?);
                let Some(measure) = one.common(other) else {
                    return self.unfit(syntax, (yes_syntax, one), (no_syntax, other), "take the place of each other");
                };
                let (yes, no) = (self.program.amount(yes), self.program.amount(no));
                return Some((Amount::Choice { condition, yes, no }, measure));
            }
            Part::Words(_) => "text",
            Part::Truth(_) | Part::Loose(Loose::Truth(_)) => "a condition",
        };
        let message = format!("`{}` is {what}; only numbers can be {done}", shown(syntax));
        self.wrong(ExpressionError::new(syntax.range.clone(), message))
    }

    /// A value read in the unit of the part that it meets.
    pub(super) fn settle(
        &mut self,
        syntax: &Syntax,
        loose: Loose,
        measure: Measure,
        beside: &Syntax,
    ) -> Option<Amount> {
        let name = shown(beside);
        let read = match loose {
            Loose::Number(number) => measure.number(&name, number),
            Loose::Text(text) => measure.quantity(&name, &text),
            Loose::Truth(truth) => {
                let message = format!("`{name}` is a number; `{}` is not", shown(syntax));
                let help = format!("write {}, if it is one that is 0 or 1", u8::from(truth));
                let error = ExpressionError::new(syntax.range.clone(), message);
                let is_count = matches!(measure, Measure::Of(Unit::Count));
                return self.wrong(if is_count { error.help(help) } else { error });
            }
            Loose::Choice { condition, yes, no } => {
                let Node::Conditional { yes: yes_syntax, no: no_syntax, .. } = &syntax.node else { return None };
                let yes = self.settle(yes_syntax, *yes, measure, beside);
                let no = self.settle(no_syntax, *no, measure, beside);
                let (yes, no) = (self.program.amount(yes?), self.program.amount(no?));
                return Some(Amount::Choice { condition, yes, no });
            }
        };
        match read {
            Ok(number) => Some(Amount::Constant(number)),
            Err(unfit) => self.wrong(ExpressionError::new(syntax.range.clone(), unfit.message).help(unfit.help)),
        }
    }
}

fn is_sum(operation: Operation) -> bool {
    matches!(operation, Operation::Add | Operation::Subtract)
}
