//! The fields that a condition may name.

use watchkeeper_core::catalogue::{self, Kind, Metric};
use watchkeeper_core::{EntityKind, ProcessState, Unit};

/// What a field can be at the least and at the most, in its unit; `None` on a side without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Smallest value.
    pub least: Option<f64>,
    /// Largest value.
    pub most: Option<f64>,
}

/// What is known of a field before there is a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Unit of its values; [`Unit::Text`] for words.
    pub unit: Unit,
    /// Limits of a number.
    pub bounds: Bounds,
    /// The kind of entity it belongs to, if it belongs to one.
    pub entity: Option<EntityKind>,
    /// Whether a value says what happened in one look, so that `count` adds it up: [`Unit::Count`].
    pub is_event: bool,
    /// The only words that it can be, if they are known; empty if any.
    pub words: Vec<&'static str>,
}

impl Field {
    /// A field of any words.
    pub fn text() -> Self {
        Self { unit: Unit::Text, bounds: Bounds::default(), entity: None, is_event: false, words: Vec::new() }
    }

    /// A field of these words and no others.
    pub fn one_of(words: impl IntoIterator<Item = &'static str>) -> Self {
        Self { words: words.into_iter().collect(), ..Self::text() }
    }

    /// A field of numbers in this unit, without limits.
    pub fn number(unit: Unit) -> Self {
        Self { unit, ..Self::text() }
    }
}

/// The fields that exist where a condition is used.
pub trait Fields {
    /// The field with this name.
    fn field(&self, name: &str) -> Option<Field>;

    /// Names to suggest from when one is not known, and to give as an example.
    fn names(&self) -> Vec<String>;

    /// A condition that is right here, for help texts.
    fn example(&self) -> &'static str;
}

/// The metric catalogue as fields of rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatalogueFields;

impl Fields for CatalogueFields {
    fn field(&self, name: &str) -> Option<Field> {
        let metric = catalogue::metric(name)?;
        let words = if name == "process.state" {
            ProcessState::CODES.iter().map(|(state, _)| state.letter()).filter(|letter| *letter != "?").collect()
        } else {
            Vec::new()
        };
        Some(Field {
            unit: metric.unit,
            bounds: bounds(metric),
            entity: Some(metric.entity_kind()),
            is_event: metric.kind == Kind::Event,
            words,
        })
    }

    fn names(&self) -> Vec<String> {
        catalogue::metrics().map(|metric| metric.name.to_owned()).collect()
    }

    fn example(&self) -> &'static str {
        "system.cpu.utilization > \"90%\""
    }
}

fn bounds(metric: &Metric) -> Bounds {
    match (metric.name, metric.unit) {
        (_, Unit::Text) => Bounds::default(),
        // What no process answers for can be negative: clocks of the machine and of processes differ.
        ("system.cpu.not_attributed", _) => Bounds { least: Some(-1.0), most: Some(1.0) },
        // Linux lets one more connection wait than the backlog says.
        ("system.network.socket.queue.utilization", _) => Bounds { least: Some(0.0), most: None },
        (_, Unit::Ratio) | ("check.up", _) => Bounds { least: Some(0.0), most: Some(1.0) },
        _ => Bounds { least: Some(0.0), most: None },
    }
}

#[cfg(test)]
mod tests;
