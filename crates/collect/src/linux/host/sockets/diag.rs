//! `sock_diag`: the kernel's list of sockets over netlink, messages encoded and decoded by hand.
//!
//! Layouts from `linux/netlink.h` and `linux/inet_diag.h`. Needs no privilege.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::tally::{Connection, Protocol, Tally, Waiting};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const TCP_ESTABLISHED: u8 = 1;
/// The state of a UDP socket that is connected to nobody.
const TCP_CLOSE: u8 = 7;
const TCP_CLOSE_WAIT: u8 = 8;
const TCP_LISTEN: u8 = 10;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
/// `nlmsghdr` and `inet_diag_req_v2`.
const HEADER_BYTES: usize = 16;
const REQUEST_BYTES: usize = HEADER_BYTES + 56;
/// `inet_diag_msg`.
const ANSWER_BYTES: usize = 72;
/// The kernel fills at most this much per answer.
const ROOM_BYTES: usize = 32 << 10;
/// The kernel answers at once; the limit only keeps a broken one from holding the reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why there was no complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiagError {
    /// The kernel refused, or has no such interface.
    Refused(Errno),
    /// The answer could not be understood.
    Malformed,
}

impl From<Errno> for DiagError {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    protocol: Protocol,
    family: u8,
}

impl Question {
    /// Answers carry it back.
    fn number(self) -> u32 {
        u32::from(self.ip_protocol()) << 8 | u32::from(self.family)
    }

    fn ip_protocol(self) -> u8 {
        match self.protocol {
            Protocol::Tcp => IPPROTO_TCP,
            Protocol::Udp => IPPROTO_UDP,
        }
    }

    fn request(self) -> [u8; REQUEST_BYTES] {
        let states: u32 = match self.protocol {
            Protocol::Tcp => 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT | 1 << TCP_LISTEN,
            Protocol::Udp => 1 << TCP_CLOSE,
        };
        let mut request = [0; REQUEST_BYTES];
        request[0..4].copy_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
        request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
        request[8..12].copy_from_slice(&self.number().to_ne_bytes());
        request[16] = self.family;
        request[17] = self.ip_protocol();
        request[20..24].copy_from_slice(&states.to_ne_bytes());
        request
    }
}

/// Asks the kernel for sockets of both families: of TCP those that are connected or listen, of UDP those that are
/// connected to nobody. An error leaves a part of them in the tally.
pub(super) fn ask(protocol: Protocol, buffer: &mut Vec<u8>, tally: &mut Tally) -> Result<(), DiagError> {
    let netlink =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    set_socket_timeout(&netlink, Timeout::Recv, Some(PATIENCE))?;
    buffer.clear();
    buffer.resize(ROOM_BYTES, 0);
    for family in [AF_INET, AF_INET6] {
        let question = Question { protocol, family };
        send(&netlink, &question.request(), SendFlags::empty())?;
        loop {
            // With TRUNC the whole length comes back, also of what did not fit.
            let (_, length) = recv(&netlink, buffer.as_mut_slice(), RecvFlags::TRUNC)?;
            let answer = buffer.get(..length).ok_or(DiagError::Malformed)?;
            if length == 0 {
                return Err(DiagError::Malformed);
            }
            match take(answer, question, tally) {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => break,
                // No IPv6 in this kernel: it has no such sockets either.
                Err(DiagError::Refused(Errno::NOENT)) if family == AF_INET6 => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

/// Takes the messages of one datagram.
fn take(mut datagram: &[u8], question: Question, tally: &mut Tally) -> Result<Progress, DiagError> {
    while !datagram.is_empty() {
        let header = datagram.first_chunk::<HEADER_BYTES>().ok_or(DiagError::Malformed)?;
        let length = u32_at(header, 0).map_or(0, |length| length as usize);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let payload = datagram.get(HEADER_BYTES..length).ok_or(DiagError::Malformed)?;
        // Answers to an earlier question are not counted.
        if u32_at(header, 8) == Some(question.number()) {
            match kind {
                NLMSG_DONE => return Ok(Progress::Done),
                NLMSG_ERROR => return Err(refusal(payload)),
                SOCK_DIAG_BY_FAMILY => count(payload, question.protocol, tally).ok_or(DiagError::Malformed)?,
                _ => {}
            }
        }
        // Messages begin at multiples of four bytes.
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Progress::More)
}

fn refusal(payload: &[u8]) -> DiagError {
    match u32_at(payload, 0).map(|code| (code as i32).wrapping_neg()) {
        Some(code @ 1..=4_095) => DiagError::Refused(Errno::from_raw_os_error(code)),
        _ => DiagError::Malformed,
    }
}

/// Counts one `inet_diag_msg`. `None`: too short, or of a strange family.
fn count(payload: &[u8], protocol: Protocol, tally: &mut Tally) -> Option<()> {
    let socket = payload.first_chunk::<ANSWER_BYTES>()?;
    let port = u16::from_be_bytes([socket[4], socket[5]]);
    let local = || address(socket[0], &socket[8..24]);
    let (queue, limit) = (u32_at(socket, 56)?, u32_at(socket, 60));
    let (uid, inode) = (u32_at(socket, 64)?, u64::from(u32_at(socket, 68)?));
    match (protocol, socket[1]) {
        (Protocol::Tcp, state @ (TCP_ESTABLISHED | TCP_CLOSE_WAIT)) => tally.connection(&Connection {
            local: local()?,
            port,
            remote: address(socket[0], &socket[24..40])?,
            is_half_closed: state == TCP_CLOSE_WAIT,
            unread: queue,
            inode,
        }),
        // Of a listening socket the two queue lengths mean: waiting to be accepted, and how many may.
        (Protocol::Tcp, TCP_LISTEN) => {
            tally.listening(local()?, port, Waiting { uid, inode, queue: Some(queue), backlog: limit, unread: 0 });
        }
        (Protocol::Udp, TCP_CLOSE) => {
            let unread = u64::from(queue);
            tally.bound(local()?, port, Waiting { uid, inode, queue: None, backlog: None, unread });
        }
        _ => {}
    }
    Some(())
}

fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => bytes.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into()),
        AF_INET6 => bytes.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into()),
        _ => None,
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::tally::Clients;
    use super::*;
    use proptest::prelude::*;

    const FOUR: Question = Question { protocol: Protocol::Tcp, family: AF_INET };
    const SIX: Question = Question { protocol: Protocol::Tcp, family: AF_INET6 };
    const UDP: Question = Question { protocol: Protocol::Udp, family: AF_INET };

    fn message(kind: u16, question: Question, payload: &[u8]) -> Vec<u8> {
        let mut message = ((HEADER_BYTES + payload.len()) as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([2, 0]);
        message.extend(question.number().to_ne_bytes());
        message.extend([0; 4]);
        message.extend(payload);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn socket(state: u8, local: (IpAddr, u16), remote: IpAddr, queues: (u32, u32), owner: (u32, u32)) -> Vec<u8> {
        let bytes = |address: IpAddr| match address {
            IpAddr::V4(address) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&address.octets());
                bytes
            }
            IpAddr::V6(address) => address.octets(),
        };
        let mut payload = vec![if local.0.is_ipv4() { AF_INET } else { AF_INET6 }, state, 0, 0];
        payload.extend(local.1.to_be_bytes());
        payload.extend([0, 0]);
        payload.extend(bytes(local.0));
        payload.extend(bytes(remote));
        payload.extend([0; 16]);
        payload.extend(queues.0.to_ne_bytes());
        payload.extend(queues.1.to_ne_bytes());
        payload.extend(owner.0.to_ne_bytes());
        payload.extend(owner.1.to_ne_bytes());
        assert_eq!(payload.len(), ANSWER_BYTES);
        payload
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn sockets_are_counted_until_the_end_is_said() {
        let listening = socket(TCP_LISTEN, (ip("127.0.0.1"), 8_080), ip("0.0.0.0"), (2, 128), (1_000, 77));
        let established = socket(TCP_ESTABLISHED, (ip("10.0.0.1"), 22), ip("10.0.0.9"), (0, 0), (0, 78));
        let mapped = socket(TCP_ESTABLISHED, (ip("::ffff:10.0.0.1"), 22), ip("::ffff:10.0.0.9"), (0, 0), (0, 79));
        let mut datagram = message(SOCK_DIAG_BY_FAMILY, FOUR, &[&*listening, &[9; 5]].concat());
        datagram.extend(message(SOCK_DIAG_BY_FAMILY, FOUR, &established));
        let mut tally = Tally::default();
        assert_eq!(take(&datagram, FOUR, &mut tally), Ok(Progress::More));
        let mut last = message(SOCK_DIAG_BY_FAMILY, FOUR, &mapped);
        last.extend(message(SOCK_DIAG_BY_FAMILY, SIX, &established));
        last.extend(message(NLMSG_DONE, FOUR, &[0; 4]));
        assert_eq!(take(&last, FOUR, &mut tally), Ok(Progress::Done));
        assert_eq!((tally.connections, tally.by_peer[&ip("10.0.0.9")]), (2, 2));
        let expected = Waiting { uid: 1_000, inode: 77, queue: Some(2), backlog: Some(128), unread: 0 };
        assert_eq!(tally.listening[&(ip("127.0.0.1"), 8_080)], expected);
    }

    #[test]
    fn unread_bytes_are_those_of_accepted_connections_and_of_udp_sockets() {
        let local = (ip("127.0.0.1"), 8_080);
        let mut datagram = Vec::new();
        for (state, queue, inode) in [
            (TCP_ESTABLISHED, 100, 5),
            (TCP_ESTABLISHED, 7, 0),
            (TCP_CLOSE_WAIT, 21, 6),
            (TCP_CLOSE_WAIT, 1, 7),
            (TCP_LISTEN, 1, 4),
        ] {
            datagram.extend(message(SOCK_DIAG_BY_FAMILY, FOUR, &socket(state, local, local.0, (queue, 9), (0, inode))));
        }
        let mut tally = Tally::default();
        assert_eq!(take(&datagram, FOUR, &mut tally), Ok(Progress::More));
        let bound = message(SOCK_DIAG_BY_FAMILY, UDP, &socket(TCP_CLOSE, (local.0, 53), local.0, (832, 0), (3, 8)));
        let connected = message(SOCK_DIAG_BY_FAMILY, UDP, &socket(TCP_ESTABLISHED, local, local.0, (832, 0), (3, 9)));
        assert_eq!(take(&[bound, connected].concat(), UDP, &mut tally), Ok(Progress::More));
        // Neither what nobody accepted, nor the end of a connection, which counts as a byte.
        let mut clients = Clients { ports: 60_000..=60_999, holding: HashSet::new() };
        let (found, inodes) = tally.found(&mut clients);
        let unread: Vec<_> = found.sockets.iter().map(|socket| (socket.name(), socket.unread_bytes)).collect();
        let expected = [("tcp 127.0.0.1:8080".to_owned(), Some(120)), ("udp 127.0.0.1:53".to_owned(), Some(832))];
        assert_eq!((unread, inodes), (expected.to_vec(), vec![4, 8]));
        assert_eq!(found.connections, 2, "half closed is not established");
        assert_eq!((found.sockets[1].queue, found.sockets[1].uid), (None, Some(3)));
    }

    #[test]
    fn a_refusal_and_a_broken_answer_are_told_apart() {
        let refused = message(NLMSG_ERROR, FOUR, &(-2_i32).to_ne_bytes());
        let mut short = message(SOCK_DIAG_BY_FAMILY, FOUR, &[AF_INET; 20]);
        let strange = message(SOCK_DIAG_BY_FAMILY, FOUR, &[TCP_ESTABLISHED; ANSWER_BYTES]);
        for (name, datagram, expected) in [
            ("refused", refused, DiagError::Refused(Errno::NOENT)),
            ("error without code", message(NLMSG_ERROR, FOUR, &[]), DiagError::Malformed),
            ("error zero", message(NLMSG_ERROR, FOUR, &[0; 4]), DiagError::Malformed),
            ("short", short.clone(), DiagError::Malformed),
            ("strange family", strange, DiagError::Malformed),
            ("cut", short.split_off(10), DiagError::Malformed),
            ("length zero", vec![0; 16], DiagError::Malformed),
            ("length beyond", vec![0xff; 16], DiagError::Malformed),
        ] {
            assert_eq!(take(&datagram, FOUR, &mut Tally::default()), Err(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, family: u8, is_udp: bool) {
            let protocol = if is_udp { Protocol::Udp } else { Protocol::Tcp };
            let question = Question { protocol, family };
            let _ = take(&bytes, question, &mut Tally::default());
            let _ = take(&message(SOCK_DIAG_BY_FAMILY, question, &bytes), question, &mut Tally::default());
        }

        #[test]
        fn written_sockets_read_back(port: u16, uid: u32, inode: u32, queue: u32, backlog: u32, six: [u16; 8], four: [u8; 4], wide: bool) {
            let local = if wide { IpAddr::from(six) } else { IpAddr::from(four) };
            let payload = socket(TCP_LISTEN, (local, port), local, (queue, backlog), (uid, inode));
            let mut tally = Tally::default();
            prop_assert_eq!(take(&message(SOCK_DIAG_BY_FAMILY, FOUR, &payload), FOUR, &mut tally), Ok(Progress::More));
            let expected = Waiting { uid, inode: inode.into(), queue: Some(queue), backlog: Some(backlog), unread: 0 };
            prop_assert_eq!(tally.listening.get(&(local.to_canonical(), port)), Some(&expected));
        }
    }
}
