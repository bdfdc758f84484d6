//! `[anomaly]`: the model that judges the looks of the watch.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::text::clean;
use watchkeeper_core::{Problem, Validate};

/// A learned model that judges every look of the watch, so that rules can ask `anomaly.score` and `anomaly.confidence`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnomalyConfig {
    /// The file that `watchkeeper train --model` wrote, an absolute path. It is read at the start and at each reload.
    /// Default: none; `anomaly.*` is unknown then. Example: `model = "/var/lib/watchkeeper/host.model"`.
    pub model: Option<PathBuf>,
}

impl Validate for AnomalyConfig {
    fn validate(&self) -> Vec<Problem> {
        let relative = self.model.as_deref().filter(|path| !path.is_absolute());
        let problem = |path: &Path| {
            // The watch is started from anywhere: there is no folder that the path could begin in.
            let message = format!(
                "the path of the model must be absolute, and `{}` is not",
                clean(&path.display().to_string(), 300)
            );
            Problem::new("model", message).help("write the whole path, as `watchkeeper train --model` prints it")
        };
        relative.map(problem).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_has_an_absolute_path() {
        let problems = |path: &str| AnomalyConfig { model: Some(path.into()) }.validate();
        assert_eq!(problems("host.model")[0].key_path, "model");
        assert_eq!(problems(&std::env::temp_dir().join("host.model").display().to_string()), []);
        assert_eq!(AnomalyConfig::default().validate(), []);
    }
}
