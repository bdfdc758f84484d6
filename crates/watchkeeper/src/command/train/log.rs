//! Numbers to learn from out of the log: its series in equal steps.

use thiserror::Error;
use watchkeeper_core::port::{HistoryError, Ranked};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Entity, EntityKind, History, Range, Series};
use watchkeeper_report::{Column, Source, Table, TableColumn};

use super::data::Data;

/// The most rows that are read; a forest learns nothing more from more of them.
const MOST_ROWS: i64 = 100_000;

/// Why the log gives nothing to learn from.
#[derive(Debug, Error)]
pub enum LogError {
    /// Nobody looked in that time.
    #[error("the log holds nothing of the last {last}; `watchkeeper run` writes it")]
    Empty {
        /// How far back it was asked for.
        last: Span,
    },
    /// Nobody looked, and nobody will.
    #[error(
        "the log holds nothing of the last {last}, because `store.samples = false` switches it off; learn from a recording: \
         `watchkeeper record`"
    )]
    Off {
        /// How far back it was asked for.
        last: Span,
    },
    /// The store could not answer.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Reads the columns over the last time before `now_ms`, a row for each step. A step is `interval` long, that of the log
/// where this is longer, and a multiple of it where there would be too many rows.
pub fn read(
    history: &dyn History,
    last: Span,
    interval: Span,
    now_ms: i64,
    columns: &[&'static Column],
) -> Result<Data, LogError> {
    let asked = Range::new(now_ms.saturating_sub(last.ms()), now_ms);
    let coverage = history.coverage(asked)?;
    let (Some(first_ms), Some(last_ms)) = (coverage.first_ms, coverage.last_ms) else {
        return Err(LogError::Empty { last });
    };
    let log_ms = coverage.covered_ms / i64::try_from(coverage.ticks).unwrap_or(i64::MAX).max(1);
    let step_ms = step(last_ms - first_ms, interval.ms().max(log_ms).max(1));
    // Looks fall into the middle of their step, so that one that is a little late does not leave a step empty.
    let range = Range::new(first_ms - log_ms.min(step_ms) / 2, last_ms + 1);
    let mut read = Vec::with_capacity(columns.len());
    let mut rows = 0;
    for column in columns {
        let values = match column.source {
            Source::Host(metric) => means(history, metric, Entity::Host, range, step_ms)?,
            Source::Sum(metric, kind) => sums(history, column, metric, kind, range, step_ms)?,
        };
        rows = rows.max(values.len());
        let scaled = values.into_iter().map(|value| value.map(|value| column.scale.apply(value)));
        let values = scaled.map(|value| value.filter(|value| value.is_finite())).collect();
        read.push(TableColumn { title: column.title.to_owned(), values, ..TableColumn::default() });
    }
    // A sum without parts has no rows of its own.
    for column in &mut read {
        column.values.resize(rows, None);
    }
    let source = format!("the log of the last {last}");
    let table = Table { rows, columns: read, ..Table::default() };
    Ok(Data { source, is_log: true, interval_ms: Some(step_ms), table })
}

/// The shortest multiple of the interval that gives no more than [`MOST_ROWS`].
fn step(length_ms: i64, interval_ms: i64) -> i64 {
    let rows = length_ms / interval_ms + 1;
    interval_ms * ((rows + MOST_ROWS - 1) / MOST_ROWS)
}

fn means(
    history: &dyn History,
    metric: &str,
    entity: Entity,
    range: Range,
    step_ms: i64,
) -> Result<Vec<Option<f64>>, HistoryError> {
    let points = history.series(&Series { metric: metric.to_owned(), entity }, range, step_ms)?;
    Ok(points.into_iter().map(|point| point.mean).collect())
}

/// The sum over all entities that count. It is unknown in a step in which a part that was there is unknown.
fn sums(
    history: &dyn History,
    column: &Column,
    metric: &str,
    kind: EntityKind,
    range: Range,
    step_ms: i64,
) -> Result<Vec<Option<f64>>, HistoryError> {
    let mut parts: Vec<(Range, Vec<Option<f64>>)> = Vec::new();
    for Ranked { entity, seen, .. } in history.top(range, metric, kind, usize::MAX)? {
        if column.source.counts(&entity.name()) {
            parts.push((seen, means(history, metric, entity, range, step_ms)?));
        }
    }
    let rows = parts.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let sum = |row: usize| {
        let begin_ms = range.from_ms + row as i64 * step_ms;
        let was_there = |seen: &Range| seen.from_ms < begin_ms + step_ms && seen.to_ms >= begin_ms;
        let mut there = parts.iter().filter(|(seen, _)| was_there(seen)).peekable();
        there.peek()?;
        there.map(|(_, values)| values.get(row).copied().flatten()).sum::<Option<f64>>()
    };
    Ok((0..rows).map(sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use watchkeeper_core::incident::IncidentFilter;
    use watchkeeper_core::port::{Coverage, Event, IncidentRecord, Point, ProcessPoint};
    use watchkeeper_core::{ProcessKey, Snapshot};
    use watchkeeper_report::column;

    /// A log with a look a second, whose series are given by metric and entity, a value for each second.
    struct Log {
        seconds: i64,
        series: BTreeMap<(&'static str, &'static str), Vec<Option<f64>>>,
    }

    impl History for Log {
        fn coverage(&self, range: Range) -> Result<Coverage, HistoryError> {
            let inside: Vec<i64> = (1..=self.seconds).map(|n| n * 1_000).filter(|ms| range.contains(*ms)).collect();
            Ok(Coverage {
                first_ms: inside.first().copied(),
                last_ms: inside.last().copied(),
                ticks: inside.len() as u64,
                covered_ms: inside.len() as i64 * 1_000,
                gaps: Vec::new(),
            })
        }

        fn top(&self, _: Range, metric: &str, kind: EntityKind, _: usize) -> Result<Vec<Ranked>, HistoryError> {
            let named = self.series.iter().filter(|((known, entity), _)| *known == metric && !entity.is_empty());
            let ranked = named.map(|((_, name), values)| {
                let known = |value: &Option<f64>| value.is_some();
                let first = values.iter().position(known).unwrap_or(0) as i64;
                let last = values.iter().rposition(known).unwrap_or(0) as i64;
                let entity = match kind {
                    EntityKind::Disk => Entity::Disk((*name).to_owned()),
                    _ => Entity::Interface((*name).to_owned()),
                };
                let seen = Range::new((first + 1) * 1_000, (last + 1) * 1_000);
                Ranked { entity, image: None, mean: 0.0, max: 0.0, seen }
            });
            Ok(ranked.collect())
        }

        fn series(&self, series: &Series, range: Range, step_ms: i64) -> Result<Vec<Point>, HistoryError> {
            let name = series.entity.name();
            let values = self.series.iter().find(|((metric, entity), _)| **metric == series.metric && **entity == name);
            let values = values.map(|(_, values)| values.as_slice()).unwrap_or_default();
            let count = (range.length_ms() + step_ms - 1) / step_ms;
            let point = |step: i64| {
                let ts_ms = range.from_ms + step * step_ms;
                let inside = Range::new(ts_ms, ts_ms + step_ms);
                let known: Vec<f64> = values
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| inside.contains((*index as i64 + 1) * 1_000))
                    .filter_map(|(_, value)| *value)
                    .collect();
                let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
                Point { ts_ms, mean, max: None }
            };
            Ok((0..count).map(point).collect())
        }

        fn process(&self, _: &ProcessKey, _: Range) -> Result<Vec<ProcessPoint>, HistoryError> {
            Ok(Vec::new())
        }

        fn events(&self, _: Range) -> Result<Vec<Event>, HistoryError> {
            Ok(Vec::new())
        }

        fn incidents(&self, _: &IncidentFilter) -> Result<Vec<IncidentRecord>, HistoryError> {
            Ok(Vec::new())
        }

        fn snapshot(&self, _: i64) -> Result<Option<Snapshot>, HistoryError> {
            Ok(None)
        }
    }

    fn columns(names: &[&str]) -> Vec<&'static Column> {
        names.iter().map(|name| column(name).unwrap()).collect()
    }

    #[test]
    fn rows_are_means_over_steps_of_the_interval_in_the_numbers_that_people_see() {
        let cpu = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9].map(Some).to_vec();
        let log = Log { seconds: 6, series: [(("system.cpu.utilization", ""), cpu)].into() };
        let chosen = columns(&["cpu", "memory"]);
        let data = read(&log, Span::from_secs(60), Span::from_secs(2), 7_000, &chosen).unwrap();
        assert_eq!(
            (data.table.rows, data.interval_ms, data.source.as_str()),
            (3, Some(2_000), "the log of the last 1m")
        );
        let cpu: Vec<f64> = data.table.columns[0].values.iter().map(|value| value.unwrap().round()).collect();
        assert_eq!(cpu, [15.0, 40.0, 80.0]);
        assert_eq!(data.table.columns[1].values, [None; 3], "what the log does not have is missing, not zero");
        let fine = read(&log, Span::from_secs(60), Span::from_ms(100), 7_000, &chosen[..1]).unwrap();
        assert_eq!((fine.table.rows, fine.interval_ms), (6, Some(1_000)), "a row is never shorter than a look");
        let late = read(&log, Span::from_secs(2), Span::from_secs(1), 6_500, &chosen[..1]).unwrap();
        assert_eq!(late.table.rows, 2, "only the time that was asked for");
    }

    #[test]
    fn a_sum_counts_what_is_there_and_is_unknown_with_an_unknown_part() {
        let received = "system.network.io.receive";
        let log = Log {
            seconds: 5,
            series: [
                ((received, "lo"), vec![Some(9e6); 5]),
                ((received, "eth0"), vec![Some(1e6), Some(1e6), None, Some(1e6), Some(1e6)]),
                ((received, "tun0"), vec![None, Some(2e6), Some(2e6), Some(2e6), None]),
            ]
            .into(),
        };
        let data = read(&log, Span::from_secs(60), Span::from_secs(1), 6_000, &columns(&["received", "sent"])).unwrap();
        assert_eq!(data.table.columns[0].values, [Some(1.0), Some(3.0), None, Some(3.0), Some(1.0)]);
        assert_eq!(data.table.columns[1].values, [None; 5]);
    }

    #[test]
    fn an_empty_log_is_said_to_be_empty() {
        let log = Log { seconds: 0, series: BTreeMap::new() };
        let error = read(&log, Span::from_secs(86_400), Span::from_secs(5), 0, &columns(&["cpu"])).unwrap_err();
        assert_eq!(error.to_string(), "the log holds nothing of the last 1d; `watchkeeper run` writes it");
    }

    #[test]
    fn steps_grow_when_there_would_be_too_many_rows() {
        for (length_ms, interval_ms, expected) in [
            (0, 1_000, 1_000),
            (86_400_000, 5_000, 5_000),
            (99_999_000, 1_000, 1_000),
            (100_000_000, 1_000, 2_000),
            (96 * 3_600_000, 1_000, 4_000),
        ] {
            assert_eq!(step(length_ms, interval_ms), expected, "{length_ms}");
        }
    }
}
