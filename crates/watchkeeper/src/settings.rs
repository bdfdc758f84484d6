//! Everything a watch goes by, checked and ready: made whole from one configuration, or not at all.

mod recorded;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use watchkeeper_analyze::Rule;
use watchkeeper_core::{HostId, Problem, Secret};
use watchkeeper_notify::{Channel, ChannelError, Origin, Routes};
use watchkeeper_store::validate_sinks;

use crate::config::{Config, ConfigError, Loaded};
use crate::judge::Judge;
use crate::paths;

pub use recorded::RecordedSettings;

/// What the stages go by. A reload makes a new value; the old one is dropped when the last stage has let it go.
#[derive(Debug)]
pub struct Settings {
    /// The configuration as it was written, with defaults.
    pub config: Config,
    /// The file it came from.
    pub file: Option<PathBuf>,
    /// Name of this host in incidents and messages.
    pub host_name: String,
    /// Zone of local times.
    pub zone: TimeZone,
    /// Its IANA name.
    pub zone_name: String,
    /// Rules in force, shipped and own.
    pub rules: Vec<Rule>,
    /// Who is told what.
    pub routes: Routes,
    /// A number that changes with what the files of the configuration say.
    pub digest: u64,
    /// What says how strange a look is, if a model is configured.
    pub judge: Option<Arc<Judge>>,
    passwords: BTreeMap<String, Secret>,
}

impl Settings {
    /// Checks and builds everything; all problems are reported at once.
    pub fn build(loaded: &Loaded) -> Result<Self, ConfigError> {
        let config = loaded.config.clone();
        let mut problems = Vec::new();
        let zone = match loaded.time_zone() {
            Ok(zone) => zone,
            Err(problem) => {
                problems.push(problem);
                TimeZone::UTC
            }
        };
        let rules = loaded.rules().unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        });
        let names: Vec<String> = config.smtp.keys().cloned().collect();
        let routes = Routes::compile(&config.route, &names).unwrap_or_else(|found| {
            problems.extend(found.into_iter().map(|problem| problem.under("route")));
            Routes::default()
        });
        let host_name = config.host.name.clone().unwrap_or_else(watchkeeper_collect::host_name);
        let mut passwords = BTreeMap::new();
        for (name, smtp) in &config.smtp {
            match smtp.password.as_ref().map(|source| loaded.resolve(source, &format!("smtp.{name}.password"))) {
                Some(Ok(password)) => drop(passwords.insert(name.clone(), password)),
                Some(Err(problem)) => problems.push(problem),
                None => {}
            }
        }
        let judge = Judge::read(&config.anomaly).unwrap_or_else(|problem| {
            problems.push(problem.under("anomaly"));
            None
        });
        let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
        let file = loaded.file.clone();
        let digest = loaded.digest();
        let judge = judge.map(Arc::new);
        let settings = Self { config, file, host_name, zone, zone_name, rules, routes, digest, judge, passwords };
        problems.extend(sink_problems(&settings.config));
        problems.extend(certificate_problems(&settings.config));
        // Channels belong to their workers; here they are only tried.
        problems.extend(settings.config.smtp.keys().filter_map(|name| {
            settings.channel(name).err().map(|error| Problem::new(format!("smtp.{name}"), error.to_string()))
        }));
        if problems.is_empty() { Ok(settings) } else { Err(loaded.report(problems)) }
    }

    /// Names of the channels that messages can go through.
    pub fn channel_names(&self) -> impl Iterator<Item = &str> {
        self.config.smtp.keys().map(String::as_str)
    }

    /// A channel, ready for its worker. Reads the trusted certificates; contacts nobody.
    pub fn channel(&self, name: &str) -> Result<Channel, ChannelError> {
        let Some(smtp) = self.config.smtp.get(name) else {
            let (channel, reason) = (name.to_owned(), "there is no such channel".to_owned());
            return Err(ChannelError::Setting { channel, reason });
        };
        let origin = Origin { host: self.host_name.clone(), time_zone: self.zone_name.clone() };
        Channel::smtp(name, smtp, self.passwords.get(name).cloned(), origin)
    }

    /// What the analyzer goes by.
    pub fn analyzer(&self, host: HostId) -> watchkeeper_analyze::Settings {
        watchkeeper_analyze::Settings {
            host,
            host_name: self.host_name.clone(),
            labels: self.config.host.labels.clone(),
            time_zone: self.zone_name.clone(),
            rules: self.rules.clone(),
        }
    }
}

/// What is wrong with the sinks because of where the store lies by itself; a folder that the configuration names was looked at with
/// it.
pub fn sink_problems(config: &Config) -> Vec<Problem> {
    let (None, Ok(folder)) = (&config.store.path, paths::state_folder(&config.store)) else { return Vec::new() };
    let found = validate_sinks(&config.sink, config.collect.interval, Some(&folder));
    found.into_iter().map(|problem| problem.under("sink")).collect()
}

/// Everything that the configuration names and that cannot be used as it lies on the disk now: what the start and a reload refuse
/// beyond what the configuration itself says.
pub fn named_problems(config: &Config) -> Vec<Problem> {
    let model = Judge::read(&config.anomaly).err().map(|problem| problem.under("anomaly"));
    model.into_iter().chain(certificate_problems(config)).chain(sink_problems(config)).collect()
}

/// Files of certificates for checks that cannot be used.
fn certificate_problems(config: &Config) -> Vec<Problem> {
    let found = watchkeeper_collect::unusable_certificates(&config.check);
    found.into_iter().map(|problem| problem.under("check")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_store::{SinkConfig, SinkFormat, StoreConfig};

    #[test]
    fn no_file_for_others_lies_in_the_folder_of_the_store_wherever_that_is() {
        let mut config = Config::default();
        let path = paths::state_folder(&config.store).unwrap().join("processes.csv");
        config.sink = vec![SinkConfig { format: Some(SinkFormat::Csv), path, ..SinkConfig::default() }];
        let found: Vec<String> = sink_problems(&config).into_iter().map(|problem| problem.key_path).collect();
        assert_eq!(found, ["sink.0.path"]);
        config.store = StoreConfig { path: Some(std::env::temp_dir().join("elsewhere")), ..StoreConfig::default() };
        assert_eq!(sink_problems(&config), []);
    }
}
