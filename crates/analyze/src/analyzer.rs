//! Snapshots in, changes out.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_core::catalogue::Metric;
use watchkeeper_core::moment::Moment;
use watchkeeper_core::port::{LoadedState, Receipt};
use watchkeeper_core::snapshot::{Process, TickFlags};
use watchkeeper_core::{Alert, Change, HostId, Incident, IncidentEvent, IncidentKey, Snapshot};

use crate::evidence::Scene;
use crate::life::{Life, Turn, rule_without_data};
use crate::programs::last_row;
use crate::ranking::Measure;
use crate::ring::Ring;
use crate::rule::Rule;
use crate::watch::{Tick, Watched};
use crate::window::Clock;

/// What is pending or recovering goes on after a restart of at most this length, or of three intervals if that is
/// longer.
const RESTART_GAP_MS: i64 = 300_000;

/// The cause of incidents that say that the data of an alert is missing.
const NO_DATA: &str = "no-data";

/// The label of an incident whose alert flaps: routes can match it, and a restart knows it by it.
const FLAPPING: &str = "flapping";
const YES: &str = "yes";

/// What the analyzer works with; a reload brings a whole new one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host for ever.
    pub host: HostId,
    /// Its name.
    pub host_name: String,
    /// Labels that every incident carries.
    pub labels: BTreeMap<String, String>,
    /// IANA name of the time zone of local times.
    pub time_zone: String,
    /// The rules in force.
    pub rules: Vec<Rule>,
}

/// How many alerts are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertCounts {
    /// Conditions that hold, not yet for as long as their rules ask.
    pub pending: usize,
    /// Alerts that fire.
    pub firing: usize,
    /// Alerts that are about to be over.
    pub recovering: usize,
}

/// Evaluates all rules on each snapshot and keeps the alerts and incidents that come of it.
pub struct Analyzer {
    settings: Settings,
    watched: Vec<Watched>,
    /// Those that are open.
    incidents: BTreeMap<IncidentKey, Incident>,
    /// Alerts whose rules are gone, until the next tick says when that was.
    orphans: Vec<Life>,
    /// Whether the first tick is still to come: what waits since an earlier watch may be too old.
    is_new: bool,
    /// Whether there may be orphans, or incidents that no alert holds open.
    is_unsettled: bool,
    ring: Ring,
    /// The last tick.
    last: Option<Moment>,
    /// The time that windows count by.
    clock: Clock,
    ticks: u64,
}

impl Analyzer {
    /// An analyzer that goes on where an earlier one stopped.
    pub fn new(mut settings: Settings, state: LoadedState) -> Self {
        let rules = std::mem::take(&mut settings.rules);
        let mut analyzer = Self {
            ring: Ring::new(columns(&rules)),
            watched: rules.into_iter().map(Watched::new).collect(),
            settings,
            incidents: state.incidents.into_iter().map(|incident| (incident.key, incident)).collect(),
            orphans: Vec::new(),
            is_new: true,
            is_unsettled: true,
            last: None,
            clock: Clock::default(),
            ticks: 0,
        };
        let (no_data, own): (Vec<_>, Vec<_>) =
            state.alerts.into_iter().partition(|alert| rule_without_data(alert).is_some());
        for alert in own {
            let mut life = Life::resume(alert);
            let incident = life.alert.incident.and_then(|key| analyzer.incidents.get(&key));
            life.flaps = incident.is_some_and(|incident| incident.labels.get(FLAPPING).is_some_and(|is| is == YES));
            analyzer.adopt(life);
        }
        for alert in no_data {
            let left = analyzer.watched.iter_mut().try_fold(alert, |alert, watched| watched.adopt_no_data(alert));
            analyzer.orphans.extend(left.map(Life::resume));
        }
        analyzer
    }

    /// One tick: everything that changed by it, in an order that depends on nothing else.
    pub fn step(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let at_ms = snapshot.at.ts_ms;
        let mut turns = Vec::new();
        self.follow_clock(snapshot);
        if std::mem::take(&mut self.is_new) {
            for watched in &mut self.watched {
                let limit_ms = RESTART_GAP_MS.max(watched.rule.interval_ms.saturating_mul(3));
                watched.forget_stale(self.settings.host, at_ms, limit_ms, &mut turns);
            }
        }
        let mut changes = self.settle(at_ms);
        changes.extend(turns.into_iter().map(|(_, alert)| Change::Alert(alert)));

        self.ticks += 1;
        self.last = Some(snapshot.at);
        let ended: Vec<Process> = snapshot.exited.iter().map(last_row).collect();
        let kinds = self.watched.iter().map(|watched| watched.rule.each);
        let tick = Tick::new(snapshot, &ended, self.ticks, kinds);
        let stretch = self.clock.advance(snapshot);
        self.ring.record(&tick);

        let mut scene = Scene::new(&tick, &self.ring);
        for watched in &mut self.watched {
            let mut turns = Vec::new();
            watched.record(&tick, stretch);
            watched.step(self.settings.host, &tick, &mut turns);
            if !turns.is_empty() {
                scene.expect(&watched.rule, watched.finding(), &self.settings.time_zone);
            }
            for (turn, mut alert) in turns {
                if matches!(turn, Turn::Fired | Turn::Flapped | Turn::Blinded) {
                    let incident = opened(&self.settings, &mut scene, &watched.rule, turn, &mut alert);
                    watched.join(&alert);
                    changes.push(Change::Alert(alert));
                    changes.push(told(IncidentEvent::Opened, at_ms, &incident));
                    self.incidents.insert(incident.key, incident);
                } else {
                    changes.extend(closed(&mut self.incidents, turn, alert, at_ms));
                }
            }
        }
        changes
    }

    /// One tick that was seen by an earlier watch: windows and the last minutes are fed with it, nobody is told. Only
    /// before the first [`Self::step`].
    pub fn warm_up(&mut self, snapshot: &Snapshot) {
        self.ticks += 1;
        let ended: Vec<Process> = snapshot.exited.iter().map(last_row).collect();
        let kinds = self.watched.iter().map(|watched| watched.rule.each);
        let tick = Tick::new(snapshot, &ended, self.ticks, kinds);
        let stretch = self.clock.advance(snapshot);
        self.ring.record(&tick);
        for watched in &mut self.watched {
            watched.record(&tick, stretch);
        }
    }

    /// How far back the windows of the rules reach, milliseconds: what [`Self::warm_up`] should be given. 0 without windows.
    pub fn longest_window_ms(&self) -> i64 {
        self.watched.iter().map(Watched::longest_window_ms).max().unwrap_or(0)
    }

    /// Other settings from now on. Alerts go on under the rule of the same name if it still watches the same metric of
    /// the same kind of entity; the others end.
    pub fn reload(&mut self, mut settings: Settings) -> Vec<Change> {
        let rules = std::mem::take(&mut settings.rules);
        self.ring.set_columns(columns(&rules));
        self.settings = settings;
        let mut former = std::mem::replace(&mut self.watched, rules.into_iter().map(Watched::new).collect());
        for watched in &mut self.watched {
            watched.remember(&mut former);
        }
        for life in former.into_iter().flat_map(Watched::into_lives) {
            self.adopt(life);
        }
        self.is_unsettled = true;
        // Before the first tick nobody knows what time it is; then they end with it.
        self.last.map(|last| self.settle(last.ts_ms)).unwrap_or_default()
    }

    /// Takes over what came of changes on their way to the store: ticket numbers, and evidence as it was completed.
    pub fn committed(&mut self, changes: &[Change], receipt: &Receipt) {
        for change in changes {
            if let Change::Incident { incident, .. } = change
                && let Some(open) = self.incidents.get_mut(&incident.key)
            {
                open.evidence.clone_from(&incident.evidence);
            }
        }
        for (key, ticket) in &receipt.tickets {
            if let Some(open) = self.incidents.get_mut(key) {
                open.ticket = Some(*ticket);
            }
        }
    }

    /// Incidents that are open, oldest first.
    pub fn open_incidents(&self) -> Vec<&Incident> {
        let mut open: Vec<&Incident> = self.incidents.values().collect();
        open.sort_by_key(|incident| (incident.opened_ms, incident.key));
        open
    }

    /// How many alerts are in which state.
    pub fn counts(&self) -> AlertCounts {
        let mut counts = AlertCounts::default();
        for life in self.watched.iter().flat_map(Watched::lives) {
            counts.pending += usize::from(life.is_pending());
            counts.firing += usize::from(life.is_firing()) + usize::from(life.no_data.is_some());
            counts.recovering += usize::from(life.is_recovering());
        }
        counts
    }

    fn adopt(&mut self, life: Life) {
        match self.watched.iter_mut().find(|watched| watched.continues(&life.alert)) {
            Some(watched) => watched.adopt(life),
            None => self.orphans.push(life),
        }
    }

    /// Ends alerts whose rules are gone, and incidents that no alert holds open.
    fn settle(&mut self, at_ms: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        if !std::mem::take(&mut self.is_unsettled) {
            return changes;
        }
        for mut life in std::mem::take(&mut self.orphans) {
            let turn = life.gone(at_ms);
            let no_data = life.say_no_data(self.settings.host, at_ms, i64::MAX);
            for (turn, alert) in std::iter::once((turn, life.alert)).chain(no_data) {
                changes.extend(closed(&mut self.incidents, turn, alert, at_ms));
            }
        }
        let held: BTreeSet<IncidentKey> =
            self.watched.iter().flat_map(Watched::lives).flat_map(Life::incidents).collect();
        let forgotten: Vec<IncidentKey> = self.incidents.keys().filter(|key| !held.contains(key)).copied().collect();
        for key in forgotten {
            changes.extend(close(&mut self.incidents, key, IncidentEvent::Ended, at_ms));
        }
        changes
    }

    /// The wall clock was set: moves the beginnings of what is pending along with it.
    fn follow_clock(&mut self, snapshot: &Snapshot) {
        let Some(last) = self.last.filter(|last| last.boot == snapshot.at.boot) else { return };
        if snapshot.flags.has(TickFlags::CLOCK_STEP) {
            let by_ms = snapshot.at.booted_ms() - last.booted_ms();
            for watched in &mut self.watched {
                watched.shift(by_ms);
            }
        }
    }
}

/// What the ring adds up: whatever rules rank by, and what stands in for it.
fn columns(rules: &[Rule]) -> Vec<&'static Metric> {
    let mut columns: Vec<&'static Metric> = Vec::new();
    for measure in rules.iter().map(|rule| Measure::of(rule.metric)).chain(Measure::always()) {
        if !columns.iter().any(|column| column.name == measure.metric.name) {
            columns.push(measure.metric);
        }
    }
    columns
}

/// The incident that an alert opens by beginning to fire.
fn opened(settings: &Settings, scene: &mut Scene<'_>, rule: &Rule, turn: Turn, alert: &mut Alert) -> Incident {
    let (cause, title, evidence) = if turn == Turn::Blinded {
        (NO_DATA, scene.title_without_data(rule, alert), scene.evidence_without_data(rule, alert, &settings.time_zone))
    } else {
        (rule.id.as_str(), scene.title(rule, alert), scene.evidence(rule, alert, &settings.time_zone))
    };
    let (mut title, mut labels) = (title, settings.labels.clone());
    if turn == Turn::Flapped {
        title.insert_str(0, "flapping: ");
        labels.insert(FLAPPING.to_owned(), YES.to_owned());
    }
    let opened_ms = evidence.fired_ms;
    let key = IncidentKey::of(settings.host, alert.fingerprint, opened_ms);
    alert.incident = Some(key);
    Incident {
        key,
        ticket: None,
        cause: cause.to_owned(),
        severity: rule.severity,
        title,
        host: settings.host_name.clone(),
        labels,
        alerts: vec![alert.fingerprint],
        joined: Vec::new(),
        times: 1,
        course: watchkeeper_core::incident::Course::default(),
        opened_ms,
        closed_ms: None,
        evidence,
    }
}

/// The changes of an alert that did not begin to fire; closes its incident if it is over.
fn closed(incidents: &mut BTreeMap<IncidentKey, Incident>, turn: Turn, alert: Alert, at_ms: i64) -> Vec<Change> {
    let event = match turn {
        Turn::Resolved => Some(IncidentEvent::Resolved),
        Turn::Ended => Some(IncidentEvent::Ended),
        _ => None,
    };
    let key = alert.incident;
    let mut changes = vec![Change::Alert(alert)];
    if let (Some(event), Some(key)) = (event, key) {
        changes.extend(close(incidents, key, event, at_ms));
    }
    changes
}

fn close(
    incidents: &mut BTreeMap<IncidentKey, Incident>,
    key: IncidentKey,
    event: IncidentEvent,
    at_ms: i64,
) -> Option<Change> {
    let mut incident = incidents.remove(&key)?;
    incident.closed_ms = Some(at_ms);
    Some(told(event, at_ms, &incident))
}

fn told(event: IncidentEvent, at_ms: i64, incident: &Incident) -> Change {
    Change::Incident { event, at_ms, incident: Box::new(incident.clone()) }
}

#[cfg(test)]
mod expectations;
#[cfg(test)]
mod flapping;
#[cfg(test)]
mod model;
#[cfg(test)]
mod no_data;
#[cfg(test)]
mod recoveries;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod stories;
