//! Windows: what is made of the values of a field over the last minutes or hours.

use watchkeeper_core::quantity::Span;

/// Shortest window, and nearest look ahead.
pub const SHORTEST_WINDOW: Span = Span::from_secs(1);
/// Longest window.
pub const LONGEST_WINDOW: Span = Span::from_secs(31 * 86_400);
/// Farthest look ahead.
pub const LONGEST_HORIZON: Span = Span::from_secs(366 * 86_400);
/// Most windows of one condition; every one of them takes memory for each entity.
pub const MOST_WINDOWS: usize = 16;
/// Most values that a window keeps for one entity: a long window keeps them coarser.
pub const MOST_BUCKETS: usize = 128;

/// A function over the values of a field in a window that ends now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// What is made of the values.
    pub function: Function,
    /// Length of the window, milliseconds, observed time.
    pub length_ms: i64,
}

/// What is made of the values of a window. Values that are unknown do not count; a window of which less than 80 % was
/// observed with a known value is unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// Mean, weighted with the time that each value stands for. Unit of the field.
    Avg,
    /// Smallest value. Unit of the field.
    Min,
    /// Largest value. Unit of the field.
    Max,
    /// The value below which this share of the time lies, 0..1. Unit of the field.
    Quantile(f64),
    /// Last value minus first, by the time between them. Unit of the field per second.
    Rate,
    /// Robust slope: the median of the slopes between all pairs (Theil, Sen). Unit of the field per second.
    Slope,
    /// Probability that values without a trend look like this: two-sided Mann-Kendall test. 0..1.
    TrendP,
    /// Where the field will be this many milliseconds from now if it goes on with its robust slope. Unit of the field.
    Predict {
        /// How far ahead, milliseconds.
        horizon_ms: i64,
    },
    /// How many there were in the window, of a field in things or bytes per second: their sum. A count, or bytes.
    Count,
    /// What the field has gained in the window for good, per second: the robust slope of its floor within the lives of
    /// what it watches, 0 unless it is significant and goes on in the last third. Unit of the field per second.
    Growth,
}

impl Function {
    /// Whether it gives what the field itself can be, such as a mean or a prediction; no rate, probability or sum.
    pub fn is_level(self) -> bool {
        matches!(self, Self::Avg | Self::Min | Self::Max | Self::Quantile(_) | Self::Predict { .. })
    }

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Quantile(_) => "quantile",
            Self::Rate => "rate",
            Self::Slope => "slope",
            Self::TrendP => "trend_p",
            Self::Predict { .. } => "predict",
            Self::Count => "count",
            Self::Growth => "growth",
        }
    }
}
