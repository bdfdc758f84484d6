//! TCP sockets of this network namespace: established connections by peer, listening sockets with their accept queue.
//!
//! Looked at every [`EVERY_MS`], because the kernel walks its whole table for it; the last answer stands in between. Whoever
//! looks at the machine as rarely as every [`RARE`] gets the connections of now at every look.
//! The kernel's `sock_diag` is asked first, since it alone knows how long an accept queue may become; where it is not
//! there (kernel without the module, recorded folder) `/proc/net/tcp` and `tcp6` are read.

mod diag;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use watchkeeper_core::quantity::Span;
use watchkeeper_core::reading::{Peer, Socket};
use watchkeeper_core::{Gap, GapReason, Section};

use super::folder::{Folder, Unread, gap};

/// How often sockets are looked at when the machine is looked at more often.
const EVERY_MS: i64 = 10_000;
/// From this interval on, sockets are looked at every time.
const RARE: Span = Span::from_secs(5);
/// Peers with a row of their own; all others share the row `other`.
const PEERS: usize = 50;

/// Remembers the last look.
pub(super) struct Sockets {
    /// `sock_diag` answers for the running kernel only, not for a recorded folder.
    live: bool,
    /// How long an answer stands.
    stands_ms: i64,
    looked_ms: Option<i64>,
    found: Option<Found>,
    gaps: Vec<Gap>,
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Established connections in all.
    pub(super) connections: u32,
    /// By remote address: the largest first, `other` last.
    pub(super) peers: Vec<Peer>,
    /// Listening sockets by address and port; several on one port (`SO_REUSEPORT`) are one, queues added up.
    pub(super) sockets: Vec<Socket>,
}

impl Sockets {
    /// `live`: whether the `/proc` that will be read is the running kernel's. `interval`: how often it will be read.
    pub(super) fn new(live: bool, interval: Span) -> Self {
        let stands_ms = if interval < RARE { EVERY_MS } else { 0 };
        Self { live, stands_ms, looked_ms: None, found: None, gaps: Vec::new() }
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
            self.look(proc_root, buffer);
        }
        gaps.extend_from_slice(&self.gaps);
        self.found.clone()
    }

    fn look(&mut self, proc_root: &Folder, buffer: &mut Vec<u8>) {
        self.gaps.clear();
        if self.live
            && let Ok(tally) = diag::ask(buffer)
        {
            self.found = Some(tally.found());
            return;
        }
        match tables(proc_root, buffer) {
            Ok(tally) => {
                self.found = Some(tally.found());
                let remedy = self.live.then_some("load the kernel module with `modprobe tcp_diag`");
                let count = self.found.as_ref().map_or(0, |found| found.sockets.len() as u64);
                // The queue is known, its limit is not.
                self.gaps.push(gap(Section::Sockets, GapReason::Unsupported, count.max(1), remedy));
            }
            Err(unread) => {
                self.found = None;
                self.gaps.extend([unread.gap(Section::Peers), unread.gap(Section::Sockets)]);
            }
        }
    }
}

/// Reads the kernel's text tables; a machine without IPv6 has only the first.
fn tables(proc_root: &Folder, buffer: &mut Vec<u8>) -> Result<Tally, Unread> {
    let mut tally = Tally::default();
    table::parse(proc_root.read("net/tcp", buffer)?, &mut tally).ok_or(Unread::Malformed)?;
    match proc_root.read("net/tcp6", buffer) {
        Ok(text) => table::parse(text, &mut tally).ok_or(Unread::Malformed)?,
        Err(Unread::Refused(rustix::io::Errno::NOENT)) => {}
        Err(unread) => return Err(unread),
    }
    Ok(tally)
}

/// One listening socket as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listening {
    uid: u32,
    queue: u32,
    backlog: Option<u32>,
}

/// Counts sockets while they are read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    connections: u32,
    by_peer: HashMap<IpAddr, u32>,
    listening: BTreeMap<(IpAddr, u16), Listening>,
}

impl Tally {
    /// An established connection with this remote address; an IPv4 peer of an IPv6 socket is an IPv4 peer.
    fn established(&mut self, remote: IpAddr) {
        self.connections = self.connections.saturating_add(1);
        let count = self.by_peer.entry(remote.to_canonical()).or_default();
        *count = count.saturating_add(1);
    }

    /// A listening socket with this local address and port.
    fn listening(&mut self, local: IpAddr, port: u16, socket: Listening) {
        self.listening
            .entry((local.to_canonical(), port))
            .and_modify(|known| {
                known.queue = known.queue.saturating_add(socket.queue);
                known.backlog = known.backlog.zip(socket.backlog).map(|(one, other)| one.saturating_add(other));
            })
            .or_insert(socket);
    }

    fn found(self) -> Found {
        let mut peers: Vec<(IpAddr, u32)> = self.by_peer.into_iter().collect();
        // Equal counts are ordered by address, so that the same connections give the same rows.
        peers.sort_unstable_by(|(one, ones), (other, others)| others.cmp(ones).then(one.cmp(other)));
        let rest =
            peers.get(PEERS..).unwrap_or_default().iter().fold(0_u32, |sum, (_, count)| sum.saturating_add(*count));
        peers.truncate(PEERS);
        let mut peers: Vec<Peer> = peers
            .into_iter()
            .map(|(address, connections)| Peer { address: address.to_string(), connections })
            .collect();
        if rest > 0 {
            peers.push(Peer { address: "other".to_owned(), connections: rest });
        }
        let sockets = self.listening.into_iter().map(|((address, port), socket)| Socket {
            protocol: "tcp".to_owned(),
            address: address.to_string(),
            port,
            uid: Some(socket.uid),
            queue: Some(socket.queue),
            backlog: socket.backlog,
            ..Socket::default()
        });
        Found { connections: self.connections, peers, sockets: sockets.collect() }
    }
}

#[cfg(test)]
mod tests;
