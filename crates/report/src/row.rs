//! One tick of a recording: what a line of the log sheet, a block on the screen and a line of the spool are made of.

use serde::{Deserialize, Serialize};
use watchkeeper_core::ProcessKey;
use watchkeeper_core::Snapshot;
use watchkeeper_core::process::Image;
use watchkeeper_core::reading::Peer;
use watchkeeper_core::snapshot::{ProcessCpu, ProcessIo};

use crate::column::columns;

/// Remote addresses that a row keeps, those with the most connections first.
const MOST_PEERS: usize = 50;
/// Idle processes that a row keeps for their memory.
const MOST_IDLE: usize = 10;

/// One tick of a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// End of the interval, milliseconds UTC.
    pub ts_ms: i64,
    /// Length of the interval, monotonic milliseconds; 0 at a first look.
    pub interval_ms: i64,
    /// One number for each of [`columns()`], in their order; `None` is unknown.
    pub values: Vec<Option<f64>>,
    /// Logical CPUs.
    pub cpu_count: Option<u32>,
    /// Established connections by remote address, most first. `None`: unknown.
    pub peers: Option<Vec<Peer>>,
    /// Processes that did something in the interval, ended ones included, and the largest idle ones; by CPU time, most
    /// first, then by memory. `None`: the list could not be read.
    pub processes: Option<Vec<ProcessRow>>,
}

/// One process in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessRow {
    /// Process id.
    pub pid: u32,
    /// Start time, ticks of 10 ms since boot; with the pid the identity within a recording.
    pub start_ticks: u64,
    /// The kernel's name. Foreign text.
    pub name: String,
    /// The program it counts as. Foreign text.
    pub program: String,
    /// CPU time in the interval, microseconds. `None`: unknown.
    pub cpu_us: Option<u64>,
    /// Resident memory now. `None`: unknown, or ended.
    pub resident_bytes: Option<u64>,
    /// Bytes read from storage in the interval. `None`: unknown.
    pub read_bytes: Option<u64>,
    /// Bytes written to storage in the interval. `None`: unknown.
    pub written_bytes: Option<u64>,
}

impl Row {
    /// What a recording keeps of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut peers = snapshot.peers.clone();
        if let Some(peers) = &mut peers {
            peers.sort_by(|a, b| b.connections.cmp(&a.connections).then_with(|| a.address.cmp(&b.address)));
            peers.truncate(MOST_PEERS);
        }
        Self {
            ts_ms: snapshot.at.ts_ms,
            interval_ms: snapshot.interval_ms,
            values: columns().iter().map(|column| column.value(snapshot)).collect(),
            cpu_count: snapshot.host.cpu_count,
            peers,
            processes: processes(snapshot),
        }
    }

    /// The number under a title of [`columns()`]; `None` when it is unknown.
    pub fn value(&self, title: &str) -> Option<f64> {
        let index = columns().iter().position(|column| column.title == title)?;
        self.values.get(index).copied().flatten()
    }

    /// A process' share of the whole machine's CPU time in the interval, percent; `None` when unknown.
    pub fn cpu_percent(&self, process: &ProcessRow) -> Option<f64> {
        let count = self.cpu_count.filter(|count| *count > 0)?;
        let available_us = self.interval_ms as f64 * 1e3 * f64::from(count);
        let cpu_us = process.cpu_us.filter(|_| available_us > 0.0)?;
        Some(cpu_us as f64 / available_us * 100.0)
    }
}

impl ProcessRow {
    fn new(
        key: ProcessKey,
        image: &Image,
        cpu: Option<ProcessCpu>,
        io: Option<ProcessIo>,
        resident: Option<u64>,
    ) -> Self {
        Self {
            pid: key.pid,
            start_ticks: key.start_ticks,
            name: image.name.clone(),
            program: image.program.clone(),
            cpu_us: cpu.map(|cpu| cpu.total_us),
            resident_bytes: resident,
            read_bytes: io.map(|io| io.read_bytes),
            written_bytes: io.map(|io| io.written_bytes),
        }
    }

    fn is_busy(&self) -> bool {
        [self.cpu_us, self.read_bytes, self.written_bytes].iter().any(|amount| amount.is_some_and(|amount| amount > 0))
    }

    /// What is more comes first: CPU time, then memory; the pid makes the order whole.
    fn rank(&self) -> (std::cmp::Reverse<Option<u64>>, std::cmp::Reverse<Option<u64>>, u32) {
        (std::cmp::Reverse(self.cpu_us), std::cmp::Reverse(self.resident_bytes), self.pid)
    }
}

fn processes(snapshot: &Snapshot) -> Option<Vec<ProcessRow>> {
    let living = snapshot.processes.as_ref()?.iter().map(|process| {
        let resident = process.memory.map(|memory| memory.resident_bytes);
        ProcessRow::new(process.key, &process.image, process.cpu, process.io, resident)
    });
    let (mut rows, mut idle): (Vec<_>, Vec<_>) = living.partition(ProcessRow::is_busy);
    rows.extend(
        snapshot.exited.iter().map(|exited| ProcessRow::new(exited.key, &exited.image, exited.cpu, exited.io, None)),
    );
    idle.sort_by_key(ProcessRow::rank);
    rows.extend(idle.into_iter().take(MOST_IDLE));
    rows.sort_by_key(ProcessRow::rank);
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use watchkeeper_core::reading::ProcessMemory;
    use watchkeeper_core::snapshot::{Exited, Process};
    use watchkeeper_core::{BootId, Moment};

    fn process(pid: u32, cpu_us: Option<u64>, resident_bytes: u64) -> Process {
        Process {
            key: ProcessKey { boot: BootId::default(), pid, start_ticks: 7 },
            parent: 1,
            image: Arc::new(Image { name: format!("p{pid}"), program: "app".to_owned(), ..Image::default() }),
            uid: None,
            state: None,
            threads: None,
            cpu: cpu_us.map(|total_us| ProcessCpu { total_us, user_us: 0 }),
            memory: Some(ProcessMemory { resident_bytes, virtual_bytes: 0 }),
            faults: None,
            io: None,
            network: None,
            descriptors: None,
        }
    }

    fn snapshot() -> Snapshot {
        let mut snapshot =
            Snapshot::unknown(Moment { ts_ms: 5_000, mono_ms: 5_000, suspended_ms: 0, boot: BootId::default() }, 5_000);
        snapshot.host.cpu_count = Some(2);
        snapshot
    }

    #[test]
    fn a_row_keeps_who_worked_and_the_largest_of_the_idle() {
        let mut snapshot = snapshot();
        let mut processes = vec![process(1, Some(0), 10), process(2, Some(2_500_000), 20), process(3, None, 30)];
        processes.extend((100..120).map(|pid| process(pid, Some(0), u64::from(pid))));
        snapshot.processes = Some(processes);
        let ended = process(9, Some(1_000), 0);
        snapshot.exited = vec![Exited {
            key: ended.key,
            parent: 1,
            image: ended.image,
            uid: None,
            ts_ms: 4_000,
            code: None,
            signal: None,
            cpu: ended.cpu,
            faults: None,
            io: None,
            network: None,
        }];
        let row = Row::of(&snapshot);
        let processes = row.processes.as_ref().unwrap();
        let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        assert_eq!(pids, [2, 9, 119, 118, 117, 116, 115, 114, 113, 112, 111, 110]);
        assert_eq!(row.cpu_percent(&processes[0]), Some(25.0), "half of one of two CPUs");
        assert_eq!(processes[1].resident_bytes, None);
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let row = Row::of(&snapshot());
        assert_eq!((row.values.len(), row.peers.is_none(), row.processes.is_none()), (columns().len(), true, true));
        assert_eq!(row.value("CPU Usage (%)"), None);
        let first_look = Row { interval_ms: 0, cpu_count: Some(2), ..Row::default() };
        let image = Image::default();
        let cpu = Some(ProcessCpu { total_us: 1, user_us: 0 });
        let key = ProcessKey { boot: BootId::default(), pid: 1, start_ticks: 0 };
        assert_eq!(first_look.cpu_percent(&ProcessRow::new(key, &image, cpu, None, None)), None);
    }

    #[test]
    fn peers_are_ordered_by_connections() {
        let mut snapshot = snapshot();
        let peer = |address: &str, connections| Peer { address: address.to_owned(), connections };
        snapshot.peers = Some(vec![peer("10.0.0.1", 1), peer("10.0.0.3", 5), peer("10.0.0.2", 5)]);
        let addresses: Vec<String> = Row::of(&snapshot).peers.unwrap().into_iter().map(|peer| peer.address).collect();
        assert_eq!(addresses, ["10.0.0.2", "10.0.0.3", "10.0.0.1"]);
    }

    #[test]
    fn a_row_survives_being_written_and_read() {
        let mut snapshot = snapshot();
        snapshot.processes = Some(vec![process(2, Some(5), 20)]);
        let row = Row::of(&snapshot);
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }
}
