//! What is read from the log is what the live snapshots said.

use std::collections::BTreeMap;

use proptest::prelude::*;
use watchkeeper_core::catalogue::{EntityRef, Kind, Metric, Value, entities};
use watchkeeper_core::port::ProcessPoint;
use watchkeeper_core::snapshot::{Exited, Process};
use watchkeeper_core::{Entity, EntityKind, History, Range, Recorder, Series, Snapshot, metrics};

use crate::hot_world::{DAY, TEN, World, folder, open, reader};

/// Ticks of a made-up machine, 1 s apart on the monotonic clock.
pub fn record(folder: &std::path::Path, seed: u64, times: impl Iterator<Item = i64>, step_ms: i64) -> Vec<Snapshot> {
    let mut world = World::new(seed);
    let (store, mut recorder) = open(folder);
    let mut snapshots = Vec::new();
    for (index, ts_ms) in times.enumerate() {
        let snapshot = world.tick(ts_ms, 5_000_000 + index as i64 * step_ms, step_ms);
        recorder.record(&snapshot).unwrap();
        // Now and then the watch is started again: the same file goes on.
        if world.dice.one_in(30) {
            drop(recorder);
            recorder = store.recorder().unwrap();
        }
        snapshots.push(snapshot);
    }
    recorder.flush().unwrap();
    snapshots
}

/// What one process was known for, as the catalogue sees a process that only left its exit row.
fn last_words(exited: &Exited) -> Process {
    Process {
        key: exited.key,
        parent: exited.parent,
        image: exited.image.clone(),
        uid: exited.uid,
        state: None,
        threads: None,
        cpu: exited.cpu,
        memory: None,
        faults: exited.faults,
        io: exited.io,
        network: exited.network,
        descriptors: None,
    }
}

fn number(metric: &Metric, snapshot: &Snapshot, entity: EntityRef<'_>) -> Option<f64> {
    metric.value(snapshot, entity).and_then(Value::number)
}

/// The live values of a metric by entity. Rates of a process include what it did in its last interval.
fn live(metric: &Metric, snapshot: &Snapshot, kind: EntityKind) -> BTreeMap<Entity, Option<f64>> {
    let mut values: BTreeMap<Entity, Option<f64>> = BTreeMap::new();
    let mut add = |item: EntityRef<'_>, value: Option<f64>| {
        let entity = match item {
            EntityRef::Process(process) if kind == EntityKind::Program => {
                Entity::Program(process.image.program.clone())
            }
            item => item.entity(),
        };
        if kind == EntityKind::Program {
            let sum = values.entry(entity).or_default();
            *sum = sum.map_or(value, |sum| Some(sum + value.unwrap_or(0.0)));
        } else {
            // Two sockets may have one name: the first one with a value counts.
            let known = values.entry(entity).or_default();
            *known = known.or(value);
        }
    };
    for item in entities(snapshot, metric.entity_kind()) {
        add(item, number(metric, snapshot, item));
    }
    if metric.entity_kind() == EntityKind::Process && is_rate(metric) {
        for exited in &snapshot.exited {
            let process = last_words(exited);
            let value = number(metric, snapshot, EntityRef::Process(&process));
            if value.is_some() {
                add(EntityRef::Process(&process), value);
            }
        }
    }
    values
}

/// Whether the metric counts something over the interval.
fn is_rate(metric: &Metric) -> bool {
    matches!(metric.kind, Kind::Counter | Kind::Event) || metric.name.starts_with("process.cpu.")
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_tick_is_rebuilt_exactly(seed: u64, count in 1_usize..60, step_ms in prop::sample::select(vec![1_000_i64, 30_000])) {
        let (_parent, folder) = folder();
        // Over midnight, and with long steps over several key ticks.
        let begin = DAY + 86_400_000 - 20 * step_ms;
        let times = (0..count as i64).map(|index| begin + index * step_ms);
        let snapshots = record(&folder, seed, times, step_ms);
        let reader = reader(&folder);
        for snapshot in &snapshots {
            let rebuilt = reader.snapshot(snapshot.at.ts_ms + step_ms - 1).unwrap();
            prop_assert_eq!(rebuilt.as_ref(), Some(snapshot));
        }
        prop_assert_eq!(reader.snapshot(begin - 1).unwrap(), None);
    }

    #[test]
    fn one_process_over_time_is_what_the_snapshots_showed(seed: u64) {
        let (_parent, folder) = folder();
        let times = (0..50).map(|index| TEN + index * 1_000);
        let snapshots = record(&folder, seed, times, 1_000);
        let reader = reader(&folder);
        let range = Range::new(TEN + 5_000, TEN + 45_000);
        let keys: std::collections::BTreeSet<_> =
            snapshots.iter().flat_map(|s| s.processes.iter().flatten().map(|process| process.key)).collect();
        for key in keys {
            let expected: Vec<ProcessPoint> = snapshots
                .iter()
                .filter(|snapshot| range.contains(snapshot.at.ts_ms))
                .flat_map(|snapshot| {
                    let found = snapshot.processes.iter().flatten().filter(|process| process.key == key);
                    found.map(|process| ProcessPoint {
                        ts_ms: snapshot.at.ts_ms,
                        interval_ms: snapshot.interval_ms,
                        process: process.clone(),
                    })
                })
                .collect();
            prop_assert_eq!(reader.process(&key, range).unwrap(), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn every_metric_of_the_catalogue_is_stored(seed: u64) {
        let (_parent, folder) = folder();
        let snapshots = record(&folder, seed, (0..40).map(|index| TEN + index * 1_000), 1_000);
        let reader = reader(&folder);
        let range = Range::new(TEN + 3_000, TEN + 38_000);
        let inside = &snapshots[3..38];
        for metric in metrics().filter(|metric| metric.kind != Kind::Label) {
            let mut kinds = vec![metric.entity_kind()];
            if metric.entity_kind() == EntityKind::Process {
                kinds.push(EntityKind::Program);
            }
            for kind in kinds {
                let values: Vec<_> = inside.iter().map(|snapshot| live(metric, snapshot, kind)).collect();
                let all: std::collections::BTreeSet<Entity> =
                    values.iter().flat_map(|values| values.keys().cloned()).collect();
                prop_assert!(!all.is_empty(), "{} of {kind} is not tried", metric.name);
                for entity in all.into_iter().take(6) {
                    let series = Series { metric: metric.name.to_owned(), entity: entity.clone() };
                    let points = reader.series(&series, range, 1_000).unwrap();
                    prop_assert_eq!(points.len(), values.len());
                    for (index, (point, values)) in points.iter().zip(&values).enumerate() {
                        let expected = values.get(&entity).copied().flatten();
                        prop_assert_eq!(point.ts_ms, range.from_ms + index as i64 * 1_000);
                        prop_assert!(
                            same(point.mean, expected) && same(point.max, expected),
                            "{} of {:?} at {}: {:?} in the log, {:?} live", metric.name, entity, index, point, expected
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_order_by_a_metric_is_that_of_the_live_values(seed: u64) {
        let (_parent, folder) = folder();
        let snapshots = record(&folder, seed, (0..40).map(|index| TEN + index * 1_000), 1_000);
        let reader = reader(&folder);
        let range = Range::new(TEN + 3_000, TEN + 38_000);
        for metric in metrics().filter(|metric| metric.kind != Kind::Label && metric.entity_kind() != EntityKind::Socket) {
            for kind in [metric.entity_kind(), EntityKind::Program] {
                if kind == EntityKind::Program && metric.entity_kind() != EntityKind::Process {
                    continue;
                }
                let mut expected = expected_order(metric, &snapshots[3..38], kind);
                expected.truncate(4);
                let ranked = reader.top(range, metric.name, kind, 4).unwrap();
                prop_assert_eq!(ranked.len(), expected.len(), "{} {}", metric.name, kind);
                for (ranked, (mean, max)) in ranked.iter().zip(expected) {
                    prop_assert!(same(Some(ranked.mean), Some(mean)), "{} {kind}: {ranked:?}, live {mean}", metric.name);
                    prop_assert!(same(Some(ranked.max), Some(max)), "{} {kind}: {ranked:?}, live {max}", metric.name);
                    prop_assert_eq!(ranked.image.is_some(), kind == EntityKind::Process);
                }
            }
        }
    }
}

/// Means over the covered time without that in which the value was unknown, and maxima, largest first.
fn expected_order(metric: &Metric, snapshots: &[Snapshot], kind: EntityKind) -> Vec<(f64, f64)> {
    let mut sums: BTreeMap<Entity, (f64, i64, Option<f64>)> = BTreeMap::new();
    let covered_ms: i64 = snapshots.iter().map(|snapshot| snapshot.interval_ms).sum();
    for snapshot in snapshots {
        for (entity, value) in live(metric, snapshot, kind) {
            let (sum, unknown_ms, max) = sums.entry(entity).or_default();
            match value {
                Some(value) => {
                    *sum += value * snapshot.interval_ms as f64;
                    *max = Some(max.map_or(value, |max| max.max(value)));
                }
                None => *unknown_ms += snapshot.interval_ms,
            }
        }
    }
    let means = sums.into_values().filter_map(|(sum, unknown_ms, max)| Some((sum, covered_ms - unknown_ms, max?)));
    let mut means: Vec<(f64, f64)> = means
        .filter(|(_, known_ms, _)| *known_ms > 0)
        .map(|(sum, known_ms, max)| (sum / known_ms as f64, max))
        .collect();
    means.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
    means
}
