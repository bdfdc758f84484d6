use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::forest::shape_of;
use crate::options::MAX_SAMPLES;

mod file;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|column| format!("feature {column}")).collect()
}

fn train(rows: &[f64], columns: usize) -> Result<Model, TrainError> {
    train_with(rows, columns, &ForestOptions::default())
}

fn train_with(rows: &[f64], columns: usize, options: &ForestOptions) -> Result<Model, TrainError> {
    let features = names(columns);
    let training =
        Training { features: &features, rows, at_ms: 1_795_500_000_000, source: "a test", interval_ms: Some(5_000) };
    Model::train(&training, options)
}

/// 400 rows of four columns between 0 and 100, without order; the third is constant.
fn ordinary_rows() -> Vec<f64> {
    let value = |row: u64, column: u64| match column {
        2 => 12.5,
        _ => ((row * 7_919 + column * 104_729) * 2_654_435_761 % 10_007) as f64 / 100.07,
    };
    (0..400).flat_map(|row| (0..4).map(move |column| value(row, column))).collect()
}

/// The same with the tails that real numbers have: most between 33 and 67, few below 10 or above 90.
fn tailed_rows() -> Vec<f64> {
    let tailed = |value: f64| {
        let share = (value / 100.0).clamp(0.002, 0.998);
        50.0 + 12.0 * (share / (1.0 - share)).ln()
    };
    ordinary_rows().into_iter().map(tailed).collect()
}

fn small_model() -> Model {
    let options = ForestOptions { trees: 7, samples: 20, contamination: Contamination::Share(0.1), seed: u64::MAX };
    train_with(&ordinary_rows(), 4, &options).unwrap()
}

/// The bytes with length and checksum made right again.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u64;
    bytes[12..20].copy_from_slice(&length.to_le_bytes());
    let body = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// A model file with this header and these nodes.
fn file_of(header: &[u8], nodes: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(header);
    bytes.extend(nodes);
    bytes.extend([0; 4]);
    sealed(bytes)
}

fn refusal(bytes: &[u8]) -> String {
    Model::from_bytes(bytes).expect_err("these bytes are no model").to_string()
}

#[test]
fn what_cannot_be_learned_from_is_refused_in_a_sentence() {
    let rows = ordinary_rows();
    let with = |place: usize, value: f64| {
        let mut rows = rows.clone();
        rows[place] = value;
        rows
    };
    for (name, rows, columns, expected) in [
        ("no feature", vec![], 0, "there is no feature to learn from"),
        (
            "no rows",
            vec![],
            2,
            "no rows are too few to learn what is normal from; at least 10 are needed, some hundreds are better",
        ),
        (
            "one row",
            vec![1.0, 2.0],
            2,
            "1 row is too few to learn what is normal from; at least 10 are needed, some hundreds are better",
        ),
        (
            "nine rows",
            rows[..36].to_vec(),
            4,
            "9 rows are too few to learn what is normal from; at least 10 are needed, some hundreds are better",
        ),
        ("half a row", rows[..38].to_vec(), 4, "38 values do not make whole rows of 4 features"),
        ("not a number", with(9, f64::NAN), 4, "row 3 has no number for `feature 1`, but NaN"),
        ("endless", with(0, f64::NEG_INFINITY), 4, "row 1 has no number for `feature 0`, but -inf"),
        ("too large", with(7, 1e39), 4, "row 2 has 1e39 for `feature 3`; values beyond 3.4e38 cannot be learned from"),
        (
            "nothing changes",
            [1.0, 2.0].repeat(12),
            2,
            "no feature has two different values in 12 rows, so there is nothing to learn from",
        ),
    ] {
        assert_eq!(train(&rows, columns).unwrap_err().to_string(), expected, "{name}");
    }
    let features = ["CPU\u{1b}[2J".to_owned(), "Memory".to_owned(), "CPU\u{1b}[2J".to_owned()];
    let training = Training { features: &features, rows: &rows, at_ms: 0, source: "", interval_ms: None };
    let error = Model::train(&training, &ForestOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "feature `CPU\\u{1b}[2J` is named twice");
    assert!(train(&rows[..40], 4).is_ok(), "ten rows are enough");
    assert!(matches!(
        train_with(&rows, 4, &ForestOptions { trees: 0, ..ForestOptions::default() }),
        Err(TrainError::Trees { trees: 0 })
    ));
}

#[test]
fn a_summary_says_what_was_learned() {
    let model = small_model();
    let summary = model.summary();
    assert_eq!((summary.rows, summary.trees, summary.samples, summary.seed), (400, 7, 20, u64::MAX));
    assert_eq!(
        (summary.trained_ms, summary.source.as_str(), summary.interval_ms),
        (1_795_500_000_000, "a test", Some(5_000))
    );
    assert_eq!(summary.contamination, Contamination::Share(0.1));
    assert_eq!(model.features().collect::<Vec<_>>(), ["feature 0", "feature 1", "feature 2", "feature 3"]);
    assert_eq!(
        summary.features.iter().map(|feature| feature.is_constant).collect::<Vec<_>>(),
        [false, false, true, false]
    );
    let constant = &summary.features[2];
    assert_eq!([constant.min, constant.p10, constant.median, constant.p90, constant.max], [12.5; 5]);
    for feature in [0, 1, 3].map(|column| &summary.features[column]) {
        assert!(feature.min < 1.0 && feature.max > 99.0, "{feature:?}");
        let expected = [(feature.p10, 10.0), (feature.median, 50.0), (feature.p90, 90.0)];
        assert!(expected.iter().all(|(found, expected)| (found - expected).abs() < 5.0), "{feature:?}");
    }
}

#[test]
fn what_a_tree_cannot_tell_apart_is_constant() {
    // Milliseconds since 1970 of half a minute: 32-bit floats know only every two minutes.
    let rows: Vec<f64> = (0..30).flat_map(|row| [1.795_5e12 + f64::from(row) * 1_000.0, f64::from(row)]).collect();
    let model = train(&rows, 2).unwrap();
    let constant: Vec<bool> = model.summary().features.iter().map(|feature| feature.is_constant).collect();
    assert_eq!(constant, [true, false]);
}

#[test]
fn small_trainings_use_all_rows_for_each_tree() {
    let model = train(&ordinary_rows()[..48], 4).unwrap();
    assert_eq!((model.summary().rows, model.summary().samples), (12, 12));
}

#[test]
fn the_threshold_flags_the_share_that_was_asked_for() {
    let rows = ordinary_rows();
    for (share, flagged) in [(0.01, 4), (0.1, 40), (0.5, 200)] {
        let options = ForestOptions { contamination: Contamination::Share(share), ..ForestOptions::default() };
        let model = train_with(&rows, 4, &options).unwrap();
        assert_eq!(model.summary().flagged, flagged, "{share}");
        let scores = model.score_all(&rows).unwrap();
        assert_eq!(scores.iter().filter(|score| **score > model.summary().threshold).count(), flagged, "{share}");
    }
    let auto = train(&rows, 4).unwrap();
    assert_eq!(auto.summary().threshold, 0.5);
    let scores = auto.score_all(&rows).unwrap();
    assert_eq!(scores.iter().filter(|score| **score > 0.5).count(), auto.summary().flagged);
}

#[test]
fn a_row_at_the_threshold_is_no_anomaly() {
    let mut model = small_model();
    let row = [50.0, 50.0, 12.5, 50.0];
    let score = model.score(&row).unwrap();
    model.summary.threshold = score;
    assert!(!model.judge(&row).unwrap().is_anomaly);
    model.summary.threshold = score.next_down();
    assert!(model.judge(&row).unwrap().is_anomaly);
}

#[test]
fn rows_that_do_not_fit_are_not_scored() {
    let model = small_model();
    for (name, row, expected) in [
        ("short", vec![1.0; 3], "3 values do not fit a model of 4 features"),
        ("two rows at once", vec![1.0; 8], "8 values do not fit a model of 4 features"),
        ("nothing", vec![], "0 values do not fit a model of 4 features"),
        (
            "not a number",
            vec![1.0, f64::NAN, 1.0, 1.0],
            "row 1 cannot be scored: NaN for `feature 1` is not a number within 3.4e38",
        ),
        (
            "too large",
            vec![1.0, 1.0, 1.0, -4e38],
            "row 1 cannot be scored: -4e38 for `feature 3` is not a number within 3.4e38",
        ),
    ] {
        assert_eq!(model.score(&row).unwrap_err().to_string(), expected, "{name}");
        assert_eq!(model.judge(&row).unwrap_err().to_string(), expected, "{name}");
    }
    let mut rows = ordinary_rows();
    assert_eq!(model.score_all(&rows[1..]).unwrap_err(), ScoreError::WrongLength { values: 1_599, features: 4 });
    rows[41] = f64::INFINITY;
    assert!(matches!(model.score_all(&rows), Err(ScoreError::OutOfRange { row: 11, .. })));
    assert_eq!(model.score_all(&[]), Ok(vec![]));
}

#[test]
fn a_verdict_names_value_and_usual_range() {
    let model = train(&ordinary_rows(), 4).unwrap();
    let verdict = model.judge(&[50.0, 250.0, 12.5, 50.0]).unwrap();
    let first = &verdict.reasons[0];
    let feature = &model.summary().features[1];
    assert_eq!((first.feature.as_str(), first.value), ("feature 1", 250.0));
    assert_eq!((first.usual_low, first.usual_high), (feature.p10, feature.p90));
    assert!(first.share > 0.5, "{verdict:?}");
    assert!(verdict.is_anomaly && verdict.threshold == 0.5, "{verdict:?}");
    assert!(
        verdict.reasons.iter().all(|reason| reason.feature != "feature 2"),
        "a constant explains nothing: {verdict:?}"
    );
}

#[test]
fn a_value_that_no_row_had_between_two_habits_is_a_reason() {
    // Idle at 5, busy at 90, memory always about 40: 48 % CPU is in the middle of the range, and strange.
    let rows: Vec<f64> = (0..500)
        .flat_map(|row| {
            let wobble = f64::from(row % 10) / 5.0;
            [if row % 2 == 0 { 5.0 + wobble } else { 90.0 - wobble }, 40.0 + f64::from(row % 7)]
        })
        .collect();
    let model = train(&rows, 2).unwrap();
    let verdict = model.judge(&[48.0, 43.0]).unwrap();
    assert_eq!(verdict.reasons[0].feature, "feature 0", "{verdict:?}");
    assert!(verdict.score > model.judge(&[6.0, 43.0]).unwrap().score + 0.02, "{verdict:?}");
}

#[test]
fn nothing_drives_a_row_when_every_path_is_a_leaf() {
    let mut model = small_model();
    model.forest = Forest::without_trees(4, 20);
    model.forest.add(&[crate::forest::Branch::Leaf { rows: 20 }]).unwrap();
    let verdict = model.judge(&[1.0; 4]).unwrap();
    assert_eq!((verdict.score, verdict.reasons), (0.5, vec![]));
}

#[test]
fn a_model_comes_back_exactly() {
    for model in [small_model(), train(&ordinary_rows(), 4).unwrap()] {
        let bytes = model.to_bytes();
        let again = Model::from_bytes(&bytes).unwrap();
        assert_eq!(again, model);
        assert_eq!(again.to_bytes(), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_strange_value_is_the_first_reason(
        column in prop::sample::select(vec![0_usize, 1, 3]),
        beyond in 40.0_f64..10_000.0,
        is_low: bool,
        row in vec(33.0_f64..67.0, 4),
        seed: u64,
    ) {
        let model = train_with(&tailed_rows(), 4, &ForestOptions { seed, ..ForestOptions::default() }).unwrap();
        let mut row = row;
        row[column] = if is_low { -beyond } else { 100.0 + beyond };
        let verdict = model.judge(&row).unwrap();
        prop_assert_eq!(&verdict.reasons[0].feature, &format!("feature {column}"), "{:?}", verdict);
    }

    #[test]
    fn shares_are_in_order_and_make_one(row in vec(-50.0_f64..150.0, 4), samples in 2_usize..100) {
        let options = ForestOptions { trees: 20, samples, ..ForestOptions::default() };
        let model = train_with(&ordinary_rows(), 4, &options).unwrap();
        let verdict = model.judge(&row).unwrap();
        prop_assert_eq!(verdict.score, model.score(&row).unwrap());
        prop_assert!(verdict.reasons.iter().all(|reason| reason.share > 0.0));
        prop_assert!(verdict.reasons.is_sorted_by(|a, b| a.share >= b.share));
        let sum: f64 = verdict.reasons.iter().map(|reason| reason.share).sum();
        prop_assert!(verdict.reasons.is_empty() || (sum - 1.0).abs() < 1e-12, "{}", sum);
    }

    #[test]
    fn any_bytes_are_a_model_or_refused(bytes in vec(any::<u8>(), 0..200), begins_well: bool) {
        let bytes = if begins_well { [&MAGIC[..], &bytes].concat() } else { bytes };
        let sentence = Model::from_bytes(&bytes).unwrap_err().to_string();
        prop_assert!(!sentence.chars().any(char::is_control), "{:?}", sentence);
    }

    /// With a right checksum, so that what lies behind it is reached.
    #[test]
    fn changed_bytes_never_panic(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), row in vec(-1e38..1e38, 4)) {
        let mut bytes = small_model().to_bytes();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(model) = Model::from_bytes(&sealed(bytes)) {
            let verdict = model.judge(&row).unwrap();
            prop_assert!(verdict.score > 0.0 && verdict.score <= 1.0);
            prop_assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
        }
    }

    /// Trees of any form, not only those that are grown.
    #[test]
    fn a_model_of_random_trees_can_be_asked(
        samples in 2_u16..20,
        trees in vec(vec((prop::bool::weighted(0.7), any::<u16>(), -1e38_f32..1e38, any::<u16>()), 1..20), 19),
        rows in vec(-1e38..1e38, 12),
    ) {
        let mut model = small_model();
        model.forest = Forest::without_trees(4, usize::from(samples));
        model.summary.samples = usize::from(samples);
        model.summary.trees = trees.len();
        for choices in &trees {
            model.forest.add(&shape_of(samples, choices)).unwrap();
        }
        let again = Model::from_bytes(&model.to_bytes()).unwrap();
        prop_assert_eq!(&again, &model);
        let scores = again.score_all(&rows).unwrap();
        for (row, score) in rows.chunks_exact(4).zip(scores) {
            prop_assert_eq!(again.judge(row).unwrap().score, score);
            prop_assert!(score > 0.0 && score <= 1.0);
        }
    }
}

#[test]
fn the_largest_samples_fit_into_a_tree() {
    let rows: Vec<f64> = (0..MAX_SAMPLES as u64 + 5).map(|row| (row * 2_654_435_761 % 1_000_003) as f64).collect();
    let options = ForestOptions { trees: 1, samples: MAX_SAMPLES, ..ForestOptions::default() };
    let model = train_with(&rows, 1, &options).unwrap();
    assert_eq!(model.summary().samples, MAX_SAMPLES);
    assert!(model.judge(&[5e5]).unwrap().score < 0.6);
    assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
}

#[test]
fn trees_agree_about_what_is_far_off_and_less_about_the_edge() {
    let rows = tailed_rows();
    let model = train(&rows, 4).unwrap();
    let far = model.assess(&[500.0, -400.0, 12.5, 900.0]).unwrap();
    assert!(far.score > far.threshold && far.confidence > 0.95, "{far:?}");
    for row in rows.chunks_exact(4) {
        let found = model.assess(row).unwrap();
        assert_eq!(found.score.to_bits(), model.score(row).unwrap().to_bits());
        let alone = single_trees(&model, row);
        let agree = alone.iter().filter(|score| (**score > found.threshold) == (found.score > found.threshold)).count();
        assert!((found.confidence - agree as f64 / alone.len() as f64).abs() < 1e-12, "{found:?}");
    }
    assert!(model.assess(&[1.0]).is_err());
}

/// The scores that each tree gives by itself.
fn single_trees(model: &Model, row: &[f64]) -> Vec<f64> {
    let matrix = model.single(row).unwrap();
    model.forest.single_scores(matrix.row(0))
}
