//! The condition of a route, in the language of rules.

use watchkeeper_core::catalogue::Value;
use watchkeeper_core::{Incident, Problem, Severity};
use watchkeeper_expression::{Condition, Field, Fields, compile};

/// A condition on an incident.
#[derive(Clone, Debug)]
pub(super) struct Matcher(Condition);

impl Matcher {
    /// Reads and checks a condition. Key paths of problems are empty: the condition is the whole value.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        compile(text, &IncidentFields, "").map(Self)
    }

    /// Whether it holds. A label that the incident does not have is the empty text, so that `labels.env != "prod"` also
    /// holds for incidents without `env`: in doubt somebody is told.
    pub(super) fn matches(&self, incident: &Incident) -> bool {
        let value = match self.0.field() {
            "severity" => incident.severity.word(),
            "rule" => &incident.evidence.rule,
            "host" => &incident.host,
            field => {
                let label = field.strip_prefix("labels.").and_then(|name| incident.labels.get(name));
                label.map_or("", String::as_str)
            }
        };
        self.0.evaluate(Some(Value::Text(value))) == Some(true)
    }
}

/// What a route can ask of an incident.
struct IncidentFields;

impl Fields for IncidentFields {
    fn field(&self, name: &str) -> Option<Field> {
        match name {
            "severity" => Some(Field::one_of(Severity::ALL.map(Severity::word))),
            "rule" | "host" => Some(Field::text()),
            _ => name.strip_prefix("labels.").filter(|label| !label.is_empty()).map(|_| Field::text()),
        }
    }

    fn names(&self) -> Vec<String> {
        ["severity", "rule", "host", "labels.NAME"].map(str::to_owned).into()
    }

    fn example(&self) -> &'static str {
        "severity == \"critical\""
    }
}
