//! Text to tokens, one at a time.

use std::ops::Range;

use crate::error::ExpressionError;
use crate::syntax::Binary;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// Finite and not negative.
    Number(f64),
    /// Escapes resolved.
    Text(String),
    /// A dotted name; words after the first may begin with a digit, as in `system.linux.load.1m`.
    Name(String),
    True,
    False,
    Operator(Binary),
    Not,
    Question,
    Colon,
    Comma,
    Dot,
    OpenParenthesis,
    CloseParenthesis,
    OpenBracket,
    CloseBracket,
    End,
}

/// A token with its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) range: Range<usize>,
}

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; [`Token::End`] again and again after the last one.
    pub(crate) fn next(&mut self) -> Result<Spanned, ExpressionError> {
        self.take_while(char::is_whitespace);
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return Ok(Spanned { token: Token::End, range: start..start });
        };
        let token = match first {
            '"' | '\'' => self.string(false)?,
            'r' | 'R' if matches!(self.peek(1), Some('"' | '\'')) => {
                self.at += 1;
                self.string(true)?
            }
            c if c.is_ascii_digit() => self.number()?,
            c if begins_name(c) => self.name(),
            _ => self.symbol(first)?,
        };
        Ok(Spanned { token, range: start..self.at })
    }

    /// The character `ahead` characters from here.
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text[self.at..].chars().nth(ahead)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn name(&mut self) -> Token {
        let start = self.at;
        match self.take_while(in_name) {
            "true" => return Token::True,
            "false" => return Token::False,
            _ => {}
        }
        while self.peek(0) == Some('.') && self.peek(1).is_some_and(in_name) {
            self.at += 1;
            self.take_while(in_name);
        }
        match &self.text[start..self.at] {
            "in" => Token::Operator(Binary::In),
            name => Token::Name(name.to_owned()),
        }
    }

    fn number(&mut self) -> Result<Token, ExpressionError> {
        let start = self.at;
        let digit = |c: char| c.is_ascii_digit();
        self.take_while(digit);
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(digit) {
            self.at += 1;
            self.take_while(digit);
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            let signed = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if self.peek(1 + signed).is_some_and(digit) {
                self.at += 1 + signed;
                self.take_while(digit);
            }
        }
        let number = &self.text[start..self.at];
        let unit = self.take_while(|c| in_name(c) || matches!(c, '%' | '/' | 'µ'));
        // A division may follow a number directly; a unit never begins with a slash.
        if unit.starts_with('/') {
            self.at -= unit.len();
        } else if !unit.is_empty() {
            let range = start..self.at;
            let written = &self.text[range.clone()];
            return Err(ExpressionError::new(range, format!("`{written}` is not a number"))
                .help(format!("write a value with its unit in quotes: \"{written}\"")));
        }
        let value: f64 = number.parse().unwrap_or(f64::INFINITY);
        if value.is_finite() {
            Ok(Token::Number(value))
        } else {
            Err(ExpressionError::new(start..self.at, format!("the number `{number}` is too large")))
        }
    }

    fn symbol(&mut self, first: char) -> Result<Token, ExpressionError> {
        let second = self.peek(1);
        let (token, length) = match (first, second) {
            ('=', Some('=')) => (Token::Operator(Binary::Equal), 2),
            ('!', Some('=')) => (Token::Operator(Binary::NotEqual), 2),
            ('<', Some('=')) => (Token::Operator(Binary::LessOrEqual), 2),
            ('>', Some('=')) => (Token::Operator(Binary::GreaterOrEqual), 2),
            ('&', Some('&')) => (Token::Operator(Binary::And), 2),
            ('|', Some('|')) => (Token::Operator(Binary::Or), 2),
            ('<', Some('>')) => return Err(self.wrong(2, "`<>` is not an operator", "did you mean `!=`?")),
            ('=', Some('<')) => return Err(self.wrong(2, "`=<` is not an operator", "did you mean `<=`?")),
            ('=', Some('>')) => return Err(self.wrong(2, "`=>` is not an operator", "did you mean `>=`?")),
            ('=', _) => return Err(self.wrong(1, "`=` is not an operator", "did you mean `==`?")),
            ('&', _) => return Err(self.wrong(1, "`&` is not an operator", "did you mean `&&`?")),
            ('|', _) => return Err(self.wrong(1, "`|` is not an operator", "did you mean `||`?")),
            ('%', _) => {
                return Err(self.wrong(1, "`%` is not an operator", "write a percentage in quotes, such as \"90%\""));
            }
            ('“' | '”' | '„' | '‘' | '’' | '`', _) => {
                let message = format!("`{first}` is not a quotation mark of this language");
                return Err(self.wrong(first.len_utf8(), &message, "use straight quotes: \"text\""));
            }
            ('!', _) => (Token::Not, 1),
            ('<', _) => (Token::Operator(Binary::Less), 1),
            ('>', _) => (Token::Operator(Binary::Greater), 1),
            ('+', _) => (Token::Operator(Binary::Add), 1),
            ('-', _) => (Token::Operator(Binary::Subtract), 1),
            ('*', _) => (Token::Operator(Binary::Multiply), 1),
            ('/', _) => (Token::Operator(Binary::Divide), 1),
            ('?', _) => (Token::Question, 1),
            (':', _) => (Token::Colon, 1),
            (',', _) => (Token::Comma, 1),
            ('.', _) => (Token::Dot, 1),
            ('(', _) => (Token::OpenParenthesis, 1),
            (')', _) => (Token::CloseParenthesis, 1),
            ('[', _) => (Token::OpenBracket, 1),
            (']', _) => (Token::CloseBracket, 1),
            _ => {
                let shown = watchkeeper_core::text::clean(first.encode_utf8(&mut [0; 4]), 1);
                let range = self.at..self.at + first.len_utf8();
                return Err(ExpressionError::new(range, format!("`{shown}` does not belong in a condition")));
            }
        };
        self.at += length;
        Ok(token)
    }

    /// An error about the next `length` bytes.
    fn wrong(&self, length: usize, message: &str, help: &str) -> ExpressionError {
        ExpressionError::new(self.at..self.at + length, message).help(help)
    }

    /// A string whose opening quote comes next; in a raw one backslashes mean themselves.
    fn string(&mut self, raw: bool) -> Result<Token, ExpressionError> {
        let open = self.at;
        let quote = self.peek(0).unwrap_or('"');
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next().filter(|c| !matches!(c, '\n' | '\r')) else {
                return Err(
                    ExpressionError::new(open..self.at, "this text is not closed").help(format!("end it with {quote}"))
                );
            };
            match c {
                c if c == quote => {
                    self.at += 1;
                    return Ok(Token::Text(text));
                }
                '\\' if !raw => text.push(self.escape()?),
                c => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// The character behind an escape; the backslash comes next.
    fn escape(&mut self) -> Result<char, ExpressionError> {
        let start = self.at;
        let rest = &self.text[start + 1..];
        let kind = rest.chars().next();
        let simple = match kind {
            Some(c @ ('\\' | '"' | '\'' | '`' | '?')) => Some(c),
            Some('a') => Some('\u{7}'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\u{b}'),
            _ => None,
        };
        if let Some(c) = simple {
            self.at += 2;
            return Ok(c);
        }
        let (skip, length, radix) = match kind {
            Some('x' | 'X') => (1, 2, 16),
            Some('u') => (1, 4, 16),
            Some('U') => (1, 8, 16),
            Some('0'..='3') => (0, 3, 8),
            _ => {
                let range = start..start + 1 + kind.map_or(0, char::len_utf8);
                return Err(ExpressionError::new(range, "this escape does not exist")
                    .help("a backslash itself is written `\\\\`; in r\"...\" backslashes mean themselves"));
            }
        };
        let digits: String = rest.chars().skip(skip).take(length).take_while(|c| c.is_digit(radix)).collect();
        let end = start + 1 + skip + digits.len();
        let found = (digits.len() == length).then(|| u32::from_str_radix(&digits, radix).ok());
        match found.flatten().and_then(char::from_u32) {
            Some(c) => {
                self.at = end;
                Ok(c)
            }
            None => Err(ExpressionError::new(start..end, "this escape names no character")
                .help(format!("it takes {length} digits, such as `\\x41`, `\\u0041` or `\\101`"))),
        }
    }
}
