//! Tables of numbers as people and programs keep them, read: recordings as workbooks, logs as CSV, ours and those of the
//! scripts that came before.
//!
//! A file is told by its content, not by its name. Columns may stand in any order; numbers may be texts; what is no number
//! is counted and said, never guessed. Memory is bounded by what the file holds, not by what it claims to hold.

mod archive;
pub(crate) mod cell;
pub(crate) mod delimited;
pub(crate) mod gather;
pub(crate) mod kind;
mod workbook;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use self::kind::Kind;
use crate::column::column;

pub use self::gather::UNSTORED;
use self::gather::key;

/// The longest file that is read.
const LONGEST_FILE_BYTES: u64 = 1 << 30;

/// A table of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Rows with a number or a time in them.
    pub rows: usize,
    /// Times of the rows from column `Timestamp`, milliseconds UTC, `rows` long; `None` in it is a time that is missing
    /// or cannot be read. `None`: there is no such column.
    pub times_ms: Option<Vec<Option<i64>>>,
    /// All other columns that have a title, in the order of the file; titles are all different. Columns of texts are there
    /// too, without a value.
    pub columns: Vec<TableColumn>,
    /// What was skipped and which of two things was taken: sentences for people, safe to show.
    pub notes: Vec<String>,
}

/// One column of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableColumn {
    /// As it stands in the file, safe to show.
    pub title: String,
    /// The numbers, as many as the table has rows, all finite. `None`: empty, not finite, or no number.
    pub values: Vec<Option<f64>>,
    /// Empty cells with a formula whose result is not in the file: libraries write such, spreadsheet programs do not.
    pub unstored: usize,
    /// Cells with NaN, an infinity, or a word for a missing value, such as `N/A`.
    pub not_finite: usize,
    /// Cells with something that is no number.
    pub unreadable: usize,
    /// The first of these: the number of its row as people see it in the sheet or file, and what stands in it, safe to show.
    pub first_unreadable: Option<(usize, String)>,
}

/// Why a table cannot be read. The text is a sentence with what to do.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder was named.
    #[error("{} is a folder: name the workbook or CSV in it", .0.display())]
    Folder(PathBuf),
    /// The file is longer than what is read.
    #[error("{} is longer than {} GiB: keep the part that you need", .0.display(), LONGEST_FILE_BYTES >> 30)]
    Long(PathBuf),
    /// There is no table in it.
    #[error("{} {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        problem: TableProblem,
    },
}

/// What is wrong with the content of a file. The text continues a sentence that begins with the file's name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableProblem {
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// It is of another kind.
    #[error("{what}: {remedy}")]
    Foreign {
        /// What it is: `is a PDF`.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// An archive or its parts are broken.
    #[error("is a damaged workbook ({0}): save it again in the program that made it")]
    Damaged(String),
    /// Unpacked it would take more memory than a workbook has reason to.
    #[error("is no workbook of a recording: {0}")]
    Bomb(String),
    /// The sheet of a recording is not there.
    #[error("has no sheet {wanted}; {}", sheet_words(found))]
    NoSheet {
        /// The sheet that is read.
        wanted: &'static str,
        /// The sheets that are there, safe to show.
        found: Vec<String>,
    },
    /// No row has titles.
    #[error("has no row of titles: the first line must name the columns, such as \"Timestamp\" and \"CPU Usage (%)\"")]
    NoHeader,
    /// There are titles and nothing below them.
    #[error("has titles and no row with a number below them{}", notes.iter().flat_map(|note| ["; ", note]).collect::<String>())]
    NoRows {
        /// What was skipped.
        notes: Vec<String>,
    },
    /// It holds more numbers than memory should.
    #[error("holds too many numbers: {rows} rows were read; keep the rows or the columns that you need")]
    TooMany {
        /// Rows that were read.
        rows: usize,
    },
}

/// Reads a workbook or a CSV. Times without a zone are those of `zone`.
pub fn read_table(path: &Path, zone: &TimeZone) -> Result<Table, TableError> {
    let failed = |source| TableError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.is_dir() {
        return Err(TableError::Folder(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST_FILE_BYTES {
        return Err(TableError::Long(path.to_owned()));
    }
    parse(&bytes, zone).map_err(|problem| TableError::Content { path: path.to_owned(), problem })
}

/// Reads the sheets of a recording from the bytes of a workbook (.xlsx).
pub fn parse_workbook(bytes: &[u8], zone: &TimeZone) -> Result<Table, TableProblem> {
    workbook::read(bytes, zone)
}

/// Reads delimited text: commas, semicolons or tabs; UTF-8, UTF-16 with a mark, or Latin-1.
pub fn parse_csv(bytes: &[u8], zone: &TimeZone) -> Result<Table, TableProblem> {
    delimited::read(bytes, zone)
}

fn sheet_words(found: &[String]) -> String {
    if found.is_empty() { "it has no sheet at all".to_owned() } else { format!("its sheets are: {}", found.join(", ")) }
}

fn parse(bytes: &[u8], zone: &TimeZone) -> Result<Table, TableProblem> {
    match Kind::of(bytes) {
        Kind::Archive => parse_workbook(bytes, zone),
        Kind::Text => parse_csv(bytes, zone),
        Kind::Nothing => Err(TableProblem::Empty),
        Kind::Foreign(what, remedy) => Err(TableProblem::Foreign { what, remedy }),
    }
}

impl Table {
    /// The column with this title, or with a title, short name or metric name of the same column of a recording; upper and
    /// lower case are the same.
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        let titled = |wanted: &str| self.columns.iter().find(|found| key(&found.title) == key(wanted));
        titled(name).or_else(|| {
            let known = column(name)?;
            [known.title, known.short, known.source.metric()].into_iter().find_map(titled)
        })
    }

    /// The usual time between two rows, milliseconds: the median of the steps forward. `None` without two times.
    pub fn median_interval_ms(&self) -> Option<i64> {
        let times: Vec<i64> = self.times_ms.as_ref()?.iter().flatten().copied().collect();
        let mut steps: Vec<i64> =
            times.windows(2).filter_map(|pair| pair[1].checked_sub(pair[0])).filter(|step| *step > 0).collect();
        let middle = steps.len() / 2;
        (!steps.is_empty()).then(|| *steps.select_nth_unstable(middle).1)
    }
}

#[cfg(test)]
mod tests;
