//! Recordings of a machine as workbooks and tables, written and read.
//!
//! [`Row`] is one tick of a recording, [`columns`] says which numbers it has and what they are called for people; the
//! titles of the first two are those of the scripts that Watchkeeper replaces.

mod column;
mod row;

pub use column::{Column, Source, column, columns};
pub use row::{ProcessRow, Row};
