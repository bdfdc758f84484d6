use std::fs;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::*;

const SPACE: Space = Space { total_bytes: 1_000, free_bytes: 400, available_bytes: 300, inodes: 50, inodes_free: 20 };

fn proc_with(mountinfo: &str) -> (tempfile::TempDir, Folder) {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(root.path().join("self")).expect("made");
    fs::write(root.path().join("self/mountinfo"), mountinfo).expect("written");
    let folder = Folder::open(root.path());
    (root, folder)
}

fn look(filesystems: &mut Filesystems, folder: &Folder, mono_ms: i64) -> (Vec<String>, Vec<Gap>) {
    let mut gaps = Vec::new();
    let read = filesystems.read(folder, &mut Vec::new(), mono_ms, &mut gaps).expect("a table");
    (read.into_iter().map(|filesystem| filesystem.mount_point).collect(), gaps)
}

/// Waits for another thread, never longer than ten seconds.
fn eventually(mut done: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        if done() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn a_filesystem_is_told_with_its_size_and_kept_for_five_seconds() {
    let (root, folder) = proc_with("1 0 8:1 / / ro - ext4 /dev/sda1 rw\n2 0 8:2 / /empty rw - ext4 /dev/sda2 rw\n");
    let measure = |point: &Path| Ok(if point == Path::new("/") { SPACE } else { Space::default() });
    let mut filesystems = Filesystems::new(Arc::new(measure));
    let mut gaps = Vec::new();
    let read = filesystems.read(&folder, &mut Vec::new(), 0, &mut gaps).expect("a table");
    assert_eq!(
        read,
        [Filesystem {
            mount_point: "/".to_owned(),
            device: "/dev/sda1".to_owned(),
            kind: "ext4".to_owned(),
            total_bytes: 1_000,
            free_bytes: 400,
            available_bytes: 300,
            inodes: 50,
            inodes_free: 20,
            read_only: true,
        }]
    );
    assert_eq!(gaps, []);
    fs::write(root.path().join("self/mountinfo"), "broken").expect("written");
    assert_eq!(look(&mut filesystems, &folder, 4_999).0, ["/"]);
    assert_eq!(filesystems.read(&folder, &mut Vec::new(), 5_000, &mut gaps), None);
    assert_eq!((gaps.len(), gaps[0].reason), (1, GapReason::Malformed));
}

#[test]
fn what_refuses_is_counted_with_a_remedy() {
    let table = "1 0 8:1 / /a rw - ext4 /dev/sda1 rw\n2 0 8:2 / /b rw - ext4 /dev/sda2 rw\n\
                 3 0 8:3 / /c rw - ext4 /dev/sda3 rw\n4 0 8:4 / /d rw - ext4 /dev/sda4 rw\n";
    let (_root, folder) = proc_with(table);
    let mut filesystems = Filesystems::new(Arc::new(|point: &Path| match point.to_str() {
        Some("/a") => Err(Errno::ACCESS),
        Some("/b") => Err(Errno::IO),
        Some("/c") => Err(Errno::NOENT),
        _ => Ok(SPACE),
    }));
    let (points, gaps) = look(&mut filesystems, &folder, 0);
    assert_eq!(points, ["/d"]);
    let told: Vec<_> = gaps.iter().map(|gap| (gap.reason, gap.count, gap.remedy.is_some())).collect();
    assert_eq!(told, [(GapReason::Permission, 1, true), (GapReason::Malformed, 1, false)]);
}

/// A server that answers a question only when told to.
fn server() -> (Measure, Sender<Result<Space, Errno>>, Receiver<()>) {
    let (tell, told) = channel();
    let (asked, was_asked) = channel();
    let told = Mutex::new(told);
    let measure: Measure = Arc::new(move |_: &Path| {
        asked.send(()).expect("the test listens");
        told.lock().expect("not poisoned").recv().unwrap_or(Err(Errno::IO))
    });
    (measure, tell, was_asked)
}

#[test]
fn a_hanging_server_never_blocks_and_is_named() {
    let (_root, folder) = proc_with("1 0 0:50 / /net/a\\040b rw - nfs4 server:/a rw\n");
    let (measure, tell, was_asked) = server();
    let mut filesystems = Filesystems::new(measure);

    let (points, gaps) = look(&mut filesystems, &folder, 0);
    assert_eq!((points.len(), gaps.len()), (0, 1));
    assert_eq!((gaps[0].reason, gaps[0].remedy.as_deref()), (GapReason::NotSampled, None), "still time");

    tell.send(Ok(SPACE)).expect("the server lives");
    assert!(eventually(|| look(&mut filesystems, &folder, 1_000) == (vec!["/net/a b".to_owned()], vec![])));
    was_asked.recv().expect("asked once");

    // Asked again at 5 s and silent from now on: the last value stands until the deadline.
    assert_eq!(look(&mut filesystems, &folder, 5_000).0.len(), 1);
    assert_eq!(look(&mut filesystems, &folder, 9_999).0.len(), 1);
    for mono_ms in [10_000, 15_000, 20_000, 100_000] {
        let (points, gaps) = look(&mut filesystems, &folder, mono_ms);
        assert_eq!(points.len(), 0);
        let remedy = gaps[0].remedy.as_deref().expect("a remedy");
        assert!(remedy.contains("/net/a b does not answer"), "{remedy}");
    }
    was_asked.recv().expect("asked a second time");
    assert!(was_asked.try_recv().is_err(), "one thread per hanging server and no more");

    tell.send(Ok(SPACE)).expect("the server lives");
    assert!(eventually(|| look(&mut filesystems, &folder, 100_001).0.len() == 1), "back again");
    drop(tell);
}

#[test]
fn an_unmounted_server_is_forgotten() {
    let (root, folder) = proc_with("1 0 0:50 / /net rw - nfs4 server:/a rw\n");
    let (measure, tell, _was_asked) = server();
    let mut filesystems = Filesystems::new(measure);
    look(&mut filesystems, &folder, 0);
    fs::write(root.path().join("self/mountinfo"), "1 0 0:5 / /proc rw - proc proc rw\n").expect("written");
    assert_eq!(look(&mut filesystems, &folder, 10_000), (vec![], vec![]));
    drop(tell);
}

#[test]
fn the_running_system_has_a_root_with_a_size() {
    let mut gaps = Vec::new();
    let mut filesystems = Filesystems::new(statvfs());
    let read = filesystems.read(&Folder::open(Path::new("/proc")), &mut Vec::new(), 0, &mut gaps).expect("a table");
    let root = read.iter().find(|filesystem| filesystem.mount_point == "/");
    // The root of a chroot need not be a mount point; then the kernel does not list it, and so do not we.
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("a table");
    let is_listed = mounts.lines().any(|line| line.split(' ').nth(4) == Some("/"));
    assert_eq!(root.is_some(), is_listed);
    if let Some(root) = root {
        let status = rustix::fs::statvfs("/").expect("a root");
        assert_eq!(root.total_bytes, status.f_blocks * status.f_frsize);
        assert!(root.free_bytes <= root.total_bytes && root.available_bytes <= root.free_bytes);
    }
    assert!(read.iter().all(|filesystem| !filesystem.kind.starts_with("cgroup") && filesystem.kind != "proc"));
}
