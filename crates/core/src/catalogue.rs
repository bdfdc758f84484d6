//! The metric catalogue: the only place where a metric is declared.
//!
//! Names follow the OpenTelemetry semantic conventions; an attribute becomes a last word (`disk.io.direction=read` of
//! `process.disk.io` is `process.disk.io.read`). Counters are seen as rates per second. Where OpenTelemetry has no
//! metric, `otel` is `None` and the name is ours.

mod anomaly;
mod check;
mod host;
mod parts;
mod process;
mod watch;

use crate::identity::{Entity, EntityKind};
use crate::snapshot::{Check, Cpu, Disk, Filesystem, Interface, Peer, Process, Snapshot, Socket};
use crate::unit::Unit;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value at an instant.
    Gauge,
    /// A total of the kernel, seen as a rate per second over the interval.
    Counter,
    /// How often something happened in this tick: a number of events, not a rate. `count(field, window)` adds them up.
    Event,
    /// Words that describe the entity.
    Label,
}

/// The metric and attribute of the OpenTelemetry semantic conventions that a catalogue entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Otel {
    /// Name of the metric.
    pub metric: &'static str,
    /// Attribute and value that select the part, e.g. `("disk.io.direction", "read")`.
    pub attribute: Option<(&'static str, &'static str)>,
}

/// One entry of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name in rules, tables and exports.
    pub name: &'static str,
    /// Unit of the value: of the rate, for a counter.
    pub unit: Unit,
    /// How it behaves.
    pub kind: Kind,
    /// What it says, one sentence without full stop.
    pub help: &'static str,
    /// Its place in OpenTelemetry, if it has one.
    pub otel: Option<Otel>,
    /// How it is taken from a snapshot.
    pub read: Read,
}

/// A value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number in the metric's unit, always finite.
    Number(f64),
    /// Words. Foreign text.
    Text(&'a str),
}

impl Value<'_> {
    /// The number, if it is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(_) => None,
        }
    }
}

/// How a metric is taken from a snapshot, by the kind of entity it belongs to. `None` is unknown.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "one reader for each kind of entity")]
pub enum Read {
    Host(fn(&Snapshot) -> Option<f64>),
    Cpu(fn(&Snapshot, &Cpu) -> Option<f64>),
    Disk(fn(&Snapshot, &Disk) -> Option<f64>),
    Filesystem(fn(&Snapshot, &Filesystem) -> Option<f64>),
    Interface(fn(&Snapshot, &Interface) -> Option<f64>),
    Peer(fn(&Snapshot, &Peer) -> Option<f64>),
    Socket(fn(&Snapshot, &Socket) -> Option<f64>),
    Check(fn(&Snapshot, &Check) -> Option<f64>),
    Process(fn(&Snapshot, &Process) -> Option<f64>),
    ProcessText(fn(&Process) -> Option<&str>),
}

/// One entity inside a snapshot.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "one case for each kind of entity")]
pub enum EntityRef<'a> {
    Host,
    Cpu(&'a Cpu),
    Disk(&'a Disk),
    Filesystem(&'a Filesystem),
    Interface(&'a Interface),
    Peer(&'a Peer),
    Socket(&'a Socket),
    Check(&'a Check),
    Process(&'a Process),
}

impl EntityRef<'_> {
    /// The entity by its identity.
    pub fn entity(&self) -> Entity {
        match self {
            Self::Host => Entity::Host,
            Self::Cpu(cpu) => Entity::Cpu(cpu.number),
            Self::Disk(disk) => Entity::Disk(disk.name.clone()),
            Self::Filesystem(filesystem) => Entity::Filesystem(filesystem.mount_point.clone()),
            Self::Interface(interface) => Entity::Interface(interface.name.clone()),
            Self::Peer(peer) => Entity::Peer(peer.address.clone()),
            Self::Socket(socket) => Entity::Socket(socket.name()),
            Self::Check(check) => Entity::Check(check.name.clone()),
            Self::Process(process) => Entity::Process(process.key),
        }
    }
}

impl Metric {
    /// The kind of entity the metric belongs to.
    pub fn entity_kind(&self) -> EntityKind {
        match self.read {
            Read::Host(_) => EntityKind::Host,
            Read::Cpu(_) => EntityKind::Cpu,
            Read::Disk(_) => EntityKind::Disk,
            Read::Filesystem(_) => EntityKind::Filesystem,
            Read::Interface(_) => EntityKind::Interface,
            Read::Peer(_) => EntityKind::Peer,
            Read::Socket(_) => EntityKind::Socket,
            Read::Check(_) => EntityKind::Check,
            Read::Process(_) | Read::ProcessText(_) => EntityKind::Process,
        }
    }

    /// The value for one entity; `None` when it is unknown, not finite, or the entity is of another kind.
    /// A metric of the host has the same value whatever entity is given.
    pub fn value<'a>(&self, snapshot: &'a Snapshot, entity: EntityRef<'a>) -> Option<Value<'a>> {
        let number = match (self.read, entity) {
            (Read::Host(read), _) => read(snapshot),
            (Read::Cpu(read), EntityRef::Cpu(cpu)) => read(snapshot, cpu),
            (Read::Disk(read), EntityRef::Disk(disk)) => read(snapshot, disk),
            (Read::Filesystem(read), EntityRef::Filesystem(filesystem)) => read(snapshot, filesystem),
            (Read::Interface(read), EntityRef::Interface(interface)) => read(snapshot, interface),
            (Read::Peer(read), EntityRef::Peer(peer)) => read(snapshot, peer),
            (Read::Socket(read), EntityRef::Socket(socket)) => read(snapshot, socket),
            (Read::Check(read), EntityRef::Check(check)) => read(snapshot, check),
            (Read::Process(read), EntityRef::Process(process)) => read(snapshot, process),
            (Read::ProcessText(read), EntityRef::Process(process)) => return read(process).map(Value::Text),
            _ => None,
        };
        number.filter(|number| number.is_finite()).map(Value::Number)
    }
}

/// All metrics, grouped by entity.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    [host::METRICS, anomaly::METRICS, watch::METRICS, parts::METRICS, check::METRICS, process::METRICS]
        .into_iter()
        .flatten()
}

/// The metric with this name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    metrics().find(|metric| metric.name == name)
}

/// Every entity of one kind in a snapshot; programs are built from processes by their users.
pub fn entities(snapshot: &Snapshot, kind: EntityKind) -> Vec<EntityRef<'_>> {
    fn all<'a, T>(items: Option<&'a Vec<T>>, wrap: fn(&'a T) -> EntityRef<'a>) -> Vec<EntityRef<'a>> {
        items.into_iter().flatten().map(wrap).collect()
    }
    match kind {
        EntityKind::Host => vec![EntityRef::Host],
        EntityKind::Cpu => all(snapshot.cpus.as_ref(), EntityRef::Cpu),
        EntityKind::Disk => all(snapshot.disks.as_ref(), EntityRef::Disk),
        EntityKind::Filesystem => all(snapshot.filesystems.as_ref(), EntityRef::Filesystem),
        EntityKind::Interface => all(snapshot.interfaces.as_ref(), EntityRef::Interface),
        EntityKind::Peer => all(snapshot.peers.as_ref(), EntityRef::Peer),
        EntityKind::Socket => all(snapshot.sockets.as_ref(), EntityRef::Socket),
        EntityKind::Check => all(snapshot.checks.as_ref(), EntityRef::Check),
        EntityKind::Process => all(snapshot.processes.as_ref(), EntityRef::Process),
        EntityKind::Program => Vec::new(),
    }
}

/// One line of the catalogue.
const fn entry(name: &'static str, kind: Kind, unit: Unit, read: Read, help: &'static str) -> Metric {
    Metric { name, unit, kind, help, otel: None, read }
}

impl Metric {
    /// The OpenTelemetry metric of the same name.
    const fn otel_same(mut self) -> Self {
        self.otel = Some(Otel { metric: self.name, attribute: None });
        self
    }

    /// The OpenTelemetry metric with an attribute.
    const fn otel(mut self, metric: &'static str, attribute: &'static str, value: &'static str) -> Self {
        self.otel = Some(Otel { metric, attribute: Some((attribute, value)) });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_dotted_lower_case_words() {
        let mut seen = HashSet::new();
        for metric in metrics() {
            assert!(seen.insert(metric.name), "{} twice", metric.name);
            assert!(
                metric.name.split('.').all(|word| !word.is_empty()
                    && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')),
                "{}",
                metric.name
            );
            assert!(!metric.help.is_empty() && !metric.help.ends_with('.'), "{}", metric.name);
            assert_eq!(metric.kind == Kind::Label, metric.unit == Unit::Text, "{}", metric.name);
        }
        assert!(seen.len() > 60);
    }

    #[test]
    fn a_metric_begins_with_its_entity() {
        for metric in metrics() {
            let prefixes: &[&str] = match metric.entity_kind() {
                EntityKind::Process => &["process."],
                EntityKind::Check => &["check."],
                EntityKind::Host => &["system.", "anomaly.", "watchkeeper."],
                _ => &["system."],
            };
            assert!(prefixes.iter().any(|prefix| metric.name.starts_with(prefix)), "{}", metric.name);
        }
    }
}
