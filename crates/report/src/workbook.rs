//! A recording as a workbook that is opened and read without touching it.
//!
//! # Sheets
//!
//! | sheet | what is in it |
//! |---|---|
//! | `Summary` | what a manager wants to know, on one page |
//! | `System_Log` | one line a row of the recording; goes on in `System_Log_2` where a sheet of Excel is full |
//! | `Alert_Tickets` | one line for each interval above the threshold |
//! | `CPU_Graph`, `Memory_Graph`, `Disk_Graph`, `Network_Graph` | a chart each |
//! | `Top_Processes`, `Connections` | processes and remote addresses of the whole recording |
//! | `Chart_Data` | hidden: what the charts need beside the log |
//!
//! **Alerts.** As in the scripts that Watchkeeper replaces there is a line for each interval whose CPU usage is above the
//! threshold. Lines that follow each other are one matter and share a ticket number; `Duration (s)` grows down the lines of
//! a ticket, so that its last one says how long it took. An interval whose usage is unknown does not end a ticket.
//! `Critical` is the last quarter between the threshold and 100 %.
//!
//! **Text is text.** Names of processes and addresses are foreign: they pass `core::text::clean` and are written as
//! strings, so that nothing of them is evaluated or followed.
//!
//! # How
//!
//! The recording is read twice, or three times if it has alerts: first for the sums, then row by row into the sheets. Up
//! to 5,000 rows the sheets are built in memory and the charts show the log itself. With more rows the long sheets are
//! written into the file as they are read ([`splice`]), because the library keeps about 6 KB for each row in memory or
//! else stops the program on a full disk; the charts then show at most 4,000 steps, each with its highest value.
//!
//! Measured on a busy machine with 2 cores, release build, 30 to 40 processes at work in each interval:
//!
//! | recording | rows | spool | workbook | time | most memory of the program |
//! |---|---|---|---|---|---|
//! | 7 h at 5 s | 5,000 | 35 MB | 1.7 MB | 0.7 s | 38 MB |
//! | a day at 5 s | 17,280 | 122 MB | 3.7 MB | 1.6 s | 16 MB |
//! | a week at 1 s | 604,800 | 3.3 GB | 111 MB | 61 s | 18 MB |
//!
//! The file is written under a temporary name beside its target, synced and renamed, so that a workbook is whole or not
//! there. Its owner alone can read it.

mod alerts;
mod cell;
mod digest;
mod error;
mod graph;
mod log;
mod ranking;
mod samples;
mod saving;
mod splice;
mod style;
mod summary;
#[cfg(test)]
mod tests;
mod top;

use std::fs::File;
use std::io::Write;
use std::path::Path;

use jiff::tz::TimeZone;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook};

use crate::recording::Recording;
use cell::Table;
use digest::Digest;
use error::Trouble;
use graph::Drawn;
use style::Styles;

pub use error::WorkbookError;
pub use saving::Saved;

/// Sizes that tests make small.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Rows of a sheet below its header.
    rows_of_a_sheet: u64,
    /// Rows of a recording that are built in memory.
    rows_in_memory: u64,
    /// Steps of a chart of a longer recording.
    chart_steps: usize,
}

impl Limits {
    const USUAL: Self = Self { rows_of_a_sheet: 1_048_575, rows_in_memory: 5_000, chart_steps: 4_000 };
}

/// Writes a recording as a workbook, with times as people in `zone` see them.
///
/// # Errors
/// [`WorkbookError`]; the recording is as it was, and no file is left behind.
pub fn write_workbook(recording: &Recording, target: &Path, zone: &TimeZone) -> Result<Saved, WorkbookError> {
    write_within(recording, target, zone, Limits::USUAL)
}

fn write_within(recording: &Recording, target: &Path, zone: &TimeZone, limits: Limits) -> Result<Saved, WorkbookError> {
    let failed = |trouble: Trouble| WorkbookError::new(trouble, target);
    let digest = Digest::of(recording, limits.chart_steps).map_err(Trouble::from).map_err(failed)?;
    saving::save(target, digest.ended_ms.unwrap_or(recording.header().started_ms), zone, |file| {
        compose(recording, &digest, zone, limits, file)
    })
    .map_err(failed)
}

/// Makes the sheets and writes them into a file.
fn compose(
    recording: &Recording,
    digest: &Digest,
    zone: &TimeZone,
    limits: Limits,
    file: &mut File,
) -> Result<(), Trouble> {
    let header = recording.header();
    let styles = Styles::new();
    let is_short = digest.rows <= limits.rows_in_memory.min(limits.rows_of_a_sheet);
    let mut workbook = Workbook::new();
    // Not the clock: the same recording gives the same file.
    let created = ExcelDateTime::from_timestamp(header.started_ms.div_euclid(1_000))
        .or_else(|_| ExcelDateTime::from_timestamp(0))?;
    let properties = DocProperties::new()
        .set_title(format!("Recording of {}", watchkeeper_core::text::clean(&header.host, 80)))
        .set_author("Watchkeeper")
        .set_comment(format!("Recorded by {}", watchkeeper_core::text::clean(&header.program, 80)))
        .set_creation_datetime(&created);
    workbook.set_properties(&properties);

    let drawn = if is_short { Drawn::log(digest.rows) } else { Drawn::samples(digest) };
    summary::add(&mut workbook, header, digest, &drawn, zone, &styles)?;
    let mut tables: Vec<Table<'_>> =
        vec![log::table(recording, digest, zone), alerts::table(recording, digest, zone, &styles)];
    let mut pages = Vec::new();
    for (number, table) in tables.iter_mut().enumerate() {
        for page in table.pages(limits.rows_of_a_sheet) {
            let sheet = table.begin_page(&mut workbook, &page, &styles)?;
            if is_short {
                table.fill(sheet, &page, &styles)?;
            } else {
                table.show_styles(sheet, &styles)?;
                pages.push((workbook.worksheets().len(), number, page));
            }
        }
    }
    graph::add(&mut workbook, header, digest, &drawn, &styles)?;
    top::add(&mut workbook, digest, zone, &styles)?;
    graph::add_data(&mut workbook, header, digest, &drawn, zone, &styles)?;

    if is_short {
        let mut out = saving::Fused::new(file);
        let written = workbook.save_to_writer(&mut out).map_err(Trouble::from);
        return out.close().map_err(Trouble::Io).and(written);
    }
    let template = workbook.save_to_buffer()?;
    let mut out = saving::Fused::new(file);
    let written = splice::write(template, &mut out, &pages, &mut tables);
    out.close().map_err(Trouble::Io).and(written)?;
    file.flush().map_err(Trouble::Io)
}
