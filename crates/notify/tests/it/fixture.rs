//! Incidents to tell of.

use std::collections::BTreeMap;

use watchkeeper_core::evidence::{
    Acknowledgement, Amount, Contributor, Cycle, EVIDENCE_VERSION, Evidence, Known, Pattern, ProgramChange, RankedBy,
    Recurrence, UsualRange,
};
use watchkeeper_core::outbox::{Due, OutboxRow};
use watchkeeper_core::{
    BootId, Change, Entity, Fingerprint, HostId, Incident, IncidentEvent, IncidentKey, ProcessKey, Severity, Unit,
};
use watchkeeper_notify::{Origin, RouteConfig, Routes, TargetConfig, plan};

/// 2026-11-20 03:02:00 in Berlin.
pub const OPENED_MS: i64 = 1_795_140_120_000;

pub fn origin() -> Origin {
    Origin { host: "db1".to_owned(), time_zone: "Europe/Berlin".to_owned() }
}

fn contributor(program: &str, pid: u32, share: f64, user: Option<&str>, command: Option<&str>) -> Contributor {
    Contributor {
        key: ProcessKey { boot: BootId::default(), pid, start_ticks: 100 },
        name: program.to_owned(),
        program: program.to_owned(),
        uid: Some(1000),
        user: user.map(str::to_owned),
        command: command.map(str::to_owned),
        started_ms: OPENED_MS - 400_000,
        amount: Amount { value: share, share: Some(share) },
    }
}

/// An incident about the CPU of the machine, with everything known.
pub fn incident(number: i64) -> Incident {
    let opened_ms = OPENED_MS + number * 1_000;
    let fingerprint = Fingerprint::of(HostId::default(), "host-cpu", &Entity::Cpu(number as u32));
    let evidence = Evidence {
        version: EVIDENCE_VERSION,
        rule: "host-cpu".to_owned(),
        condition: "system.cpu.utilization > \"90%\"".to_owned(),
        metric: "system.cpu.utilization".to_owned(),
        unit: Unit::Ratio,
        entity: Entity::Host,
        value: 0.975,
        threshold: Some(0.9),
        since_ms: opened_ms - 300_000,
        fired_ms: opened_ms,
        ranked_by: Some(RankedBy {
            metric: "process.cpu.utilization".to_owned(),
            unit: Unit::Ratio,
            whole: "this machine's CPU".to_owned(),
        }),
        top: vec![
            contributor("yes", 4711, 0.498, Some("alice"), Some("yes > /dev/null")),
            contributor(
                "cargo.service / rustc",
                4712,
                0.312,
                None,
                Some("rustc --crate-name watchkeeper_notify --edition=2024 crates/notify/src/lib.rs --emit=metadata"),
            ),
            contributor("postgres", 812, 0.121, Some("postgres"), Some("postgres: writer process")),
            contributor("kworker/u4:2", 90, 0.004, Some("root"), Some("")),
        ],
        not_attributed: Some(Amount { value: 0.04, share: Some(0.04) }),
        lineage: vec!["yes".to_owned(), "bash".to_owned(), "sshd".to_owned(), "ssh.service".to_owned()],
        changes: vec![
            ProgramChange { program: "yes".to_owned(), now: 0.498, before: None },
            ProgramChange { program: "cargo.service / rustc".to_owned(), now: 0.312, before: Some(0.02) },
        ],
        usual: Known::Yes(UsualRange { low: 0.12, high: 0.35, days: 14 }),
        recurrence: Known::Yes(Recurrence {
            times: 6,
            last_ms: OPENED_MS - 86_400_000,
            median_ms: 660_000,
            pattern: Some(Pattern {
                cycle: Cycle::Day,
                period_ms: 86_400_000,
                minute: Some(184),
                weekday: None,
                spread_ms: 45_000,
                hits: 6,
                chances: 7,
                next_ms: OPENED_MS + 86_400_000,
            }),
        }),
        last_acknowledgement: Known::Yes(Acknowledgement {
            by: "bob".to_owned(),
            at_ms: OPENED_MS - 86_000_000,
            until_ms: None,
            note: Some("nightly build, harmless".to_owned()),
        }),
        trend: None,
        summary: None,
        runbook: None,
        time_zone: "Europe/Berlin".to_owned(),
    };
    Incident {
        key: IncidentKey::of(HostId::default(), fingerprint, opened_ms),
        ticket: Some(7 + number),
        cause: "host-cpu".to_owned(),
        severity: Severity::Critical,
        title: "CPU above 90 % for 5 minutes".to_owned(),
        host: "db1".to_owned(),
        labels: BTreeMap::from([("env".to_owned(), "prod".to_owned()), ("team".to_owned(), "data".to_owned())]),
        alerts: vec![fingerprint],
        joined: Vec::new(),
        times: 1,
        course: watchkeeper_core::incident::Course::default(),
        opened_ms,
        closed_ms: None,
        evidence,
    }
}

/// An incident about a full filesystem, of which little is known.
pub fn filesystem(number: i64) -> Incident {
    let mut incident = incident(number);
    incident.cause = "filesystem-full".into();
    incident.severity = Severity::Warning;
    incident.title = "Filesystem almost full: /var/lib".into();
    incident.labels.clear();
    let evidence = &mut incident.evidence;
    evidence.rule = "filesystem-full".into();
    evidence.condition = "system.filesystem.usage.free < \"2GiB\"".into();
    evidence.metric = "system.filesystem.usage.free".into();
    evidence.unit = Unit::Bytes;
    evidence.entity = Entity::Filesystem("/var/lib".into());
    evidence.value = 1_288_490_189.0;
    evidence.threshold = Some(2_147_483_648.0);
    evidence.ranked_by = Some(RankedBy {
        metric: "process.disk.io.write".into(),
        unit: Unit::BytesPerSecond,
        whole: "all bytes written".into(),
    });
    evidence.top.truncate(2);
    for line in &mut evidence.top {
        line.amount.value *= 40_000_000.0;
    }
    evidence.not_attributed = None;
    evidence.lineage.clear();
    evidence.changes.clear();
    evidence.usual = Known::NotYet;
    evidence.recurrence = Known::Nothing;
    evidence.last_acknowledgement = Known::NotYet;
    incident
}

pub fn change(event: IncidentEvent, incident: &Incident, at_ms: i64) -> Change {
    Change::Incident { event, at_ms, incident: Box::new(incident.clone()) }
}

/// Everything to these recipients over the channel `mail`.
pub fn routes_to(recipients: &[&str]) -> Routes {
    let recipients = recipients.iter().map(|&recipient| recipient.to_owned()).collect();
    let route =
        RouteConfig { to: vec![TargetConfig { channel: "mail".to_owned(), recipients }], ..RouteConfig::default() };
    Routes::compile(&[route], &["mail".to_owned()]).unwrap()
}

/// Rows as a claim gives them.
pub fn due(rows: Vec<OutboxRow>, incidents: &[Incident]) -> Vec<Due> {
    let find = |key: Option<IncidentKey>| incidents.iter().find(|incident| Some(incident.key) == key);
    rows.into_iter()
        .enumerate()
        .map(|(index, row)| Due {
            id: index as i64 + 1,
            attempts: 0,
            incident: find(row.incident).cloned().map(Box::new),
            acknowledged: false,
            told: false,
            memory_only: None,
            row,
        })
        .collect()
}

/// What is due for one recipient when these things happened.
pub fn told(events: &[(IncidentEvent, &Incident)]) -> Vec<Due> {
    told_at(OPENED_MS, events)
}

/// What is due for one recipient when these things happened at this time.
pub fn told_at(now_ms: i64, events: &[(IncidentEvent, &Incident)]) -> Vec<Due> {
    let changes: Vec<Change> = events.iter().map(|(event, incident)| change(*event, incident, now_ms)).collect();
    let incidents: Vec<Incident> = events.iter().map(|(_, incident)| (*incident).clone()).collect();
    due(plan(&changes, &routes_to(&["ops@example.com"]), now_ms), &incidents)
}
