//! The whole reader on a `/proc` and `/sys` of the fuzzer's making: two looks and what they mean.
//!
//! The input is a row of files, separated by byte 0xFF; the first byte of each says which file it becomes (`FILES`), and
//! byte 0xFE in its place begins the second look. No panic, and no metric that is negative or not a number.
#![no_main]

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use watchkeeper_collect::{CollectConfig, Collector as _, Linux, derive};
use watchkeeper_core::catalogue::{entities, metrics};
use watchkeeper_core::{EntityKind, Reading};

/// What the bytes `a`, `b`, ... stand for, below the root of `/proc`.
const FILES: [&str; 24] = [
    "stat",
    "meminfo",
    "vmstat",
    "loadavg",
    "diskstats",
    "self/mountinfo",
    "net/dev",
    "net/tcp",
    "net/tcp6",
    "pressure/cpu",
    "pressure/memory",
    "pressure/io",
    "sys/kernel/random/boot_id",
    "41/stat",
    "41/statm",
    "41/schedstat",
    "41/io",
    "41/cmdline",
    "41/cgroup",
    "42/stat",
    "42/statm",
    "42/schedstat",
    "42/io",
    "42/cmdline",
];

/// Metrics that may be negative: a sum over processes can exceed what the machine counted, by rounding.
const SIGNED: [&str; 1] = ["system.cpu.not_attributed"];

const KINDS: [EntityKind; 8] = [
    EntityKind::Host,
    EntityKind::Cpu,
    EntityKind::Disk,
    EntityKind::Filesystem,
    EntityKind::Interface,
    EntityKind::Peer,
    EntityKind::Socket,
    EntityKind::Process,
];

/// The two roots, below the folder for temporary files, and which of `FILES` exist.
struct Machine {
    root: PathBuf,
    present: [bool; FILES.len()],
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::new(Machine::new());
}

impl Machine {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("watchkeeper-fuzz-{}", std::process::id()));
        for file in FILES {
            let path = root.join("proc").join(file);
            fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder can be made");
        }
        for pid in ["41", "42"] {
            fs::create_dir_all(root.join("proc").join(pid).join("fd")).expect("a folder can be made");
        }
        for entry in ["block/sda", "class/net/eth0"] {
            fs::create_dir_all(root.join("sys").join(entry)).expect("a folder can be made");
        }
        Self { root, present: [false; FILES.len()] }
    }

    fn path(&self, index: usize) -> PathBuf {
        self.root.join("proc").join(FILES[index])
    }

    fn write(&mut self, look: &[&[u8]]) {
        for (first, content) in look.iter().filter_map(|file| file.split_first()) {
            let index = usize::from(first.wrapping_sub(b'a')) % FILES.len();
            fs::write(self.path(index), content).expect("a file can be written");
            self.present[index] = true;
        }
    }

    fn clear(&mut self) {
        for index in 0..FILES.len() {
            if std::mem::take(&mut self.present[index]) {
                fs::remove_file(self.path(index)).expect("a file of ours can be removed");
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let files: Vec<&[u8]> = bytes.split(|byte| *byte == 0xff).collect();
    let second = files.iter().position(|file| file.first() == Some(&0xfe)).unwrap_or(files.len());
    let (first_look, second_look) = files.split_at(second);
    MACHINE.with_borrow_mut(|machine| {
        machine.clear();
        let (proc_root, sys_root) = (machine.root.join("proc"), machine.root.join("sys"));
        let mut reader = Linux::with_root(&proc_root, &sys_root, &CollectConfig::default()).expect("the root exists");
        machine.write(first_look);
        let first = reader.read().expect("whatever is wrong is a gap");
        meaning(None, &first);
        machine.write(second_look.get(1..).unwrap_or_default());
        let second = reader.read().expect("whatever is wrong is a gap");
        meaning(Some(&first), &second);
    });
});

/// Derives, and looks at every metric of every entity.
fn meaning(previous: Option<&Reading>, current: &Reading) {
    let snapshot = derive(previous, current);
    for metric in metrics().filter(|metric| !SIGNED.contains(&metric.name)) {
        for kind in KINDS {
            for entity in entities(&snapshot, kind) {
                if let Some(number) = metric.value(&snapshot, entity).and_then(|value| value.number()) {
                    assert!(number >= 0.0, "{} of {:?} is {number}", metric.name, entity.entity());
                }
            }
        }
    }
}
