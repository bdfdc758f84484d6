//! How many cuts it takes to be alone.

/// Euler's constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// c(n): mean path length of an isolation tree of `rows` rows, with which leaves that hold several rows make up for the cuts
/// that were not made. Equation 1 of the paper, with the harmonic number H(i) as `ln(i) + gamma`; c(1) = 0 and c(2) = 1.
pub(super) fn average_path_length(rows: usize) -> f64 {
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        rows => {
            let rows = rows as f64;
            2.0 * ((rows - 1.0).ln() + EULER_GAMMA) - 2.0 * (rows - 1.0) / rows
        }
    }
}

/// Cuts after which a tree over `samples` rows stops: as many as a balanced tree needs, `ceil(log2(samples))`.
pub(super) fn depth_limit(samples: usize) -> u32 {
    samples.next_power_of_two().trailing_zeros()
}
