//! Places inside a text: the byte of the value as the byte of the source, through quotes and escapes.

use std::ops::Range;

/// Where a range of the decoded value stands in its token, both in bytes. `None` if the token is not the value's.
///
/// `token` is the value as it was written: in one of TOML's four kinds of quotes, or plain (a variable).
pub fn within(token: &str, value: &str, range: &Range<usize>) -> Option<Range<usize>> {
    let offsets = if token == value { (0..=value.len()).collect() } else { offsets(token, value)? };
    let start = range.start.min(value.len());
    let end = range.end.clamp(start, value.len());
    Some(*offsets.get(start)?..*offsets.get(end)?)
}

/// For each byte of `value`, and its end, the byte of `token` it came from.
fn offsets(token: &str, value: &str) -> Option<Vec<usize>> {
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| token.starts_with(quotes))?;
    let body = token.get(quotes.len()..token.len().checked_sub(quotes.len())?)?;
    let mut at = quotes.len();
    let mut rest = body;
    if quotes.len() == 3 {
        let line_end = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
        rest = &rest[line_end..];
        at += line_end;
    }
    let mut offsets = Vec::with_capacity(value.len() + 1);
    let mut decoded = String::with_capacity(value.len());
    while let Some(c) = rest.chars().next() {
        let (piece, length) =
            if c == '\\' && quotes.starts_with('"') { escape(rest)? } else { (Some(c), c.len_utf8()) };
        if let Some(piece) = piece {
            decoded.push(piece);
            offsets.resize(decoded.len(), at);
        }
        at += length;
        rest = rest.get(length..)?;
    }
    offsets.push(at);
    (decoded == value).then_some(offsets)
}

/// What an escape at the start of `text` stands for, and its length. An escaped line end stands for nothing.
fn escape(text: &str) -> Option<(Option<char>, usize)> {
    let kind = text[1..].chars().next()?;
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if digits > 0 {
        let code = u32::from_str_radix(text.get(2..2 + digits)?, 16).ok()?;
        return Some((Some(char::from_u32(code)?), 2 + digits));
    }
    let c = match kind {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        '"' => '"',
        '\\' => '\\',
        ' ' | '\t' | '\r' | '\n' => {
            let rest = text[1..].trim_start_matches([' ', '\t', '\r', '\n']);
            return Some((None, text.len() - rest.len()));
        }
        _ => return None,
    };
    Some((Some(c), 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::DeValue;

    use super::*;

    #[test]
    fn a_place_in_a_value_is_found_in_the_source() {
        for (token, inner, found) in [
            ("'a > 5'", "5", "5"),
            ("\"a > 5\"", "5", "5"),
            (r#""a > \"90\"""#, "\"90\"", r#"\"90\""#),
            (r#""\u00e9\t> 5""#, ">", ">"),
            (r#""\u00e9 > 5""#, "é", r"\u00e9"),
            ("'é > 5'", "> 5", "> 5"),
            ("\"\"\"\nx > 5\"\"\"", "> 5", "> 5"),
            ("'''\r\nx\n> 5'''", "> 5", "> 5"),
            ("\"\"\"x \\\n   > 5\"\"\"", "> 5", "> 5"),
            ("a > 5", "> 5", "> 5"),
        ] {
            let parsed = DeValue::parse(token);
            let value = parsed.as_ref().ok().and_then(|v| v.get_ref().as_str()).unwrap_or(token);
            let start = value.find(inner).unwrap();
            let range = within(token, value, &(start..start + inner.len())).unwrap();
            assert_eq!(&token[range], found, "{token}");
        }
    }

    proptest! {
        #[test]
        fn every_string_that_toml_reads_is_mapped(body in "[a-c\\\\\"'nrtux0-9 \n\u{e9}]{0,24}", quotes in 0..4_usize) {
            let quotes = ["\"\"\"", "'''", "\"", "'"][quotes];
            let token = format!("{quotes}{body}{quotes}");
            if let Ok(parsed) = DeValue::parse(&token)
                && let Some(value) = parsed.get_ref().as_str()
            {
                let range = within(&token, value, &(0..value.len()));
                prop_assert!(range.is_some(), "{token:?} {value:?}");
            }
        }

        #[test]
        fn any_range_is_answered(token in "\\PC{0,12}", value in "\\PC{0,12}", start in 0_usize..20, end in 0_usize..20) {
            let _ = within(&token, &value, &(start..end));
        }
    }
}
