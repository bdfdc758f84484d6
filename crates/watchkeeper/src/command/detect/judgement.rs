//! One look, judged by a model: what it is made of, how strange it is, what drives it, who did it.

use watchkeeper_core::Snapshot;
use watchkeeper_detect::{Model, Reason, ScoreError, Verdict};
use watchkeeper_report::{Column, Row, column};

use super::culprit::{self, RankedBy, Taker};

/// A feature with less of the score than this is not named after the first.
pub const LEAST_SHARE: f64 = 0.05;

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
        let driver = verdict.as_ref().and_then(driver).and_then(|reason| column(&reason.feature));
        let ranked_by = driver.map_or(RankedBy::Cpu, RankedBy::of);
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

    /// The process that takes most of what there is too much of, at an anomaly.
    pub fn culprit(&self) -> Option<&Taker> {
        self.verdict.as_ref().and_then(driver)?;
        self.processes.first()
    }
}

/// What somebody can be behind at an anomaly: the first feature of which there is more than usual, else the first of all.
/// Nobody has taken too little of something.
fn driver(verdict: &Verdict) -> Option<&Reason> {
    let reasons = if verdict.is_anomaly { verdict.reasons.as_slice() } else { &[] };
    let more = reasons.iter().find(|reason| reason.value > reason.usual_high && reason.share >= LEAST_SHARE);
    more.or_else(|| reasons.first().filter(|reason| reason.value >= reason.usual_low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use watchkeeper_core::process::Image;
    use watchkeeper_core::reading::{CpuTimes, Memory, ProcessMemory};
    use watchkeeper_core::snapshot::{Process, ProcessCpu};
    use watchkeeper_core::{BootId, Moment, ProcessKey};
    use watchkeeper_detect::{ForestOptions, Training};

    /// Learned from CPU 5 to 10 % and memory 40 to 45 %.
    fn model() -> Model {
        let rows: Vec<f64> = (0..100)
            .flat_map(|row| [5.0 + f64::from(row * 37 % 50) / 10.0, 40.0 + f64::from(row * 11 % 50) / 10.0])
            .collect();
        let features = ["CPU Usage (%)".to_owned(), "Memory Usage (%)".to_owned()];
        let training =
            Training { features: &features, rows: &rows, at_ms: 0, source: "a.csv", interval_ms: Some(5_000) };
        Model::train(&training, &ForestOptions::default()).unwrap()
    }

    fn process(pid: u32, total_us: u64, resident_bytes: u64) -> Process {
        Process {
            key: ProcessKey { boot: BootId::default(), pid, start_ticks: 7 },
            parent: 1,
            image: Arc::new(Image { name: format!("p{pid}"), program: format!("p{pid}"), ..Image::default() }),
            uid: None,
            state: None,
            threads: None,
            cpu: Some(ProcessCpu { total_us, user_us: 0 }),
            memory: Some(ProcessMemory { resident_bytes, virtual_bytes: 0 }),
            faults: None,
            io: None,
            network: None,
            descriptors: None,
        }
    }

    /// A second of a machine with one CPU and 1000 bytes, one process that computes and one that is large.
    fn snapshot(busy_us: Option<u64>, available_bytes: u64) -> Snapshot {
        let at = Moment { ts_ms: 60_000, mono_ms: 60_000, suspended_ms: 0, boot: BootId::default() };
        let mut snapshot = Snapshot::unknown(at, 1_000);
        snapshot.host.cpu_count = Some(1);
        snapshot.host.cpu =
            busy_us.map(|user_us| CpuTimes { user_us, idle_us: 1_000_000 - user_us, ..CpuTimes::default() });
        snapshot.host.memory = Some(Memory { total_bytes: 1_000, available_bytes, ..Memory::default() });
        snapshot.processes = Some(vec![process(7, 50_000, 10), process(8, 1_000, 400)]);
        snapshot
    }

    fn judge(busy_us: Option<u64>, available_bytes: u64) -> Judgement {
        let model = model();
        let columns: Vec<&'static Column> = model.features().filter_map(column).collect();
        Judgement::of(&snapshot(busy_us, available_bytes), &model, &columns, 1).unwrap()
    }

    #[test]
    fn a_look_is_judged_by_its_own_interval_and_names_who_takes_too_much() {
        for (name, busy_us, available_bytes, status, ranked_by, culprit) in [
            ("as learned", Some(75_000), 575, Status::Normal, RankedBy::Cpu, None),
            ("much CPU", Some(990_000), 575, Status::Anomaly, RankedBy::Cpu, Some(7)),
            ("much memory", Some(75_000), 100, Status::Anomaly, RankedBy::Memory, Some(8)),
            ("much CPU, little memory", Some(990_000), 950, Status::Anomaly, RankedBy::Cpu, Some(7)),
            ("too little of both", Some(1_000), 950, Status::Anomaly, RankedBy::Cpu, None),
            ("CPU unknown", None, 100, Status::Unknown, RankedBy::Cpu, None),
        ] {
            let judgement = judge(busy_us, available_bytes);
            let found = judgement.culprit().map(|taker| taker.pid);
            assert_eq!((judgement.status(), judgement.ranked_by, found), (status, ranked_by, culprit), "{name}");
            assert_eq!(judgement.processes.len(), 1, "{name}");
        }
    }

    #[test]
    fn what_is_unknown_is_not_judged_as_zero() {
        let judgement = judge(None, 575);
        assert_eq!((judgement.cpu_percent, judgement.verdict.is_none()), (None, true));
        assert_eq!(judgement.unknown().collect::<Vec<_>>(), ["CPU Usage (%)"]);
        assert!(judgement.memory_percent.is_some_and(|percent| (percent - 42.5).abs() < 1e-9));
    }
}
