//! How long a firing alert takes to be on disk: one alert, one incident, one message, in one synced transaction.
//! Budget: 50 ms at the 99th percentile. Prints percentiles, which is what the budget is about.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use watchkeeper_core::alert::{Alert, AlertState, Change, Fingerprint, Severity};
use watchkeeper_core::evidence::{Amount, Contributor, EVIDENCE_VERSION, Evidence, Known, TOP};
use watchkeeper_core::identity::{BootId, Entity, ProcessKey};
use watchkeeper_core::incident::{Incident, IncidentEvent, IncidentKey};
use watchkeeper_core::outbox::OutboxRow;
use watchkeeper_core::port::{Durability, Ledger};
use watchkeeper_core::unit::Unit;
use watchkeeper_store::{Store, StoreConfig};

fn main() {
    // Without it, cargo only wants to know that this runs.
    let commits = if std::env::args().any(|argument| argument == "--bench") { 2_000 } else { 20 };
    let around = tempfile::tempdir().expect("a folder can be made");
    let store = Store::open(&around.path().join("store"), &StoreConfig::default()).expect("a new store can be opened");
    let mut ledger = store.ledger().expect("a ledger can be opened");
    let mut commit = Vec::with_capacity(commits);
    let mut round = Vec::with_capacity(commits);
    for number in 0..commits as u64 {
        let (changes, rows) = firing(number);
        let begun = Instant::now();
        let receipt = ledger.commit(&changes, &rows).expect("the commit does not fail");
        commit.push(begun.elapsed());
        assert_eq!(receipt.durability, Durability::Disk);
        let due = ledger.claim("mail", 1, 2, 1).expect("the claim does not fail");
        round.push(begun.elapsed());
        assert_eq!(due.len(), 1);
    }
    report("commit of an alert, an incident and a message", commit);
    report("the same, and the claim of the message", round);
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: p50 {:.2?}, p90 {:.2?}, p99 {:.2?}, largest {:.2?}", at(0.5), at(0.9), at(0.99), at(1.0));
}

fn firing(number: u64) -> (Vec<Change>, Vec<OutboxRow>) {
    let key = IncidentKey(number);
    let contributor = |pid: u32| Contributor {
        key: ProcessKey { boot: BootId::default(), pid, start_ticks: 1_000 },
        name: "rustc".to_owned(),
        program: "user.slice/rustc".to_owned(),
        uid: Some(1_000),
        user: Some("ada".to_owned()),
        command: Some("rustc --crate-name watchkeeper --edition 2024 src/main.rs ".repeat(8)),
        started_ms: 1_795_000_000_000,
        amount: Amount { value: 0.49, share: Some(0.49) },
    };
    let evidence = Evidence {
        version: EVIDENCE_VERSION,
        rule: "host-cpu".to_owned(),
        condition: "system.cpu.utilization > \"90%\"".to_owned(),
        metric: "system.cpu.utilization".to_owned(),
        unit: Unit::Ratio,
        entity: Entity::Host,
        value: 0.98,
        threshold: Some(0.9),
        since_ms: 1_795_000_000_000,
        fired_ms: 1_795_000_300_000,
        ranked_by: None,
        top: (0..TOP as u32).map(contributor).collect(),
        not_attributed: Some(Amount { value: 0.01, share: Some(0.01) }),
        lineage: vec!["rustc x14".to_owned(), "cargo".to_owned()],
        changes: Vec::new(),
        usual: Known::NotYet,
        recurrence: Known::NotYet,
        last_acknowledgement: Known::NotYet,
        trend: None,
        summary: None,
        runbook: None,
        time_zone: "Europe/Berlin".to_owned(),
    };
    let incident = Incident {
        key,
        ticket: None,
        cause: "host-cpu".to_owned(),
        severity: Severity::Warning,
        title: "CPU above 90 % for 5 minutes".to_owned(),
        host: "db1".to_owned(),
        labels: BTreeMap::new(),
        alerts: vec![Fingerprint(number)],
        joined: Vec::new(),
        times: 1,
        course: watchkeeper_core::incident::Course::default(),
        opened_ms: 1_795_000_300_000,
        closed_ms: None,
        evidence,
    };
    let alert = Alert {
        fingerprint: Fingerprint(number),
        rule: "host-cpu".to_owned(),
        metric: "system.cpu.utilization".to_owned(),
        entity: Entity::Host,
        state: AlertState::Firing,
        since_ms: 1_795_000_000_000,
        observed_ms: 300_000,
        fired_ms: Some(1_795_000_300_000),
        ended_ms: None,
        value: Some(0.98),
        seen_ms: 1_795_000_300_000,
        incident: Some(key),
    };
    let row = OutboxRow {
        dedup_key: format!("{key}/opened/mail/ops@example.com"),
        group_key: key.to_string(),
        incident: Some(key),
        event: Some(IncidentEvent::Opened),
        channel: "mail".to_owned(),
        recipient: "ops@example.com".to_owned(),
        due_ms: 0,
        created_ms: 0,
        expires_ms: i64::MAX,
        unless: None,
    };
    let opened =
        Change::Incident { event: IncidentEvent::Opened, at_ms: 1_795_000_300_000, incident: Box::new(incident) };
    (vec![Change::Alert(alert), opened], vec![row])
}
