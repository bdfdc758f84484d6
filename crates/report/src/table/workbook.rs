//! The log of a recording from a workbook: sheet `System_Log`, and those that continue it.

use std::borrow::Cow;
use std::io::Cursor;

use calamine::{CellErrorType, DataRef, Reader as _, SheetType, Xlsx, XlsxError};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use watchkeeper_core::text::clean;

use super::archive;
use super::cell::{Cell, Decimal};
use super::gather::Gather;
use super::{Table, TableProblem};

/// The sheet that is read.
pub(super) const LOG_SHEET: &str = "System_Log";
/// Sheets that an error names.
const MOST_NAMES: usize = 20;
/// Characters of a sheet's name or an error that are shown.
const SHOWN: usize = 100;

type Workbook<'a> = Xlsx<Cursor<&'a [u8]>>;

/// Reads the log sheets of a workbook.
pub(super) fn read(bytes: &[u8], zone: &TimeZone) -> Result<Table, TableProblem> {
    archive::check(bytes)?;
    let mut workbook: Workbook<'_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let metadata = workbook.sheets_metadata();
    let names: Vec<String> =
        metadata.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet).map(|sheet| sheet.name.clone()).collect();
    let mut gather = Gather::of_sheet(zone, Decimal::Unknown);
    let logs = log_sheets(&names);
    if let ([], [only]) = (&logs[..], &names[..]) {
        return read_only_sheet(&mut workbook, only, gather);
    }
    if logs.is_empty() {
        return Err(no_sheet(&names));
    }
    for name in &logs {
        gather.next_part()?;
        read_sheet(&mut workbook, name, &mut gather)?;
    }
    gather.finish()
}

/// A workbook of one sheet is a recording when the sheet has one of its columns: somebody copied it out.
fn read_only_sheet(workbook: &mut Workbook<'_>, name: &str, mut gather: Gather<'_>) -> Result<Table, TableProblem> {
    let none = || no_sheet(&[name.to_owned()]);
    gather.note(format!("sheet \"{}\" was read: there is no other, and none named {LOG_SHEET}", clean(name, SHOWN)));
    read_sheet(workbook, name, &mut gather)?;
    if !gather.settled()? {
        return Err(none());
    }
    gather.finish()
}

/// The sheets of the log in their order: `System_Log`, `System_Log_2`, ...
fn log_sheets(names: &[String]) -> Vec<String> {
    let mut logs: Vec<(u32, &String)> = names.iter().filter_map(|name| Some((part_number(name)?, name))).collect();
    logs.sort_by_key(|(number, _)| *number);
    logs.into_iter().map(|(_, name)| name.clone()).collect()
}

fn part_number(name: &str) -> Option<u32> {
    let (start, rest) = name.trim().split_at_checked(LOG_SHEET.len())?;
    match rest.strip_prefix('_') {
        _ if !start.eq_ignore_ascii_case(LOG_SHEET) => None,
        Some(number) => number.parse().ok(),
        None => rest.is_empty().then_some(1),
    }
}

fn no_sheet(names: &[String]) -> TableProblem {
    let mut found: Vec<String> = names.iter().take(MOST_NAMES).map(|name| clean(name, SHOWN)).collect();
    if names.len() > MOST_NAMES {
        found.push(format!("and {} more", names.len() - MOST_NAMES));
    }
    TableProblem::NoSheet { wanted: LOG_SHEET, found }
}

fn damaged(error: &XlsxError) -> TableProblem {
    match error {
        XlsxError::Password => {
            TableProblem::Foreign { what: "is encrypted", remedy: "open it with its password and save it without one" }
        }
        error => TableProblem::Damaged(clean(&error.to_string(), SHOWN)),
    }
}

/// Whether one cell is at fault, and not the sheet: those after it can be read.
fn is_of_one_cell(error: &XlsxError) -> bool {
    matches!(
        error,
        XlsxError::CellError(_)
            | XlsxError::ParseFloat(_)
            | XlsxError::CellTAttribute(_)
            | XlsxError::Unexpected(_)
            | XlsxError::Unrecognized { .. }
    )
}

/// Feeds the rows of a sheet, one after the other; what the sheet claims about its size is not asked.
fn read_sheet(workbook: &mut Workbook<'_>, name: &str, gather: &mut Gather<'_>) -> Result<(), TableProblem> {
    let mut reader = workbook.worksheet_cells_reader(name).map_err(|error| damaged(&error))?;
    let mut row: Vec<(u32, Cell<'_>)> = Vec::new();
    let mut row_index = 0;
    let mut unread = 0_usize;
    let mut has_empty_cell = false;
    loop {
        let (cell, style) = match reader.next_cell_with_style_id() {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(error) if is_of_one_cell(&error) => {
                unread += 1;
                continue;
            }
            Err(error) => return Err(damaged(&error)),
        };
        has_empty_cell |= matches!(cell.get_value(), DataRef::Empty);
        let (at, place) = cell.get_position();
        if at != row_index {
            gather.row(row_index as usize + 1, &row)?;
            row.clear();
            row_index = at;
        }
        let is_percent = || {
            let style = reader.styles().get(style);
            style
                .and_then(|style| style.number_format.as_ref())
                .is_some_and(|format| shows_percent(&format.format_code))
        };
        let cell = match cell.get_value() {
            // A number shown as 12.5% is kept as 0.125.
            DataRef::Float(number) if is_percent() => Cell::Number(*number * 100.0),
            value => meaning(value),
        };
        row.push((place, cell));
    }
    gather.row(row_index as usize + 1, &row)?;
    if unread > 0 {
        let cells = if unread == 1 { "one cell".to_owned() } else { format!("{unread} cells") };
        gather.note(format!("{cells} of sheet \"{}\" cannot be read", clean(name, SHOWN)));
    }
    drop((row, reader));
    if has_empty_cell { count_unstored(workbook, name, gather) } else { Ok(()) }
}

/// Reads a sheet once more for the formulas in its empty cells: the reader gives them only without the styles.
fn count_unstored(workbook: &mut Workbook<'_>, name: &str, gather: &mut Gather<'_>) -> Result<(), TableProblem> {
    let mut reader = workbook.worksheet_cells_reader(name).map_err(|error| damaged(&error))?;
    loop {
        match reader.next_cell_with_formula_metadata() {
            Ok(Some(cell)) if cell.formula.is_some() && matches!(cell.value, DataRef::Empty) => {
                gather.unstored(cell.pos.1);
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) if is_of_one_cell(&error) => {}
            Err(error) => return Err(damaged(&error)),
        }
    }
}

/// Whether numbers of this format are shown times a hundred: a percent sign that is neither quoted nor escaped.
fn shows_percent(format_code: &str) -> bool {
    let mut is_quoted = false;
    let mut rest = format_code.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            '\\' | '_' | '*' if !is_quoted => drop(rest.next()),
            '%' if !is_quoted => return true,
            _ => {}
        }
    }
    false
}

fn meaning<'a>(value: &DataRef<'a>) -> Cell<'a> {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Cell::Text(Cow::Owned(text.clone()))
        }
        DataRef::SharedString(text) => Cell::Text(Cow::Borrowed(text)),
        DataRef::Bool(true) => Cell::Other("TRUE"),
        DataRef::Bool(false) => Cell::Other("FALSE"),
        DataRef::Error(error) => Cell::Other(shown(error)),
        DataRef::DateTime(date) if date.is_datetime() => {
            let (year, month, day, hour, minute, second, ms) = date.to_ymd_hms_milli();
            let year = i16::try_from(year).unwrap_or(i16::MAX);
            let [month, day, hour, minute, second] =
                [month, day, hour, minute, second].map(|part| i8::try_from(part).unwrap_or(i8::MAX));
            DateTime::new(year, month, day, hour, minute, second, i32::from(ms) * 1_000_000)
                .map_or(Cell::Other("a date outside the calendar"), Cell::Date)
        }
        DataRef::DateTime(_) => Cell::Other("a length of time"),
    }
}

fn shown(error: &CellErrorType) -> &'static str {
    match error {
        CellErrorType::Div0 => "#DIV/0!",
        CellErrorType::NA => "#N/A",
        CellErrorType::Name => "#NAME?",
        CellErrorType::Null => "#NULL!",
        CellErrorType::Num => "#NUM!",
        CellErrorType::Ref => "#REF!",
        CellErrorType::Value => "#VALUE!",
        CellErrorType::GettingData => "#GETTING_DATA",
    }
}

#[cfg(test)]
pub(super) mod tests;
