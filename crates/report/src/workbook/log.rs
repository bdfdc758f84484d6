//! The log sheet: one line for each row of the recording.

use jiff::tz::TimeZone;
use rust_xlsxwriter::{ConditionalFormatCell, ConditionalFormatCellRule};

use super::alerts::{culprit, process_name};
use super::cell::{Cell, Look, Table};
use super::digest::Digest;
use super::style::Kind;
use crate::column::columns;
use crate::recording::{Header, Recording};

/// Name of the sheet.
pub(super) const NAME: &str = "System_Log";
/// Title of the share of CPU time.
pub(super) const CPU: &str = "CPU Usage (%)";

/// The table of rows.
pub(super) fn table<'a>(recording: &'a Recording, digest: &Digest, zone: &'a TimeZone) -> Table<'a> {
    let header = recording.header();
    let has_ms = has_ms(header);
    let mut looks = vec![Look::new("Timestamp", time_width(has_ms), time_kind(has_ms))];
    looks.extend(columns().iter().map(|column| Look::number(column.title, column.decimals)));
    looks.push(Look::new("Top Process", 36.0, Kind::Text));
    looks.push(Look::number("Top Process CPU (%)", 1));
    looks.push(Look::number("Interval (s)", if has_ms { 3 } else { 1 }));
    let cells = recording.rows().map(move |row| {
        let row = row?;
        let culprit = culprit(&row);
        let mut cells = vec![Cell::time(row.ts_ms, zone, has_ms)];
        cells.extend(row.values.iter().map(|value| Cell::number(*value)));
        cells.push(culprit.map_or(Cell::Empty, |process| Cell::foreign(&process_name(process))));
        cells.push(Cell::number(culprit.and_then(|process| row.cpu_percent(process))));
        cells.push(Cell::Number(row.interval_ms as f64 / 1e3));
        Ok(cells)
    });
    let threshold = header.cpu_alert_percent;
    Table {
        name: NAME,
        looks,
        rows: digest.rows,
        cells: Box::new(cells),
        colour: Box::new(move |sheet, last_row| {
            let alarm = super::style::Styles::new().alarm;
            let is_above = ConditionalFormatCell::new()
                .set_rule(ConditionalFormatCellRule::GreaterThan(threshold))
                .set_format(alarm);
            let cpu = place(CPU);
            sheet.add_conditional_format(1, cpu, last_row, cpu, &is_above)?;
            Ok(())
        }),
    }
}

/// The column of the sheet in which the number with this title stands.
pub(super) fn place(title: &str) -> u16 {
    columns().iter().position(|column| column.title == title).map_or(0, |place| place as u16 + 1)
}

/// Whether times need milliseconds to be told apart.
pub(super) fn has_ms(header: &Header) -> bool {
    header.interval_ms < 1_000
}

/// How a time is shown.
pub(super) fn time_kind(has_ms: bool) -> Kind {
    if has_ms { Kind::TimeMs } else { Kind::Time }
}

/// How wide a time is, in characters.
pub(super) fn time_width(has_ms: bool) -> f64 {
    if has_ms { 26.0 } else { 22.0 }
}
