//! Delimited text, line by line.
//!
//! A log may be read while it is written, and after a crash: a last line without its end is left out, zero bytes do not
//! count, and a quote that is never closed spoils its own line only.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use jiff::tz::TimeZone;

use super::cell::{Cell, Decimal, bare};
use super::gather::{Gather, known_titles};
use super::{Table, TableProblem};

/// Delimiters that are looked for.
const DELIMITERS: [u8; 3] = *b",;\t";
/// Lines that are looked at to tell delimiter and decimal mark.
const LOOK_LINES: usize = 100;
/// Lines over which a quoted field may go: titles that a spreadsheet has wrapped.
const MOST_LINES: usize = 8;

/// How the fields of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// What stands between fields.
    pub(crate) delimiter: u8,
    /// What stands before the fraction of a number.
    pub(crate) decimal: Decimal,
}

/// Reads delimited text.
pub(super) fn read(bytes: &[u8], zone: &TimeZone) -> Result<Table, TableProblem> {
    let text = utf8(bytes);
    let shape = Shape::of(&text);
    let mut records = Records::new(shape.delimiter);
    let mut gather = Gather::of_text(zone, shape.decimal);
    for line in Lines::new(&text) {
        if !line.is_whole && gather.has_rows() {
            if !bare(&String::from_utf8_lossy(line.bytes)).is_empty() {
                let number = line.number;
                gather.note(format!("row {number}, the last, was left out: it has no end and may be half written"));
            }
            continue;
        }
        if line.number == 1 && declared_delimiter(line.bytes).is_some() {
            continue;
        }
        let cells: Vec<(u32, Cell<'_>)> = (0..).zip(records.read(line.bytes).map(Cell::Text)).collect();
        gather.row(line.number, &cells)?;
    }
    gather.finish()
}

/// The fields of the first line that is not blank, and how they are written; `None` when there is no such line.
pub(crate) fn first_record(bytes: &[u8]) -> Option<(Shape, Vec<String>)> {
    let text = utf8(bytes);
    let shape = Shape::of(&text);
    let line = Lines::new(&text)
        .filter(|line| line.number > 1 || declared_delimiter(line.bytes).is_none())
        .find(|line| !bare(&String::from_utf8_lossy(line.bytes)).is_empty())?;
    Some((shape, Records::new(shape.delimiter).read(line.bytes).map(Cow::into_owned).collect()))
}

impl Shape {
    /// The delimiter with which the first lines name most columns of a recording, else the one that is there most; the
    /// decimal mark that the numbers have.
    fn of(text: &[u8]) -> Self {
        let lines: Vec<Line<'_>> = Lines::new(text).take(LOOK_LINES).collect();
        let declared = lines.first().and_then(|line| declared_delimiter(line.bytes));
        let delimiter = declared.unwrap_or_else(|| {
            let titles = |delimiter: &u8| {
                let mut records = Records::new(*delimiter);
                let mut fields = |line: &Line<'_>| -> Vec<(u32, Cell<'static>)> {
                    (0..).zip(records.read(line.bytes).map(|field| Cell::Text(field).into_owned())).collect()
                };
                let known = lines.iter().map(|line| known_titles(&fields(line))).max().unwrap_or(0);
                let parted = lines.iter().find(|line| !line.bytes.is_empty()).map_or(0, |line| fields(line).len());
                (known, parted)
            };
            // The first of equals: a comma.
            DELIMITERS.into_iter().rev().max_by_key(titles).unwrap_or(b',')
        });
        let mut records = Records::new(delimiter);
        let (mut points, mut commas, mut certain_commas) = (0, 0, 0);
        for line in &lines {
            for field in records.read(line.bytes) {
                match decimal_mark(&field) {
                    Some(('.', _)) => points += 1,
                    Some((_, fraction)) => {
                        commas += 1;
                        certain_commas += usize::from(fraction != 3);
                    }
                    None => {}
                }
            }
        }
        let decimal = match delimiter {
            b',' => Decimal::Point,
            b';' if commas > points => Decimal::Comma,
            _ if certain_commas > points => Decimal::Comma,
            _ if points > 0 => Decimal::Point,
            _ => Decimal::Unknown,
        };
        Self { delimiter, decimal }
    }
}

/// The one mark in a number, and the digits after it.
fn decimal_mark(field: &str) -> Option<(char, usize)> {
    let field = bare(bare(field).trim_end_matches('%')).trim_start_matches(['+', '-']);
    let (whole, fraction) = field.split_once(['.', ','])?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mark = if field[whole.len()..].starts_with(',') { ',' } else { '.' };
    (!fraction.is_empty() && is_digits(whole) && is_digits(fraction)).then_some((mark, fraction.len()))
}

/// `sep=;`, which some programs put before the titles.
fn declared_delimiter(line: &[u8]) -> Option<u8> {
    match line.get(..4).zip(line.get(4..)) {
        Some((start, [delimiter])) if start.eq_ignore_ascii_case(b"sep=") && DELIMITERS.contains(delimiter) => {
            Some(*delimiter)
        }
        _ => None,
    }
}

/// The text as UTF-8 without a mark, as far as it says what it is: UTF-16 only with a mark, and anything else as it is.
fn utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        Cow::Owned(text.into_bytes())
    };
    with_line_feeds(match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        _ => Cow::Borrowed(bytes),
    })
}

/// Ends lines with a line feed that have a carriage return alone, as Excel's "CSV (Macintosh)" has. At the end of a text with
/// line feeds a carriage return is half an end: the other half may not be written yet.
fn with_line_feeds(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let is_old = !text.contains(&b'\n');
    let is_end = |at: usize| text[at] == b'\r' && text.get(at + 1).map_or(is_old, |next| *next != b'\n');
    let Some(first) = (0..text.len()).find(|at| is_end(*at)) else { return text };
    let rest = (first..text.len()).map(|at| if is_end(at) { b'\n' } else { text[at] });
    Cow::Owned(text[..first].iter().copied().chain(rest).collect())
}

/// A line, or a few that a quoted field goes over.
struct Line<'a> {
    /// Number of its first line, from 1.
    number: usize,
    /// Without the end of the line.
    bytes: &'a [u8],
    /// Whether the end was there.
    is_whole: bool,
}

/// Whether a quote is open at the end of a line: doubled ones within a field come in pairs.
pub(crate) fn has_open_quote(line: &[u8]) -> bool {
    line.iter().fold(false, |is_open, byte| is_open ^ (*byte == b'"'))
}

struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { rest: text, number: 1 }
    }

    /// Where the record ends that begins here, and how many lines it has: more than one if a quote is open at the end of the
    /// first and is closed in one of the next.
    fn end(&self) -> (Option<usize>, usize) {
        let mut is_open = false;
        let mut first = None;
        let mut start = 0;
        for lines in 1..=MOST_LINES {
            let Some(length) = self.rest[start..].iter().position(|byte| *byte == b'\n') else { break };
            let end = start + length;
            is_open ^= has_open_quote(&self.rest[start..end]);
            if !is_open {
                return (Some(end), lines);
            }
            first.get_or_insert(end);
            start = end + 1;
        }
        (first, 1)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let number = self.number;
        let (end, lines) = self.end();
        let bytes = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |end| &self.rest[end + 1..]);
        self.number += lines;
        Some(Line { number, bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes), is_whole: end.is_some() })
    }
}

/// Takes lines apart, in buffers that are used again.
struct Records {
    reader: Reader,
    fields: Vec<u8>,
    ends: Vec<usize>,
}

impl Records {
    fn new(delimiter: u8) -> Self {
        Self { reader: ReaderBuilder::new().delimiter(delimiter).build(), fields: Vec::new(), ends: vec![0; 64] }
    }

    fn read(&mut self, line: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
        self.reader.reset();
        self.fields.resize(line.len().max(1), 0);
        let (mut input, mut written, mut ended) = (line, 0, 0);
        loop {
            let (result, read, wrote, ends) =
                self.reader.read_record(input, &mut self.fields[written..], &mut self.ends[ended..]);
            (input, written, ended) = (&input[read..], written + wrote, ended + ends);
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break,
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                // The next call, without input, says that the line has ended.
                ReadRecordResult::InputEmpty => {}
            }
        }
        let fields = &self.fields[..written];
        let mut start = 0;
        self.ends[..ended].iter().map(move |end| latin1_or_utf8(&fields[std::mem::replace(&mut start, *end)..*end]))
    }
}

/// Text that is no UTF-8 is taken for Latin-1, which every sequence of bytes is.
fn latin1_or_utf8(field: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(field) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(field.iter().map(|byte| char::from(*byte)).collect()),
    }
}

#[cfg(test)]
mod tests;
