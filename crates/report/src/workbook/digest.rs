//! What a whole recording comes to: one pass over its rows, in a memory that does not grow with them.

use std::collections::BTreeMap;

use watchkeeper_core::text::clean;

use super::alerts::{Tickets, culprit, process_name};
use super::ranking::{Ranked, Ranking, Top};
use super::samples::Samples;
use crate::column::{Column, columns};
use crate::recording::{Recording, SpoolError};
use crate::row::Row;

/// Processes in the sheet of the top ones.
const TOP_PROCESSES: usize = 100;
/// Addresses in the sheet of connections.
const TOP_PEERS: usize = 1_000;
/// Processes, and addresses, of which sums are kept.
const MOST_KEPT: usize = 20_000;
/// What the charts of long recordings show, in this order.
pub(super) const DRAWN: [&str; 6] = [
    "CPU Usage (%)",
    "Memory Usage (%)",
    "Disk Read (MB/s)",
    "Disk Write (MB/s)",
    "Network Received (MB/s)",
    "Network Sent (MB/s)",
];

/// Pid and start time, which with the recording's machine are the identity of a process.
pub(super) type ProcessId = (u32, u64);

/// A whole recording.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) rows: u64,
    /// Lines that were cut or damaged.
    pub(super) left_out: u64,
    /// Beginning of the first interval.
    pub(super) began_ms: Option<i64>,
    /// End of the last interval.
    pub(super) ended_ms: Option<i64>,
    /// All intervals together.
    pub(super) observed_ms: i64,
    /// One for each column.
    pub(super) figures: Vec<Figure>,
    pub(super) alert_rows: u64,
    /// Their intervals together.
    pub(super) alert_ms: i64,
    pub(super) tickets: u64,
    /// The row with the highest CPU usage.
    pub(super) worst: Option<Worst>,
    /// Those that took the most CPU time.
    pub(super) processes: Top<ProcessId, ProcessTotal>,
    /// Those with the most connections.
    pub(super) peers: Top<String, PeerTotal>,
    /// Rows whose connections are known.
    pub(super) rows_with_peers: u64,
    /// All CPU time that there was, microseconds.
    pub(super) available_us: f64,
    pub(super) samples: Samples<{ DRAWN.len() }>,
}

/// The row with the highest CPU usage.
#[derive(Debug)]
pub(super) struct Worst {
    pub(super) ts_ms: i64,
    pub(super) cpu_percent: f64,
    /// Who took the most, and its share in percent.
    pub(super) culprit: Option<(String, Option<f64>)>,
}

/// One column over a recording.
#[derive(Debug, Default)]
pub(super) struct Figure {
    count: u64,
    sum: f64,
    /// Highest value, and when.
    pub(super) highest: Option<(f64, i64)>,
    /// Values by size, in steps of 0.1 %: how many, and their sum.
    sizes: BTreeMap<i32, (u64, f64)>,
}

/// A process over a recording.
#[derive(Debug)]
pub(super) struct ProcessTotal {
    pub(super) name: String,
    pub(super) program: String,
    pub(super) cpu_us: Option<u64>,
    /// Highest share of the machine in a row, percent, and when.
    pub(super) peak: Option<(f64, i64)>,
    pub(super) peak_bytes: Option<u64>,
    pub(super) read_bytes: Option<u64>,
    pub(super) written_bytes: Option<u64>,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

/// A remote address over a recording.
#[derive(Debug)]
pub(super) struct PeerTotal {
    pub(super) rows: u64,
    /// Connections, summed over rows.
    pub(super) sum: u64,
    /// Most at once, and when.
    pub(super) peak: (u64, i64),
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

impl Digest {
    /// Reads a recording to its end.
    pub(super) fn of(recording: &Recording, chart_steps: usize) -> Result<Self, SpoolError> {
        let mut digest = Self {
            rows: 0,
            left_out: 0,
            began_ms: None,
            ended_ms: None,
            observed_ms: 0,
            figures: columns().iter().map(|_| Figure::default()).collect(),
            alert_rows: 0,
            alert_ms: 0,
            tickets: 0,
            worst: None,
            processes: Top::default(),
            peers: Top::default(),
            rows_with_peers: 0,
            available_us: 0.0,
            samples: Samples::new(chart_steps),
        };
        let mut tickets = Tickets::new(recording.header().cpu_alert_percent);
        let (mut processes, mut peers) = (Ranking::new(MOST_KEPT), Ranking::new(MOST_KEPT));
        let mut rows = recording.rows();
        for row in rows.by_ref() {
            let row = row?;
            digest.add(&row);
            if tickets.take(&row).is_some() {
                digest.alert_rows += 1;
                digest.alert_ms = digest.alert_ms.saturating_add(row.interval_ms);
            }
            add_processes(&mut processes, &row);
            digest.rows_with_peers += u64::from(add_peers(&mut peers, &row));
        }
        digest.left_out = rows.left_out();
        digest.tickets = tickets.count();
        digest.processes = processes.first(TOP_PROCESSES);
        digest.peers = peers.first(TOP_PEERS);
        Ok(digest)
    }

    /// The figure of the column with this title.
    pub(super) fn figure(&self, title: &str) -> Option<&Figure> {
        self.with_columns().find(|(column, _)| column.title == title).map(|(_, figure)| figure)
    }

    /// Columns and their figures.
    pub(super) fn with_columns(&self) -> impl Iterator<Item = (&'static Column, &Figure)> {
        columns().iter().zip(&self.figures)
    }

    /// A process' share of all CPU time that there was, percent.
    pub(super) fn mean_percent(&self, process: &ProcessTotal) -> Option<f64> {
        process.cpu_us.filter(|_| self.available_us > 0.0).map(|cpu_us| cpu_us as f64 / self.available_us * 100.0)
    }

    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.began_ms.get_or_insert(row.ts_ms.saturating_sub(row.interval_ms));
        self.ended_ms = Some(row.ts_ms);
        self.observed_ms = self.observed_ms.saturating_add(row.interval_ms);
        self.available_us += row.interval_ms as f64 * 1e3 * f64::from(row.cpu_count.unwrap_or(0));
        for (figure, value) in self.figures.iter_mut().zip(&row.values) {
            if let Some(value) = value {
                figure.add(*value, row.ts_ms);
            }
        }
        self.samples.add(row.ts_ms, DRAWN.map(|title| row.value(title)));
        if let Some(cpu_percent) = row.value(super::log::CPU)
            && self.worst.as_ref().is_none_or(|worst| cpu_percent > worst.cpu_percent)
        {
            let culprit = culprit(row).map(|process| (process_name(process), row.cpu_percent(process)));
            self.worst = Some(Worst { ts_ms: row.ts_ms, cpu_percent, culprit });
        }
    }
}

impl Figure {
    fn add(&mut self, value: f64, ts_ms: i64) {
        self.count += 1;
        self.sum += value;
        if self.highest.is_none_or(|(highest, _)| value > highest) {
            self.highest = Some((value, ts_ms));
        }
        let size = if value > 0.0 { (value.ln() * 1e3).round() as i32 } else { i32::MIN };
        let (count, sum) = self.sizes.entry(size).or_default();
        *count += 1;
        *sum += value;
    }

    /// Mean of the known values; `None` if there are none.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// What a share of the values does not exceed, 0..1: exact to 0.1 %. `None` if there are no values.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.sizes.values().find(|(count, _)| {
            seen += count;
            seen >= wanted
        });
        found.map(|(count, sum)| sum / *count as f64)
    }
}

impl Ranked for ProcessTotal {
    fn rank(&self) -> (u64, u64) {
        (self.cpu_us.unwrap_or(0), self.peak_bytes.unwrap_or(0))
    }
}

impl Ranked for PeerTotal {
    fn rank(&self) -> (u64, u64) {
        (self.sum, self.peak.0)
    }
}

fn add_processes(processes: &mut Ranking<ProcessId, ProcessTotal>, row: &Row) {
    for process in row.processes.iter().flatten() {
        let total = processes.entry((process.pid, process.start_ticks), || ProcessTotal {
            name: String::new(),
            program: String::new(),
            cpu_us: None,
            peak: None,
            peak_bytes: None,
            read_bytes: None,
            written_bytes: None,
            first_ms: row.ts_ms,
            last_ms: row.ts_ms,
        });
        // The last names count: a shell becomes what it starts.
        if total.name != process.name || total.program.is_empty() {
            total.name.clone_from(&process.name);
        }
        total.program.clone_from(&process.program);
        add_known(&mut total.cpu_us, process.cpu_us);
        add_known(&mut total.read_bytes, process.read_bytes);
        add_known(&mut total.written_bytes, process.written_bytes);
        total.peak_bytes = total.peak_bytes.max(process.resident_bytes);
        if let Some(percent) = row.cpu_percent(process)
            && total.peak.is_none_or(|(peak, _)| percent > peak)
        {
            total.peak = Some((percent, row.ts_ms));
        }
        total.last_ms = row.ts_ms;
    }
    processes.tidy();
}

fn add_peers(peers: &mut Ranking<String, PeerTotal>, row: &Row) -> bool {
    for peer in row.peers.iter().flatten() {
        let connections = u64::from(peer.connections);
        let total = peers.entry(clean(&peer.address, 100), || PeerTotal {
            rows: 0,
            sum: 0,
            peak: (0, row.ts_ms),
            first_ms: row.ts_ms,
            last_ms: row.ts_ms,
        });
        total.rows += 1;
        total.sum += connections;
        if connections > total.peak.0 {
            total.peak = (connections, row.ts_ms);
        }
        total.last_ms = row.ts_ms;
    }
    peers.tidy();
    row.peers.is_some()
}

fn add_known(sum: &mut Option<u64>, value: Option<u64>) {
    if let Some(value) = value {
        *sum = Some(sum.unwrap_or(0).saturating_add(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_exact_where_people_look() {
        let mut figure = Figure::default();
        assert_eq!((figure.mean(), figure.quantile(0.95)), (None, None));
        for value in 1..=1_000 {
            figure.add(f64::from(value) / 10.0, i64::from(value));
        }
        assert_eq!(figure.highest, Some((100.0, 1_000)));
        assert!((figure.mean().unwrap() - 50.05).abs() < 1e-9);
        let quantile = figure.quantile(0.95).unwrap();
        assert!((quantile - 95.0).abs() < 0.1, "{quantile}");
        let mut still = Figure::default();
        (0..9).for_each(|_| still.add(0.0, 1));
        still.add(7.3, 2);
        assert_eq!((still.quantile(0.5), still.quantile(1.0)), (Some(0.0), Some(7.3)));
        assert!(figure.sizes.len() < 1_001, "sizes are steps, not values");
    }
}
