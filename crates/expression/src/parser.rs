//! Tokens to a tree: a Pratt parser, bounded in length, nesting and height.

use std::ops::Range;

use crate::error::ExpressionError;
use crate::lexer::{Lexer, Spanned, Token};
use crate::syntax::{Binary, Expression, Literal, Node, Syntax, Unary, Word};

/// Longest text of an expression in bytes.
pub const MAX_BYTES: usize = 8_192;
/// Most parentheses, lists, calls, signs and conditionals inside each other.
pub const MAX_NESTING: usize = 64;
/// Most levels of a tree: bounds chains such as `a && b && c` as well, so that no walk over a tree goes deep.
pub const MAX_HEIGHT: usize = 200;

const EXAMPLE: &str = "a comparison is written `field > value`";

/// Parses a text.
///
/// # Errors
/// The first mistake, with its place in the text.
pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
    if text.len() > MAX_BYTES {
        return Err(ExpressionError::new(0..0, format!("the condition is longer than {MAX_BYTES} bytes")));
    }
    let mut lexer = Lexer::new(text);
    let current = lexer.next()?;
    if current.token == Token::End {
        return Err(ExpressionError::new(0..text.len(), "the condition is empty").help(EXAMPLE));
    }
    let mut parser = Parser { text, lexer, current, nesting: 0 };
    let parsed = parser.expression()?;
    match parser.current.token {
        Token::End => Ok(Expression { text: text.to_owned(), root: parsed.syntax }),
        _ => Err(parser.unexpected_after(&parsed.syntax)),
    }
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    current: Spanned,
    nesting: usize,
}

/// A finished part: its tree, the levels of it, and whether it stood in parentheses.
struct Parsed {
    syntax: Syntax,
    height: usize,
    enclosed: bool,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<Spanned, ExpressionError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.current, next))
    }

    /// Runs a part of the grammar one level deeper.
    fn nested<T>(&mut self, part: fn(&mut Self) -> Result<T, ExpressionError>) -> Result<T, ExpressionError> {
        if self.nesting == MAX_NESTING {
            let message = format!("the condition is nested more than {MAX_NESTING} levels deep");
            return Err(ExpressionError::new(self.current.range.clone(), message));
        }
        self.nesting += 1;
        let result = part(self);
        self.nesting -= 1;
        result
    }

    fn expression(&mut self) -> Result<Parsed, ExpressionError> {
        let condition = self.binary(1)?;
        if self.current.token != Token::Question {
            return Ok(condition);
        }
        let question = self.advance()?;
        let yes = self.nested(Self::expression)?;
        if self.current.token != Token::Colon {
            return Err(
                ExpressionError::new(question.range, "this `?` has no `:`").help("write `condition ? yes : no`")
            );
        }
        self.advance()?;
        let no = self.nested(Self::expression)?;
        let range = condition.syntax.range.start..no.syntax.range.end;
        let height = condition.height.max(yes.height).max(no.height);
        let node = Node::Conditional {
            condition: Box::new(condition.syntax),
            yes: Box::new(yes.syntax),
            no: Box::new(no.syntax),
        };
        built(node, range, height)
    }

    /// Operators that bind at least as strongly as `least`.
    fn binary(&mut self, least: u8) -> Result<Parsed, ExpressionError> {
        let mut left = self.unary()?;
        while let Token::Operator(operator) = self.current.token {
            if operator.power() < least {
                break;
            }
            if operator.compares() && compared(&left) {
                let range = self.current.range.clone();
                return Err(ExpressionError::new(range, "comparisons cannot be chained")
                    .help("join two comparisons with `&&`, such as `1 < a && a < 2`"));
            }
            let operator_range = self.advance()?.range;
            let right = self.binary(operator.power() + 1)?;
            let range = left.syntax.range.start..right.syntax.range.end;
            let height = left.height.max(right.height);
            let node =
                Node::Binary { operator, operator_range, left: Box::new(left.syntax), right: Box::new(right.syntax) };
            left = built(node, range, height)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Parsed, ExpressionError> {
        let operator = match self.current.token {
            Token::Not => Unary::Not,
            Token::Operator(Binary::Subtract) => Unary::Negate,
            _ => return self.member(),
        };
        let start = self.advance()?.range.start;
        let operand = self.nested(Self::unary)?;
        let range = start..operand.syntax.range.end;
        built(Node::Unary { operator, operand: Box::new(operand.syntax) }, range, operand.height)
    }

    /// An operand and the methods called on it.
    fn member(&mut self) -> Result<Parsed, ExpressionError> {
        let mut target = self.operand()?;
        while self.current.token == Token::Dot {
            let dot = self.advance()?;
            let Token::Name(name) = &self.current.token else {
                let end = self.current.range.start.max(dot.range.end);
                return Err(ExpressionError::new(dot.range.start..end, "a name is missing after `.`"));
            };
            let method = Word { text: name.clone(), range: self.current.range.clone() };
            self.advance()?;
            if method.text.contains('.') || self.current.token != Token::OpenParenthesis {
                let message = format!("`{}` is not called as a method", method.text);
                return Err(ExpressionError::new(method.range, message)
                    .help("dotted names are written without blanks; methods take parentheses"));
            }
            target = self.method(target, method)?;
        }
        Ok(target)
    }

    fn method(&mut self, target: Parsed, method: Word) -> Result<Parsed, ExpressionError> {
        let start = target.syntax.range.start;
        let (arguments, height, end) = self.items(&Token::CloseParenthesis)?;
        let node = Node::Method { target: Box::new(target.syntax), method, arguments };
        built(node, start..end, target.height.max(height))
    }

    fn operand(&mut self) -> Result<Parsed, ExpressionError> {
        let node = match &self.current.token {
            Token::Number(number) => Node::Literal(Literal::Number(*number)),
            Token::Text(text) => Node::Literal(Literal::Text(text.clone())),
            Token::True => Node::Literal(Literal::Boolean(true)),
            Token::False => Node::Literal(Literal::Boolean(false)),
            Token::Name(_) => return self.name(),
            Token::OpenParenthesis => return self.parenthesis(),
            Token::OpenBracket => {
                let start = self.current.range.start;
                let (items, height, end) = self.items(&Token::CloseBracket)?;
                return built(Node::List(items), start..end, height);
            }
            _ => return Err(self.missing_operand()),
        };
        let range = self.advance()?.range;
        built(node, range, 0)
    }

    fn parenthesis(&mut self) -> Result<Parsed, ExpressionError> {
        let open = self.advance()?;
        let inner = self.nested(Self::expression)?;
        match self.current.token {
            Token::CloseParenthesis => self.advance()?,
            Token::End => return Err(not_closed(open.range, "parenthesis", ")")),
            _ => return Err(self.unexpected_after(&inner.syntax)),
        };
        Ok(Parsed { enclosed: true, ..inner })
    }

    /// A name, a call of a function, or a call of a method on a name.
    fn name(&mut self) -> Result<Parsed, ExpressionError> {
        let Spanned { token, range } = self.advance()?;
        let Token::Name(name) = token else {
            return Err(ExpressionError::new(range, "a name is missing here"));
        };
        if self.current.token != Token::OpenParenthesis {
            return built(Node::Name(name), range, 0);
        }
        let Some((target, method)) = name.rsplit_once('.') else {
            let (arguments, height, end) = self.items(&Token::CloseParenthesis)?;
            let start = range.start;
            return built(Node::Call { function: Word { text: name, range }, arguments }, start..end, height);
        };
        let method = Word { text: method.to_owned(), range: range.end - method.len()..range.end };
        let target = built(Node::Name(target.to_owned()), range.start..range.start + target.len(), 0)?;
        self.method(target, method)
    }

    /// What stands between the current opening token and `close`: the items, their height, the end of it all.
    fn items(&mut self, close: &Token) -> Result<(Vec<Syntax>, usize, usize), ExpressionError> {
        let open = self.advance()?;
        let mut items = Vec::new();
        let mut height = 0;
        while self.current.token != *close {
            let item = self.nested(Self::expression)?;
            height = height.max(item.height);
            items.push(item.syntax);
            match &self.current.token {
                Token::Comma => {
                    self.advance()?;
                }
                Token::End if *close == Token::CloseBracket => return Err(not_closed(open.range, "list", "]")),
                Token::End => return Err(not_closed(open.range, "parenthesis", ")")),
                token if token == close => {}
                _ => return Err(items.last().map_or_else(|| self.missing_operand(), |l| self.unexpected_after(l))),
            }
        }
        let end = self.advance()?.range.end;
        Ok((items, height, end))
    }

    /// A part of the text for a message.
    fn written(&self, range: &Range<usize>) -> String {
        watchkeeper_core::text::clean(&self.text[range.clone()], 40)
    }

    fn missing_operand(&self) -> ExpressionError {
        let range = self.current.range.clone();
        match self.current.token {
            Token::End => ExpressionError::new(range, "a value is missing at the end").help(EXAMPLE),
            Token::Dot => ExpressionError::new(range, "`.` cannot begin a value")
                .help("a number begins with a digit, such as 0.5"),
            _ => {
                let written = self.written(&range);
                ExpressionError::new(range, format!("a value is missing before `{written}`"))
            }
        }
    }

    /// Something follows a finished part that cannot stand there.
    fn unexpected_after(&self, before: &Syntax) -> ExpressionError {
        let range = self.current.range.clone();
        let written = self.written(&range);
        match &self.current.token {
            Token::CloseParenthesis => ExpressionError::new(range, "this parenthesis was never opened"),
            Token::CloseBracket => ExpressionError::new(range, "this bracket was never opened"),
            Token::Colon => ExpressionError::new(range, "this `:` has no `?`").help("write `condition ? yes : no`"),
            Token::Name(word) => match (operator_for(word), &last_operand(before).node) {
                (Some(operator), _) => not_an_operator(range, &written, operator),
                (None, Node::Name(word)) if word.eq_ignore_ascii_case("not") => {
                    not_an_operator(last_operand(before).range.clone(), word, "!")
                }
                (None, Node::Literal(Literal::Number(number))) => no_operator(range, &written)
                    .help(format!("write a value with its unit in quotes: \"{number}{written}\"")),
                _ => no_operator(range, &written),
            },
            Token::Comma => self.decimal_comma(before).unwrap_or_else(|| no_operator(range, &written)),
            _ => no_operator(range, &written),
        }
    }

    /// `1,5`, as many people write 1.5; the comma comes next.
    fn decimal_comma(&self, before: &Syntax) -> Option<ExpressionError> {
        let whole = last_operand(before);
        let comma = &self.current.range;
        let is_number = matches!(whole.node, Node::Literal(Literal::Number(_))) && whole.range.end == comma.start;
        let decimals: String = self.text[comma.end..].chars().take_while(char::is_ascii_digit).collect();
        if !is_number || decimals.is_empty() {
            return None;
        }
        let meant = format!("{}.{decimals}", self.written(&whole.range));
        let range = whole.range.start..comma.end + decimals.len();
        let message = format!("`{}` is not a number", self.written(&range));
        Some(ExpressionError::new(range, message).help(format!("write {meant}")))
    }
}

fn no_operator(range: Range<usize>, written: &str) -> ExpressionError {
    ExpressionError::new(range, format!("an operator is missing before `{written}`"))
}

fn not_an_operator(range: Range<usize>, written: &str, meant: &str) -> ExpressionError {
    ExpressionError::new(range, format!("`{written}` is not an operator")).help(format!("did you mean `{meant}`?"))
}

/// The operand that stands last in a part.
fn last_operand(part: &Syntax) -> &Syntax {
    match &part.node {
        Node::Binary { right: last, .. } | Node::Unary { operand: last, .. } | Node::Conditional { no: last, .. } => {
            last_operand(last)
        }
        _ => part,
    }
}

/// The operator that people mean by a word of another language.
fn operator_for(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "and" => "&&",
        "or" => "||",
        "not" => "!",
        "is" | "eq" | "equals" => "==",
        "ne" | "isnt" => "!=",
        "gt" | "above" | "over" => ">",
        "ge" | "gte" => ">=",
        "lt" | "below" | "under" => "<",
        "le" | "lte" => "<=",
        _ => return None,
    })
}

fn not_closed(open: Range<usize>, what: &str, close: &str) -> ExpressionError {
    ExpressionError::new(open, format!("this {what} is not closed")).help(format!("close it with `{close}`"))
}

/// Whether a part is a comparison without parentheses of its own.
fn compared(parsed: &Parsed) -> bool {
    !parsed.enclosed && matches!(&parsed.syntax.node, Node::Binary { operator, .. } if operator.compares())
}

/// A part whose highest child has this height.
fn built(node: Node, range: Range<usize>, height: usize) -> Result<Parsed, ExpressionError> {
    if height == MAX_HEIGHT {
        let message = format!("the condition has more than {MAX_HEIGHT} operators in a row");
        return Err(ExpressionError::new(range, message).help("compare with a list: `field in [\"a\", \"b\"]`"));
    }
    Ok(Parsed { syntax: Syntax { node, range }, height: height + 1, enclosed: false })
}

#[cfg(test)]
pub(crate) mod tests;
