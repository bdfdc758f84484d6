//! A machine that is made up: snapshots in which everything happens that can happen, from a seed.

// Tests of the program take this file by its path, from where a module without a path would be looked for elsewhere.
#[path = "hot_world/machine.rs"]
mod machine;

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_core::gap::{Gap, GapReason, Section};
use watchkeeper_core::process::{Command, Executable};
use watchkeeper_core::reading::{
    Check, CpuTimes, DiskCounters, Filesystem, HostCounters, InterfaceCounters, Load, Memory, Peer, Pressure,
    ProcessCpu, ProcessFaults, ProcessIo, ProcessMemory, ProcessNetwork, Socket, Stall, Swap,
};
use watchkeeper_core::snapshot::{
    Anomaly, Cpu, Disk, Exited, Host, Interface, Process, Remainder, RemainderReason, TickFlags, Watch,
};
use watchkeeper_core::{BootId, Image, Moment, ProcessKey, ProcessState, Snapshot};
use watchkeeper_store::{Reader, SqliteRecorder, Store, StoreConfig};

use machine::*;

/// 2026-11-20 00:00:00 UTC.
pub const DAY: i64 = 1_795_132_800_000;
/// 2026-11-20 10:00:00 UTC.
pub const TEN: i64 = DAY + 36_000_000;

pub fn boot() -> BootId {
    BootId(Uuid::from_u128(7))
}

pub fn key(pid: u32) -> ProcessKey {
    ProcessKey { boot: boot(), pid, start_ticks: u64::from(pid) * 10 }
}

pub fn open(folder: &Path) -> (Store, SqliteRecorder) {
    let store = Store::open(folder, &StoreConfig::default()).unwrap();
    let recorder = store.recorder().unwrap();
    (store, recorder)
}

pub fn reader(folder: &Path) -> Reader {
    Reader::open(folder).unwrap()
}

/// A folder for a store: its parent is removed at the end.
pub fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    (parent, folder)
}

/// A quiet machine one second after another: `count` processes from pid 1 on, of which each burns `pid` ms a tick.
pub fn plain(ts_ms: i64, count: u32) -> Snapshot {
    let mono_ms = ts_ms - DAY + 1_000_000;
    let processes = (1..=count).map(|pid| process(pid, 1_000 * u64::from(pid))).collect();
    Snapshot {
        anomaly: None,
        checks: None,
        watch: None,
        at: Moment { ts_ms, mono_ms, suspended_ms: 0, boot: boot() },
        interval_ms: 1_000,
        flags: TickFlags::default(),
        host: Host {
            cpu_count: Some(2),
            cpu: Some(CpuTimes { user_us: 500_000, idle_us: 1_500_000, ..CpuTimes::default() }),
            memory: Some(Memory { total_bytes: 8 << 30, available_bytes: 4 << 30, ..Memory::default() }),
            ..Host::default()
        },
        cpus: None,
        disks: None,
        filesystems: None,
        interfaces: None,
        peers: None,
        sockets: None,
        processes: Some(processes),
        exited: Vec::new(),
        not_attributed: Remainder::default(),
        dropped: 0,
        gaps: Vec::new(),
    }
}

pub fn first_look(mut snapshot: Snapshot) -> Snapshot {
    snapshot.flags = TickFlags(TickFlags::FIRST_LOOK);
    snapshot.interval_ms = 0;
    snapshot.host.cpu = None;
    for process in snapshot.processes.iter_mut().flatten() {
        process.cpu = None;
    }
    snapshot
}

pub fn image(name: &str) -> Image {
    Image {
        name: name.to_owned(),
        program: name.to_owned(),
        executable: Some(Executable {
            path: format!("/usr/bin/{name}"),
            inode: Some(77),
            modified_ms: Some(1_700_000_000_000),
            deleted: false,
        }),
        command: Some(Command { text: format!("{name} --flag"), length: 12 }),
        unit: Some(format!("{name}.service")),
        container: None,
    }
}

pub fn process(pid: u32, cpu_us: u64) -> Process {
    Process {
        key: key(pid),
        parent: 1,
        image: Arc::new(image(&format!("p{pid}"))),
        uid: Some(0),
        state: Some(ProcessState::Sleeping),
        threads: Some(1),
        cpu: Some(ProcessCpu { total_us: cpu_us, user_us: cpu_us / 2 }),
        memory: Some(ProcessMemory { resident_bytes: u64::from(pid) << 20, virtual_bytes: 1 << 30 }),
        faults: Some(ProcessFaults::default()),
        io: None,
        network: None,
        descriptors: Some(5),
    }
}

/// Numbers from a seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.one_in(6) { None } else { Some(value(self)) }
    }

    /// Small numbers that repeat often, and now and then a large one.
    fn count(&mut self) -> u64 {
        match self.roll(8) {
            0..4 => 0,
            4 => 1,
            5 => 1_000,
            6 => self.roll(1 << 20),
            _ => self.roll(1 << 46),
        }
    }

    fn number(&mut self) -> f64 {
        match self.roll(3) {
            0 => 0.0,
            1 => self.roll(10_000) as f64 / 100.0 / 100.0,
            _ => self.roll(1 << 53) as f64 / 3.0,
        }
    }

    fn times(&mut self) -> CpuTimes {
        CpuTimes {
            user_us: self.count(),
            nice_us: self.count(),
            system_us: self.count(),
            idle_us: self.count(),
            iowait_us: self.count(),
            interrupt_us: self.count(),
            softirq_us: self.count(),
            steal_us: self.count(),
        }
    }

    fn stall(&mut self) -> Stall {
        Stall { avg10: self.number(), avg60: self.number(), total_us: self.count() }
    }

    fn signed(&mut self) -> i64 {
        self.count() as i64 - self.count() as i64
    }
}

/// The machine from tick to tick.
pub struct World {
    pub dice: Dice,
    images: Vec<Arc<Image>>,
    alive: Vec<Process>,
    next_pid: u32,
    last: Option<Snapshot>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let images = (0..8)
            .map(|index| {
                let mut image = image(&format!("name{index}"));
                image.program = format!("program{}", index % 3);
                if dice.one_in(3) {
                    image.executable = None;
                }
                if let Some(executable) = &mut image.executable {
                    executable.deleted = dice.one_in(3);
                    executable.inode = executable.inode.filter(|_| !dice.one_in(3));
                    executable.modified_ms = executable.modified_ms.filter(|_| !dice.one_in(3));
                }
                if dice.one_in(3) {
                    image.command = None;
                }
                if dice.one_in(3) {
                    image.unit = None;
                    image.container = Some("docker:0123456789ab".to_owned());
                }
                Arc::new(image)
            })
            .collect();
        Self { dice, images, alive: Vec::new(), next_pid: 1, last: None }
    }

    /// The next tick; often much is as it was.
    pub fn tick(&mut self, ts_ms: i64, mono_ms: i64, interval_ms: i64) -> Snapshot {
        let is_first = self.last.is_none() || self.dice.one_in(40);
        let exited = self.change_processes(ts_ms, mono_ms, is_first);
        let flags = match self.dice.roll(20) {
            _ if is_first => TickFlags::FIRST_LOOK,
            0 => TickFlags::CLOCK_STEP,
            1 => TickFlags::SUSPENDED,
            2 => TickFlags::DROPPED,
            _ => 0,
        };
        let previous = self.last.take();
        let keep = |dice: &mut Dice| previous.as_ref().filter(|_| !dice.one_in(3));
        let dice = &mut self.dice;
        let snapshot = Snapshot {
            anomaly: keep(dice).map_or_else(|| dice.maybe(anomaly), |last| last.anomaly),
            checks: keep(dice).map_or_else(|| dice.maybe(checks), |last| last.checks.clone()),
            watch: keep(dice).map_or_else(|| dice.maybe(watch), |last| last.watch),
            at: Moment { ts_ms, mono_ms, suspended_ms: 17, boot: boot() },
            interval_ms: if is_first { 0 } else { interval_ms },
            flags: TickFlags(flags),
            host: keep(dice).map_or_else(|| host(dice), |last| quiet(last.host.clone())),
            cpus: dice.maybe(|dice| (0..3).map(|number| Cpu { number, times: dice.maybe(Dice::times) }).collect()),
            disks: keep(dice).map_or_else(|| dice.maybe(disks), |last| last.disks.clone()),
            filesystems: keep(dice).map_or_else(|| dice.maybe(filesystems), |last| last.filesystems.clone()),
            interfaces: keep(dice).map_or_else(|| dice.maybe(interfaces), |last| last.interfaces.clone()),
            peers: keep(dice).map_or_else(|| dice.maybe(peers), |last| last.peers.clone()),
            sockets: keep(dice).map_or_else(|| dice.maybe(sockets), |last| last.sockets.clone()),
            processes: if dice.one_in(12) { None } else { Some(self.alive.clone()) },
            exited,
            not_attributed: keep(dice).map_or_else(|| remainder(dice), |last| last.not_attributed.clone()),
            dropped: dice.roll(20).saturating_sub(17) as u32,
            gaps: keep(dice).map_or_else(|| gaps(dice), |last| last.gaps.clone()),
        };
        self.last = Some(snapshot.clone());
        snapshot
    }

    fn change_processes(&mut self, ts_ms: i64, mono_ms: i64, is_first: bool) -> Vec<Exited> {
        let mut exited = Vec::new();
        let dice = &mut self.dice;
        for process in std::mem::take(&mut self.alive) {
            if !dice.one_in(8) {
                self.alive.push(process);
            } else if !dice.one_in(3) {
                exited.push(end(dice, process, ts_ms));
            }
        }
        for process in &mut self.alive {
            if dice.one_in(2) {
                rest(process);
            } else {
                act(dice, process, &self.images);
            }
            if is_first {
                (process.cpu, process.faults, process.io, process.network) = (None, None, None, None);
            }
        }
        while self.alive.len() < 3 || dice.one_in(2) {
            let mut process = process(self.next_pid, 0);
            self.next_pid += 1;
            if dice.one_in(2) {
                // Some begin at the very edges of the interval.
                process.key.start_ticks = ((mono_ms + 17) as u64 / 10).saturating_sub(dice.roll(103));
            }
            process.image = Arc::clone(&self.images[dice.roll(8) as usize]);
            act(dice, &mut process, &self.images);
            // Some live so shortly that only their end is seen.
            if dice.one_in(5) { exited.push(end(dice, process, ts_ms)) } else { self.alive.push(process) }
        }
        self.alive.sort_by_key(|process| process.key);
        exited.sort_by_key(|exited| exited.key);
        exited
    }
}

fn rest(process: &mut Process) {
    process.cpu = process.cpu.map(|_| ProcessCpu::default());
    process.faults = process.faults.map(|_| ProcessFaults::default());
    process.io = process.io.map(|_| ProcessIo::default());
    process.network = process.network.map(|_| ProcessNetwork::default());
}

fn act(dice: &mut Dice, process: &mut Process, images: &[Arc<Image>]) {
    if dice.one_in(10) {
        process.image = Arc::clone(&images[dice.roll(8) as usize]);
    }
    if dice.one_in(10) {
        process.parent = dice.roll(3) as u32;
        process.uid = dice.maybe(|dice| dice.roll(2) as u32);
    }
    process.state = dice.maybe(|dice| ProcessState::CODES[dice.roll(ProcessState::CODES.len() as u64) as usize].0);
    process.threads = dice.maybe(|dice| dice.roll(4) as u32);
    process.cpu = dice.maybe(|dice| {
        let user_us = dice.roll(1_000_000);
        ProcessCpu { total_us: user_us + dice.roll(1_000), user_us }
    });
    process.memory = dice.maybe(|dice| ProcessMemory { resident_bytes: dice.count(), virtual_bytes: dice.count() });
    process.faults = dice.maybe(|dice| ProcessFaults { minor: dice.count(), major: dice.count() });
    process.io = dice.maybe(|dice| ProcessIo { read_bytes: dice.count(), written_bytes: dice.count() });
    process.network = dice.maybe(|dice| ProcessNetwork { received_bytes: dice.count(), sent_bytes: dice.count() });
    process.descriptors = dice.maybe(|dice| dice.roll(100) as u32);
}

fn end(dice: &mut Dice, process: Process, ts_ms: i64) -> Exited {
    Exited {
        key: process.key,
        parent: process.parent,
        image: process.image,
        uid: process.uid,
        ts_ms: ts_ms - dice.roll(900) as i64,
        code: dice.maybe(|dice| dice.roll(3) as i32),
        signal: dice.maybe(|dice| dice.roll(16) as i32),
        cpu: dice.maybe(|dice| ProcessCpu { total_us: 5_000 + dice.roll(9), user_us: dice.roll(5_000) }),
        faults: dice.maybe(|dice| ProcessFaults { minor: dice.count(), major: 0 }),
        io: dice.maybe(|dice| ProcessIo { read_bytes: dice.count(), written_bytes: dice.count() }),
        network: None,
    }
}
