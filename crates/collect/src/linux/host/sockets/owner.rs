//! Which process a listening socket belongs to: who holds a descriptor of it, as `/proc/PID/fd` shows.
//!
//! Searched only when a socket appears whose owner is not known, and a piece at a time. The youngest processes come
//! first, since who has just begun to listen has mostly just begun. Of a family that shares a socket (a server with
//! workers, a program whose children inherited it) the eldest is the owner. Process 1 comes last: it listens for services
//! that it has not started yet, and once such a socket is wanted, its service holds it too.

use std::collections::{HashMap, HashSet};
use std::mem::MaybeUninit;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{RawDir, readlinkat_raw};
use rustix::io::Errno;
use watchkeeper_core::{Gap, GapReason, Section};

use super::decimal;
use crate::linux::host::folder::Folder;
use crate::linux::parse;

/// Descriptors that are looked at in one piece of a search, about 2 ms: 4 us of CPU each.
const PIECE: usize = 500;
/// Descriptors of one process that are looked at; those of sockets that listen are mostly among the first.
const MOST_DESCRIPTORS: usize = 16_384;
/// Room for one batch of entries of a folder.
const LISTING_BYTES: usize = 32 << 10;
/// The longest line of parents that is followed.
const MOST_PARENTS: usize = 32;

/// Owners of listening sockets by inode.
#[derive(Debug, Default)]
pub(super) struct Owners {
    known: HashMap<u64, Holder>,
    /// Those that nobody holds who may be looked into.
    unseen: HashSet<u64>,
    /// Processes whose descriptors the kernel refused to show in the last search.
    denied: u64,
    search: Option<Search>,
    /// What appeared while a search went on; the next one begins with it.
    next: HashSet<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    pid: u32,
    descriptor: u32,
}

#[derive(Debug)]
struct Search {
    wanted: HashSet<u64>,
    /// Still to be looked into, the next one last.
    pids: Vec<u32>,
    denied: u64,
    listing: Vec<MaybeUninit<u8>>,
}

impl Owners {
    /// These sockets listen now, each with the word whether connections wait to be accepted. Checks what is known and
    /// begins to search for what is not.
    pub(super) fn look(&mut self, proc_root: &Folder, sockets: &[(u64, bool)]) {
        let listening: HashSet<u64> = sockets.iter().map(|(inode, _)| *inode).filter(|inode| *inode != 0).collect();
        self.known.retain(|inode, holder| listening.contains(inode) && holder.holds(proc_root, *inode));
        self.unseen.retain(|inode| listening.contains(inode));
        let is_wanted = |inode: u64, waits: bool| match self.known.get(&inode) {
            Some(holder) => waits && holder.pid == 1,
            None => !self.unseen.contains(&inode),
        };
        let wanted = sockets.iter().filter(|(inode, waits)| *inode != 0 && is_wanted(*inode, *waits));
        let wanted: HashSet<u64> = wanted.map(|(inode, _)| *inode).collect();
        match &mut self.search {
            // What appears meanwhile waits until this search is over: it may be in what was looked into.
            Some(search) => {
                search.wanted.retain(|inode| listening.contains(inode));
                self.next = wanted.difference(&search.wanted).copied().collect();
            }
            None if wanted.is_empty() => {}
            None => self.search = Search::begin(proc_root, wanted),
        }
    }

    /// Goes on with a search, if there is one.
    pub(super) fn go_on(&mut self, proc_root: &Folder) {
        let Some(search) = &mut self.search else { return };
        let is_over = search.go_on(proc_root, &mut self.known);
        if is_over && let Some(search) = self.search.take() {
            self.unseen.extend(search.wanted.into_iter().filter(|inode| !self.known.contains_key(inode)));
            self.denied = search.denied;
            let next = std::mem::take(&mut self.next);
            if !next.is_empty() {
                self.search = Search::begin(proc_root, next);
            }
        }
    }

    /// Whether its owner may still be found by the search that goes on.
    pub(super) fn is_sought(&self, inode: u64) -> bool {
        let is_wanted = |search: &Search| search.wanted.contains(&inode) || self.next.contains(&inode);
        self.search.as_ref().is_some_and(is_wanted)
    }

    /// The process id of the owner, if it is known.
    pub(super) fn of(&self, inode: u64) -> Option<u32> {
        self.known.get(&inode).map(|holder| holder.pid)
    }

    /// Owners that could not be found because this user may not look for them.
    pub(super) fn gap(&self) -> Option<Gap> {
        let is_refused = self.denied > 0 && !self.unseen.is_empty();
        is_refused.then(|| Gap {
            section: Section::SocketOwners,
            reason: GapReason::Permission,
            count: self.unseen.len() as u64,
            remedy: Some(crate::linux::remedy()),
        })
    }
}

impl Holder {
    fn holds(self, proc_root: &Folder, inode: u64) -> bool {
        let folder = proc_root.folder(&format!("{}/fd", self.pid));
        folder.is_ok_and(|folder| socket_of(&folder, self.descriptor) == Some(inode))
    }
}

impl Search {
    fn begin(proc_root: &Folder, wanted: HashSet<u64>) -> Option<Self> {
        let mut listing = vec![MaybeUninit::uninit(); LISTING_BYTES];
        let mut pids = Vec::new();
        numbers(&proc_root.folder(".").ok()?, &mut listing, |pid| {
            pids.push(pid);
            true
        });
        pids.sort_unstable();
        Some(Self { wanted, pids, denied: 0, listing })
    }

    /// Looks into some processes. Says whether it is over.
    fn go_on(&mut self, proc_root: &Folder, known: &mut HashMap<u64, Holder>) -> bool {
        let mut looked = 0;
        while looked < PIECE && !self.wanted.is_empty() {
            let Some(pid) = self.pids.pop() else { return true };
            let (found, count) = self.held(proc_root, pid);
            looked += count + 1;
            for (inode, holder) in found {
                let (holder, count) = self.eldest(proc_root, inode, holder);
                looked += count;
                known.insert(inode, holder);
                self.wanted.remove(&inode);
            }
        }
        self.wanted.is_empty() || self.pids.is_empty()
    }

    /// The wanted sockets that a process holds, and how many descriptors were looked at.
    fn held(&mut self, proc_root: &Folder, pid: u32) -> (Vec<(u64, Holder)>, usize) {
        let folder = match proc_root.folder(&format!("{pid}/fd")) {
            Ok(folder) => folder,
            Err(errno) => {
                self.denied += u64::from(matches!(errno, Errno::ACCESS | Errno::PERM));
                return (Vec::new(), 0);
            }
        };
        let mut found: Vec<(u64, Holder)> = Vec::new();
        let mut count = 0;
        let wanted = &self.wanted;
        numbers(&folder, &mut self.listing, |descriptor| {
            count += 1;
            if let Some(inode) = socket_of(&folder, descriptor).filter(|inode| wanted.contains(inode))
                && !found.iter().any(|(known, _)| *known == inode)
            {
                found.push((inode, Holder { pid, descriptor }));
            }
            count < MOST_DESCRIPTORS && found.len() < wanted.len()
        });
        (found, count)
    }

    /// The farthest ancestor in a row of parents that hold the socket too.
    fn eldest(&mut self, proc_root: &Folder, inode: u64, mut holder: Holder) -> (Holder, usize) {
        let mut looked = 0;
        let mut text = Vec::new();
        for _ in 0..MOST_PARENTS {
            let stat = proc_root.read(&format!("{}/stat", holder.pid), &mut text).ok().and_then(parse::stat);
            let Some(parent) = stat.map(|stat| stat.parent).filter(|parent| *parent > 1) else { break };
            let (held, count) = self.held(proc_root, parent);
            looked += count + 1;
            let Some((_, elder)) = held.into_iter().find(|(held, _)| *held == inode) else { break };
            holder = elder;
        }
        (holder, looked)
    }
}

/// The inode of the socket behind a descriptor.
fn socket_of(folder: &OwnedFd, descriptor: u32) -> Option<u64> {
    // Longer than `socket:[18446744073709551615]`; what is longer is no socket.
    let mut room = [0; 32];
    let length = readlinkat_raw(folder, descriptor.to_string(), &mut room[..]).ok()?;
    decimal(room.get(..length)?.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

/// Gives the numbers among the names in a folder to `each` as long as it wants more.
fn numbers(folder: &OwnedFd, listing: &mut [MaybeUninit<u8>], mut each: impl FnMut(u32) -> bool) {
    let mut entries = RawDir::new(folder.as_fd(), listing);
    while let Some(Ok(entry)) = entries.next() {
        let number = decimal(entry.file_name().to_bytes()).and_then(|number| u32::try_from(number).ok());
        if number.is_some_and(|number| !each(number)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
