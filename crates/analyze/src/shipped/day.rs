//! A day of a server on which nothing is wrong: users by day, a build, a backup and updates by night.

use std::sync::Arc;

use watchkeeper_core::ProcessState;
use watchkeeper_core::reading::{DiskCounters, Filesystem, InterfaceCounters, Load, Pressure, Socket, Stall, Swap};
use watchkeeper_core::snapshot::{Disk, Interface, Process, ProcessCpu, ProcessMemory};

use super::{Watch, shipped};
use crate::RuleConfig;
use crate::scenes::{Machine, process};

const HOUR: f64 = 3_600.0;
const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;

/// Numbers that look like chance and are the same in every run.
struct Chance(u64);

impl Chance {
    /// 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

/// What the machine does at a time of the day, seconds since midnight.
struct Hour {
    /// How many users are at work, 0 to 1.
    users: f64,
    build: bool,
    backup: bool,
    update: bool,
}

impl Hour {
    fn at(t: f64) -> Self {
        let within = |from: f64, to: f64| (from * HOUR..to * HOUR).contains(&t);
        // The sine of half a day, from eight to twenty.
        let users =
            if within(8.0, 20.0) { ((t - 8.0 * HOUR) / (12.0 * HOUR) * std::f64::consts::PI).sin() } else { 0.0 };
        Self {
            users,
            build: within(10.0, 10.2) || within(15.5, 15.7),
            backup: within(3.0, 3.6),
            update: within(6.0, 6.05),
        }
    }

    fn machine_cpu(&self, chance: &mut Chance) -> f64 {
        let own = if self.build { 0.99 } else { 0.04 + 0.4 * self.users };
        (own + if self.backup { 0.3 } else { 0.0 } + chance.between(0.0, 0.1)).min(1.0)
    }
}

fn stall(share: f64) -> Stall {
    Stall { avg10: share, avg60: share, total_us: 0 }
}

fn host(machine: &mut Machine, hour: &Hour, chance: &mut Chance) {
    let busy = hour.machine_cpu(chance);
    machine.cpu(Some(busy));
    let host = &mut machine.snapshot.host;
    let load = if hour.build { chance.between(2.0, 4.0) } else { busy * 2.0 + chance.between(0.0, 0.5) };
    host.load = Some(Load { one: load, five: load, fifteen: load });
    let memory = host.memory.as_mut().unwrap();
    let used = 0.45 + 0.2 * hour.users + if hour.build { 0.15 } else { 0.0 } + chance.between(0.0, 0.03);
    memory.available_bytes = (memory.total_bytes as f64 * (1.0 - used)) as u64;
    host.swap = Some(Swap { total_bytes: 2 << 30, free_bytes: 1_400 << 20 });
    host.counters.swapped_in_bytes = Some(if chance.next() < 0.02 { 4 << 20 } else { 0 });
    host.counters.swapped_out_bytes = Some(0);
    host.counters.oom_kills = Some(0);
    host.clock_step_ms = Some(0);
    host.connections = Some((50.0 + 2_500.0 * hour.users) as u32);
    host.pressure = Some(Pressure {
        cpu_some: Some(stall(if hour.build { 0.95 } else { busy * 0.3 })),
        memory_some: Some(stall(chance.between(0.0, 0.02))),
        memory_full: Some(stall(chance.between(0.0, 0.01))),
        io_some: Some(stall(if hour.backup { 0.8 } else { chance.between(0.0, 0.1) })),
        io_full: Some(stall(if hour.backup { chance.between(0.5, 0.8) } else { chance.between(0.0, 0.05) })),
    });
}

fn parts(machine: &mut Machine, t: f64, hour: &Hour, chance: &mut Chance) {
    let interval_s = machine.snapshot.interval_ms as f64 / 1e3;
    let busy = if hour.backup { chance.between(0.9, 1.0) } else { 0.05 + 0.2 * hour.users };
    let counters = DiskCounters { busy_us: (busy * interval_s * 1e6) as u64, reads: 10, ..DiskCounters::default() };
    let in_flight = if hour.backup { 2 } else { u64::from(chance.next() < 0.1) };
    machine.snapshot.disks = Some(vec![Disk { name: "sda".to_owned(), counters: Some(counters), in_flight }]);

    // Logs fill by a gigabyte a day; the backup and the builds leave for a while what they write.
    let filled =
        0.60 + 0.01 * t / 86_400.0 + if hour.build { 0.05 } else { 0.0 } + if hour.backup { 0.08 } else { 0.0 };
    let filesystem = |mount_point: &str, taken: f64, inodes: u64| Filesystem {
        mount_point: mount_point.to_owned(),
        total_bytes: 100 << 30,
        free_bytes: ((1.0 - taken) * 100.0 * GIB) as u64,
        available_bytes: ((1.0 - taken) * 100.0 * GIB) as u64,
        inodes,
        inodes_free: inodes / 2,
        ..Filesystem::default()
    };
    machine.snapshot.filesystems = Some(vec![filesystem("/", filled, 6_000_000), filesystem("/boot", 0.72, 0)]);

    let packets = ((100.0 + 5_000.0 * hour.users) * interval_s) as u64;
    let eth0 = InterfaceCounters {
        received_packets: packets,
        sent_packets: packets,
        received_errors: u64::from(chance.next() < 0.001),
        // What the switch says to itself and the kernel does not understand.
        received_dropped: (interval_s * 0.5) as u64,
        ..InterfaceCounters::default()
    };
    let interface =
        |name: &str, counters| Interface { name: name.to_owned(), counters: Some(counters), up: Some(true) };
    machine.snapshot.interfaces = Some(vec![interface("eth0", eth0), interface("lo", InterfaceCounters::default())]);

    let web = Socket {
        protocol: "tcp".to_owned(),
        address: "0.0.0.0".to_owned(),
        port: 443,
        queue: Some(if chance.next() < 0.3 * hour.users { 2 } else { 0 }),
        backlog: Some(511),
        unread_bytes: Some((chance.between(0.0, 40_000.0) * hour.users) as u64),
        opened: Some(false),
        ..Socket::default()
    };
    machine.snapshot.sockets = Some(vec![web]);
    machine.snapshot.watch = Some(watchkeeper_core::snapshot::Watch { late_ms: 3, ..Default::default() });
    machine.snapshot.dropped = 0;
}

fn service(pid: u32, name: &str) -> Process {
    let mut process = process(pid, name);
    Arc::make_mut(&mut process.image).unit = Some(format!("{name}.service"));
    process.key.start_ticks = u64::from(pid) / 10;
    process
}

fn set(process: &mut Process, cores: f64, mib: f64, descriptors: f64, interval_s: f64) {
    let total_us = (cores * interval_s * 1e6) as u64;
    process.cpu = Some(ProcessCpu { total_us, user_us: total_us });
    process.memory = Some(ProcessMemory { resident_bytes: (mib * MIB) as u64, virtual_bytes: 1 << 34 });
    process.descriptors = Some(descriptors as u32);
}

fn processes(machine: &mut Machine, t: f64, hour: &Hour, chance: &mut Chance) {
    let interval_s = machine.snapshot.interval_ms as f64 / 1e3;
    let at = machine.snapshot.at;
    // A restart by the update, once.
    let restarted = t > 6.02 * HOUR;
    let living = machine.snapshot.processes.as_mut().unwrap();
    living.retain(|process| process.key.pid < 5_000);
    for process in living.iter_mut() {
        let users = hour.users;
        match process.image.name.as_str() {
            "nginx" => set(process, 0.1 * users, 80.0 + 30.0 * users, 300.0 + 2_500.0 * users, interval_s),
            // It starts, fills its cache within an hour and stays.
            "postgres" => {
                set(
                    process,
                    0.3 * users,
                    1_500.0 * (1.0 - (-t / (0.3 * HOUR)).exp()),
                    120.0 + 60.0 * users,
                    interval_s,
                );
            }
            // A collector every quarter of an hour, over the sessions of the users.
            "java" => {
                let sessions = 500.0 * users;
                set(process, 0.2 * users, 600.0 + sessions + 500.0 * (t % 900.0 / 900.0), 300.0, interval_s);
            }
            // Windows are opened by day, and closed now and then.
            "desktop" => set(process, 0.2 * users, 400.0 + 300.0 * users + 40.0 * (t / 400.0).sin(), 250.0, interval_s),
            "sshd" if restarted && process.parent == 1 && process.key.pid == 900 => {
                process.key.pid = 901;
                process.key.start_ticks = ((at.mono_ms + at.suspended_ms) / 10) as u64;
            }
            _ => set(process, 0.001, 10.0 + chance.between(0.0, 1.0), 12.0, interval_s),
        }
        let pool = if process.image.name == "java" { 400.0 } else { 20.0 };
        process.threads = Some(8 + (pool * hour.users) as u32);
        let in_backup = hour.backup && process.image.name == "rsync";
        process.state =
            Some(if in_backup && chance.next() < 0.9 { ProcessState::DiskSleep } else { ProcessState::Sleeping });
    }
    // What comes and goes: compilers, an editor in the background, a child nobody has waited for yet.
    if hour.build {
        for pid in 0..4 {
            let mut compiler = process(5_000 + (t as u32) * 4 % 20_000 + pid, "rustc");
            set(&mut compiler, 0.5, 300.0, 30.0, interval_s);
            machine.add(compiler);
        }
    }
    if (14.0 * HOUR..14.1 * HOUR).contains(&t) {
        let mut editor = process(40_000, "vim");
        editor.state = Some(ProcessState::Stopped);
        machine.add(editor);
    }
    if (11.0 * HOUR..11.05 * HOUR).contains(&t) {
        let mut child = process(40_001, "sh");
        (child.state, child.memory, child.descriptors) = (Some(ProcessState::Zombie), None, None);
        machine.add(child);
    }
}

fn day(interval_ms: i64, from_s: f64, to_s: f64) -> Vec<(i64, String)> {
    let rules: Vec<RuleConfig> = shipped().into_iter().filter(|rule| rule.enabled).collect();
    let mut watch = Watch::new(&rules, interval_ms);
    let mut chance = Chance(42);
    for (pid, name) in
        [(800, "nginx"), (810, "postgres"), (820, "java"), (830, "desktop"), (840, "rsync"), (900, "sshd")]
    {
        watch.machine.add(service(pid, name));
    }
    for pid in 100..120 {
        watch.machine.add(service(pid, &format!("daemon{pid}")));
    }
    for pid in [800, 810, 820, 830, 900] {
        watch.machine.process(pid).parent = 1;
    }
    let mut t = from_s;
    while t < to_s {
        let hour = Hour::at(t);
        host(&mut watch.machine, &hour, &mut chance);
        parts(&mut watch.machine, t, &hour, &mut chance);
        processes(&mut watch.machine, t, &hour, &mut chance);
        if hour.update {
            watch.machine.snapshot.host.counters.swapped_in_bytes = Some(1 << 20);
        }
        watch.tick();
        t += interval_ms as f64 / 1e3;
    }
    watch.opened
}

#[test]
fn a_quiet_day_is_quiet() {
    assert_eq!(day(10_000, 0.0, 24.0 * HOUR), []);
}

#[test]
fn a_quiet_hour_with_a_build_is_quiet_at_a_look_a_second() {
    assert_eq!(day(1_000, 9.8 * HOUR, 10.6 * HOUR), []);
}

#[test]
fn the_day_would_say_it_if_something_were_wrong() {
    let rules: Vec<RuleConfig> = shipped().into_iter().filter(|rule| rule.enabled).collect();
    let mut watch = Watch::new(&rules, 10_000);
    let mut chance = Chance(42);
    let hour = Hour::at(12.0 * HOUR);
    for _ in 0..30 {
        host(&mut watch.machine, &hour, &mut chance);
        parts(&mut watch.machine, 0.0, &hour, &mut chance);
        watch.machine.filesystem("/", 0.99);
        watch.tick();
    }
    let titles: Vec<&str> = watch.opened.iter().map(|(_, title)| title.as_str()).collect();
    assert!(titles.contains(&"Filesystem full: /"), "{titles:?}");
}
