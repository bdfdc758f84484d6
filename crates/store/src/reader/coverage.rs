//! What the log holds of a range, and what it does not.

use std::cmp::Reverse;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use watchkeeper_core::port::{Coverage, HistoryError};
use watchkeeper_core::{Gap, GapReason, Range, Section};

use super::file::LogFile;

/// Time without a tick is told from so many intervals on, and never below [`SHORTEST_HOLE_MS`].
const HOLE_INTERVALS: i64 = 3;
/// Ticks wait in the watch's memory for up to 10 s; the end of the log is not a gap while they do.
const SHORTEST_HOLE_MS: i64 = 12_000;

/// The tick that tells about the last moments of a range comes at most so much later.
pub(super) const LATEST_TICK_MS: i64 = 3_600_000;

/// Counts ticks and collects gaps.
pub(super) fn coverage(files: &[LogFile], range: Range) -> Result<Coverage, HistoryError> {
    let mut ticks: Vec<(i64, i64)> = Vec::new();
    let mut gaps = Vec::new();
    for file in files {
        read_ticks(file, range, &mut ticks).map_err(|error| file.failed(&error))?;
        read_gaps(file, range, &mut gaps).map_err(|error| file.failed(&error))?;
    }
    ticks.sort_unstable();
    let inside = ticks.partition_point(|(ts_ms, _)| *ts_ms < range.to_ms);
    let mut coverage = Coverage {
        first_ms: ticks[..inside].first().map(|(ts_ms, _)| *ts_ms),
        last_ms: ticks[..inside].last().map(|(ts_ms, _)| *ts_ms),
        ticks: inside as u64,
        covered_ms: 0,
        gaps: join(gaps),
    };
    let mut covered_until = range.from_ms;
    let mut longest_interval_ms = 0;
    for (ts_ms, interval_ms) in &ticks {
        // The tick after the end tells about the time before it.
        let end = (*ts_ms).min(range.to_ms);
        let begin = ts_ms.saturating_sub(*interval_ms).clamp(covered_until, end.max(covered_until));
        longest_interval_ms = longest_interval_ms.max(*interval_ms);
        coverage.gaps.extend(hole(covered_until, begin, *interval_ms));
        coverage.covered_ms += (end - begin).max(0);
        covered_until = covered_until.max(end);
    }
    coverage.gaps.extend(hole(covered_until, range.to_ms, longest_interval_ms));
    coverage.gaps.sort_by_key(|(range, gap)| (Reverse(range.length_ms()), range.from_ms, gap.section, gap.reason));
    Ok(coverage)
}

/// Time in which nobody looked, if it is long enough to tell.
fn hole(from_ms: i64, to_ms: i64, interval_ms: i64) -> Option<(Range, Gap)> {
    let shortest_ms = interval_ms.saturating_mul(HOLE_INTERVALS).max(SHORTEST_HOLE_MS);
    let gap = Gap { section: Section::Ticks, reason: GapReason::NotSampled, count: 1, remedy: None };
    (to_ms.saturating_sub(from_ms) > shortest_ms).then(|| (Range::new(from_ms, to_ms), gap))
}

/// The ticks of the range and the first one after it: time and interval.
fn read_ticks(file: &LogFile, range: Range, ticks: &mut Vec<(i64, i64)>) -> rusqlite::Result<()> {
    let sql = "SELECT ts_ms, interval_ms FROM tick WHERE ts_ms >= ?1 AND ts_ms < ?2 UNION ALL \
               SELECT * FROM (SELECT ts_ms, interval_ms FROM tick WHERE ts_ms >= ?2 ORDER BY ts_ms LIMIT 1)";
    let mut statement = file.connection.prepare(sql)?;
    let mut rows = statement.query([range.from_ms, range.to_ms])?;
    while let Some(row) = rows.next()? {
        ticks.push((row.get(0)?, row.get(1)?));
    }
    Ok(())
}

fn read_gaps(file: &LogFile, range: Range, gaps: &mut Vec<(Range, Gap)>) -> rusqlite::Result<()> {
    let sql = "SELECT from_ms, to_ms, section, reason, count, remedy FROM gap WHERE to_ms >= ? AND from_ms < ?";
    let mut statement = file.connection.prepare(sql)?;
    let mut rows = statement.query([range.from_ms, range.to_ms])?;
    while let Some(row) = rows.next()? {
        let span = Range::new(row.get::<_, i64>(0)?.max(range.from_ms), row.get::<_, i64>(1)?.min(range.to_ms));
        if let Some(gap) = gap(row, 2)? {
            gaps.push((span, gap));
        }
    }
    Ok(())
}

/// A gap out of the columns section, reason, count, remedy; `None` for words that this version does not know.
pub(super) fn gap(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<Gap>> {
    let (section, reason) = (row.get::<_, String>(at)?, row.get::<_, String>(at + 1)?.replace(' ', "_"));
    let (Some(section), Some(reason)) = (word::<Section>(&section), word::<GapReason>(&reason)) else {
        return Ok(None);
    };
    let count = row.get::<_, i64>(at + 2)?.max(0).cast_unsigned();
    Ok(Some(Gap { section, reason, count, remedy: row.get(at + 3)? }))
}

fn word<'a, T: Deserialize<'a>>(word: &'a str) -> Option<T> {
    let deserializer: StrDeserializer<'a, Error> = word.into_deserializer();
    T::deserialize(deserializer).ok()
}

/// Joins stretches of the same gap that meet or overlap. The count of a stretch is its largest; of lost ticks the sum.
fn join(mut gaps: Vec<(Range, Gap)>) -> Vec<(Range, Gap)> {
    /// Runs of a gap begin anew at key ticks and with another count: one tick apart at the most.
    const APART_MS: i64 = 2 * SHORTEST_HOLE_MS;
    let what = |gap: &Gap| (gap.section, gap.reason, gap.remedy.clone());
    gaps.sort_by_cached_key(|(range, gap)| (what(gap), range.from_ms));
    let mut joined: Vec<(Range, Gap)> = Vec::new();
    for (range, gap) in gaps {
        match joined.last_mut() {
            Some((last, known)) if what(known) == what(&gap) && range.from_ms <= last.to_ms + APART_MS => {
                last.to_ms = last.to_ms.max(range.to_ms);
                let is_loss = gap.section == Section::Ticks;
                known.count = if is_loss { known.count + gap.count } else { known.count.max(gap.count) };
            }
            _ => joined.push((range, gap)),
        }
    }
    joined
}
