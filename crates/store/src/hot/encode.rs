//! From snapshots to the rows that the log needs. Pure: no file is touched, so a tick can wait for the disk.
//!
//! A **key tick** names every entity again and gives each a row; between key ticks there are rows only for what changed.
//! Since a key tick needs nothing from the ticks before it, ticks that wait can be dropped up to one.

use std::collections::HashMap;
use std::sync::Arc;

use watchkeeper_core::snapshot::{Exited, TickFlags};
use watchkeeper_core::{Gap, Image, Moment, ProcessKey, Snapshot};

use super::check::CheckKind;
use super::day::Day;
use super::host::{HostItem, HostKind};
use super::layout::{Cell, Kind, Layout};
use super::observe::{Observed, Observer};
use super::parts::{CpuKind, DiskKind, FilesystemKind, InterfaceKind, PeerKind, SocketKind};
use super::process::{self, EXIT_CELLS, ProcessKind, exit_cells};
use super::track::{Rows, Tracker};

/// The longest time between two key ticks, monotonic milliseconds: how far a reader has to look back.
pub(crate) const KEY_INTERVAL_MS: i64 = 600_000;

/// Bit of `tick.sections`: pressure stall information could be read.
pub(crate) const PRESSURE_SECTION: u32 = 1 << 7;

/// The kinds in the order of [`Tick::rows`].
pub(crate) const LAYOUTS: [&Layout; 9] = [
    HostKind::LAYOUT,
    CpuKind::LAYOUT,
    DiskKind::LAYOUT,
    FilesystemKind::LAYOUT,
    InterfaceKind::LAYOUT,
    PeerKind::LAYOUT,
    SocketKind::LAYOUT,
    CheckKind::LAYOUT,
    ProcessKind::LAYOUT,
];

/// Where processes are in [`LAYOUTS`].
pub(crate) const PROCESSES: usize = 8;

/// One tick as it goes into the log.
#[derive(Debug)]
pub(crate) struct Tick {
    pub(crate) at: Moment,
    pub(crate) interval_ms: i64,
    pub(crate) flags: TickFlags,
    pub(crate) dropped: u32,
    /// The day file it belongs to.
    pub(crate) day: Day,
    /// Everything that is there has a row; nothing before it is needed to read on from here.
    pub(crate) is_key: bool,
    /// Which lists were read: the bits of the layouts.
    pub(crate) sections: u32,
    pub(crate) rows: [Rows; LAYOUTS.len()],
    pub(crate) lineages: Vec<Lineage>,
    pub(crate) images: Vec<(u32, Arc<Image>)>,
    pub(crate) exits: Vec<Exit>,
    pub(crate) events: Vec<Event>,
    pub(crate) gaps: Vec<GapRun>,
}

/// Whose child a process is and whose user it runs as, from this tick on.
#[derive(Debug)]
pub(crate) struct Lineage {
    pub(crate) process: u32,
    pub(crate) parent: u32,
    pub(crate) uid: Option<u32>,
}

/// The last row of a process.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) process: u32,
    pub(crate) ts_ms: i64,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) cells: [Cell; EXIT_CELLS],
}

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) process: Option<u32>,
    pub(crate) detail: String,
}

/// A gap of this tick; the same gap at the same place in following ticks has the same handle.
#[derive(Debug)]
pub(crate) struct GapRun {
    pub(crate) handle: u32,
    pub(crate) place: usize,
    /// Given with the first tick of the run.
    pub(crate) new: Option<Gap>,
}

/// What is known of a living process besides its samples.
struct Life {
    image: Arc<Image>,
    parent: u32,
    uid: Option<u32>,
    /// Number of the key tick since which the log says it.
    told: u64,
}

/// Turns snapshots into rows.
pub(crate) struct Encoder {
    host: Tracker<HostKind>,
    cpus: Tracker<CpuKind>,
    disks: Tracker<DiskKind>,
    filesystems: Tracker<FilesystemKind>,
    interfaces: Tracker<InterfaceKind>,
    peers: Tracker<PeerKind>,
    sockets: Tracker<SocketKind>,
    checks: Tracker<CheckKind>,
    processes: Tracker<ProcessKind>,
    lives: HashMap<ProcessKey, Life>,
    /// The gaps of the last tick by place, with their handles.
    gaps: Vec<(Gap, u32)>,
    next_gap: u32,
    observer: Observer,
    day: Option<Day>,
    /// The last key tick, and how many there were.
    key_at: Option<Moment>,
    keys: u64,
    key_wanted: bool,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            host: Tracker::new(),
            cpus: Tracker::new(),
            disks: Tracker::new(),
            filesystems: Tracker::new(),
            interfaces: Tracker::new(),
            peers: Tracker::new(),
            sockets: Tracker::new(),
            checks: Tracker::new(),
            processes: Tracker::new(),
            lives: HashMap::new(),
            gaps: Vec::new(),
            next_gap: 0,
            observer: Observer::default(),
            day: None,
            key_at: None,
            keys: 0,
            key_wanted: true,
        }
    }

    /// The next tick is a key tick.
    pub(crate) fn want_key(&mut self) {
        self.key_wanted = true;
    }

    /// The rows of the next tick.
    pub(crate) fn encode(&mut self, snapshot: &Snapshot) -> Tick {
        // Forward only: after a backward step of the clock ticks stay in the newer file.
        let day = self.day.map_or(Day::of(snapshot.at.ts_ms), |day| day.max(Day::of(snapshot.at.ts_ms)));
        let is_key = self.key_wanted
            || self.day != Some(day)
            || snapshot.flags.has(TickFlags::FIRST_LOOK)
            || self.key_at.is_none_or(|key| {
                key.boot != snapshot.at.boot || !(0..KEY_INTERVAL_MS).contains(&(snapshot.at.mono_ms - key.mono_ms))
            });
        if is_key {
            self.forget();
            self.key_at = Some(snapshot.at);
            self.key_wanted = false;
        }
        self.day = Some(day);

        let mut sections = if snapshot.host.pressure.is_some() { PRESSURE_SECTION } else { 0 };
        let host = HostItem {
            host: snapshot.host.clone(),
            not_attributed: snapshot.not_attributed.clone(),
            watch: snapshot.watch,
            anomaly: snapshot.anomaly,
        };
        let rows = [
            self.host.encode(&[host]),
            part(&mut self.cpus, snapshot.cpus.as_deref(), &mut sections),
            part(&mut self.disks, snapshot.disks.as_deref(), &mut sections),
            part(&mut self.filesystems, snapshot.filesystems.as_deref(), &mut sections),
            part(&mut self.interfaces, snapshot.interfaces.as_deref(), &mut sections),
            part(&mut self.peers, snapshot.peers.as_deref(), &mut sections),
            part(&mut self.sockets, snapshot.sockets.as_deref(), &mut sections),
            part(&mut self.checks, snapshot.checks.as_deref(), &mut sections),
            Rows::default(),
        ];
        let mut tick = Tick {
            at: snapshot.at,
            interval_ms: snapshot.interval_ms,
            flags: snapshot.flags,
            dropped: snapshot.dropped,
            day,
            is_key,
            sections,
            rows,
            lineages: Vec::new(),
            images: Vec::new(),
            exits: Vec::new(),
            events: Vec::new(),
            gaps: Vec::new(),
        };
        self.encode_processes(snapshot, &mut tick);
        self.encode_gaps(&snapshot.gaps, &mut tick);
        tick
    }

    fn forget(&mut self) {
        self.host.forget();
        self.cpus.forget();
        self.disks.forget();
        self.filesystems.forget();
        self.interfaces.forget();
        self.peers.forget();
        self.sockets.forget();
        self.checks.forget();
        self.processes.forget();
        self.keys += 1;
        self.gaps.clear();
        self.next_gap = 0;
    }

    fn encode_processes(&mut self, snapshot: &Snapshot, tick: &mut Tick) {
        let mut rows = Rows::default();
        let mut changed = Vec::new();
        if let Some(processes) = &snapshot.processes {
            tick.sections |= process::SECTION;
            rows = self.processes.encode(processes);
            for process in processes {
                if self.live(process.key, &process.image, process.parent, process.uid, &mut rows, tick) {
                    changed.push((process.key, Arc::clone(&process.image)));
                }
            }
        }
        for exited in &snapshot.exited {
            if self.live(exited.key, &exited.image, exited.parent, exited.uid, &mut rows, tick) {
                changed.push((exited.key, Arc::clone(&exited.image)));
            }
            let process = self.processes.name(&exited.key, || process::identity(&exited.key), &mut rows);
            tick.exits.push(exit(process, exited));
        }
        for Observed { kind, process, detail } in self.observer.look(snapshot, &changed) {
            let process = process.and_then(|key| self.processes.handle(&key));
            tick.events.push(Event { kind, process, detail });
        }
        if snapshot.processes.is_some() {
            let ended = |key: &ProcessKey| snapshot.exited.iter().any(|exited| exited.key == *key);
            self.processes.note_gone(&mut rows, ended);
            let known = &self.processes;
            self.lives.retain(|key, _| known.handle(key).is_some());
        }
        tick.rows[PROCESSES] = rows;
    }

    /// Notes what a process is, if the log does not say it since the key tick. Says whether its image is new.
    fn live(
        &mut self,
        key: ProcessKey,
        image: &Arc<Image>,
        parent: u32,
        uid: Option<u32>,
        rows: &mut Rows,
        tick: &mut Tick,
    ) -> bool {
        let known = self.lives.get(&key);
        let is_told = known.is_some_and(|life| life.told == self.keys);
        let same_image = known.is_some_and(|life| Arc::ptr_eq(&life.image, image) || life.image == *image);
        let same_lineage = known.is_some_and(|life| life.parent == parent && life.uid == uid);
        if is_told && same_image && same_lineage {
            return false;
        }
        let process = self.processes.name(&key, || process::identity(&key), rows);
        if !(is_told && same_lineage) {
            tick.lineages.push(Lineage { process, parent, uid });
        }
        if !(is_told && same_image) {
            tick.images.push((process, Arc::clone(image)));
        }
        self.lives.insert(key, Life { image: Arc::clone(image), parent, uid, told: self.keys });
        !same_image
    }

    fn encode_gaps(&mut self, gaps: &[Gap], tick: &mut Tick) {
        let mut now = Vec::with_capacity(gaps.len());
        for (place, gap) in gaps.iter().enumerate() {
            let goes_on = self.gaps.get(place).filter(|(last, _)| last == gap);
            let handle = goes_on.map_or(self.next_gap, |(_, handle)| *handle);
            let new = if goes_on.is_none() {
                self.next_gap += 1;
                Some(gap.clone())
            } else {
                None
            };
            tick.gaps.push(GapRun { handle, place, new });
            now.push((gap.clone(), handle));
        }
        self.gaps = now;
    }
}

fn part<K: Kind>(tracker: &mut Tracker<K>, items: Option<&[K::Item]>, sections: &mut u32) -> Rows {
    let Some(items) = items else { return Rows::default() };
    *sections |= K::LAYOUT.section;
    let mut rows = tracker.encode(items);
    tracker.note_gone(&mut rows, |_| false);
    rows
}

fn exit(process: u32, exited: &Exited) -> Exit {
    Exit { process, ts_ms: exited.ts_ms, code: exited.code, signal: exited.signal, cells: exit_cells(exited) }
}
