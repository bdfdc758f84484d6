//! Tests of rules as people write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::Span;

use crate::config::RuleConfig;

/// A file of tests of rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SeriesTestFile {
    /// Files of rules that the tests go by, beside this one. They come before the rules of the configuration.
    /// Default: none. Example: `["disk.toml"]`.
    pub rule_files: Vec<String>,
    /// Rules that the tests go by, as they stand in the configuration. They come before those of `rule_files`.
    pub rule: Vec<RuleConfig>,
    /// The tests.
    pub test: Vec<SeriesTest>,
}

/// One test: `[[test]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesTest {
    /// What it is to show. Required. Example: `"a busy machine is told after five minutes"`.
    pub name: String,
    /// Time between two looks at the machine, 100 ms to 1 h. Default: `"1s"`. Example: `"10s"`.
    #[serde(default = "interval")]
    pub interval: Span,
    /// Ids of the rules in force. Default: all that this file and its `rule_files` have; of the configuration's, those
    /// that are expected by name. Example: `["host-cpu"]`.
    #[serde(default)]
    pub rules: Vec<String>,
    /// What the machine does. What no series tells is unknown.
    #[serde(default)]
    pub series: Vec<TestSeries>,
    /// What is to come of it.
    #[serde(default)]
    pub expect: Vec<ExpectedAlerts>,
}

fn interval() -> Span {
    Span::from_secs(1)
}

/// Values of one metric of one thing: `[[test.series]]`. At most one of `cpu` to `process` says of which; none of them
/// is the machine as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSeries {
    /// Name of the metric. Required. Example: `"system.cpu.utilization"`.
    pub metric: String,
    /// Number of a CPU. Example: `0`.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// Name of a disk. Example: `"sda"`.
    #[serde(default)]
    pub disk: Option<String>,
    /// Mount point of a filesystem. Example: `"/data"`.
    #[serde(default)]
    pub filesystem: Option<String>,
    /// Name of a network interface. Example: `"eth0"`.
    #[serde(default)]
    pub interface: Option<String>,
    /// Remote address. Example: `"10.0.0.7"`.
    #[serde(default)]
    pub peer: Option<String>,
    /// A listening socket. Example: `{ port = 80 }`.
    #[serde(default)]
    pub socket: Option<TestSocket>,
    /// Name of an active check. Example: `"website"`.
    #[serde(default)]
    pub check: Option<String>,
    /// A process. Series with the same one are of the same process. Example: `{ name = "java" }`.
    #[serde(default)]
    pub process: Option<TestProcess>,
    /// The values, one for each look, from the first one on, with blanks between them: `90%x60` is 60 times 90 %,
    /// `2GiB+1MiBx100` are 100 values of which each is 1 MiB more than the one before, `-` takes away, `_x5` is unknown
    /// five times, `.x5` is not there five times. A process that comes back is another one. A thing is there while one of
    /// its series says so, and gone after the last value of all of them. Required.
    /// Example: `"10%x60 95%x400"`.
    pub values: String,
}

/// A listening socket of a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSocket {
    /// Its port. Required.
    pub port: u16,
    /// Its address. Default: `"127.0.0.1"`.
    #[serde(default = "address")]
    pub address: String,
    /// `"tcp"` or `"udp"`. Default: `"tcp"`.
    #[serde(default = "protocol")]
    pub protocol: String,
}

fn address() -> String {
    "127.0.0.1".to_owned()
}

fn protocol() -> String {
    "tcp".to_owned()
}

/// A process of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestProcess {
    /// Name of the process. Required. Example: `"java"`.
    pub name: String,
    /// The program it counts as. Default: its name.
    #[serde(default)]
    pub program: Option<String>,
    /// Path of its executable. Default: unknown. Example: `"/usr/bin/java"`.
    #[serde(default)]
    pub executable: Option<String>,
    /// Its command line. Default: unknown.
    #[serde(default)]
    pub command: Option<String>,
    /// The service it runs in. Default: none. Example: `"cron.service"`.
    #[serde(default)]
    pub unit: Option<String>,
    /// Its number. Processes of the same name need one each. Default: a free one.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Number of its parent. Default: 1.
    #[serde(default)]
    pub parent: Option<u32>,
    /// How old it is when it is first seen. Default: it began in that interval. Example: `"2h"`.
    #[serde(default)]
    pub age: Option<Span>,
}

/// What is to be there at a time: `[[test.expect]]`. A state that is not written is not looked at; `[]` says that no
/// alert is in it. An alert is written as the id of its rule, or `"ID on NAME"` for one certain thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedAlerts {
    /// After so much of the test; the first look is at `"0s"`. Required. Example: `"6m"`.
    pub at: Span,
    /// Conditions that hold, not yet for as long as their rules ask.
    #[serde(default)]
    pub pending: Option<Vec<String>>,
    /// Alerts that fire.
    #[serde(default)]
    pub firing: Option<Vec<String>>,
    /// Alerts that are about to be over.
    #[serde(default)]
    pub recovering: Option<Vec<String>>,
    /// Alerts that have fired and are over: the value is back.
    #[serde(default)]
    pub resolved: Option<Vec<String>>,
    /// Alerts that have fired and are over: what they watched is gone.
    #[serde(default)]
    pub ended: Option<Vec<String>>,
}
