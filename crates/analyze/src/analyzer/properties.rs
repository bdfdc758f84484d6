//! What holds for incidents whatever happens: checked against the alerts alone, from their definition.

use std::collections::BTreeSet;

use proptest::prelude::*;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Alert, AlertState, Entity, Fingerprint, IncidentEvent, IncidentKey, Severity};

use super::stories::BUSY;
use super::*;
use crate::RuleConfig;
use crate::scenes::{Story, burning, process, rule};

const PROGRAMS: [&str; 3] = ["cc1", "ld", "yes"];

/// What happens, and how many looks pass then.
#[derive(Clone, Copy, Debug)]
enum Event {
    Cpu(Option<u8>),
    Filesystem(u8),
    Begins(usize, bool),
    Calms(usize),
    Ends(usize),
    Restart,
}

fn event() -> impl Strategy<Value = (Event, usize)> {
    let event = prop_oneof![
        3 => prop::option::weighted(0.9, prop::sample::select(vec![10_u8, 88, 95])).prop_map(Event::Cpu),
        2 => prop::sample::select(vec![50_u8, 93, 99]).prop_map(Event::Filesystem),
        4 => (0..PROGRAMS.len(), any::<bool>()).prop_map(|(program, burns)| Event::Begins(program, burns)),
        2 => (0_usize..8).prop_map(Event::Calms),
        3 => (0_usize..8).prop_map(Event::Ends),
        1 => Just(Event::Restart),
    ];
    (event, prop::sample::select(vec![1_usize, 2, 5, 30, 70, 310]))
}

fn rules() -> [RuleConfig; 4] {
    let graver = |severity, rule| RuleConfig { severity, ..rule };
    let keeps = |seconds, rule| RuleConfig { keep_firing: Span::from_secs(seconds), ..rule };
    [
        keeps(3, rule("hog", "process.cpu.utilization > \"25%\"", "0s")),
        graver(Severity::Critical, rule("busy", BUSY, "3s")),
        graver(Severity::Info, rule("full", "system.filesystem.utilization > \"90%\"", "0s")),
        graver(Severity::Critical, keeps(5, rule("fuller", "system.filesystem.utilization > \"97%\"", "0s"))),
    ]
}

fn severity_of(alert: &Alert) -> Severity {
    let id = rule_without_data(alert).unwrap_or(&alert.rule);
    rules().into_iter().find(|rule| rule.id == id).unwrap().severity
}

/// What is known of incidents from their changes and those of alerts alone.
#[derive(Default)]
struct Known {
    alive: BTreeMap<Fingerprint, Alert>,
    open: BTreeMap<IncidentKey, Severity>,
    closed: BTreeSet<IncidentKey>,
    is_back: BTreeSet<IncidentKey>,
}

impl Known {
    fn learn(&mut self, changes: &[Change]) -> Result<(), TestCaseError> {
        for change in changes {
            let Change::Alert(alert) = change else { continue };
            match alert.state {
                AlertState::Firing | AlertState::Recovering => {
                    prop_assert!(alert.incident.is_some(), "{} fires without an incident", alert.rule);
                    self.alive.insert(alert.fingerprint, alert.clone());
                }
                _ => {
                    self.alive.remove(&alert.fingerprint);
                    if alert.state == AlertState::Resolved {
                        self.is_back.extend(alert.incident);
                    }
                }
            }
        }
        for change in changes {
            let Change::Incident { event, incident, .. } = change else { continue };
            let key = incident.key;
            prop_assert!(!self.closed.contains(&key), "{event:?} after the end");
            prop_assert_eq!(*event == IncidentEvent::Opened, !self.open.contains_key(&key));
            if let Some(before) = self.open.insert(key, incident.severity) {
                let differs = before != incident.severity;
                let of_key =
                    |change: &&Change| matches!(change, Change::Incident { incident, .. } if incident.key == key);
                let is_told = changes
                    .iter()
                    .filter(of_key)
                    .any(|change| matches!(change, Change::Incident { event: IncidentEvent::Severity, .. }));
                prop_assert!(!differs || is_told, "the severity changed in silence");
            }
            if event.closes() {
                let back = self.is_back.contains(&key);
                prop_assert_eq!(*event == IncidentEvent::Resolved, back, "{}", incident.title);
                prop_assert!(self.alive.values().all(|alert| alert.incident != Some(key)), "it closed with an alert");
                self.open.remove(&key);
                self.closed.insert(key);
            }
        }
        Ok(())
    }

    fn agrees(&self, analyzer: &Analyzer) -> Result<(), TestCaseError> {
        let open = analyzer.open_incidents();
        prop_assert_eq!(open.len(), self.open.len());
        for alert in self.alive.values() {
            prop_assert!(alert.incident.is_some_and(|key| self.open.contains_key(&key)), "{} is in none", alert.rule);
        }
        let mut about = BTreeSet::new();
        for incident in open {
            let alerts = self.alive.values().filter(|alert| alert.incident == Some(incident.key));
            if let Some(gravest) = alerts.clone().map(severity_of).max() {
                prop_assert_eq!(incident.severity, gravest, "{}", incident.title);
            } else {
                let of_process = |entity: &Entity| matches!(entity, Entity::Program(_) | Entity::Process(_));
                let waits = incident.course.about.iter().any(|about| of_process(&about.entity));
                prop_assert!(waits || incident.cause == "no-data", "nothing holds {} open", incident.title);
            }
            for alert in alerts.filter(|alert| rule_without_data(alert).is_none()) {
                prop_assert!(incident.course.about.iter().any(|about| about.rule == alert.rule), "{}", alert.rule);
            }
            for one in &incident.course.about {
                prop_assert!(about.insert(one.clone()), "{one:?} is in two incidents");
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn incidents_follow_from_their_alerts(events in prop::collection::vec(event(), 1..40)) {
        let mut story = Story::new(&rules());
        story.machine.filesystem("/", 0.5);
        let (mut known, mut pids, mut next) = (Known::default(), Vec::new(), 10_u32);
        for (event, looks) in events {
            let before = story.changes.len();
            match event {
                Event::Cpu(percent) => story.machine.cpu(percent.map(|percent| f64::from(percent) / 100.0)),
                Event::Filesystem(percent) => story.machine.filesystem("/", f64::from(percent) / 100.0),
                Event::Begins(program, burns) => {
                    let new = process(next, PROGRAMS[program]);
                    story.machine.add(if burns { burning(0.4, new) } else { new });
                    pids.push((next, program));
                    next += 1;
                }
                Event::Calms(place) => {
                    if let Some((pid, program)) = pids.get(place).copied() {
                        *story.machine.process(pid) = process(pid, PROGRAMS[program]);
                    }
                }
                Event::Ends(place) if place < pids.len() => story.machine.remove(pids.remove(place).0),
                Event::Ends(_) => {}
                Event::Restart => {
                    story.restart(5_000);
                }
            }
            known.learn(&story.changes[before..])?;
            known.agrees(&story.analyzer)?;
            for _ in 0..looks {
                let before = story.changes.len();
                story.ticks(1);
                known.learn(&story.changes[before..])?;
                known.agrees(&story.analyzer)?;
            }
        }
    }
}
