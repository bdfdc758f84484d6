//! Sockets counted while they are read, and what becomes of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use watchkeeper_core::reading::{Peer, Socket};

use super::Found;

/// Peers with a row of their own; all others share the row `other`.
const PEERS: usize = 50;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// One connection as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) local: IpAddr,
    pub(super) port: u16,
    pub(super) remote: IpAddr,
    /// The other side has said that it sends no more; its word for that counts as one unread byte.
    pub(super) is_half_closed: bool,
    /// Bytes that arrived and were not read.
    pub(super) unread: u32,
    /// 0: nobody has accepted it yet.
    pub(super) inode: u64,
}

/// One socket that waits for anybody, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) uid: u32,
    /// 0: the kernel's own.
    pub(super) inode: u64,
    /// Connections to be accepted; of UDP there are none.
    pub(super) queue: Option<u32>,
    pub(super) backlog: Option<u32>,
    /// Of UDP the kernel tells the memory that unread datagrams take.
    pub(super) unread: u64,
}

/// Which UDP sockets are listed. One that never had a port given by its program got one of those that the kernel hands
/// out: it is a client, and there may be thousands of them. Such a port is listed only if the same socket holds unread
/// bytes at two looks in a row, since then it may be a receiver that does not read.
#[derive(Debug)]
pub(super) struct Clients {
    /// Ports that the kernel hands out.
    pub(super) ports: RangeInclusive<u16>,
    /// Sockets on such ports, by inode, that held unread bytes at the last look.
    pub(super) holding: HashSet<u64>,
}

/// Counts sockets while they are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) connections: u32,
    pub(super) by_peer: HashMap<IpAddr, u32>,
    pub(super) listening: BTreeMap<(IpAddr, u16), Waiting>,
    /// UDP sockets that are connected to nobody.
    pub(super) bound: Vec<(IpAddr, u16, Waiting)>,
    /// Unread bytes of accepted connections by local address and port.
    unread: BTreeMap<(IpAddr, u16), u64>,
}

impl Tally {
    /// A connection; an IPv4 peer of an IPv6 socket is an IPv4 peer.
    pub(super) fn connection(&mut self, connection: &Connection) {
        if !connection.is_half_closed {
            self.connections = self.connections.saturating_add(1);
            let count = self.by_peer.entry(connection.remote.to_canonical()).or_default();
            *count = count.saturating_add(1);
        }
        let unread = u64::from(connection.unread).saturating_sub(u64::from(connection.is_half_closed));
        if unread > 0 && connection.inode != 0 {
            let sum = self.unread.entry((connection.local.to_canonical(), connection.port)).or_default();
            *sum = sum.saturating_add(unread);
        }
    }

    /// A listening socket with this local address and port.
    pub(super) fn listening(&mut self, local: IpAddr, port: u16, socket: Waiting) {
        join(&mut self.listening, (local.to_canonical(), port), socket);
    }

    /// A UDP socket with this local address and port, connected to nobody.
    pub(super) fn bound(&mut self, local: IpAddr, port: u16, socket: Waiting) {
        self.bound.push((local.to_canonical(), port, socket));
    }

    /// What was found, and the inode of each of its sockets.
    pub(super) fn found(mut self, clients: &mut Clients) -> (Found, Vec<u64>) {
        self.book_unread();
        let mut udp = BTreeMap::new();
        let mut holding = HashSet::new();
        for (address, port, socket) in self.bound {
            if clients.ports.contains(&port) {
                let holds = socket.unread > 0 && socket.inode != 0 && holding.insert(socket.inode);
                if !(holds && clients.holding.contains(&socket.inode)) {
                    continue;
                }
            }
            join(&mut udp, (address, port), socket);
        }
        clients.holding = holding;
        let tcp = self.listening.into_iter().map(|(place, socket)| (Protocol::Tcp, place, socket));
        let udp = udp.into_iter().map(|(place, socket)| (Protocol::Udp, place, socket));
        let (mut sockets, mut inodes) = (Vec::new(), Vec::new());
        for (protocol, (address, port), socket) in tcp.chain(udp) {
            inodes.push(socket.inode);
            sockets.push(Socket {
                protocol: protocol.word().to_owned(),
                address: address.to_string(),
                port,
                uid: Some(socket.uid),
                queue: socket.queue,
                backlog: socket.backlog,
                unread_bytes: Some(socket.unread),
                owner: None,
                // It was opened long before it came into the list.
                opened: (protocol == Protocol::Udp && clients.ports.contains(&port)).then_some(false),
            });
        }
        (Found { connections: self.connections, peers: peers(self.by_peer), sockets }, inodes)
    }

    /// Adds the unread bytes of connections to those who accepted them: the listener at the same address and port, else
    /// one at all addresses.
    fn book_unread(&mut self) {
        for ((address, port), bytes) in std::mem::take(&mut self.unread) {
            let any_four = address.is_ipv4().then_some(Ipv4Addr::UNSPECIFIED.into());
            let hosts = [Some(address), any_four, Some(Ipv6Addr::UNSPECIFIED.into())];
            let host = hosts.into_iter().flatten().find(|host| self.listening.contains_key(&(*host, port)));
            if let Some(socket) = host.and_then(|host| self.listening.get_mut(&(host, port))) {
                socket.unread = socket.unread.saturating_add(bytes);
            }
        }
    }
}

/// Several sockets at one place (`SO_REUSEPORT`) are one: what they hold is added up, the oldest gives its name.
fn join(sockets: &mut BTreeMap<(IpAddr, u16), Waiting>, place: (IpAddr, u16), socket: Waiting) {
    let Some(known) = sockets.get_mut(&place) else {
        sockets.insert(place, socket);
        return;
    };
    if socket.inode != 0 && (known.inode == 0 || socket.inode < known.inode) {
        (known.inode, known.uid) = (socket.inode, socket.uid);
    }
    let sum = |one: Option<u32>, other: Option<u32>| one.zip(other).map(|(one, other)| one.saturating_add(other));
    known.queue = sum(known.queue, socket.queue);
    known.backlog = sum(known.backlog, socket.backlog);
    known.unread = known.unread.saturating_add(socket.unread);
}

/// The largest first, `other` last.
fn peers(by_peer: HashMap<IpAddr, u32>) -> Vec<Peer> {
    let mut peers: Vec<(IpAddr, u32)> = by_peer.into_iter().collect();
    // Equal counts are ordered by address, so that the same connections give the same rows.
    peers.sort_unstable_by(|(one, ones), (other, others)| others.cmp(ones).then(one.cmp(other)));
    let rest = peers.get(PEERS..).unwrap_or_default().iter().fold(0_u32, |sum, (_, count)| sum.saturating_add(*count));
    peers.truncate(PEERS);
    let mut peers: Vec<Peer> =
        peers.into_iter().map(|(address, connections)| Peer { address: address.to_string(), connections }).collect();
    if rest > 0 {
        peers.push(Peer { address: "other".to_owned(), connections: rest });
    }
    peers
}
