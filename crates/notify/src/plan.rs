//! Which messages a set of changes causes. Pure: the clock is an argument, and nothing is sent here.

use watchkeeper_core::outbox::OutboxRow;
use watchkeeper_core::{Change, Incident, IncidentEvent, Severity};

use crate::identity::dedup_key;
use crate::route::{Route, Routes};

const HOUR_MS: i64 = 3_600_000;
/// How long a test message is tried: somebody waits for it.
const TEST_EXPIRES_MS: i64 = 600_000;

/// In a storm, news of critical incidents wait for others so long after the first message, milliseconds.
const STORM_CRITICAL_MS: i64 = 60_000;
/// And those of other incidents.
const STORM_OTHERS_MS: i64 = 300_000;

/// The rows that the changes of one tick cause: one for each incident, event, channel and recipient. Of the events of an
/// incident, `opened`, `severity`, `flapping`, `resolved` and `ended` are told. Incidents of a storm are told together,
/// whatever their route groups by.
pub fn plan(changes: &[Change], routes: &Routes, now_ms: i64) -> Vec<OutboxRow> {
    let mut rows: Vec<OutboxRow> = Vec::new();
    for change in changes {
        let Change::Incident { event, at_ms, incident } = change else { continue };
        let Some(event) = told_as(*event) else { continue };
        for route in routes.of(incident) {
            for row in rows_of(route, event, *at_ms, incident, now_ms) {
                // A recipient that several routes name is told once, as the first of them says.
                if !rows.iter().any(|known| known.dedup_key == row.dedup_key) {
                    rows.push(row);
                }
            }
        }
    }
    rows
}

/// Rows of a test message, one for each recipient, due at once.
pub fn plan_test(channel: &str, recipients: &[String], now_ms: i64) -> Vec<OutboxRow> {
    let row = |recipient: &String| OutboxRow {
        dedup_key: format!("test@{now_ms}/{channel}/{recipient}"),
        group_key: format!("test@{now_ms}"),
        incident: None,
        event: None,
        channel: channel.to_owned(),
        recipient: recipient.clone(),
        due_ms: now_ms,
        created_ms: now_ms,
        expires_ms: now_ms + TEST_EXPIRES_MS,
        unless: None,
    };
    recipients.iter().map(row).collect()
}

/// As what people are told of an event: not of alerts that join or leave an incident, nor of their own acknowledgement.
/// That an incident is one of a storm changes how its opening is told, if it is not told yet.
fn told_as(event: IncidentEvent) -> Option<IncidentEvent> {
    match event {
        IncidentEvent::Opened
        | IncidentEvent::Severity
        | IncidentEvent::Flapping
        | IncidentEvent::Resolved
        | IncidentEvent::Ended => Some(event),
        IncidentEvent::Storm => Some(IncidentEvent::Opened),
        IncidentEvent::Joined | IncidentEvent::Left | IncidentEvent::Acknowledged => None,
    }
}

/// When news of an incident in a storm are due: the first message of the storm as soon as that of any incident, further
/// ones in steps, so that what comes in between is told together.
fn storm_due_ms(began_ms: i64, wait_ms: i64, severity: Severity, now_ms: i64) -> i64 {
    let step_ms = if severity == Severity::Critical { STORM_CRITICAL_MS } else { STORM_OTHERS_MS };
    let first_ms = began_ms.saturating_add(wait_ms);
    let late_ms = now_ms.saturating_sub(first_ms);
    let steps = if late_ms <= 0 { 0 } else { (late_ms - 1) / step_ms + 1 };
    // The wall clock may have been set since.
    first_ms.saturating_add(steps.saturating_mul(step_ms)).clamp(now_ms, now_ms + wait_ms.max(step_ms))
}

fn rows_of<'a>(
    route: &'a Route,
    event: IncidentEvent,
    at_ms: i64,
    incident: &'a Incident,
    now_ms: i64,
) -> impl Iterator<Item = OutboxRow> + 'a {
    let due_ms = if let Some(began_ms) = incident.course.storm_ms {
        storm_due_ms(began_ms, route.wait_ms(incident.severity), incident.severity, now_ms)
    } else if event.closes() {
        // At once, but never before the message that says that it began: then both become one message.
        let wait_ms = route.longest_wait_ms() + 1_000;
        incident.opened_ms.saturating_add(wait_ms).clamp(now_ms, now_ms + wait_ms)
    } else {
        now_ms + route.wait_ms(incident.severity)
    };
    let lasts_ms = if incident.severity == Severity::Critical { 72 * HOUR_MS } else { 24 * HOUR_MS };
    // These can happen many times; everything else happens to an incident once.
    let distinct = matches!(event, IncidentEvent::Severity | IncidentEvent::Flapping).then_some(at_ms);
    let group_key = route.group_key(incident);
    route.targets.iter().flat_map(move |target| {
        let group_key = group_key.clone();
        target.recipients.iter().map(move |recipient| OutboxRow {
            dedup_key: dedup_key(incident.key, event, distinct, &target.channel, recipient),
            group_key: group_key.clone(),
            incident: Some(incident.key),
            event: Some(event),
            channel: target.channel.clone(),
            recipient: recipient.clone(),
            due_ms,
            created_ms: now_ms,
            expires_ms: now_ms + lasts_ms,
            unless: None,
        })
    })
}
