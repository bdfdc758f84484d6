use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

use super::tally::{Connection, Waiting};
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
    // Whoever is not root does not see who holds the sockets of others.
    gaps.retain(|gap| gap.section != Section::SocketOwners);
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
    gaps.retain(|gap| gap.section != Section::SocketOwners);
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
fn the_limit_of_shared_sockets_is_known_only_if_every_part_is_and_the_oldest_names_them() {
    let at = (IpAddr::from([10, 0, 0, 1]), 80);
    let socket = |queue, backlog, (uid, inode)| Waiting { uid, inode, queue: Some(queue), backlog, unread: 0 };
    let mut tally = Tally::default();
    for (queue, backlog) in [(1, Some(10)), (2, Some(20)), (u32::MAX, Some(u32::MAX))] {
        tally.listening(at.0, at.1, socket(queue, backlog, (7, 9)));
        tally.listening(at.0, 81, socket(queue, backlog.filter(|_| queue != 2), (7, 9)));
    }
    assert_eq!(tally.listening[&at], socket(u32::MAX, Some(u32::MAX), (7, 9)));
    assert_eq!(tally.listening[&(at.0, 81)].backlog, None);
    for order in [[(1, 10, (7, 30)), (2, 20, (8, 20))], [(2, 20, (8, 20)), (1, 10, (7, 30))]] {
        let mut two = Tally::default();
        for (queue, backlog, owner) in order {
            two.listening(at.0, at.1, socket(queue, Some(backlog), owner));
        }
        assert_eq!(two.listening[&at], socket(3, Some(30), (8, 20)));
    }
}

#[test]
fn unread_bytes_belong_to_the_listener_at_the_same_address_else_to_the_one_at_all() {
    let four = |last| IpAddr::from([10, 0, 0, last]);
    let six = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]);
    let (any_four, any_six) = (IpAddr::from([0; 4]), IpAddr::from([0_u16; 8]));
    for (name, listeners, local, expected) in [
        ("same address", vec![four(1), any_four, any_six], four(1), Some(four(1))),
        ("mapped", vec![four(1)], IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1]), Some(four(1))),
        ("all of IPv4", vec![four(1), any_four, any_six], four(2), Some(any_four)),
        ("all of both", vec![four(1), any_six], four(2), Some(any_six)),
        ("all of IPv6", vec![any_four, any_six], six, Some(any_six)),
        ("IPv6 is not IPv4", vec![any_four], six, None),
        ("a client", vec![four(1)], four(2), None),
    ] {
        let mut tally = Tally::default();
        for listener in listeners {
            let socket = Waiting { uid: 0, inode: 1, queue: Some(0), backlog: None, unread: 0 };
            tally.listening(listener, 80, socket);
        }
        for unread in [3, 4] {
            let remote = four(9);
            tally.connection(&Connection { local, port: 80, remote, is_half_closed: false, unread, inode: 2 });
        }
        let (found, _) = tally.found(&mut nobody());
        let with = found.sockets.iter().find(|socket| socket.unread_bytes != Some(0));
        let with = with.map(|socket| (socket.address.clone(), socket.unread_bytes));
        assert_eq!(with, expected.map(|address| (address.to_string(), Some(7))), "{name}");
    }
}

#[test]
fn a_udp_socket_on_a_port_that_the_kernel_handed_out_is_listed_only_while_it_keeps_bytes_unread() {
    let mut clients = nobody();
    let mut look = |unread: u64, inode| {
        let mut tally = Tally::default();
        tally.bound(four_zeros(), 53, Waiting { uid: 0, inode: 1, queue: None, backlog: None, unread });
        tally.bound(four_zeros(), 40_000, Waiting { uid: 0, inode, queue: None, backlog: None, unread });
        let (found, _) = tally.found(&mut clients);
        found.sockets.iter().map(|socket| (socket.port, socket.opened)).collect::<Vec<_>>()
    };
    let named = (53, None);
    assert_eq!(look(0, 7), [named]);
    assert_eq!(look(832, 7), [named], "a client that has not yet read its answer");
    assert_eq!(look(832, 7), [named, (40_000, Some(false))], "twice; it is no news");
    assert_eq!(look(0, 7), [named]);
    assert_eq!(look(832, 7), [named]);
    assert_eq!(look(832, 8), [named], "another socket");
}

fn four_zeros() -> IpAddr {
    Ipv4Addr::UNSPECIFIED.into()
}

fn nobody() -> Clients {
    Clients { ports: CLIENT_PORTS, holding: HashSet::new() }
}

/// What is unread, by both ways to ask.
fn unread(protocol: &str, address: SocketAddr) -> [Option<u64>; 2] {
    let name = format!("{protocol} {address}");
    [true, false].map(|live| {
        let (proc_root, mut buffer) = (Folder::open(Path::new("/proc")), Vec::new());
        let mut sockets = Sockets::new(live, Span::from_secs(5));
        // A port that the kernel handed out is listed when it holds bytes twice; an owner may be found later.
        let mut looks = (0..1_000).map(|number| {
            let found = sockets.read(&proc_root, &mut buffer, number * 5_000, &mut Vec::new()).expect("sockets");
            found.sockets.into_iter().find(|socket| socket.name() == name)
        });
        let own = looks.nth(1)??;
        let owner = own.owner.or_else(|| looks.find_map(|own| own?.owner));
        assert_eq!(owner, Some(std::process::id()));
        own.unread_bytes
    })
}

#[test]
fn a_socket_that_appears_is_told_once_and_with_its_owner() {
    let (proc_root, mut buffer) = (Folder::open(Path::new("/proc")), Vec::new());
    let mut sockets = Sockets::new(true, Span::from_secs(5));
    let mut now_ms = 0;
    let mut look = |address: SocketAddr| {
        now_ms += 5_000;
        let found = sockets.read(&proc_root, &mut buffer, now_ms, &mut Vec::new()).expect("sockets");
        found.sockets.into_iter().find(|socket| socket.name() == format!("tcp {address}"))
    };
    let (_before, old) = listener(5);
    assert_eq!(look(old).expect("it is there").opened, None, "nobody knows what was before the first look");
    let (_listening, new) = listener(5);
    let seen: Vec<Socket> = (0..PATIENCE + 2).filter_map(|_| look(new)).collect();
    let told: Vec<&Socket> = seen.iter().filter(|socket| socket.opened == Some(true)).collect();
    assert_eq!(told.len(), 1, "{seen:?}");
    // A machine with very many descriptors takes longer than anybody waits.
    let is_late = seen[PATIENCE as usize].opened == Some(true);
    assert!(told[0].owner == Some(std::process::id()) || is_late, "{seen:?}");
    assert_eq!(look(old).expect("it is there").opened, None);
}

#[test]
fn an_accepted_connection_that_nobody_reads_counts_for_its_listener() {
    let (listening, address) = listener(5);
    let mut client = TcpStream::connect(address).expect("connected");
    client.write_all(&[7; 1_000]).expect("written");
    assert_eq!(unread("tcp", address), [Some(0); 2], "nobody has accepted it: that is the queue's business");
    let (mut server, _) = listening.accept().expect("accepted");
    assert_eq!(unread("tcp", address), [Some(1_000); 2]);
    client.shutdown(Shutdown::Write).expect("closed");
    assert_eq!(unread("tcp", address), [Some(1_000); 2], "the client has given up");
    server.read_exact(&mut [0; 1_000]).expect("read");
    assert_eq!(unread("tcp", address), [Some(0); 2]);
}

#[test]
fn a_udp_socket_that_nobody_reads_is_seen_and_one_that_is_read_is_not() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = receiver.local_addr().expect("an address");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    sender.send_to(&[7; 100], address).expect("sent");
    for held in unread("udp", address) {
        assert!(held.is_some_and(|bytes| bytes >= 100), "{held:?}");
    }
    receiver.recv(&mut [0; 100]).expect("received");
    let is_client_port = CLIENT_PORTS.contains(&address.port());
    assert_eq!(unread("udp", address), [(!is_client_port).then_some(0); 2]);
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
            let remote = Ipv4Addr::new(10, 0, 0, number).into();
            let local = four_zeros();
            tally.connection(&Connection { local, port: 80, remote, is_half_closed: false, unread: 0, inode: 1 });
        }
    }
    let total: u32 = (1..=60).map(|number| number / 2 + 1).sum();
    let (found, _) = tally.found(&mut nobody());
    assert_eq!(found.connections, total);
    assert_eq!(found.peers.len(), 51);
    assert_eq!(found.peers[0], Peer { address: "10.0.0.60".to_owned(), connections: 31 });
    assert_eq!(found.peers[1].address, "10.0.0.58", "equal counts by address");
    assert_eq!(found.peers[2].address, "10.0.0.59");
    assert_eq!(found.peers[50], Peer { address: "other".to_owned(), connections: 35 });
    assert_eq!(found.peers.iter().map(|peer| peer.connections).sum::<u32>(), total);
}
