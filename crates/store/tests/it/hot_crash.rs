//! A watch that is killed at any moment.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use watchkeeper_core::{History, Range, Recorder};

use crate::hot_world::{TEN, World, first_look, folder, open, plain, reader};

const FOLDER: &str = "WATCHKEEPER_TEST_LOG";
const KILLS: u64 = 12;

/// Not a test of its own: what the processes of the test below do. Without a folder in the environment, nothing.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let mut journal = OpenOptions::new().append(true).create(true).open(folder.with_extension("journal")).unwrap();
    let (_store, mut recorder) = open(&folder);
    let last = reader(&folder).coverage(Range::new(0, i64::MAX)).unwrap().last_ms;
    let begin = last.map_or(TEN, |last| last + 1_000);
    let mut world = World::new(begin as u64);
    for index in 0.. {
        let ts_ms = begin + index * 1_000;
        recorder.record(&world.tick(ts_ms, ts_ms - TEN + 1_000_000, 1_000)).unwrap();
        if index % 3 == 2 {
            recorder.flush().unwrap();
            journal.write_all(format!("{ts_ms}\n").as_bytes()).unwrap();
        }
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hot_crash::writes_until_it_is_killed", "--quiet"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn whatever_was_flushed_is_there_after_a_kill_and_the_next_start_goes_on() {
    let (_parent, folder) = folder();
    let journal = folder.with_extension("journal");
    let flushed = || -> Vec<i64> {
        let text = fs::read_to_string(&journal).unwrap_or_default();
        // The last line may be half written.
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
    };
    let mut killed_at_work = 0;
    for kill in 0..KILLS {
        let before = flushed().len();
        let mut child = start(&folder);
        // Killed at work: once it has flushed a few times, after a pause that is different each time; the first two
        // at any moment of their start.
        let deadline = Instant::now() + Duration::from_secs(20);
        while kill >= 2 && flushed().len() < before + 2 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(3 + kill * 7 % 31));
        child.kill().unwrap();
        child.wait().unwrap();
        let flushed = flushed();
        killed_at_work += u64::from(flushed.len() > before);
        let path = folder.join("log").join("2026-11-20.db");
        if !path.exists() || flushed.is_empty() {
            continue;
        }
        let connection = Connection::open(&path).unwrap();
        let answer: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(answer, "ok");
        let mut known = connection.prepare("SELECT count(*) FROM tick WHERE ts_ms = ?").unwrap();
        for ts_ms in &flushed {
            let ticks: i64 = known.query_row([ts_ms], |row| row.get(0)).unwrap();
            assert_eq!(ticks, 1, "the tick {ts_ms} was flushed");
        }
        // No row belongs to a tick that is not there.
        let orphans = "SELECT count(*) FROM process_sample WHERE tick NOT IN (SELECT id FROM tick)";
        assert_eq!(connection.query_row(orphans, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    }
    assert!(killed_at_work >= KILLS - 2, "only {killed_at_work} processes got to work");

    let (store, mut recorder) = open(&folder);
    assert_eq!(store.notices(), [""; 0]);
    let last = flushed().last().copied().unwrap();
    let next = first_look(plain(last + 60_000, 3));
    recorder.record(&next).unwrap();
    recorder.flush().unwrap();
    assert_eq!(reader(&folder).snapshot(last + 60_000).unwrap(), Some(next));
}
