//! The processes of a moment, by what drives an anomaly.

use serde::Serialize;
use watchkeeper_core::Unit;
use watchkeeper_core::text::clean;
use watchkeeper_report::{Column, ProcessRow, Row};

/// What processes are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RankedBy {
    /// CPU time in the interval.
    Cpu,
    /// Resident memory.
    Memory,
    /// Bytes read from storage.
    DiskRead,
    /// Bytes written to storage.
    DiskWrite,
    /// Bytes read and written.
    Disk,
}

/// What a process takes of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Taker {
    /// Process id.
    pub pid: u32,
    /// The program it counts as. Foreign text.
    pub program: String,
    /// The kernel's name. Foreign text.
    pub name: String,
    /// Share of this machine's CPU time in the interval, percent; `None`: unknown.
    pub cpu_percent: Option<f64>,
    /// Resident memory; `None`: unknown, or ended.
    pub resident_bytes: Option<u64>,
    /// Share of this machine's memory, percent; `None`: unknown.
    pub memory_percent: Option<f64>,
    /// Bytes read from storage in a second; `None`: unknown.
    pub read_bytes_per_second: Option<f64>,
    /// Bytes written to storage in a second; `None`: unknown.
    pub written_bytes_per_second: Option<f64>,
}

impl RankedBy {
    /// By what a feature is driven; CPU time where processes are not known by it.
    pub fn of(feature: &Column) -> Self {
        match feature.source.metric() {
            "system.disk.io.read" => Self::DiskRead,
            "system.disk.io.write" => Self::DiskWrite,
            "system.cpu.utilization.iowait" | "system.linux.pressure.io.some" => Self::Disk,
            metric
                if ["system.memory.", "system.paging.", "system.linux.pressure.memory."]
                    .iter()
                    .any(|prefix| metric.starts_with(prefix)) =>
            {
                Self::Memory
            }
            _ => Self::Cpu,
        }
    }
}

/// The processes that take most, most first; those that take nothing, or nothing known, are left out.
pub fn top(row: &Row, memory_bytes: Option<u64>, by: RankedBy, count: usize) -> Vec<Taker> {
    let rows = row.processes.iter().flatten();
    let takers = rows.map(|process| Taker::of(row, memory_bytes, process));
    let mut takers: Vec<Taker> = takers.filter(|taker| taker.amount(by).is_some_and(|amount| amount > 0.0)).collect();
    takers.sort_by(|a, b| {
        let (a_amount, b_amount) = (a.amount(by).unwrap_or(0.0), b.amount(by).unwrap_or(0.0));
        b_amount.total_cmp(&a_amount).then(a.pid.cmp(&b.pid))
    });
    takers.truncate(count);
    takers
}

impl Taker {
    fn of(row: &Row, memory_bytes: Option<u64>, process: &ProcessRow) -> Self {
        let seconds = row.interval_ms as f64 / 1e3;
        let rate = |bytes: Option<u64>| bytes.filter(|_| seconds > 0.0).map(|bytes| bytes as f64 / seconds);
        let memory = process.resident_bytes.zip(memory_bytes.filter(|bytes| *bytes > 0));
        Self {
            pid: process.pid,
            program: process.program.clone(),
            name: process.name.clone(),
            cpu_percent: row.cpu_percent(process),
            resident_bytes: process.resident_bytes,
            memory_percent: memory.map(|(resident, all)| resident as f64 / all as f64 * 100.0),
            read_bytes_per_second: rate(process.read_bytes),
            written_bytes_per_second: rate(process.written_bytes),
        }
    }

    fn amount(&self, by: RankedBy) -> Option<f64> {
        match by {
            RankedBy::Cpu => self.cpu_percent,
            RankedBy::Memory => self.resident_bytes.map(|bytes| bytes as f64),
            RankedBy::DiskRead => self.read_bytes_per_second,
            RankedBy::DiskWrite => self.written_bytes_per_second,
            RankedBy::Disk => match (self.read_bytes_per_second, self.written_bytes_per_second) {
                (None, None) => None,
                (read, written) => Some(read.unwrap_or(0.0) + written.unwrap_or(0.0)),
            },
        }
    }

    /// Program and pid, made safe: `burner (pid 4711)`.
    pub fn shown_name(&self) -> String {
        format!("{} (pid {})", clean(&self.program, 80), self.pid)
    }

    /// What it takes, made safe: `burner (pid 4711) takes 49.8 % of this machine's CPU`.
    pub fn sentence(&self, by: RankedBy) -> String {
        let name = self.shown_name();
        let share = |percent: f64| Unit::Ratio.show(percent / 100.0);
        let rate = |bytes: f64| Unit::BytesPerSecond.show(bytes);
        let amount = self.amount(by).unwrap_or(f64::NAN);
        match by {
            RankedBy::Cpu => format!("{name} takes {} of this machine's CPU", share(amount)),
            RankedBy::Memory => match self.memory_percent {
                Some(percent) => format!("{name} takes {} of this machine's memory", share(percent)),
                None => format!("{name} takes {} of memory", Unit::Bytes.show(amount)),
            },
            RankedBy::DiskRead => format!("{name} reads {} from disks", rate(amount)),
            RankedBy::DiskWrite => format!("{name} writes {} to disks", rate(amount)),
            RankedBy::Disk => format!("{name} reads and writes {}", rate(amount)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_report::{column, columns};

    fn process(pid: u32, cpu_us: Option<u64>, resident_bytes: Option<u64>, io: Option<(u64, u64)>) -> ProcessRow {
        ProcessRow {
            pid,
            start_ticks: 1,
            name: format!("n{pid}"),
            program: format!("p{pid}\u{1b}"),
            cpu_us,
            resident_bytes,
            read_bytes: io.map(|(read, _)| read),
            written_bytes: io.map(|(_, written)| written),
        }
    }

    fn row() -> Row {
        Row {
            interval_ms: 2_000,
            cpu_count: Some(2),
            processes: Some(vec![
                process(1, Some(1_000_000), Some(100 << 20), Some((0, 2 << 20))),
                process(2, Some(2_000_000), Some(50 << 20), None),
                process(3, None, Some(512 << 20), Some((6 << 20, 0))),
                process(4, Some(1_000_000), None, Some((1 << 20, 1 << 20))),
                process(5, Some(0), Some(0), Some((0, 0))),
            ]),
            ..Row::default()
        }
    }

    #[test]
    fn what_drives_an_anomaly_says_how_processes_are_ordered() {
        let names = |by| -> Vec<&str> {
            columns().iter().filter(|column| RankedBy::of(column) == by).map(|column| column.short).collect()
        };
        assert_eq!(names(RankedBy::Memory), ["memory", "swap", "memory-pressure"]);
        assert_eq!(names(RankedBy::DiskRead), ["disk-read"]);
        assert_eq!(names(RankedBy::DiskWrite), ["disk-write"]);
        assert_eq!(names(RankedBy::Disk), ["iowait", "io-pressure"]);
        assert_eq!(RankedBy::of(column("cpu").unwrap()), RankedBy::Cpu);
        assert_eq!(RankedBy::of(column("received").unwrap()), RankedBy::Cpu);
    }

    #[test]
    fn processes_are_named_with_what_they_take() {
        for (by, expected) in [
            (
                RankedBy::Cpu,
                vec![
                    "p2\\u{1b} (pid 2) takes 50.0 % of this machine's CPU",
                    "p1\\u{1b} (pid 1) takes 25.0 % of this machine's CPU",
                    "p4\\u{1b} (pid 4) takes 25.0 % of this machine's CPU",
                ],
            ),
            (
                RankedBy::Memory,
                vec![
                    "p3\\u{1b} (pid 3) takes 50.0 % of this machine's memory",
                    "p1\\u{1b} (pid 1) takes 9.8 % of this machine's memory",
                    "p2\\u{1b} (pid 2) takes 4.9 % of this machine's memory",
                ],
            ),
            (
                RankedBy::DiskRead,
                vec!["p3\\u{1b} (pid 3) reads 3.0 MiB/s from disks", "p4\\u{1b} (pid 4) reads 512.0 KiB/s from disks"],
            ),
            (
                RankedBy::DiskWrite,
                vec!["p1\\u{1b} (pid 1) writes 1.0 MiB/s to disks", "p4\\u{1b} (pid 4) writes 512.0 KiB/s to disks"],
            ),
            (
                RankedBy::Disk,
                vec![
                    "p3\\u{1b} (pid 3) reads and writes 3.0 MiB/s",
                    "p1\\u{1b} (pid 1) reads and writes 1.0 MiB/s",
                    "p4\\u{1b} (pid 4) reads and writes 1.0 MiB/s",
                ],
            ),
        ] {
            let sentences: Vec<String> =
                top(&row(), Some(1 << 30), by, 3).iter().map(|taker| taker.sentence(by)).collect();
            assert_eq!(sentences, expected);
        }
        assert_eq!(top(&row(), Some(1 << 30), RankedBy::Cpu, 1).len(), 1);
        let unknown = top(&row(), None, RankedBy::Memory, 1);
        assert_eq!(unknown[0].sentence(RankedBy::Memory), "p3\\u{1b} (pid 3) takes 512.0 MiB of memory");
        assert_eq!(top(&Row::default(), None, RankedBy::Cpu, 3), []);
    }
}
