//! From rows of cells to columns of numbers: finds the header, follows it through the rows, and keeps account of what was
//! skipped. Workbooks and CSVs come through here.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use watchkeeper_core::text::clean;

use super::cell::{Cell, Decimal, Number, bare};
use super::{Table, TableColumn, TableProblem};
use crate::column::column;

/// Title of the column of times.
const TIME_TITLE: &str = "Timestamp";
/// Rows in which a header is looked for: a person may have put a line or two above it.
const HEADER_WITHIN: usize = 20;
/// Columns that are kept; a recording has some twenty.
const MOST_COLUMNS: usize = 1_000;
/// Numbers that a table may hold, at 16 bytes each: three columns and a line each second of a year.
const MOST_CELLS: usize = 100_000_000;
/// What cells are that are empty for this reason, and what to do.
pub const UNSTORED: &str = "formulas without a stored result: open the file in a spreadsheet program and save it";
/// Characters of a foreign title or cell that are shown.
const SHOWN: usize = 60;

/// A row on its way: the number that people see beside it, and its cells with their places in it.
pub(super) type Cells<'a> = [(u32, Cell<'a>)];

/// A table in the making.
pub(super) struct Gather<'z> {
    zone: &'z TimeZone,
    decimal: Decimal,
    ends_with_titles: bool,
    header: Option<Header>,
    /// The first rows, until the header is known.
    ahead: Vec<(usize, Vec<(u32, Cell<'static>)>)>,
    columns: Vec<TableColumn>,
    /// Lower-case title to index in `columns`.
    by_title: BTreeMap<String, usize>,
    times_ms: Option<Vec<Option<i64>>>,
    rows: usize,
    skipped: Skipped,
    notes: Vec<String>,
}

/// Which places of a row are what.
#[derive(Default)]
struct Header {
    /// Places that have a title, and those before them.
    width: u32,
    time: Option<u32>,
    columns: BTreeMap<u32, usize>,
}

/// What was left out, for the notes.
#[derive(Default)]
struct Skipped {
    rows_without_numbers: usize,
    first_without_numbers: Option<usize>,
    repeated_headers: usize,
    times: usize,
    first_time: Option<(usize, String)>,
    wide_rows: usize,
    first_wide: Option<usize>,
}

impl<'z> Gather<'z> {
    /// Of sheets, where people write beside the table.
    pub(super) fn of_sheet(zone: &'z TimeZone, decimal: Decimal) -> Self {
        Self::new(zone, decimal, false)
    }

    /// Of text, where a row with more cells than titles was taken apart in the wrong places.
    pub(super) fn of_text(zone: &'z TimeZone, decimal: Decimal) -> Self {
        Self::new(zone, decimal, true)
    }

    fn new(zone: &'z TimeZone, decimal: Decimal, ends_with_titles: bool) -> Self {
        Self {
            zone,
            decimal,
            ends_with_titles,
            header: None,
            ahead: Vec::new(),
            columns: Vec::new(),
            by_title: BTreeMap::new(),
            times_ms: None,
            rows: 0,
            skipped: Skipped::default(),
            notes: Vec::new(),
        }
    }

    /// Says something about the file.
    pub(super) fn note(&mut self, sentence: String) {
        self.notes.push(sentence);
    }

    /// Takes a row; `number` is what people see beside it.
    pub(super) fn row(&mut self, number: usize, cells: &Cells<'_>) -> Result<(), TableProblem> {
        if cells.iter().all(|(_, cell)| cell.is_empty()) {
            return Ok(());
        }
        if self.header.is_some() {
            if self.is_header(cells) {
                self.skipped.repeated_headers += 1;
                self.header = Some(self.read_header(cells));
                return Ok(());
            }
            return self.numbers(number, cells);
        }
        if known_titles(cells) > 0 {
            self.ahead.clear();
            self.header = Some(self.read_header(cells));
            return Ok(());
        }
        self.ahead.push((number, cells.iter().map(|(place, cell)| (*place, cell.clone().into_owned())).collect()));
        if self.ahead.len() >= HEADER_WITHIN { self.settle() } else { Ok(()) }
    }

    /// Counts cells of the part that came last that are empty because the result of their formula was not stored.
    pub(super) fn unstored(&mut self, place: u32) {
        let column = self.header.as_ref().and_then(|header| header.columns.get(&place));
        if let Some(index) = column {
            self.columns[*index].unstored += 1;
        }
    }

    /// The part of the table that comes now has a header of its own: the next sheet.
    pub(super) fn next_part(&mut self) -> Result<(), TableProblem> {
        self.settle()?;
        self.header = None;
        Ok(())
    }

    /// Looks for the titles in what there was until now; whether one of them is one of a recording's.
    pub(super) fn settled(&mut self) -> Result<bool, TableProblem> {
        self.settle()?;
        Ok(self.columns.iter().any(|found| column(&found.title).is_some()))
    }

    /// Whether a row was taken.
    pub(super) fn has_rows(&self) -> bool {
        self.rows > 0
    }

    /// The table.
    pub(super) fn finish(mut self) -> Result<Table, TableProblem> {
        self.settle()?;
        if self.columns.is_empty() && self.times_ms.is_none() {
            return Err(TableProblem::NoHeader);
        }
        if self.rows == 0 {
            self.notes.extend(self.skipped.notes());
            if self.columns.iter().any(|column| column.unstored > 0) {
                self.notes.push(format!("its cells are {UNSTORED}"));
            }
            return Err(TableProblem::NoRows { notes: self.notes });
        }
        for column in &mut self.columns {
            column.values.resize(self.rows, None);
        }
        if let Some(times_ms) = &mut self.times_ms {
            times_ms.resize(self.rows, None);
        }
        let mut notes = self.notes;
        notes.extend(self.skipped.notes());
        Ok(Table { rows: self.rows, times_ms: self.times_ms, columns: self.columns, notes })
    }

    /// No row named a column that is known: the first with words in it is the header.
    fn settle(&mut self) -> Result<(), TableProblem> {
        let ahead = std::mem::take(&mut self.ahead);
        let Some(at) = ahead.iter().position(|(_, cells)| cells.iter().any(|(_, cell)| cell.words().is_some())) else {
            let Some((number, _)) = ahead.first() else { return Ok(()) };
            if self.columns.is_empty() {
                return Err(TableProblem::NoHeader);
            }
            self.notes.push(format!("a part of the table was left out: no titles stand above its row {number}"));
            return Ok(());
        };
        self.header = Some(self.read_header(&ahead[at].1));
        ahead[at + 1..].iter().try_for_each(|(number, cells)| self.row(*number, cells))
    }

    /// Whether this is the header again, or the header of another part: words only, and titles among them.
    fn is_header(&self, cells: &Cells<'_>) -> bool {
        let mut titles = 0;
        for (_, cell) in cells.iter().filter(|(_, cell)| !cell.is_empty()) {
            let Some(words) = cell.words() else { return false };
            let title = key(words);
            titles += usize::from(title == key(TIME_TITLE) || self.by_title.contains_key(&title));
        }
        titles >= 2 || (titles == 1 && self.by_title.len() + usize::from(self.times_ms.is_some()) == 1)
    }

    fn read_header(&mut self, cells: &Cells<'_>) -> Header {
        let width = cells.iter().map(|(place, _)| place.saturating_add(1)).max().unwrap_or(0);
        let mut header = Header { width, ..Header::default() };
        let mut left_out = 0_usize;
        for (place, cell) in cells {
            let Cell::Text(text) = cell else { continue };
            let (title, key) = (clean(bare(text), SHOWN), key(text));
            if key.is_empty() {
                continue;
            }
            if key == self::key(TIME_TITLE) {
                self.times_ms.get_or_insert_default();
                let first = *header.time.get_or_insert(*place);
                if first != *place {
                    self.notes.push(format!("column \"{title}\" is there more than once: the first counts"));
                }
                continue;
            }
            let index = match self.by_title.get(&key) {
                Some(index) if header.columns.values().any(|taken| taken == index) => {
                    let note = format!("column \"{title}\" is there more than once: the first counts");
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                    continue;
                }
                Some(index) => *index,
                None if self.columns.len() >= MOST_COLUMNS => {
                    left_out += 1;
                    continue;
                }
                None => {
                    self.columns.push(TableColumn { title, ..TableColumn::default() });
                    self.by_title.insert(key, self.columns.len() - 1);
                    self.columns.len() - 1
                }
            };
            header.columns.insert(*place, index);
        }
        if left_out > 0 {
            self.notes.push(format!("there are more than {MOST_COLUMNS} columns: {left_out} were left out"));
        }
        header
    }

    fn numbers(&mut self, number: usize, cells: &Cells<'_>) -> Result<(), TableProblem> {
        let Some(header) = &self.header else { return Ok(()) };
        if self.ends_with_titles && cells.iter().any(|(place, cell)| *place >= header.width && !cell.is_empty()) {
            self.skipped.wide_rows += 1;
            self.skipped.first_wide.get_or_insert(number);
            return Ok(());
        }
        let mut time_ms = None;
        let mut unread_time = None;
        let mut found = Vec::with_capacity(header.columns.len());
        for (place, cell) in cells.iter().filter(|(_, cell)| !cell.is_empty()) {
            if header.time == Some(*place) {
                time_ms = cell.time_ms(self.zone);
                unread_time = time_ms.is_none().then_some(cell);
            } else if let Some(index) = header.columns.get(place) {
                found.push((*index, cell.number(self.decimal)));
            }
        }
        let has_number = found.iter().any(|(_, number)| matches!(number, Number::Value(_)));
        if time_ms.is_none() && !has_number {
            self.skipped.rows_without_numbers += 1;
            self.skipped.first_without_numbers.get_or_insert(number);
            return Ok(());
        }
        if (self.rows + 1).saturating_mul(self.columns.len().max(1)) > MOST_CELLS {
            return Err(TableProblem::TooMany { rows: self.rows });
        }
        if let (Some(times_ms), Some(_)) = (&mut self.times_ms, time_ms) {
            times_ms.resize(self.rows, None);
            times_ms.push(time_ms);
        }
        if let Some(cell) = unread_time {
            self.skipped.times += 1;
            self.skipped.first_time.get_or_insert_with(|| (number, shown(cell)));
        }
        for (index, read) in found {
            self.columns[index].put(self.rows, number, read);
        }
        self.rows += 1;
        Ok(())
    }
}

impl TableColumn {
    /// Sets the value of a row; those between the last one and it are missing.
    fn put(&mut self, row: usize, number: usize, read: Number) {
        match read {
            Number::Missing => {}
            Number::Value(value) => {
                self.values.resize(row, None);
                self.values.push(Some(value));
            }
            Number::NotFinite => self.not_finite += 1,
            Number::Unreadable(text) => {
                self.unreadable += 1;
                self.first_unreadable.get_or_insert_with(|| (number, clean(&text, SHOWN)));
            }
        }
    }
}

impl Skipped {
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(first) = self.first_without_numbers {
            notes.push(match self.rows_without_numbers {
                1 => format!("row {first} was left out: nothing in it is a number"),
                count => format!("{count} rows were left out, the first is row {first}: nothing in them is a number"),
            });
        }
        if let Some(first) = self.first_wide {
            notes.push(match self.wide_rows {
                1 => format!("row {first} was left out: it has more cells than there are titles"),
                count => format!(
                    "{count} rows were left out, the first is row {first}: they have more cells than there are titles"
                ),
            });
        }
        match self.repeated_headers {
            0 => {}
            1 => notes.push("the titles stand there once more among the rows".to_owned()),
            count => notes.push(format!("the titles stand there {count} more times among the rows")),
        }
        if let Some((row, text)) = &self.first_time {
            notes.push(match self.times {
                1 => format!("the time in row {row} cannot be read: \"{text}\""),
                count => format!("{count} times cannot be read, the first is \"{text}\" in row {row}"),
            });
        }
        notes
    }
}

/// How many of these are titles that a recording has.
pub(super) fn known_titles(cells: &Cells<'_>) -> usize {
    let known = |words: &&str| key(words) == key(TIME_TITLE) || column(words).is_some();
    cells.iter().filter_map(|(_, cell)| cell.words()).filter(known).count()
}

/// A title as it is compared: without blanks around it, one blank where several are, lower case.
pub(crate) fn key(title: &str) -> String {
    bare(title).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn shown(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) => clean(bare(text), SHOWN),
        Cell::Date(date) => date.to_string(),
        Cell::Other(words) => (*words).to_owned(),
    }
}
