//! Messages: claiming what is due, writing what became of it.

use rusqlite::{Connection, OptionalExtension, params};
use watchkeeper_core::incident::{Incident, IncidentKey};
use watchkeeper_core::outbox::{Delivery, Due, OutboxId, OutboxRow, Outcome};
use watchkeeper_core::port::OutboxCounts;

use super::Failure;
use super::rows::{self, hash_column};

/// Rows in the order they came in: those in memory, with falling numbers, after those on disk.
const ORDER: &str = "iif(id > 0, id, 0x4000000000000000 - id)";
/// A message about more incidents than this shows each of them in one line of a table.
const MANY: usize = 100;
/// A row is free if no worker has it, or its worker's lease is over.
const FREE: &str = "state = 'pending' AND (lease_until_ms IS NULL OR lease_until_ms <= ?2)";

/// Claims whole groups, the one that has waited longest first. A row whose incident cannot be understood is given up
/// with that reason: it would hold up all others for ever.
pub(super) fn claim(
    connection: &Connection,
    channel: &str,
    now_ms: i64,
    lease_until_ms: i64,
    limit: usize,
    memory_reason: Option<&str>,
) -> Result<Vec<Due>, Failure> {
    let groups: Vec<(String, String)> = connection
        .prepare_cached(&format!(
            "SELECT group_key, recipient FROM outbox WHERE channel = ?1 AND {FREE} AND due_ms <= ?2 \
             GROUP BY group_key, recipient ORDER BY min(due_ms), min(created_ms), min({ORDER}) LIMIT ?3"
        ))?
        .query_map(params![channel, now_ms, limit as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut due = Vec::new();
    for (group_key, recipient) in groups {
        let rows = claim_group(connection, [channel, &group_key, &recipient], now_ms, lease_until_ms)?;
        let are_many = rows.len() > MANY;
        for claimed in rows {
            let incident = match claimed.row.incident {
                None => Ok(None),
                Some(key) => incident_now(connection, key),
            };
            let incident = incident.map(|found| found.map(|incident| if are_many { slim(incident) } else { incident }));
            match incident {
                Ok(incident) => due.push(Due {
                    acknowledged: match &incident {
                        Some(incident) => is_acknowledged(connection, incident.key, now_ms)?,
                        None => false,
                    },
                    // What was sent before is not in memory: in doubt they know of it.
                    told: memory_reason.is_some() || was_told(connection, &claimed.row)?,
                    incident: incident.map(Box::new),
                    memory_only: memory_reason.filter(|_| claimed.id < 0).map(str::to_owned),
                    ..claimed
                }),
                Err(Failure::Malformed(reason)) => {
                    tracing::error!(message = claimed.id, reason, "a message is given up");
                    let text = format!("the stored incident cannot be understood: {reason}");
                    let delivery = Delivery { ts_ms: now_ms, outcome: Outcome::Dead, code: None, text };
                    finish(connection, claimed.id, &delivery, None)?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(due)
}

/// Leases all free rows of one group to one recipient, oldest first.
fn claim_group(
    connection: &Connection,
    [channel, group_key, recipient]: [&str; 3],
    now_ms: i64,
    lease_until_ms: i64,
) -> Result<Vec<Due>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, attempts, {} FROM outbox WHERE channel = ?1 AND {FREE} AND group_key = ?3 AND recipient = ?4 \
         ORDER BY created_ms, {ORDER}",
        rows::OUTBOX
    ))?;
    let mut found = statement.query(params![channel, now_ms, group_key, recipient])?;
    let mut claimed = Vec::new();
    while let Some(row) = found.next()? {
        claimed.push(Due {
            id: row.get(0)?,
            attempts: row.get(1)?,
            row: rows::outbox_row(row, 2)?,
            incident: None,
            acknowledged: false,
            told: false,
            memory_only: None,
        });
    }
    let mut lease = connection.prepare_cached("UPDATE outbox SET lease_until_ms = ?2 WHERE id = ?1")?;
    for due in &claimed {
        lease.execute([due.id, lease_until_ms])?;
    }
    Ok(claimed)
}

/// Of very many incidents only what a table says of each.
fn slim(mut incident: Incident) -> Incident {
    let evidence = &mut incident.evidence;
    evidence.top.truncate(1);
    for first in &mut evidence.top {
        first.command = None;
    }
    (evidence.lineage, evidence.changes) = (Vec::new(), Vec::new());
    (incident.joined, incident.alerts) = (Vec::new(), Vec::new());
    incident
}

/// The incident as it now stands.
fn incident_now(connection: &Connection, key: IncidentKey) -> Result<Option<Incident>, Failure> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {} FROM incident WHERE key = ?1", rows::INCIDENT))?;
    let mut found = statement.query([hash_column(key.0)])?;
    found.next()?.map(rows::incident).transpose()
}

/// Whether this recipient has accepted a message about the same incident through the same channel.
fn was_told(connection: &Connection, row: &OutboxRow) -> Result<bool, Failure> {
    let Some(key) = row.incident else { return Ok(false) };
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE incident = ?1 AND channel = ?2 AND recipient = ?3 AND state = 'sent')",
    )?;
    Ok(statement.query_row(params![hash_column(key.0), row.channel, row.recipient], |row| row.get(0))?)
}

/// Whether the newest acknowledgement is in force.
fn is_acknowledged(connection: &Connection, key: IncidentKey, now_ms: i64) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT until_ms IS NULL OR until_ms > ?2 FROM acknowledgement WHERE incident = ?1 \
         ORDER BY at_ms DESC, id DESC LIMIT 1",
    )?;
    Ok(statement.query_row([hash_column(key.0), now_ms], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Writes what became of an attempt. Answers `false` if there is no such row.
///
/// A row that is to be tried again is due at `next_due_ms`, but at the latest when it expires: then it has its last
/// attempt. A row that is no longer pending only becomes `sent`, by an acceptance that arrived late.
pub(super) fn finish(
    connection: &Connection,
    id: OutboxId,
    delivery: &Delivery,
    next_due_ms: Option<i64>,
) -> Result<bool, Failure> {
    let row: Option<(String, i64)> = connection
        .prepare_cached("SELECT state, expires_ms FROM outbox WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((state, expires_ms)) = row else { return Ok(false) };
    connection
        .prepare_cached("INSERT INTO delivery (outbox, ts_ms, outcome, code, text) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id, delivery.ts_ms, delivery.outcome.word(), delivery.code, delivery.text])?;
    let attempted = i64::from(delivery.outcome != Outcome::Needless);
    connection.prepare_cached("UPDATE outbox SET attempts = attempts + ?2 WHERE id = ?1")?.execute([id, attempted])?;
    let end = match delivery.outcome {
        Outcome::Sent => Some("sent"),
        _ if state != "pending" => return Ok(true),
        Outcome::Dead => Some("dead"),
        Outcome::Needless => Some("needless"),
        Outcome::Transient | Outcome::Channel => (delivery.ts_ms >= expires_ms).then_some("dead"),
    };
    if let Some(end) = end {
        connection
            .prepare_cached("UPDATE outbox SET state = ?2, finished_ms = ?3, lease_until_ms = NULL WHERE id = ?1")?
            .execute(params![id, end, delivery.ts_ms])?;
    } else {
        let due_ms = next_due_ms.unwrap_or(delivery.ts_ms).min(expires_ms);
        connection
            .prepare_cached("UPDATE outbox SET due_ms = ?2, lease_until_ms = NULL WHERE id = ?1")?
            .execute([id, due_ms])?;
    }
    Ok(true)
}

/// Makes the rows of a channel due that were tried, wait for their next attempt and are free. Answers how many.
pub(super) fn wake(connection: &Connection, channel: &str, now_ms: i64) -> Result<u64, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "UPDATE outbox SET due_ms = ?2 WHERE channel = ?1 AND {FREE} AND attempts > 0 AND due_ms > ?2"
    ))?;
    Ok(statement.execute(params![channel, now_ms])? as u64)
}

/// When the next row of a channel can be claimed.
pub(super) fn next_due(connection: &Connection, channel: &str) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT min(max(due_ms, coalesce(lease_until_ms, due_ms))) FROM outbox WHERE channel = ?1 AND state = 'pending'",
    )?;
    Ok(statement.query_row([channel], |row| row.get(0))?)
}

/// What the outbox of this database holds, but for the rows with these numbers. A test message that nobody took was told to
/// whoever sent it and is not counted as lost.
pub(super) fn counts(connection: &Connection, without: &[OutboxId]) -> Result<OutboxCounts, Failure> {
    let without = serde_json::to_string(without).expect("numbers have a JSON form");
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'sent'), \
         count(*) FILTER (WHERE state = 'dead' AND event IS NOT NULL), min(created_ms) FILTER (WHERE state = 'pending') FROM outbox \
         WHERE id NOT IN (SELECT value FROM json_each(?1))",
    )?;
    Ok(statement.query_row([without], |row| {
        Ok(OutboxCounts {
            pending: row.get::<_, i64>(0)?.cast_unsigned(),
            sent: row.get::<_, i64>(1)?.cast_unsigned(),
            dead: row.get::<_, i64>(2)?.cast_unsigned(),
            oldest_pending_ms: row.get(3)?,
        })
    })?)
}
