//! Lines of a file that another part of the program may be appending to.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest line that is read; what is longer is damage. A row has this length with 400,000 processes at work.
const LONGEST_BYTES: u64 = 64 << 20;
const BUFFER_BYTES: usize = 64 << 10;

/// Reads line by line with a place of its own.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<Shared>,
    line: Vec<u8>,
    offset: u64,
}

/// One line without its end.
pub(super) struct Line<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether its end was there.
    pub(super) is_whole: bool,
}

impl Lines {
    /// Lines from this byte on.
    pub(super) fn at(file: Arc<Mutex<File>>, offset: u64) -> Self {
        let reader = BufReader::with_capacity(BUFFER_BYTES, Shared { file, offset });
        Self { reader, line: Vec::new(), offset }
    }

    /// Where the next line begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line; `None` at the end. Of a line that is too long only the beginning.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let taken = (&mut self.reader).take(LONGEST_BYTES).read_until(b'\n', &mut self.line)?;
        self.offset += taken as u64;
        let is_whole = self.line.pop_if(|last| *last == b'\n').is_some();
        if !is_whole && taken as u64 == LONGEST_BYTES {
            self.offset += self.reader.skip_until(b'\n')? as u64;
        }
        Ok((taken > 0).then_some(Line { bytes: &self.line, is_whole }))
    }
}

/// A place in a file that others read and write through the same handle: on Windows the lock is the handle's, and nobody
/// else may read.
#[derive(Debug)]
struct Shared {
    file: Arc<Mutex<File>>,
    offset: u64,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.offset))?;
        let count = file.read(buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}
