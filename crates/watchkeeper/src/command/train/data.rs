//! Numbers to learn from, whether they came from a file or from the log.

use watchkeeper_report::{Table, TableColumn, UNSTORED};

/// A table of numbers, and what it is called.
#[derive(Debug)]
pub struct Data {
    /// Where it came from, as people call it. Safe to show.
    pub source: String,
    /// It is the log of a watch, not a file.
    pub is_log: bool,
    /// Time from one row to the next, milliseconds; `None` when the rows have no times.
    pub interval_ms: Option<i64>,
    /// The numbers.
    pub table: Table,
}

/// Cells of a column that hold no number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absent {
    /// With nothing in them.
    pub empty: usize,
    /// Those of them with a formula whose result is not in the file.
    pub unstored: usize,
    /// With NaN, an infinity, or a word for a missing value.
    pub not_finite: usize,
    /// With something that is no number.
    pub unreadable: usize,
    /// The first of these: its row and what stands there. Safe to show.
    pub first_unreadable: Option<(usize, String)>,
}

impl Absent {
    /// Of a column.
    pub fn of(column: &TableColumn) -> Self {
        let absent = column.values.iter().filter(|value| value.is_none()).count();
        let (not_finite, unreadable) = (column.not_finite, column.unreadable);
        let empty = absent.saturating_sub(not_finite + unreadable);
        Self {
            empty,
            unstored: column.unstored.min(empty),
            not_finite,
            unreadable,
            first_unreadable: column.first_unreadable.clone(),
        }
    }

    /// All together.
    pub fn count(&self) -> usize {
        self.empty + self.not_finite + self.unreadable
    }

    /// In words: `2 empty, 1 not a number (row 7: "high")`.
    pub fn words(&self) -> String {
        let first =
            self.first_unreadable.as_ref().map_or(String::new(), |(row, cell)| format!(" (row {row}: \"{cell}\")"));
        let why = if self.unstored > 0 { format!(" ({} {UNSTORED})", self.unstored) } else { String::new() };
        let counts = [
            (self.empty, format!("empty{why}")),
            (self.not_finite, "NaN".to_owned()),
            (self.unreadable, format!("not a number{first}")),
        ];
        let words: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_counted_by_kind() {
        let mut column = TableColumn { values: vec![Some(1.0), None, None, None, None], ..TableColumn::default() };
        assert_eq!(Absent::of(&column).words(), "4 empty");
        let formulas = Absent::of(&TableColumn { unstored: 3, ..column.clone() });
        assert_eq!(
            (formulas.words().as_str(), formulas.count()),
            ("4 empty (3 formulas without a stored result: open the file in a spreadsheet program and save it)", 4)
        );
        column.not_finite = 1;
        column.unreadable = 2;
        column.first_unreadable = Some((7, "high".to_owned()));
        let absent = Absent::of(&column);
        assert_eq!((absent.words().as_str(), absent.count()), ("1 empty, 1 NaN, 2 not a number (row 7: \"high\")", 4));
        assert_eq!(Absent::default().words(), "");
    }
}
