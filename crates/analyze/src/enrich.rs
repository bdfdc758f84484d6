//! What only the log knows about an incident: what is usual, how often it happened before, who knew about it.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use watchkeeper_core::evidence::{Known, Recurrence, UsualRange};
use watchkeeper_core::incident::IncidentFilter;
use watchkeeper_core::port::{HistoryError, IncidentRecord};
use watchkeeper_core::{Change, Entity, Evidence, History, Incident, Range, Series, Unit};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// Days that a usual range looks back.
const USUAL_DAYS: i32 = 14;
/// Fewest days that make something usual.
const FEWEST_DAYS: u32 = 3;
/// Minutes to either side of the same time of day.
const USUAL_HALF_MS: i64 = 30 * MINUTE_MS;
/// Fewest known minutes that make a day count.
const FEWEST_MINUTES: usize = 10;
/// How far back a recurrence is looked for.
const RECURRENCE_MS: i64 = 30 * DAY_MS;

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
            let recurrence = recurrence(&former, incident.opened_ms);
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

/// What stays the same from one time to the next: of a process its program, because the process itself never returns.
fn lasting(evidence: &Evidence) -> Entity {
    match (&evidence.entity, evidence.top.first()) {
        (Entity::Process(key), Some(first)) if first.key == *key => Entity::Program(first.program.clone()),
        (entity, _) => entity.clone(),
    }
}

fn recurrence(former: &[IncidentRecord], opened_ms: i64) -> Option<Recurrence> {
    let last_ms = former.iter().map(|record| record.incident.opened_ms).max()?;
    let length = |incident: &Incident| incident.closed_ms.unwrap_or(opened_ms) - incident.opened_ms;
    let mut lengths: Vec<i64> = former.iter().map(|record| length(&record.incident).max(0)).collect();
    lengths.sort_unstable();
    let middle = lengths.len() / 2;
    let median_ms = if lengths.len().is_multiple_of(2) {
        i64::midpoint(lengths[middle - 1], lengths[middle])
    } else {
        lengths[middle]
    };
    Some(Recurrence { times: u32::try_from(former.len()).unwrap_or(u32::MAX), last_ms, median_ms, pattern: None })
}

/// p10 to p90 of 1-minute values within 30 min of this local hour over the last 14 days; `None` if it is not known yet.
fn usual(evidence: &Evidence, history: &dyn History) -> Option<Known<UsualRange>> {
    if evidence.unit == Unit::Text {
        return Some(Known::Nothing);
    }
    let zone = TimeZone::get(&evidence.time_zone).ok()?;
    let fired = Timestamp::from_millisecond(evidence.fired_ms).ok()?.to_zoned(zone);
    let series = Series { metric: evidence.metric.clone(), entity: lasting(evidence) };
    let mut values = Vec::new();
    let mut days = 0;
    for back in 1..=USUAL_DAYS {
        // The same time on the clock, whatever summer time did in between.
        let middle_ms = fired.checked_sub(back.days()).ok()?.timestamp().as_millisecond();
        let range = Range::new(middle_ms - USUAL_HALF_MS, middle_ms + USUAL_HALF_MS);
        // The nearest days come first: what the deadline leaves is still what was usual lately.
        let Ok(points) = history.series(&series, range, MINUTE_MS) else { break };
        let before = values.len();
        values.extend(points.iter().filter_map(|point| point.mean).filter(|mean| mean.is_finite()));
        if values.len() - before >= FEWEST_MINUTES {
            days += 1;
        } else {
            values.truncate(before);
        }
    }
    if days < FEWEST_DAYS {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some(Known::Yes(UsualRange { low: quantile(&values, 0.1), high: quantile(&values, 0.9), days }))
}

/// A quantile of sorted values, between two of them by proportion; the values are not empty.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests;
