//! One interval of a sink: ticks are added up, and become the rows of one batch.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use watchkeeper_core::reading::ProcessMemory;
use watchkeeper_core::snapshot::{Exited, Process};
use watchkeeper_core::{BootId, Image, Moment, ProcessKey, ProcessState, Snapshot};

use super::column::{BEFORE_PROCESS, COLUMNS, Cell, Kind};
use super::lines::Lines;
use super::machine::Machine;
use super::sum::Sum;

/// An interval ends early when so many processes ended in it: a machine that starts hundreds a second must not fill our memory.
const MOST_ENDED: usize = 10_000;
/// How long the name of a user is believed, milliseconds.
const NAMES_LAST_MS: i64 = 600_000;

/// Looks up the name of a user by its numeric id.
pub type UserName = fn(u32) -> Option<String>;

/// What happened since the last batch.
pub(super) struct Window {
    host_name: String,
    zone: TimeZone,
    users: Users,
    processes: BTreeMap<ProcessKey, Known>,
    machine: Machine,
    interval_ms: i64,
    ticks: u64,
    /// Ticks before this interval.
    ticks_before: u64,
    ended: usize,
    /// End of the interval before.
    begun: Option<Moment>,
    /// The newest tick.
    last: Option<Moment>,
    /// When this boot was, milliseconds UTC, as the clock stood when it was first seen: the same for all rows.
    booted: Option<(BootId, i64)>,
    /// The processes of the newest tick could be listed.
    is_listed: bool,
}

/// What is known of a process.
struct Known {
    process: Gauges,
    created: String,
    /// The newest tick that listed it.
    tick: u64,
    cpu: Sum<1>,
    io: Sum<2>,
    network: Sum<2>,
    exit: Option<Exit>,
}

/// States of a process at the newest look.
struct Gauges {
    parent: u32,
    image: Arc<Image>,
    uid: Option<u32>,
    state: Option<ProcessState>,
    threads: Option<u32>,
    memory: Option<ProcessMemory>,
    descriptors: Option<u32>,
}

struct Exit {
    time: String,
    code: Option<i32>,
    signal: Option<i32>,
}

struct Users {
    name: UserName,
    known: HashMap<u32, Option<String>>,
    since_ms: i64,
}

impl Window {
    pub(super) fn new(host_name: String, zone: TimeZone, name: UserName) -> Self {
        Self {
            host_name,
            zone,
            users: Users { name, known: HashMap::new(), since_ms: 0 },
            processes: BTreeMap::new(),
            machine: Machine::default(),
            interval_ms: 0,
            ticks: 0,
            ticks_before: 0,
            ended: 0,
            begun: None,
            last: None,
            booted: None,
            is_listed: false,
        }
    }

    /// Adds a tick.
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        let at = snapshot.at;
        if self.booted.is_none_or(|(boot, _)| boot != at.boot) {
            self.booted = Some((at.boot, at.booted_ms()));
            self.processes.clear();
            self.start(None);
        }
        self.ticks += 1;
        self.interval_ms += snapshot.interval_ms;
        self.begun.get_or_insert(at);
        self.last = Some(at);
        self.machine.add(snapshot);
        self.is_listed = snapshot.processes.is_some();
        for process in snapshot.processes.iter().flatten() {
            self.add_process(process, snapshot.interval_ms);
        }
        for exited in &snapshot.exited {
            self.add_exited(exited);
        }
    }

    /// Whether the interval is over; ticks come at their own pace, so the nearest one ends it. Without an interval each does.
    pub(super) fn is_due(&self, interval_ms: Option<i64>, tick_ms: i64) -> bool {
        let (Some(interval_ms), Some(begun), Some(last)) = (interval_ms, self.begun, self.last) else { return true };
        let passed_ms = last.mono_ms - begun.mono_ms;
        self.ended >= MOST_ENDED || passed_ms >= interval_ms || passed_ms + tick_ms / 2 > interval_ms
    }

    fn add_process(&mut self, process: &Process, interval_ms: i64) {
        if !self.processes.contains_key(&process.key) {
            let created = self.created(process.key);
            self.processes.insert(process.key, Known::new(Gauges::of(process), created));
        }
        let Some(known) = self.processes.get_mut(&process.key) else { return };
        known.process.take_on(process);
        known.tick = self.ticks;
        known.cpu.add(process.cpu.map(|cpu| [cpu.total_us]), interval_ms);
        known.io.add(process.io.map(|io| [io.read_bytes, io.written_bytes]), interval_ms);
        known.network.add(process.network.map(|network| [network.received_bytes, network.sent_bytes]), interval_ms);
    }

    fn add_exited(&mut self, exited: &Exited) {
        let time = time_text(exited.ts_ms, &self.zone, MILLISECONDS);
        if !self.processes.contains_key(&exited.key) {
            let gauges = Gauges {
                parent: exited.parent,
                image: Arc::clone(&exited.image),
                uid: exited.uid,
                state: None,
                threads: None,
                memory: None,
                descriptors: None,
            };
            let created = self.created(exited.key);
            self.processes.insert(exited.key, Known::new(gauges, created));
        }
        let Some(known) = self.processes.get_mut(&exited.key) else { return };
        if known.exit.is_none() {
            self.ended += 1;
        }
        known.process.image = Arc::clone(&exited.image);
        known.exit = Some(Exit { time, code: exited.code, signal: exited.signal });
        // What it did after the last look is often unknown. What was seen of it stands.
        known.cpu.add_known(exited.cpu.map(|cpu| [cpu.total_us]));
        known.io.add_known(exited.io.map(|io| [io.read_bytes, io.written_bytes]));
        known.network.add_known(exited.network.map(|network| [network.received_bytes, network.sent_bytes]));
    }

    fn created(&self, key: ProcessKey) -> String {
        let booted_ms = self.booted.map_or(0, |(_, booted_ms)| booted_ms);
        let since_boot_ms = i64::try_from(key.start_ticks.saturating_mul(10)).unwrap_or(i64::MAX);
        time_text(booted_ms.saturating_add(since_boot_ms), &self.zone, SECONDS)
    }

    /// Writes the rows of the interval: the host, living processes, ended ones; the next interval begins. Answers its end in
    /// local time, and nothing if there was none.
    pub(super) fn rows(&mut self, lines: &mut Lines) -> Option<Zoned> {
        let last = self.last.take()?;
        if last.mono_ms.saturating_sub(self.users.since_ms) >= NAMES_LAST_MS {
            self.users.known.clear();
            self.users.since_ms = last.mono_ms;
        }
        for known in self.processes.values() {
            self.users.look_up(known.process.uid);
        }
        let end = local(last.ts_ms, &self.zone);
        let timestamp = end.strftime(MILLISECONDS).to_string();
        let interval = Cell::amount(Some(self.interval_ms as f64 / 1e3));
        let row = |kind: Kind| -> Vec<Cell<'_>> {
            let mut cells = Vec::with_capacity(COLUMNS.len());
            cells.extend([Cell::Plain(&timestamp), interval, Cell::Plain(kind.word()), Cell::Foreign(&self.host_name)]);
            cells
        };
        let mut cells = row(Kind::Host);
        self.machine.cells(&mut cells, self.interval_ms);
        cells.resize(COLUMNS.len(), Cell::Unknown);
        lines.row(Kind::Host, &cells);

        for kind in [Kind::Process, Kind::Exited] {
            let mut cells = row(kind);
            cells.resize(BEFORE_PROCESS, Cell::Unknown);
            for (key, known) in &self.processes {
                if known.kind(self.is_listed, self.ticks) == kind
                    && (kind == Kind::Exited || known.tick > self.ticks_before)
                {
                    cells.truncate(BEFORE_PROCESS);
                    known.cells(*key, self, &mut cells);
                    lines.row(kind, &cells);
                }
            }
        }
        self.next(last);
        Some(end)
    }

    fn next(&mut self, last: Moment) {
        let (ticks, is_listed) = (self.ticks, self.is_listed);
        self.processes.retain(|_, known| {
            (known.cpu, known.io, known.network) = Default::default();
            known.kind(is_listed, ticks) == Kind::Process
        });
        self.start(Some(last));
    }

    fn start(&mut self, begun: Option<Moment>) {
        self.machine = Machine::default();
        self.interval_ms = 0;
        self.ticks_before = self.ticks;
        self.ended = 0;
        self.begun = begun;
    }
}

impl Known {
    fn new(process: Gauges, created: String) -> Self {
        Self { process, created, tick: 0, cpu: Sum::default(), io: Sum::default(), network: Sum::default(), exit: None }
    }

    /// Who is not in the newest list has ended, also if the tick that said so was lost.
    fn kind(&self, is_listed: bool, ticks: u64) -> Kind {
        if self.exit.is_some() || (is_listed && self.tick != ticks) { Kind::Exited } else { Kind::Process }
    }

    fn cells<'a>(&'a self, key: ProcessKey, window: &'a Window, cells: &mut Vec<Cell<'a>>) {
        let process = &self.process;
        let interval_ms = window.interval_ms;
        let [cpu_us] = self.cpu.per_second(interval_ms);
        let cores = cpu_us.map(|cpu_us| cpu_us / 1e6);
        let cpu_count = window.machine.cpu_count.filter(|count| *count > 0);
        let [read, written] = self.io.per_second(interval_ms);
        let [received, sent] = self.network.per_second(interval_ms);
        let memory = process.memory;
        let (exit, command) = (self.exit.as_ref(), process.image.command.as_ref());
        cells.extend([
            Cell::Count(u64::from(key.pid)),
            Cell::Count(u64::from(process.parent)),
            Cell::Plain(&self.created),
            Cell::Foreign(&process.image.name),
            Cell::Foreign(&process.image.program),
            Cell::count(process.uid.map(u64::from)),
            Cell::foreign(window.users.name(process.uid)),
            Cell::plain(process.state.map(ProcessState::letter)),
            Cell::ratio(cores.zip(cpu_count).map(|(cores, count)| cores / f64::from(count))),
            Cell::ratio(cores),
            Cell::count(memory.map(|memory| memory.resident_bytes)),
            Cell::count(memory.map(|memory| memory.virtual_bytes)),
            Cell::amount(read),
            Cell::amount(written),
            Cell::amount(received),
            Cell::amount(sent),
            Cell::count(process.threads.map(u64::from)),
            Cell::count(process.descriptors.map(u64::from)),
            Cell::plain(exit.map(|exit| exit.time.as_str())),
            Cell::whole(exit.and_then(|exit| exit.code)),
            Cell::whole(exit.and_then(|exit| exit.signal)),
            Cell::foreign(command.map(|command| command.text.as_str())),
        ]);
    }
}

impl Gauges {
    fn of(process: &Process) -> Self {
        Self {
            parent: process.parent,
            image: Arc::clone(&process.image),
            uid: process.uid,
            state: process.state,
            threads: process.threads,
            memory: process.memory,
            descriptors: process.descriptors,
        }
    }

    fn take_on(&mut self, process: &Process) {
        if !Arc::ptr_eq(&self.image, &process.image) {
            self.image = Arc::clone(&process.image);
        }
        (self.parent, self.uid, self.state) = (process.parent, process.uid, process.state);
        (self.threads, self.memory, self.descriptors) = (process.threads, process.memory, process.descriptors);
    }
}

impl Users {
    fn look_up(&mut self, uid: Option<u32>) {
        let Some(uid) = uid else { return };
        let name = self.name;
        self.known.entry(uid).or_insert_with(|| name(uid));
    }

    /// The name of a user that was looked up.
    fn name(&self, uid: Option<u32>) -> Option<&str> {
        self.known.get(&uid?)?.as_deref()
    }
}

/// ISO 8601 with the offset of the zone.
const MILLISECONDS: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";
const SECONDS: &str = "%Y-%m-%dT%H:%M:%S%:z";
/// The years 1 to 9999 with room for any offset, milliseconds UTC.
const CALENDAR_MS: (i64, i64) = (-62_135_424_000_000, 253_402_128_000_000);

fn local(ts_ms: i64, zone: &TimeZone) -> Zoned {
    let timestamp = Timestamp::from_millisecond(ts_ms.clamp(CALENDAR_MS.0, CALENDAR_MS.1));
    timestamp.expect("the time is kept within the calendar").to_zoned(zone.clone())
}

fn time_text(ts_ms: i64, zone: &TimeZone, format: &str) -> String {
    local(ts_ms, zone).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_ends_with_the_tick_that_is_nearest_to_its_end() {
        for (interval_ms, tick_ms, ends) in [
            (1_000, 1_000, vec![1, 2, 3, 4, 5, 6]),
            (3_000, 1_000, vec![3, 6]),
            (3_000, 999, vec![3, 6]),
            (3_000, 1_004, vec![3, 6]),
            (1_500, 1_000, vec![2, 4, 6]),
            (1_400, 1_000, vec![1, 2, 3, 4, 5, 6]),
        ] {
            let mut window = Window::new(String::new(), TimeZone::UTC, |_| None);
            let mut lines = Lines::new(crate::sink::SinkFormat::Csv);
            let mut ended = Vec::new();
            for tick in 0..=6 {
                let mono_ms = 5_000 + tick * tick_ms;
                let at = Moment { ts_ms: mono_ms, mono_ms, suspended_ms: 0, boot: BootId::default() };
                window.add(&Snapshot::unknown(at, if tick == 0 { 0 } else { tick_ms }));
                if window.is_due(Some(interval_ms), tick_ms) && window.rows(&mut lines).is_some() {
                    ended.push(tick);
                }
            }
            assert_eq!(ended, ends, "{interval_ms} of {tick_ms}");
        }
        assert!(Window::new(String::new(), TimeZone::UTC, |_| None).is_due(None, 0), "each look without an interval");
    }
}
