//! Trees as text, with as few parentheses as mean the same. What is printed parses to an equal tree.

use std::fmt::{self, Display, Formatter, Write};

use crate::syntax::{Expression, Literal, Node, Syntax};

/// Binds more strongly than any binary operator.
const UNARY_POWER: u8 = 6;
/// Needs no parentheses anywhere.
const ATOM_POWER: u8 = 7;

impl Display for Expression {
    /// The text as it was written.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Display for Syntax {
    /// The tree in its usual form: one blank around operators, double quotes.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Literal(literal) => literal.fmt(f),
            Node::Name(name) => f.write_str(name),
            Node::List(items) => {
                f.write_char('[')?;
                list(f, items)?;
                f.write_char(']')
            }
            Node::Unary { operator, operand } => {
                f.write_str(operator.symbol())?;
                within(f, operand, UNARY_POWER)
            }
            Node::Binary { operator, left, right, .. } => {
                // Comparisons do not associate; everything else associates to the left.
                within(f, left, operator.power() + u8::from(operator.compares()))?;
                write!(f, " {} ", operator.symbol())?;
                within(f, right, operator.power() + 1)
            }
            Node::Conditional { condition, yes, no } => {
                within(f, condition, 1)?;
                write!(f, " ? {yes} : {no}")
            }
            Node::Call { function, arguments } => {
                write!(f, "{}(", function.text)?;
                list(f, arguments)?;
                f.write_char(')')
            }
            Node::Method { target, method, arguments } => {
                within(f, target, ATOM_POWER)?;
                write!(f, ".{}(", method.text)?;
                list(f, arguments)?;
                f.write_char(')')
            }
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => quoted(f, text),
            Self::Boolean(value) => value.fmt(f),
        }
    }
}

fn power(syntax: &Syntax) -> u8 {
    match &syntax.node {
        Node::Conditional { .. } => 0,
        Node::Binary { operator, .. } => operator.power(),
        Node::Unary { .. } => UNARY_POWER,
        _ => ATOM_POWER,
    }
}

/// A part in a place that only takes what binds at least as strongly as `least`.
fn within(f: &mut Formatter<'_>, syntax: &Syntax, least: u8) -> fmt::Result {
    if power(syntax) < least { write!(f, "({syntax})") } else { syntax.fmt(f) }
}

fn list(f: &mut Formatter<'_>, items: &[Syntax]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
