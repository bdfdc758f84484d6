//! A forest with the names of its features and what it was trained on.

mod file;
mod foreign;

#[cfg(test)]
mod tests;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::Serialize;

use crate::Training;
use crate::error::{ModelError, ScoreError, TrainError};
use crate::forest::{Forest, training_matrix};
use crate::matrix::{Matrix, OutOfRange};
use crate::options::{Contamination, ForestOptions};
use crate::quantile::quantile;
use crate::summary::{FeatureSummary, Summary};

pub use file::MAGIC;

/// Threshold for [`Contamination::Auto`]: the score of a row whose path is as long as the mean of a random tree.
const AUTO_THRESHOLD: f64 = 0.5;

/// What is normal for a machine: an isolation forest over named features, and where the line to an anomaly lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    forest: Forest,
    summary: Summary,
}

/// What a model says about a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Above 0 and at most 1, higher is stranger; `-score_samples` of scikit-learn.
    pub score: f64,
    /// The model's threshold.
    pub threshold: f64,
    /// Whether the score is above the threshold.
    pub is_anomaly: bool,
    /// The features that make the row strange, largest share first; empty if none does.
    pub reasons: Vec<Reason>,
}

/// What a model says about a row in short, without reasons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assessment {
    /// Above 0 and at most 1, higher is stranger.
    pub score: f64,
    /// The model's threshold.
    pub threshold: f64,
    /// Share of the trees whose own path puts the row on the same side of the threshold, 0..1.
    pub confidence: f64,
}

/// A feature's part in a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// Name of the feature. Foreign text.
    pub feature: String,
    /// Its value in the row.
    pub value: f64,
    /// 10th percentile of the training rows.
    pub usual_low: f64,
    /// 90th percentile of the training rows.
    pub usual_high: f64,
    /// Above 0 and at most 1; all shares of a verdict make 1.
    pub share: f64,
}

impl Model {
    /// Learns a model from rows, in parallel; the same for a seed whatever the number of threads.
    ///
    /// # Errors
    /// If the rows or the options do not allow it, in a sentence for people.
    pub fn train(training: &Training<'_>, options: &ForestOptions) -> Result<Self, TrainError> {
        let matrix = training_matrix(training)?;
        options.check(matrix.len())?;
        let forest = Forest::grown(&matrix, options);
        let scores = forest.score_rows(&matrix);
        let threshold = threshold(&scores, options.contamination);
        let summary = Summary {
            rows: matrix.len(),
            features: features(training),
            trained_ms: training.at_ms,
            source: training.source.to_owned(),
            interval_ms: training.interval_ms,
            trees: forest.trees(),
            samples: forest.samples(),
            seed: options.seed,
            contamination: options.contamination,
            threshold,
            flagged: scores.iter().filter(|score| **score > threshold).count(),
        };
        Ok(Self { forest, summary })
    }

    /// Names of the features, in the order of a row.
    pub fn features(&self) -> impl ExactSizeIterator<Item = &str> {
        self.summary.features.iter().map(|feature| feature.name.as_str())
    }

    /// What the model was trained on, and its threshold.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Score of a row: above 0 and at most 1, higher is stranger; `-score_samples` of scikit-learn.
    pub fn score(&self, row: &[f64]) -> Result<f64, ScoreError> {
        Ok(self.forest.score_row(self.single(row)?.row(0)))
    }

    /// Score of a row, and how many of the trees agree with what follows from it. The score of a single tree is that of a
    /// forest of one, so a threshold of 1 or more is beyond all of them.
    pub fn assess(&self, row: &[f64]) -> Result<Assessment, ScoreError> {
        let threshold = self.summary.threshold;
        let (score, confidence) = self.forest.assess_row(self.single(row)?.row(0), threshold);
        Ok(Assessment { score, threshold, confidence })
    }

    /// Scores of many rows, one behind the other, in parallel; each is what [`Model::score`] says, to the last bit.
    pub fn score_all(&self, rows: &[f64]) -> Result<Vec<f64>, ScoreError> {
        Ok(self.forest.score_rows(&self.matrix(rows)?))
    }

    /// Whether a row is an anomaly, and which features make it one.
    ///
    /// In each tree a row takes a path of nodes. At each node the training rows that passed it have a mean path length; by
    /// how much it changes from a node to the next is credited to the feature that split there. Over a whole path these
    /// credits make exactly the difference between the row's path length and the mean (Saabas, "Interpreting random
    /// forests", 2014; the path attribution from which `TreeSHAP` departs), and the logarithm of the score is linear in the
    /// path length. That split features are drawn at random, and not by merit, spares an isolation forest what this
    /// attribution is known for: to favour features that a greedy tree splits by late. A feature's share is what it took
    /// from the path length, divided by what all features took that made the path shorter; what made it longer is no
    /// reason. Asking instead how far the score falls when a feature is set to its median, or to the best of the ends of its
    /// usual range, costs one walk or three for each feature, named the one strange value first less often, and finds nothing
    /// where the median itself lies between two habits.
    pub fn judge(&self, row: &[f64]) -> Result<Verdict, ScoreError> {
        let matrix = self.single(row)?;
        let score = self.forest.score_row(matrix.row(0));
        let threshold = self.summary.threshold;
        let contributions = self.forest.contributions(matrix.row(0));
        let shortened: f64 = contributions.iter().map(|cuts| (-cuts).max(0.0)).sum();
        let driving = contributions.iter().zip(row).zip(&self.summary.features).filter(|((cuts, _), _)| **cuts < 0.0);
        let mut reasons: Vec<Reason> = driving
            .map(|((cuts, value), feature)| Reason {
                feature: feature.name.clone(),
                value: *value,
                usual_low: feature.p10,
                usual_high: feature.p90,
                share: -cuts / shortened,
            })
            .collect();
        reasons.sort_by(|a, b| b.share.total_cmp(&a.share));
        Ok(Verdict { score, threshold, is_anomaly: score > threshold, reasons })
    }

    /// The model file: format version 1, see `model/file.rs`.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(self)
    }

    /// Reads a model file. Executes nothing of it, allocates in proportion to its length, and checks everything.
    ///
    /// # Errors
    /// A sentence that says what the bytes are instead.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        file::read(bytes)
    }

    fn single(&self, row: &[f64]) -> Result<Matrix, ScoreError> {
        if row.len() != self.forest.columns() {
            return Err(ScoreError::WrongLength { values: row.len(), features: self.forest.columns() });
        }
        self.matrix(row)
    }

    fn matrix(&self, rows: &[f64]) -> Result<Matrix, ScoreError> {
        let features = self.forest.columns();
        if !rows.len().is_multiple_of(features) {
            return Err(ScoreError::WrongLength { values: rows.len(), features });
        }
        Matrix::new(rows, features).map_err(|OutOfRange { row, column, value }| ScoreError::OutOfRange {
            row: row + 1,
            feature: self.summary.features[column].name.clone(),
            value,
        })
    }
}

/// Where the line lies. scikit-learn takes the percentile of the negative scores; so do we, because the interpolation is not
/// the same from the other side to the last bit.
fn threshold(scores: &[f64], contamination: Contamination) -> f64 {
    match contamination {
        Contamination::Auto => AUTO_THRESHOLD,
        Contamination::Share(share) => {
            let mut negative: Vec<f64> = scores.iter().map(|score| -score).collect();
            -quantile(&mut negative, share)
        }
    }
}

fn features(training: &Training<'_>) -> Vec<FeatureSummary> {
    let count = training.features.len();
    let column = |feature: usize| training.rows.iter().skip(feature).step_by(count).copied().collect();
    (0..count).into_par_iter().map(|feature| FeatureSummary::of(&training.features[feature], column(feature))).collect()
}
