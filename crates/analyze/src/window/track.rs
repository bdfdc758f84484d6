//! The values of one field of one entity over the last minutes or hours, in at most 128 buckets.

use std::collections::VecDeque;

use watchkeeper_expression::{Function, MOST_BUCKETS};

use super::clock::Stretch;
use super::statistics::{self, Point};
use super::still::Still;

/// Of a window with few looks, what is dear is worked out so often in its length, and once in so long.
const WAITS: i64 = 32;
const LONGEST_WAIT_MS: i64 = 10_000;

/// How long a window is, and how finely it is kept.
#[allow(clippy::struct_field_names, reason = "the unit stands at the end of a name")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) length_ms: i64,
    /// Whole intervals, so that a window of at most 128 looks keeps each of them.
    pub(super) bucket_ms: i64,
    /// By how much a look may come early or late and still be taken for on time.
    slack_ms: i64,
}

impl Shape {
    pub(super) fn new(length_ms: i64, interval_ms: i64) -> Self {
        let interval_ms = interval_ms.max(1);
        let bucket_ms = ceil_div(length_ms, MOST_BUCKETS as i64);
        let bucket_ms = ceil_div(bucket_ms, interval_ms).max(1).saturating_mul(interval_ms);
        Self { length_ms, bucket_ms, slack_ms: interval_ms / 2 }
    }

    /// How long to wait before what is dear is worked out again: a bucket, of short windows some looks.
    pub(super) fn wait_ms(self) -> i64 {
        self.bucket_ms.max((self.length_ms / WAITS).min(LONGEST_WAIT_MS)) - self.slack_ms
    }

    /// How much of that to wait at first. The windows of all entities have begun at the same time, and must not all be
    /// worked out in the same tick.
    pub(super) fn first_wait_ms(self, slot: usize) -> i64 {
        // Multiples of the golden section are spread evenly, however many there are.
        let part = (slot as f64 * 0.618_033_988_75).fract();
        (part * self.wait_ms() as f64) as i64 - self.slack_ms
    }

    /// Whether what begins then follows on what ended then.
    pub(super) fn is_on_time(self, end_ms: i64, from_ms: i64) -> bool {
        (from_ms - end_ms).abs() <= self.slack_ms
    }
}

fn ceil_div(number: i64, by: i64) -> i64 {
    number / by + i64::from(number % by > 0)
}

/// What was seen within a short time. 64 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Begin of the first look in it, observed time.
    pub(super) from_ms: i64,
    /// When the life began that was seen last, observed time; also before the first look.
    pub(super) life_ms: i64,
    /// From `from_ms` to the end of the last look.
    span_ms: u32,
    /// Time with a known value.
    known_ms: u32,
    /// Values, each multiplied by its milliseconds.
    sum: f64,
    pub(super) min: f64,
    max: f64,
    last: f64,
    /// Smallest value of the life that was seen last.
    pub(super) floor: f64,
}

impl Bucket {
    /// With a first look of so much time.
    pub(super) fn new(from_ms: i64, known_ms: i64, look: Look) -> Self {
        let Look { value, weight_ms, life_ms } = look;
        let known_ms = u32::try_from(known_ms).unwrap_or(u32::MAX);
        Self {
            from_ms,
            life_ms,
            span_ms: known_ms,
            known_ms,
            sum: value * weight_ms,
            min: value,
            max: value,
            last: value,
            floor: value,
        }
    }

    /// Whether it had this value of this life all the time.
    pub(super) fn is_still(&self, value: f64, life_ms: i64) -> bool {
        let whole = self.known_ms == self.span_ms && self.life_ms == life_ms && self.floor == value;
        let sum = value * f64::from(self.known_ms);
        whole && self.min == value && self.max == value && (self.sum - sum).abs() <= sum.abs() * 1e-9
    }

    pub(super) fn end_ms(&self) -> i64 {
        self.from_ms + i64::from(self.span_ms)
    }

    /// The middle, seconds.
    pub(super) fn at_s(&self) -> f64 {
        (self.from_ms as f64 + f64::from(self.span_ms) / 2.0) / 1e3
    }

    fn mean(&self) -> f64 {
        self.sum / f64::from(self.known_ms)
    }
}

/// A known value at a tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) value: f64,
    /// How much the value counts in sums, milliseconds.
    pub(super) weight_ms: f64,
    /// When the life began that it belongs to, observed time.
    pub(super) life_ms: i64,
}

/// What all buckets but the newest come to.
#[derive(Clone, Copy, Debug)]
struct Older {
    sum: f64,
    min: f64,
    max: f64,
}

/// The values of one field of one entity.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// All of them, as long as nothing moves; then there are no buckets.
    still: Option<Still>,
    /// Oldest first; none without a known value.
    buckets: VecDeque<Bucket>,
    /// Time with a known value in all of them.
    known_ms: i64,
    /// Worked out where it is asked for, until the buckets are others.
    older: Option<Older>,
    /// Rises with each new bucket, from 1 on.
    pub(super) turn: u64,
}

impl Track {
    /// Adds a tick, also one in which nothing is known.
    #[inline]
    pub(super) fn record(&mut self, shape: Shape, stretch: Stretch, look: Option<Look>) {
        // A look that stands for no time adds nothing.
        let look = look.filter(|_| stretch.known_ms > 0);
        if let Some(still) = self.still {
            self.still = look.and_then(|look| still.goes_on(shape, stretch, look));
            match self.still {
                Some(still) => return self.known_ms = still.known_ms(),
                None => self.unfold(shape, still),
            }
        }
        self.forget_old(shape, stretch.now_ms);
        let Some(look) = look else { return };
        let known_ms = u32::try_from(stretch.known_ms).unwrap_or(u32::MAX);
        self.known_ms += i64::from(known_ms);
        let Look { value, weight_ms, life_ms } = look;
        let limit_ms = shape.bucket_ms + shape.slack_ms;
        match self.buckets.back_mut().filter(|newest| stretch.now_ms - newest.from_ms <= limit_ms) {
            Some(newest) => {
                newest.span_ms = (stretch.now_ms - newest.from_ms) as u32;
                newest.known_ms = newest.known_ms.saturating_add(known_ms);
                newest.sum += value * weight_ms;
                newest.min = newest.min.min(value);
                newest.max = newest.max.max(value);
                newest.last = value;
                newest.floor = if newest.life_ms == life_ms { newest.floor.min(value) } else { value };
                newest.life_ms = life_ms;
            }
            None => self.open(shape, stretch, look),
        }
    }

    fn open(&mut self, shape: Shape, stretch: Stretch, look: Look) {
        if self.buckets.len() >= MOST_BUCKETS {
            self.forget_oldest();
        }
        let known_ms = i64::from(u32::try_from(stretch.known_ms).unwrap_or(u32::MAX));
        self.buckets.push_back(Bucket::new(stretch.now_ms - known_ms, known_ms, look));
        self.older = None;
        self.turn += 1;
        if Still::begin(stretch, look).is_some()
            && let Some(still) = Still::of(shape, self.buckets.iter())
        {
            self.still = Some(still);
            self.buckets = VecDeque::new();
            self.known_ms = still.known_ms();
        }
    }

    /// Something moves: everything that was still is kept in buckets from now on.
    fn unfold(&mut self, shape: Shape, still: Still) {
        self.buckets = still.buckets(shape).collect();
        self.known_ms = self.buckets.iter().map(|bucket| i64::from(bucket.known_ms)).sum();
        self.older = None;
        self.turn += 1;
    }

    /// Drops buckets that are not wholly within the window.
    fn forget_old(&mut self, shape: Shape, now_ms: i64) {
        let oldest_ms = now_ms - shape.length_ms - shape.slack_ms;
        while self.buckets.front().is_some_and(|oldest| oldest.from_ms < oldest_ms) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.buckets.pop_front() {
            self.older = None;
            self.known_ms -= i64::from(oldest.known_ms);
        }
    }

    /// Empty while nothing moves.
    pub(super) fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.buckets.iter()
    }

    /// Whether all of its values are the same.
    pub(super) fn is_still(&self) -> bool {
        self.still.is_some()
    }

    /// What all buckets come to.
    fn whole(&mut self) -> Option<Older> {
        let newest = self.buckets.back()?;
        let add = |all: Older, bucket: &Bucket| Older {
            sum: all.sum + bucket.sum,
            min: all.min.min(bucket.min),
            max: all.max.max(bucket.max),
        };
        let none = Older { sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
        let older = || self.buckets.iter().rev().skip(1).fold(none, add);
        Some(add(*self.older.get_or_insert_with(older), newest))
    }

    /// Time with a known value in the window, milliseconds.
    pub(super) fn known_ms(&self) -> i64 {
        self.known_ms
    }

    /// Whether enough is known to say anything about the window: 80 % of it.
    #[inline]
    pub(super) fn is_known(&self, shape: Shape) -> bool {
        // In a wider type: windows are at most a month, but nothing here depends on it.
        i128::from(self.known_ms) * 5 >= i128::from(shape.length_ms) * 4
    }

    /// The means of the buckets.
    pub(super) fn means(&self) -> Vec<Point> {
        self.buckets().map(|bucket| Point { at_s: bucket.at_s(), value: bucket.mean() }).collect()
    }

    /// What a function makes of the window; `None`: unknown. Of more looks than buckets it is exact for `avg`, `min`,
    /// `max` and `count`; `quantile`, `slope`, `trend_p` and `predict` look at the means of the buckets.
    pub(super) fn value(&mut self, shape: Shape, function: Function, now_ms: i64) -> Option<f64> {
        if !self.is_known(shape) {
            return None;
        }
        if let Some(still) = self.still {
            return Some(still.value(function)).filter(|value| value.is_finite());
        }
        let value = match function {
            Function::Avg => self.whole()?.sum / self.known_ms as f64,
            Function::Min => self.whole()?.min,
            Function::Max => self.whole()?.max,
            Function::Count => self.whole()?.sum / 1e3,
            Function::Quantile(of_time) => {
                statistics::quantile(self.buckets.iter().map(Bucket::mean).collect(), of_time)?
            }
            Function::Rate => {
                let (first, last) = (self.buckets.front()?, self.buckets.back()?);
                // One look has no rate: not-a-number is unknown.
                (last.last - first.last) * 1e3 / (last.end_ms() - first.end_ms()) as f64
            }
            Function::Slope => statistics::slope(&[self.means()])?,
            Function::TrendP => statistics::trend_p(&[self.means()]),
            Function::Predict { horizon_ms } => {
                let means = [self.means()];
                let slope = statistics::slope(&means)?;
                let now = statistics::level(&means[0], slope, now_ms as f64 / 1e3)?;
                now + slope * horizon_ms as f64 / 1e3
            }
            Function::Growth => super::growth::growth(self, shape),
        };
        Some(value).filter(|value| value.is_finite())
    }
}
