//! Names that no field has, and what was probably meant.

use std::ops::Range;

use crate::error::ExpressionError;
use crate::field::Fields;

/// Least likeness of a name that is suggested: 0 nothing in common, 1 the same.
const LIKENESS: f64 = 0.6;

/// No field has this name.
pub(super) fn unknown_name(name: &str, range: &Range<usize>, fields: &dyn Fields) -> ExpressionError {
    let error = ExpressionError::new(range.clone(), format!("there is no field `{name}`"));
    let names = fields.names();
    let ending = format!(".{name}");
    let mut similar: Vec<&str> = names.iter().map(String::as_str).filter(|known| known.ends_with(&ending)).collect();
    if similar.is_empty() {
        similar = most_like(name, names.iter().map(String::as_str)).into_iter().collect();
    }
    let quoted: Vec<String> = similar.iter().take(3).map(|known| format!("`{known}`")).collect();
    error.help(match (quoted.as_slice(), name.contains('.')) {
        ([], true) => "all fields stand in docs/rules.md".to_owned(),
        ([], false) => format!("all fields stand in docs/rules.md; text stands in quotes: \"{name}\""),
        _ => format!("did you mean {}?", quoted.join(" or ")),
    })
}

/// The word that is most like this one, if any is like it.
pub(super) fn most_like<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(known, word);
    known.filter(|known| likeness(known) >= LIKENESS).max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}
