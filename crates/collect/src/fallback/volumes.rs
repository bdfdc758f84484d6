//! Mounted filesystems and the bytes of the devices behind them.
//!
//! Each look runs on a thread of its own, because a filesystem whose server is gone can hold it for ever; the reader
//! waits [`PATIENCE`] and then goes on with the last answer. No second thread is started while one is out.
//!
//! Devices are those that carry a mounted filesystem. They are the top of their stack, so no byte is counted twice;
//! traffic of devices without a filesystem (raw databases, swap) is not seen. Of a filesystem the crate tells no
//! inodes and only what an ordinary user can still write: on Unix systems the rest is asked by `statvfs`, elsewhere that
//! stands in `free_bytes` as well.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use sysinfo::{DiskRefreshKind, Disks};
use watchkeeper_core::reading::{DiskCounters, DiskReading, Filesystem};
use watchkeeper_core::{Gap, GapReason, Section};

use super::unsupported;

/// The longest time a look may hold the reader.
const PATIENCE: Duration = Duration::from_millis(100);
/// After this time without an answer the last one no longer stands.
const DEADLINE_MS: i64 = 5_000;

/// What one look found. `None`: this system does not tell.
pub(super) type Found = Option<(Vec<DiskReading>, Vec<Filesystem>)>;

/// Remembers the last answer.
pub(super) struct Volumes {
    look: fn() -> Found,
    asked_ms: i64,
    open: Option<Receiver<Found>>,
    last: Option<Found>,
}

impl Volumes {
    /// Looks with `look`, usually [`look`].
    pub(super) fn new(look: fn() -> Found) -> Self {
        Self { look, asked_ms: 0, open: None, last: None }
    }

    /// Devices and filesystems now, or as of the last look that ended.
    pub(super) fn read(
        &mut self,
        mono_ms: i64,
        gaps: &mut Vec<Gap>,
    ) -> (Option<Vec<DiskReading>>, Option<Vec<Filesystem>>) {
        if self.open.is_none() {
            self.asked_ms = mono_ms;
            self.open = self.ask();
        }
        match self.open.as_ref().map(|open| open.recv_timeout(PATIENCE)) {
            Some(Ok(found)) => {
                self.last = Some(found);
                self.open = None;
            }
            Some(Err(RecvTimeoutError::Disconnected)) => self.open = None,
            Some(Err(RecvTimeoutError::Timeout)) if mono_ms - self.asked_ms >= DEADLINE_MS => self.last = None,
            Some(Err(RecvTimeoutError::Timeout)) | None => {}
        }
        match &self.last {
            Some(Some((disks, filesystems))) => {
                // Requests, their times and the queue; inodes and what is reserved for root. No machine has none: of an
                // empty list nothing was told.
                gaps.push(unsupported(Section::Disks, if disks.is_empty() { 1 } else { 6 }));
                if cfg!(not(unix)) || filesystems.is_empty() {
                    gaps.push(unsupported(Section::Filesystems, if filesystems.is_empty() { 1 } else { 2 }));
                }
                (told(disks), told(filesystems))
            }
            Some(None) => {
                gaps.extend([unsupported(Section::Disks, 1), unsupported(Section::Filesystems, 1)]);
                (None, None)
            }
            None => {
                let remedy = "the server of a mounted filesystem does not answer; mend or unmount it";
                gaps.extend([Section::Disks, Section::Filesystems].map(|section| Gap {
                    section,
                    reason: GapReason::NotSampled,
                    count: 1,
                    remedy: Some(remedy.to_owned()),
                }));
                (None, None)
            }
        }
    }

    fn ask(&self) -> Option<Receiver<Found>> {
        let (answer, open) = sync_channel(1);
        let look = self.look;
        let started = thread::Builder::new().name("filesystem".to_owned()).spawn(move || {
            // Nobody listens any more when the watch has ended.
            let _ = answer.send(look());
        });
        started.is_ok().then_some(open)
    }
}

fn told<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

/// Asks the running system.
pub(super) fn look() -> Found {
    let kind = DiskRefreshKind::nothing().with_storage().with_io_usage();
    let mounted = Disks::new_with_refreshed_list_specifics(kind).ok()?;
    let mut by_device: BTreeMap<String, (Filesystem, DiskCounters)> = BTreeMap::new();
    for disk in &mounted {
        let mount_point = disk.mount_point().to_string_lossy().into_owned();
        let mut filesystem = Filesystem {
            device: disk.name().to_string_lossy().into_owned(),
            kind: disk.file_system().to_string_lossy().into_owned(),
            total_bytes: disk.total_space(),
            free_bytes: disk.available_space(),
            available_bytes: disk.available_space(),
            inodes: 0,
            inodes_free: 0,
            read_only: disk.is_read_only(),
            mount_point,
        };
        measure(&mut filesystem, disk.mount_point());
        let usage = disk.usage();
        let counters = DiskCounters {
            read_bytes: usage.total_read_bytes,
            written_bytes: usage.total_written_bytes,
            ..DiskCounters::default()
        };
        keep(&mut by_device, filesystem, counters);
    }
    let disks: Vec<_> = by_device
        .iter()
        .filter(|(name, (filesystem, counters))| {
            // A drive's letter is the name of its device on Windows; one that nobody has ever read was not asked.
            let is_asked = cfg!(windows) && (counters.read_bytes > 0 || counters.written_bytes > 0);
            **name != filesystem.mount_point || is_asked
        })
        .map(|(name, (_, counters))| DiskReading { name: name.clone(), counters: *counters, in_flight: 0 })
        .collect();
    let mut filesystems: Vec<_> = by_device.into_values().map(|(filesystem, _)| filesystem).collect();
    filesystems.sort_unstable_by(|one, other| one.mount_point.cmp(&other.mount_point));
    Some((disks, filesystems))
}

/// What the crate does not tell; a filesystem that refuses keeps what it told.
#[cfg(unix)]
fn measure(filesystem: &mut Filesystem, mount_point: &Path) {
    if let Ok(status) = rustix::fs::statvfs(mount_point) {
        filesystem.total_bytes = status.f_blocks.saturating_mul(status.f_frsize);
        filesystem.free_bytes = status.f_bfree.saturating_mul(status.f_frsize);
        filesystem.available_bytes = status.f_bavail.saturating_mul(status.f_frsize);
        filesystem.inodes = status.f_files;
        filesystem.inodes_free = status.f_ffree.min(status.f_files);
    }
}

#[cfg(not(unix))]
fn measure(_filesystem: &mut Filesystem, _mount_point: &Path) {}

/// Keeps each device once, under its shortest mount point; what has no device is known by its mount point.
fn keep(by_device: &mut BTreeMap<String, (Filesystem, DiskCounters)>, filesystem: Filesystem, counters: DiskCounters) {
    // Each container's overlay shows the disk under it once more.
    let shows_another = filesystem.kind == "overlay" && filesystem.mount_point != "/";
    if filesystem.total_bytes == 0 || shows_another {
        return;
    }
    let device = filesystem.device.strip_prefix("/dev/");
    let name = device.unwrap_or(&filesystem.mount_point).to_owned();
    match by_device.get(&name) {
        Some((kept, _)) if kept.mount_point.len() <= filesystem.mount_point.len() => {}
        _ => {
            by_device.insert(name, (filesystem, counters));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filesystem(device: &str, kind: &str, mount_point: &str) -> Filesystem {
        Filesystem {
            device: device.to_owned(),
            kind: kind.to_owned(),
            mount_point: mount_point.to_owned(),
            total_bytes: 100,
            ..Filesystem::default()
        }
    }

    #[test]
    fn each_device_is_kept_once() {
        let mut kept = BTreeMap::new();
        for (device, kind, mount_point) in [
            ("/dev/sda1", "ext4", "/var/lib/data"),
            ("/dev/sda1", "ext4", "/"),
            ("/dev/sda1", "ext4", "/srv"),
            ("overlay", "overlay", "/var/lib/docker/overlay2/x/merged"),
            ("tmpfs", "tmpfs", "/tmp"),
            ("tmpfs", "tmpfs", "/var/tmp"),
        ] {
            keep(&mut kept, filesystem(device, kind, mount_point), DiskCounters::default());
        }
        keep(&mut kept, Filesystem { total_bytes: 0, ..filesystem("none", "bpf", "/b") }, DiskCounters::default());
        let points: Vec<_> = kept.values().map(|(filesystem, _)| filesystem.mount_point.as_str()).collect();
        assert_eq!(points, ["/tmp", "/var/tmp", "/"]);
    }

    #[test]
    fn a_look_that_hangs_does_not_hold_the_reader() {
        fn hang() -> Found {
            loop {
                thread::park();
            }
        }
        let mut volumes = Volumes::new(hang);
        volumes.last = Some(Some((vec![], vec![filesystem("/dev/sda1", "ext4", "/")])));
        let mut gaps = Vec::new();
        let (_, filesystems) = volumes.read(1_000, &mut gaps);
        assert_eq!(filesystems.map(|filesystems| filesystems.len()), Some(1), "the last answer stands");
        gaps.clear();
        let (disks, filesystems) = volumes.read(6_000, &mut gaps);
        assert!(disks.is_none() && filesystems.is_none());
        assert!(gaps.iter().all(|gap| gap.reason == GapReason::NotSampled && gap.remedy.is_some()));
        assert_eq!(gaps.len(), 2);
    }

    #[test]
    fn a_system_that_does_not_tell_is_a_gap() {
        let mut gaps = Vec::new();
        let (disks, filesystems) = Volumes::new(|| None).read(0, &mut gaps);
        assert!(disks.is_none() && filesystems.is_none());
        assert!(gaps.iter().all(|gap| gap.reason == GapReason::Unsupported), "{gaps:?}");
    }
}
