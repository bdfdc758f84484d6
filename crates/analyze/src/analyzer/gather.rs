//! What became of the alerts of a tick, gathered into incidents.

use std::collections::BTreeMap;

use watchkeeper_core::incident::{About, Course};
use watchkeeper_core::{Alert, Incident, IncidentKey};

use super::Settings;
use crate::backtest::{Blame, Blames};
use crate::evidence::{Scene, section};
use crate::incidents::{Cause, Firing, Incidents, Place};
use crate::life::Turn;
use crate::rule::Rule;
use crate::watch::Watched;

/// The cause of incidents that say that the data of an alert is missing.
const NO_DATA: &str = "no-data";

/// What happened to one alert.
pub(super) struct Turned {
    /// Place of its rule among the watched; `None`: the rule is gone and everything is settled.
    pub(super) place: Option<usize>,
    pub(super) turn: Turn,
    pub(super) alert: Alert,
}

impl Turned {
    pub(super) fn of(place: Option<usize>, turns: Vec<(Turn, Alert)>) -> impl Iterator<Item = Self> {
        turns.into_iter().map(move |(turn, alert)| Self { place, turn, alert })
    }
}

/// Gives every alert that begins to fire its incident, and takes out those that are over. What may explain others comes
/// first, so that an order of rules decides nothing.
pub(super) fn gather(
    settings: &Settings,
    watched: &mut [Watched],
    incidents: &mut Incidents,
    scene: &mut Scene<'_>,
    turned: &mut [Turned],
    mut blames: Option<&mut Blames>,
) {
    let mut firing: Vec<&mut Turned> = turned.iter_mut().filter(|turned| turned.turn.fires()).collect();
    firing.sort_by_cached_key(|turned| {
        let rule = turned.place.and_then(|place| watched.get(place)).map(|watched| &watched.rule);
        rule.and_then(|rule| cause(rule, turned.turn)).is_none_or(|cause| cause.explained().next().is_none())
    });
    for Turned { place, turn, alert } in firing {
        let Some(watched) = place.and_then(|place| watched.get_mut(place)) else { continue };
        let rule = &watched.rule;
        let mut labels = settings.labels.clone();
        labels.extend(rule.labels.clone());
        let firing = Firing {
            rule,
            turn: *turn,
            alert,
            about: About { rule: alert.rule.clone(), entity: scene.lasting(&alert.entity) },
            cause: cause(rule, *turn),
            labels: &labels,
            at_ms: scene.at_ms(),
        };
        if let Some(blames) = &mut blames {
            let blame = Blame::new(&title(scene, rule, &firing), &scene.evidence(rule, alert, &settings.time_zone));
            blames.insert(alert.fingerprint, blame);
        }
        let place = incidents.place(&firing);
        let key = match place {
            Place::Again(key) | Place::With(key) => {
                incidents.join(place, &firing, || title(scene, rule, &firing));
                key
            }
            Place::Before(key) => {
                let made = made(settings, scene, &firing);
                incidents.lead(key, &firing, made);
                key
            }
            Place::Alone => {
                let made = made(settings, scene, &firing);
                let key = made.key;
                incidents.open(made, &firing);
                key
            }
        };
        alert.incident = Some(key);
        watched.join(alert);
    }
    for Turned { place, turn, alert } in turned.iter() {
        let Some(watched) = place.and_then(|place| watched.get(place)) else { continue };
        match turn {
            Turn::Relapsed => incidents.relapsed(alert),
            turn if turn.is_over() => incidents.over(*turn, alert, Incidents::wait_ms(&watched.rule, *turn, alert)),
            _ => {}
        }
    }
}

/// What an alert that begins to fire is a sign of.
fn cause(rule: &Rule, turn: Turn) -> Option<Cause> {
    if turn == Turn::Blinded { Some(Cause::NoData(section(rule.metric.name))) } else { Cause::of(rule) }
}

fn title(scene: &Scene<'_>, rule: &Rule, firing: &Firing<'_>) -> String {
    if firing.turn == Turn::Blinded {
        scene.title_without_data(rule, firing.alert)
    } else {
        scene.title(rule, firing.alert)
    }
}

/// The incident that an alert opens by beginning to fire.
fn made(settings: &Settings, scene: &mut Scene<'_>, firing: &Firing<'_>) -> Incident {
    let (rule, alert) = (firing.rule, firing.alert);
    let title = title(scene, rule, firing);
    let (cause, evidence) = if firing.turn == Turn::Blinded {
        (NO_DATA, scene.evidence_without_data(rule, alert, &settings.time_zone))
    } else {
        let mut evidence = scene.evidence(rule, alert, &settings.time_zone);
        evidence.summary.clone_from(&rule.summary);
        evidence.runbook.clone_from(&rule.runbook);
        (rule.id.as_str(), evidence)
    };
    let opened_ms = evidence.fired_ms;
    let labels: &BTreeMap<String, String> = firing.labels;
    Incident {
        key: IncidentKey::of(settings.host, alert.fingerprint, opened_ms),
        ticket: None,
        cause: cause.to_owned(),
        severity: rule.severity,
        title,
        host: settings.host_name.clone(),
        labels: labels.clone(),
        alerts: Vec::new(),
        joined: Vec::new(),
        times: 1,
        opened_ms,
        closed_ms: None,
        evidence,
        course: Course::default(),
    }
}
