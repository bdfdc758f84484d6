//! Writing the changes of a tick and the messages they cause.

use rusqlite::{Connection, OptionalExtension, params};
use watchkeeper_core::alert::{Alert, AlertState, Change};
use watchkeeper_core::incident::{Incident, IncidentEvent, IncidentKey, Ticket};
use watchkeeper_core::outbox::OutboxRow;

use super::rows::hash_column;
use super::{Failure, json};

/// Where numbers of new incidents and messages come from.
pub(super) enum Numbers<'a> {
    /// The database on disk gives them, rising.
    Database,
    /// Provisional ones, each below the last one given.
    Provisional(&'a mut i64),
}

impl Numbers<'_> {
    /// The next number, or `None` if the database shall give it.
    fn next(&mut self) -> Option<i64> {
        match self {
            Self::Database => None,
            Self::Provisional(last) => {
                **last -= 1;
                Some(**last)
            }
        }
    }
}

/// Writes changes and rows within the caller's transaction. Answers the ticket of every incident in the changes.
pub(super) fn apply(
    connection: &Connection,
    changes: &[Change],
    rows: &[OutboxRow],
    mut numbers: Numbers<'_>,
) -> Result<Vec<(IncidentKey, Ticket)>, Failure> {
    let mut tickets: Vec<(IncidentKey, Ticket)> = Vec::new();
    // Alerts first: the history of an incident names the alert that joined it.
    for change in changes {
        match (change, &numbers) {
            (Change::Alert(alert), Numbers::Database) if is_over(alert.state) => remove_alert(connection, alert)?,
            (Change::Alert(alert), _) => put_alert(connection, alert)?,
            (Change::Incident { .. }, _) => {}
        }
    }
    for change in changes {
        if let Change::Incident { event, at_ms, incident } = change {
            let ticket = put_incident(connection, incident, &mut numbers)?;
            add_history(connection, *event, *at_ms, incident)?;
            if !tickets.iter().any(|(key, _)| *key == incident.key) {
                tickets.push((incident.key, ticket));
            }
        }
    }
    for row in rows {
        put_row(connection, row, &mut numbers)?;
    }
    Ok(tickets)
}

/// Whether an alert is over. On disk such alerts have no row: a watch that starts does not need them, and their incident
/// tells what was.
pub(super) fn is_over(state: AlertState) -> bool {
    matches!(state, AlertState::Inactive | AlertState::Resolved | AlertState::Ended)
}

/// Deletes the rows of alerts that are over, which only exist in memory and on the way from there.
pub(super) fn sweep_alerts(connection: &Connection) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM alert WHERE state IN ('inactive', 'resolved', 'ended')")?.execute([])?;
    Ok(())
}

fn remove_alert(connection: &Connection, alert: &Alert) -> Result<(), Failure> {
    connection
        .prepare_cached("DELETE FROM alert WHERE fingerprint = ?1")?
        .execute([hash_column(alert.fingerprint.0)])?;
    Ok(())
}

fn put_alert(connection: &Connection, alert: &Alert) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO alert (fingerprint, rule, metric, entity, state, since_ms, observed_ms, fired_ms, \
         ended_ms, value, seen_ms, incident) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    statement.execute(params![
        hash_column(alert.fingerprint.0),
        alert.rule,
        alert.metric,
        json::encode("the entity of an alert", &alert.entity)?,
        alert.state.word(),
        alert.since_ms,
        alert.observed_ms,
        alert.fired_ms,
        alert.ended_ms,
        alert.value,
        alert.seen_ms,
        alert.incident.map(|key| hash_column(key.0)),
    ])?;
    Ok(())
}

/// Writes an incident as it now is. Looked up first: an upsert would use up a ticket number each time.
fn put_incident(connection: &Connection, incident: &Incident, numbers: &mut Numbers<'_>) -> Result<Ticket, Failure> {
    let key = hash_column(incident.key.0);
    let known: Option<Ticket> = connection
        .prepare_cached("SELECT ticket FROM incident WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    let ticket = known.or_else(|| numbers.next());
    let sql = if known.is_some() {
        "UPDATE incident SET key = ?2, cause = ?3, rule = ?4, severity = ?5, title = ?6, host = ?7, labels = ?8, \
         alerts = ?9, opened_ms = ?10, closed_ms = ?11, evidence = ?12, joined = ?13, times = ?14, course = ?15 \
         WHERE ticket = ?1"
    } else {
        "INSERT INTO incident (ticket, key, cause, rule, severity, title, host, labels, alerts, opened_ms, closed_ms, \
         evidence, joined, times, course) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    };
    connection.prepare_cached(sql)?.execute(params![
        ticket,
        key,
        incident.cause,
        incident.evidence.rule,
        incident.severity.word(),
        incident.title,
        incident.host,
        json::encode("the labels of an incident", &incident.labels)?,
        json::encode("the alerts of an incident", &incident.alerts)?,
        incident.opened_ms,
        incident.closed_ms,
        json::encode_evidence(&incident.evidence)?,
        json::encode("the alerts that joined an incident", &incident.joined)?,
        incident.times,
        json::encode("the course of an incident", &incident.course)?,
    ])?;
    Ok(ticket.unwrap_or_else(|| connection.last_insert_rowid()))
}

fn add_history(connection: &Connection, event: IncidentEvent, at_ms: i64, incident: &Incident) -> Result<(), Failure> {
    let detail = match event {
        IncidentEvent::Severity => Some(incident.severity.word().to_owned()),
        IncidentEvent::Joined => Some(joined(at_ms, incident)),
        IncidentEvent::Flapping => {
            incident.course.flapping.as_ref().map(|flapping| format!("{} times", flapping.lately))
        }
        _ => None,
    };
    connection
        .prepare_cached("INSERT INTO incident_event (incident, at_ms, event, detail) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![hash_column(incident.key.0), at_ms, event.word(), detail])?;
    Ok(())
}

/// What joined at this time; of what is not listed any more, how often the incident has fired.
fn joined(at_ms: i64, incident: &Incident) -> String {
    let mut now = incident.joined.iter().filter(|joined| joined.at_ms == at_ms);
    let more = |count: usize| if count > 0 { format!(" and {count} more") } else { String::new() };
    match now.next() {
        Some(first) => format!("{}{}", first.title, more(now.count())),
        None => format!("it has fired {} times", incident.times),
    }
}

/// Writes a row that is not there yet. One that is there and was never tried is told with others if it is planned anew to
/// be: a storm began.
fn put_row(connection: &Connection, row: &OutboxRow, numbers: &mut Numbers<'_>) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (id, dedup_key, group_key, incident, event, channel, recipient, due_ms, created_ms, \
         expires_ms, unless) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (dedup_key) DO UPDATE SET group_key = excluded.group_key, due_ms = excluded.due_ms \
         WHERE group_key <> excluded.group_key AND state = 'pending' AND attempts = 0 AND lease_until_ms IS NULL",
    )?;
    statement.execute(params![
        numbers.next(),
        row.dedup_key,
        row.group_key,
        row.incident.map(|key| hash_column(key.0)),
        row.event.map(IncidentEvent::word),
        row.channel,
        row.recipient,
        row.due_ms,
        row.created_ms,
        row.expires_ms,
        row.unless,
    ])?;
    Ok(())
}
