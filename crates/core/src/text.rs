//! Texts for people: local time, foreign text made safe, the sentence that names the culprit.

mod pattern;
mod trend;

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::evidence::{Contributor, Evidence};
use crate::identity::Entity;
use crate::unit::Unit;

pub use pattern::pattern_sentence;
pub use trend::trend_sentence;

/// Smaller shares read `0.0 %`.
const LEAST_SHARE: f64 = 0.000_5;

/// Local time as `YYYY-MM-DD HH:MM:SS`; a time outside the calendar reads `unknown time`.
pub fn local_time(ts_ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(ts_ms) {
        Ok(timestamp) => timestamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "unknown time".to_owned(),
    }
}

/// A length of time for people: `45 s`, `3 m 20 s`, `2 h 1 m`.
pub fn duration(ms: i64) -> String {
    Unit::Seconds.show(ms as f64 / 1_000.0).to_string()
}

/// Foreign text made safe for terminals, sheets and mails: control characters, line breaks and characters that reorder
/// or hide text become visible escapes; at most `limit` characters, then `…`. Markup is the renderer's business.
pub fn clean(foreign: &str, limit: usize) -> String {
    let mut text = String::with_capacity(foreign.len().min(limit * 4));
    for (count, c) in foreign.chars().enumerate() {
        if count >= limit {
            text.push('…');
            break;
        }
        match c {
            '\t' | '\n' | '\r' => text.push(' '),
            c if is_active(c) => {
                let _ = write!(text, "\\u{{{:x}}}", c as u32);
            }
            c => text.push(c),
        }
    }
    text
}

/// Characters that a terminal acts on instead of showing them: control characters, and those that hide or reorder text.
pub fn is_active(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Characters that have no width or change the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What a contributor is called: program and pid.
pub fn contributor_name(contributor: &Contributor) -> String {
    format!("{} (pid {})", clean(&contributor.program, 80), contributor.key.pid)
}

/// A title with the sentence that names the culprit, the name not said twice: where the title already ends with it, only what it
/// takes is added.
pub fn title_with_culprit(title: &str, evidence: &Evidence) -> String {
    let title = clean(title, 200);
    let Some(sentence) = culprit_sentence(evidence) else { return title };
    let said = evidence.top.first().map(contributor_name).filter(|name| title.ends_with(name.as_str()));
    match said.and_then(|name| sentence.strip_prefix(name.as_str())) {
        // That who stands beside a socket listens there needs no words.
        Some(_) if matches!(evidence.entity, Entity::Socket(_)) => title,
        Some(rest) => format!("{title}{rest}"),
        None => format!("{title}: {sentence}"),
    }
}

/// The value that an alert fired at, in its unit; a condition on words has no number and is shown as it is written.
pub fn value_words(evidence: &Evidence) -> String {
    match evidence.unit {
        Unit::Text => clean(&evidence.condition, 200),
        unit => unit.show(evidence.value).to_string(),
    }
}

/// From a process up to who started it, clean names; `None` where nobody but itself and its siblings is known.
pub fn started_by(evidence: &Evidence, arrow: &str) -> Option<String> {
    let names: Vec<String> = evidence.lineage.iter().map(|name| clean(name, 80)).collect();
    (names.len() > 1).then(|| names.join(arrow))
}

/// The sentence that names the culprit, without full stop, e.g. `yes (pid 4711) takes 49.8 % of this machine's CPU`.
/// `None` if no process contributed, or so little that it would read as nothing.
pub fn culprit_sentence(evidence: &Evidence) -> Option<String> {
    let first = evidence.top.first()?;
    let ranked_by = evidence.ranked_by.as_ref()?;
    let name = contributor_name(first);
    if let Entity::Socket(_) = evidence.entity {
        // Evidence of a socket whose listener is not known names nobody.
        return Some(format!("{name} listens there"));
    }
    if first.amount.share.is_some_and(|share| share.abs() < LEAST_SHARE) {
        return None;
    }
    // Whoever was killed takes nothing any more.
    let takes = if evidence.metric == "system.linux.oom_kills" { "took" } else { "takes" };
    Some(match first.amount.share {
        Some(share) => {
            let share = Unit::Ratio.show(share);
            format!("{name} {takes} {share} of {}", ranked_by.whole)
        }
        None => format!("{name} {takes} {}", ranked_by.unit.show(first.amount.value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_local() {
        assert_eq!(local_time(0, &TimeZone::UTC), "1970-01-01 00:00:00");
        assert_eq!(local_time(1_795_143_845_000, &TimeZone::fixed(jiff::tz::offset(1))), "2026-11-20 04:04:05");
        assert_eq!(local_time(i64::MAX, &TimeZone::UTC), "unknown time");
    }

    #[test]
    fn foreign_text_is_made_visible() {
        for (foreign, safe) in [
            ("nginx", "nginx"),
            ("a\nb\tc", "a b c"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("rtl\u{202e}txt", "rtl\\u{202e}txt"),
            ("日本語", "日本語"),
            ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
        ] {
            assert_eq!(clean(foreign, 100), safe);
        }
        assert_eq!(clean("abcdef", 3), "abc…");
    }

    proptest! {
        #[test]
        fn clean_text_has_no_control_characters(foreign in "\\PC*|[\\x00-\\x1f\\x7f-\\xa0]*", limit in 0_usize..50) {
            let safe = clean(&foreign, limit);
            prop_assert!(!safe.chars().any(|c| c.is_control() || is_invisible(c)));
        }
    }
}
