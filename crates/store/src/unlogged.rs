//! What takes the place of the log where none is wanted: nothing is written, and days of before go when they are too old.

use std::path::PathBuf;

use watchkeeper_core::port::RecordError;
use watchkeeper_core::quantity::{Size, Span};
use watchkeeper_core::snapshot::TickFlags;
use watchkeeper_core::{Recorder, Snapshot};

use crate::hot;
use crate::hot::day::Day;

/// Time between two looks for old days, milliseconds.
const CLEAN_UP_MS: i64 = 600_000;

/// Takes ticks and keeps none of them.
pub struct Unlogged {
    log: PathBuf,
    keep: Span,
    max_disk: Size,
    /// Monotonic time of the last look for old days.
    looked_ms: Option<i64>,
}

impl Unlogged {
    pub(crate) fn new(log: PathBuf, keep: Span, max_disk: Size) -> Self {
        Self { log, keep, max_disk, looked_ms: None }
    }
}

impl Recorder for Unlogged {
    /// Deletes old days now and then; not right after the start or when the clock was just set, for it may be wrong by years.
    fn record(&mut self, snapshot: &Snapshot) -> Result<(), RecordError> {
        let at = snapshot.at;
        let looked_ms = *self.looked_ms.get_or_insert(at.mono_ms);
        if at.mono_ms - looked_ms < CLEAN_UP_MS || snapshot.flags.has(TickFlags::CLOCK_STEP) {
            return Ok(());
        }
        self.looked_ms = Some(at.mono_ms);
        match hot::enforce(&self.log, self.keep, self.max_disk, Some(Day::of(at.ts_ms)), at.ts_ms) {
            Ok(enforced) => {
                for found in enforced.deleted {
                    tracing::info!(path = %found.path.display(), "deleted a day of the log");
                }
                for (found, error) in enforced.refused {
                    tracing::warn!(path = %found.path.display(), %error, "cannot delete a day of the log now");
                }
            }
            Err(error) => tracing::warn!(path = %self.log.display(), %error, "cannot delete old days of the log"),
        }
        Ok(())
    }

    fn note_dropped(&mut self, _from_ms: i64, _to_ms: i64, _ticks: u32) -> Result<(), RecordError> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use watchkeeper_core::{BootId, Moment};

    #[test]
    fn days_of_before_go_when_they_are_too_old_and_none_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2026-11-17.db", "2026-11-18.db", "2026-11-19.db", "2026-11-20.db", "notes"] {
            fs::write(folder.path().join(name), [0; 1_000]).unwrap();
        }
        let keep = Span::from_secs(86_400);
        let mut unlogged = Unlogged::new(folder.path().to_owned(), keep, Size::from_bytes(1 << 30));
        // 2026-11-20 10:00 UTC.
        let mut after = |ms: i64, flags: u32| {
            let at = Moment { ts_ms: 1_795_168_800_000 + ms, mono_ms: ms, suspended_ms: 0, boot: BootId::default() };
            let snapshot = Snapshot { flags: TickFlags(flags), ..Snapshot::unknown(at, 1_000) };
            unlogged.record(&snapshot).unwrap();
            let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names.len()
        };
        assert_eq!(after(0, TickFlags::FIRST_LOOK), 5);
        assert_eq!(after(CLEAN_UP_MS - 1, 0), 5);
        assert_eq!(after(CLEAN_UP_MS, TickFlags::CLOCK_STEP), 5, "the clock may be wrong by years");
        assert_eq!(after(CLEAN_UP_MS + 1, 0), 3, "the 17th and the 18th are over for more than a day");
        // Two days later nothing is left of the log, the file of the last day neither.
        assert_eq!(after(3 * 86_400_000, 0), 1);
    }
}
