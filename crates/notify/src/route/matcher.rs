//! The condition of a route or a silence, in the language of rules.

use std::borrow::Cow;

use watchkeeper_core::catalogue::Value;
use watchkeeper_core::{Entity, Incident, Problem, Severity};
use watchkeeper_expression::{Condition, Field, Fields, compile};

/// A condition on an incident.
#[derive(Clone, Debug)]
pub struct Matcher(Condition);

impl Matcher {
    /// Reads and checks a condition, such as `rule == "disk-full" && entity == "/var"`.
    ///
    /// # Errors
    /// All mistakes. Key paths of problems are empty: the condition is the whole value.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        compile(text, &IncidentFields, "").map(Self)
    }

    /// Whether it holds. A label that the incident does not have is the empty text, so that `labels.env != "prod"` also
    /// holds for incidents without `env`: in doubt somebody is told.
    pub fn matches(&self, incident: &Incident) -> bool {
        let found: Vec<_> = self.0.inputs().iter().map(|input| value(&input.name, incident)).collect();
        let values: Vec<_> = found.iter().map(|value| Some(Value::Text(value))).collect();
        self.0.evaluate(&values) == Some(true)
    }
}

fn value<'a>(field: &str, incident: &'a Incident) -> Cow<'a, str> {
    match field {
        "severity" => incident.severity.word().into(),
        "rule" => incident.evidence.rule.as_str().into(),
        "host" => incident.host.as_str().into(),
        "entity" => entity(incident),
        field => {
            let label = field.strip_prefix("labels.").and_then(|name| incident.labels.get(name));
            label.map_or("", String::as_str).into()
        }
    }
}

/// The entity by the name that people know: of a process its program, because nobody knows the process beforehand.
fn entity(incident: &Incident) -> Cow<'_, str> {
    match (&incident.evidence.entity, incident.evidence.top.first()) {
        (Entity::Process(key), Some(first)) if first.key == *key => first.program.as_str().into(),
        (entity, _) => entity.name().into(),
    }
}

/// What a condition can ask of an incident.
struct IncidentFields;

impl Fields for IncidentFields {
    fn field(&self, name: &str) -> Option<Field> {
        match name {
            "severity" => Some(Field::one_of(Severity::ALL.map(Severity::word))),
            "rule" | "host" | "entity" => Some(Field::text()),
            _ => name.strip_prefix("labels.").filter(|label| !label.is_empty()).map(|_| Field::text()),
        }
    }

    fn names(&self) -> Vec<String> {
        ["severity", "rule", "host", "entity", "labels.NAME"].map(str::to_owned).into()
    }

    fn example(&self) -> &'static str {
        "severity == \"critical\""
    }
}
