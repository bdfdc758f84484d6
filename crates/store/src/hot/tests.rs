//! Day files by name and size.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use rusqlite::StatementStatus;
use watchkeeper_core::quantity::{Size, Span};

use super::day::{self, Day, list};
use super::enforce;

const DAY_MS: i64 = 86_400_000;

#[test]
fn days_have_the_names_of_the_calendar() {
    for (ts_ms, name) in [
        (0, "1970-01-01"),
        (-1, "1970-01-01"),
        (i64::MIN, "1970-01-01"),
        (951_782_399_999, "2000-02-28"),
        (951_782_400_000, "2000-02-29"),
        (1_795_132_800_000, "2026-11-20"),
        (i64::MAX, "9999-12-31"),
    ] {
        assert_eq!(Day::of(ts_ms).to_string(), name, "{ts_ms}");
    }
}

proptest! {
    #[test]
    fn a_day_file_is_found_by_its_name(day in 0..2_932_897_i64) {
        let folder = tempfile::tempdir().unwrap();
        let day = Day::of(day * DAY_MS);
        fs::write(day.path(folder.path()), b"").unwrap();
        let found = list(folder.path()).unwrap();
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!((found[0].day, found[0].is_day_file), (day, true));
    }
}

#[test]
fn files_of_others_are_not_taken_for_days() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "2026-11-20.db-wal",
        "2026-11-20.db-shm",
        "2026-11-20.db.bak",
        "2026-11-20.db.damaged-x",
        "2026-13-01.db",
        "2026-02-30.db",
        "2026-1-001.db",
        "+026-11-20.db",
        "notes.db",
        "äää.db",
    ] {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    assert_eq!(list(folder.path()).unwrap(), []);
    fs::write(folder.path().join("2026-11-20.db.damaged-1"), b"").unwrap();
    assert!(!list(folder.path()).unwrap()[0].is_day_file);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn bytes_go_before_age_the_oldest_first_and_the_open_file_never() {
    let all = ["2026-11-17.db", "2026-11-17.db-wal", "2026-11-18.db.damaged-1", "2026-11-19.db", "2026-11-20.db"];
    let now_ms = Day::of(1_795_132_800_000).end_ms() - 1;
    for (max_bytes, keep_days, first_kept) in [
        (5_000, 30, 0),
        (4_999, 30, 2),
        (3_000, 30, 2),
        (2_999, 30, 3),
        (1_999, 30, 4),
        (0, 30, 4),
        (5_000, 3, 0),
        (5_000, 2, 2),
        (5_000, 1, 3),
        (5_000, 0, 4),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for name in all {
            fs::write(folder.path().join(name), [0; 1_000]).unwrap();
        }
        let keep = Span::from_ms(keep_days * DAY_MS);
        let open = Some(Day::of(1_795_132_800_000));
        enforce(folder.path(), keep, Size::from_bytes(max_bytes), open, now_ms).unwrap();
        assert_eq!(names(folder.path()), all[first_kept..], "{max_bytes} bytes, {keep_days} days");
    }
}

#[test]
fn a_day_that_cannot_be_deleted_now_costs_no_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    // Somebody has it open, on a system where that is in the way: here, it is no file.
    fs::create_dir(folder.path().join("2026-11-17.db")).unwrap();
    for name in ["2026-11-18.db", "2026-11-19.db", "2026-11-20.db"] {
        fs::write(folder.path().join(name), [0; 1_000]).unwrap();
    }
    let open = Some(Day::of(1_795_132_800_000));
    let now_ms = Day::of(1_795_132_800_000).end_ms();
    let enforced = enforce(folder.path(), Span::from_ms(2 * DAY_MS), Size::from_bytes(9_000), open, now_ms).unwrap();
    assert_eq!((enforced.deleted.len(), enforced.refused.len()), (1, 1), "{enforced:?}");
    assert_eq!(names(folder.path()), ["2026-11-17.db", "2026-11-19.db", "2026-11-20.db"]);
}

#[test]
fn without_an_open_file_the_newest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["2026-11-19.db", "2026-11-20.db"] {
        fs::write(folder.path().join(name), [0; 1_000]).unwrap();
    }
    enforce(folder.path(), Span::default(), Size::from_bytes(0), None, i64::MAX).unwrap();
    assert_eq!(names(folder.path()), ["2026-11-20.db"]);
}

#[test]
fn a_statement_is_not_planned_anew_for_other_values() {
    let folder = tempfile::tempdir().unwrap();
    let connection = day::open(&folder.path().join("2026-11-20.db")).unwrap();
    for sql in [
        "SELECT b.boot_id FROM process AS e JOIN boot AS b ON b.id = e.boot WHERE e.id = ?",
        "SELECT id FROM process WHERE boot IS ?1 AND pid IS ?1 AND start_ticks IS ?1",
        "SELECT 1 FROM lineage WHERE process = ?1 AND from_tick = (SELECT max(from_tick) FROM lineage WHERE process = ?1)",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        for value in 1..100 {
            assert!(!statement.exists([value]).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
    }
}
