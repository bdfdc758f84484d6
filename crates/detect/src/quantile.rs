//! Quantiles with linear interpolation, the same numbers as `numpy.percentile`.

/// The quantile `share` (0 to 1) of `values`, which it reorders; they are finite and not empty.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let below = (place.floor() as usize).min(values.len() - 1);
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    between(low, high, place - below as f64)
}

/// From `low` (at 0) to `high` (at 1), exact at both ends; the halves keep the difference from overflowing.
fn between(low: f64, high: f64, share: f64) -> f64 {
    let half = high / 2.0 - low / 2.0;
    let value = if share < 0.5 { low + half * (2.0 * share) } else { high - half * (2.0 * (1.0 - share)) };
    value.clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.percentile of 2.4.6
        for (values, share, expected) in [
            (vec![3.0], 0.1, 3.0),
            (vec![1.0, 2.0], 0.5, 1.5),
            (vec![4.0, 1.0, 3.0, 2.0], 0.5, 2.5),
            (vec![4.0, 1.0, 3.0, 2.0], 0.1, 1.3),
            (vec![10.0, 20.0, 30.0, 40.0, 50.0], 0.9, 46.0),
            (vec![0.1, 0.7, 0.2], 0.05, 0.11),
            (vec![5.0, 5.0, 5.0], 0.9, 5.0),
            (vec![-1e308, 1e308], 0.5, 0.0),
            (vec![2.0, 1.0, 3.0], 0.0, 1.0),
            (vec![2.0, 1.0, 3.0], 1.0, 3.0),
        ] {
            let found = quantile(&mut values.clone(), share);
            assert!((found - expected).abs() < 1e-12, "{share} of {values:?} is {found} and not {expected}");
        }
    }

    proptest! {
        #[test]
        fn a_quantile_lies_between_its_neighbours(
            mut values in prop::collection::vec(prop::num::f64::NORMAL, 1..40), share in 0.0..=1.0,
        ) {
            let found = quantile(&mut values, share);
            values.sort_by(f64::total_cmp);
            let place = share * (values.len() - 1) as f64;
            prop_assert!(values[place.floor() as usize] <= found && found <= values[place.ceil() as usize]);
        }
    }
}
