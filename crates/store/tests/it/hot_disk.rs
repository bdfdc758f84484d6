//! Disks that are really full and folders that are really read-only: filesystems mounted for the test, which needs root.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use tempfile::TempDir;
use watchkeeper_core::port::RecordError;
use watchkeeper_core::{GapReason, History, Range, Recorder};

use crate::hot_world::{TEN, folder, open, plain, reader};

/// A mounted folder, unmounted when dropped.
pub struct Mounted(TempDir);

impl Mounted {
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

pub fn small_disk() -> Mounted {
    let folder = tempfile::tempdir().unwrap();
    mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), c"size=64m,mode=700")
        .expect("this test mounts a filesystem and must run as root");
    Mounted(folder)
}

fn read_only(of: &Path) -> Mounted {
    let folder = tempfile::tempdir().unwrap();
    mount_bind(of, folder.path()).expect("this test mounts a filesystem and must run as root");
    mount_remount(folder.path(), MountFlags::BIND | MountFlags::RDONLY, "").unwrap();
    Mounted(folder)
}

/// Writes a file until nothing fits any more.
pub fn fill(path: &Path) {
    let mut file = File::options().append(true).create(true).open(path).unwrap();
    for size in [1 << 20, 4_096, 1] {
        let block = vec![7_u8; size];
        loop {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn on_a_full_disk_the_log_stops_keeps_the_reserve_and_goes_on_when_there_is_room() {
    let disk = small_disk();
    let (folder, filler) = (disk.0.path().join("store"), disk.0.path().join("filler"));
    let (store, mut recorder) = open(&folder);
    for second in 0..20 {
        recorder.record(&plain(TEN + second * 1_000, 300)).unwrap();
    }
    recorder.flush().unwrap();

    fill(&filler);
    let mut seconds = 20;
    let mut refused = 0;
    while refused < 100 {
        match recorder.record(&plain(TEN + seconds * 1_000, 300)) {
            Ok(()) => assert_eq!(refused, 0, "nothing is written while the disk is full"),
            Err(RecordError::Full { waiting, .. }) => {
                refused += 1;
                assert!(waiting <= 60, "{waiting} wait");
            }
            Err(error) => panic!("{error}"),
        }
        seconds += 1;
        assert!(seconds < 5_000, "the disk was never full");
    }
    assert!(store.health().reserve_intact, "the reserve belongs to the state database");
    let before = Range::new(TEN, TEN + 20_000);
    assert_eq!(reader(&folder).coverage(before).unwrap().ticks, 20, "what is written can be read on a full disk");

    // Less room than reserve and margin: still nothing.
    let held = fs::metadata(&filler).unwrap().len();
    File::options().write(true).open(&filler).unwrap().set_len(held - (4 << 20)).unwrap();
    assert!(matches!(recorder.flush(), Err(RecordError::Full { .. })));

    fs::remove_file(&filler).unwrap();
    recorder.record(&plain(TEN + seconds * 1_000, 300)).unwrap();
    recorder.flush().unwrap();
    let reader = reader(&folder);
    let coverage = reader.coverage(Range::new(TEN - 1_000, TEN + (seconds + 1) * 1_000)).unwrap();
    let lost: u64 =
        coverage.gaps.iter().filter(|(_, gap)| gap.reason == GapReason::Dropped).map(|(_, gap)| gap.count).sum();
    assert_eq!(coverage.ticks + lost, seconds as u64 + 1, "each tick is there or counted as lost");
    assert!(lost > 0);
    for back in [0, 30, 45] {
        let ts_ms = TEN + (seconds - back) * 1_000;
        assert_eq!(reader.snapshot(ts_ms).unwrap(), Some(plain(ts_ms, 300)));
    }
}

#[test]
fn a_store_in_a_folder_that_cannot_be_written_is_read() {
    let (_parent, folder) = folder();
    let (store, mut recorder) = open(&folder);
    recorder.record(&plain(TEN, 3)).unwrap();
    recorder.flush().unwrap();
    {
        // While the watch runs, its files are in WAL mode.
        let mounted = read_only(&folder);
        assert_eq!(reader(mounted.0.path()).snapshot(TEN).unwrap(), Some(plain(TEN, 3)));
    }
    drop((recorder, store));
    let mounted = read_only(&folder);
    assert_eq!(reader(mounted.0.path()).snapshot(TEN).unwrap(), Some(plain(TEN, 3)));
    drop(mounted);

    // A copy of a file in WAL mode without its companions.
    let path = folder.join("log").join("2026-11-20.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    drop(connection);
    let mounted = read_only(&folder);
    assert_eq!(reader(mounted.0.path()).snapshot(TEN).unwrap(), Some(plain(TEN, 3)));
}
