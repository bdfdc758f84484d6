//! Rows as lines of text: CSV or JSON.

use std::io::Write as _;
use std::mem;
use std::sync::LazyLock;

use super::column::{COLUMNS, Cell, Kind, Object, safe};
use super::config::SinkFormat;

/// The first line of a CSV, with its end.
pub(super) static HEADER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut header = COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(",").into_bytes();
    header.push(b'\n');
    header
});

/// What every line of JSON begins with.
pub(super) const OBJECT: &[u8] = br#"{"timestamp":""#;

/// What makes a spreadsheet take a text for a formula when it comes first.
const FORMULA: [char; 4] = ['=', '+', '-', '@'];

/// Lines of one batch.
pub(super) struct Lines {
    format: SinkFormat,
    bytes: Vec<u8>,
    rows: u64,
}

impl Lines {
    pub(super) fn new(format: SinkFormat) -> Self {
        Self { format, bytes: Vec::new(), rows: 0 }
    }

    /// Adds a row: a cell for every column.
    pub(super) fn row(&mut self, kind: Kind, cells: &[Cell<'_>]) {
        debug_assert_eq!(cells.len(), COLUMNS.len(), "a cell for every column");
        match self.format {
            SinkFormat::Csv => self.csv(cells),
            SinkFormat::Jsonl => {
                serde_json::to_writer(&mut self.bytes, &Object(kind, cells)).expect("memory takes every write");
            }
        }
        self.bytes.push(b'\n');
        self.rows += 1;
    }

    /// The lines so far and their number; the next batch begins empty, with as much room.
    pub(super) fn take(&mut self) -> (Vec<u8>, u64) {
        let next = Vec::with_capacity(self.bytes.len());
        (mem::replace(&mut self.bytes, next), mem::take(&mut self.rows))
    }

    fn csv(&mut self, cells: &[Cell<'_>]) {
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                self.bytes.push(b',');
            }
            let written = match *cell {
                Cell::Unknown => Ok(()),
                Cell::Count(count) => write!(self.bytes, "{count}"),
                Cell::Whole(number) => write!(self.bytes, "{number}"),
                Cell::Number(number) => write!(self.bytes, "{number}"),
                Cell::Plain(text) => self.bytes.write_all(text.as_bytes()),
                Cell::Foreign(text) => {
                    self.foreign(text);
                    Ok(())
                }
            };
            written.expect("memory takes every write");
        }
    }

    /// Foreign text: no formula, no line break, in quotes where it needs them.
    fn foreign(&mut self, text: &str) {
        let text = safe(text);
        let quoted = text.contains([',', '"']);
        if quoted {
            self.bytes.push(b'"');
        }
        if text.starts_with(FORMULA) {
            self.bytes.push(b'\'');
        }
        if quoted {
            for byte in text.bytes() {
                self.bytes.push(byte);
                if byte == b'"' {
                    self.bytes.push(byte);
                }
            }
            self.bytes.push(b'"');
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: SinkFormat, command: Cell<'_>, kind: Kind) -> String {
        let mut lines = Lines::new(format);
        let mut cells = vec![Cell::Unknown; COLUMNS.len()];
        cells[0] = Cell::Plain("2026-11-20T03:04:05.000+01:00");
        *cells.last_mut().unwrap() = command;
        lines.row(kind, &cells);
        let (bytes, rows) = lines.take();
        assert_eq!((rows, lines.take()), (1, (Vec::new(), 0)));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn foreign_text_is_one_field_and_no_formula() {
        for (text, field) in [
            ("nginx: worker", "nginx: worker"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("a\r\nb\tc", "a  b c"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-bash", "'-bash"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("=a,b", "\"'=a,b\""),
            ("\t=1", " =1"),
            ("a=b", "a=b"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{202e}=1", "\\u{202e}=1"),
            ("größe", "größe"),
            ("\"\"\"\"", "\"\"\"\"\"\"\"\"\"\""),
        ] {
            let line = lines(SinkFormat::Csv, Cell::Foreign(text), Kind::Process);
            let commas = ",".repeat(COLUMNS.len() - 1);
            assert_eq!(line, format!("2026-11-20T03:04:05.000+01:00{commas}{field}\n"), "{text:?}");
        }
    }

    #[test]
    fn a_line_of_json_has_the_columns_of_its_kind_and_null_for_what_is_unknown() {
        let line = lines(SinkFormat::Jsonl, Cell::Foreign("say \"hi\"\n=1\u{1b}"), Kind::Process);
        assert!(line.as_bytes().starts_with(OBJECT) && line.matches('\n').count() == 1, "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["process.command_line"], "say \"hi\" =1\\u{1b}");
        assert!(value["process.pid"].is_null() && value.get("process.pid").is_some());
        assert!(value.get("process.exit.code").is_none() && value.get("system.cpu.utilization").is_none());
        let host = lines(SinkFormat::Jsonl, Cell::Unknown, Kind::Host);
        assert!(host.contains("\"system.cpu.utilization\":null") && !host.contains("process.pid"), "{host}");
    }

    #[test]
    fn the_header_names_every_column_once() {
        let header = String::from_utf8(HEADER.clone()).unwrap();
        assert!(
            header.starts_with("timestamp,interval_s,kind,host.name,") && header.ends_with(",process.command_line\n")
        );
        assert_eq!(header.matches(',').count() + 1, COLUMNS.len());
    }
}
