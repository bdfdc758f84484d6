//! The file of a sink over the days: set aside, replaced by others, in the way, on a full disk, cut by a kill.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, Instant};

use watchkeeper_core::Recorder;
use watchkeeper_core::port::RecordError;
use watchkeeper_core::quantity::Size;
use watchkeeper_store::{Sink, SinkConfig, SinkError, SinkFormat};

use crate::hot_world::{TEN, plain};
use crate::sink::{FORMATS, at, beside, config, names, numbers, of_kind, open, read, rows};
use crate::state_child::start;
use crate::state_disk::{Mounted, fill};

#[test]
fn a_day_has_a_file_of_its_own_in_the_zone_of_the_host() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let config = SinkConfig { rotate_daily: true, keep: Some(2), ..config(format, folder.path()) };
        let extension = format.word();
        let mut sink = open(&config);
        for (day, hour, minute) in [(0, 23, 58), (0, 23, 59), (1, 0, 0), (1, 0, 1)] {
            sink.record(&at(day, hour, minute)).unwrap();
        }
        let first = format!("processes-2026-11-20T235900.{extension}");
        assert_eq!(names(folder.path()), [first.clone(), format!("processes.{extension}")]);
        assert_eq!((read(format, &beside(&config, &first)).len(), rows(&config).len()), (6, 6));
        // The next start knows from the file which day it was.
        drop(sink);
        let mut sink = open(&config);
        sink.record(&at(1, 12, 0)).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(sink);
        let mut sink = open(&config);
        sink.record(&at(2, 12, 0)).unwrap();
        let second = format!("processes-2026-11-21T120000.{extension}");
        assert_eq!(names(folder.path()), [first.as_str(), &second, &format!("processes.{extension}")]);
        assert_eq!(read(format, &beside(&config, &second)).len(), 9);
        // Of three only two are kept.
        sink.record(&at(3, 0, 0)).unwrap();
        let third = format!("processes-2026-11-22T120000.{extension}");
        assert_eq!(names(folder.path()), [second, third, format!("processes.{extension}")]);
    }
}

#[test]
fn no_file_grows_beyond_its_size_and_no_row_is_lost_on_the_way() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let size = Size::from_bytes(64 << 10);
        let config = SinkConfig { rotate_size: Some(size), keep: Some(1_000), ..config(format, folder.path()) };
        let mut sink = open(&config);
        for second in 0..100 {
            sink.record(&plain(TEN + second * 1_000, 20)).unwrap();
        }
        let names = names(folder.path());
        assert!(names.len() > 2, "{names:?}");
        let mut seconds = Vec::new();
        for name in &names {
            let path = beside(&config, name);
            let length = fs::metadata(&path).unwrap().len();
            assert!(length <= size.bytes(), "{name}: {length}");
            let rows = read(format, &path);
            assert_eq!(rows.len() % 21, 0, "a batch is in one file");
            seconds.extend(of_kind(&rows, "host").into_iter().map(|row| row["timestamp"].clone()));
        }
        seconds.sort();
        seconds.dedup();
        assert_eq!(seconds.len(), 100);
        assert_eq!(sink.written().rows, 2_100);
    }
}

#[test]
fn a_batch_beyond_the_size_is_a_file_and_files_of_one_second_are_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        SinkConfig { rotate_size: Some(Size::from_bytes(1)), keep: Some(3), ..config(SinkFormat::Csv, folder.path()) };
    let mut sink = open(&config);
    for _ in 0..6 {
        sink.record(&plain(TEN, 1)).unwrap();
    }
    let stem = "processes-2026-11-20T110000";
    assert_eq!(names(folder.path()).len(), 4);
    assert!(beside(&config, &format!("{stem}.csv")).exists() || beside(&config, &format!("{stem}-5.csv")).exists());
    for name in names(folder.path()) {
        assert_eq!(read(SinkFormat::Csv, &beside(&config, &name)).len(), 2);
    }
}

#[test]
fn a_file_that_others_rename_replace_or_truncate_is_begun_anew() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let config = config(format, folder.path());
        let mut sink = open(&config);
        let mut second = 0;
        let mut tick = || {
            second += 1;
            plain(TEN + second * 1_000, 1)
        };
        sink.record(&tick()).unwrap();
        // logrotate: rename.
        fs::rename(&config.path, beside(&config, "processes.1")).unwrap();
        sink.record(&tick()).unwrap();
        assert_eq!((rows(&config).len(), read(format, &beside(&config, "processes.1")).len()), (2, 2));
        // logrotate with `create`.
        fs::rename(&config.path, beside(&config, "processes.2")).unwrap();
        fs::write(&config.path, "").unwrap();
        sink.record(&tick()).unwrap();
        assert_eq!(rows(&config).len(), 2);
        // logrotate with `copytruncate`.
        fs::File::options().write(true).open(&config.path).unwrap().set_len(0).unwrap();
        sink.record(&tick()).unwrap();
        sink.record(&tick()).unwrap();
        assert_eq!(rows(&config).len(), 4);
        fs::remove_file(&config.path).unwrap();
        sink.record(&tick()).unwrap();
        assert_eq!((rows(&config).len(), sink.written().rows, sink.written().lost_rows), (2, 12, 0));
    }
}

#[test]
fn what_others_wrote_is_refused_and_not_touched() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let config = config(format, folder.path());
        assert!(Sink::check(&config).is_ok(), "nothing is there");
        fs::write(&config.path, "Timestamp,CPU Usage (%)\n2026-11-20 03:04:05,12.5\n").unwrap();
        let before = fs::read(&config.path).unwrap();
        let error = Sink::check(&config).unwrap_err();
        assert!(error.is_refusal() && matches!(error, SinkError::Foreign { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("processes.") && text.contains("nothing was changed in it"), "{text}");
        // Also while it runs: whatever comes into the way.
        let mut sink = open(&config);
        let text = sink.record(&plain(TEN, 1)).unwrap_err().to_string();
        assert!(text.contains("it holds something else") && text.contains("1 tick waits in memory"), "{text}");
        assert_eq!(fs::read(&config.path).unwrap(), before);
        fs::remove_file(&config.path).unwrap();
        sink.record(&plain(TEN + 1_000, 1)).unwrap();
        assert_eq!(rows(&config).len(), 4, "what waited is there as well");
        assert!(Sink::check(&config).is_ok(), "ours");
    }
}

#[test]
fn a_way_to_another_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(SinkFormat::Csv, folder.path());
    let other = beside(&config, "other");
    let refused = |what: &str| {
        for error in [Sink::check(&config).unwrap_err().to_string(), {
            let mut sink = open(&config);
            sink.record(&plain(TEN, 1)).unwrap_err().to_string()
        }] {
            assert!(error.contains(what), "{error}");
        }
    };
    fs::write(&other, "").unwrap();
    symlink(&other, &config.path).unwrap();
    refused("is a link; name the file it leads to");
    fs::remove_file(&config.path).unwrap();
    fs::hard_link(&other, &config.path).unwrap();
    refused("has another name elsewhere");
    fs::remove_file(&config.path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &config.path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    refused("is no file but a pipe or a device");
    fs::remove_file(&config.path).unwrap();
    fs::create_dir(&config.path).unwrap();
    refused("is a folder");
    assert_eq!(fs::metadata(&other).unwrap().len(), 0);
}

#[test]
fn two_watches_do_not_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(SinkFormat::Csv, folder.path());
    let mut first = open(&config);
    first.record(&plain(TEN, 1)).unwrap();
    let mut second = open(&config);
    let text = second.record(&plain(TEN, 1)).unwrap_err().to_string();
    assert!(text.contains("another watch writes it"), "{text}");
    drop(first);
    second.record(&plain(TEN + 1_000, 1)).unwrap();
    assert_eq!(rows(&config).len(), 6);
}

#[test]
fn a_missing_folder_is_said_with_what_to_do_and_what_waits_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(SinkFormat::Csv, folder.path());
    config.path = folder.path().join("not/there/processes.csv");
    assert!(Sink::check(&config).is_ok(), "it may come");
    let mut sink = open(&config);
    for second in 0..70 {
        let error = sink.record(&plain(TEN + second * 1_000, 1)).unwrap_err();
        assert!(matches!(error, RecordError::Write { .. }), "{error}");
        assert!(error.to_string().contains("not/there; it is used as soon as you make it"), "{error}");
    }
    assert_eq!(sink.written().lost_rows, 2 * 10);
    fs::create_dir_all(folder.path().join("not/there")).unwrap();
    sink.record(&plain(TEN + 70_000, 1)).unwrap();
    let found = of_kind(&rows(&config), "host");
    assert_eq!((found.len(), sink.written().rows), (60, 120), "60 intervals, this one among them");
    assert_eq!(found[0]["timestamp"], "2026-11-20T11:00:11.000+01:00");
}

#[test]
fn what_waits_is_bounded_in_bytes_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(SinkFormat::Jsonl, folder.path());
    config.path = folder.path().join("not/there.jsonl");
    let mut sink = open(&config);
    let mut last = String::new();
    for second in 0..20 {
        last = sink.record(&plain(TEN + second * 1_000, 4_000)).unwrap_err().to_string();
    }
    assert!(sink.written().lost_rows > 4_000, "{last}");
    assert!(!last.contains("20 ticks"), "{last}");
}

#[test]
fn a_file_that_cannot_be_set_aside_goes_on_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = SinkConfig { rotate_daily: true, ..config(SinkFormat::Csv, folder.path()) };
    // The name for the old file is longer than any may be.
    let config = SinkConfig { path: folder.path().join(format!("{}.csv", "x".repeat(240))), ..config };
    let mut sink = open(&config);
    sink.record(&at(0, 23, 0)).unwrap();
    let text = sink.record(&at(1, 1, 0)).unwrap_err().to_string();
    assert!(text.contains("cannot set aside it") && text.contains("0 ticks wait in memory"), "{text}");
    assert_eq!(rows(&config).len(), 6, "rows are worth more than days");
}

#[test]
fn on_a_full_disk_rows_wait_and_no_line_is_broken_when_there_is_room() {
    for format in FORMATS {
        let disk = Mounted::tmpfs(c"size=64m,mode=700");
        let filler = disk.path().join("filler");
        let config = config(format, disk.path());
        let mut sink = open(&config);
        sink.record(&plain(TEN, 50)).unwrap();
        fill(&filler);
        // Pages that the file has already take a part of a batch.
        for second in 1..=20 {
            let error = sink.record(&plain(TEN + second * 1_000, 50)).unwrap_err();
            assert!(matches!(error, RecordError::Full { .. }), "{error}");
        }
        let before = rows(&config).len();
        assert_eq!(before, 51, "what was begun was taken back");
        fs::remove_file(&filler).unwrap();
        sink.record(&plain(TEN + 21_000, 50)).unwrap();
        let rows = rows(&config);
        assert_eq!(rows.len(), 22 * 51);
        let hosts = of_kind(&rows, "host");
        let mut times: Vec<&String> = hosts.iter().map(|row| &row["timestamp"]).collect();
        times.dedup();
        assert!(times.is_sorted() && times.len() == 22, "each interval once: {times:?}");
        assert_eq!((sink.written().rows, sink.written().lost_rows), (22 * 51, 0));
    }
}

#[test]
fn a_killed_watch_leaves_at_most_one_cut_line_which_the_next_start_mends() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let config = config(format, folder.path());
        let mut sizes = 0;
        for kill in 0..6_u64 {
            let mut child = start(&format!("sink {}", format.word()), folder.path());
            let length = || fs::metadata(&config.path).map_or(0, |metadata| metadata.len());
            let (begun, before) = (Instant::now(), length());
            while length() < before + 100_000 + 7_919 * kill {
                assert!(begun.elapsed() < Duration::from_mins(1), "the other process does not get to work");
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
            sizes = fs::read(&config.path).unwrap().split(|byte| *byte == b'\n').count() - 1;
        }
        open(&config).record(&plain(TEN, 1)).unwrap();
        let rows = rows(&config);
        assert_eq!(rows.len() + usize::from(format == SinkFormat::Csv), sizes + 2, "whole lines stay");
        assert!(numbers(&rows, "interval_s").iter().all(Option::is_some));
    }
}

#[test]
fn a_new_file_has_the_group_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let config = SinkConfig { rotate_daily: true, ..config(SinkFormat::Csv, folder.path()) };
    let mut sink = open(&config);
    sink.record(&at(0, 23, 0)).unwrap();
    std::os::unix::fs::chown(&config.path, None, Some(4)).expect("this test gives a file away and must run as root");
    sink.record(&at(1, 23, 0)).unwrap();
    assert_eq!(names(folder.path()).len(), 2);
    assert_eq!(fs::metadata(&config.path).unwrap().gid(), 4);
}
