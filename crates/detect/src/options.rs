//! How a forest is grown.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Most trees of a forest.
pub const MAX_TREES: usize = 10_000;
/// Most rows that one tree is grown from. A node has two bytes for the place of its children, and a tree of n rows has up
/// to 2n - 1 nodes. Small samples are the point of the method: large ones hide anomalies that come in groups.
pub const MAX_SAMPLES: usize = 32_768;
pub(crate) const MIN_SAMPLES: usize = 2;
/// Most trees times samples: about 300 MB of memory.
pub(crate) const MAX_GROWN: usize = 1 << 23;
pub(crate) const MAX_CONTAMINATION: f64 = 0.5;

/// How a forest is grown. The defaults are those of the paper and of scikit-learn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForestOptions {
    /// Number of trees, 1 to [`MAX_TREES`]; 100 by default.
    pub trees: usize,
    /// Rows that each tree is grown from, drawn without replacement, 2 to [`MAX_SAMPLES`]; 256 by default. If there are
    /// fewer rows, all of them.
    pub samples: usize,
    /// The same seed over the same rows gives the same forest on every machine; 42 by default.
    pub seed: u64,
    /// Where the line between normal and anomaly is drawn.
    pub contamination: Contamination,
}

impl Default for ForestOptions {
    fn default() -> Self {
        Self { trees: 100, samples: 256, seed: 42, contamination: Contamination::Auto }
    }
}

impl ForestOptions {
    /// Rows that each tree is grown from when there are `rows` in all.
    pub(crate) fn samples_of(&self, rows: usize) -> usize {
        self.samples.min(rows)
    }

    /// Refuses what is out of range, for a training of `rows` rows.
    pub(crate) fn check(&self, rows: usize) -> Result<(), TrainError> {
        let (trees, samples) = (self.trees, self.samples_of(rows));
        if !(1..=MAX_TREES).contains(&trees) {
            return Err(TrainError::Trees { trees });
        }
        if !(MIN_SAMPLES..=MAX_SAMPLES).contains(&self.samples) {
            return Err(TrainError::Samples { samples: self.samples });
        }
        if trees * samples > MAX_GROWN {
            return Err(TrainError::TooLargeForest { trees, samples });
        }
        match self.contamination {
            Contamination::Share(share) if !is_share(share) => Err(TrainError::Contamination { share }),
            Contamination::Auto | Contamination::Share(_) => Ok(()),
        }
    }
}

/// Which share of the training rows counts as anomalies: where the threshold lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Contamination {
    /// Unknown: the threshold is 0.5, the score of a row that is as easy to isolate as one from a random tree.
    #[default]
    Auto,
    /// This share of the training rows, above 0 and up to 0.5: the threshold is that percentile of their scores.
    Share(f64),
}

fn is_share(share: f64) -> bool {
    share > 0.0 && share <= MAX_CONTAMINATION
}

impl Contamination {
    pub(crate) fn is_valid(self) -> bool {
        match self {
            Self::Auto => true,
            Self::Share(share) => is_share(share),
        }
    }
}

/// A text is no contamination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a contamination; write auto, or a share above 0 and up to 0.5, such as 0.01", clean(text))]
pub struct ContaminationError {
    text: String,
}

fn clean(text: &str) -> String {
    watchkeeper_core::text::clean(text, 40)
}

impl FromStr for Contamination {
    type Err = ContaminationError;

    /// Reads `auto` or a share, e.g. `0.01`.
    fn from_str(text: &str) -> Result<Self, ContaminationError> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        match trimmed.parse() {
            Ok(share) if is_share(share) => Ok(Self::Share(share)),
            _ => Err(ContaminationError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Contamination {
    /// As [`FromStr`] reads it, exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Share(share) => write!(f, "{share}"),
        }
    }
}

impl TryFrom<String> for Contamination {
    type Error = ContaminationError;

    fn try_from(text: String) -> Result<Self, ContaminationError> {
        text.parse()
    }
}

impl From<Contamination> for String {
    fn from(contamination: Contamination) -> Self {
        contamination.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contamination_reads_as_people_write_it() {
        for (text, expected) in [
            ("auto", Contamination::Auto),
            (" Auto ", Contamination::Auto),
            ("0.01", Contamination::Share(0.01)),
            ("0.5", Contamination::Share(0.5)),
            ("1e-3", Contamination::Share(0.001)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
            assert_eq!(expected.to_string().parse(), Ok(expected), "{text}");
        }
        for text in ["", "0", "-0.1", "0.51", "1", "5%", "NaN", "inf", "automatic"] {
            assert!(text.parse::<Contamination>().is_err(), "{text}");
        }
        assert_eq!(
            "0.7\u{1b}".parse::<Contamination>().unwrap_err().to_string(),
            "`0.7\\u{1b}` is not a contamination; write auto, or a share above 0 and up to 0.5, such as 0.01"
        );
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let default = ForestOptions::default;
        for (name, options, expected) in [
            ("no tree", ForestOptions { trees: 0, ..default() }, "a forest has 1 to 10000 trees, not 0"),
            ("many trees", ForestOptions { trees: 10_001, ..default() }, "a forest has 1 to 10000 trees, not 10001"),
            ("one row", ForestOptions { samples: 1, ..default() }, "a tree is grown from 2 to 32768 rows, not 1"),
            (
                "many rows",
                ForestOptions { samples: 32_769, ..default() },
                "a tree is grown from 2 to 32768 rows, not 32769",
            ),
            (
                "a wood",
                ForestOptions { trees: 257, samples: 32_768, ..default() },
                "257 trees of 32768 rows each are too large together; trees times samples may be 8388608 at most",
            ),
            (
                "nearly all",
                ForestOptions { contamination: Contamination::Share(0.6), ..default() },
                "contamination is a share above 0 and up to 0.5, not 0.6",
            ),
            (
                "no number",
                ForestOptions { contamination: Contamination::Share(f64::NAN), ..default() },
                "contamination is a share above 0 and up to 0.5, not NaN",
            ),
        ] {
            assert_eq!(options.check(1_000_000).unwrap_err().to_string(), expected, "{name}");
        }
        assert_eq!(default().check(10), Ok(()));
        // What counts is what the rows allow.
        assert_eq!(ForestOptions { trees: 10_000, samples: 32_768, ..default() }.check(100), Ok(()));
    }
}
