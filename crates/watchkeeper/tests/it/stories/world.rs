//! A server to tell stories about, watched as the program watches: with its rules, its state on disk and its outbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;
use watchkeeper::config::{Config, effective_rules};
use watchkeeper_analyze::{Analyzer, Settings};
use watchkeeper_core::moment::Moment;
use watchkeeper_core::outbox::{Delivery, Outcome};
use watchkeeper_core::process::Command;
use watchkeeper_core::reading::{
    CpuTimes, DiskCounters, Filesystem, InterfaceCounters, Load, Memory, Pressure, ProcessCpu, ProcessIo,
    ProcessMemory, Socket, Stall, Swap,
};
use watchkeeper_core::snapshot::{Disk, Exited, Interface, Process, TickFlags, Watch};
use watchkeeper_core::{
    BootId, Change, Image, Incident, IncidentEvent, Ledger as _, ProcessKey, ProcessState, Snapshot,
};
use watchkeeper_notify::{RouteConfig, Routes, TargetConfig, plan};
use watchkeeper_store::{SqliteLedger, Store, StoreConfig};

pub const MIB: f64 = 1_048_576.0;
pub const GIB: f64 = 1_073_741_824.0;
pub const HOUR_S: i64 = 3_600;
/// CPUs and memory of the server.
pub const CPUS: f64 = 4.0;
pub const MEMORY: f64 = 16.0 * GIB;
/// 2026-11-20 12:00:00 UTC.
const START_MS: i64 = 1_795_176_000_000;
const BOOT: BootId = BootId(Uuid::from_u128(2));
const CHANNEL: &str = "mail";

/// Something that became of an incident.
pub struct Told {
    /// Observed seconds since the beginning, the time asleep and without a watch not counted.
    pub at_s: i64,
    pub event: IncidentEvent,
    pub incident: Incident,
}

/// The server, the watch over it, and everything that came of it.
pub struct World {
    /// What the next look will see.
    pub snapshot: Snapshot,
    pub told: Vec<Told>,
    /// All changes in their order.
    pub changes: Vec<Change>,
    /// Messages that one recipient got: how many news are in each.
    pub messages: Vec<usize>,
    settings: Settings,
    analyzer: Analyzer,
    ledger: SqliteLedger,
    store: Store,
    routes: Routes,
    /// Changes that need not be on disk at once.
    waiting: Vec<Change>,
    next_due_ms: Option<i64>,
    began_ms: i64,
    folder: tempfile::TempDir,
}

impl World {
    /// A server that is well, looked at as this configuration says, with all rules that are then in force.
    pub fn new(config: &str) -> Self {
        let config: Config = toml::from_str(config).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), &StoreConfig::default()).unwrap();
        let settings = Settings {
            host: store.host_id(),
            host_name: "db1".to_owned(),
            labels: BTreeMap::new(),
            time_zone: config.host.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            rules: effective_rules(&config).unwrap(),
        };
        let target = TargetConfig { channel: CHANNEL.to_owned(), recipients: vec!["ops@example.com".to_owned()] };
        let route = RouteConfig { to: vec![target], ..RouteConfig::default() };
        let mut ledger = store.ledger().unwrap();
        let state = ledger.load().unwrap();
        let at = Moment { ts_ms: START_MS, mono_ms: 1_000_000_000, suspended_ms: 0, boot: BOOT };
        let mut world = Self {
            snapshot: Snapshot::unknown(at, config.collect.interval.ms()),
            told: Vec::new(),
            changes: Vec::new(),
            messages: Vec::new(),
            analyzer: Analyzer::new(settings.clone(), state),
            settings,
            ledger,
            store,
            routes: Routes::compile(&[route], &[CHANNEL.to_owned()]).unwrap(),
            waiting: Vec::new(),
            next_due_ms: None,
            began_ms: at.mono_ms,
            folder,
        };
        world.be_well();
        world
    }

    /// Everything at rest, with some services.
    fn be_well(&mut self) {
        let no_stall = Some(Stall { avg10: 0.0, avg60: 0.0, total_us: 0 });
        let host = &mut self.snapshot.host;
        host.cpu_count = Some(CPUS as u32);
        host.swap = Some(Swap { total_bytes: 4 << 30, free_bytes: 4 << 30 });
        host.pressure = Some(Pressure {
            cpu_some: no_stall,
            memory_some: no_stall,
            memory_full: no_stall,
            io_some: no_stall,
            io_full: no_stall,
        });
        let counters = &mut host.counters;
        (counters.swapped_in_bytes, counters.swapped_out_bytes) = (Some(0), Some(0));
        (counters.oom_kills, counters.created) = (Some(0), Some(2));
        host.clock_step_ms = Some(0);
        host.connections = Some(50);
        self.cpu(Some(0.1));
        self.load(0.4);
        self.memory(0.4 * MEMORY);
        self.filesystem("/", 0.6);
        self.disk(0.02, 0);
        let interface = |name: &str| Interface {
            name: name.to_owned(),
            counters: Some(InterfaceCounters { received_packets: 100, sent_packets: 100, ..Default::default() }),
            up: Some(true),
        };
        self.snapshot.interfaces = Some(vec![interface("eth0"), interface("lo")]);
        self.snapshot.sockets = Some(vec![Socket {
            protocol: "tcp".to_owned(),
            address: "0.0.0.0".to_owned(),
            port: 443,
            queue: Some(0),
            backlog: Some(511),
            unread_bytes: Some(0),
            opened: Some(false),
            owner: Some(800),
            ..Socket::default()
        }]);
        self.snapshot.watch = Some(Watch::default());
        self.snapshot.processes = Some(Vec::new());
        for (pid, name) in [(800, "nginx"), (810, "postgres"), (820, "java"), (830, "cron"), (840, "sshd")] {
            self.begin(pid, name, 1);
        }
    }

    /// Observed seconds since the beginning.
    pub fn now_s(&self) -> i64 {
        (self.snapshot.at.mono_ms - self.began_ms) / 1_000
    }

    /// Share of all CPUs that is busy; `None`: nobody knows.
    pub fn cpu(&mut self, busy: Option<f64>) {
        let all_us = CPUS * self.snapshot.interval_ms as f64 * 1e3;
        self.snapshot.host.cpu = busy.map(|busy| {
            let user_us = (busy * all_us) as u64;
            CpuTimes { user_us, idle_us: all_us as u64 - user_us, ..CpuTimes::default() }
        });
    }

    pub fn load(&mut self, load: f64) {
        self.snapshot.host.load = Some(Load { one: load, five: load, fifteen: load });
    }

    /// Bytes of memory that are in use.
    pub fn memory(&mut self, used: f64) {
        let available_bytes = (MEMORY - used) as u64;
        self.snapshot.host.memory = Some(Memory { total_bytes: MEMORY as u64, available_bytes, ..Memory::default() });
    }

    /// Share of a filesystem of 100 GiB that is taken.
    pub fn filesystem(&mut self, mount_point: &str, taken: f64) {
        let free_bytes = ((1.0 - taken).max(0.0) * 100.0 * GIB) as u64;
        let filesystems = self.snapshot.filesystems.get_or_insert_default();
        filesystems.retain(|other| other.mount_point != mount_point);
        filesystems.push(Filesystem {
            mount_point: mount_point.to_owned(),
            total_bytes: 100 << 30,
            free_bytes,
            available_bytes: free_bytes,
            inodes: 6_000_000,
            inodes_free: 5_000_000,
            ..Filesystem::default()
        });
    }

    pub fn disk(&mut self, busy: f64, in_flight: u64) {
        let busy_us = (busy * self.snapshot.interval_ms as f64 * 1e3) as u64;
        let counters = DiskCounters { busy_us, ..DiskCounters::default() };
        self.snapshot.disks = Some(vec![Disk { name: "sda".to_owned(), counters: Some(counters), in_flight }]);
    }

    /// A process that begins within the next interval and takes next to nothing.
    pub fn begin(&mut self, pid: u32, program: &str, parent: u32) -> &mut Process {
        let at = self.snapshot.at;
        let started_by = self.snapshot.process_by_pid(parent).and_then(|parent| parent.image.unit.clone());
        let image = Image {
            name: program.to_owned(),
            program: program.to_owned(),
            command: Some(Command { text: format!("/usr/bin/{program} --run"), length: 20 }),
            unit: if parent == 1 { Some(format!("{program}.service")) } else { started_by },
            ..Image::default()
        };
        let process = Process {
            key: ProcessKey { boot: at.boot, pid, start_ticks: ((at.mono_ms + at.suspended_ms) / 10) as u64 + 1 },
            parent,
            image: Arc::new(image),
            uid: Some(1_000),
            state: Some(ProcessState::Sleeping),
            threads: Some(1),
            cpu: Some(ProcessCpu::default()),
            memory: Some(ProcessMemory { resident_bytes: 20 << 20, virtual_bytes: 1 << 34 }),
            faults: None,
            io: Some(ProcessIo::default()),
            network: None,
            descriptors: Some(20),
        };
        let processes = self.snapshot.processes.get_or_insert_default();
        let place = processes.partition_point(|other| other.key < process.key);
        processes.insert(place, process);
        &mut processes[place]
    }

    pub fn process(&mut self, pid: u32) -> &mut Process {
        self.snapshot.processes.as_mut().unwrap().iter_mut().find(|process| process.key.pid == pid).unwrap()
    }

    /// Cores that a process takes.
    pub fn burn(&mut self, pid: u32, cores: f64) {
        let total_us = (cores * self.snapshot.interval_ms as f64 * 1e3) as u64;
        self.process(pid).cpu = Some(ProcessCpu { total_us, user_us: total_us });
    }

    /// Bytes of memory that a process holds.
    pub fn hold(&mut self, pid: u32, bytes: f64) {
        self.process(pid).memory = Some(ProcessMemory { resident_bytes: bytes as u64, virtual_bytes: 1 << 34 });
    }

    /// A process ends within the next interval, by this signal.
    pub fn end(&mut self, pid: u32, signal: Option<i32>) {
        let Process { key, parent, image, uid, .. } = self.process(pid).clone();
        self.snapshot.processes.as_mut().unwrap().retain(|process| process.key.pid != pid);
        let ts_ms = self.snapshot.at.ts_ms;
        let code = signal.is_none().then_some(0);
        let (cpu, faults, io, network) = (Some(ProcessCpu::default()), None, None, None);
        self.snapshot.exited.push(Exited { key, parent, image, uid, ts_ms, code, signal, cpu, faults, io, network });
    }

    /// The next look, one interval later.
    pub fn look(&mut self) -> Snapshot {
        self.snapshot.at.ts_ms += self.snapshot.interval_ms;
        self.snapshot.at.mono_ms += self.snapshot.interval_ms;
        let look = self.snapshot.clone();
        self.snapshot.flags = TickFlags::default();
        self.snapshot.exited.clear();
        self.snapshot.host.counters.oom_kills = Some(0);
        self.snapshot.host.clock_step_ms = Some(0);
        self.see(&look);
        look
    }

    /// Looks until so many observed seconds have passed since the beginning; before each, `change` makes the world as it
    /// is at that second.
    pub fn until(&mut self, end_s: i64, mut change: impl FnMut(&mut Self, i64)) {
        while self.now_s() < end_s {
            let at_s = self.now_s() + self.snapshot.interval_ms / 1_000;
            change(self, at_s);
            self.look();
        }
    }

    /// The machine sleeps before the next look.
    pub fn sleep(&mut self, seconds: i64) {
        self.snapshot.at.ts_ms += seconds * 1_000;
        self.snapshot.at.suspended_ms += seconds * 1_000;
        self.snapshot.flags = self.snapshot.flags.with(TickFlags::SUSPENDED);
    }

    /// Somebody sets the wall clock before the next look.
    pub fn set_clock(&mut self, by_s: i64) {
        self.snapshot.at.ts_ms += by_s * 1_000;
        self.snapshot.host.clock_step_ms = Some(by_s * 1_000);
        self.snapshot.flags = self.snapshot.flags.with(TickFlags::CLOCK_STEP);
    }

    /// The watch is started again, so much later, with what is on disk.
    pub fn restart(&mut self, later_s: i64) {
        let waiting = std::mem::take(&mut self.waiting);
        self.commit(&waiting);
        self.ledger = self.store.ledger().unwrap();
        self.analyzer = Analyzer::new(self.settings.clone(), self.ledger.load().unwrap());
        self.snapshot.at.ts_ms += later_s * 1_000;
        self.snapshot.at.mono_ms += later_s * 1_000;
        self.began_ms += later_s * 1_000;
        let mut first = self.snapshot.clone();
        (first.interval_ms, first.flags) = (0, first.flags.with(TickFlags::FIRST_LOOK));
        (first.host.cpu, first.host.clock_step_ms) = (None, None);
        for process in first.processes.iter_mut().flatten() {
            (process.cpu, process.io) = (None, None);
        }
        self.see(&first);
    }

    fn see(&mut self, look: &Snapshot) {
        let changes = self.analyzer.step(look);
        self.changes.extend(changes.iter().cloned());
        for change in &changes {
            if let Change::Incident { event, incident, .. } = change {
                let told = Told { at_s: self.now_s(), event: *event, incident: (**incident).clone() };
                self.told.push(told);
            }
        }
        let is_urgent = changes.iter().any(Change::is_urgent);
        self.waiting.extend(changes);
        if is_urgent {
            let waiting = std::mem::take(&mut self.waiting);
            self.commit(&waiting);
        }
        self.deliver();
    }

    fn commit(&mut self, changes: &[Change]) {
        let rows = plan(changes, &self.routes, self.snapshot.at.ts_ms);
        let receipt = self.ledger.commit(changes, &rows).unwrap();
        self.analyzer.committed(changes, &receipt);
        self.next_due_ms = self.ledger.next_due(CHANNEL).unwrap();
    }

    /// What a worker does whose mail server takes everything.
    fn deliver(&mut self) {
        let now_ms = self.snapshot.at.ts_ms;
        if self.next_due_ms.is_none_or(|due_ms| due_ms > now_ms) {
            return;
        }
        let due = self.ledger.claim(CHANNEL, now_ms, now_ms + 60_000, 100).unwrap();
        let groups: BTreeSet<&str> = due.iter().map(|due| due.row.group_key.as_str()).collect();
        let news = |group: &str| due.iter().filter(|due| due.row.group_key == group).count();
        self.messages.extend(groups.into_iter().map(news));
        let ids: Vec<i64> = due.iter().map(|due| due.id).collect();
        let sent = Delivery { ts_ms: now_ms, outcome: Outcome::Sent, code: Some(250), text: "ok".to_owned() };
        self.ledger.finish_all(&ids, &sent, None).unwrap();
        self.next_due_ms = self.ledger.next_due(CHANNEL).unwrap();
    }

    /// Titles of what was opened.
    pub fn opened(&self) -> Vec<&str> {
        self.of(IncidentEvent::Opened).map(|told| told.incident.title.as_str()).collect()
    }

    /// What became of incidents, a line each: `opened: Memory leak: api`.
    pub fn lines(&self) -> Vec<String> {
        self.told.iter().map(|told| format!("{}: {}", told.event.word(), told.incident.title)).collect()
    }

    pub fn of(&self, event: IncidentEvent) -> impl Iterator<Item = &Told> {
        self.told.iter().filter(move |told| told.event == event)
    }

    /// The one incident that was opened with a title that begins like this.
    pub fn the(&self, title: &str) -> &Told {
        let mut found = self.of(IncidentEvent::Opened).filter(|told| told.incident.title.starts_with(title));
        let first = found.next().unwrap_or_else(|| panic!("no `{title}` among {:?}", self.lines()));
        assert!(found.next().is_none(), "`{title}` twice: {:?}", self.lines());
        first
    }

    /// What the watch goes by.
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The folder of the store.
    pub fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }
}

/// Numbers that look like chance and are the same in every run.
pub struct Chance(pub u64);

impl Chance {
    /// Somewhere between two numbers.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((self.0 >> 33) as f64 / f64::from(1_u32 << 31))
    }
}
