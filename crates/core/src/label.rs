//! Labels: names and values that people give to machines and rules, and that routes and silences match.

use std::collections::BTreeMap;

use crate::problem::Problem;
use crate::text::clean;

/// Labels of one thing.
const MOST_LABELS: usize = 32;
/// Longest name of a label in bytes.
const LONGEST_NAME: usize = 64;
/// Longest value of a label in characters.
const LONGEST_VALUE: usize = 200;

/// Everything that is wrong with labels, at `labels` and `labels.NAME`.
pub fn label_problems(labels: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if labels.len() > MOST_LABELS {
        problems.push(Problem::new("labels", format!("there are more than {MOST_LABELS} labels")));
    }
    for (name, value) in labels {
        let mut wrong = |message: String| problems.push(Problem::new(format!("labels.{name}"), message));
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || name.as_bytes()[0].is_ascii_digit() {
            wrong("the name of a label has letters, digits and `_`, and begins with no digit".to_owned());
        } else if name.len() > LONGEST_NAME {
            wrong(format!("the name of the label `{}` is longer than {LONGEST_NAME} characters", clean(name, 20)));
        }
        if value.chars().any(char::is_control) {
            wrong("a label has control characters in it".to_owned());
        } else if value.chars().count() > LONGEST_VALUE {
            wrong(format!("a label is longer than {LONGEST_VALUE} characters"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_plain_names_and_short_values() {
        let long = "x".repeat(201);
        let long_name = "x".repeat(65);
        for (name, value, said) in [
            ("env", "prod", None),
            ("_team2", "Düsseldorf, 2nd floor", None),
            ("env", "", None),
            ("", "x", Some("the name of a label has letters")),
            ("2nd", "x", Some("begins with no digit")),
            ("a.b", "x", Some("the name of a label has letters")),
            ("a b", "x", Some("the name of a label has letters")),
            ("env", "a\u{1b}[31m", Some("a label has control characters in it")),
            ("env", long.as_str(), Some("a label is longer than 200 characters")),
            (long_name.as_str(), "x", Some("is longer than 64 characters")),
        ] {
            let found = label_problems(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
            assert_eq!(found.len(), usize::from(said.is_some()), "{name}: {found:?}");
            for problem in found {
                assert!(problem.message.contains(said.unwrap_or_default()), "{name}: {problem:?}");
                assert_eq!(problem.key_path, format!("labels.{name}"));
            }
        }
        let many = |count: usize| (0..count).map(|n| (format!("l{n}"), String::new())).collect();
        assert_eq!(label_problems(&many(32)), []);
        assert_eq!(label_problems(&many(33)).len(), 1);
    }
}
