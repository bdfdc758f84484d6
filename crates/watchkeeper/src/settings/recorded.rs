//! Settings in a recording: what the analyzer went by, rules as they were written. No secret is among it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use watchkeeper_analyze::{RuleConfig, compile, compile_shipped};
use watchkeeper_core::{HostId, Problem};

use super::Settings;
use crate::config::rules_as_written;

/// What the analyzer went by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedSettings {
    /// Name of the host.
    pub host_name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// IANA name of the time zone of local times.
    pub time_zone: String,
    /// Interval that the rules were checked for, milliseconds.
    pub interval_ms: i64,
    /// Rules in force, shipped ones first.
    pub rules: Vec<RecordedRule>,
}

/// A rule as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedRule {
    /// Whether it came with the program.
    pub shipped: bool,
    /// The rule.
    pub rule: RuleConfig,
}

impl Settings {
    /// What the analyzer goes by, as a recording writes it.
    pub fn recorded(&self) -> Value {
        let rules = rules_as_written(&self.config, &self.rules);
        let recorded = RecordedSettings {
            host_name: self.host_name.clone(),
            labels: self.config.host.labels.clone(),
            time_zone: self.zone_name.clone(),
            interval_ms: self.config.collect.interval.ms(),
            rules: rules.into_iter().map(|(shipped, rule)| RecordedRule { shipped, rule }).collect(),
        };
        serde_json::to_value(recorded).expect("texts and numbers are JSON")
    }
}

impl RecordedSettings {
    /// The same for an analyzer of this host.
    ///
    /// # Errors
    /// Rules that this version of the program cannot go by.
    pub fn analyzer(self, host: HostId) -> Result<watchkeeper_analyze::Settings, Vec<Problem>> {
        let (shipped, own): (Vec<RecordedRule>, Vec<RecordedRule>) =
            self.rules.into_iter().partition(|rule| rule.shipped);
        let plain = |rules: Vec<RecordedRule>| rules.into_iter().map(|rule| rule.rule).collect::<Vec<_>>();
        let mut rules = compile_shipped(&plain(shipped), self.interval_ms)?;
        rules.extend(compile(&plain(own), self.interval_ms)?);
        let Self { host_name, labels, time_zone, .. } = self;
        Ok(watchkeeper_analyze::Settings { host, host_name, labels, time_zone, rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rule_files::RuleFiles;
    use crate::config::{SourceFile, Sources, load};

    #[test]
    fn recorded_settings_are_those_in_force_and_hold_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "correct-horse").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let text = r#"
[collect]
interval = "10s"
[host]
name = "db1"
labels = { env = "prod" }
time_zone = "Europe/Berlin"
[smtp.mail]
server = "localhost:25"
security = "starttls"
from = "a@example.com"
user = "mail-user-17"
password = { file = 'FILE' }
[rules]
disable = ["host-memory"]
[[rule]]
id = "host-cpu"
when = 'system.cpu.utilization > "50%"'
for = "1m"
"#
        .replace("FILE", password.to_str().unwrap());
        let file = SourceFile { path: "watchkeeper.toml".into(), text };
        let beside = "[[rule]]\nid = \"beside\"\nwhen = 'system.cpu.utilization > \"50%\"'\nlabels = { team = \"data\" }\n\
                      summary = \"It is busy.\"\nrunbook = \"https://wiki.example.com/busy\"\n";
        let beside = SourceFile { path: "rules.d/beside.toml".into(), text: beside.to_owned() };
        let rules = RuleFiles { files: vec![beside], unread: Vec::new() };
        let loaded = load(Sources { file: Some(file), rules, ..Sources::default() }).unwrap();
        let settings = Settings::build(&loaded).unwrap();
        let recorded = settings.recorded();
        let text = recorded.to_string();
        for secret in ["correct-horse", "mail-user-17", "localhost:25", password.to_str().unwrap()] {
            assert!(!text.contains(secret), "{text}");
        }
        let read: RecordedSettings = serde_json::from_str(&text).unwrap();
        let again = read.analyzer(HostId::default()).unwrap();
        let live = settings.analyzer(HostId::default());
        // Shipped rules were raised to three intervals, own ones replace shipped ones.
        assert!(live.rules.iter().any(|rule| !rule.shipped && rule.id == "host-cpu"));
        assert!(live.rules.iter().any(|rule| rule.id == "beside" && rule.labels["team"] == "data"));
        assert_eq!(format!("{again:?}"), format!("{live:?}"));
    }
}
