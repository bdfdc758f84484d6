//! The log played again is what the live snapshots said, tick by tick.

use std::time::Duration;

use proptest::prelude::*;
use watchkeeper_core::port::HistoryError;
use watchkeeper_core::{History, Range, Recorder, Snapshot};

use crate::hot_rebuild::record;
use crate::hot_world::{DAY, TEN, World, first_look, folder, open, plain, reader};

const ALL: Range = Range { from_ms: i64::MIN, to_ms: i64::MAX };

fn played(folder: &std::path::Path, range: Range) -> Vec<Snapshot> {
    reader(folder).replay(range).unwrap().collect::<Result<_, _>>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_tick_is_played_as_it_was(
        seed: u64,
        count in 1_usize..90,
        step_ms in prop::sample::select(vec![1_000_i64, 30_000]),
        cut in (0_i64..90, 0_i64..90),
    ) {
        let (_parent, folder) = folder();
        // Over midnight, and with long steps over several key ticks.
        let begin = DAY + 86_400_000 - 20 * step_ms;
        let times = (0..count as i64).map(|index| begin + index * step_ms);
        let snapshots = record(&folder, seed, times, step_ms);
        prop_assert_eq!(&played(&folder, ALL), &snapshots);

        let range = Range::new(begin + cut.0.min(cut.1) * step_ms, begin + cut.0.max(cut.1) * step_ms);
        let expected: Vec<Snapshot> =
            snapshots.into_iter().filter(|snapshot| range.contains(snapshot.at.ts_ms)).collect();
        prop_assert_eq!(&played(&folder, range), &expected);
        let reader = reader(&folder);
        for snapshot in expected.iter().step_by(7) {
            let rebuilt = reader.snapshot(snapshot.at.ts_ms).unwrap();
            prop_assert_eq!(rebuilt.as_ref(), Some(snapshot));
        }
    }

    #[test]
    fn after_the_clock_was_set_ticks_stay_in_the_order_in_which_they_were_taken(seed: u64, back_s in 1_i64..100_000) {
        let (_parent, folder) = folder();
        let mut world = World::new(seed);
        let (_store, mut recorder) = open(&folder);
        let ticks: Vec<Snapshot> = (0..60)
            .map(|index| {
                let set_ms = if index < 30 { 0 } else { back_s * 1_000 };
                world.tick(TEN + index * 1_000 - set_ms, 5_000_000 + index * 1_000, 1_000)
            })
            .collect();
        for tick in &ticks {
            recorder.record(tick).unwrap();
        }
        recorder.flush().unwrap();
        prop_assert_eq!(&played(&folder, ALL), &ticks);
        let range = Range::new(TEN + 10_000, TEN + 50_000);
        let expected: Vec<Snapshot> = ticks.into_iter().filter(|tick| range.contains(tick.at.ts_ms)).collect();
        prop_assert_eq!(&played(&folder, range), &expected);
    }
}

#[test]
fn a_log_that_is_being_written_is_played_as_far_as_it_is_on_disk_and_left_as_it_is() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    // Two days with a day between them of which there is nothing.
    for begin in [TEN, TEN + 2 * 86_400_000] {
        recorder.record(&first_look(plain(begin, 3))).unwrap();
        recorder.record(&plain(begin + 1_000, 3)).unwrap();
        recorder.flush().unwrap();
    }
    recorder.record(&plain(TEN + 2 * 86_400_000 + 2_000, 3)).unwrap();
    let times: Vec<i64> = played(&folder, ALL).iter().map(|tick| tick.at.ts_ms - TEN).collect();
    assert_eq!(times, [0, 1_000, 172_800_000, 172_801_000], "the last one waits in memory");
    recorder.flush().unwrap();
    assert_eq!(played(&folder, ALL).len(), 5);
    assert_eq!(played(&folder, Range::new(TEN + 86_400_000, TEN + 90_000_000)), []);
    assert_eq!(reader(&folder).replay(Range::new(TEN, TEN)).unwrap().count(), 0);
}

#[test]
fn whoever_has_seen_enough_can_stop() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    for second in 0..500 {
        recorder.record(&plain(TEN + second * 1_000, 5)).unwrap();
    }
    recorder.flush().unwrap();
    let mut replay = reader(&folder).replay(ALL).unwrap();
    assert_eq!(replay.next().unwrap().unwrap().at.ts_ms, TEN);
    drop(replay);
    let late =
        reader(&folder).with_deadline(Duration::ZERO).replay(ALL).and_then(|mut replay| replay.next().transpose());
    assert!(matches!(late, Err(HistoryError::Deadline)), "{late:?}");
    // The deadline comes while it plays.
    let mut replay = reader(&folder).with_deadline(Duration::from_millis(200)).replay(ALL).unwrap();
    assert!(replay.next().unwrap().is_ok());
    std::thread::sleep(Duration::from_millis(250));
    let rest: Vec<_> = replay.by_ref().collect();
    assert!(rest.len() < 499, "{}", rest.len());
    assert!(matches!(rest.last(), Some(Err(HistoryError::Deadline))));
    assert!(replay.next().is_none(), "the error is the last item");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for (content, expected) in [(vec![7_u8; 8_192], "file is not a database"), (Vec::new(), "")] {
        let (_parent, folder) = folder();
        let (_store, mut recorder) = open(&folder);
        recorder.record(&plain(TEN, 3)).unwrap();
        drop(recorder);
        std::fs::write(folder.join("log/2026-11-21.db"), &content).unwrap();
        match reader(&folder).replay(ALL) {
            Ok(replay) => assert!(expected.is_empty() && replay.map(Result::unwrap).count() == 1),
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("2026-11-21.db") && text.contains(expected), "{text}");
            }
        }
    }
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 3)).unwrap();
    drop(recorder);
    let path = folder.join("log/2026-11-20.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("DROP TABLE process_row").unwrap();
    drop(connection);
    let error = reader(&folder).replay(ALL).unwrap().find_map(Result::err).expect("an error").to_string();
    assert!(error.contains("2026-11-20.db") && error.contains("process_row"), "{error}");
}
