//! What came of tests, for people.

use std::fmt::Write as _;

use watchkeeper_analyze::series_test::{Difference, Outcome, SeriesTest};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;

/// Changes that are told of a test that failed.
const MOST_TOLD: usize = 20;

/// A line for each test, and below it what is other than expected.
pub fn report(played: &[(SeriesTest, Outcome)], failed: usize) -> String {
    let mut text = String::new();
    for (test, outcome) in played {
        let name = clean(&test.name, 200);
        if outcome.differences.is_empty() {
            let _ = writeln!(text, "ok      {name}");
            continue;
        }
        let _ = writeln!(text, "FAILED  {name}");
        for difference in &outcome.differences {
            let _ = writeln!(text, "        {}", sentence(difference));
        }
        text.push_str(&story(outcome));
    }
    let count = played.len();
    let tests = if count == 1 { "1 test".to_owned() } else { format!("{count} tests") };
    let _ = match failed {
        0 => writeln!(text, "{tests}, all as expected"),
        failed => writeln!(text, "{tests}, {failed} failed"),
    };
    text
}

fn sentence(difference: &Difference) -> String {
    let list = |alerts: &[String]| match alerts {
        [] => "nothing".to_owned(),
        alerts => alerts.iter().map(|alert| clean(alert, 120)).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!(
        "at {}: {} should be {}, and it is {}",
        after(difference.at_ms),
        difference.state.word(),
        list(&difference.expected),
        list(&difference.found)
    );
    for (alert, state) in &difference.instead {
        let alert = clean(alert, 120);
        let _ = match state {
            Some(state) => write!(text, "; {alert} is {}", state.word()),
            None => write!(text, "; there is no alert {alert}"),
        };
    }
    text
}

/// What happened, a line for each change.
fn story(outcome: &Outcome) -> String {
    if outcome.happened.is_empty() {
        return "        nothing happened\n".to_owned();
    }
    let mut text = "        what happened:\n".to_owned();
    for happened in outcome.happened.iter().take(MOST_TOLD) {
        let _ = writeln!(
            text,
            "          {:>10}  {} {}",
            after(happened.at_ms),
            clean(&happened.alert, 120),
            happened.state.word()
        );
    }
    let more = outcome.happened.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        let _ = writeln!(text, "          and {more} more changes");
    }
    text
}

/// A time of a test as it is written in one.
fn after(at_ms: i64) -> String {
    Span::from_ms(at_ms).to_string()
}
