//! Learns what is normal for a machine, scores what is not, and says why. Pure: no input or output, no clock.
//!
//! [`Model`] is an isolation forest with the names of its features and what it was trained on. [`Model::train`] learns
//! one from rows of numbers, [`Model::judge`] scores a row and names the features that drive the score,
//! [`Model::to_bytes`] and [`Model::from_bytes`] are the model file. [`Forest`] is the algorithm alone: that of Liu, Ting
//! and Zhou (2008, 2012), with the same scores as scikit-learn's `IsolationForest`.

#![forbid(unsafe_code)]

mod error;
mod forest;
mod matrix;
mod model;
mod options;
mod quantile;
mod random;
mod summary;

pub use error::{ModelError, ScoreError, TrainError};
pub use forest::Forest;
pub use model::{Assessment, MAGIC, Model, Reason, Verdict};
pub use options::{Contamination, ContaminationError, ForestOptions, MAX_SAMPLES, MAX_TREES};
pub use summary::{FeatureSummary, Summary};

/// What a model learns from.
///
/// One row is one moment, one feature is one number of it.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// Names of the features, each once. Foreign text.
    pub features: &'a [String],
    /// The values row by row, in the order of `features`; all finite and within the range of 32-bit floats.
    pub rows: &'a [f64],
    /// When this is, in milliseconds UTC; goes into the summary.
    pub at_ms: i64,
    /// Where the rows come from, for people. Foreign text.
    pub source: &'a str,
    /// Distance of the rows in time, if it is known; whoever scores should look as often.
    pub interval_ms: Option<i64>,
}

/// Fewest rows that a model is learned from.
///
/// With n rows, the next ordinary row lies outside of all of them with probability 2/(n+1) in each feature. At ten that is
/// nearly one in five; and below ten the 10th and 90th percentile that people see as the usual range are just the extremes.
pub const MIN_ROWS: usize = 10;

/// Most features of a model: a node has two bytes for the feature, and one value of them marks a leaf.
pub const MAX_FEATURES: usize = u16::MAX as usize;
