//! A walk over the tokens of a text that may be no TOML, which finds the values of secret keys.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::Names;

/// How deep comments and texts of several lines are searched for settings within them.
const DEEPEST: u8 = 3;

/// Adds what must be hidden of `text` to `ranges`; `base` is its offset in the whole text.
pub(super) fn scan(text: &str, base: usize, names: &Names<'_>, ranges: &mut Vec<Range<usize>>, depth: u8) {
    Walk::new(text, base, names, ranges, depth).run(0);
}

/// The same for a text that is the value at a path of keys.
pub(super) fn scan_value(text: &str, path: &[String], names: &Names<'_>, ranges: &mut Vec<Range<usize>>) {
    let mut walk = Walk::new(text, 0, names, ranges, 0);
    walk.table = path.to_vec();
    walk.last_path = path.to_vec();
    let next = if names.are_secret(path) { walk.value(0) } else { 0 };
    walk.run(next);
}

#[derive(Clone, Copy)]
struct Token {
    kind: TokenKind,
    start: usize,
    end: usize,
}

enum Frame {
    Table(Vec<String>),
    List(Vec<String>),
}

struct Walk<'a> {
    text: &'a str,
    base: usize,
    names: &'a Names<'a>,
    tokens: Vec<Token>,
    ranges: &'a mut Vec<Range<usize>>,
    depth: u8,
    /// Keys of the table that a header opened.
    table: Vec<String>,
    /// Inline tables and lists that are open.
    frames: Vec<Frame>,
    /// Parts of the key that is being read.
    keys: Vec<String>,
    /// Full path of the key before the last `=`.
    last_path: Vec<String>,
    /// Whether an `=` was seen in this statement.
    has_value: bool,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, base: usize, names: &'a Names<'a>, ranges: &'a mut Vec<Range<usize>>, depth: u8) -> Self {
        let tokens = Source::new(text).lex();
        let tokens = tokens.map(|t| Token { kind: t.kind(), start: t.span().start(), end: t.span().end() }).collect();
        let (table, frames, keys, last_path) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { text, base, names, tokens, ranges, depth, table, frames, keys, last_path, has_value: false }
    }

    fn run(&mut self, mut index: usize) {
        while let Some(&token) = self.tokens.get(index) {
            index = self.token(token, index);
        }
    }

    /// Looks at one token and says which is next.
    fn token(&mut self, token: Token, index: usize) -> usize {
        let next = index + 1;
        let slice = &self.text[token.start..token.end];
        match token.kind {
            TokenKind::Comment => self.inside(token.start + 1..token.end),
            TokenKind::Newline => {
                self.keys.clear();
                if self.frames.is_empty() {
                    self.has_value = false;
                }
            }
            TokenKind::Comma => self.keys.clear(),
            TokenKind::LeftSquareBracket if self.frames.is_empty() && !self.has_value => return self.header(index),
            TokenKind::LeftSquareBracket => self.frames.push(Frame::List(self.path_of_nested())),
            TokenKind::LeftCurlyBracket => {
                self.frames.push(Frame::Table(self.path_of_nested()));
                self.keys.clear();
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                self.frames.pop();
            }
            TokenKind::Equals => {
                let mut path = match self.frames.last() {
                    Some(Frame::Table(path) | Frame::List(path)) => path.clone(),
                    None => self.table.clone(),
                };
                path.append(&mut self.keys);
                self.last_path = path;
                self.has_value = true;
                if self.names.are_secret(&self.last_path) {
                    return self.value(next);
                }
            }
            TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString => {
                self.credentials(token);
                return self.name(slice, index);
            }
            TokenKind::MlBasicString | TokenKind::MlLiteralString => {
                self.credentials(token);
                self.inside(token.start + 3..token.end);
                // One pair of quotes too many, and what looks like the end of a text is the start of a secret.
                let last_line = slice.rsplit('\n').next().unwrap_or(slice);
                if self.names.any_sounds_secret(last_line) {
                    if unquoted(last_line).trim_end().ends_with(['=', ':']) {
                        self.hide(token.end, self.text.len());
                        return self.tokens.len();
                    }
                    return self.hide_line(next);
                }
            }
            _ => {}
        }
        next
    }

    /// Path of what is inside the brackets that open here. No configuration is nested so deep that the limit matters; a
    /// megabyte of brackets is.
    fn path_of_nested(&self) -> Vec<String> {
        const DEEPEST: usize = 64;
        if self.frames.len() < DEEPEST { self.last_path.clone() } else { Vec::new() }
    }

    /// `[a.b]` and `[[a.b]]`: everything up to the end of the line.
    fn header(&mut self, mut index: usize) -> usize {
        self.table.clear();
        while let Some(&token) = self.tokens.get(index) {
            match token.kind {
                TokenKind::Newline | TokenKind::Comment | TokenKind::Equals | TokenKind::Eof => break,
                TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString => {
                    self.table.push(unquoted(&self.text[token.start..token.end]).to_owned());
                }
                _ => {}
            }
            index += 1;
        }
        // `[a = 1`: no header after all, what follows is a value.
        self.has_value = true;
        self.last_path = self.table.clone();
        if self.tokens.get(index).is_some_and(|token| token.kind == TokenKind::Equals)
            && self.names.are_secret(&self.table)
        {
            return self.value(index + 1);
        }
        index
    }

    /// A word that may be a part of a key; if it sounds secret and no `=` follows, the rest of the line is hidden.
    fn name(&mut self, slice: &str, index: usize) -> usize {
        let token = self.tokens[index];
        let name = unquoted(slice);
        self.keys.push(name.to_owned());
        if !self.names.sounds_secret(name) {
            return index + 1;
        }
        let is_key = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_key && token.kind == TokenKind::Atom {
            return self.hide_line(index);
        }
        let mut after = index + 1;
        while self.tokens.get(after).is_some_and(|t| t.kind == TokenKind::Whitespace) {
            after += 1;
        }
        match self.tokens.get(after).map(|t| t.kind) {
            Some(kind) if kind == TokenKind::Atom || is_text(kind) => self.hide_line(after),
            _ => index + 1,
        }
    }

    /// The value of a secret key begins at this token; says which token comes after it.
    fn value(&mut self, mut index: usize) -> usize {
        while self.tokens.get(index).is_some_and(|t| matches!(t.kind, TokenKind::Whitespace | TokenKind::Newline)) {
            index += 1;
        }
        self.keys.clear();
        if let Some(end) = self.source_of_secret(index) {
            return end;
        }
        let Some(&first) = self.tokens.get(index) else { return index };
        match first.kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                let mut open = 0_usize;
                let mut last = index;
                while let Some(token) = self.tokens.get(last) {
                    match token.kind {
                        TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open += 1,
                        TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => open = open.saturating_sub(1),
                        _ => {}
                    }
                    if open == 0 {
                        break;
                    }
                    last += 1;
                }
                let line = self.line_end(last.min(self.tokens.len().saturating_sub(1)));
                self.hide(first.start, line);
                self.first_token_at(line)
            }
            kind if is_text(kind) => {
                let mut after = index + 1;
                while self.tokens.get(after).is_some_and(|t| t.kind == TokenKind::Whitespace) {
                    after += 1;
                }
                let ends = match self.tokens.get(after).map(|t| t.kind) {
                    None | Some(TokenKind::Newline | TokenKind::Eof | TokenKind::Comment) => true,
                    Some(TokenKind::Comma | TokenKind::RightCurlyBracket | TokenKind::RightSquareBracket) => {
                        !self.frames.is_empty()
                    }
                    _ => false,
                };
                if !ends || !is_closed(&self.text[first.start..first.end]) {
                    return self.hide_line(index);
                }
                self.hide(first.start, first.end);
                // A remark beside a secret may repeat it.
                match self.tokens.get(after) {
                    Some(token) if token.kind == TokenKind::Comment => self.hide_line(after),
                    _ => after,
                }
            }
            _ => self.hide_line(index),
        }
    }

    /// `{ env = "NAME" }` and `{ file = "/path" }` may be shown, and so may `env = "NAME"` below a secret's header.
    fn source_of_secret(&self, index: usize) -> Option<usize> {
        let mut tokens = (index..).map_while(|i| Some((i, *self.tokens.get(i)?)));
        let mut tokens = tokens.by_ref().filter(|(_, t)| !matches!(t.kind, TokenKind::Whitespace));
        let is_source = |name: &str| matches!(name, "env" | "file");
        let is_name = |token: Token| {
            matches!(token.kind, TokenKind::BasicString | TokenKind::LiteralString)
                && is_closed(&self.text[token.start..token.end])
        };
        let (_, first) = tokens.next()?;
        let at = |token: Token| &self.text[token.start..token.end];
        let end = if first.kind == TokenKind::LeftCurlyBracket {
            let (_, key) = tokens.next()?;
            let (_, equals) = tokens.next()?;
            let (_, value) = tokens.next()?;
            let (end, close) = tokens.next()?;
            let whole = is_source(at(key))
                && equals.kind == TokenKind::Equals
                && is_name(value)
                && close.kind == TokenKind::RightCurlyBracket;
            whole.then_some(end + 1)?
        } else {
            let named = self.last_path.last().is_some_and(|last| is_source(last)) && self.last_path.len() > 1;
            (named && is_name(first)).then_some(index + 1)?
        };
        let (_, after) = tokens.next().unwrap_or((end, Token { kind: TokenKind::Eof, start: 0, end: 0 }));
        matches!(
            after.kind,
            TokenKind::Newline
                | TokenKind::Eof
                | TokenKind::Comment
                | TokenKind::Comma
                | TokenKind::RightCurlyBracket
                | TokenKind::RightSquareBracket
        )
        .then_some(end)
    }

    /// User and password in a web address.
    fn credentials(&mut self, token: Token) {
        let slice = &self.text[token.start..token.end];
        for (at, _) in slice.match_indices("://") {
            let rest = &slice[at + 3..];
            let authority = &rest[..rest.find(['/', ' ', '"', '\'', '?', '#']).unwrap_or(rest.len())];
            if let Some(user) = authority.rfind('@') {
                self.hide(token.start + at + 3, token.start + at + 3 + user);
            }
        }
    }

    /// Settings that somebody wrote in a comment or a text of several lines.
    fn inside(&mut self, range: Range<usize>) {
        if self.depth < DEEPEST {
            let inner = &self.text[range.clone()];
            scan(inner, self.base + range.start, self.names, self.ranges, self.depth + 1);
        }
    }

    fn hide(&mut self, start: usize, end: usize) {
        self.ranges.push(self.base + start..self.base + end);
    }

    /// Hides from this token to the end of its line, and says which token comes next.
    fn hide_line(&mut self, index: usize) -> usize {
        let start = self.tokens.get(index).map_or(self.text.len(), |token| token.start);
        let end = self.line_end(index);
        let next = self.first_token_at(end);
        let line = self.tokens.get(index..next).unwrap_or_default();
        if line.iter().any(|token| is_text(token.kind) && !is_closed(&self.text[token.start..token.end])) {
            // Nobody knows where this secret ends.
            self.hide(start, self.text.len());
            return self.tokens.len();
        }
        self.hide(start, end);
        next
    }

    /// Where the line of this token's end is over.
    fn line_end(&self, index: usize) -> usize {
        let from = self.tokens.get(index).map_or(self.text.len(), |token| token.end);
        let ends = self.tokens.iter().skip(index).find(|t| t.kind == TokenKind::Newline && t.start >= from);
        ends.map_or(self.text.len(), |token| token.start)
    }

    fn first_token_at(&self, offset: usize) -> usize {
        self.tokens.partition_point(|token| token.start < offset)
    }
}

fn is_text(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::BasicString | TokenKind::LiteralString | TokenKind::MlBasicString | TokenKind::MlLiteralString
    )
}

fn unquoted(slice: &str) -> &str {
    slice.trim_matches(['"', '\''])
}

/// Whether a quoted text has its closing quotes.
fn is_closed(slice: &str) -> bool {
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| slice.starts_with(quotes));
    quotes.is_some_and(|quotes| {
        if !(slice.len() >= 2 * quotes.len() && slice.ends_with(quotes)) {
            return false;
        }
        // A backslash takes the last quote away: count them.
        let body = &slice[quotes.len()..slice.len() - quotes.len()];
        let backslashes = body.bytes().rev().take_while(|b| *b == b'\\').count();
        quotes.starts_with('\'') || backslashes % 2 == 0
    })
}
