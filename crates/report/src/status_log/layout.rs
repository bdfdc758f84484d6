//! The shape of a log: which column stands where, and how its fields are written.

use csv::{QuoteStyle, Terminator, WriterBuilder};
use jiff::tz::TimeZone;
use watchkeeper_core::text::{clean, local_time};

use super::Line;
use crate::column::column;
use crate::table::cell::Decimal;
use crate::table::delimited::{Shape, first_record};
use crate::table::gather::key;
use crate::table::kind::Kind;

/// The columns of a new file: the first three are those of the scripts.
const TITLES: [&str; 6] = ["Timestamp", "CPU Usage (%)", "Memory Usage (%)", "Status", "Score", "Culprit"];
/// Characters of a foreign text that are kept.
const LONGEST_TEXT: usize = 200;

/// The shape of a log.
#[derive(Debug)]
pub(super) struct Layout {
    fields: Vec<Field>,
    shape: Shape,
    is_crlf: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Time,
    Cpu,
    Memory,
    Status,
    Score,
    Culprit,
    /// A column that we have nothing for.
    Other,
}

impl Layout {
    /// The shape of a file that is begun.
    pub(super) fn of_new_file() -> Self {
        let shape = Shape { delimiter: b',', decimal: Decimal::Point };
        Self { fields: TITLES.map(Field::of).to_vec(), shape, is_crlf: false }
    }

    /// The shape of a file that exists, from its first bytes; the error says what it is instead.
    pub(super) fn of_existing(head: &[u8]) -> Result<Self, String> {
        match Kind::of(head) {
            Kind::Text => {}
            Kind::Archive => return Err("is a workbook or another archive".to_owned()),
            Kind::Nothing => return Err("is blank".to_owned()),
            Kind::Foreign(what, _) => return Err(what.to_owned()),
        }
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err("is UTF-16 and no plain text".to_owned());
        }
        let Some((shape, titles)) = first_record(head) else { return Err("is blank".to_owned()) };
        let mut fields: Vec<Field> = Vec::with_capacity(titles.len());
        for title in &titles {
            let field = Field::of(title);
            fields.push(if fields.contains(&field) { Field::Other } else { field });
        }
        let missing: Vec<&str> =
            TITLES[..3].iter().copied().filter(|title| !fields.contains(&Field::of(title))).collect();
        if !missing.is_empty() {
            return Err(format!("is not a log of this program: its first line has no {}", missing.join(", no ")));
        }
        let is_crlf = head.iter().position(|byte| *byte == b'\n').is_some_and(|end| head[..end].ends_with(b"\r"));
        Ok(Self { fields, shape, is_crlf })
    }

    /// The first line of a new file.
    pub(super) fn titles(&self) -> Vec<u8> {
        self.record(TITLES.iter().map(|title| (*title).to_owned()))
    }

    /// What ends a line.
    pub(super) fn line_end(&self) -> &'static [u8] {
        if self.is_crlf { b"\r\n" } else { b"\n" }
    }

    /// A line, with its end.
    pub(super) fn line(&self, line: &Line, zone: &TimeZone) -> Vec<u8> {
        self.record(self.fields.iter().map(|field| match field {
            Field::Time => local_time(line.ts_ms, zone),
            Field::Cpu => self.number(line.cpu_percent, 1),
            Field::Memory => self.number(line.memory_percent, 1),
            Field::Score => self.number(line.score, 4),
            Field::Status => harmless(&line.status),
            Field::Culprit => harmless(&line.culprit),
            Field::Other => String::new(),
        }))
    }

    fn number(&self, number: Option<f64>, decimals: usize) -> String {
        let Some(number) = number.filter(|number| number.is_finite()) else { return String::new() };
        let text = format!("{number:.decimals$}");
        match self.shape {
            Shape { decimal: Decimal::Comma, .. } | Shape { decimal: Decimal::Unknown, delimiter: b';' } => {
                text.replace('.', ",")
            }
            _ => text,
        }
    }

    fn record(&self, fields: impl Iterator<Item = String>) -> Vec<u8> {
        let terminator = if self.is_crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
        let mut writer = WriterBuilder::new()
            .delimiter(self.shape.delimiter)
            .terminator(terminator)
            .quote_style(QuoteStyle::Necessary)
            .from_writer(Vec::new());
        writer.write_record(fields).expect("one record into memory cannot fail");
        writer.into_inner().expect("memory can be written")
    }
}

impl Field {
    fn of(title: &str) -> Self {
        match key(title).as_str() {
            "timestamp" => Self::Time,
            "status" => Self::Status,
            "score" => Self::Score,
            "culprit" => Self::Culprit,
            other => match column(other).map(|column| column.short) {
                Some("cpu") => Self::Cpu,
                Some("memory") => Self::Memory,
                _ => Self::Other,
            },
        }
    }
}

/// Foreign text that neither a terminal nor a spreadsheet acts on: a text that begins like a formula gets an apostrophe in
/// front, as spreadsheets mark a text themselves.
fn harmless(foreign: &str) -> String {
    let text = clean(foreign.trim(), LONGEST_TEXT);
    let is_formula = text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if is_formula { format!("'{text}") } else { text }
}
