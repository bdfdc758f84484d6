//! Rules for people: one line each where there is room, two where there is less, or everything about some.

use std::fmt::Write as _;
use std::path::Path;

use console::{Alignment, measure_text_width, pad_str, truncate_str};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;
use watchkeeper_core::{Severity, Unit};

use super::{CostOfRule, Listed};

/// Where it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns of the terminal; `None`: no terminal, nothing is cut.
    pub width: Option<usize>,
    /// With colours.
    pub colour: bool,
}

/// From so many columns on a rule has one line.
const WIDE: usize = 120;
/// Columns of an id: as many as it takes within these.
const SHORTEST_ID: usize = 20;
const LONGEST_ID: usize = 64;
/// Columns of the place.
const LONGEST_FROM: usize = 24;
const SHORTEST_FROM: usize = 13;
/// The longest text that is shown in full.
const LONGEST_TEXT: usize = 2_000;
/// Between two columns.
const GAP: &str = "  ";

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";

impl Look {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !code.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A cell with the colour of its text.
struct Cell {
    text: String,
    code: &'static str,
}

impl Cell {
    fn width(&self) -> usize {
        measure_text_width(&self.text)
    }
}

/// All rules as a table.
pub fn table(rules: &[Listed], look: Look) -> String {
    let is_wide = look.width.is_none_or(|width| width >= WIDE);
    let mut heads = vec!["RULE", "STATE", "SEVERITY", "EACH", "FOR", "FROM"];
    if is_wide {
        heads.push("COST");
    }
    let mut rows: Vec<Vec<Cell>> = vec![heads.iter().map(|head| cell(head, BOLD)).collect()];
    rows.extend(rules.iter().map(|rule| cells(rule, is_wide)));
    fit(&mut rows, look.width.filter(|_| !is_wide));
    let widths: Vec<usize> =
        (0..heads.len()).map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0)).collect();
    let used: usize = widths.iter().map(|width| width + GAP.len()).sum();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let pad = " ".repeat(width - cell.width());
            let _ = write!(line, "{}{pad}{GAP}", look.paint(cell.code, &cell.text));
        }
        let rule = index.checked_sub(1).map(|index| &rules[index]);
        let condition = rule.map(|rule| clean(&rule.condition_in_line(), LONGEST_TEXT));
        match condition {
            None if is_wide => line.push_str(&look.paint(BOLD, "CONDITION")),
            None => {}
            Some(condition) if is_wide => {
                line.push_str(&cut(&condition, look.width.map(|width| width.saturating_sub(used))));
            }
            Some(condition) => {
                // With what it costs at the end of the line.
                let cost = rule.map_or(String::new(), |rule| rule.cost.short());
                let width = look.width.unwrap_or(WIDE).saturating_sub(2 * GAP.len() + cost.len());
                let condition = pad_str(&condition, width, Alignment::Left, Some("…")).into_owned();
                line.truncate(line.trim_end().len());
                let _ = write!(line, "\n{GAP}{condition}{GAP}{}", look.paint(DIM, &cost));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&raised(rules));
    text
}

/// Shortens ids and places, so that the rows fit into a narrow terminal.
fn fit(rows: &mut [Vec<Cell>], width: Option<usize>) {
    const ID: usize = 0;
    const FROM: usize = 5;
    let widest = |rows: &[Vec<Cell>], column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let middle: usize = (ID + 1..FROM).map(|column| widest(rows, column) + GAP.len()).sum();
    let room = width.map(|width| width.saturating_sub(middle + GAP.len()));
    let from = widest(rows, FROM).min(LONGEST_FROM);
    let from = room.map_or(from, |room| from.min(room.saturating_sub(widest(rows, ID)).max(SHORTEST_FROM)));
    let id = room.map_or(LONGEST_ID, |room| room.saturating_sub(from).max(SHORTEST_ID));
    for row in rows {
        row[ID].text = cut(&row[ID].text, Some(id));
        row[FROM].text = end_of(&row[FROM].text, from);
    }
}

/// The cells of a rule, without its condition.
fn cells(rule: &Listed, with_cost: bool) -> Vec<Cell> {
    let state = if rule.state == "on" { GREEN } else { DIM };
    let hold = if rule.asked_for_ms.is_some() { format!("{}*", rule.hold()) } else { rule.hold() };
    let mut cells = vec![
        cell(&clean(&rule.id, 100), BOLD),
        cell(rule.state, state),
        cell(rule.severity.word(), severity_code(rule.severity)),
        cell(rule.each, ""),
        cell(&hold, ""),
        cell(&clean(&rule.place_in_short(), 500), DIM),
    ];
    if with_cost {
        cells.push(cell(&rule.cost.short(), DIM));
    }
    cells
}

fn cell(text: &str, code: &'static str) -> Cell {
    Cell { text: text.to_owned(), code }
}

fn severity_code(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "36",
        Severity::Warning => "33",
        Severity::Critical => "31",
    }
}

/// The beginning of a text, as much as there is room for.
fn cut(text: &str, room: Option<usize>) -> String {
    room.map_or(text.to_owned(), |room| truncate_str(text, room, "…").into_owned())
}

/// The end of a text, which tells more of a path.
fn end_of(text: &str, room: usize) -> String {
    if measure_text_width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars().rev() {
        if measure_text_width(&kept) + measure_text_width(c.encode_utf8(&mut [0; 4])) + 1 > room {
            break;
        }
        kept.insert(0, c);
    }
    format!("…{kept}")
}

/// The explanation of the stars.
fn raised(rules: &[Listed]) -> String {
    let mut text = String::new();
    for rule in rules {
        if let Some(sentence) = rule.raised() {
            let _ = writeln!(text, "* {}: {sentence}", clean(&rule.id, LONGEST_ID));
        }
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// Everything about some rules.
pub fn in_full(rules: &[Listed], look: Look) -> String {
    let width = look.width.unwrap_or(WIDE).clamp(40, WIDE);
    let texts: Vec<String> = rules.iter().map(|rule| full(rule, look, width)).collect();
    texts.join("\n")
}

const NAME_WIDTH: usize = 10;

fn full(rule: &Listed, look: Look, width: usize) -> String {
    let title = rule.title.as_ref().map_or(String::new(), |title| format!(": {}", clean(title, 200)));
    let mut text = format!("{}{title}\n", look.paint(BOLD, &clean(&rule.id, 100)));
    let mut line = |name: &str, value: &str, code: &str| {
        for (index, part) in wrapped(value, width - NAME_WIDTH - 2 * GAP.len()).iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let _ = writeln!(
                text,
                "{GAP}{}{GAP}{}",
                look.paint(DIM, &format!("{name:NAME_WIDTH$}")),
                look.paint(code, part)
            );
        }
    };
    let why = rule.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
    line("state", &format!("{}{why}", rule.state), "");
    line("from", &clean(&rule.place(), 500), "");
    line("severity", rule.severity.word(), severity_code(rule.severity));
    line("each", rule.each, "");
    line(if rule.expect.is_some() { "expect" } else { "when" }, &clean(&rule.condition(), 10_000), BOLD);
    line("for", &rule.raised().unwrap_or_else(|| rule.hold()), "");
    let otherwise = if rule.expect.is_some() { "all is as expected" } else { "the condition does not hold" };
    let clear = rule.clear.as_ref().map_or(otherwise.to_owned(), |clear| clean(clear, 10_000));
    let keep = Span::from_ms(rule.keep_firing_ms);
    line("over when", &if rule.keep_firing_ms == 0 { clear } else { format!("{clear}, for {keep}") }, "");
    for (index, (name, value)) in rule.labels.iter().enumerate() {
        line(if index == 0 { "labels" } else { "" }, &clean(&format!("{name} = {value}"), 300), "");
    }
    for (index, part) in rule.summary.iter().flat_map(|summary| summary.trim_end().lines()).enumerate() {
        line(if index == 0 { "summary" } else { "" }, &clean(part, LONGEST_TEXT), "");
    }
    if let Some(runbook) = &rule.runbook {
        line("runbook", &clean(runbook, LONGEST_TEXT), "");
    }
    // What is expected is asked of every process.
    let each = if rule.expect.is_some() { "process" } else { rule.each };
    line("cost", &rule.cost.sentence(each), "");
    text
}

/// Lines of at most `width` columns; broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| measure_text_width(line));
        if last > 0 && last + 1 + measure_text_width(word) > width {
            lines.push(word.to_owned());
        } else if let Some(line) = lines.last_mut() {
            if last > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

impl Listed {
    /// The condition, or that something is expected.
    fn condition_in_line(&self) -> String {
        format!("{}{}", if self.expect.is_some() { "expects " } else { "" }, self.condition())
    }

    /// Where it was written, in few letters.
    fn place_in_short(&self) -> String {
        match (self.file.as_ref().and_then(|file| Path::new(file).file_name()), self.line) {
            (Some(name), Some(line)) => format!("{}:{line}", name.to_string_lossy()),
            _ => self.place(),
        }
    }

    /// Where it was written.
    fn place(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ if self.shipped => "shipped".to_owned(),
            _ => "your own".to_owned(),
        }
    }

    /// That `for` was raised, and why.
    fn raised(&self) -> Option<String> {
        let asked = Span::from_ms(self.asked_for_ms?);
        let interval = Span::from_ms(self.interval_ms);
        Some(format!("{}, raised from {asked}: three intervals of {interval}", self.hold()))
    }
}

impl CostOfRule {
    /// For a cell.
    fn short(self) -> String {
        let time = time(self.nanoseconds);
        if self.bytes == 0 { time } else { format!("{time}, {}", Unit::Bytes.show(self.bytes as f64)) }
    }

    fn sentence(self, each: &str) -> String {
        let memory = match self.bytes {
            0 => "no memory".to_owned(),
            bytes => Unit::Bytes.show(bytes as f64).to_string(),
        };
        let each = if each == "host" { "this host".to_owned() } else { format!("each {each}") };
        format!("about {} a look and {memory} for {each}", time(self.nanoseconds))
    }
}

/// A length of time far below a second.
fn time(nanoseconds: u64) -> String {
    match nanoseconds {
        0..=999 => format!("{nanoseconds} ns"),
        _ => format!("{:.1} us", nanoseconds as f64 / 1_000.0),
    }
}
