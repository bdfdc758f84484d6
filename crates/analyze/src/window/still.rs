//! A window in which nothing moves: most windows of most processes. It is kept as one value instead of 128 times.

use watchkeeper_expression::Function;

use super::clock::Stretch;
use super::track::{Bucket, Look, Shape};

/// One value without a gap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Still {
    /// Observed time.
    from_ms: i64,
    end_ms: i64,
    value: f64,
    /// When the life began that it belongs to.
    life_ms: i64,
}

impl Still {
    /// A first look, if its value counts for its time.
    pub(super) fn begin(stretch: Stretch, look: Look) -> Option<Self> {
        let (from_ms, end_ms) = (stretch.now_ms - stretch.known_ms, stretch.now_ms);
        let Look { value, weight_ms, life_ms } = look;
        (weight_ms == stretch.known_ms as f64).then_some(Self { from_ms, end_ms, value, life_ms })
    }

    /// The same after one more look, if nothing has moved.
    pub(super) fn goes_on(self, shape: Shape, stretch: Stretch, look: Look) -> Option<Self> {
        let next = Self::begin(stretch, look)?;
        let same = next.value == self.value && next.life_ms == self.life_ms;
        let oldest_ms = stretch.now_ms - shape.length_ms;
        (same && shape.is_on_time(self.end_ms, next.from_ms))
            .then_some(Self { from_ms: self.from_ms.max(oldest_ms), ..next })
    }

    /// Buckets as one, if nothing moves in them.
    pub(super) fn of<'a>(shape: Shape, mut buckets: impl Iterator<Item = &'a Bucket>) -> Option<Self> {
        let first = buckets.next().filter(|first| first.is_still(first.min, first.life_ms))?;
        let (from_ms, value, life_ms) = (first.from_ms, first.min, first.life_ms);
        let mut end_ms = first.end_ms();
        for bucket in buckets {
            if !bucket.is_still(value, life_ms) || !shape.is_on_time(end_ms, bucket.from_ms) {
                return None;
            }
            end_ms = bucket.end_ms();
        }
        Some(Self { from_ms, end_ms, value, life_ms })
    }

    /// As buckets, oldest first.
    pub(super) fn buckets(self, shape: Shape) -> impl Iterator<Item = Bucket> {
        let begins = (0_i64..).map(move |number| self.from_ms + number * shape.bucket_ms);
        begins.take_while(move |from_ms| *from_ms < self.end_ms).map(move |from_ms| {
            let known_ms = (self.end_ms - from_ms).min(shape.bucket_ms);
            let look = Look { value: self.value, weight_ms: known_ms as f64, life_ms: self.life_ms };
            Bucket::new(from_ms, known_ms, look)
        })
    }

    /// Time with a known value, milliseconds.
    pub(super) fn known_ms(self) -> i64 {
        self.end_ms - self.from_ms
    }

    /// What a function makes of it.
    pub(super) fn value(self, function: Function) -> f64 {
        match function {
            Function::Avg | Function::Min | Function::Max | Function::Quantile(_) | Function::Predict { .. } => {
                self.value
            }
            Function::Rate | Function::Slope | Function::Growth => 0.0,
            Function::TrendP => 1.0,
            Function::Count => self.value * self.known_ms() as f64 / 1e3,
        }
    }
}
