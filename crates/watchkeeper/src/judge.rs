//! How strange each look of the watch is to a model that `train` learned: `[anomaly]`.

use std::time::Duration;

use watchkeeper_core::snapshot::Anomaly;
use watchkeeper_core::{Problem, Snapshot, text};
use watchkeeper_detect::Model;
use watchkeeper_report::Column;

use crate::config::AnomalyConfig;
use crate::model_file::{self, ModelFileError};

/// A model with the numbers that it judges by.
#[derive(Debug)]
pub struct Judge {
    model: Model,
    columns: Vec<&'static Column>,
}

impl Judge {
    /// Reads the configured model, if there is one.
    ///
    /// # Errors
    /// The file is no model that can judge here, at `model`.
    pub fn read(config: &AnomalyConfig) -> Result<Option<Self>, Problem> {
        let Some(path) = &config.model else { return Ok(None) };
        let judge = || -> Result<Self, ModelFileError> {
            let model = model_file::read_as_trusted(path)?;
            let columns = model_file::columns(&model, path)?;
            Ok(Self { model, columns })
        };
        judge().map(Some).map_err(|error| Problem::new("model", error.to_string()))
    }

    /// How strange a look is; `None` where something that the model judges by is unknown.
    pub fn anomaly(&self, snapshot: &Snapshot) -> Option<Anomaly> {
        let row: Vec<f64> = self.columns.iter().map(|column| column.value(snapshot)).collect::<Option<_>>()?;
        let found = self.model.assess(&row).ok()?;
        Some(Anomaly { score: found.score, threshold: found.threshold, confidence: found.confidence })
    }

    /// What to say where the model learned from looks of quite another length: numbers over a second scatter more than
    /// numbers over a minute.
    pub fn warning(&self, interval: Duration) -> Option<String> {
        let learned_ms = self.model.summary().interval_ms?;
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let differs = learned_ms.max(interval_ms) > 2 * learned_ms.min(interval_ms);
        differs.then(|| {
            let (learned, interval) = (text::duration(learned_ms), text::duration(interval_ms));
            format!(
                "the model of [anomaly] learned from rows of {learned}, and looks are {interval} long: what is usual over \
                 one is not over the other"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use watchkeeper_core::reading::{CpuTimes, Memory};
    use watchkeeper_core::{BootId, Moment};
    use watchkeeper_detect::{Contamination, ForestOptions, Training};

    /// A model of a machine whose CPU is mostly about 10 % busy, at most 20 %, and whose memory is half full.
    fn trained(folder: &Path, features: &[&str]) -> AnomalyConfig {
        let features: Vec<String> = features.iter().map(|feature| (*feature).to_owned()).collect();
        let part = |row: u64, factor: u64| (row * factor * 2_654_435_761 % 10_007) as f64 / 10_007.0;
        let bell = |row: u64, salt: u64| (0..4).map(|n| part(row + 1, 7_919 + 2 * n + salt)).sum::<f64>() / 4.0;
        let rows: Vec<f64> = (0..1_000).flat_map(|row| [20.0 * bell(row, 0), 45.0 + 10.0 * bell(row, 100)]).collect();
        let training =
            Training { features: &features, rows: &rows, at_ms: 0, source: "a test", interval_ms: Some(1_000) };
        let options = ForestOptions { contamination: Contamination::Share(0.01), ..ForestOptions::default() };
        let model = Model::train(&training, &options).unwrap();
        let path = folder.join("host.model");
        model_file::write(&path, &model).unwrap();
        AnomalyConfig { model: Some(path) }
    }

    fn snapshot(busy: u64, available_bytes: u64) -> Snapshot {
        let at = Moment { ts_ms: 0, mono_ms: 1_000, suspended_ms: 0, boot: BootId::default() };
        let mut snapshot = Snapshot::unknown(at, 1_000);
        let cpu = CpuTimes { user_us: busy * 10_000, idle_us: 1_000_000 - busy * 10_000, ..CpuTimes::default() };
        snapshot.host.cpu = Some(cpu);
        snapshot.host.memory = Some(Memory { total_bytes: 1_000, available_bytes, ..Memory::default() });
        snapshot
    }

    #[test]
    fn what_is_strange_to_the_model_has_a_high_score_and_most_trees_agree() {
        let folder = tempfile::tempdir().unwrap();
        let config = trained(folder.path(), &["CPU Usage (%)", "Memory Usage (%)"]);
        let judge = Judge::read(&config).unwrap().unwrap();
        let (usual, strange) = (judge.anomaly(&snapshot(10, 500)).unwrap(), judge.anomaly(&snapshot(100, 50)).unwrap());
        assert!(usual.score < usual.threshold && strange.score > strange.threshold, "{usual:?} {strange:?}");
        assert!(strange.confidence > 0.6 && usual.confidence > 0.5, "{usual:?} {strange:?}");
        let mut blind = snapshot(10, 500);
        blind.host.memory = None;
        assert_eq!(judge.anomaly(&blind), None);
        assert_eq!(judge.warning(Duration::from_secs(2)), None);
        assert!(judge.warning(Duration::from_secs(5)).unwrap().contains("rows of 1.0 s, and looks are 5.0 s long"));
    }

    #[test]
    fn what_cannot_judge_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Judge::read(&AnomalyConfig::default()).unwrap().is_none());
        let missing = AnomalyConfig { model: Some(folder.path().join("missing.model")) };
        let problem = Judge::read(&missing).unwrap_err();
        assert!(problem.key_path == "model" && problem.message.starts_with("there is no model "), "{problem:?}");
        let other = trained(folder.path(), &["CPU Usage (%)", "Fan (rpm)"]);
        let problem = Judge::read(&other).unwrap_err();
        assert!(problem.message.contains("judges by `Fan (rpm)`, which this program does not know"), "{problem:?}");
    }
}
