//! Real processes for the tests: this test binary again, told by its environment what to do.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use watchkeeper_core::Recorder;
use watchkeeper_core::port::Ledger;
use watchkeeper_store::{SinkFormat, Store, StoreConfig};

use crate::hot_world::{TEN, plain};
use crate::state_samples::{opened, row, sent};

const JOB: &str = "WATCHKEEPER_TEST_JOB";
const FOLDER: &str = "WATCHKEEPER_TEST_FOLDER";

/// Starts another process of this binary that does `job` with the store in `folder`.
pub fn start(job: &str, folder: &Path) -> Child {
    spawn(Command::new(std::env::current_exe().unwrap()), job, folder)
}

/// The same under an umask.
#[cfg(unix)]
pub fn start_under(umask: &str, job: &str, folder: &Path) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask \"$1\"; shift; exec \"$@\"", "sh", umask]).arg(std::env::current_exe().unwrap());
    spawn(shell, job, folder)
}

fn spawn(mut command: Command, job: &str, folder: &Path) -> Child {
    command
        .args(["--exact", "state_child::does_its_job", "--quiet"])
        .env(JOB, job)
        .env(FOLDER, folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test of its own: what a process that [`start`] began does. Without a job, nothing.
#[test]
fn does_its_job() {
    let (Ok(job), Some(folder)) = (std::env::var(JOB), std::env::var_os(FOLDER).map(PathBuf::from)) else { return };
    match job.as_str() {
        "hold the lock" => {
            let _store = Store::open(&folder, &StoreConfig::default()).unwrap();
            fs::write(folder.join("ready"), "").unwrap();
            std::thread::sleep(Duration::from_mins(1));
        }
        "commit and send" => commit_and_send(&folder),
        #[cfg(unix)]
        "look at the modes" => look_at_the_modes(&folder),
        "sink csv" => write_files(SinkFormat::Csv, &folder),
        "sink jsonl" => write_files(SinkFormat::Jsonl, &folder),
        other => panic!("no such job: {other}"),
    }
}

/// Commits and sends as fast as it can until it is killed; the journal beside the store says how far it came.
fn commit_and_send(folder: &Path) {
    let mut journal = OpenOptions::new().append(true).create(true).open(folder.with_extension("journal")).unwrap();
    let mut note = |what: &str, key: &str| journal.write_all(format!("{what} {key}\n").as_bytes()).unwrap();
    let store = Store::open(folder, &StoreConfig::default()).unwrap();
    let mut ledger = store.ledger().unwrap();
    let known = ledger.load().unwrap().incidents.len() as u64;
    for number in known.. {
        let rows = [row(&format!("{number}-a")), row(&format!("{number}-b"))];
        let receipt = ledger.commit(&[opened(number)], &rows).unwrap();
        note("ticket", &receipt.tickets[0].1.to_string());
        for row in &rows {
            note("committed", &row.dedup_key);
        }
        for due in ledger.claim("mail", 1, 1_000, 2).unwrap() {
            note("accepted", &due.row.dedup_key);
            ledger.finish(due.id, &sent(1), None).unwrap();
            note("finished", &due.row.dedup_key);
        }
    }
}

/// Writes batches of a sink as fast as it can until it is killed.
fn write_files(format: SinkFormat, folder: &Path) {
    let mut sink = crate::sink::open(&crate::sink::config(format, folder));
    for second in 0.. {
        sink.record(&plain(TEN + second * 1_000, 400)).unwrap();
    }
}

#[cfg(unix)]
fn look_at_the_modes(folder: &Path) {
    let store = Store::open(folder, &StoreConfig::default()).unwrap();
    let mut ledger = store.ledger().unwrap();
    ledger.commit(&[opened(1)], &[row("a")]).unwrap();
    let mode = |path: &Path| std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777;
    assert_eq!((mode(folder), mode(&folder.join("log"))), (0o700, 0o700));
    let names = ["lock", "reserve", "state.db", "state.db-shm", "state.db-wal"];
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "log")
        .collect();
    found.sort();
    assert_eq!(found, names);
    for name in names {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
}
