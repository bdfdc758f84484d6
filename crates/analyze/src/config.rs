//! Rules as people write them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Problem, Severity, Validate};

use crate::expect::ExpectConfig;
use crate::rule;

/// A condition that is watched, and what to say when it holds: `[[rule]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Name of the rule: letters, digits, `-`, `_` and `.`, at most 64 of them, used once. Required.
    /// A rule with the id of a shipped one replaces it. Example: `"cpu-high"`.
    pub id: String,
    /// What people read when it fires. Default: made from the condition. Example: `"CPU above 90 % for 5 minutes"`.
    #[serde(default)]
    pub title: Option<String>,
    /// The condition, on metrics of the host and of one kind of entity, with values in their units: comparisons, `&&`,
    /// `||`, `!`, arithmetic, `in`, `? :`, searches in text and windows over time, see `docs/rules.md`. Each rule has
    /// either `when` or `expect`. Example: `'system.cpu.utilization > "90%"'`.
    #[serde(default)]
    pub when: Option<String>,
    /// Instead of `when`: how many processes of a kind there should be, and how often they may begin anew. It fires
    /// when that is not so: they are missing, were started again too often, or are too many. It is one alert of the
    /// machine, over when all is as expected again. Example: `{ process = 'process.name == "postgres"', min = 1 }`.
    #[serde(default)]
    pub expect: Option<ExpectConfig>,
    /// How long the condition must hold before the rule fires, at least three collection intervals. Only time that was
    /// looked at counts. Default: `"0s"`, fires at once. Example: `"5m"`.
    #[serde(default, rename = "for")]
    pub hold: Span,
    /// What must hold for an alert that fires to be over, so that a value that hovers at the threshold is one alert: a
    /// condition like `when`, of the same kind of entity, that never holds together with it. Default: the opposite of
    /// `when` with the threshold moved back by 5 % of itself, e.g. `<= 85.5 %` for `> 90 %`; for words, with `==` and
    /// `!=`, and for more than one comparison, the opposite of `when`. Example: `'system.cpu.utilization < "80%"'`.
    #[serde(default)]
    pub clear: Option<String>,
    /// How long `clear` must hold before it is over. Only time that was looked at counts, and when `clear` does not hold
    /// any more it goes on firing, without a new message. An alert that was over four times within 30 minutes and fires
    /// again is flapping: its title and the label `flapping = "yes"` say so, and it is over after 30 minutes of calm. When a
    /// process ends that a rule fires on, its incident waits five minutes, or so long if that is longer, for the program's
    /// next process. Default: `"60s"`; `"0s"` ends it at once and waits for nothing. Example: `"5m"`.
    #[serde(default = "keep_firing")]
    pub keep_firing: Span,
    /// How bad it is: `"info"`, `"warning"` or `"critical"`. Default: `"warning"`.
    #[serde(default)]
    pub severity: Severity,
    /// What is watched one by one. Default: what the metric belongs to, e.g. each filesystem. Metrics of processes take
    /// `"program"` too: they are then added up over all processes of a program. Example: `"program"`.
    #[serde(default)]
    pub each: Option<String>,
    /// Labels that its incidents carry beside those of the host, and in their place where names are the same; routes and
    /// silences match them as `labels.NAME`. At most 32: names of letters, digits and `_`, values of at most 200
    /// characters. Default: none. Example: `{ team = "data" }`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What it means, for those who are told: one or two sentences, at most 1,000 characters in 5 lines. Default: none.
    /// Example: `"The replica falls behind."`.
    #[serde(default)]
    pub summary: Option<String>,
    /// Where it is written what to do: a link with `https://` or `http://`, or a path; at most 500 characters. Default: the
    /// guide page of a shipped rule, else none.
    /// Example: `"https://wiki.example.com/db-lag"`.
    #[serde(default)]
    pub runbook: Option<String>,
    /// Whether it is in force; one that is not is still checked, and `watchkeeper rules list` shows it. A shipped rule that
    /// is off by itself is turned on by `enable` of `[rules]`. Default: `true`.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

impl Default for RuleConfig {
    /// A rule without a name and a condition, which is refused.
    fn default() -> Self {
        Self {
            id: String::new(),
            title: None,
            when: None,
            expect: None,
            hold: Span::default(),
            clear: None,
            keep_firing: keep_firing(),
            severity: Severity::default(),
            each: None,
            labels: BTreeMap::new(),
            summary: None,
            runbook: None,
            enabled: enabled(),
        }
    }
}

/// What `enabled` is where nobody wrote it.
fn enabled() -> bool {
    true
}

/// What `keep_firing` is where nobody wrote it.
fn keep_firing() -> Span {
    Span::from_secs(60)
}

/// A file of rules: nothing but `[[rule]]` tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleFile {
    /// The rules.
    pub rule: Vec<RuleConfig>,
}

/// What to do with the rules that are shipped: `[rules]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RulesConfig {
    /// Ids of shipped rules that are not wanted. Default: none. Example: `["host-cpu"]`.
    pub disable: Vec<String>,
    /// Ids of shipped rules that are wanted although they are off by themselves. Default: none.
    /// Example: `["new-listening-port"]`.
    pub enable: Vec<String>,
}

impl Validate for RuleConfig {
    /// Everything that can be said without the other rules and the collection interval.
    fn validate(&self) -> Vec<Problem> {
        rule::parts(self).err().unwrap_or_default()
    }
}
