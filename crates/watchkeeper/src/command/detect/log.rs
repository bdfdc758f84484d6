//! The log of looks: a disk that is full is no reason to stop looking, and at the end it is said what is missing.

use std::path::Path;

use jiff::tz::TimeZone;
use watchkeeper_report::{StatusLine, StatusLog, StatusLogError};

use super::judgement::Judgement;
use crate::cli::{DONE, FAILED};
use crate::command::{complain, note, warn};

/// The log, and what it lacks.
pub struct Log {
    file: StatusLog,
    /// Looks that wait to be written.
    waiting: usize,
    /// Looks that waited too long.
    lost: usize,
}

impl Log {
    /// Opens it. What cannot be written now is refused, before anybody waits for an answer.
    pub fn open(path: &Path, zone: &TimeZone) -> Result<Self, StatusLogError> {
        Ok(Self { file: StatusLog::open(path, zone)?, waiting: 0, lost: 0 })
    }

    /// Appends a look. That it cannot be written is said once, and once that it can be again.
    pub fn append(&mut self, judgement: &Judgement) {
        let culprit = judgement.culprit().map_or(String::new(), super::culprit::Taker::shown_name);
        let was_waiting = self.waiting > 0;
        let result = self.file.append(&StatusLine {
            ts_ms: judgement.ts_ms,
            cpu_percent: judgement.cpu_percent,
            memory_percent: judgement.memory_percent,
            status: judgement.status().shown(),
            score: judgement.verdict.as_ref().map(|verdict| verdict.score),
            culprit: &culprit,
        });
        self.waiting += 1;
        match result {
            Ok(()) => {
                self.waiting = 0;
                if was_waiting {
                    note(&format!("{} is written again", crate::model_file::shown(self.file.path())));
                }
            }
            Err(error) => {
                if let StatusLogError::Write { waiting, .. } = error {
                    self.lost += self.waiting.saturating_sub(waiting);
                    self.waiting = waiting;
                }
                if !was_waiting {
                    warn(&error.to_string());
                }
            }
        }
    }

    /// The exit code: failed when looks are missing.
    pub fn end(&self) -> u8 {
        let missing = self.lost + self.waiting;
        if missing == 0 {
            return DONE;
        }
        let looks = if missing == 1 { "1 look is".to_owned() } else { format!("{missing} looks are") };
        complain(&format!("{looks} missing from {}", crate::model_file::shown(self.file.path())));
        FAILED
    }
}
