//! One tree from a random sample of the rows.

use crate::forest::Branch;
use crate::forest::path_length::depth_limit;
use crate::matrix::Matrix;
use crate::random::Stream;

/// Rows of the sample that reach a node, as a range of the order they are kept in.
struct Part {
    start: usize,
    end: usize,
    depth: u32,
}

/// The nodes of a tree, breadth first: the children of the k-th split are the nodes 2k + 1 and 2k + 2.
pub(super) fn shape(matrix: &Matrix, samples: usize, mut stream: Stream) -> Vec<Branch> {
    let mut sample = Sample::draw(matrix, samples, &mut stream);
    let limit = depth_limit(samples);
    let mut parts = vec![Part { start: 0, end: samples, depth: 0 }];
    let mut shape = Vec::with_capacity(2 * samples);
    while let Some(&Part { start, end, depth }) = parts.get(shape.len()) {
        let cut = if end - start > 1 && depth < limit { sample.cut(start, end, &mut stream) } else { None };
        let Some((feature, threshold)) = cut else {
            shape.push(Branch::Leaf { rows: (end - start) as u16 });
            continue;
        };
        let middle = sample.part(start, end, feature, threshold);
        parts.push(Part { start, end: middle, depth: depth + 1 });
        parts.push(Part { start: middle, end, depth: depth + 1 });
        shape.push(Branch::Split { feature, threshold });
    }
    shape
}

/// The rows that a tree is grown from.
struct Sample {
    /// Column by column.
    values: Vec<f32>,
    rows: usize,
    /// Numbers of the rows; those of one node lie side by side.
    order: Vec<u16>,
    /// Features that are not constant in the sample, in an order that every draw changes.
    features: Vec<u16>,
}

impl Sample {
    fn draw(matrix: &Matrix, rows: usize, stream: &mut Stream) -> Self {
        let mut values = vec![0.0; rows * matrix.columns()];
        for (place, row) in stream.choose(rows, matrix.len()).into_iter().enumerate() {
            for (column, value) in matrix.row(row).iter().enumerate() {
                values[column * rows + place] = *value;
            }
        }
        let is_constant = |column: &[f32]| column.iter().all(|value| *value == column[0]);
        let features = values.chunks_exact(rows).zip(0..).filter(|(column, _)| !is_constant(column));
        let features = features.map(|(_, feature)| feature).collect();
        Self { values, rows, order: (0..rows as u16).collect(), features }
    }

    fn column(&self, feature: u16) -> &[f32] {
        &self.values[usize::from(feature) * self.rows..][..self.rows]
    }

    /// A random feature that is not constant in the node, and a random threshold between its least and its greatest value;
    /// `None` if all are constant there.
    fn cut(&mut self, start: usize, end: usize, stream: &mut Stream) -> Option<(u16, f32)> {
        // Drawn without replacement: what turns out to be constant moves behind those that are left.
        for left in (1..=self.features.len()).rev() {
            let drawn = stream.below(left as u64) as usize;
            let feature = self.features[drawn];
            let (least, greatest) = self.range(start, end, feature);
            if least < greatest {
                return Some((feature, between(least, greatest, stream.unit())));
            }
            self.features.swap(drawn, left - 1);
        }
        None
    }

    /// Least and greatest value of a feature in a node.
    fn range(&self, start: usize, end: usize, feature: u16) -> (f32, f32) {
        let column = self.column(feature);
        self.order[start..end].iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, greatest), row| {
            let value = column[usize::from(*row)];
            (if value < least { value } else { least }, if value > greatest { value } else { greatest })
        })
    }

    /// Moves the rows of a node with `value <= threshold` to its front; where the others begin.
    fn part(&mut self, start: usize, end: usize, feature: u16, threshold: f32) -> usize {
        let column = &self.values[usize::from(feature) * self.rows..][..self.rows];
        let order = &mut self.order[start..end];
        let mut middle = 0;
        for place in 0..order.len() {
            // Swapped whether it belongs to the front or not: half of the branches would be guessed wrong.
            let goes_left = column[usize::from(order[place])] <= threshold;
            order.swap(place, middle);
            middle += usize::from(goes_left);
        }
        start + middle
    }
}

/// A threshold at `share` of the way, such that both sides get a row: never the greatest value itself, which rounding to 32
/// bits could make of it.
fn between(least: f32, greatest: f32, share: f64) -> f32 {
    let (low, high) = (f64::from(least), f64::from(greatest));
    let threshold = (low + (high - low) * share) as f32;
    if threshold < greatest { threshold } else { least }
}
