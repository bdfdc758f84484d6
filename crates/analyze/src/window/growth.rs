//! What something has gained for good: how a leak is told from what only looks like one.
//!
//! A leak is a floor that rises. The floor at a time is the smallest value from then on, within one life: what a collector
//! or a cache gives back later was never gained. A rise of the floor counts if three things hold.
//!
//! - Values without a trend would rarely look like it: Mann-Kendall on the smallest values of the buckets, p < 0.01. This
//!   alone would be fooled: values that wander, and teeth that are long against the window, have trends by that test.
//! - A walk without aim would rarely come so far: the drift of a random walk (Brownian motion) seen at the smallest
//!   values of up to 16 parts of the window, against how much its steps differ, by Student's t with p < 0.001. One large
//!   step, teeth, and what wanders have steps that differ; a leak has steps that are alike.
//! - It goes on: in the last third of each life, and in the last third of the window, the floor rises by at least half of
//!   its slope over all. A cache that fills up slows down.
//!
//! The start of a life does not count: programs load, caches warm up.

use super::statistics::{self, Point};
use super::track::{Shape, Track};

/// Mann-Kendall: values without a trend look like this more rarely.
const LIKELY_CHANCE: f64 = 0.01;
/// Parts that a window has, and a life at the least, for the walk.
const PARTS: i64 = 16;
const LEAST_PARTS: i64 = 4;
/// Start-up: the first tenth of a life, and not less than ten minutes or a tenth of a window that is short.
const START_SHARE: i64 = 10;
const START_MS: i64 = 600_000;
/// What is left of the slope in the last third, at the least.
const GOES_ON: f64 = 0.5;
/// Fewer values than these do not say whether it goes on.
const FEW: usize = 8;

/// Student's t for a two-sided p of 0.001, from 3 degrees of freedom on.
const STUDENT: [f64; 13] = [12.92, 8.610, 6.869, 5.959, 5.408, 5.041, 4.781, 4.587, 4.437, 4.318, 4.221, 4.140, 4.073];

/// One life, after its start.
struct Life {
    /// Smallest values of the buckets.
    least: Vec<Point>,
    /// The floor at the same times.
    floor: Vec<Point>,
}

/// The smallest values of a window and its floor, each one group of points for each life.
pub(super) fn floors(track: &Track, shape: Shape) -> (Vec<Vec<Point>>, Vec<Vec<Point>>) {
    lives(track, shape).into_iter().map(|life| (life.least, life.floor)).unzip()
}

/// Gain per second in the unit of the values; 0 where nothing is gained for good.
pub(super) fn growth(track: &Track, shape: Shape) -> f64 {
    rise(&lives(track, shape), shape).unwrap_or(0.0)
}

fn rise(lives: &[Life], shape: Shape) -> Option<f64> {
    let floors: Vec<Vec<Point>> = lives.iter().map(|life| life.floor.clone()).collect();
    // The median of the slopes is 0 for most of what has no leak; the rest need not be asked.
    let slope = statistics::slope(&floors).filter(|slope| *slope > 0.0)?;
    let least: Vec<Vec<Point>> = lives.iter().map(|life| life.least.clone()).collect();
    let counts = statistics::trend_p(&least) < LIKELY_CHANCE
        && is_no_walk(&least, shape)
        && goes_on(&floors, slope, last_third)
        && goes_on(&floors, slope, |_| floors.last()?.last().map(|last| last.at_s - shape.length_ms as f64 / 3e3));
    counts.then_some(slope)
}

/// The lives in a window that have a floor, oldest first.
fn lives(track: &Track, shape: Shape) -> Vec<Life> {
    let mut lives: Vec<(i64, Vec<Point>)> = Vec::new();
    for bucket in track.buckets() {
        let point = Point { at_s: bucket.at_s(), value: bucket.floor };
        match lives.last_mut().filter(|(began_ms, _)| *began_ms == bucket.life_ms) {
            Some((_, points)) => points.push(point),
            None => lives.push((bucket.life_ms, vec![point])),
        }
    }
    let newest = lives.len().saturating_sub(1);
    let mut found = Vec::new();
    for (index, (began_ms, mut least)) in lives.into_iter().enumerate() {
        if index < newest {
            // What ends gives its memory back before it is gone.
            least.pop();
        }
        let Some(last) = least.last() else { continue };
        let age_ms = (last.at_s * 1e3) as i64 - began_ms;
        let start_ms = (age_ms / START_SHARE).max(START_MS.min(shape.length_ms / START_SHARE));
        least.retain(|point| point.at_s * 1e3 >= (began_ms + start_ms) as f64);
        let mut floor = least.clone();
        for index in (1..floor.len()).rev() {
            floor[index - 1].value = floor[index - 1].value.min(floor[index].value);
        }
        found.push(Life { least, floor });
    }
    found
}

/// Whether a random walk without drift would rarely come so far. For steps `d` over times `t` the drift is `sum d / sum t`,
/// and the variance per second the mean of `(d - drift * t)^2 / t` over one step less than there are.
fn is_no_walk(lives: &[Vec<Point>], shape: Shape) -> bool {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for life in lives {
        let (Some(first), Some(last)) = (life.first(), life.last()) else { continue };
        let whole_s = shape.length_ms as f64 / 1e3;
        let part_s = (whole_s / PARTS as f64).min((last.at_s - first.at_s) / LEAST_PARTS as f64);
        // Parts of less than two buckets are no parts but noise.
        if part_s < whole_s / 64.0 || part_s <= 0.0 {
            continue;
        }
        let part = |point: &Point| ((point.at_s - first.at_s) / part_s) as i64;
        let mut before: Option<(i64, f64)> = None;
        for points in life.chunk_by(|a, b| part(a) == part(b)) {
            let place = part(&points[0]);
            let smallest = points.iter().map(|point| point.value).fold(f64::INFINITY, f64::min);
            if let Some((former, value)) = before {
                steps.push((smallest - value, (place - former) as f64 * part_s));
            }
            before = Some((place, smallest));
        }
    }
    let Some(limit) = steps.len().checked_sub(4).map(|more| STUDENT[more.min(STUDENT.len() - 1)]) else { return false };
    let time: f64 = steps.iter().map(|(_, time)| time).sum();
    let drift = steps.iter().map(|(step, _)| step).sum::<f64>() / time;
    let unlike: f64 = steps.iter().map(|(step, time)| (step - drift * time).powi(2) / time).sum();
    let variance = unlike / (steps.len() - 1) as f64;
    drift > 0.0 && drift * time.sqrt() > limit * variance.sqrt()
}

/// Whether the floor rises from some time on, in each life or overall, nearly as it does in the whole; where there is too
/// little to say, it does.
fn goes_on(floors: &[Vec<Point>], slope: f64, from_s: impl Fn(&[Point]) -> Option<f64>) -> bool {
    let late: Vec<Vec<Point>> = floors
        .iter()
        .filter_map(|life| {
            let from_s = from_s(life)?;
            Some(life.iter().filter(|point| point.at_s >= from_s).copied().collect())
        })
        .collect();
    let count: usize = late.iter().map(Vec::len).sum();
    count < FEW || statistics::slope(&late).is_none_or(|late| late >= slope * GOES_ON)
}

/// Where the last third of a life begins, seconds.
fn last_third(life: &[Point]) -> Option<f64> {
    let (first, last) = (life.first()?, life.last()?);
    Some(last.at_s - (last.at_s - first.at_s) / 3.0)
}
