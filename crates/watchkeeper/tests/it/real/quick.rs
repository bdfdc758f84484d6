//! Shipped rules in a hurry, and what the watch says about them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;
use watchkeeper_analyze::{RuleConfig, RuleFile};
use watchkeeper_core::quantity::Span;

use super::list::REAL;
use crate::program::Program;
use crate::shipped;

/// How long an alert may take on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Time between two looks.
pub const INTERVAL_MS: i64 = 250;

/// By how much windows are shorter: ten seconds for six hours.
const HURRY: i64 = 2_160;

/// A shipped rule that fires after this many seconds and is over at once. Its condition stays as it is, but for the lengths
/// of its windows.
pub fn quick(id: &str, seconds: i64) -> RuleConfig {
    assert!(REAL.iter().any(|(name, _)| *name == id), "{id} is not in the list of rules that are made to fire");
    let mut rule = shipped::rules().into_iter().find(|rule| rule.id == id).expect("a shipped rule");
    for condition in [&mut rule.when, &mut rule.clear].into_iter().flatten() {
        *condition = hurried(condition);
    }
    (rule.hold, rule.keep_firing) = (Span::from_secs(seconds), Span::from_secs(0));
    rule.enabled = true;
    rule
}

/// The same with windows that are shorter: what stands as `, "6h"` behind the name of a field.
fn hurried(condition: &str) -> String {
    let mut parts = condition.split(", \"");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (length, rest) = part.split_once('"').expect("a length in quotes");
        let length = Span::parse(length).expect("the length of a window");
        let _ = write!(text, ", \"{}\"{rest}", Span::from_ms(length.ms() / HURRY));
    }
    text
}

/// These rules and no others, and what else is written.
pub fn configuration(rules: Vec<RuleConfig>, more: &str) -> String {
    let mut others = shipped::in_force();
    others.retain(|id| rules.iter().all(|rule| rule.id != *id));
    let rules: String = rules
        .into_iter()
        .map(|rule| toml::to_string(&RuleFile { rule: vec![rule] }).expect("a rule can be written"))
        .collect();
    format!("collect.interval = \"{INTERVAL_MS}ms\"\nrules.disable = {others:?}\n{more}\n{rules}")
}

/// The rules of a configuration.
#[derive(serde::Deserialize)]
struct Written {
    rule: Vec<RuleConfig>,
}

/// A running watch with incidents.
pub struct Incidents<'a>(pub &'a Program);

impl Incidents<'_> {
    /// All that there are, newest first.
    pub fn all(&self) -> Vec<Value> {
        let listed = self.0.command(&["incidents", "list", "--json"]);
        serde_json::from_str(&listed.stdout).unwrap_or_else(|error| panic!("{error}: {listed:?}"))
    }

    /// The newest of a rule that is so, waited for.
    pub fn wait(&self, rule: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        self.0.wait_for(PATIENCE, &format!("an incident of {rule}: {what}"), || {
            found = self.all().into_iter().find(|incident| incident["evidence"]["rule"] == rule && is_so(incident));
            found.is_some()
        });
        let incident = found.expect("it was waited for");
        self.say(&incident);
        incident
    }

    /// The incident of a rule with this process as the one who did it.
    pub fn blames(&self, rule: &str, pid: u32) -> Value {
        self.wait(rule, &format!("pid {pid} did it"), |incident| culprit(incident) == Some(u64::from(pid)))
    }

    /// Waits until the value is back.
    pub fn is_resolved(&self, incident: &Value) {
        self.is_over(incident, "resolved");
    }

    /// Waits until what was watched is gone.
    pub fn is_ended(&self, incident: &Value) {
        self.is_over(incident, "ended");
    }

    fn is_over(&self, incident: &Value, event: &str) {
        let ticket = incident["ticket"].as_i64().expect("it has a number").to_string();
        let what = format!("the end of incident {ticket}: {}", incident["title"]);
        let mut last = Value::Null;
        self.0.wait_for(PATIENCE, &what, || {
            let shown = self.0.command(&["incidents", "show", &ticket, "--json"]);
            let shown: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|error| panic!("{error}: {shown:?}"));
            last = shown["history"].as_array().and_then(|history| history.last()).map_or(Value::Null, Value::clone);
            shown["closed_ms"].is_i64()
        });
        assert_eq!(last["event"], event, "{}", incident["title"]);
    }

    /// Says, also where nobody looks at the output of tests that pass, what fired and how long after its time: the look
    /// that saw the condition hold, and `for`.
    fn say(&self, incident: &Value) {
        let evidence = &incident["evidence"];
        let number = |name: &str| evidence[name].as_i64().expect("a time");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rule = text(&evidence["rule"]);
        let written = fs::read_to_string(self.0.config_file()).expect("the configuration");
        let written: Written = toml::from_str(&written).expect("a configuration with rules");
        let hold_ms = written.rule.iter().find(|written| written.id == rule).expect("the rule").hold.ms();
        let late_ms = number("fired_ms") - number("since_ms") - hold_ms;
        let title = text(&incident["title"]);
        let line = format!("fired {late_ms} ms late with a look every {INTERVAL_MS} ms: {rule}: {title}\n");
        let _ = std::io::stdout().write_all(line.as_bytes());
        assert!(late_ms < 10_000, "{incident:#}");
    }

    /// Nobody says anything of this process.
    pub fn leave_alone(&self, pid: u32, name: &str) {
        for incident in self.all() {
            assert_ne!(culprit(&incident), Some(u64::from(pid)), "{name} did nothing wrong: {incident:#}");
        }
    }
}

/// Process id of the one who did it.
pub fn culprit(incident: &Value) -> Option<u64> {
    incident["evidence"]["top"][0]["key"]["pid"].as_u64()
}
