//! The detector's log, `system_log.csv`: one line a look, in the shape that the file already has.
//!
//! A new file gets the columns of the scripts that came before, then ours:
//! `Timestamp,CPU Usage (%),Memory Usage (%),Status,Score,Culprit`. A file that exists is continued as it is: its titles,
//! their order, its delimiter, decimal mark and line ends stay. What has no title in it is left out.

mod layout;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use self::layout::Layout;
use crate::table::delimited::has_open_quote;

/// Lines that wait while the file cannot be written; then the oldest are lost.
const MOST_WAITING: usize = 1_000;
/// How much of a file is read to know its titles and its numbers.
const HEAD_BYTES: u64 = 64 << 10;
/// How much of its end is looked through for a quote that was left open.
const TAIL_BYTES: u64 = 4 << 10;

/// A log of states that is appended to.
///
/// The file is opened for each line, so that it can be moved away, removed or opened in a spreadsheet program meanwhile: a
/// removed one is begun anew, with its titles.
#[derive(Debug)]
pub struct StatusLog {
    path: PathBuf,
    zone: TimeZone,
    known: Option<Known>,
    waiting: VecDeque<Line>,
}

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatusLine<'a> {
    /// When, milliseconds UTC.
    pub ts_ms: i64,
    /// CPU usage, percent. `None`: unknown, an empty cell.
    pub cpu_percent: Option<f64>,
    /// Memory usage, percent. `None`: unknown, an empty cell.
    pub memory_percent: Option<f64>,
    /// What was decided, such as `Normal`.
    pub status: &'a str,
    /// How strange it was, 0 to 1. `None`: not scored, an empty cell.
    pub score: Option<f64>,
    /// Who did it; empty when nobody did. Foreign text: it is cleaned, and what a spreadsheet would take for a formula gets an
    /// apostrophe in front.
    pub culprit: &'a str,
}

/// Why a line is not in the log. The text is a sentence.
#[derive(Debug, thiserror::Error)]
pub enum StatusLogError {
    /// The file cannot be opened, read or written. Lines are kept and written with the next one.
    #[error("cannot write {}: {source}{}", path.display(), waiting_words(*.waiting))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// Lines that wait to be written.
        waiting: usize,
    },
    /// The file is something else, and is left alone.
    #[error("{} {what}, and is left as it is: name another file with --log", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
}

/// A file as this log left it.
#[derive(Debug)]
struct Known {
    layout: Layout,
    len_bytes: u64,
}

/// A line that is kept.
#[derive(Debug)]
struct Line {
    ts_ms: i64,
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    status: String,
    score: Option<f64>,
    culprit: String,
}

impl StatusLog {
    /// Opens a log, or begins one with its titles; local times are those of `zone`. An existing file of another kind is
    /// refused, so that nobody loses it.
    pub fn open(path: &Path, zone: &TimeZone) -> Result<Self, StatusLogError> {
        let mut log = Self { path: path.to_owned(), zone: zone.clone(), known: None, waiting: VecDeque::new() };
        log.write_waiting()?;
        Ok(log)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line. After an error the line waits (up to 1,000 do) and is written with the next one.
    pub fn append(&mut self, line: &StatusLine<'_>) -> Result<(), StatusLogError> {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Line {
            ts_ms: line.ts_ms,
            cpu_percent: line.cpu_percent,
            memory_percent: line.memory_percent,
            status: line.status.to_owned(),
            score: line.score,
            culprit: line.culprit.to_owned(),
        });
        self.write_waiting()
    }

    fn write_waiting(&mut self) -> Result<(), StatusLogError> {
        if self.path.is_dir() {
            return Err(StatusLogError::Foreign { path: self.path.clone(), what: "is a folder".to_owned() });
        }
        let (path, waiting) = (self.path.clone(), self.waiting.len());
        let failed = |source| StatusLogError::Write { path: path.clone(), source, waiting };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let len_bytes = metadata.len();
        let mut bytes = Vec::new();
        let known = match self.known.take() {
            Some(known) if known.len_bytes == len_bytes || !metadata.is_file() => known,
            _ if len_bytes == 0 => {
                let layout = Layout::of_new_file();
                bytes.extend(layout.titles());
                Known { layout, len_bytes }
            }
            _ => {
                let head = read_part(&mut file, 0, HEAD_BYTES).map_err(failed)?;
                let layout =
                    Layout::of_existing(&head).map_err(|what| StatusLogError::Foreign { path: path.clone(), what })?;
                let tail = read_part(&mut file, len_bytes.saturating_sub(TAIL_BYTES), TAIL_BYTES).map_err(failed)?;
                bytes.extend(layout.end_of(cut_line(&tail)));
                Known { layout, len_bytes }
            }
        };
        for line in &self.waiting {
            bytes.extend(known.layout.line(line, &self.zone));
        }
        if let Err(source) = file.write_all(&bytes) {
            // Half a line would stand there for ever; where it cannot be taken back, the next one begins on a line of its own.
            let _ = file.set_len(len_bytes);
            return Err(failed(source));
        }
        self.waiting.clear();
        self.known = Some(Known { layout: known.layout, len_bytes: len_bytes + bytes.len() as u64 });
        Ok(())
    }
}

/// What follows the last line's end.
fn cut_line(tail: &[u8]) -> &[u8] {
    &tail[tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)..]
}

fn read_part(file: &mut File, from: u64, at_most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take(at_most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn waiting_words(waiting: usize) -> String {
    match waiting {
        0 => String::new(),
        1 => "; the line is kept and written with the next one".to_owned(),
        MOST_WAITING.. => format!("; the last {MOST_WAITING} lines are kept, older ones are lost"),
        count => format!("; {count} lines are kept and written with the next one"),
    }
}

impl Layout {
    /// What ends a line that was cut: the quote that is open in it, and the end of the line.
    fn end_of(&self, cut: &[u8]) -> Vec<u8> {
        let quote: &[u8] = if has_open_quote(cut) { b"\"" } else { b"" };
        let line_end: &[u8] = if cut.is_empty() { b"" } else { self.line_end() };
        [quote, line_end].concat()
    }
}

#[cfg(test)]
mod tests;
