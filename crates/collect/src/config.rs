//! Settings of the collector: the table `[collect]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Problem, Validate};

/// Shortest interval between two looks.
const SHORTEST: Span = Span::from_ms(100);
/// Longest interval between two looks.
const LONGEST: Span = Span::from_secs(3_600);

/// How the machine is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CollectConfig {
    /// Time between two looks at the machine, from `"100ms"` to `"1h"`, by default `"1s"`; everything is read, evaluated
    /// and logged at this pace. Example: `interval = "5s"`.
    pub interval: Span,
    /// What becomes of the command lines of processes: `"redacted"` (the default) stores them with secrets replaced,
    /// `"none"` stores nothing of them but the name of the script in the name of a program. Example:
    /// `command_line = "none"`.
    pub command_line: CommandLine,
    /// Which way of reading the machine is used: `"auto"` (the default) takes the best one available, `"proc"` is Linux's
    /// `/proc`, `"portable"` works on every system with less detail. Example: `tier = "portable"`.
    pub tier: TierChoice,
}

impl Default for CollectConfig {
    fn default() -> Self {
        Self { interval: Span::from_secs(1), command_line: CommandLine::Redacted, tier: TierChoice::Auto }
    }
}

/// What becomes of command lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandLine {
    /// Stored with secrets replaced.
    #[default]
    Redacted,
    /// Not stored; only the name of a script or main class becomes part of the name of its program.
    None,
}

/// Which tier is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TierChoice {
    /// The best one that this machine offers.
    #[default]
    Auto,
    /// Linux's `/proc`; needs no privilege.
    Proc,
    /// Works on every system, with less detail.
    Portable,
}

impl Validate for CollectConfig {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.interval < SHORTEST {
            let message = if self.interval.ms() == 0 {
                "an interval of 0 would look at the machine without a pause".to_owned()
            } else {
                format!("{} is shorter than the shortest interval, {SHORTEST}", self.interval)
            };
            problems.push(Problem::new("interval", message).help(RANGE_HELP));
        } else if self.interval > LONGEST {
            let message = format!("{} is longer than the longest interval, {LONGEST}", self.interval);
            problems.push(Problem::new("interval", message).help(RANGE_HELP));
        }
        if cfg!(not(target_os = "linux")) && self.tier == TierChoice::Proc {
            let problem = Problem::new("tier", "this operating system has no /proc to read");
            problems.push(problem.help("write \"auto\" or \"portable\""));
        }
        problems
    }
}

const RANGE_HELP: &str = "write a value from \"100ms\" to \"1h\"; the default is \"1s\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_has_a_range() {
        for (ms, problem) in [
            (0, Some("an interval of 0 would look at the machine without a pause")),
            (1, Some("1ms is shorter than the shortest interval, 100ms")),
            (99, Some("99ms is shorter than the shortest interval, 100ms")),
            (100, None),
            (1_000, None),
            (3_600_000, None),
            (3_600_001, Some("1h1ms is longer than the longest interval, 1h")),
        ] {
            let config = CollectConfig { interval: Span::from_ms(ms), ..CollectConfig::default() };
            let problems = config.validate();
            assert_eq!(problems.first().map(|p| p.message.as_str()), problem, "{ms}");
            for problem in problems {
                assert_eq!(problem.key_path, "interval");
                assert!(problem.help.is_some_and(|help| help.contains("100ms")));
            }
        }
    }

    #[test]
    fn the_default_can_be_used() {
        assert_eq!(CollectConfig::default().validate(), []);
    }
}
