//! A kernel folder that stays open, and why something in it could not be read.

use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, pread, read};
use watchkeeper_core::{Gap, GapReason, Section};

/// No kernel file that is read here is larger; one that is never ends.
const LARGEST_BYTES: usize = 256 << 20;
/// First room for a file; larger ones let the buffer grow, and it stays grown.
const FIRST_BYTES: usize = 8 << 10;

/// `/proc` or `/sys`, or a recorded copy. Opened once: what is mounted there later is not looked at.
pub(super) struct Folder {
    handle: Result<OwnedFd, Errno>,
}

impl Folder {
    /// Opens the folder; a failure is answered by every later read.
    pub(super) fn open(path: &Path) -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self { handle: rustix::fs::open(path, flags, Mode::empty()) }
    }

    /// The whole content of a file below the folder, in a buffer that is used again and again.
    pub(super) fn read<'buffer>(&self, name: &str, buffer: &'buffer mut Vec<u8>) -> Result<&'buffer [u8], Unread> {
        let file = self.file(name)?;
        fill(buffer, |buffer| read(&file, spare_capacity(buffer)))
    }

    /// A folder below it.
    pub(super) fn folder(&self, name: &str) -> Result<OwnedFd, Errno> {
        let folder = self.handle.as_ref().map_err(|errno| *errno)?;
        openat(folder, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }

    fn file(&self, name: &str) -> Result<OwnedFd, Errno> {
        let folder = self.handle.as_ref().map_err(|errno| *errno)?;
        openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    }

    /// Whether something of this name exists below the folder.
    pub(super) fn has(&self, name: &str) -> bool {
        self.handle.as_ref().is_ok_and(|folder| {
            rustix::fs::accessat(folder, name, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok()
        })
    }

    /// Whether a folder of this name exists below the folder and has entries.
    pub(super) fn has_entries(&self, name: &str) -> bool {
        let Ok(folder) = &self.handle else {
            return false;
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(mut entries) = openat(folder, name, flags, Mode::empty()).and_then(rustix::fs::Dir::new) else {
            return false;
        };
        entries.any(|entry| entry.is_ok_and(|entry| !matches!(entry.file_name().to_bytes(), b"." | b"..")))
    }

    /// Whether this is the running kernel's own `/proc` and no recorded copy.
    pub(super) fn is_live_proc(&self) -> bool {
        self.handle.as_ref().is_ok_and(|folder| {
            rustix::fs::fstatfs(folder).is_ok_and(|status| status.f_type == rustix::fs::PROC_SUPER_MAGIC)
        })
    }
}

/// A file of `/proc` that is read at every look. It stays open: finding it again costs as much as reading it.
pub(super) struct KeptFile {
    name: &'static str,
    handle: Option<OwnedFd>,
}

impl KeptFile {
    /// Opened at the first reading.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, handle: None }
    }

    /// The whole content now, in a buffer that is used again and again.
    ///
    /// Whatever fails is opened anew by the next reading.
    pub(super) fn read<'buffer>(
        &mut self,
        folder: &Folder,
        buffer: &'buffer mut Vec<u8>,
    ) -> Result<&'buffer [u8], Unread> {
        let file = match self.handle.take() {
            Some(file) => file,
            None => folder.file(self.name)?,
        };
        let text = fill(buffer, |buffer| {
            let read_so_far = buffer.len() as u64;
            pread(&file, spare_capacity(buffer), read_so_far)
        })?;
        self.handle = Some(file);
        Ok(text)
    }
}

/// Reads to the end.
fn fill(buffer: &mut Vec<u8>, mut read: impl FnMut(&mut Vec<u8>) -> Result<usize, Errno>) -> Result<&[u8], Unread> {
    buffer.clear();
    loop {
        if buffer.capacity() - buffer.len() < FIRST_BYTES / 2 {
            buffer.reserve(FIRST_BYTES.max(buffer.len()));
        }
        match read(buffer) {
            Ok(0) => return Ok(buffer),
            Ok(_) if buffer.len() > LARGEST_BYTES => return Err(Unread::Malformed),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Unread::Refused(errno)),
        }
    }
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The kernel refused.
    Refused(Errno),
    /// It was read and could not be understood.
    Malformed,
}

impl From<Errno> for Unread {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl Unread {
    /// The gap that says so, with what would help.
    pub(super) fn gap(self, section: Section) -> Gap {
        let (reason, remedy) = match self {
            Self::Refused(Errno::ACCESS | Errno::PERM) => (GapReason::Permission, Some("run the watch as root")),
            // Switched off when the kernel was built or booted (pressure answers so with psi=0), or an older kernel.
            Self::Refused(Errno::NOENT | Errno::NOTDIR | Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV) => {
                (GapReason::Unsupported, remedy_when_absent(section))
            }
            Self::Refused(_) | Self::Malformed => (GapReason::Malformed, None),
        };
        gap(section, reason, 1, remedy)
    }
}

/// A gap of this many items.
pub(super) fn gap(section: Section, reason: GapReason, count: u64, remedy: Option<&str>) -> Gap {
    Gap { section, reason, count, remedy: remedy.map(str::to_owned) }
}

fn remedy_when_absent(section: Section) -> Option<&'static str> {
    match section {
        Section::Pressure => {
            Some("boot with `psi=1` on the kernel command line (kernel 4.20 or newer, built with CONFIG_PSI)")
        }
        Section::OomKills => Some("run kernel 4.13 or newer"),
        Section::Disks => Some("mount sysfs on /sys"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_of_any_size_are_read_whole_into_one_buffer() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut buffer = Vec::new();
        let kept = Folder::open(folder.path());
        for size in [0, 1, FIRST_BYTES - 1, FIRST_BYTES, FIRST_BYTES + 1, 100_000, 10] {
            let content: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            fs::write(folder.path().join("file"), &content).expect("written");
            assert_eq!(kept.read("file", &mut buffer), Ok(&*content), "{size}");
        }
        assert_eq!(kept.read("absent", &mut buffer), Err(Unread::Refused(Errno::NOENT)));
        assert!(!kept.is_live_proc() && kept.has("file") && !kept.has("absent"));
        assert!(kept.has_entries(".") && !kept.has_entries("file") && !kept.has_entries("absent"));
    }

    #[test]
    fn a_kept_file_is_read_anew_each_time_and_opened_again_after_a_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let (root, mut buffer) = (Folder::open(folder.path()), Vec::new());
        let mut kept = KeptFile::new("file");
        assert_eq!(kept.read(&root, &mut buffer), Err(Unread::Refused(Errno::NOENT)));
        for content in [b"first".to_vec(), b"".to_vec(), vec![b'x'; 50_000], b"last".to_vec()] {
            fs::write(&path, &content).expect("written");
            assert_eq!(kept.read(&root, &mut buffer), Ok(&*content));
        }
        fs::create_dir(folder.path().join("folder")).expect("made");
        assert_eq!(KeptFile::new("folder").read(&root, &mut buffer), Err(Unread::Refused(Errno::ISDIR)));
    }

    #[test]
    fn a_folder_that_is_not_there_answers_with_the_reason() {
        let absent = Folder::open(Path::new("/nonexistent"));
        assert_eq!(absent.read("stat", &mut Vec::new()), Err(Unread::Refused(Errno::NOENT)));
        assert!(!absent.has("stat") && !absent.has_entries("stat") && !absent.is_live_proc());
        assert!(Folder::open(Path::new("/proc")).is_live_proc());
    }

    #[test]
    fn the_reason_and_the_remedy_are_said() {
        for (unread, section, reason, remedy) in [
            (Unread::Refused(Errno::ACCESS), Section::Cpu, GapReason::Permission, Some("root")),
            (Unread::Refused(Errno::PERM), Section::Pressure, GapReason::Permission, Some("root")),
            (Unread::Refused(Errno::OPNOTSUPP), Section::Pressure, GapReason::Unsupported, Some("psi=1")),
            (Unread::Refused(Errno::NOENT), Section::Pressure, GapReason::Unsupported, Some("psi=1")),
            (Unread::Refused(Errno::NOENT), Section::OomKills, GapReason::Unsupported, Some("4.13")),
            (Unread::Refused(Errno::NOENT), Section::Cpu, GapReason::Unsupported, None),
            (Unread::Refused(Errno::IO), Section::Cpu, GapReason::Malformed, None),
            (Unread::Malformed, Section::Memory, GapReason::Malformed, None),
        ] {
            let gap = unread.gap(section);
            assert_eq!((gap.section, gap.reason, gap.count), (section, reason, 1), "{unread:?}");
            assert_eq!(gap.remedy.is_some(), remedy.is_some(), "{unread:?}");
            assert!(gap.remedy.unwrap_or_default().contains(remedy.unwrap_or_default()), "{unread:?}");
        }
    }
}
