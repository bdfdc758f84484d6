//! From the roots to the leaves: scores, and which features made a path short.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use crate::forest::Forest;
use crate::forest::path_length::average_path_length;
use crate::forest::tree::{Node, Tree};
use crate::matrix::Matrix;

/// Paths that are walked side by side: a step waits for memory and for a comparison, and others go on meanwhile.
const LANES: usize = 8;
/// Rows that are walked through one tree before the next: they and the tree fit into the cache next to the core.
const BLOCK_ROWS: usize = 512;
/// The same for wide rows, in values.
const BLOCK_VALUES: usize = 8_192;

impl Forest {
    /// Scores of all rows, in parallel; each the same as that of [`Forest::score_row`], to the last bit.
    pub(crate) fn score_rows(&self, rows: &Matrix) -> Vec<f64> {
        let columns = self.columns;
        let block_rows = (BLOCK_VALUES / columns / LANES * LANES).clamp(LANES, BLOCK_ROWS);
        let mut scores = vec![0.0; rows.len()];
        let blocks = rows.values().par_chunks(block_rows * columns);
        scores.par_chunks_mut(block_rows).zip(blocks).for_each(|(scores, block)| self.score_block(block, scores));
        scores
    }

    /// Score of one row: above 0 and at most 1, higher is stranger.
    pub(crate) fn score_row(&self, row: &[f32]) -> f64 {
        let mut total = 0.0;
        self.lengths(row, |length| total += length);
        self.score_of(total)
    }

    /// Score of one row, and the share of the trees whose own path puts it on the same side of a threshold, 0..1.
    pub(crate) fn assess_row(&self, row: &[f32], threshold: f64) -> (f64, f64) {
        // The path length whose score is the threshold: a tree with a shorter one finds the row strange.
        let line = -threshold.log2() * average_path_length(self.samples);
        let (mut total, mut strange) = (0.0, 0_usize);
        self.lengths(row, |length| {
            total += length;
            strange += usize::from(length < line);
        });
        let score = self.score_of(total);
        let trees = self.trees.len();
        let agree = if score > threshold { strange } else { trees - strange };
        (score, agree as f64 / trees as f64)
    }

    /// What each tree would say of a row as a forest of its own.
    #[cfg(test)]
    pub(crate) fn single_scores(&self, row: &[f32]) -> Vec<f64> {
        let mut scores = Vec::new();
        self.lengths(row, |length| scores.push((-length / average_path_length(self.samples)).exp2()));
        scores
    }

    /// Hands over the length of a row's path in each tree, in their order.
    fn lengths(&self, row: &[f32], mut each: impl FnMut(f64)) {
        let mut groups = self.trees.chunks_exact(LANES);
        for group in &mut groups {
            let group: &[Tree; LANES] = group.try_into().expect("a group has this many");
            self.walk_trees(group, row).into_iter().for_each(&mut each);
        }
        for tree in groups.remainder() {
            each(self.walk_trees(&[*tree], row)[0]);
        }
    }

    /// What each feature did to the path of a row, added up over all trees, in cuts: negative where it made the path shorter
    /// than that of the sample's rows in the mean, zero if it was not used.
    pub(crate) fn contributions(&self, row: &[f32]) -> Vec<f64> {
        let mut contributions = vec![0.0; self.columns];
        for tree in &self.trees {
            let nodes = &self.nodes[tree.start..tree.end];
            let lengths = &self.lengths[tree.start..tree.end];
            let mut at = 0;
            for _ in 0..tree.depth {
                let node = nodes[at];
                let feature = usize::from(node.feature);
                let next = step(node, row[feature]);
                contributions[feature] += lengths[next] - lengths[at];
                at = next;
            }
        }
        contributions
    }

    /// The score that belongs to the sum of a row's path lengths over all trees.
    fn score_of(&self, total_length: f64) -> f64 {
        let mean = total_length / self.trees.len() as f64;
        (-mean / average_path_length(self.samples)).exp2()
    }

    /// Walks one row through several trees side by side.
    fn walk_trees<const COUNT: usize>(&self, trees: &[Tree; COUNT], row: &[f32]) -> [f64; COUNT] {
        let nodes: [&[Node]; COUNT] = trees.map(|tree| &self.nodes[tree.start..tree.end]);
        let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
        let mut at = [0; COUNT];
        for _ in 0..depth {
            for (at, nodes) in at.iter_mut().zip(nodes) {
                let node = nodes[*at];
                *at = step(node, row[usize::from(node.feature)]);
            }
        }
        let mut lengths = [0.0; COUNT];
        for ((length, tree), at) in lengths.iter_mut().zip(trees).zip(at) {
            *length = self.lengths[tree.start + at];
        }
        lengths
    }

    /// Scores the rows of one block: trees outside, rows inside.
    fn score_block(&self, block: &[f32], scores: &mut [f64]) {
        for tree in &self.trees {
            let nodes = &self.nodes[tree.start..tree.end];
            let lengths = &self.lengths[tree.start..tree.end];
            let mut totals = scores.chunks_exact_mut(LANES);
            let mut groups = block.chunks_exact(LANES * self.columns);
            for (totals, rows) in totals.by_ref().zip(groups.by_ref()) {
                let totals: &mut [f64; LANES] = totals.try_into().expect("a group has this many");
                walk_rows(nodes, lengths, tree.depth, rows, totals);
            }
            for (total, row) in totals.into_remainder().iter_mut().zip(groups.remainder().chunks_exact(self.columns)) {
                walk_rows(nodes, lengths, tree.depth, row, std::array::from_mut(total));
            }
        }
        for score in scores {
            *score = self.score_of(*score);
        }
    }
}

/// Walks several rows through one tree side by side and adds the lengths of their paths to `totals`.
fn walk_rows<const COUNT: usize>(nodes: &[Node], lengths: &[f64], depth: u32, rows: &[f32], totals: &mut [f64; COUNT]) {
    let columns = rows.len() / COUNT;
    let mut at = [0; COUNT];
    for _ in 0..depth {
        for (lane, at) in at.iter_mut().enumerate() {
            let node = nodes[*at];
            *at = step(node, rows[lane * columns + usize::from(node.feature)]);
        }
    }
    for (total, at) in totals.iter_mut().zip(at) {
        *total += lengths[at];
    }
}

/// The next node, without a branch.
#[inline]
pub(super) fn step(node: Node, value: f32) -> usize {
    usize::from(node.child) + usize::from(value > node.threshold)
}
