//! Killed processes and several threads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use watchkeeper_core::port::{Durability, Ledger};
use watchkeeper_store::{OpenError, Store, StoreConfig};

use crate::state_child::start;
use crate::state_samples::{opened, row, sent};

const KILLS: usize = 15;

#[test]
fn whatever_is_killed_at_whatever_moment_every_message_is_sent_and_no_ticket_is_used_twice() {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("store");
    let journal = folder.with_extension("journal");
    for kill in 0..KILLS {
        let mut child = start("commit and send", &folder);
        let length = || fs::metadata(&journal).map_or(0, |metadata| metadata.len());
        let (begun, before) = (Instant::now(), length());
        if kill % 3 == 0 {
            // Somewhere in its start; the pause need not be exact.
            std::thread::sleep(Duration::from_millis(9 * kill as u64));
        } else {
            while length() < before + 50 + 211 * kill as u64 {
                assert!(begun.elapsed() < Duration::from_mins(1), "the other process does not get to work");
                std::thread::yield_now();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let database = folder.join("state.db");
        if database.exists() {
            let connection = rusqlite::Connection::open(&database).unwrap();
            let answer: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(answer, "ok");
        }
    }

    // The next start goes on where they were.
    let store = Store::open(&folder, &StoreConfig::default()).unwrap();
    assert_eq!(store.notices(), [""; 0]);
    let mut ledger = store.ledger().unwrap();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    let mut finished = BTreeSet::new();
    let mut committed = BTreeSet::new();
    let mut highest = 0;
    for line in fs::read_to_string(&journal).unwrap().lines() {
        match line.split_once(' ').unwrap() {
            ("ticket", ticket) => {
                let ticket: i64 = ticket.parse().unwrap();
                assert!(ticket > highest, "{ticket} after {highest}");
                highest = ticket;
            }
            ("committed", key) => assert!(committed.insert(key.to_owned()), "{key}"),
            ("accepted", key) => {
                assert!(!finished.contains(key), "{key} was sent again although it was written as sent");
                *accepted.entry(key.to_owned()).or_default() += 1;
            }
            (_, key) => assert!(finished.insert(key.to_owned()), "{key}"),
        }
    }
    for due in ledger.claim("mail", 2, 1_000, usize::MAX).unwrap() {
        let key = &due.row.dedup_key;
        assert!(!finished.contains(key), "{key}");
        *accepted.entry(key.clone()).or_default() += 1;
        ledger.finish(due.id, &sent(2), None).unwrap();
    }
    for key in &committed {
        assert!(accepted.contains_key(key), "{key} was committed and never sent");
    }
    let copies: usize = accepted.values().map(|times| times - 1).sum();
    assert!(copies <= KILLS, "{copies} further copies after {KILLS} kills");
    let counts = ledger.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.sent), (0, accepted.len() as u64));
}

#[test]
fn a_second_watch_is_refused_with_the_process_id_of_the_first() {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("store");
    let mut child = start("hold the lock", &folder);
    let begun = Instant::now();
    while !folder.join("ready").exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the other process did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    match Store::open(&folder, &StoreConfig::default()) {
        Err(error @ OpenError::Locked { .. }) => {
            let expected = format!("the store {} is used by another watch (pid {}); ", folder.display(), child.id());
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        other => panic!("{:?}", other.map(|_| "opened")),
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let store = Store::open(&folder, &StoreConfig::default()).unwrap();
    assert!(matches!(Store::open(&folder, &StoreConfig::default()), Err(OpenError::Locked { .. })));
    drop(store);
    Store::open(&folder, &StoreConfig::default()).unwrap();
}

#[test]
fn handles_on_several_threads_share_the_work() {
    const ROWS: usize = 120;
    let around = tempfile::tempdir().unwrap();
    let store = Store::open(&around.path().join("store"), &StoreConfig::default()).unwrap();
    let (mut writer, workers) = (store.ledger().unwrap(), [store.ledger().unwrap(), store.ledger().unwrap()]);
    let sent_by: Vec<Vec<String>> = std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..ROWS {
                let receipt = writer.commit(&[opened(number as u64)], &[row(&number.to_string())]).unwrap();
                assert_eq!(receipt.durability, Durability::Disk);
            }
        });
        let working = workers.map(|mut ledger| {
            scope.spawn(move || {
                let mut mine = Vec::new();
                while ledger.outbox_counts().unwrap().sent < ROWS as u64 {
                    for due in ledger.claim("mail", 1, 1_000_000, 3).unwrap() {
                        ledger.finish(due.id, &sent(1), None).unwrap();
                        mine.push(due.row.dedup_key);
                    }
                }
                mine
            })
        });
        working.map(|worker| worker.join().unwrap()).into()
    });
    let mut all: Vec<String> = sent_by.concat();
    assert_eq!(all.len(), ROWS, "somebody sent what another had");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), ROWS);
}
