//! The sheet of alerts: a line for each interval above the threshold, numbered as tickets.

use jiff::tz::TimeZone;
use rust_xlsxwriter::{ConditionalFormatText, ConditionalFormatTextRule};
use watchkeeper_core::text::clean;

use super::cell::{Cell, Look, Table};
use super::digest::Digest;
use super::log;
use super::style::{Kind, Styles};
use crate::recording::Recording;
use crate::row::{ProcessRow, Row};

/// Of the way from the threshold to 100 %, where it becomes critical.
const CRITICAL_SHARE: f64 = 0.75;
const CRITICAL: &str = "Critical";
const WARNING: &str = "Warning";
const SEVERITY_COLUMN: u16 = 4;

/// An interval above the threshold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    /// From 1; the same for intervals that follow each other.
    pub(super) ticket: u64,
    pub(super) cpu_percent: f64,
    /// In the last quarter between the threshold and 100 %.
    pub(super) is_critical: bool,
    /// Since the ticket began.
    pub(super) duration_ms: i64,
}

/// Makes alerts of rows.
#[derive(Debug)]
pub(super) struct Tickets {
    threshold: f64,
    count: u64,
    open_ms: Option<i64>,
}

impl Tickets {
    /// For a threshold in percent.
    pub(super) fn new(threshold: f64) -> Self {
        Self { threshold, count: 0, open_ms: None }
    }

    /// Tickets so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The next row. An unknown usage neither alerts nor ends a ticket.
    pub(super) fn take(&mut self, row: &Row) -> Option<Alert> {
        let Some(cpu_percent) = row.value(log::CPU) else {
            if let Some(open_ms) = &mut self.open_ms {
                *open_ms = open_ms.saturating_add(row.interval_ms);
            }
            return None;
        };
        if cpu_percent <= self.threshold {
            self.open_ms = None;
            return None;
        }
        if self.open_ms.is_none() {
            self.count += 1;
        }
        let duration_ms = self.open_ms.unwrap_or(0).saturating_add(row.interval_ms);
        self.open_ms = Some(duration_ms);
        let critical = self.threshold + (100.0 - self.threshold) * CRITICAL_SHARE;
        Some(Alert { ticket: self.count, cpu_percent, is_critical: cpu_percent >= critical, duration_ms })
    }
}

/// The process that took the most CPU time in a row, if any took some.
pub(super) fn culprit(row: &Row) -> Option<&ProcessRow> {
    row.processes.as_ref()?.first().filter(|process| process.cpu_us.is_some_and(|cpu_us| cpu_us > 0))
}

/// What a process is called: program and pid.
pub(super) fn process_name(process: &ProcessRow) -> String {
    let name = if process.program.is_empty() { &process.name } else { &process.program };
    format!("{} (pid {})", clean(name, 80), process.pid)
}

/// The table of alerts.
pub(super) fn table<'a>(
    recording: &'a Recording,
    digest: &Digest,
    zone: &'a TimeZone,
    styles: &'a Styles,
) -> Table<'a> {
    let header = recording.header();
    let (threshold, has_ms) = (header.cpu_alert_percent, log::has_ms(header));
    let looks = vec![
        Look::new("Timestamp", log::time_width(has_ms), log::time_kind(has_ms)),
        Look::new("AlertType", 18.0, Kind::Text),
        Look::new("Details", 50.0, Kind::Text),
        Look::new("Ticket", 10.0, Kind::Id),
        Look::new("Severity", 12.0, Kind::Text),
        Look::new("Culprit", 34.0, Kind::Text),
        Look::number("Culprit Share (%)", 1),
        Look::number("Duration (s)", if has_ms { 3 } else { 0 }),
    ];
    let mut tickets = Tickets::new(threshold);
    let cells = recording.rows().filter_map(move |row| {
        let row = match row {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let alert = tickets.take(&row)?;
        let culprit = culprit(&row);
        Some(Ok(vec![
            Cell::time(row.ts_ms, zone, has_ms),
            Cell::Text("High CPU Usage".to_owned()),
            Cell::Text(format!("CPU usage {:.1}% is above the threshold of {threshold}%", alert.cpu_percent)),
            Cell::Number(alert.ticket as f64),
            Cell::Text(if alert.is_critical { CRITICAL } else { WARNING }.to_owned()),
            culprit.map_or(Cell::Empty, |process| Cell::foreign(&process_name(process))),
            Cell::number(culprit.and_then(|process| row.cpu_percent(process))),
            Cell::Number(alert.duration_ms as f64 / 1e3),
        ]))
    });
    Table {
        name: "Alert_Tickets",
        looks,
        rows: digest.alert_rows,
        // Not read at all when there is nothing to find.
        cells: if digest.alert_rows > 0 { Box::new(cells) } else { Box::new(std::iter::empty()) },
        colour: Box::new(|sheet, last_row| {
            for (word, format) in [(CRITICAL, &styles.critical), (WARNING, &styles.warning)] {
                let is_word = ConditionalFormatText::new()
                    .set_rule(ConditionalFormatTextRule::Contains(word.to_owned()))
                    .set_format(format);
                sheet.add_conditional_format(1, SEVERITY_COLUMN, last_row, SEVERITY_COLUMN, &is_word)?;
            }
            Ok(())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::columns;

    fn row(cpu_percent: Option<f64>) -> Row {
        let mut values = vec![None; columns().len()];
        values[0] = cpu_percent;
        Row { interval_ms: 5_000, values, ..Row::default() }
    }

    #[test]
    fn intervals_that_follow_each_other_are_one_ticket() {
        let mut tickets = Tickets::new(80.0);
        let alert = |ticket, cpu_percent, is_critical, duration_ms| {
            Some(Alert { ticket, cpu_percent, is_critical, duration_ms })
        };
        for (cpu_percent, expected) in [
            (Some(80.0), None),
            (Some(80.1), alert(1, 80.1, false, 5_000)),
            (Some(95.0), alert(1, 95.0, true, 10_000)),
            (None, None),
            (Some(94.9), alert(1, 94.9, false, 20_000)),
            (Some(10.0), None),
            (None, None),
            (Some(100.0), alert(2, 100.0, true, 5_000)),
        ] {
            assert_eq!(tickets.take(&row(cpu_percent)), expected, "{cpu_percent:?}");
        }
        assert_eq!(tickets.count(), 2);
    }
}
