//! The machine of the benchmark: made up after a busy one with 2 cores, the same at every run.

use std::sync::Arc;

use watchkeeper_core::gap::{Gap, GapReason, Section};
use watchkeeper_core::process::{Command, Executable};
use watchkeeper_core::reading::{
    CpuTimes, DiskCounters, Filesystem, HostCounters, InterfaceCounters, Load, Memory, Peer, Pressure, ProcessCpu,
    ProcessFaults, ProcessIo, ProcessMemory, Socket, Stall, Swap,
};
use watchkeeper_core::snapshot::{Cpu, Disk, Exited, Host, Interface, Process, Remainder, RemainderReason, TickFlags};
use watchkeeper_core::{BootId, Image, Moment, ProcessKey, ProcessState, Snapshot};

/// Processes that live all the time.
pub const PROCESSES: u32 = 300;
/// 2026-11-20 00:00:00 UTC.
pub const DAY: i64 = 1_795_132_800_000;

/// The identity of a process.
pub fn key(pid: u32) -> ProcessKey {
    ProcessKey { boot: BootId::default(), pid, start_ticks: u64::from(pid) * 3 }
}

/// The made-up machine.
pub struct Machine {
    random: u64,
    processes: Vec<Process>,
    /// In how many of 1,000 ticks each process changes.
    rates: Vec<u64>,
    images: Vec<Arc<Image>>,
    /// The short-lived process of the last tick.
    short: Option<Process>,
    /// Processes that changed in the last tick.
    pub changed: u64,
    memory: Memory,
    load: f64,
}

impl Machine {
    /// As it is at midnight.
    pub fn new() -> Self {
        let mut machine = Self {
            random: 42,
            processes: Vec::new(),
            rates: Vec::new(),
            images: (0..200).map(|index| Arc::new(image("cc1", index))).collect(),
            short: None,
            changed: 0,
            memory: Memory { total_bytes: 16 << 30, ..Memory::default() },
            load: 0.5,
        };
        for pid in 1..=PROCESSES {
            machine.rates.push(if pid % 10 == 0 { 900 } else { 20 + u64::from(pid) % 93 });
            let image = Arc::new(image("daemon", u64::from(pid)));
            let process = machine.process(pid, image);
            machine.processes.push(process);
        }
        machine
    }

    fn roll(&mut self, sides: u64) -> u64 {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % sides
    }

    fn process(&mut self, pid: u32, image: Arc<Image>) -> Process {
        Process {
            key: key(pid),
            parent: 1,
            image,
            uid: Some(0),
            state: Some(ProcessState::Sleeping),
            threads: Some(1 + self.roll(8) as u32),
            cpu: Some(ProcessCpu::default()),
            memory: Some(ProcessMemory {
                resident_bytes: (1 + self.roll(60_000)) << 12,
                virtual_bytes: (30_000 + self.roll(6_000_000)) << 12,
            }),
            faults: Some(ProcessFaults::default()),
            io: Some(ProcessIo::default()),
            network: None,
            descriptors: Some(4 + self.roll(200) as u32),
        }
    }

    pub fn tick(&mut self, second: i64) -> Snapshot {
        let is_first = second == 0;
        self.changed = 0;
        let mut busy_us = 0;
        for index in 0..self.processes.len() {
            busy_us += self.step(index);
        }
        let mut processes = self.processes.clone();
        let exited = self.short.take().into_iter().map(|process| end(process, second)).collect();
        let which = self.roll(200) as usize;
        let image = Arc::clone(&self.images[which]);
        let mut short = self.process(1_000 + second as u32, image);
        short.cpu = Some(ProcessCpu { total_us: 1_000 + self.roll(90_000), user_us: 1_000 });
        self.short = Some(short.clone());
        processes.push(short);
        if is_first {
            for process in &mut processes {
                (process.cpu, process.faults, process.io) = (None, None, None);
            }
        }
        let host = self.host(busy_us);
        let cpus = (0..2).map(|number| Cpu { number, times: Some(self.times(busy_us / 2)) }).collect();
        Snapshot {
            anomaly: None,
            checks: None,
            watch: None,
            at: Moment {
                ts_ms: DAY + second * 1_000,
                mono_ms: 10_000_000 + second * 1_000,
                suspended_ms: 0,
                boot: BootId::default(),
            },
            interval_ms: if is_first { 0 } else { 1_000 },
            flags: TickFlags(if is_first { TickFlags::FIRST_LOOK } else { 0 }),
            host,
            cpus: Some(cpus),
            disks: Some(vec![self.disk()]),
            filesystems: Some((0..3).map(|index| self.filesystem(index)).collect()),
            interfaces: Some((0..2).map(|index| self.interface(index)).collect()),
            peers: Some((0..5).map(|index| Peer { address: format!("10.0.0.{index}"), connections: 3 }).collect()),
            sockets: Some((0..12).map(socket).collect()),
            processes: Some(processes),
            exited,
            not_attributed: Remainder {
                cpu_us: Some(self.roll(30_000) as i64),
                read_bytes: Some(0),
                written_bytes: Some((self.roll(50) as i64) << 12),
                received_bytes: None,
                sent_bytes: None,
                reasons: vec![RemainderReason::Interrupts, RemainderReason::Ended],
            },
            dropped: 0,
            gaps: [Section::ProcessNetwork, Section::ProcessExit, Section::ShortLived]
                .map(|section| Gap { section, reason: GapReason::Unsupported, count: 1, remedy: None })
                .into(),
        }
    }

    /// One process goes on; returns its CPU time.
    fn step(&mut self, index: usize) -> u64 {
        let moves = self.roll(1_000) < self.rates[index];
        let rolls: [u64; 6] = std::array::from_fn(|_| self.roll(1 << 20));
        let process = &mut self.processes[index];
        process.cpu = Some(ProcessCpu::default());
        process.faults = Some(ProcessFaults::default());
        process.io = Some(ProcessIo::default());
        process.state = Some(ProcessState::Sleeping);
        if !moves {
            return 0;
        }
        self.changed += 1;
        let total_us = 50 + (rolls[0] % 20_000) * (rolls[1] % 20_000) / 20_000;
        process.cpu = Some(ProcessCpu { total_us, user_us: total_us * 2 / 3 });
        if rolls[2].is_multiple_of(3)
            && let Some(memory) = &mut process.memory
        {
            memory.resident_bytes = memory.resident_bytes.saturating_add_signed((rolls[3] as i64 % 101 - 50) << 12);
        }
        if rolls[3].is_multiple_of(4) {
            process.faults = Some(ProcessFaults { minor: rolls[4] % 500, major: 0 });
        }
        if rolls[4].is_multiple_of(6) {
            process.io = Some(ProcessIo { read_bytes: 0, written_bytes: (1 + rolls[5] % 32) << 12 });
        }
        if rolls[5].is_multiple_of(12) {
            process.state = Some(ProcessState::Running);
        }
        total_us
    }

    fn times(&mut self, busy_us: u64) -> CpuTimes {
        let busy_us = busy_us.min(900_000);
        CpuTimes {
            user_us: busy_us / 10_000 * 10_000,
            system_us: self.roll(6) * 10_000,
            idle_us: 940_000 - busy_us,
            iowait_us: self.roll(3) * 10_000,
            softirq_us: self.roll(2) * 10_000,
            ..CpuTimes::default()
        }
    }

    fn host(&mut self, busy_us: u64) -> Host {
        let step = |machine: &mut Self, value: u64| (value + (machine.roll(400) << 12)).max(1 << 30) % (8 << 30);
        let mut memory = self.memory;
        memory.free_bytes = step(self, memory.free_bytes);
        memory.available_bytes = step(self, memory.available_bytes);
        memory.cached_bytes = step(self, memory.cached_bytes);
        memory.buffers_bytes = 200 << 20;
        memory.dirty_bytes = self.roll(500) << 12;
        self.memory = memory;
        self.load = (self.load * 0.98 + self.roll(5) as f64 * 0.01).max(0.0);
        let hundredth = |value: f64| (value * 100.0).round() / 100.0;
        let stall = |machine: &mut Self| Stall {
            avg10: hundredth(machine.roll(200) as f64 / 1e4) / 100.0,
            avg60: hundredth(machine.roll(100) as f64 / 1e4) / 100.0,
            total_us: machine.roll(20_000),
        };
        Host {
            cpu_count: Some(2),
            cpu: Some(self.times(busy_us)),
            memory: Some(memory),
            swap: Some(Swap { total_bytes: 2 << 30, free_bytes: 2 << 30 }),
            load: Some(Load {
                one: hundredth(self.load),
                five: hundredth(self.load * 0.9),
                fifteen: hundredth(self.load * 0.8),
            }),
            pressure: Some(Pressure {
                cpu_some: Some(stall(self)),
                memory_some: Some(Stall::default()),
                memory_full: Some(Stall::default()),
                io_some: Some(stall(self)),
                io_full: Some(stall(self)),
            }),
            counters: HostCounters {
                created: Some(1),
                context_switches: Some(2_000 + self.roll(3_000)),
                interrupts: Some(1_000 + self.roll(1_000)),
                minor_faults: Some(self.roll(3_000)),
                major_faults: Some(0),
                swapped_in_bytes: Some(0),
                swapped_out_bytes: Some(0),
                oom_kills: Some(0),
            },
            connections: Some(15),
            ..Host::default()
        }
    }

    fn disk(&mut self) -> Disk {
        let writes = self.roll(20);
        let counters = DiskCounters {
            written_bytes: writes << 14,
            writes,
            write_us: writes * 700,
            busy_us: writes * 500,
            ..DiskCounters::default()
        };
        Disk { name: "nvme0n1".to_owned(), counters: Some(counters), in_flight: 0 }
    }

    fn filesystem(&mut self, index: usize) -> Filesystem {
        let free_bytes = (40 << 30) - (if index == 0 { self.roll(4) << 12 } else { 0 });
        Filesystem {
            mount_point: ["/", "/home", "/boot"][index].to_owned(),
            device: format!("/dev/nvme0n1p{index}"),
            kind: "ext4".to_owned(),
            total_bytes: 100 << 30,
            free_bytes,
            available_bytes: free_bytes - (5 << 30),
            inodes: 6_000_000,
            inodes_free: 5_000_000,
            read_only: false,
        }
    }

    fn interface(&mut self, index: usize) -> Interface {
        let packets = self.roll(60);
        let counters = InterfaceCounters {
            received_bytes: packets * 700,
            sent_bytes: packets * 300,
            received_packets: packets,
            sent_packets: packets / 2,
            ..InterfaceCounters::default()
        };
        Interface { name: ["eth0", "lo"][index].to_owned(), counters: Some(counters), up: Some(true) }
    }
}

fn image(name: &str, index: u64) -> Image {
    let text =
        format!("/usr/libexec/{name} --config /etc/{name}/{index}.toml --verbose --output /var/lib/{name}/{index}");
    Image {
        name: name.to_owned(),
        program: format!("{name}-{}.service / {name}", index % 50),
        executable: Some(Executable {
            path: format!("/usr/libexec/{name}"),
            inode: Some(1_000_000),
            modified_ms: Some(1_780_000_000_000),
            deleted: false,
        }),
        command: Some(Command { length: text.len() as u64, text }),
        unit: Some(format!("{name}-{}.service", index % 50)),
        container: None,
    }
}

fn end(process: Process, second: i64) -> Exited {
    Exited {
        key: process.key,
        parent: process.parent,
        image: process.image,
        uid: process.uid,
        ts_ms: DAY + second * 1_000,
        code: None,
        signal: None,
        cpu: None,
        faults: None,
        io: None,
        network: None,
    }
}

fn socket(index: u16) -> Socket {
    Socket {
        opened: None,
        owner: None,
        unread_bytes: None,
        protocol: "tcp".to_owned(),
        address: "0.0.0.0".to_owned(),
        port: 8_000 + index,
        uid: Some(0),
        queue: Some(0),
        backlog: Some(128),
    }
}
