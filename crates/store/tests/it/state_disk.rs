//! Disks that are really full and really read-only: filesystems mounted for the test, which needs root.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use tempfile::TempDir;
use watchkeeper_core::incident::{IncidentFilter, IncidentKey};
use watchkeeper_core::port::{Durability, History, Ledger};
use watchkeeper_store::{OpenError, Reader, Store, StoreConfig};

use crate::state_samples::{opened, row, sent};

/// A mounted folder, unmounted when dropped.
pub struct Mounted {
    folder: TempDir,
}

impl Mounted {
    pub fn tmpfs(options: &std::ffi::CStr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), options)
            .expect("this test mounts a filesystem and must run as root");
        Self { folder }
    }

    fn read_only(of: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        mount_bind(of, folder.path()).expect("this test mounts a filesystem and must run as root");
        mount_remount(folder.path(), MountFlags::BIND | MountFlags::RDONLY, "").unwrap();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(self.folder.path(), UnmountFlags::DETACH);
    }
}

/// Writes a file until nothing fits any more, not even a byte.
pub fn fill(path: &Path) {
    let mut file = File::options().append(true).create(true).open(path).unwrap();
    for size in [1 << 20, 4096, 1] {
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

fn open(folder: &Path) -> Result<Store, OpenError> {
    Store::open(folder, &StoreConfig::default())
}

#[test]
fn on_a_full_disk_no_alert_is_lost_and_none_is_told_twice() {
    let disk = Mounted::tmpfs(c"size=64m,mode=700");
    let (folder, filler) = (disk.path().join("store"), disk.path().join("filler"));
    let store = open(&folder).unwrap();
    let mut ledger = store.ledger().unwrap();
    ledger.commit(&[opened(1)], &[row("before")]).unwrap();

    // Full: the reserve is for this.
    fill(&filler);
    let receipt = ledger.commit(&[opened(2)], &[row("from the reserve")]).unwrap();
    assert_eq!((receipt.durability, receipt.tickets), (Durability::Disk, vec![(IncidentKey(2), 2)]));
    assert!(!store.health().reserve_intact && !folder.join("reserve").exists());

    // Others took the reserve as well: from memory, and said so. What SQLite has in its files already takes some more.
    fill(&filler);
    let mut number = 3;
    let refused = loop {
        let receipt = ledger.commit(&[opened(number)], &[row(&number.to_string())]).unwrap();
        if receipt.durability != Durability::Disk {
            break receipt;
        }
        number += 1;
        assert!(number < 2_000, "the disk never refused");
    };
    assert_eq!(refused.durability, Durability::Memory("no space is left on the disk".to_owned()));
    assert_eq!(refused.tickets, [(IncidentKey(number), -1)]);
    let held = store.health().held.unwrap();
    assert_eq!((held.reason.as_str(), held.incidents, held.messages), ("no space is left on the disk", 1, 1));

    // Both kinds are sent; another handle claims, as a worker does.
    let mut worker = store.ledger().unwrap();
    let due = worker.claim("mail", 1, 1_000, usize::MAX).unwrap();
    assert_eq!(due.len() as u64, number);
    assert_eq!(due.iter().filter(|due| due.memory_only.is_some()).count(), 1);
    for due in &due {
        worker.finish(due.id, &sent(2), None).unwrap();
    }
    assert_eq!(ledger.retry_held().unwrap().unwrap().durability, refused.durability);
    assert_eq!(worker.claim("mail", 9_999, 10_000, usize::MAX).unwrap(), []);

    // Space again: written as sent, the reserve is made again, the next start knows all.
    fs::remove_file(&filler).unwrap();
    let receipt = ledger.retry_held().unwrap().unwrap();
    assert_eq!(receipt.durability, Durability::Disk);
    assert!(receipt.tickets.contains(&(IncidentKey(number), number.cast_signed())), "{:?}", receipt.tickets);
    let health = store.health();
    assert!(health.reserve_intact && health.held.is_none());
    drop((ledger, worker, store));
    let store = open(&folder).unwrap();
    let mut ledger = store.ledger().unwrap();
    let counts = ledger.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.sent), (0, number));
    assert_eq!(ledger.load().unwrap().incidents.len() as u64, number);
}

#[test]
fn a_watch_that_starts_on_a_full_disk_takes_the_reserve() {
    let disk = Mounted::tmpfs(c"size=64m,mode=700");
    let (folder, filler) = (disk.path().join("store"), disk.path().join("filler"));
    {
        let store = open(&folder).unwrap();
        store.ledger().unwrap().commit(&[opened(1)], &[row("a")]).unwrap();
    }
    fill(&filler);
    let store = open(&folder).unwrap();
    let notices = store.notices().join("\n");
    assert!(notices.contains("the disk is full; the reserve was given to"), "{notices}");
    assert!(notices.contains("there is no room for the reserve of 8 MiB"), "{notices}");
    let mut ledger = store.ledger().unwrap();
    assert_eq!(ledger.claim("mail", 1, 10, 9).unwrap().len(), 1);
    assert_eq!(ledger.commit(&[opened(2)], &[]).unwrap().durability, Durability::Disk);
}

#[test]
fn a_new_store_on_a_full_disk_is_refused_with_a_sentence() {
    let disk = Mounted::tmpfs(c"size=64m,mode=700");
    fs::create_dir(disk.path().join("store")).unwrap();
    fill(&disk.path().join("filler"));
    match open(&disk.path().join("store")) {
        Err(error @ OpenError::Full { .. }) => {
            assert!(error.to_string().starts_with("no space is left for "), "{error}");
        }
        other => panic!("{:?}", other.map(|_| "opened")),
    }
}

#[test]
fn a_disk_with_room_for_alerts_alone_is_used_for_alerts() {
    let disk = Mounted::tmpfs(c"size=4m,mode=700");
    let store = open(&disk.path().join("store")).unwrap();
    let notices = store.notices().join("\n");
    assert!(notices.contains("there is no room for the reserve of 8 MiB"), "{notices}");
    assert!(!disk.path().join("store/reserve").exists());
    assert_eq!(store.ledger().unwrap().commit(&[opened(1)], &[]).unwrap().durability, Durability::Disk);
}

#[test]
fn a_read_only_folder_is_refused_with_a_sentence_and_can_still_be_read() {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("store");
    {
        let store = open(&folder).unwrap();
        store.ledger().unwrap().commit(&[opened(1)], &[]).unwrap();
    }
    let disk = Mounted::read_only(&folder);
    match open(disk.path()) {
        Err(error @ OpenError::ReadOnly { .. }) => {
            assert!(error.to_string().contains("its filesystem is read-only"), "{error}");
        }
        other => panic!("{:?}", other.map(|_| "opened")),
    }
    let records = Reader::open(disk.path()).unwrap().incidents(&IncidentFilter::default()).unwrap();
    assert_eq!(records.len(), 1);
    // A store that is not there yet cannot be made either.
    let empty = tempfile::tempdir().unwrap();
    let disk = Mounted::read_only(empty.path());
    assert!(matches!(open(&disk.path().join("new")), Err(OpenError::ReadOnly { .. })));
}
