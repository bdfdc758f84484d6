//! The contract of a ledger, kept on disk and in memory alike, and random lives against a naive model.

mod acknowledging;
mod contract;
mod malformed;
mod memory;
mod model;
mod pruning;
mod reading;
mod silencing;
mod waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;
use watchkeeper_core::alert::{Alert, AlertState, Change, Fingerprint, Severity};
use watchkeeper_core::evidence::{EVIDENCE_VERSION, Evidence, Known};
use watchkeeper_core::identity::Entity;
use watchkeeper_core::incident::{
    About, Course, Flapping, Incident, IncidentEvent, IncidentFilter, IncidentKey, Joined, Silence,
};
use watchkeeper_core::outbox::{Delivery, Due, OutboxRow, Outcome};
use watchkeeper_core::port::{Durability, IncidentRecord, Ledger, LedgerError};
use watchkeeper_core::unit::Unit;

use super::SqliteLedger;
use crate::{Store, StoreConfig};

/// A store with a ledger whose disk can be told to refuse.
struct World {
    /// Dropped before the store, as handles are.
    ledger: SqliteLedger,
    store: Option<Store>,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), &StoreConfig::default()).unwrap();
        Self { ledger: store.ledger().unwrap(), store: Some(store), folder }
    }

    /// Every write fails as on a read-only filesystem; reading goes on.
    fn refuse(&self, refuse: bool) {
        self.ledger.connection.pragma_update(None, "query_only", refuse).unwrap();
    }

    /// The disk is back and takes what was held.
    fn come_back(&mut self) {
        self.refuse(false);
        if let Some(receipt) = self.ledger.retry_held().unwrap() {
            assert_eq!(receipt.durability, Durability::Disk);
        }
    }

    /// Another process of the same kind takes the place of this one.
    fn restart(&mut self) {
        // The handle is replaced first: the last connection that closes would tidy up what a crash leaves.
        drop(self.store.take());
        let store = Store::open(&self.path(), &StoreConfig::default()).unwrap();
        self.ledger = store.ledger().unwrap();
        self.store = Some(store);
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The state database as another program sees it.
    fn disk(&self) -> Connection {
        Connection::open(self.path().join("state.db")).unwrap()
    }

    fn incidents(&self) -> Vec<IncidentRecord> {
        super::query::incidents(&self.path(), None, &IncidentFilter::default()).unwrap()
    }

    /// Claims everything due and answers the dedup keys in their order.
    fn claimed(&mut self, now_ms: i64, lease_until_ms: i64, limit: usize) -> Vec<String> {
        let due = self.ledger.claim("mail", now_ms, lease_until_ms, limit).unwrap();
        due.into_iter().map(|due| due.row.dedup_key).collect()
    }

    fn next_due(&mut self) -> Option<i64> {
        self.ledger.next_due("mail").unwrap()
    }
}

fn row(dedup_key: &str, group_key: &str, due_ms: i64) -> OutboxRow {
    OutboxRow {
        dedup_key: dedup_key.to_owned(),
        group_key: group_key.to_owned(),
        incident: None,
        event: Some(IncidentEvent::Opened),
        channel: "mail".to_owned(),
        recipient: "ops@example.com".to_owned(),
        due_ms,
        created_ms: due_ms,
        expires_ms: 1_000_000,
        unless: None,
    }
}

fn delivery(ts_ms: i64, outcome: Outcome) -> Delivery {
    Delivery { ts_ms, outcome, code: Some(250), text: "an answer".to_owned() }
}

fn alert(fingerprint: u64, state: AlertState) -> Alert {
    Alert {
        fingerprint: Fingerprint(fingerprint),
        rule: "disk-full".to_owned(),
        metric: "system.filesystem.utilization".to_owned(),
        entity: Entity::Filesystem("/var \u{1b}[31m".to_owned()),
        state,
        since_ms: 10,
        observed_ms: 20,
        fired_ms: Some(30),
        ended_ms: None,
        value: Some(0.97),
        seen_ms: 40,
        incident: Some(IncidentKey(u64::MAX)),
    }
}

fn joined(at_ms: i64) -> Joined {
    Joined {
        at_ms,
        rule: "disk-full".to_owned(),
        severity: Severity::Critical,
        title: "disk almost full: /var \u{1b}[31m".to_owned(),
        fingerprint: Fingerprint(5),
    }
}

fn course(at_ms: i64) -> Course {
    let flapping = Flapping { alerts: vec![Fingerprint(u64::MAX)], told_ms: at_ms, lately: 4, ..Flapping::default() };
    let about = About { rule: "cpu-high".to_owned(), entity: Entity::Host };
    Course { is_back: true, about: vec![about], flapping: Some(flapping), storm_ms: Some(at_ms) }
}

fn incident(key: u64, opened_ms: i64) -> Incident {
    Incident {
        key: IncidentKey(key),
        ticket: None,
        cause: "host-cpu".to_owned(),
        severity: Severity::Warning,
        title: "CPU above 90 %".to_owned(),
        host: "db1".to_owned(),
        labels: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        alerts: vec![Fingerprint(u64::MAX)],
        joined: vec![joined(opened_ms - 1)],
        times: 3,
        course: course(opened_ms),
        opened_ms,
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
            since_ms: opened_ms - 5,
            fired_ms: opened_ms,
            ranked_by: None,
            top: Vec::new(),
            not_attributed: None,
            lineage: Vec::new(),
            changes: Vec::new(),
            usual: Known::NotYet,
            recurrence: Known::Nothing,
            last_acknowledgement: Known::NotYet,
            trend: None,
            summary: None,
            runbook: None,
            time_zone: "Europe/Berlin".to_owned(),
        },
    }
}

/// As it is before it has a number.
fn silence(starts_ms: i64, ends_ms: i64) -> Silence {
    Silence {
        number: 0,
        matcher: "rule == \"cpu-high\"".to_owned(),
        author: "ada".to_owned(),
        comment: "new disks".to_owned(),
        created_ms: starts_ms,
        starts_ms,
        ends_ms,
    }
}

fn opened(incident: &Incident) -> Change {
    happened(incident, IncidentEvent::Opened, incident.opened_ms)
}

fn happened(incident: &Incident, event: IncidentEvent, at_ms: i64) -> Change {
    Change::Incident { event, at_ms, incident: Box::new(incident.clone()) }
}

fn commit(world: &mut World, rows: &[OutboxRow], durability: &Durability) {
    assert_eq!(world.ledger.commit(&[], rows).unwrap().durability, *durability);
}

fn claim(world: &mut World, now_ms: i64) -> Vec<Due> {
    world.ledger.claim("mail", now_ms, now_ms + 35, 100).unwrap()
}
