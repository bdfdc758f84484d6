//! Disks that are really full and really read-only: filesystems mounted for the test, which needs root.

use std::io::ErrorKind;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use super::*;
use crate::recording::SpoolError;

struct Mounted(TempDir);

impl Mounted {
    fn tmpfs() -> Self {
        let folder = tempfile::tempdir().unwrap();
        mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), c"size=64m,mode=700")
            .expect("this test mounts a filesystem and must run as root");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}

/// Writes a file until nothing fits any more but what is asked for.
fn fill(path: &Path, leave: usize) {
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
    let length = file.metadata().unwrap().len();
    file.set_len(length - leave as u64).unwrap();
}

#[test]
fn on_a_full_disk_no_row_is_lost_and_the_next_one_follows_the_last() {
    let disk = Mounted::tmpfs();
    let target = disk.path().join("report.xlsx");
    let filler = disk.path().join("filler");
    let mut spool = Spool::create(&spool_path(&target), &header()).unwrap();
    let mut kept = Vec::new();
    let mut number = 0;
    let mut append = |spool: &mut Spool| {
        number += 1;
        spool.append(&row(number, Some(90.0))).map(|()| row(number, Some(90.0)))
    };
    kept.push(append(&mut spool).unwrap());
    for leave in [0, 4096] {
        // With some room left a row fits in part, which must not stay.
        fill(&filler, leave);
        let error = loop {
            match append(&mut spool) {
                Ok(row) => kept.push(row),
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, SpoolError::Full { kept: count, .. } if *count == kept.len() as u64), "{error}");
        assert!(append(&mut spool).is_err());
        std::fs::remove_file(&filler).unwrap();
        kept.push(append(&mut spool).unwrap());
    }
    let recording = spool.recording().unwrap();
    let mut rows = recording.rows();
    assert_eq!(rows.by_ref().map(Result::unwrap).collect::<Vec<_>>(), kept);
    assert_eq!(rows.left_out(), 0);
    assert!(kept.len() > 5);
}

#[test]
fn on_a_full_disk_there_is_no_half_workbook() {
    let disk = Mounted::tmpfs();
    let target = disk.path().join("report.xlsx");
    let filler = disk.path().join("filler");
    let mut spool = Spool::create(&spool_path(&target), &header()).unwrap();
    for number in 0..800 {
        spool.append(&row(number, Some(90.0))).unwrap();
    }
    let recording = spool.recording().unwrap();
    std::fs::write(&target, "an earlier workbook").unwrap();
    for limits in [Limits::USUAL, LONG] {
        for leave in [0, 10_000, 30_000] {
            fill(&filler, leave);
            let error = write_within(&recording, &target, &TimeZone::UTC, limits).unwrap_err();
            assert!(matches!(error, WorkbookError::Full { .. }), "{error:?}");
            assert_eq!(error.to_string(), format!("no space is left for the workbook {}", target.display()));
            let mut names: Vec<_> =
                std::fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, [".report.xlsx.spool", "filler", "report.xlsx"]);
            assert_eq!(std::fs::read_to_string(&target).unwrap(), "an earlier workbook");
            std::fs::remove_file(&filler).unwrap();
        }
        assert_eq!(write_within(&recording, &target, &TimeZone::UTC, limits).unwrap(), Saved::Target);
        assert_eq!(sheet(&target, "System_Log").height(), 801);
        std::fs::write(&target, "an earlier workbook").unwrap();
    }
}

#[test]
fn on_a_read_only_disk_the_system_is_quoted() {
    let disk = Mounted::tmpfs();
    let world = World::new();
    let spool = world.spool(&[Some(1.0)]);
    mount_remount(disk.path(), MountFlags::RDONLY, "").unwrap();
    let target = disk.path().join("report.xlsx");
    let error = write_within(&spool.recording().unwrap(), &target, &TimeZone::UTC, Limits::USUAL).unwrap_err();
    assert!(matches!(error, WorkbookError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    let error = Spool::create(&spool_path(&target), &header()).unwrap_err();
    assert!(error.to_string().starts_with("cannot make ") && error.to_string().contains("Read-only file system"));
}
