//! Trees in memory, and their shape as a list of nodes.

use crate::forest::Forest;
use crate::forest::path_length::{average_path_length, depth_limit};

/// A node of a tree's shape. The shape of a tree lists its nodes breadth first, so that the children of the k-th split are
/// the nodes 2k + 1 and 2k + 2: an order in which no reference can be wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Branch {
    /// Values up to the threshold go left.
    Split {
        /// Number of the feature.
        feature: u16,
        /// Finite.
        threshold: f32,
    },
    /// Where a path ends.
    Leaf {
        /// Rows of the sample that ended here, at least one.
        rows: u16,
    },
}

/// Why a list of nodes is no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("it ends before all its branches do")]
    Cut,
    #[error("it goes on behind its last leaf")]
    TooLong,
    #[error("it is deeper than {limit} levels")]
    TooDeep { limit: u32 },
    #[error("node {node} splits by feature {feature}, and there are {columns}")]
    NoSuchFeature { node: usize, feature: u16, columns: usize },
    #[error("the threshold of node {node} is not a number")]
    NotFinite { node: usize },
    #[error("its leaves hold {found} rows and not {samples}")]
    WrongRows { found: usize, samples: usize },
}

/// One step of a walk: to `child` if the value is up to the threshold, to the node behind it otherwise. A leaf has itself as
/// child and a threshold that no value exceeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) threshold: f32,
    pub(super) feature: u16,
    /// Counted from the root of the tree.
    pub(super) child: u16,
}

/// Where a tree lies among the nodes of the forest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tree {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Cuts on its longest path.
    pub(super) depth: u32,
}

impl Forest {
    /// Adds a tree; refuses a shape that no tree over the sample can have, and leaves the forest as it was then.
    pub(crate) fn add(&mut self, shape: &[Branch]) -> Result<(), TreeError> {
        let depths = self.checked_depths(shape)?;
        let start = self.nodes.len();
        let mut splits = 0;
        for (place, branch) in shape.iter().enumerate() {
            let (node, rows) = match *branch {
                Branch::Split { feature, threshold } => {
                    splits += 1;
                    (Node { threshold, feature, child: 2 * splits - 1 }, 0)
                }
                Branch::Leaf { rows } => (Node { threshold: f32::INFINITY, feature: 0, child: place as u16 }, rows),
            };
            self.nodes.push(node);
            self.leaf_rows.push(rows);
        }
        self.lengths.extend(path_lengths(shape, &depths));
        let depth = depths.last().copied().unwrap_or(0);
        self.trees.push(Tree { start, end: self.nodes.len(), depth });
        Ok(())
    }

    /// Depth of each node of a shape that fits this forest.
    fn checked_depths(&self, shape: &[Branch]) -> Result<Vec<u32>, TreeError> {
        let limit = depth_limit(self.samples);
        let mut depths = vec![0];
        let mut found = 0;
        for (node, branch) in shape.iter().enumerate() {
            let depth = *depths.get(node).ok_or(TreeError::TooLong)?;
            match *branch {
                Branch::Split { feature, .. } if usize::from(feature) >= self.columns => {
                    return Err(TreeError::NoSuchFeature { node, feature, columns: self.columns });
                }
                Branch::Split { threshold, .. } if !threshold.is_finite() => return Err(TreeError::NotFinite { node }),
                Branch::Split { .. } if depth == limit => return Err(TreeError::TooDeep { limit }),
                Branch::Split { .. } => depths.extend([depth + 1; 2]),
                Branch::Leaf { rows: 0 } => return Err(TreeError::WrongRows { found, samples: self.samples }),
                Branch::Leaf { rows } => found += usize::from(rows),
            }
        }
        if depths.len() > shape.len() {
            return Err(TreeError::Cut);
        }
        if found != self.samples {
            return Err(TreeError::WrongRows { found, samples: self.samples });
        }
        Ok(depths)
    }

    /// The shapes that [`Forest::add`] would make the same forest from.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = impl Iterator<Item = Branch>> {
        self.trees.iter().map(|tree| {
            let nodes = self.nodes[tree.start..tree.end].iter().zip(&self.leaf_rows[tree.start..tree.end]);
            nodes.map(|(node, rows)| match *rows {
                0 => Branch::Split { feature: node.feature, threshold: node.threshold },
                rows => Branch::Leaf { rows },
            })
        })
    }
}

/// For each node the mean path length of the rows that passed it.
fn path_lengths(shape: &[Branch], depths: &[u32]) -> Vec<f64> {
    let mut lengths = vec![0.0; shape.len()];
    let mut counts = vec![0.0; shape.len()];
    // Backwards, children are known before their parents; so are the splits, whose children are the last two each.
    let mut children = shape.len();
    for (node, branch) in shape.iter().enumerate().rev() {
        if let Branch::Leaf { rows } = *branch {
            counts[node] = f64::from(rows);
            lengths[node] = f64::from(depths[node]) + average_path_length(usize::from(rows));
        } else {
            children -= 2;
            let (left, right) = (children, children + 1);
            counts[node] = counts[left] + counts[right];
            lengths[node] = (counts[left] * lengths[left] + counts[right] * lengths[right]) / counts[node];
        }
    }
    lengths
}
