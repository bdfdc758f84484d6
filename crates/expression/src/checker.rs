//! Trees to conditions: names, types, units and limits.

use std::ops::Range;

use watchkeeper_core::{Problem, Unit};

use crate::condition::{Comparison, Condition, Threshold};
use crate::error::ExpressionError;
use crate::field::{Field, Fields};
use crate::literal::{self, Unfit};
use crate::parser::parse;
use crate::syntax::{Expression, Literal, Node, Syntax, Unary};

/// Checks an expression against the fields that exist.
///
/// # Errors
/// All mistakes, in the order of the text.
pub fn check(expression: &Expression, fields: &dyn Fields) -> Result<Condition, Vec<ExpressionError>> {
    let unknown = unknown_names(&expression.root, fields);
    match comparison(&expression.root) {
        _ if !unknown.is_empty() => Err(unknown),
        Ok(parts) => parts.condition(&expression.text, fields).map_err(|error| vec![error]),
        Err((range, found)) => {
            let message = format!("a condition is one comparison of a field with a value; this is {found}");
            Err(vec![ExpressionError::new(range, message).help(format!("write it like {}", fields.example()))])
        }
    }
}

/// Parses and checks a text; mistakes are reported at `key_path`.
///
/// # Errors
/// All mistakes that can be told apart.
pub fn compile(text: &str, fields: &dyn Fields, key_path: &str) -> Result<Condition, Vec<Problem>> {
    let expression = parse(text).map_err(|error| vec![error.problem(key_path)])?;
    check(&expression, fields).map_err(|errors| errors.into_iter().map(|error| error.problem(key_path)).collect())
}

/// A comparison of a name with a literal, the name on the left.
struct Parts<'a> {
    name: &'a str,
    name_range: &'a Range<usize>,
    comparison: Comparison,
    comparison_range: &'a Range<usize>,
    value: &'a Syntax,
}

/// The one shape that is accepted; otherwise the place of what is not, and what it is.
fn comparison(root: &Syntax) -> Result<Parts<'_>, (Range<usize>, String)> {
    let Node::Binary { operator, operator_range, left, right } = &root.node else {
        return Err((root.range.clone(), described(root)));
    };
    let Some(comparison) = Comparison::from_operator(*operator) else {
        return Err((operator_range.clone(), format!("`{}`", operator.symbol())));
    };
    let parts = |name, name_range, comparison, value| Parts {
        name,
        name_range,
        comparison,
        comparison_range: operator_range,
        value,
    };
    match (&left.node, &right.node) {
        (Node::Name(name), _) if is_value(right) => Ok(parts(name, &left.range, comparison, right)),
        (_, Node::Name(name)) if is_value(left) => Ok(parts(name, &right.range, comparison.flipped(), left)),
        (Node::Name(_), Node::Name(_)) => Err((root.range.clone(), "a comparison of two fields".to_owned())),
        (Node::Name(_), _) => Err((right.range.clone(), described(right))),
        _ if is_value(left) && is_value(right) => Err((root.range.clone(), "a comparison of two values".to_owned())),
        (_, Node::Name(_)) => Err((left.range.clone(), described(left))),
        _ if is_value(left) => Err((right.range.clone(), described(right))),
        _ => Err((left.range.clone(), described(left))),
    }
}

/// A literal, or a number with a sign.
fn is_value(syntax: &Syntax) -> bool {
    match &syntax.node {
        Node::Literal(_) => true,
        _ => number(syntax).is_some(),
    }
}

/// A number, with or without a sign.
fn number(syntax: &Syntax) -> Option<f64> {
    match &syntax.node {
        Node::Literal(Literal::Number(number)) => Some(*number),
        Node::Unary { operator: Unary::Negate, operand } => match operand.node {
            Node::Literal(Literal::Number(number)) => Some(-number),
            _ => None,
        },
        _ => None,
    }
}

fn described(syntax: &Syntax) -> String {
    match &syntax.node {
        Node::Literal(_) => "a value alone".to_owned(),
        Node::Name(_) => "a field alone".to_owned(),
        Node::List(_) => "a list".to_owned(),
        Node::Unary { operator, .. } => format!("`{}`", operator.symbol()),
        Node::Binary { operator, .. } => format!("`{}`", operator.symbol()),
        Node::Conditional { .. } => "`? :`".to_owned(),
        Node::Call { function, .. } => format!("a call of `{}`", function.text),
        Node::Method { method, .. } => format!("a call of `{}`", method.text),
    }
}

impl Parts<'_> {
    fn condition(&self, text: &str, fields: &dyn Fields) -> Result<Condition, ExpressionError> {
        let Some(field) = fields.field(self.name) else {
            return Err(unknown_name(self.name, self.name_range, fields));
        };
        let threshold = if field.unit == Unit::Text { self.text(&field)? } else { self.number(&field)? };
        Ok(Condition {
            text: text.to_owned(),
            field: self.name.to_owned(),
            unit: field.unit,
            entity: field.entity,
            comparison: self.comparison,
            threshold,
        })
    }

    fn text(&self, field: &Field) -> Result<Threshold, ExpressionError> {
        let name = self.name;
        let Node::Literal(Literal::Text(text)) = &self.value.node else {
            return Err(ExpressionError::new(
                self.value.range.clone(),
                format!("`{name}` is text; `{}` is not", self.value),
            )
            .help(format!("write \"{}\"", self.value)));
        };
        if !matches!(self.comparison, Comparison::Equal | Comparison::NotEqual) {
            let message = format!("`{name}` is text; it can be compared with `==` and `!=` only");
            return Err(ExpressionError::new(self.comparison_range.clone(), message));
        }
        if !field.words.is_empty() && !field.words.contains(&text.as_str()) {
            let shown = watchkeeper_core::text::clean(text, 40);
            return Err(ExpressionError::new(self.value.range.clone(), format!("`{name}` is never \"{shown}\""))
                .help(format!("it is one of {}", field.words.join(", "))));
        }
        Ok(Threshold::Text(text.clone()))
    }

    fn number(&self, field: &Field) -> Result<Threshold, ExpressionError> {
        let unfit = |unfit: Unfit| ExpressionError::new(self.value.range.clone(), unfit.message).help(unfit.help);
        let value = match (number(self.value), &self.value.node) {
            (Some(number), _) => literal::number(self.name, field.unit, number),
            (None, Node::Literal(Literal::Text(text))) => literal::quantity(self.name, field.unit, text),
            _ => {
                let message = format!("`{}` is a number; `{}` is not", self.name, self.value);
                return Err(ExpressionError::new(self.value.range.clone(), message));
            }
        }
        .map_err(unfit)?;
        self.within_bounds(field, value)?;
        Ok(Threshold::Number(value))
    }

    /// Refuses a comparison whose answer the limits of the field already give.
    fn within_bounds(&self, field: &Field, threshold: f64) -> Result<(), ExpressionError> {
        let least = field.bounds.least.unwrap_or(f64::NEG_INFINITY);
        let most = field.bounds.most.unwrap_or(f64::INFINITY);
        let (never, always) = match self.comparison {
            Comparison::Equal => (threshold < least || threshold > most, false),
            Comparison::NotEqual => (false, threshold < least || threshold > most),
            Comparison::Less => (threshold <= least, threshold > most),
            Comparison::LessOrEqual => (threshold < least, threshold >= most),
            Comparison::Greater => (threshold >= most, threshold < least),
            Comparison::GreaterOrEqual => (threshold > most, threshold <= least),
        };
        let how_often = match (never, always) {
            (false, false) => return Ok(()),
            (true, _) => "never",
            (_, true) => "always",
        };
        let unit = field.unit;
        let (name, words, shown) = (self.name, self.comparison.words(), unit.show(threshold));
        let error = ExpressionError::new(self.value.range.clone(), format!("`{name}` is {how_often} {words} {shown}"));
        let shown = |limit: Option<f64>| limit.map(|limit| unit.show(limit).to_string());
        Err(match (shown(field.bounds.least), shown(field.bounds.most)) {
            (Some(least), Some(most)) => error.help(format!("it is between {least} and {most}")),
            (Some(least), None) => error.help(format!("it is never below {least}")),
            (None, Some(most)) => error.help(format!("it is never above {most}")),
            (None, None) => error,
        })
    }
}

/// An error for each name in the tree that no field has. The height of a tree is bounded by the parser.
fn unknown_names(syntax: &Syntax, fields: &dyn Fields) -> Vec<ExpressionError> {
    match &syntax.node {
        Node::Name(name) if fields.field(name).is_none() => vec![unknown_name(name, &syntax.range, fields)],
        Node::Literal(_) | Node::Name(_) => Vec::new(),
        Node::List(items) | Node::Call { arguments: items, .. } => all_unknown(items, fields),
        Node::Unary { operand, .. } => unknown_names(operand, fields),
        Node::Binary { left, right, .. } => {
            let mut errors = unknown_names(left, fields);
            errors.extend(unknown_names(right, fields));
            errors
        }
        Node::Conditional { condition, yes, no } => {
            [condition, yes, no].into_iter().flat_map(|part| unknown_names(part, fields)).collect()
        }
        Node::Method { target, arguments, .. } => {
            let mut errors = unknown_names(target, fields);
            errors.extend(all_unknown(arguments, fields));
            errors
        }
    }
}

fn all_unknown(items: &[Syntax], fields: &dyn Fields) -> Vec<ExpressionError> {
    items.iter().flat_map(|item| unknown_names(item, fields)).collect()
}

/// Least likeness of a name that is suggested: 0 nothing in common, 1 the same.
const LIKENESS: f64 = 0.6;

fn unknown_name(name: &str, range: &Range<usize>, fields: &dyn Fields) -> ExpressionError {
    let error = ExpressionError::new(range.clone(), format!("there is no field `{name}`"));
    let names = fields.names();
    let ending = format!(".{name}");
    let mut similar: Vec<&str> = names.iter().map(String::as_str).filter(|known| known.ends_with(&ending)).collect();
    if similar.is_empty() {
        let likeness = |known: &str| strsim::normalized_damerau_levenshtein(known, name);
        similar = names
            .iter()
            .map(String::as_str)
            .filter(|known| likeness(known) >= LIKENESS)
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
            .into_iter()
            .collect();
    }
    let quoted: Vec<String> = similar.iter().take(3).map(|known| format!("`{known}`")).collect();
    if quoted.is_empty() { error } else { error.help(format!("did you mean {}?", quoted.join(" or "))) }
}

#[cfg(test)]
mod tests;
