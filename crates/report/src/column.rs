//! The numbers of a recording: one column each in a workbook and in a CSV, one feature each for a model.

use watchkeeper_core::catalogue::{EntityRef, entities};
use watchkeeper_core::snapshot::{is_layered_disk, is_loopback};
use watchkeeper_core::{EntityKind, Snapshot, metric};

/// One number of the machine at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// What people read above the column; the identity in files.
    pub title: &'static str,
    /// A short name for the command line.
    pub short: &'static str,
    /// Where the number comes from.
    pub source: Source,
    /// What the metric's value is multiplied with: 100 for percent, 1e-6 for megabytes.
    pub scale: Scale,
    /// Digits after the point that people see.
    pub decimals: u8,
    /// What it says.
    pub help: &'static str,
}

/// Which metric, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A metric of the machine as a whole.
    Host(&'static str),
    /// The sum of a metric over all entities of a kind; the loopback interface and devices made of others do not count.
    Sum(&'static str, EntityKind),
}

/// How a metric's value becomes the number that people see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As it is.
    One,
    /// A ratio in percent.
    Percent,
    /// Bytes as millions of bytes.
    Megabytes,
}

impl Scale {
    /// The number for people.
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::One => value,
            Self::Percent => value * 100.0,
            Self::Megabytes => value / 1e6,
        }
    }
}

impl Source {
    /// Name of the metric.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Host(metric) | Self::Sum(metric, _) => metric,
        }
    }

    /// Whether an entity of this name counts.
    pub fn counts(self, entity: &str) -> bool {
        match self {
            Self::Sum(_, EntityKind::Interface) => !is_loopback(entity),
            Self::Sum(_, EntityKind::Disk) => !is_layered_disk(entity),
            _ => true,
        }
    }
}

impl Column {
    /// The number at this tick; `None` when it is unknown. A sum is unknown when one of its parts is, or when there are no parts.
    pub fn value(&self, snapshot: &Snapshot) -> Option<f64> {
        let metric = metric(self.source.metric())?;
        let number = |entity| metric.value(snapshot, entity)?.number();
        let value = match self.source {
            Source::Host(_) => number(EntityRef::Host)?,
            Source::Sum(_, kind) => {
                let counted = entities(snapshot, kind).into_iter().filter(|entity| self.counts(*entity));
                let parts: Option<Vec<f64>> = counted.map(number).collect();
                parts.filter(|parts| !parts.is_empty())?.iter().sum()
            }
        };
        Some(self.scale.apply(value)).filter(|value| value.is_finite())
    }

    fn counts(&self, entity: EntityRef<'_>) -> bool {
        match entity {
            EntityRef::Disk(disk) => self.source.counts(&disk.name),
            EntityRef::Interface(interface) => self.source.counts(&interface.name),
            _ => true,
        }
    }
}

const fn host(
    title: &'static str,
    short: &'static str,
    metric: &'static str,
    scale: Scale,
    decimals: u8,
    help: &'static str,
) -> Column {
    Column { title, short, source: Source::Host(metric), scale, decimals, help }
}

const fn sum(
    title: &'static str,
    short: &'static str,
    metric: &'static str,
    kind: EntityKind,
    help: &'static str,
) -> Column {
    Column { title, short, source: Source::Sum(metric, kind), scale: Scale::Megabytes, decimals: 2, help }
}

#[rustfmt::skip] // a table: one column a line
const COLUMNS: &[Column] = &[
    host("CPU Usage (%)", "cpu", "system.cpu.utilization", Scale::Percent, 1, "share of all CPU time that was busy"),
    host("Memory Usage (%)", "memory", "system.memory.utilization", Scale::Percent, 1, "share of memory in use"),
    host("Swap Usage (%)", "swap", "system.paging.utilization", Scale::Percent, 1, "share of swap space in use"),
    host("I/O Wait (%)", "iowait", "system.cpu.utilization.iowait", Scale::Percent, 1, "share of all CPU time idle while waiting for disks"),
    host("Load (1 min)", "load", "system.linux.load.1m", Scale::One, 2, "tasks running or uninterruptible, averaged over a minute"),
    host("CPU Pressure (%)", "cpu-pressure", "system.linux.pressure.cpu.some", Scale::Percent, 1, "share of time in which some task waited for a CPU"),
    host("Memory Pressure (%)", "memory-pressure", "system.linux.pressure.memory.some", Scale::Percent, 1, "share of time in which some task waited for memory"),
    host("I/O Pressure (%)", "io-pressure", "system.linux.pressure.io.some", Scale::Percent, 1, "share of time in which some task waited for disks"),
    sum("Disk Read (MB/s)", "disk-read", "system.disk.io.read", EntityKind::Disk, "bytes read from disks"),
    sum("Disk Write (MB/s)", "disk-write", "system.disk.io.write", EntityKind::Disk, "bytes written to disks"),
    sum("Network Received (MB/s)", "received", "system.network.io.receive", EntityKind::Interface, "bytes received, loopback left out"),
    sum("Network Sent (MB/s)", "sent", "system.network.io.transmit", EntityKind::Interface, "bytes sent, loopback left out"),
    host("Processes", "processes", "system.process.count", Scale::One, 0, "living processes"),
    host("Connections", "connections", "system.network.connection.count", Scale::One, 0, "established TCP connections"),
];

/// All columns, in the order in which they stand in files: CPU and memory first.
pub fn columns() -> &'static [Column] {
    COLUMNS
}

/// The column with this title, short name or metric name; upper and lower case are the same.
pub fn column(name: &str) -> Option<&'static Column> {
    let name = name.trim();
    COLUMNS.iter().find(|column| {
        [column.title, column.short, column.source.metric()].iter().any(|known| known.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use watchkeeper_core::reading::{CpuTimes, Memory};
    use watchkeeper_core::snapshot::{Interface, InterfaceCounters};
    use watchkeeper_core::{BootId, Moment};

    fn snapshot() -> Snapshot {
        Snapshot::unknown(Moment { ts_ms: 0, mono_ms: 0, suspended_ms: 0, boot: BootId::default() }, 1_000)
    }

    #[test]
    fn every_column_has_a_metric_of_the_catalogue_and_names_of_its_own() {
        let mut names = BTreeSet::new();
        for known in columns() {
            assert!(metric(known.source.metric()).is_some(), "{}", known.title);
            assert!(names.insert(known.title) && names.insert(known.short), "{}", known.title);
            for name in [known.title, known.short, known.source.metric(), &known.title.to_uppercase()] {
                assert_eq!(column(name), Some(known), "{name}");
            }
        }
        assert_eq!((columns()[0].title, columns()[1].title), ("CPU Usage (%)", "Memory Usage (%)"));
        assert_eq!(column("Timestamp"), None);
    }

    #[test]
    fn numbers_are_those_that_people_see() {
        let mut snapshot = snapshot();
        snapshot.host.cpu = Some(CpuTimes { user_us: 250_000, idle_us: 750_000, ..CpuTimes::default() });
        snapshot.host.memory = Some(Memory { total_bytes: 1_000, available_bytes: 599, ..Memory::default() });
        let interface = |name: &str, received_bytes| Interface {
            name: name.to_owned(),
            counters: Some(InterfaceCounters { received_bytes, ..InterfaceCounters::default() }),
            up: Some(true),
        };
        snapshot.interfaces =
            Some(vec![interface("lo", 9_000_000), interface("eth0", 2_000_000), interface("wlan0", 500_000)]);
        for (name, value) in
            [("cpu", Some(25.0)), ("memory", Some(40.1)), ("received", Some(2.5)), ("swap", None), ("disk-read", None)]
        {
            let found = column(name).unwrap().value(&snapshot);
            match (found, value) {
                (Some(found), Some(value)) => assert!((found - value).abs() < 1e-9, "{name}: {found}"),
                _ => assert_eq!(found, value, "{name}"),
            }
        }
        snapshot.interfaces = Some(vec![interface("eth0", 1), Interface { counters: None, ..interface("eth1", 1) }]);
        assert_eq!(column("received").unwrap().value(&snapshot), None, "a sum with an unknown part is unknown");
    }
}
