//! Robust statistics of values over time. Values come in groups, and only values of one group are held against each
//! other: what happens between the lives of a program says nothing.

/// A value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Seconds.
    pub(crate) at_s: f64,
    pub(crate) value: f64,
}

/// The median; of an even number of values the middle between the two in the middle. `None` of nothing.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| even);
    Some(lower.map_or(upper, |lower| f64::midpoint(lower, upper)))
}

/// A quantile of the values, between two of them by proportion (type 7 of Hyndman and Fan, The American Statistician 50,
/// 1996). `None` of nothing.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (_, below, above) = values.select_nth_unstable_by(place as usize, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*below);
    Some(*below + (next - *below) * place.fract())
}

/// The median of the slopes between all pairs of a group, per second (Theil 1950; Sen, Journal of the American
/// Statistical Association 63, 1968). Up to 29 % of the values can be anything. `None` without a pair.
pub(crate) fn slope(groups: &[Vec<Point>]) -> Option<f64> {
    let pairs = groups.iter().map(|group| group.len() * group.len().saturating_sub(1) / 2).sum();
    if pairs > 0 && groups.iter().all(|group| is_flat(group)) {
        return Some(0.0);
    }
    let mut slopes = Vec::with_capacity(pairs);
    for group in groups {
        for (index, later) in group.iter().enumerate() {
            let earlier = group[..index].iter().filter(|earlier| later.at_s > earlier.at_s);
            slopes.extend(earlier.map(|earlier| (later.value - earlier.value) / (later.at_s - earlier.at_s)));
        }
    }
    median(&mut slopes)
}

fn is_flat(group: &[Point]) -> bool {
    group.windows(2).all(|pair| pair[0].value == pair[1].value)
}

/// Where a line with this slope stands at a time: the median of the lines through each value. `None` of nothing.
pub(crate) fn level(points: &[Point], slope: f64, at_s: f64) -> Option<f64> {
    let mut levels: Vec<f64> = points.iter().map(|point| point.value + slope * (at_s - point.at_s)).collect();
    median(&mut levels)
}

/// The probability that values without a trend look as much like one as these, whether rising or falling: two-sided
/// Mann-Kendall test with its corrections for ties and continuity (Kendall, Rank Correlation Methods, 1975), the normal
/// approximation, summed up over the groups as in the seasonal test (Hirsch and Slack, Water Resources Research 20,
/// 1984). 1 where nothing can be said.
pub(crate) fn trend_p(groups: &[Vec<Point>]) -> f64 {
    let (mut rises, mut variance) = (0_i64, 0.0);
    for group in groups {
        for (index, later) in group.iter().enumerate() {
            for earlier in &group[..index] {
                rises += i64::from(later.value > earlier.value) - i64::from(later.value < earlier.value);
            }
        }
        let spread = |count: usize| {
            let count = count as f64;
            count * (count - 1.0) * (2.0 * count + 5.0) / 18.0
        };
        let mut values: Vec<f64> = group.iter().map(|point| point.value).collect();
        values.sort_unstable_by(f64::total_cmp);
        let ties: f64 = values.chunk_by(|a, b| a == b).map(|tied| spread(tied.len())).sum();
        variance += spread(group.len()) - ties;
    }
    if variance <= 0.0 {
        return 1.0;
    }
    let beyond = (rises.abs() - 1).max(0) as f64;
    complementary_error(beyond / variance.sqrt() / std::f64::consts::SQRT_2)
}

/// `erfc(x)` for `x >= 0`, with a relative error below 1.2e-7 (Press and others, Numerical Recipes, 2nd edition, 6.2).
fn complementary_error(x: f64) -> f64 {
    const TERMS: [f64; 10] = [
        0.170_872_77,
        -0.822_152_23,
        1.488_515_87,
        -1.135_203_98,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_68,
        -1.265_512_23,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    t * (TERMS.iter().fold(0.0, |sum, term| sum * t + term) - x * x).exp()
}

/// The share of the variation within the groups that straight lines of one slope explain, 0..1; 0 where nothing varies.
pub(crate) fn explained(groups: &[Vec<Point>]) -> f64 {
    let (mut times, mut values, mut both) = (0.0, 0.0, 0.0);
    for group in groups {
        let count = group.len() as f64;
        let mean_s = group.iter().map(|point| point.at_s).sum::<f64>() / count;
        let mean = group.iter().map(|point| point.value).sum::<f64>() / count;
        for point in group {
            let (time, value) = (point.at_s - mean_s, point.value - mean);
            times += time * time;
            values += value * value;
            both += time * value;
        }
    }
    let share = both * both / (times * values);
    if share.is_finite() { share.min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests;
