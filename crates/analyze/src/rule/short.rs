//! Windows in which there is too little to be seen.

use watchkeeper_core::Problem;
use watchkeeper_core::quantity::Span;

use crate::question::Question;

/// Windows of a condition that are shorter than the time in which there is something to be seen.
pub(super) fn short_windows(question: &Question, key_path: &str, shortest_ms: i64, interval_ms: i64) -> Vec<Problem> {
    let inputs = question.condition.inputs().iter();
    let short = inputs.filter(|input| input.window.is_some_and(|window| window.length_ms < shortest_ms));
    let [shortest, interval] = [shortest_ms, interval_ms].map(Span::from_ms);
    short
        .map(|input| {
            let message = format!("the window of `{input}` is under three collection intervals of {interval}");
            Problem::new(key_path, message)
                .help(format!("write \"{shortest}\" or more, or set a shorter [collect] interval"))
        })
        .collect()
}
