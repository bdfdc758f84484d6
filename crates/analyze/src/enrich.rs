//! What only the log knows about an incident: what is usual, how often it happened before, who knew about it.

use jiff::tz::TimeZone;
use watchkeeper_core::evidence::{Known, UsualRange};
use watchkeeper_core::incident::IncidentFilter;
use watchkeeper_core::port::{HistoryError, IncidentRecord};
use watchkeeper_core::{Change, Evidence, History, Incident, Range, Series, Unit};

use crate::reasoning::{self, lasting};

/// How far back a recurrence is looked for: 30 days.
const RECURRENCE_MS: i64 = 30 * 86_400_000;

/// Fills the usual range, the recurrence and the last acknowledgement of an incident's evidence, as they were when it
/// fired; what is already known stays. What the log is too short for, or does not answer before the handle's deadline,
/// is not known yet. Other changes are left alone.
pub fn enrich(change: &mut Change, history: &dyn History) {
    let Change::Incident { incident, .. } = change else { return };
    let evidence = &incident.evidence;
    if matches!(evidence.recurrence, Known::NotYet) || matches!(evidence.last_acknowledgement, Known::NotYet) {
        // Both come from one answer; an error leaves both as they are.
        if let Ok(former) = former(incident, history) {
            let acknowledgements = former.iter().flat_map(|record| &record.acknowledgements);
            let last = acknowledgements.max_by_key(|acknowledgement| acknowledgement.at_ms).cloned();
            let incidents: Vec<&Incident> = former.iter().map(|record| &record.incident).collect();
            // Without its zone nothing is known of the time of the day, which only a pattern needs.
            let zone = TimeZone::get(&incident.evidence.time_zone).unwrap_or(TimeZone::UTC);
            let recurrence = reasoning::recurrence(&incidents, incident.opened_ms, &zone);
            incident.evidence.recurrence = recurrence.map_or(Known::Nothing, Known::Yes);
            incident.evidence.last_acknowledgement = last.map_or(Known::Nothing, Known::Yes);
        }
    }
    if matches!(incident.evidence.usual, Known::NotYet) {
        incident.evidence.usual = usual(&incident.evidence, history).unwrap_or_default();
    }
}

/// Incidents of the same cause on the same entity in the 30 days before; this one opened at the end of them, so it is
/// not among them.
fn former(incident: &Incident, history: &dyn History) -> Result<Vec<IncidentRecord>, HistoryError> {
    let since_ms = incident.opened_ms.saturating_sub(RECURRENCE_MS);
    let filter = IncidentFilter {
        cause: Some(incident.cause.clone()),
        range: Some(Range::new(since_ms, incident.opened_ms)),
        ..IncidentFilter::default()
    };
    let mut records = history.incidents(&filter)?;
    records.retain(|record| {
        let other = &record.incident;
        (since_ms..incident.opened_ms).contains(&other.opened_ms)
            && lasting(&other.evidence) == lasting(&incident.evidence)
    });
    Ok(records)
}

/// What is usual at the hour of firing; `None` if it is not known yet.
fn usual(evidence: &Evidence, history: &dyn History) -> Option<Known<UsualRange>> {
    if evidence.unit == Unit::Text {
        return Some(Known::Nothing);
    }
    let zone = TimeZone::get(&evidence.time_zone).ok()?;
    let series = Series { metric: evidence.metric.clone(), entity: lasting(evidence) };
    reasoning::usual(history, &series, evidence.fired_ms, &zone).map(Known::Yes)
}

#[cfg(test)]
mod tests;
