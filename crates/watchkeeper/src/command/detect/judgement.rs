//! One look, judged by a model: what it is made of, how strange it is, what drives it, who did it.

use watchkeeper_core::Snapshot;
use watchkeeper_detect::{Model, Reason, ScoreError, Verdict};
use watchkeeper_report::{Column, Row, column};

use super::culprit::{self, RankedBy, Taker};

/// One look with its judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// End of the interval, milliseconds UTC.
    pub ts_ms: i64,
    /// Length of the interval, milliseconds.
    pub interval_ms: i64,
    /// CPU in percent; `None`: unknown.
    pub cpu_percent: Option<f64>,
    /// Memory in percent; `None`: unknown.
    pub memory_percent: Option<f64>,
    /// The columns that the model judges by, with their values.
    pub features: Vec<(&'static str, Option<f64>)>,
    /// What the model says; `None` when a feature is unknown.
    pub verdict: Option<Verdict>,
    /// What the processes are ordered by.
    pub ranked_by: RankedBy,
    /// The processes that take most.
    pub processes: Vec<Taker>,
}

/// What a look is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As learned.
    Normal,
    /// Above the threshold.
    Anomaly,
    /// A feature could not be read.
    Unknown,
}

impl Status {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Anomaly => "anomaly",
            Self::Unknown => "unknown",
        }
    }

    /// The words for people and for the log: those of the script.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Anomaly => "ANOMALY DETECTED",
            Self::Unknown => "unknown",
        }
    }
}

impl Judgement {
    /// Judges a look by the features of the model, which are these columns. What cannot be read is unknown, and then there is
    /// no verdict.
    pub fn of(snapshot: &Snapshot, model: &Model, columns: &[&'static Column], top: usize) -> Result<Self, ScoreError> {
        let row = Row::of(snapshot);
        let features: Vec<(&'static str, Option<f64>)> =
            columns.iter().map(|column| (column.title, row.value(column.title))).collect();
        let known: Option<Vec<f64>> = features.iter().map(|(_, value)| *value).collect();
        let verdict = known.map(|known| model.judge(&known)).transpose()?;
        let driver = verdict.as_ref().filter(|verdict| verdict.is_anomaly).and_then(|verdict| verdict.reasons.first());
        let ranked_by = driver.and_then(|reason| column(&reason.feature)).map_or(RankedBy::Cpu, RankedBy::of);
        let memory_bytes = snapshot.host.memory.map(|memory| memory.total_bytes);
        // These two are first in every recording.
        let [cpu_percent, memory_percent] = [0, 1].map(|index| row.values.get(index).copied().flatten());
        Ok(Self {
            ts_ms: row.ts_ms,
            interval_ms: row.interval_ms,
            cpu_percent,
            memory_percent,
            features,
            verdict,
            ranked_by,
            processes: culprit::top(&row, memory_bytes, ranked_by, top.max(1)),
        })
    }

    /// What it is called.
    pub fn status(&self) -> Status {
        match &self.verdict {
            None => Status::Unknown,
            Some(verdict) if verdict.is_anomaly => Status::Anomaly,
            Some(_) => Status::Normal,
        }
    }

    /// Features that could not be read.
    pub fn unknown(&self) -> impl Iterator<Item = &'static str> {
        self.features.iter().filter(|(_, value)| value.is_none()).map(|(title, _)| *title)
    }

    /// What drives the anomaly, if it is one.
    pub fn driver(&self) -> Option<&Reason> {
        self.verdict.as_ref().filter(|verdict| verdict.is_anomaly)?.reasons.first()
    }

    /// The process that takes most of what drives the anomaly. Nobody has taken too little.
    pub fn culprit(&self) -> Option<&Taker> {
        self.driver().filter(|reason| reason.value >= reason.usual_low)?;
        self.processes.first()
    }
}
