//! What a model was trained on: the part of it that people read.

use serde::{Deserialize, Serialize};

use crate::options::{Contamination, MAX_GROWN, MAX_SAMPLES, MAX_TREES, MIN_SAMPLES};
use crate::quantile::quantile;
use crate::{MAX_FEATURES, MIN_ROWS};

/// What a model was trained on and where its threshold lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Rows it learned from.
    pub rows: usize,
    /// The features in the order of a row.
    pub features: Vec<FeatureSummary>,
    /// When it was trained, in milliseconds UTC.
    pub trained_ms: i64,
    /// Where the rows came from. Foreign text.
    pub source: String,
    /// Distance of the rows in time, if it was known.
    pub interval_ms: Option<i64>,
    /// Number of trees.
    pub trees: usize,
    /// Rows that each tree was grown from.
    pub samples: usize,
    /// Seed of the random numbers.
    pub seed: u64,
    /// How the threshold was chosen.
    pub contamination: Contamination,
    /// A row whose score is greater is an anomaly; scikit-learn's `-offset_`.
    pub threshold: f64,
    /// How many of the training rows are anomalies by that threshold.
    pub flagged: usize,
}

/// What one feature looked like in the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSummary {
    /// Its name. Foreign text.
    pub name: String,
    /// Smallest value.
    pub min: f64,
    /// Lower end of the usual range: 10th percentile.
    pub p10: f64,
    /// 50th percentile.
    pub median: f64,
    /// Upper end of the usual range: 90th percentile.
    pub p90: f64,
    /// Largest value.
    pub max: f64,
    /// Whether it has one value in all rows, as far as 32-bit floats can tell: then it never splits a tree, and nothing
    /// that it does later changes a score.
    pub is_constant: bool,
}

impl FeatureSummary {
    /// From all values of a feature, at least one, all finite.
    pub(crate) fn of(name: &str, mut values: Vec<f64>) -> Self {
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut at = |share| quantile(&mut values, share);
        let (p10, median, p90) = (at(0.1), at(0.5), at(0.9));
        Self { name: name.to_owned(), min, p10, median, p90, max, is_constant: min as f32 == max as f32 }
    }
}

impl Summary {
    /// What cannot be in it, if there is such a thing: a summary out of a file is not trusted.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let in_order = |feature: &FeatureSummary| {
            let values = [feature.min, feature.p10, feature.median, feature.p90, feature.max];
            values.iter().all(|value| value.is_finite()) && values.is_sorted()
        };
        let mut names: Vec<&str> = self.features.iter().map(|feature| feature.name.as_str()).collect();
        names.sort_unstable();
        let checks = [
            (self.rows >= MIN_ROWS, "it was trained on too few rows"),
            ((1..=MAX_FEATURES).contains(&self.features.len()), "the number of features is out of range"),
            (names.windows(2).all(|pair| pair[0] != pair[1]), "two features have one name"),
            (self.features.iter().all(in_order), "the range of a feature is not in order"),
            (self.features.iter().any(|feature| !feature.is_constant), "all features are constant"),
            ((1..=MAX_TREES).contains(&self.trees), "the number of trees is out of range"),
            ((MIN_SAMPLES..=MAX_SAMPLES.min(self.rows)).contains(&self.samples), "the sample size is out of range"),
            (self.trees.saturating_mul(self.samples) <= MAX_GROWN, "the forest is out of range"),
            (self.contamination.is_valid(), "the contamination is out of range"),
            ((0.0..=1.0).contains(&self.threshold), "the threshold is out of range"),
            (self.flagged <= self.rows, "more rows are flagged than there were"),
        ];
        checks.into_iter().find_map(|(holds, what)| (!holds).then_some(what))
    }
}
