//! A log made by hand, for tests.

use std::cell::RefCell;

use watchkeeper_core::incident::IncidentFilter;
use watchkeeper_core::port::{Coverage, Event, HistoryError, IncidentRecord, Point, ProcessPoint, Ranked};
use watchkeeper_core::{EntityKind, History, ProcessKey, Range, Series, Snapshot};

/// A log made by hand.
#[derive(Default)]
pub(crate) struct Log {
    /// The value of each minute.
    pub(crate) value: Option<fn(i64) -> Option<f64>>,
    /// All incidents; the range of a question is left to those who ask.
    pub(crate) incidents: Vec<IncidentRecord>,
    /// No question is answered.
    pub(crate) fails: bool,
    /// Questions about series that are answered before the deadline; all, if nothing is said.
    pub(crate) in_time: Option<usize>,
    /// The series that were asked for.
    pub(crate) asked: RefCell<Vec<(Series, Range)>>,
}

impl History for Log {
    fn coverage(&self, _: Range) -> Result<Coverage, HistoryError> {
        Ok(Coverage::default())
    }

    fn top(&self, _: Range, _: &str, _: EntityKind, _: usize) -> Result<Vec<Ranked>, HistoryError> {
        Ok(Vec::new())
    }

    fn process(&self, _: &ProcessKey, _: Range) -> Result<Vec<ProcessPoint>, HistoryError> {
        Ok(Vec::new())
    }

    fn series(&self, series: &Series, range: Range, step_ms: i64) -> Result<Vec<Point>, HistoryError> {
        self.asked.borrow_mut().push((series.clone(), range));
        if self.fails || self.in_time.is_some_and(|count| self.asked.borrow().len() > count) {
            return Err(HistoryError::Deadline);
        }
        let value = self.value.unwrap_or(|_| None);
        let steps = (range.from_ms..range.to_ms).step_by(usize::try_from(step_ms).unwrap());
        Ok(steps.map(|ts_ms| Point { ts_ms, mean: value(ts_ms), max: value(ts_ms) }).collect())
    }

    fn events(&self, _: Range) -> Result<Vec<Event>, HistoryError> {
        Ok(Vec::new())
    }

    fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<IncidentRecord>, HistoryError> {
        if self.fails {
            return Err(HistoryError::Deadline);
        }
        let wanted =
            |record: &&IncidentRecord| filter.cause.as_ref().is_none_or(|cause| record.incident.cause == *cause);
        Ok(self.incidents.iter().filter(wanted).cloned().collect())
    }

    fn snapshot(&self, _: i64) -> Result<Option<Snapshot>, HistoryError> {
        Ok(None)
    }
}
