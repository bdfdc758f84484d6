//! The sheets about the whole recording: its processes and its remote addresses.

use jiff::tz::TimeZone;
use rust_xlsxwriter::Workbook;

use super::cell::{Cell, Look};
use super::digest::{Digest, PeerTotal, ProcessId, ProcessTotal};
use super::error::Trouble;
use super::log;
use super::style::{self, Kind, Styles};

/// Adds both sheets.
pub(super) fn add(workbook: &mut Workbook, digest: &Digest, zone: &TimeZone, styles: &Styles) -> Result<(), Trouble> {
    add_sheet(workbook, "Top_Processes", &process_looks(), processes(digest, zone), styles)?;
    add_sheet(workbook, "Connections", &connection_looks(), connections(digest, zone), styles)
}

fn add_sheet(
    workbook: &mut Workbook,
    name: &str,
    looks: &[Look],
    rows: Vec<Vec<Cell>>,
    styles: &Styles,
) -> Result<(), Trouble> {
    let sheet = workbook.add_worksheet();
    sheet.set_name(name)?;
    style::begin_table(sheet, looks, rows.len() as u32, styles)?;
    (1..).zip(rows).try_for_each(|(row, cells)| style::write_row(sheet, row, looks, &cells, styles))
}

fn process_looks() -> Vec<Look> {
    vec![
        Look::new("Program", 34.0, Kind::Text),
        Look::new("Process", 20.0, Kind::Text),
        Look::new("PID", 10.0, Kind::Id),
        Look::number("CPU Time (s)", 2),
        Look::number("Mean CPU (%)", 2),
        Look::number("Peak CPU (%)", 1),
        Look::new("Peak At", log::time_width(false), Kind::Time),
        Look::number("Peak Memory (MB)", 1),
        Look::number("Read (MB)", 2),
        Look::number("Written (MB)", 2),
        Look::new("First Seen", log::time_width(false), Kind::Time),
        Look::new("Last Seen", log::time_width(false), Kind::Time),
    ]
}

fn processes(digest: &Digest, zone: &TimeZone) -> Vec<Vec<Cell>> {
    let megabytes = |bytes: Option<u64>| Cell::number(bytes.map(|bytes| bytes as f64 / 1e6));
    let time = |ts_ms| Cell::time(ts_ms, zone, false);
    let row = |((pid, _), total): &(ProcessId, ProcessTotal)| {
        vec![
            Cell::foreign(&total.program),
            Cell::foreign(&total.name),
            Cell::Number(f64::from(*pid)),
            Cell::number(total.cpu_us.map(|cpu_us| cpu_us as f64 / 1e6)),
            Cell::number(digest.mean_percent(total)),
            Cell::number(total.peak.map(|(percent, _)| percent)),
            total.peak.map_or(Cell::Empty, |(_, ts_ms)| time(ts_ms)),
            megabytes(total.peak_bytes),
            megabytes(total.read_bytes),
            megabytes(total.written_bytes),
            time(total.first_ms),
            time(total.last_ms),
        ]
    };
    digest.processes.first.iter().map(row).collect()
}

fn connection_looks() -> Vec<Look> {
    vec![
        Look::new("Remote Address", 40.0, Kind::Text),
        Look::number("Mean Connections", 2),
        Look::number("Peak Connections", 0),
        Look::new("Peak At", log::time_width(false), Kind::Time),
        Look::number("Seen In (%)", 1),
        Look::new("First Seen", log::time_width(false), Kind::Time),
        Look::new("Last Seen", log::time_width(false), Kind::Time),
    ]
}

/// Means are over all rows whose connections are known, also those without this address.
fn connections(digest: &Digest, zone: &TimeZone) -> Vec<Vec<Cell>> {
    let rows = digest.rows_with_peers.max(1) as f64;
    let time = |ts_ms| Cell::time(ts_ms, zone, false);
    let row = |(address, total): &(String, PeerTotal)| {
        vec![
            Cell::foreign(address),
            Cell::number(total.sum as f64 / rows),
            Cell::number(total.peak.0 as f64),
            time(total.peak.1),
            Cell::number(total.rows as f64 / rows * 100.0),
            time(total.first_ms),
            time(total.last_ms),
        ]
    };
    digest.peers.first.iter().map(row).collect()
}
