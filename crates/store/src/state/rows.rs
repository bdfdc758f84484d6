//! Rows of the state database as the types of the domain.

use rusqlite::Row;
use watchkeeper_core::alert::{Alert, AlertState, Fingerprint, Severity};
use watchkeeper_core::incident::{Incident, IncidentEvent, IncidentHistory, IncidentKey};
use watchkeeper_core::outbox::{Delivery, OutboxRow, Outcome};

use super::Failure;
use super::json;

/// Columns of [`alert`], in its order.
pub(super) const ALERT: &str =
    "fingerprint, rule, metric, entity, state, since_ms, observed_ms, fired_ms, ended_ms, value, seen_ms, incident";

/// Columns of [`incident`], in its order.
pub(super) const INCIDENT: &str =
    "ticket, key, cause, severity, title, host, labels, alerts, opened_ms, closed_ms, evidence, joined, times, course";

/// Columns of [`outbox_row`], in its order.
pub(super) const OUTBOX: &str =
    "dedup_key, group_key, incident, event, channel, recipient, due_ms, created_ms, expires_ms, unless";

/// A 64-bit hash as the database keeps it.
pub(super) fn hash_column(hash: u64) -> i64 {
    hash.cast_signed()
}

pub(super) fn key_of(column: i64) -> IncidentKey {
    IncidentKey(column.cast_unsigned())
}

/// An alert from a row of [`ALERT`].
pub(super) fn alert(row: &Row<'_>) -> Result<Alert, Failure> {
    let (state, entity): (String, String) = (row.get(4)?, row.get(3)?);
    Ok(Alert {
        fingerprint: Fingerprint(row.get::<_, i64>(0)?.cast_unsigned()),
        rule: row.get(1)?,
        metric: row.get(2)?,
        entity: json::decode("the entity of an alert", &entity)?,
        state: AlertState::from_word(&state).ok_or_else(|| unknown("state of an alert", &state))?,
        since_ms: row.get(5)?,
        observed_ms: row.get(6)?,
        fired_ms: row.get(7)?,
        ended_ms: row.get(8)?,
        value: row.get(9)?,
        seen_ms: row.get(10)?,
        incident: row.get::<_, Option<i64>>(11)?.map(key_of),
    })
}

/// An incident from a row of [`INCIDENT`].
pub(super) fn incident(row: &Row<'_>) -> Result<Incident, Failure> {
    let (severity, labels, alerts, evidence): (String, String, String, String) =
        (row.get(3)?, row.get(6)?, row.get(7)?, row.get(10)?);
    let (joined, course): (String, String) = (row.get(11)?, row.get(13)?);
    Ok(Incident {
        ticket: Some(row.get(0)?),
        key: key_of(row.get(1)?),
        cause: row.get(2)?,
        severity: Severity::from_word(&severity).ok_or_else(|| unknown("severity", &severity))?,
        title: row.get(4)?,
        host: row.get(5)?,
        labels: json::decode("the labels of an incident", &labels)?,
        alerts: json::decode("the alerts of an incident", &alerts)?,
        joined: json::decode("the alerts that joined an incident", &joined)?,
        times: row.get(12)?,
        course: json::decode("the course of an incident", &course)?,
        opened_ms: row.get(8)?,
        closed_ms: row.get(9)?,
        evidence: json::decode_evidence(&evidence)?,
    })
}

/// An entry of an incident's history from `at_ms, event, detail`.
pub(super) fn history(row: &Row<'_>) -> Result<IncidentHistory, Failure> {
    let event: String = row.get(1)?;
    Ok(IncidentHistory { at_ms: row.get(0)?, event: event_of(&event)?, detail: row.get(2)? })
}

/// A message from a row of [`OUTBOX`] whose first column stands at `first`.
pub(super) fn outbox_row(row: &Row<'_>, first: usize) -> Result<OutboxRow, Failure> {
    let event: Option<String> = row.get(first + 3)?;
    Ok(OutboxRow {
        dedup_key: row.get(first)?,
        group_key: row.get(first + 1)?,
        incident: row.get::<_, Option<i64>>(first + 2)?.map(key_of),
        event: event.as_deref().map(event_of).transpose()?,
        channel: row.get(first + 4)?,
        recipient: row.get(first + 5)?,
        due_ms: row.get(first + 6)?,
        created_ms: row.get(first + 7)?,
        expires_ms: row.get(first + 8)?,
        unless: row.get(first + 9)?,
    })
}

/// An attempt from `ts_ms, outcome, code, text`.
pub(super) fn delivery(row: &Row<'_>) -> Result<Delivery, Failure> {
    let outcome: String = row.get(1)?;
    Ok(Delivery { ts_ms: row.get(0)?, outcome: outcome_of(&outcome)?, code: row.get(2)?, text: row.get(3)? })
}

fn event_of(word: &str) -> Result<IncidentEvent, Failure> {
    IncidentEvent::from_word(word).ok_or_else(|| unknown("event of an incident", word))
}

fn outcome_of(word: &str) -> Result<Outcome, Failure> {
    [Outcome::Sent, Outcome::Transient, Outcome::Channel, Outcome::Dead, Outcome::Needless]
        .into_iter()
        .find(|outcome| outcome.word() == word)
        .ok_or_else(|| unknown("outcome of a delivery", word))
}

fn unknown(what: &str, word: &str) -> Failure {
    Failure::Malformed(format!("`{word}` is not a {what}"))
}
