//! Filesystems without room, and a group of processes without memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MACHINE;
use super::quick::{Incidents, configuration, culprit, quick};
use super::trouble::Trouble;
use crate::mount::Mount;
use crate::program::Program;

fn write(path: &Path, mib: usize) {
    fs::write(path, vec![b'.'; mib << 20]).expect("it is written");
}

#[test]
fn a_full_filesystem_is_named_and_one_without_inodes() {
    let rules = vec![quick("filesystem-full", 2), quick("filesystem-full-critical", 2), quick("filesystem-inodes", 2)];
    let program = Program::new(&configuration(rules, ""));
    let full = Mount::tmpfs(program.folder().join("full"), "size=100m,mode=700");
    let many = Mount::tmpfs(program.folder().join("many"), "size=100m,nr_inodes=101,mode=700");
    write(&full.0.join("a"), 93);
    for number in 0..97 {
        fs::write(many.0.join(number.to_string()), "").expect("there are inodes");
    }
    let mut watch = program.run();

    let incidents = Incidents(&program);
    let on = |mount: &Mount| {
        let path = mount.0.to_str().expect("a path").to_owned();
        move |incident: &serde_json::Value| incident["evidence"]["entity"]["filesystem"] == path.as_str()
    };
    let small = incidents.wait("filesystem-full", "93 %", on(&full));
    assert_eq!(small["severity"], "warning", "{small:#}");
    assert_eq!(culprit(&small), None, "no account of disks says who wrote into memory: {small:#}");
    let files = incidents.wait("filesystem-inodes", "97 of 101", on(&many));
    assert!(files["evidence"]["value"].as_f64().is_some_and(|value| (0.95..1.0).contains(&value)), "{files:#}");

    // It gets worse: the same incident becomes critical.
    write(&full.0.join("b"), 6);
    let worse =
        incidents.wait("filesystem-full", "99 %", |incident| on(&full)(incident) && incident["severity"] == "critical");
    assert_eq!(worse["ticket"], small["ticket"], "it is one trouble");
    let joined = worse["joined"].as_array().expect("a list");
    assert!(joined.iter().any(|alert| alert["rule"] == "filesystem-full-critical"), "{joined:#?}");

    for name in ["a", "b"] {
        fs::remove_file(full.0.join(name)).expect("it was there");
    }
    for number in 0..97 {
        fs::remove_file(many.0.join(number.to_string())).expect("it was there");
    }
    incidents.is_resolved(&small);
    incidents.is_resolved(&files);
    assert!(watch.terminate(Duration::from_secs(10)));
}

/// A control group of our own with 96 MiB of memory, gone when the test is over.
struct Group(PathBuf);

impl Group {
    fn new() -> Self {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, limit) = if root.join("memory").is_dir() {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            // The children of the root may have limits only if it passes them on; systemd and containers ask for it anyway.
            let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
            (root.to_owned(), "memory.max")
        };
        let group = parent.join(format!("watchkeeper-test-{}", std::process::id()));
        let made = fs::create_dir(&group).and_then(|()| fs::write(group.join(limit), "100663296"));
        made.expect("this test needs the right to make a control group with a memory limit");
        // Without swap, if there is any, it would take long.
        let _ = fs::write(group.join("memory.swap.max"), "0");
        Self(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_process_that_the_kernel_kills_within_its_group_is_named() {
    let _machine = MACHINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let program = Program::new(&configuration(vec![quick("oom-kill", 0)], ""));
    let mut watch = program.run();
    let group = Group::new();
    let folder = group.0.to_str().expect("a path");
    let mut hog = Trouble::start_with(program.folder(), "wk-hog", &["hog", folder]);
    let incidents = Incidents(&program);
    // Others may be killed on the same machine by a test of their own.
    let killed = incidents.blames("oom-kill", hog.pid());
    let program_of = &killed["evidence"]["top"][0]["program"];
    assert!(program_of.as_str().is_some_and(|program| program.contains("wk-hog.py")), "{program_of}");
    hog.wait();
    incidents.is_resolved(&killed);
    assert!(watch.terminate(Duration::from_secs(10)));
}
