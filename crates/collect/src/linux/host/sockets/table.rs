//! `/proc/net/tcp`, `udp` and those of IPv6: the same sockets as text, without the limit of the accept queue.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tally::{Connection, Protocol, Tally, Waiting};
use crate::linux::host::scan::{decimal, fields, hexadecimal, lines, split_once};

const ESTABLISHED: u32 = 1;
/// The state of a UDP socket that is connected to nobody.
const CLOSE: u32 = 7;
const CLOSE_WAIT: u32 = 8;
const LISTEN: u32 = 10;

/// Adds the sockets of a table: of TCP those that are connected or listen, of UDP those that are connected to nobody.
/// `None`: not understood.
pub(super) fn parse(protocol: Protocol, table: &[u8], tally: &mut Tally) -> Option<()> {
    let mut rows = lines(table);
    // A line of headings, also where there is no socket.
    rows.next()?;
    for row in rows {
        // sl local remote state send:receive timer:when retransmits uid timeout inode ...
        let mut columns = fields(row).skip(1);
        let (local, remote) = (columns.next()?, columns.next()?);
        let state = hexadecimal(columns.next()?)?;
        if !matches!((protocol, state), (Protocol::Tcp, ESTABLISHED | CLOSE_WAIT | LISTEN) | (Protocol::Udp, CLOSE)) {
            continue;
        }
        let queue = hexadecimal(split_once(columns.next()?, b':')?.1)?;
        let uid = u32::try_from(decimal(columns.nth(2)?)?).ok()?;
        let inode = decimal(columns.nth(1)?)?;
        let (host, port) = split_once(local, b':')?;
        let (local, port) = (address(host)?, u16::try_from(hexadecimal(port)?).ok()?);
        match (protocol, state) {
            (Protocol::Tcp, LISTEN) => {
                tally.listening(local, port, Waiting { uid, inode, queue: Some(queue), backlog: None, unread: 0 });
            }
            (Protocol::Tcp, _) => tally.connection(&Connection {
                local,
                port,
                remote: address(split_once(remote, b':')?.0)?,
                is_half_closed: state == CLOSE_WAIT,
                unread: queue,
                inode,
            }),
            (Protocol::Udp, _) => {
                let unread = u64::from(queue);
                tally.bound(local, port, Waiting { uid, inode, queue: None, backlog: None, unread });
            }
        }
    }
    Some(())
}

/// Addresses are printed as words of four bytes in the machine's own order.
fn address(text: &[u8]) -> Option<IpAddr> {
    let word = |at: usize| Some(hexadecimal(text.get(at..at + 8)?)?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut octets = [0; 16];
            for (slot, byte) in octets.iter_mut().zip(words.as_flattened()) {
                *slot = *byte;
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADINGS: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn row(local: IpAddr, port: u16, remote: IpAddr, state: u32, queue: u32, uid: u32) -> String {
        let hex = |address: IpAddr| match address {
            IpAddr::V4(address) => format!("{:08X}", u32::from_ne_bytes(address.octets())),
            IpAddr::V6(address) => {
                let octets = address.octets();
                let words = octets.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word));
                words.fold(String::new(), |text, word| text + &format!("{word:08X}"))
            }
        };
        format!(
            "   0: {}:{port:04X} {}:0016 {state:02X} 00000000:{queue:08X} 00:00000000 00000000  {uid:4}        0 1234 1 0000000000000000 100 0 0 10 0\n",
            hex(local),
            hex(remote)
        )
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_table_of_a_real_machine_is_read() {
        let table = format!(
            "{HEADINGS}   0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0\n   1: 0A00000A:0016 0B00000A:C350 01 00000000:00000000 02:000A7D8C 00000000     0        0 12346 4 0000000000000000 20 4 29 10 -1\n   2: 0A00000A:0016 0B00000A:C351 06 00000000:00000000 03:000A7D8C 00000000     0        0 0 3 0000000000000000\n"
        );
        let mut tally = Tally::default();
        assert_eq!(parse(Protocol::Tcp, table.as_bytes(), &mut tally), Some(()));
        let six = format!(
            "{HEADINGS}   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0\n   1: 0000000000000000FFFF00000A00000A:0016 0000000000000000FFFF00000B00000A:C352 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0\n"
        );
        assert_eq!(parse(Protocol::Tcp, six.as_bytes(), &mut tally), Some(()));
        assert_eq!(tally.connections, 2);
        assert_eq!(tally.by_peer.into_iter().collect::<Vec<_>>(), [(IpAddr::from([10, 0, 0, 11]), 2)]);
        let listening: Vec<_> = tally.listening.into_iter().collect();
        assert_eq!(
            listening,
            [
                (
                    (IpAddr::from([127, 0, 0, 1]), 8_080),
                    Waiting { uid: 1_000, inode: 12_345, queue: Some(2), backlog: None, unread: 0 }
                ),
                (
                    (IpAddr::from([0_u16; 8]), 22),
                    Waiting { uid: 0, inode: 1, queue: Some(0), backlog: None, unread: 0 }
                ),
            ]
        );
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_table_of_udp_tells_those_that_are_connected_to_nobody() {
        let table = format!(
            "{HEADINGS} 3638: 0100007F:176F 00000000:0000 07 00000000:00000340 00:00000000 00000000  1000        0 1634390 2 00000000c664923a 0\n 3639: 0100007F:9C40 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 1634391 2 00000000c664923b 0\n"
        );
        let mut tally = Tally::default();
        assert_eq!(parse(Protocol::Udp, table.as_bytes(), &mut tally), Some(()));
        let expected = Waiting { uid: 1_000, inode: 1_634_390, queue: None, backlog: None, unread: 0x340 };
        assert_eq!(tally.bound, [(IpAddr::from([127, 0, 0, 1]), 5_999, expected)]);
        assert_eq!((tally.connections, tally.listening.len()), (0, 0));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for row in [
            "0: 0100007F:1F90",
            "0: 01:1F90 00:0 0A 0:0 0 0 0",
            "0: 0100007F:1F90 00000000:0000 zz",
            "0: 0100007F:1F90 00000000 01",
        ] {
            assert_eq!(
                parse(Protocol::Tcp, format!("{HEADINGS}{row}\n").as_bytes(), &mut Tally::default()),
                None,
                "{row}"
            );
        }
        assert_eq!(parse(Protocol::Tcp, b"", &mut Tally::default()), None);
        assert_eq!(parse(Protocol::Tcp, HEADINGS.as_bytes(), &mut Tally::default()), Some(()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, tail in "[0-9A-F: ]{0,120}") {
            let _ = parse(Protocol::Tcp, &bytes, &mut Tally::default());
            let _ = parse(Protocol::Tcp, format!("{HEADINGS}0: {tail}\n").as_bytes(), &mut Tally::default());
        }

        #[test]
        fn written_rows_read_back(six: [u16; 8], four: [u8; 4], port: u16, queue: u32, uid: u32) {
            for local in [IpAddr::from(six), IpAddr::from(four)] {
                let mut tally = Tally::default();
                let table = format!("{HEADINGS}{}{}", row(local, port, local, LISTEN, queue, uid), row(local, port, local, ESTABLISHED, 0, uid));
                prop_assert_eq!(parse(Protocol::Tcp, table.as_bytes(), &mut tally), Some(()));
                prop_assert_eq!(tally.by_peer.get(&local.to_canonical()), Some(&1));
                let expected = Waiting { uid, inode: 1_234, queue: Some(queue), backlog: None, unread: 0 };
                prop_assert_eq!(tally.listening.get(&(local.to_canonical(), port)), Some(&expected));
            }
        }
    }
}
