//! Sockets of this network namespace: established connections by peer; listening sockets with their accept queue and the
//! bytes that arrived for connections accepted from them and that nobody has read; UDP sockets that wait for anybody,
//! with theirs. What a client connection holds unread is not looked at: it belongs to no listening socket.
//!
//! Looked at every [`EVERY_MS`], because the kernel walks its whole table for it; the last answer stands in between. Whoever
//! looks at the machine as rarely as every [`RARE`] gets the connections of now at every look.
//! The kernel's `sock_diag` is asked first, since it alone knows how long an accept queue may become; where it is not
//! there (kernel without the module, recorded folder) `/proc/net/tcp`, `udp` and those of IPv6 are read.

mod diag;
mod owner;
mod table;
mod tally;

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use watchkeeper_core::quantity::Span;
use watchkeeper_core::reading::{Peer, Socket};
use watchkeeper_core::{Gap, GapReason, Section};

use self::owner::Owners;
use self::tally::{Clients, Protocol, Tally};
use super::folder::{Folder, Unread, gap};
use super::scan::{decimal, fields};

/// How often sockets are looked at when the machine is looked at more often.
const EVERY_MS: i64 = 10_000;
/// For how many looks the owner of a new socket is waited for.
const PATIENCE: u32 = 10;
/// From this interval on, sockets are looked at every time.
const RARE: Span = Span::from_secs(5);
/// The ports that a Linux hands out to clients unless it is told others.
const CLIENT_PORTS: RangeInclusive<u16> = 32_768..=60_999;

/// Remembers the last look.
pub(super) struct Sockets {
    /// `sock_diag` answers for the running kernel only, not for a recorded folder.
    live: bool,
    /// How long an answer stands.
    stands_ms: i64,
    looked_ms: Option<i64>,
    found: Option<Found>,
    /// Of each socket in `found`; 0 is unknown.
    inodes: Vec<u64>,
    clients: Clients,
    owners: Owners,
    /// Sockets that have appeared and are not told yet, by inode: for how many looks their owner has been searched.
    appeared: HashMap<u64, u32>,
    gaps: Vec<Gap>,
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Established connections in all.
    pub(super) connections: u32,
    /// By remote address: the largest first, `other` last.
    pub(super) peers: Vec<Peer>,
    /// Listening sockets by protocol, address and port; several on one port (`SO_REUSEPORT`) are one, queues added up.
    pub(super) sockets: Vec<Socket>,
}

impl Sockets {
    /// `live`: whether the `/proc` that will be read is the running kernel's. `interval`: how often it will be read.
    pub(super) fn new(live: bool, interval: Span) -> Self {
        let stands_ms = if interval < RARE { EVERY_MS } else { 0 };
        let clients = Clients { ports: CLIENT_PORTS, holding: HashSet::new() };
        let (owners, appeared, inodes, gaps) = (Owners::default(), HashMap::new(), Vec::new(), Vec::new());
        Self { live, stands_ms, looked_ms: None, found: None, inodes, clients, owners, appeared, gaps }
    }

    /// Sockets as of the last look, which may be this one.
    pub(super) fn read(
        &mut self,
        proc_root: &Folder,
        buffer: &mut Vec<u8>,
        mono_ms: i64,
        gaps: &mut Vec<Gap>,
    ) -> Option<Found> {
        if self.looked_ms.is_none_or(|looked| !(looked..looked + self.stands_ms).contains(&mono_ms)) {
            self.looked_ms = Some(mono_ms);
            let before = self.found.take();
            self.look(proc_root, buffer);
            self.see_new(before.as_ref());
            let sockets = self.found.iter().flat_map(|found| &found.sockets);
            let waits = sockets.map(|socket| socket.queue.is_some_and(|queue| queue > 0));
            self.owners.look(proc_root, &self.inodes.iter().copied().zip(waits).collect::<Vec<_>>());
        }
        self.owners.go_on(proc_root);
        if let Some(found) = &mut self.found {
            for (socket, inode) in found.sockets.iter_mut().zip(&self.inodes) {
                socket.owner = self.owners.of(*inode);
            }
        }
        let told = self.tell_new();
        gaps.extend_from_slice(&self.gaps);
        gaps.extend(self.owners.gap());
        told
    }

    /// Remembers which sockets appeared since the look before.
    fn see_new(&mut self, before: Option<&Found>) {
        let Some(before) = before else { return };
        let known: HashSet<String> = before.sockets.iter().map(Socket::name).collect();
        let sockets = self.found.iter().flat_map(|found| &found.sockets).zip(&self.inodes);
        let is_new = |socket: &Socket| socket.opened.is_none() && !known.contains(&socket.name());
        let new: HashMap<u64, u32> = sockets
            .filter(|(socket, inode)| **inode != 0 && (is_new(socket) || self.appeared.contains_key(inode)))
            .map(|(_, inode)| (*inode, self.appeared.get(inode).copied().unwrap_or(0)))
            .collect();
        self.appeared = new;
    }

    /// What was found. That a socket appeared is told together with its owner, if that is found within [`PATIENCE`] looks.
    fn tell_new(&mut self) -> Option<Found> {
        let mut told = self.found.clone()?;
        for (socket, inode) in told.sockets.iter_mut().zip(&self.inodes) {
            let Some(looks) = self.appeared.get_mut(inode) else { continue };
            *looks += 1;
            let is_told = !self.owners.is_sought(*inode) || *looks > PATIENCE;
            socket.opened = Some(is_told);
            if is_told {
                self.appeared.remove(inode);
            }
        }
        Some(told)
    }

    fn look(&mut self, proc_root: &Folder, buffer: &mut Vec<u8>) {
        self.gaps.clear();
        self.inodes.clear();
        self.clients.ports = client_ports(proc_root, buffer);
        let mut tally = Tally::default();
        if self.live && diag::ask(Protocol::Tcp, buffer, &mut tally).is_ok() {
            let told = diag::ask(Protocol::Udp, buffer, &mut tally).or_else(|_| {
                tally.bound.clear();
                tables(Protocol::Udp, proc_root, buffer, &mut tally)
            });
            self.keep(told.map(|()| tally));
            return;
        }
        let mut tally = Tally::default();
        let read = tables(Protocol::Tcp, proc_root, buffer, &mut tally)
            .and_then(|()| tables(Protocol::Udp, proc_root, buffer, &mut tally));
        let listening = tally.listening.len() as u64;
        if self.keep(read.map(|()| tally)) {
            let remedy = self.live.then_some("load the kernel module with `modprobe tcp_diag`");
            // The queue is known, its limit is not.
            self.gaps.push(gap(Section::Sockets, GapReason::Unsupported, listening.max(1), remedy));
        }
    }

    /// Keeps what a look found, or why it found nothing.
    fn keep(&mut self, read: Result<Tally, Unread>) -> bool {
        match read {
            Ok(tally) => {
                let (found, inodes) = tally.found(&mut self.clients);
                (self.found, self.inodes) = (Some(found), inodes);
                true
            }
            Err(unread) => {
                self.found = None;
                self.gaps.extend([unread.gap(Section::Peers), unread.gap(Section::Sockets)]);
                false
            }
        }
    }
}

/// Reads the kernel's text tables of a protocol. A machine without IPv6 has only the first; one of UDP is missing only in
/// a recording.
fn tables(protocol: Protocol, proc_root: &Folder, buffer: &mut Vec<u8>, tally: &mut Tally) -> Result<(), Unread> {
    let (four, six) = match protocol {
        Protocol::Tcp => ("net/tcp", "net/tcp6"),
        Protocol::Udp => ("net/udp", "net/udp6"),
    };
    for (name, may_miss) in [(four, protocol == Protocol::Udp), (six, true)] {
        match proc_root.read(name, buffer) {
            Ok(text) => table::parse(protocol, text, tally).ok_or(Unread::Malformed)?,
            Err(Unread::Refused(rustix::io::Errno::NOENT)) if may_miss => {}
            Err(unread) => return Err(unread),
        }
    }
    Ok(())
}

/// The ports that this kernel hands out.
fn client_ports(proc_root: &Folder, buffer: &mut Vec<u8>) -> RangeInclusive<u16> {
    let mut range = || {
        let text = proc_root.read("sys/net/ipv4/ip_local_port_range", buffer).ok()?;
        let mut ports = fields(text.trim_ascii()).map(|port| decimal(port).and_then(|port| u16::try_from(port).ok()));
        Some(ports.next()??..=ports.next()??)
    };
    range().unwrap_or(CLIENT_PORTS)
}

#[cfg(test)]
mod tests;
