//! Mistakes in a configuration, shown the way compilers do: what is wrong, where, the line, how to mend it.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write as _};
use std::ops::Range;

use serde::Serialize;
use watchkeeper_core::text::clean;

use super::mask::{self, HIDDEN};
use super::shape::Shape;
use super::source_map::SourceMap;

/// One mistake, not yet made safe for display.
#[derive(Clone)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Where it was written.
    pub span: Option<Range<usize>>,
    /// The key, dotted.
    pub key: Option<String>,
    /// How to mend it.
    pub help: Option<String>,
    /// Where the same was written before.
    pub first: Option<Range<usize>>,
}

impl Diagnostic {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, key: None, help: None, first: None }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// The same with its key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with a sentence on how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong with a configuration, ready for display: without secrets and control characters.
///
/// `Display` gives the whole report, each line ended. A program that cannot use its configuration ends with code 2.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigError {
    #[serde(rename = "problems")]
    reports: Vec<Report>,
    /// Mistakes beyond those that are shown.
    more: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Report {
    message: String,
    #[serde(flatten)]
    place: Option<Place>,
    /// Where the same was written before: file, line and column.
    first: Option<String>,
    key: Option<String>,
    help: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Place {
    /// The file, variable or flag.
    #[serde(rename = "in")]
    name: String,
    /// Number of the line and column in it, both from 1; a single value has none.
    #[serde(flatten)]
    position: Option<Position>,
    #[serde(skip)]
    text: String,
    /// Columns of the carets, from 0.
    #[serde(skip)]
    caret: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Position {
    line: usize,
    column: usize,
}

impl ConfigError {
    /// An error that belongs to no place in a text.
    pub fn sentence(message: impl AsRef<str>, help: Option<String>) -> Self {
        let help = help.map(|help| clean(&help, LONGEST_MESSAGE));
        let message = clean(message.as_ref(), LONGEST_MESSAGE);
        Self { reports: vec![Report { message, place: None, first: None, key: None, help }], more: 0 }
    }

    /// Renders mistakes in the order of their places.
    pub fn render(mut diagnostics: Vec<Diagnostic>, map: &SourceMap, shape: &Shape) -> Self {
        diagnostics.sort_by_key(|d| d.span.as_ref().map_or((usize::MAX, 0), |span| (span.start, span.end)));
        let renderer = Renderer::new(map, shape);
        let mut reports: Vec<Report> = Vec::new();
        let mut more = 0;
        for diagnostic in &diagnostics {
            if reports.len() == MOST_REPORTS {
                more += 1;
                continue;
            }
            let report = renderer.report(diagnostic);
            if !reports.contains(&report) {
                reports.push(report);
            }
        }
        Self { reports, more }
    }

    /// The first mistake and its place in one line, and how many more there are.
    pub fn summary(&self) -> String {
        let Some(first) = self.reports.first() else { return String::new() };
        let place = first.place.as_ref().map_or(String::new(), |place| format!(" ({})", place.position()));
        let more = match self.reports.len() - 1 + self.more {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        format!("{}{place}{more}", first.message)
    }

    /// The whole report, with colours if asked for.
    pub fn text(&self, colour: bool) -> String {
        let paint = if colour { Paint::ON } else { Paint::OFF };
        let reports: Vec<String> = self.reports.iter().map(|report| report.text(&paint)).collect();
        let mut text = reports.join("\n");
        if self.more > 0 {
            let _ = write!(text, "\nand {} more\n", self.more);
        }
        text
    }

    /// Writes the report to standard error, in colour if that is a terminal and `NO_COLOR` does not forbid it.
    pub fn print(&self) {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let text = self.text(std::io::stderr().is_terminal() && !forbidden);
        // Nobody reading there is no reason to fail in another way.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(false))
    }
}

impl std::error::Error for ConfigError {}

struct Paint {
    red: &'static str,
    blue: &'static str,
    bold: &'static str,
    off: &'static str,
}

impl Paint {
    const ON: Self = Self { red: "\u{1b}[1;31m", blue: "\u{1b}[1;34m", bold: "\u{1b}[1m", off: "\u{1b}[0m" };
    const OFF: Self = Self { red: "", blue: "", bold: "", off: "" };
}

impl Place {
    /// File, line and column.
    fn position(&self) -> String {
        match self.position {
            Some(Position { line, column }) => format!("{}:{line}:{column}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Report {
    fn text(&self, paint: &Paint) -> String {
        let Paint { red, blue, bold, off } = paint;
        let mut text = format!("{red}error{off}{bold}: {}{off}\n", self.message);
        let number = self.place.as_ref().and_then(|place| place.position).map(|position| position.line.to_string());
        let number = number.unwrap_or_default();
        let width = number.len().max(1);
        let gutter = format!("{:width$} {blue}", "");
        if let Some(place) = &self.place {
            let _ = writeln!(text, "{:width$}{blue}-->{off} {}", "", place.position());
            let _ = writeln!(text, "{gutter}|{off}");
            text += format!("{blue}{number:>width$} |{off} {}", place.text).trim_end();
            text += "\n";
            let carets = "^".repeat(place.caret.len().max(1));
            let _ = writeln!(text, "{gutter}|{off} {}{red}{carets}{off}", " ".repeat(place.caret.start));
        }
        for (name, value) in [("first", &self.first), ("key", &self.key), ("help", &self.help)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{gutter}={off} {name}: {value}");
            }
        }
        text
    }
}

/// Mistakes that are shown; a file that is no configuration at all has thousands.
const MOST_REPORTS: usize = 50;
const LONGEST_MESSAGE: usize = 500;
/// Characters of a source line that are shown.
const WIDEST: usize = 110;

struct Renderer<'a> {
    map: &'a SourceMap,
    /// Hidden ranges of each text, in the order of the map.
    hidden: Vec<Vec<Range<usize>>>,
    secrets: Vec<String>,
}

impl<'a> Renderer<'a> {
    fn new(map: &'a SourceMap, shape: &Shape) -> Self {
        let mut hidden = Vec::new();
        let mut secrets = Vec::new();
        for source in map.sources() {
            let ranges = mask::hidden_ranges(&source.text, &source.path, shape);
            secrets.extend(mask::hidden_texts(&source.text, &ranges));
            hidden.push(ranges);
        }
        secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { map, hidden, secrets }
    }

    fn report(&self, diagnostic: &Diagnostic) -> Report {
        let place = diagnostic.span.as_ref().and_then(|span| self.place(span));
        Report {
            message: self.safe(&diagnostic.message),
            place,
            first: diagnostic.first.as_ref().and_then(|span| self.place(span)).map(|place| place.position()),
            key: diagnostic.key.as_deref().filter(|key| !key.is_empty()).map(|key| self.safe(key)),
            help: diagnostic.help.as_deref().map(|help| self.safe(help)),
        }
    }

    /// Without control characters and without the secrets that stand in the texts.
    fn safe(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for secret in &self.secrets {
            if message.contains(secret.as_str()) {
                message = message.replace(secret.as_str(), HIDDEN);
            }
        }
        clean(&message, LONGEST_MESSAGE)
    }

    fn place(&self, span: &Range<usize>) -> Option<Place> {
        let (source, local) = self.map.local(span)?;
        let number = self.map.sources().partition_point(|s| s.range().start < source.range().start);
        let hidden = self.hidden.get(number).map_or(&[][..], Vec::as_slice);
        let text = source.text.as_str();
        let start = floor(text, local.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, local.end).clamp(start, line_end);
        let line = Line::new(text, line_start..line_end, hidden);
        let mut caret = line.column(start)..line.column(end);
        if end < floor(text, local.end) {
            // Goes on in the next line: to the end of what is seen here.
            caret.end = line.text.trim_end().chars().count().max(caret.start);
        }
        let column = text[line_start..start].chars().count() + 1;
        let position = source.origin.is_file().then(|| Position { line: source.line(line_start), column });
        let (text, caret) = line.window(caret);
        Some(Place { name: clean(&source.origin.to_string(), LONGEST_MESSAGE), position, text, caret })
    }
}

/// A line as it is shown, and which column each byte of the source has there.
struct Line {
    text: String,
    columns: Vec<(usize, usize)>,
}

impl Line {
    fn new(source: &str, range: Range<usize>, hidden: &[Range<usize>]) -> Self {
        let mut line = Self { text: String::new(), columns: Vec::new() };
        let mut column = 0;
        let mut covered = None;
        for (offset, c) in source[range.clone()].char_indices() {
            let at = range.start + offset;
            line.columns.push((at, column));
            let number = hidden.partition_point(|range| range.end <= at);
            let number = hidden.get(number).filter(|range| range.contains(&at)).map(|_| number);
            let piece = match number {
                // One mask for a hidden range, whatever its length.
                Some(number) if covered == Some(number) => continue,
                Some(number) => {
                    covered = Some(number);
                    if c == '"' || c == '\'' { format!("{c}{HIDDEN}{c}") } else { HIDDEN.to_owned() }
                }
                None if c == '\r' => continue,
                None => clean(c.encode_utf8(&mut [0; 4]), 1),
            };
            column += piece.chars().count();
            line.text.push_str(&piece);
        }
        line.columns.push((range.end, column));
        line
    }

    /// The column where the character at this byte begins.
    fn column(&self, offset: usize) -> usize {
        let after = self.columns.partition_point(|(at, _)| *at < offset);
        self.columns.get(after).or(self.columns.last()).map_or(0, |(_, column)| *column)
    }

    /// A part of the line around the carets that fits on a screen.
    fn window(&self, caret: Range<usize>) -> (String, Range<usize>) {
        let length = self.text.chars().count();
        if length <= WIDEST {
            return (self.text.clone(), caret);
        }
        let from = caret.start.saturating_sub(WIDEST / 2).min(length - WIDEST);
        let mut text: String = self.text.chars().skip(from).take(WIDEST).collect();
        let mut shift = 0;
        if from > 0 {
            text.insert(0, '…');
            shift = 1;
        }
        if from + WIDEST < length {
            text.push('…');
        }
        let start = caret.start - from + shift;
        (text, start..(caret.end - from + shift).min(WIDEST + shift).max(start))
    }
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
