//! Before the first look is evaluated: windows of rules are fed with what the log knows of the time before it, so that a
//! restart makes nobody wait for a window to fill again.
//!
//! It happens on the analyst's thread while the reader looks at the machine already: what is looked at meanwhile waits in
//! the mailbox, and the time for it ends before that is full. A log that is too long for that time is read from later on;
//! what is newest fills the short windows, and those are most.

use std::path::Path;
use std::time::{Duration, Instant};

use watchkeeper_analyze::Analyzer;
use watchkeeper_core::port::HistoryError;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::duration;
use watchkeeper_core::{History as _, Range};
use watchkeeper_store::Reader;

/// The most time for it.
const LONGEST: Duration = Duration::from_secs(2);
/// Looks that may wait in the mailbox meanwhile; it holds 16.
const MOST_WAITING: u32 = 12;
/// Ticks that are read to see how fast it goes.
const TRIED: usize = 100;
/// The part of the time that is planned with: another thread may want the processor too.
const PLANNED: f64 = 0.7;

/// Feeds the windows with the log before `until_ms`, the time of the first look. What cannot be read is left out: then
/// windows fill as they do on a new machine.
pub fn warm_up(analyzer: &mut Analyzer, state_folder: &Path, until_ms: i64, interval: Span) {
    let reach_ms = analyzer.longest_window_ms();
    if reach_ms <= 0 {
        return;
    }
    let begun = Instant::now();
    let limit = LONGEST.min(interval.duration() * MOST_WAITING);
    let range = Range::new(until_ms.saturating_sub(reach_ms), until_ms);
    match feed(analyzer, state_folder, range, limit) {
        Ok(Fed { ticks: 0, .. }) => {}
        Ok(Fed { ticks, from_ms }) => tracing::debug!(
            "the windows of the rules know {} of the last {} from the log: {ticks} looks, read in {} ms",
            duration(until_ms.saturating_sub(from_ms)),
            duration(reach_ms),
            begun.elapsed().as_millis()
        ),
        Err(HistoryError::Deadline) => {
            tracing::info!("the log could not be read in time: windows of rules know only a part of what was before");
        }
        Err(error) => tracing::warn!("windows of rules begin without what was before: {error}"),
    }
}

/// What the windows were fed with.
struct Fed {
    ticks: u64,
    /// Time of the first one, milliseconds UTC.
    from_ms: i64,
}

fn feed(analyzer: &mut Analyzer, state_folder: &Path, range: Range, limit: Duration) -> Result<Fed, HistoryError> {
    let mut fed = Fed { ticks: 0, from_ms: range.to_ms };
    // A store that has no log yet has nothing to read.
    let Ok(reader) = Reader::open(state_folder) else { return Ok(fed) };
    let (reader, begun) = (reader.with_deadline(limit), Instant::now());
    let coverage = reader.coverage(range)?;
    let (Some(first_ms), Some(last_ms)) = (coverage.first_ms, coverage.last_ms) else { return Ok(fed) };
    let mut from_ms = first_ms;
    if coverage.ticks > TRIED as u64 {
        let tried = Instant::now();
        for tick in reader.replay(range)?.take(TRIED) {
            drop(tick?);
        }
        let rest = limit.saturating_sub(begun.elapsed());
        from_ms = affordable(Range::new(first_ms, last_ms), coverage.ticks, tried.elapsed() / TRIED as u32, rest);
    }
    for tick in reader.replay(Range::new(from_ms, range.to_ms))? {
        let tick = tick?;
        fed.from_ms = fed.from_ms.min(tick.at.ts_ms);
        fed.ticks += 1;
        analyzer.warm_up(&tick);
    }
    Ok(fed)
}

/// From when on the ticks of a range can be read in the time that is left, if one takes `each`.
fn affordable(range: Range, ticks: u64, each: Duration, rest: Duration) -> i64 {
    let takes = each.as_secs_f64() * ticks as f64;
    let share = if takes > 0.0 { (rest.as_secs_f64() * PLANNED / takes).min(1.0) } else { 1.0 };
    range.to_ms.saturating_sub((range.length_ms() as f64 * share).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_too_long_is_read_from_later_on() {
        let day = Range::new(0, 86_400_000);
        for (each_us, rest_ms, expected_ms) in [
            (10, 2_000, 0),
            (0, 2_000, 0),
            // 86.4 s for all, and 1.4 s are planned.
            (1_000, 2_000, 86_400_000 - 1_400_000),
            (1_000, 0, 86_400_000),
        ] {
            let (each, rest) = (Duration::from_micros(each_us), Duration::from_millis(rest_ms));
            assert_eq!(affordable(day, 86_400, each, rest), expected_ms, "{each_us} us in {rest_ms} ms");
        }
    }
}
