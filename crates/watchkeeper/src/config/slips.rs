//! What people probably meant where a condition is no TOML: conditions are full of quotes.

use watchkeeper_core::text::clean;

/// Keys whose values are conditions.
const CONDITIONS: [&str; 3] = ["when", "clear", "match"];
/// Longest condition in a help, in characters.
const LONGEST: usize = 120;

/// How the quotes in a line must have been meant, after what the parser says about it.
pub(super) fn quotes(line: &str, message: &str) -> Option<String> {
    if message.contains("expected `'`") {
        return Some("write `'` at its end".to_owned());
    }
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    if !CONDITIONS.contains(&key) {
        return None;
    }
    let inner = value.strip_prefix('"').map_or(value, |rest| rest.strip_suffix('"').unwrap_or(rest));
    let is_in_single_quotes = value.starts_with('\'');
    (!is_in_single_quotes && !inner.is_empty() && !inner.contains('\''))
        .then(|| format!("write single quotes around it: {key} = '{}'", clean(inner, LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::quotes;

    #[test]
    fn a_condition_without_single_quotes_is_shown_with_them() {
        let message = "unexpected key or value";
        for (line, help) in [
            ("when = \"a > \"90%\"\"", Some("write single quotes around it: when = 'a > \"90%\"'")),
            (
                "  clear=\"a < \"90%\" && b == \"x\"\"  ",
                Some("write single quotes around it: clear = 'a < \"90%\" && b == \"x\"'"),
            ),
            ("when = a > \"90%\"", Some("write single quotes around it: when = 'a > \"90%\"'")),
            (
                "match = severity == \"critical\"",
                Some("write single quotes around it: match = 'severity == \"critical\"'"),
            ),
            // Nothing is guessed of what is written otherwise.
            ("when = 'a > \"90%\"' x", None),
            ("when = a == 'x'", None),
            ("when =", None),
            ("password = \"a\"b\"", None),
            ("when", None),
        ] {
            assert_eq!(quotes(line, message).as_deref(), help, "{line}");
        }
    }
}
