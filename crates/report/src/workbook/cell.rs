//! Cells, and the tables that are too long for the memory: their rows come one by one and go on from sheet to sheet.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use rust_xlsxwriter::{Workbook, Worksheet};
use watchkeeper_core::text::clean;

use super::error::Trouble;
use super::style::{self, Kind, Styles};
use crate::recording::SpoolError;

/// The longest text in a cell, in characters: far inside the 32,767 of Excel, whatever a character takes.
const LONGEST_TEXT: usize = 500;

/// What stands in a cell; how it is shown is a matter of its column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Unknown.
    Empty,
    /// A finite number; a time as days since 1899-12-30.
    Number(f64),
    /// Text, never a formula; fit for people.
    Text(String),
}

impl Cell {
    /// A number; not finite is unknown.
    pub(super) fn number(value: impl Into<Option<f64>>) -> Self {
        value.into().filter(|value| value.is_finite()).map_or(Self::Empty, Self::Number)
    }

    /// Foreign text, safe and short.
    pub(super) fn foreign(text: &str) -> Self {
        Self::Text(foreign(text))
    }

    /// Local wall time, cut to whole seconds as everywhere else unless milliseconds matter.
    pub(super) fn time(ts_ms: i64, zone: &TimeZone, has_ms: bool) -> Self {
        let shown_ms = if has_ms { ts_ms } else { ts_ms.saturating_sub(ts_ms.rem_euclid(1_000)) };
        civil(shown_ms, zone).and_then(serial).map_or(Self::Empty, Self::Number)
    }
}

/// One column of a table.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) title: String,
    /// In characters.
    pub(super) width: f64,
    pub(super) kind: Kind,
}

impl Look {
    pub(super) fn new(title: impl Into<String>, width: f64, kind: Kind) -> Self {
        Self { title: title.into(), width, kind }
    }

    /// A number whose title, in two lines with the button of a filter, is what takes the room.
    pub(super) fn number(title: &str, decimals: u8) -> Self {
        let width = (title.chars().count() as f64 * 0.62 + 4.0).max(12.0);
        Self::new(title, width, Kind::Number(decimals))
    }
}

/// A part of a table that fits into one sheet.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) name: String,
    pub(super) rows: u64,
}

/// Colours the cells of a page by what is in them: gets the sheet and its last row.
pub(super) type Colouring<'a> = Box<dyn Fn(&mut Worksheet, u32) -> Result<(), Trouble> + 'a>;

/// A table whose rows are read while they are written.
pub(super) struct Table<'a> {
    pub(super) name: &'static str,
    pub(super) looks: Vec<Look>,
    pub(super) rows: u64,
    pub(super) cells: Box<dyn Iterator<Item = Result<Vec<Cell>, SpoolError>> + 'a>,
    pub(super) colour: Colouring<'a>,
}

impl Table<'_> {
    /// The sheets that it takes, at least one.
    pub(super) fn pages(&self, rows_of_a_sheet: u64) -> Vec<Page> {
        let count = self.rows.div_ceil(rows_of_a_sheet).max(1);
        let name = |number| match number {
            1 => self.name.to_owned(),
            _ => format!("{}_{number}", self.name),
        };
        (1..=count)
            .map(|number| Page {
                name: name(number),
                rows: (self.rows - (number - 1) * rows_of_a_sheet).min(rows_of_a_sheet),
            })
            .collect()
    }

    /// Adds the sheet of a page with everything but its rows.
    pub(super) fn begin_page<'w>(
        &self,
        workbook: &'w mut Workbook,
        page: &Page,
        styles: &Styles,
    ) -> Result<&'w mut Worksheet, Trouble> {
        let sheet = workbook.add_worksheet();
        sheet.set_name(&page.name)?;
        style::begin_table(sheet, &self.looks, page.rows as u32, styles)?;
        if page.rows > 0 {
            (self.colour)(sheet, page.rows as u32)?;
        }
        Ok(sheet)
    }

    /// Writes the next rows into the sheet of their page.
    pub(super) fn fill(&mut self, sheet: &mut Worksheet, page: &Page, styles: &Styles) -> Result<(), Trouble> {
        for row in 1..=page.rows {
            let Some(cells) = self.cells.next().transpose()? else { break };
            style::write_row(sheet, row as u32, &self.looks, &cells, styles)?;
        }
        Ok(())
    }

    /// Writes one row of empty cells that says which style each column has.
    pub(super) fn show_styles(&self, sheet: &mut Worksheet, styles: &Styles) -> Result<(), Trouble> {
        for (column, look) in (0..).zip(&self.looks) {
            sheet.write_blank(1, column, styles.of(look.kind))?;
        }
        Ok(())
    }
}

/// Foreign text, safe and short. XML has no place for two characters that are nothing.
pub(super) fn foreign(text: &str) -> String {
    clean(text, LONGEST_TEXT).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// Local wall time; `None` outside the calendar.
pub(super) fn civil(ts_ms: i64, zone: &TimeZone) -> Option<DateTime> {
    Some(Timestamp::from_millisecond(ts_ms).ok()?.to_zoned(zone.clone()).datetime())
}

/// Days since 1899-12-30, which is how spreadsheets write a time; `None` before 1900-03-01, where they disagree.
fn serial(time: DateTime) -> Option<f64> {
    let first = DateTime::constant(1899, 12, 30, 0, 0, 0, 0);
    let days = time.since((Unit::Millisecond, first)).ok()?.total(Unit::Millisecond).ok()? / 86_400_000.0;
    (days >= 61.0).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_of_local_wall_time() {
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        for (ts_ms, zone, has_ms, expected) in [
            (1_795_143_845_999, &TimeZone::UTC, false, Cell::Number(46_346.0 + 11_045.0 / 86_400.0)),
            (1_795_143_845_999, &berlin, false, Cell::Number(46_346.0 + 14_645.0 / 86_400.0)),
            (1_795_143_845_500, &TimeZone::UTC, true, Cell::Number(46_346.0 + 11_045.5 / 86_400.0)),
            (-2_203_891_200_000, &TimeZone::UTC, false, Cell::Number(61.0)),
            (-2_203_891_201_000, &TimeZone::UTC, false, Cell::Empty),
            (i64::MAX, &TimeZone::UTC, false, Cell::Empty),
            (i64::MIN, &TimeZone::UTC, false, Cell::Empty),
        ] {
            match (Cell::time(ts_ms, zone, has_ms), expected) {
                // To a tenth of a millisecond.
                (Cell::Number(found), Cell::Number(days)) => assert!((found - days).abs() < 1e-9, "{ts_ms}: {found}"),
                (found, expected) => assert_eq!(found, expected, "{ts_ms}"),
            }
        }
    }

    #[test]
    fn a_number_that_is_none_is_unknown() {
        for value in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(Cell::number(value), Cell::Empty);
        }
        assert_eq!(Cell::number(0.0), Cell::Number(0.0));
    }
}
