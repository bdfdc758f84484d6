//! `sock_diag`: the kernel's list of TCP sockets over netlink, messages encoded and decoded by hand.
//!
//! Layouts from `linux/netlink.h` and `linux/inet_diag.h`. Needs no privilege.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::{Listening, Tally};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const TCP_ESTABLISHED: u8 = 1;
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

/// Asks the kernel for all established and listening TCP sockets of both families.
pub(super) fn ask(buffer: &mut Vec<u8>) -> Result<Tally, DiagError> {
    let netlink =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    set_socket_timeout(&netlink, Timeout::Recv, Some(PATIENCE))?;
    let mut tally = Tally::default();
    buffer.clear();
    buffer.resize(ROOM_BYTES, 0);
    for family in [AF_INET, AF_INET6] {
        send(&netlink, &request(family), SendFlags::empty())?;
        loop {
            // With TRUNC the whole length comes back, also of what did not fit.
            let (_, length) = recv(&netlink, buffer.as_mut_slice(), RecvFlags::TRUNC)?;
            let answer = buffer.get(..length).ok_or(DiagError::Malformed)?;
            if length == 0 {
                return Err(DiagError::Malformed);
            }
            match take(answer, family, &mut tally) {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => break,
                // No IPv6 in this kernel: it has no such sockets either.
                Err(DiagError::Refused(Errno::NOENT)) if family == AF_INET6 => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(tally)
}

/// A question for one family. Its number is the family, and answers carry it back.
fn request(family: u8) -> [u8; REQUEST_BYTES] {
    let states: u32 = 1 << TCP_ESTABLISHED | 1 << TCP_LISTEN;
    let mut request = [0; REQUEST_BYTES];
    request[0..4].copy_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    request[8..12].copy_from_slice(&u32::from(family).to_ne_bytes());
    request[16] = family;
    request[17] = IPPROTO_TCP;
    request[20..24].copy_from_slice(&states.to_ne_bytes());
    request
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

/// Takes the messages of one datagram.
fn take(mut datagram: &[u8], family: u8, tally: &mut Tally) -> Result<Progress, DiagError> {
    while !datagram.is_empty() {
        let header = datagram.first_chunk::<HEADER_BYTES>().ok_or(DiagError::Malformed)?;
        let length = u32_at(header, 0).map_or(0, |length| length as usize);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let payload = datagram.get(HEADER_BYTES..length).ok_or(DiagError::Malformed)?;
        // Answers to an earlier question are not counted.
        if u32_at(header, 8) == Some(u32::from(family)) {
            match kind {
                NLMSG_DONE => return Ok(Progress::Done),
                NLMSG_ERROR => return Err(refusal(payload)),
                SOCK_DIAG_BY_FAMILY => count(payload, tally).ok_or(DiagError::Malformed)?,
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
fn count(payload: &[u8], tally: &mut Tally) -> Option<()> {
    let socket = payload.first_chunk::<ANSWER_BYTES>()?;
    let local_port = u16::from_be_bytes([socket[4], socket[5]]);
    match socket[1] {
        TCP_ESTABLISHED => tally.established(address(socket[0], &socket[24..40])?),
        TCP_LISTEN => {
            // Of a listening socket the two queue lengths mean: waiting to be accepted, and how many may.
            let listening =
                Listening { uid: u32_at(socket, 64)?, queue: u32_at(socket, 56)?, backlog: u32_at(socket, 60) };
            tally.listening(address(socket[0], &socket[8..24])?, local_port, listening);
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
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, number: u8, payload: &[u8]) -> Vec<u8> {
        let mut message = ((HEADER_BYTES + payload.len()) as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([2, 0]);
        message.extend(u32::from(number).to_ne_bytes());
        message.extend([0; 4]);
        message.extend(payload);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn socket(state: u8, local: (IpAddr, u16), remote: IpAddr, queues: (u32, u32), uid: u32) -> Vec<u8> {
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
        payload.extend(uid.to_ne_bytes());
        payload.extend([0; 4]);
        assert_eq!(payload.len(), ANSWER_BYTES);
        payload
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn sockets_are_counted_until_the_end_is_said() {
        let listening = socket(TCP_LISTEN, (ip("127.0.0.1"), 8_080), ip("0.0.0.0"), (2, 128), 1_000);
        let established = socket(TCP_ESTABLISHED, (ip("10.0.0.1"), 22), ip("10.0.0.9"), (0, 0), 0);
        let mapped = socket(TCP_ESTABLISHED, (ip("::ffff:10.0.0.1"), 22), ip("::ffff:10.0.0.9"), (0, 0), 0);
        let mut datagram = message(SOCK_DIAG_BY_FAMILY, AF_INET, &[&*listening, &[9; 5]].concat());
        datagram.extend(message(SOCK_DIAG_BY_FAMILY, AF_INET, &established));
        let mut tally = Tally::default();
        assert_eq!(take(&datagram, AF_INET, &mut tally), Ok(Progress::More));
        let mut last = message(SOCK_DIAG_BY_FAMILY, AF_INET, &mapped);
        last.extend(message(SOCK_DIAG_BY_FAMILY, AF_INET6, &established));
        last.extend(message(NLMSG_DONE, AF_INET, &[0; 4]));
        assert_eq!(take(&last, AF_INET, &mut tally), Ok(Progress::Done));
        assert_eq!((tally.connections, tally.by_peer[&ip("10.0.0.9")]), (2, 2));
        let expected = Listening { uid: 1_000, queue: 2, backlog: Some(128) };
        assert_eq!(tally.listening[&(ip("127.0.0.1"), 8_080)], expected);
    }

    #[test]
    fn a_refusal_and_a_broken_answer_are_told_apart() {
        let refused = message(NLMSG_ERROR, AF_INET, &(-2_i32).to_ne_bytes());
        let mut short = message(SOCK_DIAG_BY_FAMILY, AF_INET, &[AF_INET; 20]);
        let strange = message(SOCK_DIAG_BY_FAMILY, AF_INET, &[TCP_ESTABLISHED; ANSWER_BYTES]);
        for (name, datagram, expected) in [
            ("refused", refused, DiagError::Refused(Errno::NOENT)),
            ("error without code", message(NLMSG_ERROR, AF_INET, &[]), DiagError::Malformed),
            ("error zero", message(NLMSG_ERROR, AF_INET, &[0; 4]), DiagError::Malformed),
            ("short", short.clone(), DiagError::Malformed),
            ("strange family", strange, DiagError::Malformed),
            ("cut", short.split_off(10), DiagError::Malformed),
            ("length zero", vec![0; 16], DiagError::Malformed),
            ("length beyond", vec![0xff; 16], DiagError::Malformed),
        ] {
            assert_eq!(take(&datagram, AF_INET, &mut Tally::default()), Err(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, family: u8) {
            let _ = take(&bytes, family, &mut Tally::default());
            let _ = take(&message(SOCK_DIAG_BY_FAMILY, family, &bytes), family, &mut Tally::default());
        }

        #[test]
        fn written_sockets_read_back(port: u16, uid: u32, queue: u32, backlog: u32, six: [u16; 8], four: [u8; 4], wide: bool) {
            let local = if wide { IpAddr::from(six) } else { IpAddr::from(four) };
            let payload = socket(TCP_LISTEN, (local, port), local, (queue, backlog), uid);
            let mut tally = Tally::default();
            prop_assert_eq!(take(&message(SOCK_DIAG_BY_FAMILY, 2, &payload), 2, &mut tally), Ok(Progress::More));
            let expected = Listening { uid, queue, backlog: Some(backlog) };
            prop_assert_eq!(tally.listening.get(&(local.to_canonical(), port)), Some(&expected));
        }
    }
}
