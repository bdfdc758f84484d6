//! Machines to tell stories about: snapshots made by hand, and changes as short lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_core::moment::Moment;
use watchkeeper_core::port::LoadedState;
use watchkeeper_core::process::Command;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::snapshot::{
    CpuTimes, Filesystem, Host, Memory, Process, ProcessCpu, ProcessIo, ProcessMemory, Remainder, TickFlags,
};
use watchkeeper_core::{BootId, Change, Entity, HostId, Image, ProcessKey, ProcessState, Snapshot};

use crate::{Analyzer, RuleConfig, Settings, compile};

pub(crate) const HOST: HostId = HostId(Uuid::from_u128(1));
pub(crate) const BOOT: BootId = BootId(Uuid::from_u128(2));
/// 2026-11-20 12:00:00 UTC.
pub(crate) const START_MS: i64 = 1_795_176_000_000;
const GIB: u64 = 1 << 30;

/// A rule that is over at the first look at which it is clear.
pub(crate) fn rule(id: &str, when: &str, hold: &str) -> RuleConfig {
    RuleConfig {
        id: id.to_owned(),
        when: Some(when.to_owned()),
        hold: Span::parse(hold).unwrap(),
        keep_firing: Span::default(),
        ..RuleConfig::default()
    }
}

pub(crate) fn settings(rules: &[RuleConfig]) -> Settings {
    Settings {
        host: HOST,
        host_name: "db1".to_owned(),
        labels: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        time_zone: "UTC".to_owned(),
        rules: compile(rules, 1_000).unwrap(),
    }
}

pub(crate) fn nothing() -> LoadedState {
    LoadedState { host: HOST, alerts: Vec::new(), incidents: Vec::new() }
}

/// A machine with two CPUs and 8 GiB that is looked at once a second.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) snapshot: Snapshot,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let memory = Memory { total_bytes: 8 * GIB, available_bytes: 6 * GIB, ..Memory::default() };
        let host = Host { cpu_count: Some(2), memory: Some(memory), ..Host::default() };
        let at = Moment { ts_ms: START_MS, mono_ms: 1_000_000, suspended_ms: 0, boot: BOOT };
        let snapshot = Snapshot {
            anomaly: None,
            checks: None,
            watch: None,
            at,
            interval_ms: 1_000,
            flags: TickFlags::default(),
            host,
            cpus: None,
            disks: None,
            filesystems: None,
            interfaces: None,
            peers: None,
            sockets: None,
            processes: Some(Vec::new()),
            exited: Vec::new(),
            not_attributed: Remainder::default(),
            dropped: 0,
            gaps: Vec::new(),
        };
        let mut machine = Self { snapshot };
        machine.cpu(Some(0.1));
        machine
    }

    /// Share of the CPU that is busy in the ticks to come; `None`: nobody knows.
    pub(crate) fn cpu(&mut self, busy: Option<f64>) {
        self.snapshot.host.cpu = busy.map(|busy| {
            let user_us = (busy * 2e6) as u64;
            CpuTimes { user_us, idle_us: 2_000_000 - user_us, ..CpuTimes::default() }
        });
    }

    /// Share of a filesystem that is taken in the ticks to come.
    pub(crate) fn filesystem(&mut self, mount_point: &str, taken: f64) {
        let free_bytes = ((1.0 - taken) * 100.0 * GIB as f64).round() as u64;
        let filesystem = Filesystem {
            mount_point: mount_point.to_owned(),
            total_bytes: 100 * GIB,
            free_bytes,
            available_bytes: free_bytes,
            ..Filesystem::default()
        };
        let filesystems = self.snapshot.filesystems.get_or_insert_with(Vec::new);
        filesystems.retain(|other| other.mount_point != mount_point);
        filesystems.push(filesystem);
    }

    pub(crate) fn add(&mut self, process: Process) {
        let processes = self.snapshot.processes.get_or_insert_with(Vec::new);
        processes.push(process);
        processes.sort_by_key(|process| process.key);
    }

    pub(crate) fn process(&mut self, pid: u32) -> &mut Process {
        self.snapshot.processes.as_mut().unwrap().iter_mut().find(|process| process.key.pid == pid).unwrap()
    }

    pub(crate) fn remove(&mut self, pid: u32) {
        self.snapshot.processes.as_mut().unwrap().retain(|process| process.key.pid != pid);
    }

    /// The next tick, one interval later on both clocks.
    pub(crate) fn tick(&mut self) -> Snapshot {
        self.snapshot.at.ts_ms += self.snapshot.interval_ms;
        self.snapshot.at.mono_ms += self.snapshot.interval_ms;
        let tick = self.snapshot.clone();
        self.snapshot.flags = TickFlags::default();
        self.snapshot.dropped = 0;
        tick
    }

    /// The first look of a new watch, so much later: no differences are known.
    pub(crate) fn first_look(&mut self, later_ms: i64) -> Snapshot {
        self.snapshot.at.ts_ms += later_ms;
        self.snapshot.at.mono_ms += later_ms;
        let mut tick = self.snapshot.clone();
        tick.interval_ms = 0;
        tick.flags = TickFlags::default().with(TickFlags::FIRST_LOOK);
        tick.host.cpu = None;
        for process in tick.processes.iter_mut().flatten() {
            process.cpu = None;
            process.io = None;
        }
        tick
    }
}

/// A process that takes nothing.
pub(crate) fn process(pid: u32, program: &str) -> Process {
    let image = Image {
        name: program.to_owned(),
        program: program.to_owned(),
        command: Some(Command { text: format!("/usr/bin/{program} --run"), length: 20 }),
        ..Image::default()
    };
    Process {
        key: ProcessKey { boot: BOOT, pid, start_ticks: 100 + u64::from(pid) },
        parent: 1,
        image: Arc::new(image),
        uid: Some(1_000),
        state: Some(ProcessState::Sleeping),
        threads: Some(1),
        cpu: Some(ProcessCpu::default()),
        memory: Some(ProcessMemory { resident_bytes: 1 << 20, virtual_bytes: 1 << 24 }),
        faults: None,
        io: Some(ProcessIo::default()),
        network: None,
        descriptors: None,
    }
}

/// The same taking this share of the machine.
pub(crate) fn burning(share: f64, mut process: Process) -> Process {
    let total_us = (share * 2e6) as u64;
    process.cpu = Some(ProcessCpu { total_us, user_us: total_us });
    process
}

/// A change in a few words: `warm host pending`, `opened: title`.
pub(crate) fn line(change: &Change) -> String {
    match change {
        Change::Alert(alert) => {
            let entity = match &alert.entity {
                Entity::Host => "host".to_owned(),
                other => other.name(),
            };
            format!("{} {entity} {}", alert.rule, alert.state.word())
        }
        Change::Incident { event, incident, .. } => format!("{}: {}", event.word(), incident.title),
    }
}

pub(crate) fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(line).collect()
}

/// What an earlier watch left on disk, from all its changes.
pub(crate) fn left_behind(changes: &[Change]) -> LoadedState {
    let mut alerts = BTreeMap::new();
    let mut incidents = BTreeMap::new();
    for change in changes {
        match change {
            Change::Alert(alert) => {
                alerts.insert(alert.fingerprint, alert.clone());
            }
            Change::Incident { incident, .. } => {
                incidents.insert(incident.key, (**incident).clone());
            }
        }
    }
    let lives = |state| {
        use watchkeeper_core::AlertState::{Firing, Pending, Recovering};
        matches!(state, Pending | Firing | Recovering)
    };
    LoadedState {
        host: HOST,
        alerts: alerts.into_values().filter(|alert| lives(alert.state)).collect(),
        incidents: incidents.into_values().filter(|incident| incident.closed_ms.is_none()).collect(),
    }
}

/// An analyzer with its machine and everything that happened.
pub(crate) struct Story {
    pub(crate) machine: Machine,
    pub(crate) analyzer: Analyzer,
    pub(crate) changes: Vec<Change>,
    rules: Vec<RuleConfig>,
}

impl Story {
    pub(crate) fn new(rules: &[RuleConfig]) -> Self {
        let analyzer = Analyzer::new(settings(rules), nothing());
        Self { machine: Machine::new(), analyzer, changes: Vec::new(), rules: rules.to_vec() }
    }

    /// Some ticks; what changed in them.
    pub(crate) fn ticks(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            let snapshot = self.machine.tick();
            told.extend(self.look(&snapshot));
        }
        told
    }

    pub(crate) fn look(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let changes = self.analyzer.step(snapshot);
        let told = lines(&changes);
        self.changes.extend(changes);
        told
    }

    /// The watch is killed and started again so much later; what the first look of the new one changes.
    pub(crate) fn restart(&mut self, later_ms: i64) -> Vec<String> {
        self.analyzer = Analyzer::new(settings(&self.rules), left_behind(&self.changes));
        let snapshot = self.machine.first_look(later_ms);
        self.look(&snapshot)
    }

    /// The watch ends in order and is started again so much later.
    pub(crate) fn stop_and_start(&mut self, later_ms: i64) -> Vec<String> {
        self.changes.extend(self.analyzer.waiting());
        self.restart(later_ms)
    }

    pub(crate) fn reload(&mut self, rules: &[RuleConfig]) -> Vec<String> {
        self.rules = rules.to_vec();
        let changes = self.analyzer.reload(settings(rules));
        let told = lines(&changes);
        self.changes.extend(changes);
        told
    }
}
