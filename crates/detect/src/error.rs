//! Why a model could not be learned, asked or loaded, in sentences for people.

use watchkeeper_core::text::clean;

use crate::options::{MAX_CONTAMINATION, MAX_GROWN, MAX_SAMPLES, MAX_TREES, MIN_SAMPLES};
use crate::{MAX_FEATURES, MIN_ROWS};

/// Longest name of a feature in a sentence, in characters.
const NAME_LIMIT: usize = 80;

/// Why no model was learned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// There is no column.
    #[error("there is no feature to learn from")]
    NoFeatures,
    /// There are more columns than a node can number.
    #[error("{features} features are too many; a model has at most {MAX_FEATURES}")]
    TooManyFeatures {
        /// How many there are.
        features: usize,
    },
    /// Two columns cannot be told apart.
    #[error("feature `{}` is named twice", clean(feature, NAME_LIMIT))]
    NamedTwice {
        /// The name.
        feature: String,
    },
    /// The values do not make whole rows.
    #[error("{values} values do not make whole rows of {features} features")]
    Uneven {
        /// How many values there are.
        values: usize,
        /// How many make a row.
        features: usize,
    },
    /// Less than [`MIN_ROWS`].
    #[error(
        "{} too few to learn what is normal from; at least {MIN_ROWS} are needed, some hundreds are better",
        rows_are(*rows)
    )]
    TooFewRows {
        /// How many there are.
        rows: usize,
    },
    /// A value is NaN or infinite.
    #[error("row {row} has no number for `{}`, but {value}", clean(feature, NAME_LIMIT))]
    NotFinite {
        /// The row, counted from 1.
        row: usize,
        /// The feature.
        feature: String,
        /// NaN or an infinity.
        value: f64,
    },
    /// A value is finite but larger than a 32-bit float, which is what the trees compare.
    #[error(
        "row {row} has {value:e} for `{}`; values beyond {:.1e} cannot be learned from",
        clean(feature, NAME_LIMIT),
        f32::MAX
    )]
    TooLarge {
        /// The row, counted from 1.
        row: usize,
        /// The feature.
        feature: String,
        /// The value.
        value: f64,
    },
    /// No feature ever changes, so there is nothing to split by.
    #[error("no feature has two different values in {rows} rows, so there is nothing to learn from")]
    AllConstant {
        /// How many rows there are.
        rows: usize,
    },
    /// Number of trees out of range.
    #[error("a forest has 1 to {MAX_TREES} trees, not {trees}")]
    Trees {
        /// What was asked for.
        trees: usize,
    },
    /// Number of rows for each tree out of range.
    #[error("a tree is grown from {MIN_SAMPLES} to {MAX_SAMPLES} rows, not {samples}")]
    Samples {
        /// What was asked for.
        samples: usize,
    },
    /// Trees times samples is more than memory should hold.
    #[error(
        "{trees} trees of {samples} rows each are too large together; trees times samples may be {MAX_GROWN} at most"
    )]
    TooLargeForest {
        /// What was asked for.
        trees: usize,
        /// What was asked for, at most the rows.
        samples: usize,
    },
    /// Share of anomalies out of range.
    #[error("contamination is a share above 0 and up to {MAX_CONTAMINATION}, not {share}")]
    Contamination {
        /// What was asked for.
        share: f64,
    },
}

fn rows_are(rows: usize) -> String {
    match rows {
        0 => "no rows are".to_owned(),
        1 => "1 row is".to_owned(),
        rows => format!("{rows} rows are"),
    }
}

/// Why a row was not scored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// The row does not have one value for each feature, or values do not make whole rows.
    #[error("{values} values do not fit a model of {features} features")]
    WrongLength {
        /// How many values there are.
        values: usize,
        /// How many make a row.
        features: usize,
    },
    /// A value is NaN, infinite, or beyond the range of 32-bit floats.
    #[error(
        "row {row} cannot be scored: {value:e} for `{}` is not a number within {:.1e}",
        clean(feature, NAME_LIMIT),
        f32::MAX
    )]
    OutOfRange {
        /// The row, counted from 1.
        row: usize,
        /// The feature.
        feature: String,
        /// The value.
        value: f64,
    },
}

/// Why bytes are no model that can be used. Nothing of them was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Something else, not a model of Watchkeeper.
    #[error("this is not a model of Watchkeeper; {}", looks(*looks_like))]
    Foreign {
        /// What it looks like, with its article, if that is known.
        looks_like: Option<&'static str>,
    },
    /// A model that Python saved.
    #[error(
        "this looks like a model that Python saved (joblib or pickle); such a file is a program that runs when it is \
         loaded, so Watchkeeper does not load it"
    )]
    Joblib,
    /// Written by a later version of the program.
    #[error("the model has format version {found}, and this program knows versions up to {known}")]
    Newer {
        /// Version in the file.
        found: u32,
        /// Latest version this program can read.
        known: u32,
    },
    /// A model of ours that is cut, changed, or says what cannot be.
    #[error("the model is damaged: {what}")]
    Damaged {
        /// What is wrong: lower case, no full stop.
        what: String,
    },
}

fn looks(like: Option<&'static str>) -> String {
    like.map_or_else(
        || "its content is of no kind that is known here".to_owned(),
        |like| format!("it looks like {like}"),
    )
}
