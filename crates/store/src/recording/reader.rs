//! Reads a recording, line by line, in bounded memory whatever is in the file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use watchkeeper_core::text::clean;

use super::{
    FORMAT, LARGEST_WINDOW_LOG, LONGEST_LINE_BYTES, Mark, SnapshotFileEntry, SnapshotFileError, SnapshotFileHeader,
    VERSION,
};

/// Characters of a reason that are shown.
const LONGEST_REASON: usize = 300;
/// What every frame of zstd begins with.
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reads a recording; one that is still being written is read as far as it goes.
pub struct SnapshotFileReader {
    path: PathBuf,
    header: SnapshotFileHeader,
    lines: Lines,
    /// Lines that were read.
    line: u64,
    is_cut: bool,
}

type Lines = BufReader<zstd::Decoder<'static, BufReader<Box<dyn Read + Send>>>>;

/// What stands where a line is expected.
enum Line {
    Whole(Vec<u8>),
    Cut,
    End,
}

impl SnapshotFileReader {
    /// Opens a recording and reads its header.
    ///
    /// # Errors
    /// It cannot be read, is no recording, or is of a newer version.
    pub fn open(path: &Path) -> Result<Self, SnapshotFileError> {
        let failed = |error: &io::Error| SnapshotFileError::from_io("open", path, error);
        // A pipe without a writer would be waited for.
        if !std::fs::metadata(path).map_err(|error| failed(&error))?.is_file() {
            return Err(SnapshotFileError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(|error| failed(&error))?;
        Self::read(Box::new(file), path)
    }

    /// Reads a recording from anywhere; errors call it `path`.
    ///
    /// # Errors
    /// As for [`SnapshotFileReader::open`].
    pub fn read(bytes: Box<dyn Read + Send>, path: &Path) -> Result<Self, SnapshotFileError> {
        let foreign = |reason: &str| SnapshotFileError::Foreign { path: path.to_owned(), reason: reason.to_owned() };
        let failed = |error: &io::Error| SnapshotFileError::from_io("read", path, error);
        let mut bytes = BufReader::new(bytes);
        let begin = bytes.fill_buf().map_err(|error| failed(&error))?;
        if begin.is_empty() {
            return Err(foreign("it is empty"));
        }
        if !FRAME.starts_with(&begin[..begin.len().min(FRAME.len())]) {
            return Err(foreign("it is not compressed with zstd"));
        }
        let mut decoder = zstd::Decoder::with_buffer(bytes).map_err(|error| failed(&error))?;
        decoder.window_log_max(LARGEST_WINDOW_LOG).map_err(|error| failed(&error))?;
        let mut lines = BufReader::new(decoder);
        let first = match next_line(&mut lines).map_err(|error| damaged(path, 0, &error.to_string()))? {
            Line::Whole(line) => line,
            Line::Cut => return Err(foreign("it is cut within its first line")),
            Line::End => return Err(foreign("it is empty")),
        };
        let header = header(&first, path)?;
        Ok(Self { path: path.to_owned(), header, lines, line: 1, is_cut: false })
    }

    /// What it begins with.
    pub fn header(&self) -> &SnapshotFileHeader {
        &self.header
    }

    /// Whether the end is missing: the watch was killed, or still writes. Known once [`SnapshotFileReader::entry`] has
    /// answered `None`.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The next entry; `None` at the end, and where the rest is cut off.
    ///
    /// # Errors
    /// It is damaged here; nothing after it can be read.
    pub fn entry(&mut self) -> Result<Option<SnapshotFileEntry>, SnapshotFileError> {
        let line = next_line(&mut self.lines).map_err(|error| damaged(&self.path, self.line, &error.to_string()))?;
        match line {
            Line::Whole(line) => {
                let entry = serde_json::from_slice(&line);
                let entry = entry.map_err(|error| damaged(&self.path, self.line, &error.to_string()))?;
                self.line += 1;
                Ok(Some(entry))
            }
            Line::Cut => {
                self.is_cut = true;
                Ok(None)
            }
            Line::End => Ok(None),
        }
    }
}

fn damaged(path: &Path, line: u64, reason: &str) -> SnapshotFileError {
    // It repeats what it found, which anybody may have written.
    SnapshotFileError::Damaged { path: path.to_owned(), line, reason: clean(reason, LONGEST_REASON) }
}

fn header(line: &[u8], path: &Path) -> Result<SnapshotFileHeader, SnapshotFileError> {
    // The version comes first: of a newer one nothing else need be as it is now.
    let mark = serde_json::from_slice::<Mark>(line).ok().filter(|mark| mark.format == FORMAT);
    match mark {
        None => Err(SnapshotFileError::Foreign {
            path: path.to_owned(),
            reason: "its first line is not the header of one".to_owned(),
        }),
        Some(mark) if mark.version > VERSION => {
            Err(SnapshotFileError::Newer { path: path.to_owned(), found: mark.version })
        }
        Some(_) => {
            let header = serde_json::from_slice(line);
            header.map_err(|error| damaged(path, 0, &format!("its header cannot be understood: {error}")))
        }
    }
}

fn next_line(lines: &mut Lines) -> io::Result<Line> {
    let mut line = Vec::new();
    match lines.by_ref().take(LONGEST_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Line::Cut),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    if line.pop_if(|last| *last == b'\n').is_some() {
        Ok(Line::Whole(line))
    } else if line.len() > LONGEST_LINE_BYTES {
        Err(io::Error::other(format!("a line has more than {LONGEST_LINE_BYTES} bytes")))
    } else if line.is_empty() {
        Ok(Line::End)
    } else {
        Ok(Line::Cut)
    }
}
