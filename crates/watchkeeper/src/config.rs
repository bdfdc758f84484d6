//! The configuration: what can be set, reading it from file, environment and flags, and saying what is wrong with it.
//!
//! The libraries own their sections as plain structs and know neither TOML nor places. Here texts become one tree whose
//! values know where they were written ([`load`]), the tree is compared with the schema, read into [`Config`], checked
//! by every section, and each mistake is shown at its place ([`ConfigError`]).

mod anomaly;
mod assemble;
mod diagnostic;
mod document;
mod environment;
pub mod files;
mod guides;
mod inner;
mod inspect;
mod load;
mod manual;
mod mask;
mod nearest;
mod record;
pub mod rule_files;
mod rules;
mod safety;
mod secrets;
mod shape;
mod slips;
mod source_map;
mod stamp;
mod tree;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::LevelFilter;
use watchkeeper_analyze::{RuleConfig, RulesConfig};
use watchkeeper_collect::{CheckConfig, CollectConfig, validate_checks};
use watchkeeper_core::text::clean;
use watchkeeper_core::{Problem, Validate, label_problems};
use watchkeeper_notify::{RouteConfig, Routes, SmtpConfig};
use watchkeeper_store::{SinkConfig, StoreConfig, validate_sinks};

pub use anomaly::AnomalyConfig;
pub use diagnostic::ConfigError;
pub use document::{default_document, effective_document};
pub use guides::guide;
pub use load::{Loaded, Place, SideFile, SourceFile, Sources, load, load_side, salvaged};
pub use manual::manual;
pub(crate) use nearest::nearest;
pub use record::RecordConfig;
pub use rules::{all_rules, effective_rules, rules_as_written};
pub use safety::refuse_writable;
pub use stamp::Stamp;

/// The configuration of Watchkeeper. Every section and every key may be left out; without any, the watch records this
/// machine and prints incidents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// This machine.
    pub host: HostConfig,
    /// How the machine is read.
    pub collect: CollectConfig,
    /// Ports and URLs that are tried again and again, one table each. `each = "check"` in a rule looks at them. Without one
    /// nobody is contacted.
    pub check: Vec<CheckConfig>,
    /// Where the log lies, how large it may grow, how long things are kept.
    pub store: StoreConfig,
    /// Files that the log of all processes is written to as it is made, for other programs: CSV or JSON lines, one table
    /// each. `docs/sinks.md` explains their columns. Without one there are none.
    pub sink: Vec<SinkConfig>,
    /// Mail channels, one table each. The name is the user's choice; routes refer to it.
    pub smtp: BTreeMap<String, SmtpConfig>,
    /// Who is told what, one table each, asked in this order. Without a route nobody gets a message.
    pub route: Vec<RouteConfig>,
    /// Which of the shipped rules are in force.
    pub rules: RulesConfig,
    /// Rules of your own, one table each, here or in files of the folder `rules.d` beside this file. A rule with the id of a
    /// shipped one takes its place.
    pub rule: Vec<RuleConfig>,
    /// A learned model that judges every look of the watch.
    pub anomaly: AnomalyConfig,
    /// What `watchkeeper record` writes, how often and for how long.
    pub record: RecordConfig,
    /// Messages of the program itself.
    pub log: LogConfig,
}

/// This machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HostConfig {
    /// Name of this machine in incidents and messages. Default: the host name of the operating system.
    /// Example: `name = "db1"`.
    pub name: Option<String>,
    /// Labels that every incident of this machine carries; routes can look at them.
    /// Default: none. Example: `labels = { env = "prod", team = "data" }`.
    pub labels: BTreeMap<String, String>,
    /// Zone of the times that people see, and of "this hour" in "usual at this hour": a name of the IANA time zone
    /// database. Default: the zone of the operating system. Example: `time_zone = "Europe/Berlin"`.
    pub time_zone: Option<String>,
}

/// Messages of the program itself, written to standard error or the systemd journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The least important messages that are written. Default: `"info"`. Example: `level = "debug"`.
    pub level: LogLevel,
    /// The form of messages on standard error. Default: `"text"`. Example: `format = "json"`.
    pub format: LogFormat,
}

/// How important a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something did not work.
    Error,
    /// Something will not work, or works in part.
    Warn,
    /// What the watch does.
    #[default]
    Info,
    /// How it does it.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// The level as the logging library names it.
    pub fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// The form of messages on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object in each line.
    Json,
}

impl HostConfig {
    /// The zone of local times: the configured one, else the system's, else UTC.
    pub fn zone(&self) -> Result<TimeZone, Problem> {
        let Some(name) = &self.time_zone else { return Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)) };
        TimeZone::get(name).map_err(|_| {
            let problem = Problem::new("time_zone", format!("there is no time zone `{}` here", clean(name, 100)));
            if name != "UTC" && jiff::tz::db().is_definitively_empty() {
                problem.help("this machine has no time zone database; install the package tzdata")
            } else {
                problem.help("write a name such as \"Europe/Berlin\" or \"UTC\"")
            }
        })
    }
}

impl Validate for HostConfig {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(name) = &self.name {
            if name.trim().is_empty() {
                problems.push(Problem::new("name", "the name of the host is empty").help("leave the key out"));
            } else if name.chars().any(char::is_control) {
                problems.push(Problem::new("name", "the name of the host has control characters in it"));
            } else if name.chars().count() > LONGEST_NAME {
                let message = format!("the name of the host is longer than {LONGEST_NAME} characters");
                problems.push(Problem::new("name", message));
            }
        }
        problems.extend(label_problems(&self.labels));
        problems.extend(self.zone().err());
        problems
    }
}

/// Longest name of a host in characters; DNS allows 253.
const LONGEST_NAME: usize = 253;

impl Config {
    /// Everything that is wrong, rules and routes compiled as a try. `channels` are the names that routes may use.
    fn problems(&self, channels: &[String]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |prefix: &str, found: Vec<Problem>| {
            problems.extend(found.into_iter().map(|problem| problem.under(prefix)));
        };
        add("host", self.host.validate());
        add("collect", self.collect.validate());
        add("check", validate_checks(&self.check));
        add("store", self.store.validate());
        add("record", self.record.validate());
        add("anomaly", self.anomaly.validate());
        add("sink", validate_sinks(&self.sink, self.collect.interval, self.store.path.as_deref()));
        for (name, smtp) in &self.smtp {
            add(&format!("smtp.{name}"), smtp.validate());
        }
        add("route", Routes::compile(&self.route, channels).err().unwrap_or_default());
        problems.extend(effective_rules(self).err().unwrap_or_default());
        problems
    }

    /// What is wrong with the rules whatever the rest says.
    fn problems_of_rules_alone(&self) -> Vec<Problem> {
        let problems = |(index, rule): (usize, &RuleConfig)| {
            rule.validate().into_iter().map(move |problem| problem.under(&format!("rule.{index}")))
        };
        self.rule.iter().enumerate().flat_map(problems).collect()
    }
}

impl Validate for Config {
    fn validate(&self) -> Vec<Problem> {
        self.problems(&self.smtp.keys().cloned().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests;
