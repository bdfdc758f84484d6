//! "Did you mean".

/// The candidate that somebody who typed `word` most likely meant.
pub fn nearest(word: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    // A foreign word may be as long as the file; nobody mistypes a key of that length.
    const LONGEST: usize = 60;
    if word.len() > LONGEST {
        return None;
    }
    let scored = candidates.into_iter().map(|candidate| {
        let distance = strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase());
        (distance, candidate)
    });
    // A third of the letters may be wrong, but not all of a short word.
    let allowed = (word.chars().count() / 3).max(1);
    scored.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["interval", "command_line", "tier", "smtp", "to"].map(str::to_owned);
        for (typed, meant) in [
            ("intervall", Some("interval")),
            ("Interval", Some("interval")),
            ("commandline", Some("command_line")),
            ("smpt", Some("smtp")),
            ("teir", Some("tier")),
            ("ot", Some("to")),
            ("colour", None),
            ("", None),
            (&"interval".repeat(20), None),
        ] {
            assert_eq!(nearest(typed, words.clone()).as_deref(), meant, "{typed}");
        }
    }
}
