//! What is wrong with a condition: where, in which words, and how to mend it.

use std::ops::Range;

use thiserror::Error;
use watchkeeper_core::Problem;

/// The text is not an expression, or the expression does not fit the fields that exist, their units or what a condition
/// may be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Bytes of the text, on character boundaries; empty at the end of the text if something is missing there.
    pub range: Range<usize>,
    /// How to mend it, if there is something to say.
    pub help: Option<String>,
}

impl ExpressionError {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), range, help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same as a mistake at a key of the configuration.
    pub fn problem(self, key_path: &str) -> Problem {
        let problem = Problem::new(key_path, self.message).within(self.range);
        Problem { help: self.help, ..problem }
    }
}
