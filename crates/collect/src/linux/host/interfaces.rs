//! Network interfaces: `/proc/net/dev` each time, their state in `/sys/class/net` every few seconds.

use std::collections::HashMap;

use watchkeeper_core::reading::{InterfaceCounters, InterfaceReading};

use super::folder::Folder;
use super::scan::{decimal, fields, hexadecimal, lines, split_once, text};

/// How long a state is believed. Two small files per interface, of which a container host has hundreds.
const BELIEVED_MS: i64 = 5_000;
/// `IFF_UP` of the interface's flags: an administrator switched it on.
const FLAG_UP: u32 = 1;

/// Remembers which interfaces are up.
#[derive(Default)]
pub(super) struct Interfaces {
    states: HashMap<String, Option<bool>>,
    asked_ms: Option<i64>,
}

impl Interfaces {
    /// Fills in the states; a new interface is asked at once.
    pub(super) fn states(&mut self, interfaces: &mut [InterfaceReading], sys: &Folder, mono_ms: i64) {
        if self.asked_ms.is_none_or(|asked| !(asked..asked + BELIEVED_MS).contains(&mono_ms)) {
            self.states.clear();
            self.asked_ms = Some(mono_ms);
        }
        for interface in interfaces {
            interface.up = if let Some(known) = self.states.get(&interface.name) {
                *known
            } else {
                let state = state(&interface.name, sys);
                self.states.insert(interface.name.clone(), state);
                state
            };
        }
    }
}

/// Whether an interface can pass packets; `None` where nobody says so.
fn state(name: &str, sys: &Folder) -> Option<bool> {
    let mut buffer = Vec::new();
    let state = sys.read(&format!("class/net/{name}/operstate"), &mut buffer).ok()?;
    match state.trim_ascii() {
        b"up" => Some(true),
        // Drivers without a link of their own (loopback, tunnels) do not know; then being switched on is all there is.
        b"unknown" => {
            let flags = sys.read(&format!("class/net/{name}/flags"), &mut buffer).ok()?;
            let flags = hexadecimal(flags.trim_ascii().strip_prefix(b"0x")?)?;
            Some(flags & FLAG_UP != 0)
        }
        b"" => None,
        _ => Some(false),
    }
}

/// Reads `/proc/net/dev`, sorted by name. `None`: not understood.
pub(super) fn parse(table: &[u8]) -> Option<Vec<InterfaceReading>> {
    let mut interfaces = Vec::new();
    let mut rows = lines(table);
    // Two lines of headings, also where there is no interface.
    rows.next().zip(rows.next())?;
    for line in rows {
        // The first number may touch the colon.
        let (name, numbers) = split_once(line, b':')?;
        let mut columns = [0_u64; 16];
        let mut numbers = fields(numbers);
        for column in &mut columns {
            *column = decimal(numbers.next()?)?;
        }
        let counters = InterfaceCounters {
            received_bytes: columns[0],
            received_packets: columns[1],
            received_errors: columns[2],
            received_dropped: columns[3],
            sent_bytes: columns[8],
            sent_packets: columns[9],
            sent_errors: columns[10],
            sent_dropped: columns[11],
        };
        interfaces.push(InterfaceReading { name: text(name.trim_ascii()), counters, up: None });
    }
    interfaces.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Some(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    const HEADINGS: &str = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

    #[test]
    fn the_columns_are_told_apart_also_where_they_touch() {
        let table = format!(
            "{HEADINGS}  eth0:4294967296000 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n    lo:       1 2 3 4 0 0 0 0 9 10 11 12 0 0 0 0\n"
        );
        let interfaces = parse(table.as_bytes()).expect("understood");
        assert_eq!(interfaces.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["eth0", "lo"]);
        assert_eq!(
            interfaces[0].counters,
            InterfaceCounters {
                received_bytes: 4_294_967_296_000,
                sent_bytes: 9,
                received_packets: 2,
                sent_packets: 10,
                received_errors: 3,
                sent_errors: 11,
                received_dropped: 4,
                sent_dropped: 12,
            }
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(parse(b""), None);
        for row in ["eth0 1 2 3", "eth0: 1 2 3", "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 x"] {
            assert_eq!(parse(format!("{HEADINGS}{row}\n").as_bytes()), None, "{row}");
        }
        assert_eq!(parse(HEADINGS.as_bytes()), Some(vec![]));
    }

    #[test]
    fn the_state_is_asked_again_after_five_seconds() {
        let root = tempfile::tempdir().expect("a folder");
        let net = root.path().join("class/net");
        let set = |name: &str, file: &str, value: &str| {
            fs::create_dir_all(net.join(name)).expect("made");
            fs::write(net.join(name).join(file), value).expect("written");
        };
        set("eth0", "operstate", "up\n");
        set("eth1", "operstate", "lowerlayerdown\n");
        set("lo", "operstate", "unknown\n");
        set("lo", "flags", "0x9\n");
        set("tun0", "operstate", "unknown\n");
        set("tun0", "flags", "0x1090\n");
        set("odd0", "operstate", "unknown\n");
        let sys = Folder::open(root.path());
        let names = ["eth0", "eth1", "lo", "tun0", "odd0", "gone0"];
        let mut interfaces = names.map(|name| InterfaceReading { name: name.to_owned(), ..Default::default() });
        let mut states = Interfaces::default();
        states.states(&mut interfaces, &sys, 100);
        let up = [Some(true), Some(false), Some(true), Some(false), None, None];
        assert_eq!(interfaces.each_ref().map(|interface| interface.up), up);
        set("eth0", "operstate", "down\n");
        states.states(&mut interfaces, &sys, 5_099);
        assert_eq!(interfaces[0].up, Some(true));
        states.states(&mut interfaces, &sys, 5_100);
        assert_eq!(interfaces[0].up, Some(false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn written_tables_read_back(rows in proptest::collection::btree_map("[a-z][a-z0-9.@-]{0,14}", [any::<u64>(); 16], 0..8)) {
            use std::fmt::Write as _;
            let mut table = HEADINGS.to_owned();
            for (name, numbers) in &rows {
                let _ = writeln!(table, "{name:>6}: {}", numbers.map(|number| number.to_string()).join(" "));
            }
            let read = parse(table.as_bytes()).expect("understood");
            prop_assert_eq!(read.len(), rows.len());
            for (interface, (name, numbers)) in read.iter().zip(&rows) {
                prop_assert_eq!(&interface.name, name);
                prop_assert_eq!(interface.counters.received_bytes, numbers[0]);
                prop_assert_eq!(interface.counters.sent_dropped, numbers[11]);
            }
        }
    }
}
