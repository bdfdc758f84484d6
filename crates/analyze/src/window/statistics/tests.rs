use proptest::prelude::*;

use super::*;

fn points(values: &[f64]) -> Vec<Point> {
    values.iter().enumerate().map(|(index, value)| Point { at_s: index as f64 * 10.0, value: *value }).collect()
}

#[track_caller]
fn assert_near(number: f64, wanted: f64, within: f64) {
    assert!((number - wanted).abs() <= within, "{number} instead of {wanted}");
}

#[test]
fn medians_and_quantiles_are_those_of_the_books() {
    for (values, share, wanted) in [
        (vec![3.0], 0.95, 3.0),
        (vec![4.0, 1.0, 3.0, 2.0], 0.5, 2.5),
        (vec![4.0, 1.0, 3.0, 2.0], 0.0, 1.0),
        (vec![4.0, 1.0, 3.0, 2.0], 1.0, 4.0),
        // numpy.quantile([1, 2, 3, 4, 10], 0.9)
        (vec![10.0, 1.0, 2.0, 3.0, 4.0], 0.9, 7.6),
    ] {
        assert_near(quantile(values.clone(), share).unwrap(), wanted, 1e-12);
        if share == 0.5 {
            assert_eq!(median(&mut values.clone()), Some(wanted));
        }
    }
    assert_eq!(quantile(Vec::new(), 0.5), None);
    assert_eq!(median(&mut []), None);
    assert_eq!(median(&mut [5.0, 1.0, 3.0]), Some(3.0));
}

#[test]
fn outliers_do_not_move_the_slope() {
    let mut values: Vec<f64> = (0..20).map(|index| f64::from(index) * 2.0).collect();
    assert_near(slope(&[points(&values)]).unwrap(), 0.2, 1e-12);
    for index in [3, 9, 10, 15] {
        values[index] = 1e9;
    }
    assert_near(slope(&[points(&values)]).unwrap(), 0.2, 0.02);
    assert_eq!(slope(&[points(&[7.0])]), None);
    assert_eq!(slope(&[]), None);
    assert_eq!(slope(&[points(&[7.0, 7.0, 7.0])]), Some(0.0));
}

#[test]
fn a_line_explains_what_lies_on_it() {
    // Squares of the correlations of R.
    for (values, share) in [
        (vec![1.0, 2.0, 3.0, 4.0], 1.0),
        (vec![4.0, 3.0, 2.0, 1.0], 1.0),
        (vec![1.0, 3.0, 2.0, 4.0], 0.64),
        (vec![2.0, 1.0, 1.0, 2.0], 0.0),
        (vec![5.0, 5.0, 5.0, 5.0], 0.0),
    ] {
        assert_near(explained(&[points(&values)]), share, 1e-12);
    }
}

#[test]
fn groups_are_not_held_against_each_other() {
    let lives = [points(&[0.0, 1.0, 2.0, 3.0]), points(&[-50.0, -49.0, -48.0, -47.0])];
    assert_near(slope(&lives).unwrap(), 0.1, 1e-12);
    assert_near(explained(&lives), 1.0, 1e-12);
    // Two rises of four values each, of which each alone would be no evidence.
    assert!(trend_p(&lives) < trend_p(&lives[..1]));
}

/// Worked out by hand from the formulas of Gilbert, Statistical Methods for Environmental Pollution Monitoring, 16.4.
#[test]
fn mann_kendall_is_that_of_the_books() {
    // S = 45 of 45 pairs, variance 10 * 9 * 25 / 18 = 125, z = 44 / 11.18 = 3.935.
    let rising: Vec<f64> = (0..10).map(f64::from).collect();
    assert_near(trend_p(&[points(&rising)]), 8.3e-5, 0.1e-5);
    let falling: Vec<f64> = rising.iter().map(|value| -value).collect();
    assert_eq!(trend_p(&[points(&rising)]), trend_p(&[points(&falling)]));
    // Ties: variance (5 * 4 * 15 - 2 * 1 * 9 - 3 * 2 * 11) / 18 = 12; S = 2, z = 1 / 3.464, and S = 6, z = 5 / 3.464.
    assert_near(trend_p(&[points(&[1.0, 2.0, 2.0, 1.0, 2.0])]), 0.7728, 0.0001);
    assert_near(trend_p(&[points(&[1.0, 1.0, 2.0, 2.0, 2.0])]), 0.1489, 0.0001);
    assert_near(trend_p(&[points(&[5.0, 5.0, 5.0])]), 1.0, 0.0);
    assert_near(trend_p(&[]), 1.0, 0.0);
}

#[test]
fn the_normal_distribution_is_that_of_the_tables() {
    for (z, p) in [(0.0, 1.0), (1.0, 0.317_310_5), (1.959_964, 0.05), (2.575_829, 0.01), (6.0, 1.973_175e-9)] {
        assert_near(complementary_error(z / std::f64::consts::SQRT_2) / p, 1.0, 1e-6);
    }
}

proptest! {
    #[test]
    fn a_line_is_found_wherever_it_lies(slope_of in -1e6_f64..1e6, begin in -1e9_f64..1e9, count in 3_usize..60) {
        let line: Vec<f64> = (0..count).map(|index| begin + slope_of * index as f64 * 10.0).collect();
        let line = [points(&line)];
        let found = slope(&line).unwrap();
        prop_assert!((found - slope_of).abs() <= 1e-6 * slope_of.abs().max(1.0));
        let at_s = count as f64 * 10.0;
        let level = level(&line[0], found, at_s).unwrap();
        prop_assert!((level - begin - slope_of * at_s).abs() <= 1e-3_f64.max(level.abs() * 1e-6));
    }

    #[test]
    fn the_slope_is_the_middle_of_all_pairs(values in prop::collection::vec(-100_i32..100, 2..30)) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let mut slopes = Vec::new();
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate().skip(i + 1) {
                slopes.push((b - a) / ((j - i) as f64 * 10.0));
            }
        }
        slopes.sort_by(f64::total_cmp);
        let wanted = f64::midpoint(slopes[(slopes.len() - 1) / 2], slopes[slopes.len() / 2]);
        prop_assert!((slope(&[points(&values)]).unwrap() - wanted).abs() < 1e-12);
    }

    #[test]
    fn probabilities_and_shares_are_between_0_and_1(values in prop::collection::vec(-1e12_f64..1e12, 0..60)) {
        let values = [points(&values)];
        prop_assert!((0.0..=1.000_001).contains(&trend_p(&values)));
        prop_assert!((0.0..=1.0).contains(&explained(&values)));
    }
}
