//! Keeps the rows of a recording: on disk as they come, in memory while the disk takes none.

use std::collections::VecDeque;

use watchkeeper_report::{Row, Spool, SpoolError};

/// Rows that wait in memory for a disk that is full; the oldest go first.
const MOST_WAITING: usize = 1_000;

/// What rows are added to.
pub trait Disk {
    /// Adds a row. A row may be there although this failed: what was there already could not be made safe then.
    fn append(&mut self, row: &Row) -> Result<(), SpoolError>;
    /// Rows that are there.
    fn rows(&self) -> u64;
}

impl Disk for Spool {
    fn append(&mut self, row: &Row) -> Result<(), SpoolError> {
        Self::append(self, row)
    }

    fn rows(&self) -> u64 {
        Self::rows(self)
    }
}

/// The spool, and what it does not take.
#[derive(Debug)]
pub struct Keeper<D> {
    disk: D,
    waiting: VecDeque<Row>,
    lost: u64,
    trouble: Option<String>,
    last_error: Option<String>,
}

impl<D: Disk> Keeper<D> {
    /// Keeps rows in this spool.
    pub fn new(disk: D) -> Self {
        Self { disk, waiting: VecDeque::new(), lost: 0, trouble: None, last_error: None }
    }

    /// Keeps a row. Says what is wrong when that is new; what waits is tried again with the next row.
    pub fn keep(&mut self, row: Row) -> Option<String> {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(row);
        self.write()
    }

    /// Writes what waits. Says what is wrong when that is new.
    pub fn write(&mut self) -> Option<String> {
        while let Some(row) = self.waiting.front() {
            let before = self.disk.rows();
            let written = self.disk.append(row);
            if self.disk.rows() > before {
                self.waiting.pop_front();
            }
            if let Err(error) = written {
                return self.is_new(&error);
            }
        }
        self.trouble = None;
        None
    }

    fn is_new(&mut self, error: &SpoolError) -> Option<String> {
        // The sentence counts the rows on disk: only the kind of trouble says whether it is the same.
        let kind = match error {
            SpoolError::Full { .. } => "full".to_owned(),
            error => error.to_string(),
        };
        let is_new = self.trouble.as_ref() != Some(&kind);
        self.trouble = Some(kind);
        self.last_error = Some(error.to_string());
        self.last_error.clone().filter(|_| is_new)
    }

    /// Rows for which there was no room, neither on disk nor in memory.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// What was wrong last, if anything ever was.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The spool, to make the workbook from, and the rows that it still does not take.
    pub fn into_parts(mut self) -> (D, Vec<Row>) {
        self.write();
        (self.disk, self.waiting.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A disk with room for so many rows; what it took is known by its time.
    #[derive(Default)]
    struct Small {
        room: usize,
        taken: Vec<i64>,
        sync_fails: bool,
    }

    impl Disk for Small {
        fn append(&mut self, row: &Row) -> Result<(), SpoolError> {
            let full = || SpoolError::Full { path: PathBuf::from("spool"), kept: self.taken.len() as u64 };
            if self.taken.len() == self.room {
                return Err(full());
            }
            let answer = if self.sync_fails { Err(full()) } else { Ok(()) };
            self.taken.push(row.ts_ms);
            answer
        }

        fn rows(&self) -> u64 {
            self.taken.len() as u64
        }
    }

    fn row(ts_ms: i64) -> Row {
        Row { ts_ms, ..Row::default() }
    }

    #[test]
    fn rows_wait_for_room_and_a_full_disk_is_said_once() {
        let mut keeper = Keeper::new(Small { room: 2, ..Small::default() });
        let said: Vec<bool> = (0..5).map(|number| keeper.keep(row(number)).is_some()).collect();
        assert_eq!(said, [false, false, true, false, false]);
        assert_eq!((keeper.disk.rows(), keeper.waiting.len()), (2, 3));
        keeper.disk.room = 4;
        assert_eq!(keeper.write(), None, "it is still full, which was said");
        assert_eq!((keeper.disk.rows(), keeper.waiting.len()), (4, 1));
        keeper.disk.room = 6;
        assert_eq!(keeper.keep(row(5)), None);
        assert_eq!(keeper.waiting.len(), 0);
        assert!(keeper.keep(row(6)).is_some(), "it is full anew");
        assert!(keeper.last_error().is_some_and(|error| error.contains("no space is left")));
        let (disk, waiting) = keeper.into_parts();
        assert_eq!((disk.taken, waiting), (vec![0, 1, 2, 3, 4, 5], vec![row(6)]));
    }

    #[test]
    fn a_row_that_is_there_is_not_written_again() {
        let mut keeper = Keeper::new(Small { room: 9, sync_fails: true, ..Small::default() });
        assert!(keeper.keep(row(1)).is_some());
        keeper.disk.sync_fails = false;
        assert_eq!(keeper.keep(row(2)), None);
        assert_eq!(keeper.into_parts().0.taken, [1, 2]);
    }

    #[test]
    fn memory_is_limited_and_what_it_costs_is_counted() {
        let mut keeper = Keeper::new(Small::default());
        for number in 0..MOST_WAITING as i64 + 7 {
            keeper.keep(row(number));
        }
        assert_eq!((keeper.waiting.len(), keeper.lost()), (MOST_WAITING, 7));
        keeper.disk.room = usize::MAX;
        let (disk, waiting) = keeper.into_parts();
        assert_eq!((disk.taken[0], waiting.len()), (7, 0), "the oldest went first, and what waits is tried once more");
    }
}
