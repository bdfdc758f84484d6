//! Our scores against those of scikit-learn, on the data sets of `scripts/reference-scores`.
//!
//! Two forests of 100 trees differ, also two of scikit-learn's with different seeds: they agree to a Spearman correlation of
//! about 0.97 in the median and 0.91 in the worst case, and the files say so. So the demand of 0.98 is made where the
//! method can keep it: between forests of 1,000 trees, where scikit-learn has 0.993 to 0.998 with itself. With the usual 100
//! trees ours must be as close to scikit-learn's mean as scikit-learn's own, and the means of 20 forests of each side must be
//! the same within their standard errors, row by row.

use std::collections::BTreeMap;

use watchkeeper_detect::{Contamination, ForestOptions, Model, Training};

/// Seeds for each figure of one side; scikit-learn's side has as many.
const SEEDS: u64 = 20;

/// A data set with what scikit-learn says about it.
struct Reference {
    name: &'static str,
    facts: BTreeMap<String, String>,
    features: Vec<String>,
    rows: Vec<f64>,
    score: Vec<f64>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Reference {
    fn all() -> [Self; 3] {
        [
            Self::parse("host", include_str!("../data/host.csv")),
            Self::parse("mixed", include_str!("../data/mixed.csv")),
            Self::parse("nasty", include_str!("../data/nasty.csv")),
        ]
    }

    fn parse(name: &'static str, text: &str) -> Self {
        let (comments, table): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("# "));
        let facts = comments.iter().map(|line| line[2..].split_once(": ").unwrap());
        let facts = facts.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut features: Vec<String> = table[0].split(',').map(str::to_owned).collect();
        assert_eq!(features.split_off(features.len() - 3), ["score", "mean", "deviation"], "{name}");
        let mut reference =
            Self { name, facts, features, rows: vec![], score: vec![], mean: vec![], deviation: vec![] };
        for line in &table[1..] {
            let mut values: Vec<f64> = line.split(',').map(|value| value.parse().unwrap()).collect();
            reference.deviation.push(values.pop().unwrap());
            reference.mean.push(values.pop().unwrap());
            reference.score.push(values.pop().unwrap());
            assert_eq!(values.len(), reference.features.len(), "{name}: {line}");
            reference.rows.extend(values);
        }
        reference
    }

    fn numbers(&self, fact: &str) -> Vec<f64> {
        self.facts[fact].split(' ').map(|number| number.parse().unwrap()).collect()
    }

    fn number(&self, fact: &str) -> f64 {
        self.numbers(fact)[0]
    }

    fn train(&self, options: &ForestOptions) -> Model {
        let source = self.name;
        let training = Training { features: &self.features, rows: &self.rows, at_ms: 0, source, interval_ms: None };
        Model::train(&training, options).unwrap()
    }

    fn scores(&self, options: &ForestOptions) -> Vec<f64> {
        self.train(options).score_all(&self.rows).unwrap()
    }

    fn share(&self) -> Contamination {
        Contamination::Share(self.number("share"))
    }
}

fn usual(seed: u64, contamination: Contamination) -> ForestOptions {
    ForestOptions { seed, contamination, ..ForestOptions::default() }
}

fn large(seed: u64, contamination: Contamination) -> ForestOptions {
    ForestOptions { trees: 1_000, ..usual(seed, contamination) }
}

/// Ranks from 0; ties share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = begin as f64 + (tied.len() - 1) as f64 / 2.0;
        for place in tied {
            ranks[*place] = rank;
        }
        begin += tied.len();
    }
    ranks
}

fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let sum = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum()
    };
    sum(&a, mean_a, &b, mean_b) / (sum(&a, mean_a, &a, mean_a) * sum(&b, mean_b, &b, mean_b)).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

/// How many standard errors two means are apart.
fn standard_errors_apart(ours: &[f64], theirs: &[f64]) -> f64 {
    let error = (variance(ours) / ours.len() as f64 + variance(theirs) / theirs.len() as f64).sqrt();
    (mean(ours) - mean(theirs)).abs() / error.max(1e-12)
}

#[test]
fn ranks_share_ties() {
    assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
    assert!((spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 15.0]) - 0.5).abs() < 1e-12);
}

#[test]
fn the_references_are_those_of_scikit_learn() {
    for reference in Reference::all() {
        assert!(reference.facts["made_by"].contains("scikit-learn 1."), "{}", reference.name);
        assert_eq!(reference.number("offset_auto"), -0.5);
        assert!(reference.score.len() >= 1_000 && reference.score.len() <= 2_000, "{}", reference.name);
        assert_eq!(reference.numbers("flagged_auto_of_seeds").len() as u64, SEEDS);
    }
}

#[test]
fn large_forests_rank_rows_as_those_of_scikit_learn() {
    for reference in Reference::all() {
        for seed in [1, 2, 42] {
            let found = spearman(&reference.scores(&large(seed, Contamination::Auto)), &reference.score);
            println!("{} seed {seed}: {found:.5}", reference.name);
            assert!(found >= 0.98, "{} seed {seed}: {found}", reference.name);
            // Not worse than another of its own would be, with a margin for so few pairs.
            let [least, ..] = reference.numbers("spearman_of_1000_trees")[..] else { panic!("no figures") };
            assert!(found >= least - 0.003, "{} seed {seed}: {found} and not {least}", reference.name);
        }
    }
}

#[test]
fn usual_forests_are_as_close_to_scikit_learn_as_its_own() {
    for reference in Reference::all() {
        let one_by_one = |seed| spearman(&reference.scores(&usual(seed, Contamination::Auto)), &reference.mean);
        let mut found: Vec<f64> = (0..SEEDS).map(one_by_one).collect();
        found.sort_by(f64::total_cmp);
        let [least, median, _] = reference.numbers("spearman_to_mean")[..] else { panic!("no figures") };
        println!("{}: {:.5} {:.5}, theirs {least:.5} {median:.5}", reference.name, found[0], found[10]);
        // Their mean contains each of theirs and none of ours, which is worth a few thousandths.
        assert!(found[10] >= median - 0.004, "{}: {found:?}", reference.name);
        assert!(found[0] >= least - 0.015, "{}: {found:?}", reference.name);
    }
}

#[test]
fn mean_scores_are_the_same_row_by_row() {
    for reference in Reference::all() {
        let forests: Vec<Vec<f64>> =
            (100..100 + SEEDS).map(|seed| reference.scores(&usual(seed, Contamination::Auto))).collect();
        let mut squares = Vec::new();
        let mut differences = Vec::new();
        let mut means = Vec::new();
        for (row, (theirs, deviation)) in reference.mean.iter().zip(&reference.deviation).enumerate() {
            let ours: Vec<f64> = forests.iter().map(|scores| scores[row]).collect();
            let error_squared = (variance(&ours) + deviation.powi(2)) / SEEDS as f64;
            differences.push(mean(&ours) - theirs);
            squares.push((mean(&ours) - theirs).powi(2) / error_squared);
            means.push(mean(&ours));
        }
        let agreement = spearman(&means, &reference.mean);
        println!(
            "{}: {:.3} squared errors, bias {:.6}, Spearman {agreement:.5}",
            reference.name,
            mean(&squares),
            mean(&differences)
        );
        // 1 is what chance gives. The rows of a forest vary together, so the mean over the rows varies by some tenths.
        assert!(mean(&squares) < 2.0, "{}: {} squared standard errors", reference.name, mean(&squares));
        assert!(mean(&differences).abs() < 0.003, "{}: {} in the mean", reference.name, mean(&differences));
        assert!(agreement > 0.99, "{}: {agreement}", reference.name);
    }
}

#[test]
fn as_many_rows_are_flagged_as_by_scikit_learn() {
    for reference in Reference::all() {
        let flagged = |contamination: Contamination, from: u64| -> Vec<f64> {
            let models = (from..from + SEEDS).map(|seed| reference.train(&usual(seed, contamination)));
            models.map(|model| model.summary().flagged as f64).collect()
        };
        let theirs = reference.numbers("flagged_auto_of_seeds");
        let ours = flagged(Contamination::Auto, 200);
        println!("{}: {:.1} flagged, theirs {:.1}", reference.name, mean(&ours), mean(&theirs));
        assert!(standard_errors_apart(&ours, &theirs) < 4.0, "{}: {ours:?} and {theirs:?}", reference.name);
        // One forest: within five standard deviations of theirs.
        let (middle, deviation) = (mean(&theirs), variance(&theirs).sqrt());
        assert!(ours.iter().all(|count| (count - middle).abs() < 5.0 * deviation), "{}: {ours:?}", reference.name);
        // A share of the training rows is that share, up to ties at the threshold.
        let theirs = reference.number("flagged_share");
        let ours = flagged(reference.share(), 300);
        assert!(ours.iter().all(|count| (count - theirs).abs() <= 2.0), "{}: {ours:?} and {theirs}", reference.name);
    }
}

#[test]
fn thresholds_lie_where_those_of_scikit_learn_do() {
    for reference in Reference::all() {
        let theirs: Vec<f64> = reference.numbers("offset_share_of_seeds").into_iter().map(|offset| -offset).collect();
        let models = (400..400 + SEEDS).map(|seed| reference.train(&usual(seed, reference.share())));
        let ours: Vec<f64> = models.map(|model| model.summary().threshold).collect();
        println!("{}: threshold {:.5}, theirs {:.5}", reference.name, mean(&ours), mean(&theirs));
        assert!(standard_errors_apart(&ours, &theirs) < 4.0, "{}: {ours:?} and {theirs:?}", reference.name);
    }
}
