//! Finds what must not be shown of a configuration text: values of secret keys, also where the text is not valid TOML.
//!
//! Works on tokens, not on the parsed tree, because the line that has to be shown is often the broken one. In doubt more
//! is hidden than needed.

mod walk;

use std::collections::BTreeSet;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::nearest::nearest;
use super::shape::Shape;

/// What stands in the place of a secret.
pub const HIDDEN: &str = "********";

/// Byte ranges of `text` that must not be shown, in order and disjoint. `path` are the keys that lead to the text:
/// empty for a whole file, else the text is the value at that path.
pub fn hidden_ranges(text: &str, path: &[String], shape: &Shape) -> Vec<Range<usize>> {
    let mut secret_names = Vec::new();
    shape.walk(&mut |_, field| {
        if matches!(field.shape, Shape::Secret) {
            secret_names.push(field.name.clone());
        }
    });
    let names = Names { shape, secret_names };
    let mut ranges = Vec::new();
    if path.is_empty() {
        walk::scan(text, 0, &names, &mut ranges, 0);
        ranges.extend(open_ended(text, &names).map(|start| start..text.len()));
    } else {
        walk::scan_value(text, path, &names, &mut ranges);
    }
    merge(ranges)
}

/// Texts inside the hidden ranges that are long enough to be looked for in messages.
pub fn hidden_texts(text: &str, ranges: &[Range<usize>]) -> Vec<String> {
    const SHORTEST: usize = 4;
    let mut texts = BTreeSet::new();
    for range in ranges {
        let whole = text[range.clone()].trim();
        let pieces = whole.split(['"', '\'', '\n', ',', '[', ']', '{', '}']).map(str::trim);
        // `env =` of a table that should have been a source is no secret, and a word of our own messages.
        let pieces = pieces.filter(|piece| !piece.ends_with('='));
        texts.extend(pieces.chain([whole]).filter(|piece| piece.len() >= SHORTEST).map(str::to_owned));
    }
    texts.into_iter().collect()
}

/// Whether a key is named like something that must be kept secret.
pub fn sounds_secret(name: &str) -> bool {
    const ANYWHERE: [&str; 7] = ["passw", "passphrase", "secret", "token", "credential", "apikey", "kennwort"];
    const WORDS: [&str; 9] = ["pass", "pwd", "pw", "key", "hmac", "auth", "authorization", "bearer", "cookie"];
    let lower = name.to_ascii_lowercase();
    ANYWHERE.iter().any(|part| lower.contains(part))
        || lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// Where the outermost bracket that is never closed stands.
pub fn unclosed_bracket(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open.push(token.span().start()),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                open.pop();
            }
            _ => {}
        }
    }
    open.first().copied()
}

struct Names<'a> {
    shape: &'a Shape,
    secret_names: Vec<String>,
}

impl Names<'_> {
    fn are_secret(&self, path: &[String]) -> bool {
        let Some(last) = path.last() else { return false };
        match self.shape.at(path) {
            Some(Shape::Secret) => true,
            // The names of channels are the user's choice: `[smtp.token-mail]` is no secret.
            Some(_) => sounds_secret(last),
            None => path.iter().any(|name| self.sounds_secret(name)),
        }
    }

    /// Also where the name is mistyped.
    fn sounds_secret(&self, name: &str) -> bool {
        sounds_secret(name) || nearest(name, self.secret_names.iter().cloned()).is_some()
    }

    /// Whether a line has a word that sounds secret.
    fn any_sounds_secret(&self, line: &str) -> bool {
        line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').any(|word| self.sounds_secret(word))
    }
}

/// Where the value of a secret key begins that does not end in its line. Quotes that are out of step before it make the
/// tokens worthless, so everything after it is hidden.
fn open_ended(text: &str, names: &Names<'_>) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for (at, _) in line.match_indices(['=', ':']) {
            let name = line[..at].trim_end().trim_end_matches(['"', '\'']);
            let name = name.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or(name);
            let value = line[at + 1..].trim();
            if is_open(value) && names.sounds_secret(name) {
                return Some(start + at + 1);
            }
        }
        start += line.len();
    }
    None
}

/// Whether a value goes on in the next line.
fn is_open(value: &str) -> bool {
    let Some(first) = value.chars().next() else { return false };
    match first {
        '"' | '\'' if value[1..].starts_with(first) => value[2..].starts_with(first),
        '"' | '\'' => !value[1..].contains(first),
        '[' => !value.contains(']'),
        '{' => !value.contains('}'),
        _ => false,
    }
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_stays_readable() {
        for (text, shown) in [
            ("server = \"a\"", "server = \"a\""),
            ("password = \"x\"", "password = *"),
            ("password = { env = \"NAME\" }", "password = { env = \"NAME\" }"),
            ("password.file = \"/path\"", "password.file = \"/path\""),
            ("password = { env = \"NAME\", file = 1 }", "password = *"),
            ("a = { token = \"x\", b = 1 }", "a = { token = *, b = 1 }"),
            ("a = { token = x, b = 1 }", "a = { token = *"),
            ("api-key = x\nb = 1", "api-key = *\nb = 1"),
            ("password: x\nb = 1", "*\nb = 1"),
            ("password = \"x\nb = 1", "password =*"),
            ("# token = \"x\"\nb = 1", "# token = *\nb = 1"),
            ("url = \"https://user:x@host/path\"", "url = \"https://*@host/path\""),
            ("[smtp.token-mail]\nserver = \"a\"", "[smtp.token-mail]\nserver = \"a\""),
            ("monkey = \"x\"", "monkey = \"x\""),
        ] {
            let mut actual = text.to_owned();
            for range in hidden_ranges(text, &[], &super::super::load::SHAPE).into_iter().rev() {
                actual.replace_range(range, "*");
            }
            assert_eq!(actual, shown, "{text}");
        }
    }
}
