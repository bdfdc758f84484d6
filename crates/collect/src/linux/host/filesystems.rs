//! Filesystems: `/proc/self/mountinfo` says which there are, `statvfs` how full each is.
//!
//! Looked at every [`EVERY_MS`]: it is the dearest part of the machine, and a disk does not fill in a second. The last
//! values stand in between. A filesystem whose server may not answer (network, FUSE) is asked on a thread of its own;
//! see [`remote`].

mod mounts;
mod remote;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use watchkeeper_core::reading::Filesystem;
use watchkeeper_core::{Gap, GapReason, Section};

use self::mounts::Mount;
use self::remote::{Answer, Remotes};
use super::folder::{Folder, Unread, gap};
use super::scan::text;

/// How often mounts and sizes are looked at.
const EVERY_MS: i64 = 5_000;

/// How full a filesystem is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Space {
    total_bytes: u64,
    free_bytes: u64,
    available_bytes: u64,
    inodes: u64,
    inodes_free: u64,
}

#[cfg(test)]
impl Space {
    /// An empty filesystem of this size.
    pub(super) fn of(total_bytes: u64) -> Self {
        Self { total_bytes, free_bytes: total_bytes, available_bytes: total_bytes, ..Self::default() }
    }
}

/// Asks how full the filesystem at a mount point is; may take for ever.
pub(super) type Measure = Arc<dyn Fn(&Path) -> Result<Space, Errno> + Send + Sync>;

/// Asks the running system.
pub(super) fn statvfs() -> Measure {
    Arc::new(|mount_point| {
        let status = rustix::fs::statvfs(mount_point)?;
        let bytes = |blocks: u64| blocks.saturating_mul(status.f_frsize);
        Ok(Space {
            total_bytes: bytes(status.f_blocks),
            free_bytes: bytes(status.f_bfree),
            available_bytes: bytes(status.f_bavail),
            inodes: status.f_files,
            inodes_free: status.f_ffree,
        })
    })
}

/// A mount with its answer; `None` for a remote one, whose answer is with [`Remotes`].
type Measured = (Mount, Option<Result<Space, Errno>>);

/// Remembers the mounts and what was last measured.
pub(super) struct Filesystems {
    measure: Measure,
    looked_ms: Option<i64>,
    mounts: Result<Vec<Measured>, Unread>,
    remotes: Remotes,
}

impl Filesystems {
    /// Measures with `measure`.
    pub(super) fn new(measure: Measure) -> Self {
        Self { remotes: Remotes::new(Arc::clone(&measure)), measure, looked_ms: None, mounts: Ok(Vec::new()) }
    }

    /// Filesystems as of the last look, which may be this one.
    pub(super) fn read(
        &mut self,
        proc_root: &Folder,
        buffer: &mut Vec<u8>,
        mono_ms: i64,
        gaps: &mut Vec<Gap>,
    ) -> Option<Vec<Filesystem>> {
        if self.looked_ms.is_none_or(|looked| !(looked..looked + EVERY_MS).contains(&mono_ms)) {
            self.looked_ms = Some(mono_ms);
            self.look(proc_root, buffer, mono_ms);
        }
        let mounts = match &self.mounts {
            Ok(mounts) => mounts,
            Err(unread) => {
                gaps.push(unread.gap(Section::Filesystems));
                return None;
            }
        };
        let mut filesystems = Vec::with_capacity(mounts.len());
        let mut missing = Missing::default();
        for (mount, measured) in mounts {
            let answer = match measured {
                Some(Ok(space)) => Answer::Space(*space),
                Some(Err(errno)) => Answer::Refused(*errno),
                None => self.remotes.answer(&mount.point, mono_ms),
            };
            match answer {
                // Pseudo filesystems have no size; whatever they are called, they cannot fill.
                Answer::Space(space) if space.total_bytes == 0 => {}
                Answer::Space(space) => filesystems.push(filesystem(mount, space)),
                answer => missing.count(answer, &mount.point),
            }
        }
        missing.tell(gaps);
        Some(filesystems)
    }

    fn look(&mut self, proc_root: &Folder, buffer: &mut Vec<u8>, mono_ms: i64) {
        let table = proc_root.read("self/mountinfo", buffer);
        let mounts = table.and_then(|table| mounts::parse(table).ok_or(Unread::Malformed)).map(mounts::choose);
        self.mounts = mounts.map(|mounts| {
            let measured = mounts.into_iter().map(|mount| {
                let local = (!mount.remote).then(|| (self.measure)(path(&mount.point)));
                (mount, local)
            });
            // A mount that went away between the table and the question is no filesystem and no gap.
            measured.filter(|(_, local)| *local != Some(Err(Errno::NOENT))).collect()
        });
        let remote = self.mounts.iter().flatten().filter(|(mount, _)| mount.remote);
        self.remotes.ask(remote.map(|(mount, _)| mount.point.as_slice()), mono_ms);
    }
}

fn filesystem(mount: &Mount, space: Space) -> Filesystem {
    Filesystem {
        mount_point: text(&mount.point),
        device: text(&mount.source),
        kind: text(&mount.kind),
        total_bytes: space.total_bytes,
        free_bytes: space.free_bytes,
        available_bytes: space.available_bytes,
        inodes: space.inodes,
        inodes_free: space.inodes_free.min(space.inodes),
        read_only: mount.read_only,
    }
}

fn path(mount_point: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(mount_point))
}

/// What could not be measured, counted by reason, with one mount point as an example.
#[derive(Default)]
struct Missing {
    permission: u64,
    waiting: u64,
    broken: u64,
    hanging: u64,
    hanging_at: Option<String>,
}

impl Missing {
    fn count(&mut self, answer: Answer, mount_point: &[u8]) {
        match answer {
            Answer::Space(_) => {}
            Answer::Refused(Errno::ACCESS | Errno::PERM) => self.permission += 1,
            Answer::Refused(_) => self.broken += 1,
            Answer::Waiting => self.waiting += 1,
            Answer::Hanging => {
                self.hanging += 1;
                self.hanging_at.get_or_insert_with(|| watchkeeper_core::text::clean(&text(mount_point), 200));
            }
        }
    }

    fn tell(self, gaps: &mut Vec<Gap>) {
        let hanging = self
            .hanging_at
            .map(|point| format!("the server behind {point} does not answer; mend it, or unmount it with `umount -l`"));
        for (reason, count, remedy) in [
            (GapReason::Permission, self.permission, Some("run the watch as root")),
            (GapReason::NotSampled, self.waiting, None),
            (GapReason::NotSampled, self.hanging, hanging.as_deref()),
            (GapReason::Malformed, self.broken, None),
        ] {
            if count > 0 {
                gaps.push(gap(Section::Filesystems, reason, count, remedy));
            }
        }
    }
}

#[cfg(test)]
mod tests;
