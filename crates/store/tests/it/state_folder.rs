//! Folders and databases as a watch may find them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use watchkeeper_core::incident::{IncidentFilter, IncidentKey};
use watchkeeper_core::port::{History, Ledger, Recorder};
use watchkeeper_store::{OpenError, Reader, Store, StoreConfig};

use crate::hot_world;
use crate::state_samples::{opened, row};

pub fn place() -> (TempDir, PathBuf) {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("store");
    (around, folder)
}

pub fn open(folder: &Path) -> Result<Store, OpenError> {
    Store::open(folder, &StoreConfig::default())
}

pub fn refusal(folder: &Path) -> OpenError {
    match open(folder) {
        Err(error) => error,
        Ok(_) => panic!("{} was opened", folder.display()),
    }
}

/// As a watch makes its folder.
fn make_private(folder: &Path) {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    #[cfg(not(unix))]
    assert!(folder.is_dir());
}

#[test]
fn what_is_no_folder_is_refused() {
    let (_around, folder) = place();
    File::create(&folder).unwrap();
    assert!(matches!(refusal(&folder), OpenError::NotAFolder { .. }));
    // Windows says of it only that there is no such place.
    assert!(matches!(refusal(&folder.join("below")), OpenError::NotAFolder { .. } | OpenError::System { .. }));
}

#[test]
fn a_store_that_is_missing_is_named_and_not_its_inside() {
    let (_around, folder) = place();
    let Err(missing) = Reader::open(&folder.join("x")) else { panic!("it was opened") };
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing:?}");
    let (named, inside) = (folder.join("x"), folder.join("x").join("log"));
    assert!(missing.to_string().contains(&named.display().to_string()), "{missing}");
    assert!(!missing.to_string().contains(&inside.display().to_string()), "{missing}");
}

#[test]
fn a_store_is_found_again() {
    let (_around, folder) = place();
    let (host, tickets) = {
        let store = open(&folder.join("deep/inside")).unwrap();
        let receipt = store.ledger().unwrap().commit(&[opened(1)], &[row("a")]).unwrap();
        (store.host_id(), receipt.tickets)
    };
    let store = open(&folder.join("deep/inside")).unwrap();
    assert_eq!((store.host_id(), store.notices()), (host, &[][..]));
    let mut ledger = store.ledger().unwrap();
    let loaded = ledger.load().unwrap();
    assert_eq!((loaded.host, loaded.incidents.len()), (host, 1));
    assert_eq!(tickets, [(IncidentKey(1), 1)]);
    let health = store.health();
    assert!(health.reserve_intact && health.held.is_none() && health.last_commit_ms.is_none());
    assert!(health.free_bytes.is_some_and(|bytes| bytes > 0) && health.state_bytes > 0);
    let reserve = fs::metadata(folder.join("deep/inside/reserve")).unwrap();
    assert_eq!(reserve.len(), 8 << 20);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::blocks(&reserve), (8 << 20) / 512, "no hole");
    ledger.commit(&[], &[row("b")]).unwrap();
    assert!(store.health().last_commit_ms.is_some_and(|ms| ms > 1_700_000_000_000));
}

type Ruin = fn(&Path);

/// Ways to ruin a state database, with what is said, and whether the host's id can still be read.
fn ruins() -> Vec<(&'static str, Ruin, &'static str, bool)> {
    vec![
        ("garbage", |path| fs::write(path, vec![b'x'; 9_000]).unwrap(), "not a database", false),
        (
            "cut in half",
            |path| {
                let length = fs::metadata(path).unwrap().len();
                File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
            },
            "malformed",
            false,
        ),
        ("another program's", |path| run(path, "PRAGMA application_id = 7"), "another program", true),
        ("unmarked", |path| run(path, "PRAGMA application_id = 0"), "another program", true),
        ("no history", |path| run(path, "DELETE FROM refinery_schema_history"), "history is empty", true),
        (
            "a time that refinery panics on",
            |path| run(path, "UPDATE refinery_schema_history SET applied_on = 'yesterday'"),
            "history cannot be understood",
            true,
        ),
        (
            "a checksum that refinery panics on",
            |path| run(path, "UPDATE refinery_schema_history SET checksum = '-1'"),
            "history cannot be understood",
            true,
        ),
        (
            "another checksum",
            |path| run(path, "UPDATE refinery_schema_history SET checksum = '1'"),
            "schema version 1 is not the one we know",
            true,
        ),
        (
            "a version that is no number",
            |path| run(path, "UPDATE refinery_schema_history SET version = 'one'"),
            "history cannot be understood",
            true,
        ),
        (
            "history without its columns",
            |path| run(path, "ALTER TABLE refinery_schema_history DROP COLUMN checksum"),
            "no such column",
            true,
        ),
        ("a host id that is none", |path| run(path, "UPDATE host SET id_uuid = 'me'"), "host id", false),
    ]
}

fn run(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_damaged_state_database_is_set_aside_and_the_watch_goes_on() {
    for (name, ruin, words, keeps_host) in ruins() {
        let (_around, folder) = place();
        let path = folder.join("state.db");
        let host = {
            let store = open(&folder).unwrap();
            let mut ledger = store.ledger().unwrap();
            for number in 0..20 {
                ledger.commit(&[opened(number)], &[row(&number.to_string())]).unwrap();
            }
            store.host_id()
        };
        ruin(&path);
        let ruined = fs::read(&path).unwrap();
        let store = open(&folder).unwrap();
        let [notice] = store.notices() else { panic!("{name}: {:?}", store.notices()) };
        assert!(notice.contains(words), "{name}: {notice}");
        assert!(notice.contains("state.db.damaged-1"), "{name}: {notice}");
        assert_eq!(fs::read(folder.join("state.db.damaged-1")).unwrap(), ruined, "{name}");
        assert_eq!(store.host_id() == host, keeps_host, "{name}");
        let mut ledger = store.ledger().unwrap();
        assert_eq!(ledger.load().unwrap().incidents, []);
        ledger.commit(&[opened(1)], &[row("1")]).unwrap();
        drop((ledger, store));
        // A second time does not overwrite the first.
        fs::write(&path, "again").unwrap();
        assert!(open(&folder).unwrap().notices()[0].contains("state.db.damaged-2"));
        assert!(folder.join("state.db.damaged-1").exists());
    }
}

#[test]
fn the_host_keeps_its_id_as_long_as_the_log_or_the_state_database_has_it() {
    let (_around, folder) = place();
    let path = folder.join("state.db");
    let host = {
        let (store, mut recorder) = hot_world::open(&folder);
        recorder.record(&hot_world::first_look(hot_world::plain(1_795_000_000_000, 3))).unwrap();
        recorder.flush().unwrap();
        store.host_id()
    };
    fs::write(&path, "ruined").unwrap();
    assert_eq!(open(&folder).unwrap().host_id(), host);
    fs::remove_file(&path).unwrap();
    let store = open(&folder).unwrap();
    assert_eq!((store.host_id(), store.notices()), (host, &[][..]));
    drop(store);
    fs::remove_file(&path).unwrap();
    fs::remove_dir_all(folder.join("log")).unwrap();
    assert_ne!(open(&folder).unwrap().host_id(), host);
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let (_around, folder) = place();
    drop(open(&folder).unwrap());
    let path = folder.join("state.db");
    let later = "INSERT INTO refinery_schema_history VALUES (2, 'later', '2030-01-01T00:00:00Z', '1')";
    run(&path, later);
    let before = fs::read(&path).unwrap();
    let error = refusal(&folder);
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("written by a newer version, use that one"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!folder.join("state.db.damaged-1").exists());
}

#[test]
fn what_a_watch_left_that_was_killed_at_its_first_start_is_accepted() {
    for sql in [
        "",
        "CREATE TABLE refinery_schema_history (version int4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), \
         checksum VARCHAR(255))",
    ] {
        let (_around, folder) = place();
        fs::create_dir(&folder).unwrap();
        make_private(&folder);
        File::create(folder.join("state.db")).unwrap();
        run(&folder.join("state.db"), sql);
        // Half a reserve.
        fs::write(folder.join("reserve"), vec![1; 1 << 20]).unwrap();
        let store = open(&folder).unwrap();
        assert_eq!(store.notices(), [""; 0]);
        assert_eq!(fs::metadata(folder.join("reserve")).unwrap().len(), 8 << 20);
        store.ledger().unwrap().commit(&[opened(1)], &[]).unwrap();
    }
}

#[test]
fn incidents_can_be_read_beside_a_watch_and_after_it() {
    let (_around, folder) = place();
    let store = open(&folder).unwrap();
    let mut ledger = store.ledger().unwrap();
    let filter = IncidentFilter { limit: Some(2), ..IncidentFilter::default() };
    let reader = Reader::open(&folder).unwrap();
    assert_eq!(reader.incidents(&filter).unwrap(), []);
    for key in 1..=3 {
        ledger.commit(&[opened(key)], &[]).unwrap();
    }
    let tickets = |reader: &Reader, filter: &IncidentFilter| -> Vec<i64> {
        let records = reader.incidents(filter).unwrap();
        records.iter().map(|record| record.incident.ticket.unwrap()).collect()
    };
    assert_eq!(tickets(&reader, &filter), [3, 2]);
    drop((ledger, store));
    assert_eq!(tickets(&Reader::open(&folder).unwrap(), &filter), [3, 2]);
    let one = |filter: IncidentFilter| tickets(&reader, &filter);
    assert_eq!(one(IncidentFilter { ticket: Some(2), ..IncidentFilter::default() }), [2]);
    assert_eq!(one(IncidentFilter { cause: Some("cpu-high".to_owned()), ..IncidentFilter::default() }), [3, 2, 1]);
    assert_eq!(one(IncidentFilter { cause: Some("nothing".to_owned()), ..IncidentFilter::default() }), [0; 0]);
    assert_eq!(one(IncidentFilter { open: true, ..IncidentFilter::default() }), [3, 2, 1]);
}
