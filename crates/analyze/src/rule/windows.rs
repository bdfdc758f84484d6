//! Windows that are too short for the interval that the machine is looked at in.

use watchkeeper_core::Problem;
use watchkeeper_core::quantity::Span;

use super::Parts;
use crate::question::Question;

/// Windows of a rule in which there would be under three looks.
pub(super) fn too_short(parts: &Parts, shortest_ms: i64, interval_ms: i64) -> Vec<Problem> {
    let key_path = if parts.expect.is_some() { "expect.process" } else { "when" };
    let mut problems = in_question(key_path, &parts.when, shortest_ms, interval_ms);
    if let Some(clear) = parts.clear.written() {
        problems.extend(in_question("clear", clear, shortest_ms, interval_ms));
    }
    problems
}

fn in_question(key_path: &str, question: &Question, shortest_ms: i64, interval_ms: i64) -> Vec<Problem> {
    let (shortest, interval) = (Span::from_ms(shortest_ms), Span::from_ms(interval_ms));
    let short = question
        .condition
        .inputs()
        .iter()
        .filter(|input| input.window.is_some_and(|window| window.length_ms < shortest_ms));
    short
        .map(|input| {
            let message = format!("the window of `{input}` is under three collection intervals of {interval}");
            Problem::new(key_path, message)
                .help(format!("write \"{shortest}\" or more, or set a shorter [collect] interval"))
        })
        .collect()
}
