//! What comes back: incidents of the same cause on the same thing, and when they come.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use watchkeeper_core::evidence::{Pattern, Recurrence};
use watchkeeper_core::incident::IncidentFilter;
use watchkeeper_core::port::HistoryError;
use watchkeeper_core::{Entity, Evidence, History, Incident, Range};

use super::pattern;

/// The same thing that happened more than once.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurring {
    /// The rule, or the cause that explains several rules.
    pub cause: String,
    /// What it happened to: of a process its program.
    pub entity: Entity,
    /// The program that most often took the most, if any did. Foreign text.
    pub culprit: Option<String>,
    /// How often it happened.
    pub times: u32,
    /// When it first opened within the range, milliseconds UTC.
    pub first_ms: i64,
    /// When it last opened, milliseconds UTC.
    pub last_ms: i64,
    /// Median length, milliseconds.
    pub median_ms: i64,
    /// When it comes, if it comes regularly.
    pub pattern: Option<Pattern>,
}

/// Everything that opened at least twice within a range: the regular before the irregular, and there the more frequent
/// first. An incident that is still open lasts until the end of the range.
///
/// # Errors
/// The incidents cannot be read, or not before the handle's deadline.
pub fn recurring(history: &dyn History, range: Range, zone: &TimeZone) -> Result<Vec<Recurring>, HistoryError> {
    let filter = IncidentFilter { range: Some(range), ..IncidentFilter::default() };
    let mut alike: BTreeMap<(String, Entity), Vec<Incident>> = BTreeMap::new();
    for record in history.incidents(&filter)? {
        let incident = record.incident;
        if range.contains(incident.opened_ms) {
            alike.entry((incident.cause.clone(), lasting(&incident.evidence))).or_default().push(incident);
        }
    }
    let mut found: Vec<Recurring> = alike
        .into_iter()
        .filter_map(|((cause, entity), mut incidents)| {
            incidents.sort_by_key(|incident| incident.opened_ms);
            let [first, .., last] = incidents.as_slice() else { return None };
            let opened: Vec<i64> = incidents.iter().map(|incident| incident.opened_ms).collect();
            Some(Recurring {
                culprit: culprit(&incidents),
                times: u32::try_from(incidents.len()).unwrap_or(u32::MAX),
                first_ms: first.opened_ms,
                last_ms: last.opened_ms,
                median_ms: median_length(&incidents, range.to_ms)?,
                pattern: pattern(&opened, range.to_ms, zone),
                cause,
                entity,
            })
        })
        .collect();
    found.sort_by(|a, b| {
        let rank = |one: &Recurring| (one.pattern.is_none(), std::cmp::Reverse(one.times));
        rank(a).cmp(&rank(b)).then_with(|| (&a.cause, &a.entity).cmp(&(&b.cause, &b.entity)))
    });
    Ok(found)
}

/// What earlier incidents say about one that opened now, milliseconds UTC; `None` without any. The pattern is that of all
/// of them, with the one that opened now.
pub fn recurrence(former: &[&Incident], opened_ms: i64, zone: &TimeZone) -> Option<Recurrence> {
    let last_ms = former.iter().map(|incident| incident.opened_ms).max()?;
    let opened: Vec<i64> = former.iter().map(|incident| incident.opened_ms).chain([opened_ms]).collect();
    Some(Recurrence {
        times: u32::try_from(former.len()).unwrap_or(u32::MAX),
        last_ms,
        median_ms: median_length(former.iter().copied(), opened_ms)?,
        pattern: pattern(&opened, opened_ms, zone),
    })
}

/// What stays the same from one time to the next: of a process its program, because the process itself never returns.
pub(crate) fn lasting(evidence: &Evidence) -> Entity {
    match (&evidence.entity, evidence.top.first()) {
        (Entity::Process(key), Some(first)) if first.key == *key => Entity::Program(first.program.clone()),
        (entity, _) => entity.clone(),
    }
}

/// The program that was the first contributor most often; of several the one that was it last.
fn culprit(oldest_first: &[Incident]) -> Option<String> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (place, incident) in oldest_first.iter().enumerate() {
        if let Some(first) = incident.evidence.top.first() {
            let (count, last) = counts.entry(&first.program).or_default();
            (*count, *last) = (*count + 1, place);
        }
    }
    counts.into_iter().max_by_key(|(_, rank)| *rank).map(|(program, _)| program.to_owned())
}

/// Median length in milliseconds; what is open lasts until `now_ms`. `None` of nothing.
fn median_length<'a>(incidents: impl IntoIterator<Item = &'a Incident>, now_ms: i64) -> Option<i64> {
    let length = |incident: &Incident| incident.closed_ms.unwrap_or(now_ms).saturating_sub(incident.opened_ms).max(0);
    let mut lengths: Vec<i64> = incidents.into_iter().map(length).collect();
    lengths.sort_unstable();
    let middle = lengths.len() / 2;
    match lengths.as_slice() {
        [] => None,
        all if all.len().is_multiple_of(2) => Some(i64::midpoint(all[middle - 1], all[middle])),
        all => Some(all[middle]),
    }
}

#[cfg(test)]
mod tests;
