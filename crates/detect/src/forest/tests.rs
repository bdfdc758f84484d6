use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::forest::path_length::{average_path_length, depth_limit};
use crate::forest::tree::TreeError;
use crate::forest::walk::step;
use crate::random::Stream;

fn matrix(rows: &[f64], columns: usize) -> Matrix {
    Matrix::new(rows, columns).unwrap()
}

fn options(trees: usize, samples: usize, seed: u64) -> ForestOptions {
    ForestOptions { trees, samples, seed, ..ForestOptions::default() }
}

/// Rows of a few columns with ties.
fn some_rows() -> impl Strategy<Value = (usize, Vec<f64>)> {
    (1_usize..5, 10_usize..80).prop_flat_map(|(columns, rows)| {
        let value = prop_oneof![(-3_i32..4).prop_map(f64::from), -1e6..1e6, Just(1e38), Just(-1e38)];
        (Just(columns), vec(value, columns * rows))
    })
}

fn branch() -> impl Strategy<Value = Branch> {
    prop_oneof![
        (0_u16..4, -2.0_f32..2.0).prop_map(|(feature, threshold)| Branch::Split { feature, threshold }),
        (0_u16..6).prop_map(|rows| Branch::Leaf { rows }),
        Just(Branch::Split { feature: 0, threshold: f32::NAN }),
    ]
}

/// A whole tree over `samples` rows and three columns that splits wherever `choices` says so.
pub(crate) fn shape_of(samples: u16, choices: &[(bool, u16, f32, u16)]) -> Vec<Branch> {
    let limit = depth_limit(usize::from(samples));
    let mut parts = vec![(samples, 0)];
    let mut shape = Vec::new();
    let mut choices = choices.iter().cycle();
    while let Some(&(rows, depth)) = parts.get(shape.len()) {
        let (splits, feature, threshold, left) = *choices.next().expect("there is a choice");
        if splits && rows > 1 && depth < limit {
            let left = 1 + left % (rows - 1);
            parts.extend([(left, depth + 1), (rows - left, depth + 1)]);
            shape.push(Branch::Split { feature: feature % 3, threshold });
        } else {
            shape.push(Branch::Leaf { rows });
        }
    }
    shape
}

#[test]
fn path_lengths_are_those_of_scikit_learn() {
    // sklearn.ensemble._iforest._average_path_length of 1.9.1
    for (rows, expected) in [
        (0, 0.0),
        (1, 0.0),
        (2, 1.0),
        (3, 1.207_392_357_589_623),
        (10, 3.748_880_484_475_505),
        (256, 10.244_770_920_119_917),
        (32_768, 19.948_846_745_670_085),
    ] {
        let found = average_path_length(rows);
        assert!((found - expected).abs() < 1e-12, "c({rows}) is {found} and not {expected}");
    }
}

#[test]
fn a_tree_is_as_deep_as_a_balanced_one() {
    for (samples, limit) in [(2, 1), (3, 2), (4, 2), (5, 3), (255, 8), (256, 8), (257, 9), (32_768, 15)] {
        assert_eq!(depth_limit(samples), limit, "{samples}");
    }
}

#[derive(serde::Deserialize)]
struct Theirs {
    samples: usize,
    columns: usize,
    trees: Vec<Vec<TheirNode>>,
    rows: Vec<Vec<f64>>,
    scores: Vec<f64>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum TheirNode {
    Split { feature: u16, threshold: f32 },
    Leaf { rows: u16 },
}

#[test]
fn trees_of_scikit_learn_give_its_scores() {
    let theirs: Theirs = serde_json::from_str(include_str!("../../tests/data/forest.json")).unwrap();
    let mut forest = Forest::without_trees(theirs.columns, theirs.samples);
    for tree in &theirs.trees {
        let shape: Vec<Branch> = tree
            .iter()
            .map(|node| match *node {
                TheirNode::Split { feature, threshold } => Branch::Split { feature, threshold },
                TheirNode::Leaf { rows } => Branch::Leaf { rows },
            })
            .collect();
        forest.add(&shape).unwrap();
    }
    let scores = forest.score_rows(&matrix(&theirs.rows.concat(), theirs.columns));
    assert_eq!(scores.len(), theirs.scores.len());
    for (row, (score, expected)) in scores.iter().zip(&theirs.scores).enumerate() {
        assert!((score - expected).abs() < 1e-12, "row {row}: {score} and not {expected}");
    }
}

#[test]
fn a_seed_gives_the_same_forest_for_ever() {
    // A change here changes the models of people who train again with the same seed over the same rows.
    let rows: Vec<f64> = (0..64).flat_map(|row| [f64::from(row * row % 61), f64::from(row % 8)]).collect();
    let forest = Forest::grown(&matrix(&rows, 2), &options(2, 16, 42));
    let first: Vec<Branch> = forest.shapes().flat_map(|shape| shape.take(3)).collect();
    let split = |feature, threshold| Branch::Split { feature, threshold };
    let second_tree = [split(0, 22.656_41), split(0, 2.513_514_8), split(1, 5.933_634_8)];
    assert_eq!(first[..3], [split(0, 11.566_756), Branch::Leaf { rows: 1 }, split(1, 3.801_220_2)]);
    assert_eq!(first[3..], second_tree);
}

#[test]
fn shapes_that_are_no_trees_are_refused() {
    let split = Branch::Split { feature: 0, threshold: 0.5 };
    let leaf = |rows| Branch::Leaf { rows };
    let chain = |levels: usize| {
        // Each split has a leaf on its left and goes on to the right.
        let mut shape = vec![split];
        for _ in 1..levels {
            shape.extend([leaf(1), split]);
        }
        shape.extend([leaf(1), leaf(1)]);
        shape
    };
    let refused = |shape: &[Branch]| Forest::without_trees(2, 4).add(shape).unwrap_err();
    for (name, shape, expected) in [
        ("nothing", vec![], TreeError::Cut),
        ("a split without children", vec![split], TreeError::Cut),
        ("one child", vec![split, leaf(4)], TreeError::Cut),
        ("two roots", vec![leaf(4), leaf(4)], TreeError::TooLong),
        ("three children", vec![split, leaf(1), leaf(2), leaf(1)], TreeError::TooLong),
        ("three levels of two", chain(3), TreeError::TooDeep { limit: 2 }),
        ("too few rows", vec![split, leaf(1), leaf(2)], TreeError::WrongRows { found: 3, samples: 4 }),
        ("too many rows", vec![split, leaf(1), leaf(4)], TreeError::WrongRows { found: 5, samples: 4 }),
        ("an empty leaf", vec![split, leaf(0), leaf(4)], TreeError::WrongRows { found: 0, samples: 4 }),
        (
            "a feature that is not there",
            vec![Branch::Split { feature: 2, threshold: 0.0 }, leaf(2), leaf(2)],
            TreeError::NoSuchFeature { node: 0, feature: 2, columns: 2 },
        ),
        (
            "an endless threshold",
            vec![Branch::Split { feature: 0, threshold: f32::INFINITY }, leaf(2), leaf(2)],
            TreeError::NotFinite { node: 0 },
        ),
    ] {
        assert_eq!(refused(&shape), expected, "{name}");
    }
    assert!(Forest::without_trees(2, 4).add(&[split, leaf(1), leaf(3)]).is_ok());
}

#[test]
fn a_value_at_the_threshold_goes_left() {
    let mut forest = Forest::without_trees(1, 4);
    let split = Branch::Split { feature: 0, threshold: 0.5 };
    forest.add(&[split, Branch::Leaf { rows: 1 }, Branch::Leaf { rows: 3 }]).unwrap();
    let [below, at, above] = [0.4, 0.5, 0.6].map(|value| forest.score_row(&[value]));
    assert!(below == at && at > above, "{below} {at} {above}");
}

#[test]
fn a_tree_isolates_an_outlier_first() {
    let mut rows: Vec<f64> = (0..300).map(|row| f64::from(row % 50)).collect();
    rows[7] = 1e6;
    let matrix = matrix(&rows, 1);
    let forest = Forest::grown(&matrix, &options(100, 300, 1));
    let scores = forest.score_rows(&matrix);
    let strangest = (0..rows.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    assert_eq!(strangest, Some(7));
    // One cut of nearly any tree is enough: 2^(-1/c(300)).
    assert!(scores[7] > 0.93, "{}", scores[7]);
}

#[test]
fn a_constant_column_is_never_split() {
    let rows: Vec<f64> = (0..40).flat_map(|row| [7.0, f64::from(row), -1.0]).collect();
    let forest = Forest::grown(&matrix(&rows, 3), &options(20, 40, 3));
    for branch in forest.shapes().flatten() {
        assert!(!matches!(branch, Branch::Split { feature: 0 | 2, .. }), "{branch:?}");
    }
}

#[test]
fn rows_that_are_all_the_same_in_a_sample_make_a_leaf() {
    let rows: Vec<f64> = (0..1_000).map(|row| f64::from(u8::from(row == 999))).collect();
    let forest = Forest::grown(&matrix(&rows, 1), &options(50, 10, 5));
    assert!(forest.trees.iter().any(|tree| tree.depth == 0), "no sample without the odd row");
    let score = forest.score_row(&[0.0]);
    assert!(score > 0.4 && score <= 0.5 + 1e-12, "{score}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let rows: Vec<f64> = (0..3_000).map(|row| f64::from(row * 7_919 % 2_003)).collect();
    let grown = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let forest = Forest::grown(&matrix(&rows, 3), &options(30, 64, 9));
            let scores = forest.score_rows(&matrix(&rows, 3));
            (forest, scores)
        })
    };
    let alone = grown(1);
    for threads in [2, 3, 7] {
        assert_eq!(grown(threads), alone, "{threads}");
    }
}

proptest! {
    #[test]
    fn what_was_grown_is_a_tree_over_the_sample((columns, rows) in some_rows(), samples in 2_usize..90, seed: u64) {
        let matrix = matrix(&rows, columns);
        let options = options(3, samples, seed);
        let samples = options.samples_of(matrix.len());
        for stream in Stream::many(seed, 3) {
            // `add` checks the depth, the rows in the leaves, the features and the thresholds.
            let shape = grow::shape(&matrix, samples, stream);
            prop_assert_eq!(Forest::without_trees(columns, samples).add(&shape), Ok(()));
        }
    }

    /// Growing and walking compare in the same way, and what could be cut was cut.
    #[test]
    fn rows_of_the_sample_end_where_they_were_counted((columns, rows) in some_rows(), seed: u64) {
        let matrix = matrix(&rows, columns);
        let forest = Forest::grown(&matrix, &options(3, matrix.len(), seed));
        let limit = depth_limit(matrix.len());
        for tree in &forest.trees {
            let mut found = vec![Vec::new(); tree.end - tree.start];
            let mut depths = vec![0; found.len()];
            for row in 0..matrix.len() {
                let mut at = 0;
                for _ in 0..tree.depth {
                    let node = forest.nodes[tree.start + at];
                    let next = step(node, matrix.row(row)[usize::from(node.feature)]);
                    depths[next] = depths[at] + u32::from(next != at);
                    at = next;
                }
                found[at].push(matrix.row(row));
            }
            let counts: Vec<u16> = found.iter().map(|rows| rows.len() as u16).collect();
            prop_assert_eq!(&counts[..], &forest.leaf_rows[tree.start..tree.end]);
            for (rows, depth) in found.iter().zip(depths) {
                prop_assert!(depth == limit || rows.windows(2).all(|pair| pair[0] == pair[1]), "{:?} at {}", rows, depth);
            }
        }
    }

    #[test]
    fn scores_one_by_one_and_together_are_the_same(
        (columns, rows) in some_rows(), trees in 1_usize..30, seed: u64, copies in 1_usize..30,
    ) {
        let forest = Forest::grown(&matrix(&rows, columns), &options(trees, 256, seed));
        let many = matrix(&rows.repeat(copies), columns);
        let together = forest.score_rows(&many);
        for (row, score) in together.iter().enumerate() {
            prop_assert_eq!(forest.score_row(many.row(row)), *score);
            prop_assert!(*score > 0.0 && *score <= 1.0, "{}", score);
        }
    }

    #[test]
    fn contributions_make_the_whole_difference((columns, rows) in some_rows(), seed: u64) {
        let matrix = matrix(&rows, columns);
        let forest = Forest::grown(&matrix, &options(9, 32, seed));
        for row in 0..matrix.len() {
            let credited: f64 = forest.contributions(matrix.row(row)).iter().sum();
            let roots: f64 = forest.trees.iter().map(|tree| forest.lengths[tree.start]).sum();
            let mean = (roots + credited) / 9.0;
            let score = (-mean / average_path_length(forest.samples)).exp2();
            prop_assert!((score - forest.score_row(matrix.row(row))).abs() < 1e-9);
        }
    }

    #[test]
    fn any_list_of_nodes_is_a_tree_or_refused(shape in vec(branch(), 0..12), row in vec(-3.0_f32..3.0, 3)) {
        let mut forest = Forest::without_trees(3, 8);
        if forest.add(&shape).is_ok() {
            prop_assert!(forest.score_row(&row) <= 1.0);
            prop_assert_eq!(forest.contributions(&row).len(), 3);
            prop_assert_eq!(forest.shapes().flatten().collect::<Vec<_>>(), shape);
        } else {
            prop_assert_eq!(forest.trees(), 0);
            prop_assert!(forest.nodes.is_empty() && forest.lengths.is_empty());
        }
    }

    #[test]
    fn shapes_come_back_as_they_were_added(
        samples in 2_u16..300,
        choices in vec((prop::bool::weighted(0.8), any::<u16>(), -9.0_f32..9.0, any::<u16>()), 1..50),
    ) {
        let shape = shape_of(samples, &choices);
        let mut forest = Forest::without_trees(3, usize::from(samples));
        prop_assert_eq!(forest.add(&shape), Ok(()));
        prop_assert_eq!(forest.shapes().flatten().collect::<Vec<_>>(), shape);
    }
}
