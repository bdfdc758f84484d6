//! One `/proc/PID` folder, held open while it is read: whatever is read through it belongs to one process, even if
//! the pid is taken by another meanwhile.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, ResolveFlags, Stat, StatxFlags};

/// Longest path below the folder of all processes: ten digits, a slash, the longest file name, the final zero.
const PATH_BYTES: usize = 32;

/// Room for one batch of folder entries.
const LISTING_BYTES: usize = 64 * 1024;

/// `/proc`, or a recording of it, held open.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    listing: Vec<MaybeUninit<u8>>,
}

impl Root {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, listing: vec![MaybeUninit::uninit(); LISTING_BYTES] }
    }

    /// Replaces `pids` with the ids of all living processes, ascending.
    pub(super) fn list(&mut self, pids: &mut Vec<u32>) -> io::Result<()> {
        pids.clear();
        rustix::fs::seek(&self.fd, rustix::fs::SeekFrom::Start(0))?;
        let mut entries = RawDir::new(self.fd.as_fd(), &mut self.listing);
        while let Some(entry) = entries.next() {
            let name = entry?;
            pids.extend(pid(name.file_name().to_bytes()));
        }
        if !pids.is_sorted() {
            pids.sort_unstable();
        }
        Ok(())
    }

    /// Opens the folder of a process.
    pub(super) fn folder(&self, pid: u32) -> io::Result<Folder> {
        let mut path = [0; PATH_BYTES];
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Folder { fd: rustix::fs::openat(&self.fd, relative_path(&mut path, pid, "")?, flags, Mode::empty())? })
    }

    /// Reads the beginning of a file of a process without holding its folder.
    pub(super) fn read<'b>(&self, pid: u32, name: &str, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let mut path = [0; PATH_BYTES];
        read_once(self.fd.as_fd(), relative_path(&mut path, pid, name)?, buffer)
    }
}

/// The folder of one process.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
}

impl Folder {
    /// Reads the beginning of a file, as much as one call gives; the kernel writes the small ones in one piece.
    pub(super) fn read<'b>(&self, name: &CStr, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        read_once(self.fd.as_fd(), name, buffer)
    }

    /// Reads a file to its end: the first `buffer.len()` bytes are kept, all are counted, up to `limit`.
    pub(super) fn read_counting<'b>(
        &self,
        name: &CStr,
        buffer: &'b mut [u8],
        limit: u64,
    ) -> io::Result<(&'b [u8], u64)> {
        let file = self.open(name)?;
        let mut kept = 0;
        while kept < buffer.len() {
            match rustix::io::read(&file, &mut buffer[kept..])? {
                0 => return Ok((&buffer[..kept], kept as u64)),
                count => kept += count,
            }
        }
        let mut length = kept as u64;
        let mut rest = [0_u8; 4_096];
        while length < limit {
            match rustix::io::read(&file, &mut rest)? {
                0 => break,
                count => length += count as u64,
            }
        }
        Ok((buffer, length))
    }

    /// Opens a file for reading.
    pub(super) fn open(&self, name: &CStr) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(&self.fd, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Effective user id of the process: the owner of its folder.
    pub(super) fn owner(&self) -> io::Result<u32> {
        Ok(rustix::fs::fstat(&self.fd)?.st_uid)
    }

    /// What the kernel says of an entry; links are followed.
    pub(super) fn stat(&self, name: &CStr) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.fd, name, AtFlags::empty())?)
    }

    /// Which file an entry is: inode, and time of modification in milliseconds UTC. Links are followed.
    pub(super) fn version(&self, name: &CStr) -> io::Result<(u64, i64)> {
        let stat = self.stat(name)?;
        Ok((stat.st_ino, milliseconds(stat.st_mtime, stat.st_mtime_nsec as i64)))
    }

    /// Which file stands at a path, as the process sees it: it may live in another root. Whatever would have to be asked
    /// of a disk or a server is an error, and so is everything on kernels before 5.12.
    pub(super) fn version_below_root(&self, path: &str) -> io::Result<(u64, i64)> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let root = rustix::fs::openat(&self.fd, c"root", flags | OFlags::DIRECTORY, Mode::empty())?;
        let path = path.trim_start_matches('/');
        let file = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::CACHED)?;
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let stat = rustix::fs::statx(file, c"", flags, StatxFlags::INO | StatxFlags::MTIME)?;
        Ok((stat.stx_ino, milliseconds(stat.stx_mtime.tv_sec, i64::from(stat.stx_mtime.tv_nsec))))
    }

    /// Where a link points.
    pub(super) fn link(&self, name: &CStr) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.fd, name, Vec::new())?.into_bytes())
    }

    /// How many entries of a folder in this folder are numbers.
    pub(super) fn count(&self, name: &CStr, buffer: &mut [MaybeUninit<u8>]) -> io::Result<u64> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
        let mut entries = RawDir::new(folder, buffer);
        let mut count = 0;
        while let Some(entry) = entries.next() {
            let name = entry?;
            count += u64::from(pid(name.file_name().to_bytes()).is_some());
        }
        Ok(count)
    }
}

fn milliseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000).saturating_add(nanoseconds / 1_000_000)
}

/// Reads from the beginning of a file that is held open.
pub(super) fn read_again<'b>(file: &OwnedFd, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let count = rustix::io::pread(file, &mut *buffer, 0)?;
    Ok(&buffer[..count])
}

fn read_once<'b>(folder: BorrowedFd<'_>, path: &CStr, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let file = rustix::fs::openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let count = rustix::io::read(&file, &mut *buffer)?;
    Ok(&buffer[..count])
}

/// `PID/name` in the given room.
fn relative_path<'b>(room: &'b mut [u8; PATH_BYTES], pid: u32, name: &str) -> io::Result<&'b CStr> {
    use io::Write as _;
    let mut rest = &mut room[..PATH_BYTES - 1];
    write!(rest, "{pid}/{name}")?;
    CStr::from_bytes_until_nul(room).map_err(io::Error::other)
}

/// The process id that an entry of `/proc` stands for; descriptors are numbered in the same way.
fn pid(name: &[u8]) -> Option<u32> {
    if !name.first()?.is_ascii_digit() {
        return None;
    }
    crate::linux::parse::number(name).and_then(|pid| u32::try_from(pid).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_processes() {
        for (name, expected) in [
            ("1", Some(1)),
            ("4194304", Some(4_194_304)),
            ("self", None),
            ("1a", None),
            ("", None),
            ("99999999999", None),
        ] {
            assert_eq!(pid(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn the_longest_path_fits() {
        let mut room = [0; PATH_BYTES];
        let path = relative_path(&mut room, u32::MAX, "schedstat").expect("it fits");
        assert_eq!(path, c"4294967295/schedstat");
        assert!(relative_path(&mut [0; PATH_BYTES], u32::MAX, "a-name-that-is-much-too-long").is_err());
    }
}
