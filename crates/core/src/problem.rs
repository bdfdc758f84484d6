//! What is wrong with a setting, said so that a person can mend it.

use serde::{Deserialize, Serialize};

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where: dotted keys from the root of the struct that was validated, list entries by index, e.g. `rule.0.when`.
    pub key_path: String,
    /// Byte range inside the value at `key_path`, for texts with an inner syntax such as a rule's condition.
    pub within: Option<std::ops::Range<usize>>,
    /// What is wrong: lower case, no full stop, no secret.
    pub message: String,
    /// How to mend it, if there is something to say.
    pub help: Option<String>,
    /// Where the same was written before, for what may stand only once: a path like `key_path`.
    #[serde(default)]
    pub first: Option<String>,
}

impl Problem {
    /// A mistake at a key.
    pub fn new(key_path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key_path: key_path.into(), within: None, message: message.into(), help: None, first: None }
    }

    /// The same with a sentence on how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with a byte range inside the value.
    #[must_use]
    pub fn within(mut self, range: std::ops::Range<usize>) -> Self {
        self.within = Some(range);
        self
    }

    /// The same with where it was written before.
    #[must_use]
    pub fn first(mut self, key_path: impl Into<String>) -> Self {
        self.first = Some(key_path.into());
        self
    }

    /// The same, seen from a struct that holds the validated one under `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.key_path = joined(prefix, &self.key_path);
        self.first = self.first.map(|path| joined(prefix, &path));
        self
    }
}

fn joined(prefix: &str, path: &str) -> String {
    if path.is_empty() { prefix.to_owned() } else { format!("{prefix}.{path}") }
}

/// A section of the configuration that can say everything that is wrong with it, without doing anything.
pub trait Validate {
    /// All mistakes at once; empty when the section can be used.
    fn validate(&self) -> Vec<Problem>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_are_seen_from_the_struct_that_holds_them() {
        let problem = Problem::new("id", "used twice").under("1").first("0.id").under("rule");
        assert_eq!((problem.key_path.as_str(), problem.first.as_deref()), ("rule.1.id", Some("rule.0.id")));
        assert_eq!(Problem::new("", "wrong").under("rule").key_path, "rule");
    }
}
