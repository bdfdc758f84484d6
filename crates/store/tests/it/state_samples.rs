//! Incidents and messages for the tests of the state database.

use std::collections::BTreeMap;

use watchkeeper_core::alert::{Change, Fingerprint, Severity};
use watchkeeper_core::evidence::{EVIDENCE_VERSION, Evidence, Known};
use watchkeeper_core::identity::Entity;
use watchkeeper_core::incident::{Incident, IncidentEvent, IncidentKey};
use watchkeeper_core::outbox::{Delivery, OutboxRow, Outcome};
use watchkeeper_core::unit::Unit;

pub fn row(dedup_key: &str) -> OutboxRow {
    OutboxRow {
        dedup_key: dedup_key.to_owned(),
        group_key: dedup_key.to_owned(),
        incident: None,
        event: None,
        channel: "mail".to_owned(),
        recipient: "ops@example.com".to_owned(),
        due_ms: 0,
        created_ms: 0,
        expires_ms: i64::MAX,
        unless: None,
    }
}

pub fn sent(ts_ms: i64) -> Delivery {
    Delivery { ts_ms, outcome: Outcome::Sent, code: Some(250), text: "ok".to_owned() }
}

pub fn opened(key: u64) -> Change {
    let incident = Incident {
        key: IncidentKey(key),
        ticket: None,
        cause: "cpu-high".to_owned(),
        severity: Severity::Critical,
        title: "CPU above 90 %".to_owned(),
        host: "db1".to_owned(),
        labels: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        alerts: vec![Fingerprint(key)],
        joined: Vec::new(),
        times: 1,
        course: watchkeeper_core::incident::Course::default(),
        opened_ms: 1_000,
        closed_ms: None,
        evidence: Evidence {
            version: EVIDENCE_VERSION,
            rule: "cpu-high".to_owned(),
            condition: "system.cpu.utilization > \"90%\"".to_owned(),
            metric: "system.cpu.utilization".to_owned(),
            unit: Unit::Ratio,
            entity: Entity::Host,
            value: 0.98,
            threshold: Some(0.9),
            since_ms: 500,
            fired_ms: 1_000,
            ranked_by: None,
            top: Vec::new(),
            not_attributed: None,
            lineage: vec!["rustc x14".to_owned(), "cargo".to_owned()],
            changes: Vec::new(),
            usual: Known::NotYet,
            recurrence: Known::Nothing,
            last_acknowledgement: Known::NotYet,
            trend: None,
            summary: None,
            runbook: None,
            time_zone: "UTC".to_owned(),
        },
    };
    Change::Incident { event: IncidentEvent::Opened, at_ms: 1_000, incident: Box::new(incident) }
}
