//! What is shown of an interval: a few lines, the first of which is that of the script.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use watchkeeper_core::text::{clean, local_time};
use watchkeeper_core::{Section, Snapshot, Unit};
use watchkeeper_report::{ProcessRow, Row};

use crate::app::gap_lines;

/// Title of the column with the CPU time of the machine.
pub const CPU: &str = "CPU Usage (%)";
const MEMORY: &str = "Memory Usage (%)";
const CONNECTIONS: &str = "Connections";
/// Remote addresses that are shown.
const TOP_PEERS: usize = 3;
/// The row of a snapshot in which all smaller peers stand together.
const OTHER_PEERS: &str = "other";
/// Longest name of a process, in characters.
const LONGEST_NAME: usize = 40;

/// Makes the blocks of a recording.
#[derive(Debug)]
pub struct Blocks {
    /// Zone of the times.
    pub zone: TimeZone,
    /// Above this share of the machine's CPU time, in percent, an interval is an alert.
    pub threshold_percent: f64,
    /// Processes that are shown.
    pub top: usize,
    /// Whether alerts are coloured.
    pub colour: bool,
    explained: BTreeSet<Section>,
}

impl Blocks {
    /// Blocks of a recording that begins.
    pub fn new(zone: TimeZone, threshold_percent: f64, top: usize, colour: bool) -> Self {
        Self { zone, threshold_percent, top, colour, explained: BTreeSet::new() }
    }

    /// The share of CPU time, in percent, if it makes this interval an alert.
    pub fn alert(&self, row: &Row) -> Option<f64> {
        row.value(CPU).filter(|percent| *percent > self.threshold_percent)
    }

    /// The lines of an interval, with an empty one behind them. The reason why something is unknown is given the first time.
    pub fn block(&mut self, row: &Row, snapshot: &Snapshot) -> String {
        let mut unknown = Vec::new();
        let mut share = |title, section| match row.value(title) {
            Some(percent) => format!("{percent:.1}%"),
            None => missing(&mut unknown, section),
        };
        let (cpu, memory) = (share(CPU, Section::Cpu), share(MEMORY, Section::Memory));
        let time = local_time(row.ts_ms, &self.zone);
        let mut text = format!("[{time}] | CPU: {cpu} | Memory: {memory}\n");
        network(&mut text, row, &mut unknown);
        self.processes(&mut text, row, snapshot, &mut unknown);
        for section in unknown {
            if self.explained.insert(section) {
                reasons(&mut text, section, snapshot);
            }
        }
        if let Some(percent) = self.alert(row) {
            let alert = format!("ALERT: {}", detected(percent));
            let _ = writeln!(text, "{}", if self.colour { format!("\x1b[1;31m{alert}\x1b[0m") } else { alert });
            if let Some(culprit) = culprit(row, "takes") {
                let _ = writeln!(text, "  {culprit}");
            }
        }
        text.push('\n');
        text
    }

    fn processes(&self, text: &mut String, row: &Row, snapshot: &Snapshot, unknown: &mut Vec<Section>) {
        let Some(processes) = &row.processes else {
            let _ = writeln!(text, "Top processes: {}", missing(unknown, Section::Processes));
            return;
        };
        let lines = processes.iter().take(self.top).map(|process| {
            let share = row.cpu_percent(process).map(|percent| format!("{percent:.1} %"));
            let memory = process.resident_bytes.map(|bytes| Unit::Bytes.show(bytes as f64).to_string());
            let memory = memory.unwrap_or_else(|| {
                if has_ended(process, snapshot) { "ended".to_owned() } else { missing(unknown, Section::ProcessMemory) }
            });
            let cores = cores(row, process).map(|cores| format!("{cores:.2}"));
            let [share, cores] =
                [share, cores].map(|value| value.unwrap_or_else(|| missing(unknown, Section::ProcessCpu)));
            [clean(&process.program, LONGEST_NAME), process.pid.to_string(), share, cores, memory]
        });
        let titles = ["Top processes", "pid", "CPU of machine", "cores", "memory"].map(str::to_owned);
        let lines: Vec<[String; 5]> = std::iter::once(titles).chain(lines).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3), width(4)];
        for (index, line) in lines.iter().enumerate() {
            let [name, pid, share, cores, memory] = line;
            // Names are set in below the title.
            let (indent, name_width) = if index == 0 { ("", widths[0] + 2) } else { ("  ", widths[0]) };
            let _ = writeln!(
                text,
                "{indent}{name:name_width$}  {pid:>w1$}  {share:>w2$}  {cores:>w3$}  {memory:>w4$}",
                w1 = widths[1],
                w2 = widths[2],
                w3 = widths[3],
                w4 = widths[4],
            );
        }
    }
}

/// What is said of an alert on the screen and in the threat log.
pub fn detected(percent: f64) -> String {
    format!("High CPU usage detected: {percent:.1}%")
}

/// Who takes, or took, most CPU time in an interval; `None` when nobody is known to have taken any.
pub fn culprit(row: &Row, takes: &str) -> Option<String> {
    let first = row.processes.as_ref()?.first().filter(|process| process.cpu_us.is_some_and(|cpu_us| cpu_us > 0))?;
    let who = format!("{} (pid {})", clean(&first.program, 80), first.pid);
    Some(match row.cpu_percent(first) {
        Some(percent) => format!("{who} {takes} {percent:.1} % of this machine's CPU"),
        None => format!("{who} {takes} most of it"),
    })
}

/// CPU time of a process as a number of cores.
fn cores(row: &Row, process: &ProcessRow) -> Option<f64> {
    process.cpu_us.filter(|_| row.interval_ms > 0).map(|cpu_us| cpu_us as f64 / (row.interval_ms as f64 * 1e3))
}

fn missing(unknown: &mut Vec<Section>, section: Section) -> String {
    unknown.push(section);
    "unknown".to_owned()
}

fn network(text: &mut String, row: &Row, unknown: &mut Vec<Section>) {
    let count = row.value(CONNECTIONS).map(|count| format!("{count:.0}"));
    let count = count.unwrap_or_else(|| missing(unknown, Section::Peers));
    let _ = writeln!(text, "Established connections: {count}");
    let peers = row.peers.iter().flatten().filter(|peer| peer.address != OTHER_PEERS).take(TOP_PEERS);
    let peers: Vec<String> = peers.map(|peer| format!("{} ({})", clean(&peer.address, 60), peer.connections)).collect();
    if !peers.is_empty() {
        let _ = writeln!(text, "  most with {}", peers.join(", "));
    }
}

fn has_ended(process: &ProcessRow, snapshot: &Snapshot) -> bool {
    let same = |key: watchkeeper_core::ProcessKey| (key.pid, key.start_ticks) == (process.pid, process.start_ticks);
    snapshot.exited.iter().any(|exited| same(exited.key))
}

/// Why a section is unknown, a line for each reason.
fn reasons(text: &mut String, section: Section, snapshot: &Snapshot) {
    let gaps: Vec<_> = snapshot.gaps.iter().filter(|gap| gap.section == section).cloned().collect();
    let mut lines = gap_lines(&gaps);
    if lines.is_empty() {
        lines.push(format!("{}: the system gave no number for this interval", section.words()));
    }
    for line in lines {
        let _ = writeln!(text, "  unknown: {line}");
    }
}

#[cfg(test)]
pub(super) mod tests;
