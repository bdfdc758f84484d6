//! Recordings of a machine as workbooks and tables, written and read.
//!
//! [`Row`] is one tick of a recording, [`columns`] says which numbers it has and what they are called for people; the
//! titles of the first two are those of the scripts that Watchkeeper replaces.

#![forbid(unsafe_code)]

mod column;
mod recording;
mod replacement;
mod row;
mod status_log;
mod table;
mod workbook;

pub use column::{Column, Source, column, columns};
pub use recording::{Header, Recording, Rows, Spool, SpoolError, spool_path};
pub use replacement::{behind_links, remove_leftovers, replace_file};
pub use row::{ProcessRow, Row};
pub use status_log::{StatusLine, StatusLog, StatusLogError};
pub use table::{Table, TableColumn, TableError, TableProblem, UNSTORED, parse_csv, parse_workbook, read_table};
pub use workbook::{Saved, WorkbookError, write_workbook};
