//! The contract of the recorder: what is on disk when, and what happens when something is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use watchkeeper_core::port::RecordError;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Gap, GapReason, History, Range, Recorder, Section};
use watchkeeper_store::{OpenError, Store, StoreConfig};

use crate::hot_world::{DAY, TEN, first_look, folder, open, plain, reader};

const ALL: Range = Range { from_ms: 0, to_ms: i64::MAX };

fn file(folder: &Path, day: &str) -> PathBuf {
    folder.join("log").join(format!("{day}.db"))
}

fn ask<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn days(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder.join("log")).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn ticks_are_on_disk_ten_seconds_later_without_a_flush() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    let reader = reader(&folder);
    for second in 0..=10 {
        recorder.record(&plain(TEN + second * 1_000, 2)).unwrap();
        let expected = if second == 10 { 11 } else { 0 };
        assert_eq!(reader.coverage(ALL).unwrap().ticks, expected, "after {second} s");
    }
    recorder.record(&plain(TEN + 11_000, 2)).unwrap();
    assert_eq!(reader.coverage(ALL).unwrap().ticks, 11);
    recorder.flush().unwrap();
    assert_eq!(reader.coverage(ALL).unwrap().ticks, 12);
}

#[test]
fn at_short_intervals_the_number_of_ticks_bounds_the_wait() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    for index in 0..30 {
        let mut snapshot = plain(TEN + index * 100, 1);
        snapshot.interval_ms = 100;
        recorder.record(&snapshot).unwrap();
    }
    assert_eq!(reader(&folder).coverage(ALL).unwrap().ticks, 30);
}

#[test]
fn what_waits_is_written_when_the_recorder_is_dropped_and_the_file_is_closed() {
    let (_parent, folder) = folder();
    let (store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 2)).unwrap();
    drop(recorder);
    drop(store);
    assert_eq!(days(&folder), ["2026-11-20.db"]);
    assert_eq!(ask::<String>(&file(&folder, "2026-11-20"), "PRAGMA journal_mode"), "delete");
    assert_eq!(ask::<i64>(&file(&folder, "2026-11-20"), "SELECT count(*) FROM tick"), 1);
}

#[test]
fn a_file_has_the_format_that_the_documentation_promises() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 2)).unwrap();
    recorder.flush().unwrap();
    let path = file(&folder, "2026-11-20");
    for (pragma, expected) in [("application_id", 0x574B_4C47), ("page_size", 2_048)] {
        assert_eq!(ask::<i64>(&path, &format!("PRAGMA {pragma}")), expected, "{pragma}");
    }
    assert_eq!(ask::<String>(&path, "PRAGMA journal_mode"), "wal");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o777, 0o600);
    // Every table is strict.
    let loose = "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND NOT strict \
                 AND name NOT LIKE 'sqlite_%' AND name <> 'refinery_schema_history'";
    assert_eq!(ask::<i64>(&path, loose), 0);
}

#[test]
fn only_what_changed_has_a_row_and_every_ten_minutes_everything_has() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    for second in 0..1_201 {
        let mut snapshot = plain(TEN + second * 1_000, 3);
        for process in &mut snapshot.processes.as_mut().unwrap()[1..] {
            process.cpu = Some(watchkeeper_core::snapshot::ProcessCpu::default());
        }
        recorder.record(&snapshot).unwrap();
    }
    recorder.flush().unwrap();
    let path = file(&folder, "2026-11-20");
    let rows = |pid: u32| {
        let sql = format!(
            "SELECT count(*) FROM process_sample AS s JOIN process AS p ON p.id = s.process WHERE p.pid = {pid}"
        );
        ask::<i64>(&path, &sql)
    };
    assert_eq!([rows(1), rows(2), rows(3)], [1_201, 3, 3]);
    assert_eq!(ask::<i64>(&path, "SELECT count(*) FROM tick WHERE is_key"), 3);
    assert_eq!(ask::<i64>(&path, "SELECT count(*) FROM image"), 3, "identities are not repeated inside a file");
}

#[test]
fn the_file_changes_at_midnight_and_the_old_one_is_closed() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    let midnight = DAY + 86_400_000;
    for second in -15..15 {
        recorder.record(&plain(midnight + second * 1_000, 2)).unwrap();
    }
    recorder.flush().unwrap();
    assert_eq!(ask::<i64>(&file(&folder, "2026-11-20"), "SELECT count(*) FROM tick"), 15);
    assert_eq!(ask::<String>(&file(&folder, "2026-11-20"), "PRAGMA journal_mode"), "delete");
    assert_eq!(ask::<i64>(&file(&folder, "2026-11-21"), "SELECT count(*) FROM tick"), 15);
    assert_eq!(ask::<i64>(&file(&folder, "2026-11-21"), "SELECT is_key FROM tick ORDER BY id LIMIT 1"), 1);
    assert_eq!(reader(&folder).coverage(ALL).unwrap().ticks, 30);
}

#[test]
fn a_file_that_a_reader_kept_open_is_closed_later() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    let midnight = DAY + 86_400_000;
    recorder.record(&plain(midnight - 1_000, 2)).unwrap();
    recorder.flush().unwrap();
    let old = file(&folder, "2026-11-20");
    let reading = Connection::open(&old).unwrap();
    reading.execute_batch("BEGIN; SELECT count(*) FROM tick").unwrap();
    let mode = || -> String { reading.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap() };
    recorder.record(&plain(midnight, 2)).unwrap();
    recorder.flush().unwrap();
    assert_eq!(mode(), "wal");
    drop(reading);
    recorder.record(&plain(midnight + 1_000, 2)).unwrap();
    recorder.flush().unwrap();
    assert_eq!(ask::<String>(&old, "PRAGMA journal_mode"), "delete");
}

#[test]
fn after_a_backward_step_of_the_clock_ticks_stay_in_the_newer_file() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    let midnight = DAY + 86_400_000;
    for second in -3..3 {
        recorder.record(&plain(midnight + second * 1_000, 2)).unwrap();
    }
    for second in 0..5 {
        let mut snapshot = plain(midnight - 60_000 + second * 1_000, 2);
        snapshot.at.mono_ms += 70_000;
        recorder.record(&snapshot).unwrap();
    }
    recorder.flush().unwrap();
    assert_eq!(ask::<i64>(&file(&folder, "2026-11-20"), "SELECT count(*) FROM tick"), 3);
    assert_eq!(ask::<i64>(&file(&folder, "2026-11-21"), "SELECT count(*) FROM tick"), 8);
    let reader = reader(&folder);
    let before = Range::new(midnight - 60_000, midnight - 50_000);
    assert_eq!(reader.coverage(before).unwrap().ticks, 5, "found by the stored times, not by the name of the file");
    let last = reader.snapshot(midnight - 56_000).unwrap().unwrap();
    assert_eq!(last.at.ts_ms, midnight - 56_000);
    let top = reader.top(before, "process.cpu.cores", watchkeeper_core::EntityKind::Process, 1).unwrap();
    assert_eq!(top[0].seen, Range::new(midnight - 60_000, midnight - 56_000));
}

#[test]
fn lost_ticks_become_a_gap() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.note_dropped(TEN - 5_000, TEN - 2_000, 3).unwrap();
    recorder.record(&plain(TEN, 1)).unwrap();
    recorder.note_dropped(TEN, TEN + 2_000, 2).unwrap();
    recorder.flush().unwrap();
    let gaps = reader(&folder).coverage(Range::new(TEN - 6_000, TEN + 3_000)).unwrap().gaps;
    let gap = Gap { section: Section::Ticks, reason: GapReason::Dropped, count: 5, remedy: None };
    assert_eq!(gaps, [(Range::new(TEN - 5_000, TEN + 2_000), gap)]);
}

#[test]
fn while_the_disk_refuses_ticks_wait_and_the_oldest_become_a_gap() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    fs::rename(folder.join("log"), folder.join("elsewhere")).unwrap();
    let mut snapshots: Vec<_> =
        (0..150_i64).map(|second| plain(TEN + second * 1_000, if second < 110 { 4 } else { 2 })).collect();
    for snapshot in &mut snapshots {
        // Nothing moves: every row that is missing shows.
        for process in snapshot.processes.iter_mut().flatten() {
            process.cpu = Some(watchkeeper_core::snapshot::ProcessCpu::default());
        }
    }
    let (before, after) = snapshots.split_at(140);
    for (index, snapshot) in before.iter().enumerate() {
        match recorder.record(snapshot) {
            Ok(()) => assert!(index < 10, "{index}"),
            Err(RecordError::Write { waiting, reason, .. }) => {
                assert!(waiting <= 60 && waiting >= 11.min(index), "{waiting} wait after {index}");
                assert!(reason.contains("2026-11-20.db"), "{reason}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    fs::rename(folder.join("elsewhere"), folder.join("log")).unwrap();
    for snapshot in after {
        recorder.record(snapshot).unwrap();
    }
    recorder.flush().unwrap();

    let reader = reader(&folder);
    let coverage = reader.coverage(Range::new(TEN - 1_000, TEN + 150_000)).unwrap();
    assert!((60..=70).contains(&coverage.ticks), "{} ticks", coverage.ticks);
    let lost: u64 =
        coverage.gaps.iter().filter(|(_, gap)| gap.reason == GapReason::Dropped).map(|(_, gap)| gap.count).sum();
    assert_eq!(coverage.ticks + lost, 150);
    for snapshot in &snapshots[lost as usize..] {
        assert_eq!(reader.snapshot(snapshot.at.ts_ms).unwrap().as_ref(), Some(snapshot));
    }
}

#[test]
fn an_empty_file_is_used_and_a_damaged_one_is_set_aside_with_a_sentence() {
    let (_parent, folder) = folder();
    drop(open(&folder));
    fs::write(file(&folder, "2026-11-20"), b"").unwrap();
    fs::write(file(&folder, "2026-11-19"), vec![b'x'; 9_000]).unwrap();
    let (store, mut recorder) = open(&folder);
    let notices = store.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("2026-11-19.db is damaged") && notices[0].contains("2026-11-19.db.damaged-1"));
    assert!(!file(&folder, "2026-11-19").exists());
    recorder.record(&plain(TEN, 1)).unwrap();
    recorder.flush().unwrap();
    assert_eq!(reader(&folder).coverage(ALL).unwrap().ticks, 1);
}

#[test]
fn a_file_of_another_program_or_with_a_damaged_history_is_set_aside() {
    for damage in [
        "PRAGMA application_id = 1",
        "UPDATE refinery_schema_history SET applied_on = 'yesterday'",
        "UPDATE refinery_schema_history SET checksum = 'none'",
        "DELETE FROM refinery_schema_history",
    ] {
        let (_parent, folder) = folder();
        let (store, mut recorder) = open(&folder);
        recorder.record(&plain(TEN, 1)).unwrap();
        drop((recorder, store));
        Connection::open(file(&folder, "2026-11-20")).unwrap().execute_batch(damage).unwrap();
        assert!(reader(&folder).coverage(ALL).is_err(), "{damage}: a reader says so");
        let (store, mut recorder) = open(&folder);
        assert_eq!(store.notices().len(), 1, "{damage}");
        recorder.record(&plain(TEN, 1)).unwrap();
        recorder.flush().unwrap();
        assert_eq!(days(&folder)[..2], ["2026-11-20.db", "2026-11-20.db-shm"], "{damage}");
        assert!(days(&folder).contains(&"2026-11-20.db.damaged-1".to_owned()), "{damage}");
    }
}

#[test]
fn a_file_that_turns_out_damaged_while_it_is_written_is_set_aside() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 3)).unwrap();
    recorder.flush().unwrap();
    let path = file(&folder, "2026-11-20");
    let other = Connection::open(&path).unwrap();
    other.pragma_update(None, "writable_schema", true).unwrap();
    other.execute_batch("UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'process_sample'").unwrap();
    let version: i64 = other.query_row("PRAGMA schema_version", [], |row| row.get(0)).unwrap();
    other.pragma_update(None, "schema_version", version + 1).unwrap();
    drop(other);
    recorder.record(&plain(TEN + 1_000, 3)).unwrap();
    let error = recorder.flush().unwrap_err();
    assert!(error.to_string().contains("was set aside as"), "{error}");
    recorder.record(&plain(TEN + 2_000, 3)).unwrap();
    recorder.flush().unwrap();
    let reader = reader(&folder);
    assert_eq!(reader.snapshot(i64::MAX - 1).unwrap(), Some(plain(TEN + 2_000, 3)));
    let coverage = reader.coverage(Range::new(TEN, TEN + 3_000)).unwrap();
    assert!(coverage.gaps.iter().any(|(_, gap)| gap.reason == GapReason::Dropped), "{coverage:?}");
}

#[test]
fn a_newer_schema_is_refused_with_a_sentence_and_left_alone() {
    let (_parent, folder) = folder();
    let (store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 1)).unwrap();
    drop((recorder, store));
    let path = file(&folder, "2026-11-20");
    Connection::open(&path)
        .unwrap()
        .execute_batch("INSERT INTO refinery_schema_history VALUES (2, 'later', '2026-11-20T10:00:00Z', '1')")
        .unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(&folder, &StoreConfig::default()).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("written by a newer version"), "{error}");
    let error = reader(&folder).coverage(ALL).unwrap_err();
    assert!(error.to_string().contains("written by a newer version"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn old_days_are_deleted_by_age_and_never_the_open_one() {
    let (_parent, folder) = folder();
    let mut config = StoreConfig::default();
    config.retention.hot = Span::from_ms(48 * 3_600_000);
    let store = Store::open(&folder, &config).unwrap();
    let mut recorder = store.recorder().unwrap();
    for day in 0..4 {
        for minute in [0, 11] {
            recorder.record(&plain(TEN + day * 86_400_000 + minute * 60_000, 1)).unwrap();
            recorder.flush().unwrap();
        }
    }
    // 48 hours before 23 November 10:11: the 20th ended longer ago, the 21st did not.
    let kept: Vec<String> = days(&folder).into_iter().filter(|name| name.len() == 13).collect();
    assert_eq!(kept, ["2026-11-21.db", "2026-11-22.db", "2026-11-23.db"]);
}

#[test]
fn a_clock_that_was_just_set_deletes_nothing() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 1)).unwrap();
    recorder.flush().unwrap();
    let mut wrong = plain(TEN + 400 * 86_400_000, 1);
    wrong.flags = watchkeeper_core::snapshot::TickFlags(watchkeeper_core::snapshot::TickFlags::CLOCK_STEP);
    recorder.record(&wrong).unwrap();
    recorder.record(&first_look(plain(TEN + 400 * 86_400_000 + 1_000, 1))).unwrap();
    recorder.flush().unwrap();
    assert!(file(&folder, "2026-11-20").exists());
}

#[test]
fn an_absurd_clock_is_survived() {
    let (_parent, folder) = folder();
    let (_store, mut recorder) = open(&folder);
    for ts_ms in [i64::MIN, -1, 0, TEN, i64::MAX] {
        let mut snapshot = plain(TEN, 1);
        snapshot.at.ts_ms = ts_ms;
        snapshot.at.mono_ms = 0;
        match recorder.record(&snapshot).and_then(|()| recorder.flush()) {
            Ok(()) | Err(RecordError::Write { .. }) => {}
            Err(error) => panic!("{ts_ms}: {error}"),
        }
    }
    let _ = reader(&folder).coverage(ALL);
    let _ = reader(&folder).snapshot(i64::MAX);
}
