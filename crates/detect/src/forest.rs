//! Isolation forest: what takes few random cuts to be alone is strange.
//!
//! Liu, Ting, Zhou: "Isolation Forest" (ICDM 2008) and "Isolation-Based Anomaly Detection" (TKDD 2012). Each tree is grown
//! from a small random sample of the rows: a random feature is cut at a random place between its least and its greatest
//! value, until a row is alone or the tree is as deep as a balanced one would be. The score of a row is
//! `s = 2^(-E[h] / c(samples))`, where h is the number of cuts to the row's leaf plus `c(n)` for the n rows of the sample
//! that the leaf still holds, and c(n) the mean length of a failed search in a binary search tree of n entries.
//!
//! As in scikit-learn, values are compared as 32-bit floats and a feature that is constant in a node is not drawn there.
//! Unlike there, a feature is constant only if its values are equal (there: within 1e-7), so units do not matter.

mod grow;
mod path_length;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::error::TrainError;
use crate::matrix::{Matrix, OutOfRange};
use crate::options::ForestOptions;
use crate::random::Stream;
use crate::{MAX_FEATURES, MIN_ROWS, Training};
#[cfg(test)]
pub(crate) use tests::shape_of;
pub(crate) use tree::Branch;
use tree::{Node, Tree};

/// Trees that were grown from random samples of rows.
///
/// All trees lie in one piece of memory, each breadth first. A node of 8 bytes has its children side by side, and a leaf is
/// its own child: a walk is a loop of fixed length without a branch.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    nodes: Vec<Node>,
    /// For each node the mean path length of the rows of the sample that passed it; for a leaf h of the rows that end there.
    lengths: Vec<f64>,
    /// For each leaf the rows of the sample that ended there; 0 for other nodes.
    leaf_rows: Vec<u16>,
    trees: Vec<Tree>,
    columns: usize,
    samples: usize,
}

impl Forest {
    /// Grows a forest, in parallel; the same for a seed whatever the number of threads.
    pub fn grow(training: &Training<'_>, options: &ForestOptions) -> Result<Self, TrainError> {
        let matrix = training_matrix(training)?;
        options.check(matrix.len())?;
        Ok(Self::grown(&matrix, options))
    }

    /// Grows a forest with options that were checked.
    pub(crate) fn grown(matrix: &Matrix, options: &ForestOptions) -> Self {
        let samples = options.samples_of(matrix.len());
        let shapes: Vec<Vec<Branch>> = Stream::many(options.seed, options.trees)
            .into_par_iter()
            .map(|stream| grow::shape(matrix, samples, stream))
            .collect();
        let mut forest = Self::without_trees(matrix.columns(), samples);
        for shape in &shapes {
            forest.add(shape).expect("a tree that was just grown is whole");
        }
        forest
    }

    /// A forest to which trees are added.
    pub(crate) fn without_trees(columns: usize, samples: usize) -> Self {
        Self { nodes: Vec::new(), lengths: Vec::new(), leaf_rows: Vec::new(), trees: Vec::new(), columns, samples }
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Rows that each tree was grown from.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Number of values in a row.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }
}

/// The rows of a training as the trees see them; refuses what nothing can be learned from.
pub(crate) fn training_matrix(training: &Training<'_>) -> Result<Matrix, TrainError> {
    let (features, values) = (training.features, training.rows);
    if features.is_empty() {
        return Err(TrainError::NoFeatures);
    }
    if features.len() > MAX_FEATURES {
        return Err(TrainError::TooManyFeatures { features: features.len() });
    }
    let mut names: Vec<&String> = features.iter().collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(TrainError::NamedTwice { feature: twice[0].clone() });
    }
    if !values.len().is_multiple_of(features.len()) {
        return Err(TrainError::Uneven { values: values.len(), features: features.len() });
    }
    let rows = values.len() / features.len();
    if rows < MIN_ROWS {
        return Err(TrainError::TooFewRows { rows });
    }
    let matrix = Matrix::new(values, features.len()).map_err(|OutOfRange { row, column, value }| {
        let (row, feature) = (row + 1, features[column].clone());
        if value.is_finite() {
            TrainError::TooLarge { row, feature, value }
        } else {
            TrainError::NotFinite { row, feature, value }
        }
    })?;
    if matrix.values()[features.len()..].iter().zip(matrix.values()).all(|(value, above)| value == above) {
        return Err(TrainError::AllConstant { rows });
    }
    Ok(matrix)
}
