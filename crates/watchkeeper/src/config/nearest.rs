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
    let begun = word.to_lowercase();
    // `crit` is the beginning of a word, however much of it is missing.
    let is_near = |(distance, candidate): &(usize, String)| {
        *distance <= allowed || begun.len() >= 3 && candidate.to_lowercase().starts_with(&begun)
    };
    scored.filter(is_near).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_beginning_of_a_word_is_near_to_it() {
        let meant = |word| nearest(word, ["info", "warning", "critical"].map(str::to_owned));
        assert_eq!(meant("crit").as_deref(), Some("critical"));
        assert_eq!(meant("Warn").as_deref(), Some("warning"));
        assert_eq!(meant("cr"), None);
    }

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
