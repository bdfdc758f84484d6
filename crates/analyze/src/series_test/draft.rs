//! A snapshot made of values of metrics: what the catalogue reads, the other way around.
//!
//! Nothing but what the values say is known, apart from two CPUs. Values of one thing can contradict each other, and
//! counters have no halves: [`check`] reads everything back.

mod host;
mod parts;
mod process;

use watchkeeper_core::catalogue::{self, EntityRef, Metric, Value};
use watchkeeper_core::{EntityKind, Snapshot, Unit};

use super::entities::Subject;
use super::values::Slot;

pub(super) use process::{Instance, exited};

/// CPUs of the machine, unless `system.cpu.logical.count` says otherwise.
pub(super) const CPUS: u32 = 2;
/// Memory of the machine, unless `system.memory.limit` says otherwise.
pub(super) const MEMORY_BYTES: u64 = 8 << 30;

/// How far a value that was written may be from what is read, as a share of it.
const CLOSE: f64 = 1e-6;

/// The things of a look that are there, each with the values of its series in the order of [`rank`].
pub(super) struct Present<'t> {
    pub(super) subject: &'t Subject,
    /// Of processes, which one it is.
    pub(super) instance: Option<Instance>,
    pub(super) values: Vec<(&'static Metric, Slot)>,
}

/// Whether a metric can be given; `Err` says what to give instead.
pub(super) fn can_be_given(metric: &Metric) -> Result<(), &'static str> {
    match metric.name {
        "system.uptime" => Err("the machine of a test has run for 30 days"),
        "process.uptime" => Err("say how old the process is with `age` in its table"),
        "process.service.starts" => {
            Err("give the process a `unit` such as \"web.service\", and let it go and come back with `.`")
        }
        "process.window.hung" => Err("give `process.state` the value `H`"),
        "process.name"
        | "process.program"
        | "process.executable.path"
        | "process.executable.name"
        | "process.command_line" => Err("write it into the table of the process"),
        _ => Ok(()),
    }
}

/// What is written first, because others are shares of it, and what last, because it takes what is left.
pub(super) fn rank(metric: &Metric) -> u8 {
    match metric.name {
        "system.cpu.logical.count"
        | "system.memory.limit"
        | "system.paging.limit"
        | "system.filesystem.limit"
        | "system.network.socket.backlog" => 0,
        "process.cpu.utilization" | "process.cpu.cores" => 1,
        "system.cpu.utilization"
        | "system.cpu.logical.utilization"
        | "process.cpu.utilization.system"
        | "process.disk.io"
        | "process.network.io"
        | "system.disk.operation_time.read"
        | "system.disk.operation_time.write" => 3,
        "system.cpu.utilization.idle" | "system.process.count" => 4,
        _ => 2,
    }
}

/// Writes all values into a snapshot that knows nothing. `kinds` are those that the test has series of: their lists are
/// known, also when they are empty.
pub(super) fn fill(snapshot: &mut Snapshot, kinds: &[EntityKind], things: &[Present<'_>]) {
    snapshot.host.cpu_count = Some(CPUS);
    snapshot.processes = Some(Vec::new());
    parts::begin_lists(snapshot, kinds);
    let hosts_first = things.iter().filter(|thing| *thing.subject == Subject::Host);
    for thing in hosts_first {
        host::write(snapshot, &thing.values);
    }
    for thing in things {
        match (thing.subject, thing.instance) {
            (Subject::Host, _) => {}
            (Subject::Process(process), Some(instance)) => process::write(snapshot, process, instance, &thing.values),
            (subject, _) => parts::write(snapshot, subject, &thing.values),
        }
    }
    if let Some(host) = things.iter().find(|thing| *thing.subject == Subject::Host) {
        process::pad(snapshot, &host.values);
    }
    if let Some(processes) = &mut snapshot.processes {
        processes.sort_by_key(|process| process.key);
    }
}

/// A value that does not read back as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contradiction {
    pub(super) given: f64,
    /// What it reads as.
    pub(super) found: Option<f64>,
}

/// Reads a value back.
pub(super) fn check(
    snapshot: &Snapshot,
    thing: &Present<'_>,
    metric: &Metric,
    given: f64,
) -> Result<(), Contradiction> {
    let entity = catalogue::entities(snapshot, thing.subject.kind()).into_iter().find(|entity| is(*entity, thing));
    let found = entity.and_then(|entity| metric.value(snapshot, entity)).and_then(Value::number);
    let close = match metric.unit {
        // A byte more or less is no contradiction.
        Unit::Bytes | Unit::BytesPerSecond => 1.0,
        _ => CLOSE,
    };
    if found.is_some_and(|found| (found - given).abs() <= (given.abs() * CLOSE).max(close)) {
        return Ok(());
    }
    Err(Contradiction { given, found })
}

fn is(entity: EntityRef<'_>, thing: &Present<'_>) -> bool {
    match (thing.subject, entity) {
        (Subject::Host, EntityRef::Host) => true,
        (Subject::Cpu(number), EntityRef::Cpu(cpu)) => cpu.number == *number,
        (Subject::Disk(name), EntityRef::Disk(disk)) => disk.name == *name,
        (Subject::Filesystem(name), EntityRef::Filesystem(filesystem)) => filesystem.mount_point == *name,
        (Subject::Interface(name), EntityRef::Interface(interface)) => interface.name == *name,
        (Subject::Peer(name), EntityRef::Peer(peer)) => peer.address == *name,
        (Subject::Socket(own), EntityRef::Socket(socket)) => {
            (own.port, &own.address, &own.protocol) == (socket.port, &socket.address, &socket.protocol)
        }
        (Subject::Check(name), EntityRef::Check(check)) => check.name == *name,
        (Subject::Process(_), EntityRef::Process(process)) => {
            thing.instance.is_some_and(|instance| instance.key == process.key)
        }
        _ => false,
    }
}

/// A rate as a difference over the interval.
fn difference(snapshot: &Snapshot, per_second: f64) -> u64 {
    (per_second * snapshot.interval_ms as f64 / 1e3).round() as u64
}

/// Microseconds of CPU time that all CPUs together have in the interval.
fn machine_us(snapshot: &Snapshot) -> f64 {
    snapshot.interval_ms as f64 * 1e3 * f64::from(snapshot.host.cpu_count.unwrap_or(CPUS))
}

/// A part of a whole.
fn part(share: f64, whole: u64) -> u64 {
    (share * whole as f64).round() as u64
}

#[cfg(test)]
mod tests;
