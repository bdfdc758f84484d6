use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// A recorded `/proc` in which processes hold sockets.
struct Recorded(tempfile::TempDir);

impl Recorded {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn process(&self, pid: u32, parent: u32, sockets: &[u64]) -> &Self {
        let folder = self.0.path().join(pid.to_string());
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("fd")).expect("made");
        fs::write(folder.join("stat"), stat(pid, parent)).expect("written");
        symlink("/dev/null", folder.join("fd/0")).expect("linked");
        symlink("pipe:[7]", folder.join("fd/1")).expect("linked");
        for (index, inode) in sockets.iter().enumerate() {
            symlink(format!("socket:[{inode}]"), folder.join(format!("fd/{}", index + 2))).expect("linked");
        }
        self
    }

    fn gone(&self, pid: u32) -> &Self {
        fs::remove_dir_all(self.0.path().join(pid.to_string())).expect("removed");
        self
    }

    fn root(&self) -> Folder {
        Folder::open(self.0.path())
    }

    /// One look with a whole search.
    fn look(&self, owners: &mut Owners, sockets: &[(u64, bool)]) -> Vec<Option<u32>> {
        owners.look(&self.root(), sockets);
        owners.go_on(&self.root());
        sockets.iter().map(|(inode, _)| owners.of(*inode)).collect()
    }
}

fn stat(pid: u32, parent: u32) -> String {
    format!(
        "{pid} (server) S {parent} {pid} {pid} 0 -1 4194304 1 0 0 0 5 3 0 0 20 0 1 0 {pid} 1000 10{}\n",
        " 0".repeat(28)
    )
}

#[test]
fn the_eldest_of_a_family_that_shares_a_socket_is_its_owner() {
    let recorded = Recorded::new();
    recorded.process(1, 0, &[90, 91]).process(500, 1, &[]).process(510, 500, &[80]).process(511, 510, &[80, 80]);
    recorded.process(512, 511, &[80]).process(600, 1, &[81, 90]);
    let sockets = [80, 81, 90, 91, 99, 0].map(|inode| (inode, false));
    let expected = [Some(510), Some(600), Some(600), Some(1), None, None];
    assert_eq!(recorded.look(&mut Owners::default(), &sockets), expected);
}

#[test]
fn an_owner_that_ends_or_closes_the_socket_is_forgotten_and_another_is_looked_for() {
    let recorded = Recorded::new();
    recorded.process(500, 1, &[80]).process(510, 1, &[81]);
    let mut owners = Owners::default();
    let sockets = [(80, false), (81, false)];
    assert_eq!(recorded.look(&mut owners, &sockets), [Some(500), Some(510)]);
    // The pid of the first is taken by somebody else; the second hands its socket to a successor.
    recorded.process(500, 1, &[77]).gone(510).process(520, 1, &[81]);
    assert_eq!(recorded.look(&mut owners, &sockets), [None, Some(520)]);
    assert_eq!(recorded.look(&mut owners, &[]), []);
    assert!(owners.known.is_empty() && owners.unseen.is_empty(), "nothing is kept of sockets that are gone");
}

#[test]
fn what_was_not_found_is_not_looked_for_again() {
    let recorded = Recorded::new();
    recorded.process(500, 1, &[]);
    let mut owners = Owners::default();
    assert_eq!(recorded.look(&mut owners, &[(80, false)]), [None]);
    owners.look(&recorded.root(), &[(80, true)]);
    assert!(owners.search.is_none());
    assert_eq!(owners.gap(), None, "nobody refused");
}

#[test]
fn a_socket_of_process_1_is_looked_for_again_when_connections_wait() {
    let recorded = Recorded::new();
    recorded.process(1, 0, &[80]);
    let mut owners = Owners::default();
    assert_eq!(recorded.look(&mut owners, &[(80, false)]), [Some(1)]);
    recorded.process(700, 1, &[80]);
    assert_eq!(recorded.look(&mut owners, &[(80, false)]), [Some(1)], "nobody asks");
    assert_eq!(recorded.look(&mut owners, &[(80, true)]), [Some(700)]);
}

#[test]
fn a_long_search_goes_on_at_the_next_look() {
    let recorded = Recorded::new();
    let many: Vec<u64> = (1_000..1_600).collect();
    for pid in 100..104 {
        recorded.process(pid, 1, &many);
    }
    recorded.process(50, 1, &[80]);
    let mut owners = Owners::default();
    let root = recorded.root();
    owners.look(&root, &[(80, false)]);
    let mut pieces = 0;
    while owners.of(80).is_none() && pieces < 10 {
        owners.go_on(&root);
        pieces += 1;
    }
    // Each of the others fills a piece.
    assert_eq!(pieces, 5);
}

#[test]
fn an_own_socket_is_found_in_the_running_kernel() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let inode = rustix::fs::fstat(&listener).expect("looked at").st_ino;
    let root = Folder::open(Path::new("/proc"));
    let mut owners = Owners::default();
    owners.look(&root, &[(inode, false)]);
    while owners.search.is_some() {
        owners.go_on(&root);
    }
    assert_eq!(owners.of(inode), Some(std::process::id()));
    drop(listener);
    owners.look(&root, &[(inode, false)]);
    assert_eq!(owners.of(inode), None);
}

#[test]
fn what_appears_while_others_are_searched_is_searched_next() {
    let recorded = Recorded::new();
    // The youngest fills a piece of the search by itself.
    let others: Vec<u64> = (1_000..1_000 + PIECE as u64).collect();
    recorded.process(700, 1, &[81]).process(800, 1, &[80]).process(900, 1, &others);
    let mut owners = Owners::default();
    assert_eq!(recorded.look(&mut owners, &[(80, false)]), [None]);
    assert!(owners.is_sought(80) && !owners.is_sought(81));
    assert_eq!(recorded.look(&mut owners, &[(80, false), (81, false)]), [Some(800), None]);
    assert!(owners.is_sought(81) && !owners.is_sought(80), "nobody looks at sockets again so soon");
    for _ in 0..2 {
        owners.go_on(&recorded.root());
    }
    assert_eq!((owners.of(81), owners.is_sought(81)), (Some(700), false));
}
