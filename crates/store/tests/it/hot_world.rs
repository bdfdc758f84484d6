//! A machine that is made up: snapshots in which everything happens that can happen, from a seed.

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
                process.key.start_ticks = (mono_ms + 17) as u64 / 10 - dice.roll(103);
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

fn quiet(mut host: Host) -> Host {
    host.cpu = host.cpu.map(|_| CpuTimes::default());
    host
}

fn host(dice: &mut Dice) -> Host {
    Host {
        clock_step_ms: dice.maybe(Dice::signed),
        oom_victim: dice.maybe(|dice| 1 + dice.roll(5) as u32),
        cpu_count: dice.maybe(|dice| 1 + dice.roll(4) as u32),
        cpu: dice.maybe(Dice::times),
        memory: dice.maybe(|dice| Memory {
            total_bytes: dice.count(),
            free_bytes: dice.count(),
            available_bytes: dice.count(),
            buffers_bytes: dice.count(),
            cached_bytes: dice.count(),
            shared_bytes: dice.count(),
            slab_bytes: dice.count(),
            dirty_bytes: dice.count(),
        }),
        swap: dice.maybe(|dice| Swap { total_bytes: dice.count(), free_bytes: dice.count() }),
        load: dice.maybe(|dice| Load { one: dice.number(), five: dice.number(), fifteen: dice.number() }),
        pressure: dice.maybe(|dice| Pressure {
            cpu_some: dice.maybe(Dice::stall),
            memory_some: dice.maybe(Dice::stall),
            memory_full: dice.maybe(Dice::stall),
            io_some: dice.maybe(Dice::stall),
            io_full: dice.maybe(Dice::stall),
        }),
        counters: HostCounters {
            created: dice.maybe(Dice::count),
            context_switches: dice.maybe(Dice::count),
            interrupts: dice.maybe(Dice::count),
            minor_faults: dice.maybe(Dice::count),
            major_faults: dice.maybe(Dice::count),
            swapped_in_bytes: dice.maybe(Dice::count),
            swapped_out_bytes: dice.maybe(Dice::count),
            oom_kills: dice.maybe(|dice| dice.roll(12).saturating_sub(9)),
        },
        connections: dice.maybe(|dice| dice.roll(9) as u32),
    }
}

fn some_of(dice: &mut Dice, names: &[&str]) -> Vec<String> {
    let kept: Vec<bool> = names.iter().map(|_| !dice.one_in(4)).collect();
    names.iter().zip(kept).filter(|(_, kept)| *kept).map(|(name, _)| (*name).to_owned()).collect()
}

fn disks(dice: &mut Dice) -> Vec<Disk> {
    let names = some_of(dice, &["nvme0n1", "sda", "sdb"]);
    let counters = |dice: &mut Dice| DiskCounters {
        read_bytes: dice.count(),
        written_bytes: dice.count(),
        reads: dice.count(),
        writes: dice.count(),
        read_us: dice.count(),
        write_us: dice.count(),
        busy_us: dice.count(),
    };
    names.into_iter().map(|name| Disk { name, counters: dice.maybe(counters), in_flight: dice.count() }).collect()
}

fn filesystems(dice: &mut Dice) -> Vec<Filesystem> {
    let mounts = some_of(dice, &["/", "/home", "/tmp a\nb"]);
    let mut filesystem = |mount_point: String| Filesystem {
        mount_point,
        device: format!("/dev/sda{}", dice.roll(2)),
        kind: "ext4".to_owned(),
        total_bytes: dice.count(),
        free_bytes: dice.count(),
        available_bytes: dice.count(),
        inodes: dice.count(),
        inodes_free: dice.count(),
        read_only: dice.one_in(2),
    };
    mounts.into_iter().map(&mut filesystem).collect()
}

fn interfaces(dice: &mut Dice) -> Vec<Interface> {
    let counters = |dice: &mut Dice| InterfaceCounters {
        received_bytes: dice.count(),
        sent_bytes: dice.count(),
        received_packets: dice.count(),
        sent_packets: dice.count(),
        received_errors: dice.count(),
        sent_errors: dice.count(),
        received_dropped: dice.count(),
        sent_dropped: dice.count(),
    };
    let names = some_of(dice, &["eth0", "lo"]);
    let mut interface =
        |name| Interface { name, counters: dice.maybe(counters), up: dice.maybe(|dice| dice.one_in(2)) };
    names.into_iter().map(&mut interface).collect()
}

fn peers(dice: &mut Dice) -> Vec<Peer> {
    let addresses = some_of(dice, &["10.0.0.1", "10.0.0.2", "other"]);
    let mut peers: Vec<Peer> =
        addresses.into_iter().map(|address| Peer { address, connections: 1 + dice.roll(3) as u32 }).collect();
    peers.sort_by_key(|peer| (std::cmp::Reverse(peer.connections), peer.address.clone()));
    peers
}

fn sockets(dice: &mut Dice) -> Vec<Socket> {
    let addresses = some_of(dice, &["127.0.0.1", "::"]);
    let mut sockets: Vec<Socket> = addresses
        .into_iter()
        .map(|address| Socket {
            opened: dice.maybe(|dice| dice.one_in(3)),
            owner: dice.maybe(|dice| 1 + dice.roll(5) as u32),
            unread_bytes: dice.maybe(Dice::count),
            protocol: if dice.one_in(4) { "udp" } else { "tcp" }.to_owned(),
            address,
            port: 80 + dice.roll(2) as u16,
            uid: dice.maybe(|dice| dice.roll(2) as u32),
            queue: dice.maybe(|dice| dice.roll(3) as u32),
            backlog: dice.maybe(|_| 128),
        })
        .collect();
    if dice.one_in(3) {
        // Two workers listen at the same address.
        sockets.extend(sockets.first().cloned());
    }
    sockets.sort_by_key(|socket| (socket.protocol.clone(), socket.address.clone(), socket.port, socket.uid));
    sockets
}

fn checks(dice: &mut Dice) -> Vec<Check> {
    let names = some_of(dice, &["database", "web"]);
    let errors = ["connection refused", "no answer within 5 s"];
    let mut check = |name: String| {
        let up = dice.maybe(|dice| dice.one_in(2));
        Check {
            target: format!("tcp 127.0.0.1:{}", 5_432 + name.len()),
            name,
            up,
            duration_us: dice.maybe(Dice::count),
            status: dice.maybe(|dice| 200 + dice.roll(304) as u16),
            error: (up == Some(false)).then(|| errors[dice.roll(2) as usize].to_owned()),
            tried_mono_ms: dice.maybe(|dice| dice.roll(1 << 40) as i64),
        }
    };
    names.into_iter().map(&mut check).collect()
}

fn anomaly(dice: &mut Dice) -> Anomaly {
    let mut share = || dice.roll(1_001) as f64 / 1_000.0;
    Anomaly { score: share(), threshold: share(), confidence: share() }
}

fn watch(dice: &mut Dice) -> Watch {
    Watch {
        late_ms: dice.count(),
        log_failing_ms: dice.count(),
        state_failing_ms: dice.count(),
        channel_failing_ms: dice.count(),
        outbox_age_ms: dice.count(),
    }
}

fn remainder(dice: &mut Dice) -> Remainder {
    let all = [
        RemainderReason::Interrupts,
        RemainderReason::Ended,
        RemainderReason::FirstLook,
        RemainderReason::Permission,
        RemainderReason::Kernel,
    ];
    Remainder {
        cpu_us: dice.maybe(Dice::signed),
        read_bytes: dice.maybe(Dice::signed),
        written_bytes: dice.maybe(Dice::signed),
        received_bytes: dice.maybe(Dice::signed),
        sent_bytes: dice.maybe(Dice::signed),
        reasons: all.into_iter().filter(|_| dice.one_in(2)).collect(),
    }
}

fn gaps(dice: &mut Dice) -> Vec<Gap> {
    let all = [
        (Section::ProcessNetwork, GapReason::Unsupported),
        (Section::ProcessDisk, GapReason::Permission),
        (Section::Sockets, GapReason::NotSampled),
    ];
    let gap = |dice: &mut Dice, (section, reason)| Gap {
        section,
        reason,
        count: 1 + dice.roll(2),
        remedy: dice.maybe(|_| "run it as root".to_owned()),
    };
    all.into_iter().filter_map(|what| if dice.one_in(2) { Some(gap(dice, what)) } else { None }).collect()
}
