use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

use super::*;

const SECOND: Span = Span::from_secs(1);

fn live() -> (Folder, Vec<u8>) {
    (Folder::open(Path::new("/proc")), Vec::new())
}

/// A listener on a free loopback port that lets this many connections wait.
fn listener(backlog: i32) -> (TcpListener, SocketAddr) {
    let listening = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&listening, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    listen(&listening, backlog).expect("listening");
    let listening = TcpListener::from(listening);
    let address = listening.local_addr().expect("an address");
    (listening, address)
}

fn of_port(found: &Found, port: u16) -> Socket {
    found.sockets.iter().find(|socket| socket.port == port).expect("our listener").clone()
}

#[test]
fn a_listener_with_two_waiting_connections_is_seen_with_its_limit() {
    let (listening, address) = listener(7);
    let clients: Vec<_> = (0..2).map(|_| TcpStream::connect(address).expect("connected")).collect();
    let (proc_root, mut buffer) = live();
    let mut gaps = Vec::new();
    let found = Sockets::new(true, SECOND).read(&proc_root, &mut buffer, 0, &mut gaps).expect("sockets");
    let socket = of_port(&found, address.port());
    assert_eq!((socket.address.as_str(), socket.protocol.as_str()), ("127.0.0.1", "tcp"));
    assert_eq!((socket.queue, socket.backlog), (Some(2), Some(7)));
    assert_eq!(socket.uid, Some(rustix::process::getuid().as_raw()));
    // Both ends of both connections have a loopback address as their peer.
    let loopback = found.peers.iter().find(|peer| peer.address == "127.0.0.1").expect("our connections");
    assert!(loopback.connections >= 4 && found.connections >= 4);
    assert_eq!(found.peers.iter().map(|peer| peer.connections).sum::<u32>(), found.connections);
    assert_eq!(gaps, []);
    drop((listening, clients));
}

#[test]
fn the_text_tables_tell_the_same_without_the_limit() {
    let (listening, address) = listener(5);
    let client = TcpStream::connect(address).expect("connected");
    let (proc_root, mut buffer) = live();
    let mut gaps = Vec::new();
    let found = Sockets::new(false, SECOND).read(&proc_root, &mut buffer, 0, &mut gaps).expect("sockets");
    let socket = of_port(&found, address.port());
    assert_eq!((socket.queue, socket.backlog), (Some(1), None));
    assert_eq!((gaps.len(), gaps[0].section, gaps[0].reason), (1, Section::Sockets, GapReason::Unsupported));
    drop((listening, client));
}

#[test]
fn sockets_on_one_port_are_one_with_their_queues_added_up() {
    let open = |port: u16| {
        let listening = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        sockopt::set_socket_reuseport(&listening, true).expect("shared");
        bind(&listening, &SocketAddr::from(([127, 0, 0, 1], port))).expect("bound");
        listen(&listening, 3).expect("listening");
        TcpListener::from(listening)
    };
    let first = open(0);
    let port = first.local_addr().expect("an address").port();
    let second = open(port);
    let (proc_root, mut buffer) = live();
    let found = Sockets::new(true, SECOND).read(&proc_root, &mut buffer, 0, &mut Vec::new()).expect("sockets");
    assert_eq!(found.sockets.iter().filter(|socket| socket.port == port).count(), 1);
    assert_eq!(of_port(&found, port).backlog, Some(6));
    drop((first, second));
}

#[test]
fn the_limit_of_shared_sockets_is_known_only_if_every_part_is() {
    let at = (IpAddr::from([10, 0, 0, 1]), 80);
    let mut tally = Tally::default();
    for (queue, backlog) in [(1, Some(10)), (2, Some(20)), (u32::MAX, Some(u32::MAX))] {
        tally.listening(at.0, at.1, Listening { uid: 7, queue, backlog });
        tally.listening(at.0, 81, Listening { uid: 7, queue, backlog: backlog.filter(|_| queue != 2) });
    }
    assert_eq!(tally.listening[&at], Listening { uid: 7, queue: u32::MAX, backlog: Some(u32::MAX) });
    assert_eq!(tally.listening[&(at.0, 81)].backlog, None);
    let mut two = Tally::default();
    two.listening(at.0, at.1, Listening { uid: 7, queue: 1, backlog: Some(10) });
    two.listening(at.0, at.1, Listening { uid: 7, queue: 2, backlog: Some(20) });
    assert_eq!(two.listening[&at], Listening { uid: 7, queue: 3, backlog: Some(30) });
}

#[test]
fn an_ipv6_listener_and_an_ipv4_client_of_it_are_told_apart() {
    // A machine without IPv6 has nothing to check here.
    let Ok(listening) = TcpListener::bind("[::1]:0") else {
        return;
    };
    let address = listening.local_addr().expect("an address");
    let client = TcpStream::connect(address).expect("connected");
    let (proc_root, mut buffer) = live();
    for from_kernel in [true, false] {
        let found =
            Sockets::new(from_kernel, SECOND).read(&proc_root, &mut buffer, 0, &mut Vec::new()).expect("sockets");
        assert_eq!(of_port(&found, address.port()).address, "::1");
        assert!(found.peers.iter().any(|peer| peer.address == "::1" && peer.connections >= 2), "{from_kernel}");
    }
    drop(client);
}

/// A table that can be rewritten between two looks.
struct Rewritten {
    root: tempfile::TempDir,
    sockets: Sockets,
}

impl Rewritten {
    fn new(interval: Span) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("net")).expect("made");
        Self { root, sockets: Sockets::new(false, interval) }
    }

    fn write(&self, rows: &str) {
        fs::write(self.root.path().join("net/tcp"), format!("headings\n{rows}")).expect("written");
    }

    /// How many sockets are found, and how many gaps.
    fn read(&mut self, mono_ms: i64) -> (Option<usize>, usize) {
        let mut gaps = Vec::new();
        let found = self.sockets.read(&Folder::open(self.root.path()), &mut Vec::new(), mono_ms, &mut gaps);
        (found.map(|found| found.sockets.len()), gaps.len())
    }
}

const ONE_SOCKET: &str = "0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 0 0 1\n";

#[test]
fn the_last_look_stands_for_ten_seconds() {
    for interval in [SECOND, Span::from_ms(4_999)] {
        let mut table = Rewritten::new(interval);
        table.write(ONE_SOCKET);
        assert_eq!(table.read(1_000), (Some(1), 1));
        table.write("broken\n");
        assert_eq!(table.read(10_999), (Some(1), 1), "and the gap stands as well");
        assert_eq!(table.read(11_000), (None, 2), "peers and sockets");
        table.write("");
        assert_eq!(table.read(21_000), (Some(0), 1));
    }
}

#[test]
fn looks_that_are_five_seconds_apart_see_the_sockets_of_now() {
    for interval in [Span::from_secs(5), Span::from_secs(3_600)] {
        let mut table = Rewritten::new(interval);
        table.write(ONE_SOCKET);
        assert_eq!(table.read(1_000), (Some(1), 1));
        table.write("");
        // The last look of a recording may come sooner than an interval.
        assert_eq!(table.read(1_500), (Some(0), 1), "{interval}");
    }
}

#[test]
fn the_fifty_largest_peers_have_rows_and_the_rest_shares_one() {
    let mut tally = Tally::default();
    for number in 1..=60_u8 {
        for _ in 0..=number / 2 {
            tally.established(Ipv4Addr::new(10, 0, 0, number).into());
        }
    }
    let total: u32 = (1..=60).map(|number| number / 2 + 1).sum();
    let found = tally.found();
    assert_eq!(found.connections, total);
    assert_eq!(found.peers.len(), 51);
    assert_eq!(found.peers[0], Peer { address: "10.0.0.60".to_owned(), connections: 31 });
    assert_eq!(found.peers[1].address, "10.0.0.58", "equal counts by address");
    assert_eq!(found.peers[2].address, "10.0.0.59");
    assert_eq!(found.peers[50], Peer { address: "other".to_owned(), connections: 35 });
    assert_eq!(found.peers.iter().map(|peer| peer.connections).sum::<u32>(), total);
}
