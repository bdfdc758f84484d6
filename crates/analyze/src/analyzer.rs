//! Snapshots in, changes out.

mod gather;

use std::collections::BTreeMap;

use watchkeeper_core::catalogue::Metric;
use watchkeeper_core::incident::About;
use watchkeeper_core::moment::Moment;
use watchkeeper_core::port::{LoadedState, Receipt};
use watchkeeper_core::snapshot::{Process, TickFlags};
use watchkeeper_core::{Change, HostId, Incident, Snapshot};

use crate::backtest::Blames;
use crate::evidence::Scene;
use crate::incidents::{End, Incidents};
use crate::life::{Life, rule_without_data};
use crate::programs::last_row;
use crate::ranking::Measure;
use crate::ring::Ring;
use crate::rule::Rule;
use crate::watch::{Tick, Watched};
use crate::window::Clock;
use gather::{Turned, gather};

/// What is pending or recovering goes on after a restart of at most this length, or of three intervals if that is
/// longer.
const RESTART_GAP_MS: i64 = 300_000;

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
    incidents: Incidents,
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
            incidents: Incidents::load(state.incidents),
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
            life.flaps = analyzer.incidents.flaps(&life.alert);
            analyzer.adopt(life);
        }
        for alert in no_data {
            let left = analyzer.watched.iter_mut().try_fold(alert, |alert, watched| watched.adopt_no_data(alert));
            analyzer.orphans.extend(left.map(Life::resume));
        }
        analyzer.follow_rules();
        analyzer
    }

    /// One tick: everything that changed by it, in an order that depends on nothing else.
    pub fn step(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        self.step_blaming(snapshot, None)
    }

    /// A tick that also says who is to blame for each alert that began to fire in it, whatever incident it belongs to.
    pub(crate) fn step_blaming(&mut self, snapshot: &Snapshot, blames: Option<&mut Blames>) -> Vec<Change> {
        let at_ms = snapshot.at.ts_ms;
        self.follow_clock(snapshot);
        let mut turned = self.settle(at_ms);
        if std::mem::take(&mut self.is_new) {
            for (place, watched) in self.watched.iter_mut().enumerate() {
                let limit_ms = RESTART_GAP_MS.max(watched.rule.interval_ms.saturating_mul(3));
                let mut turns = Vec::new();
                watched.forget_stale(self.settings.host, at_ms, limit_ms, &mut turns);
                turned.extend(Turned::of(Some(place), turns));
            }
        }

        self.ticks += 1;
        self.last = Some(snapshot.at);
        let ended: Vec<Process> = snapshot.exited.iter().map(last_row).collect();
        let kinds = self.watched.iter().map(|watched| watched.rule.each);
        let tick = Tick::new(snapshot, &ended, self.ticks, kinds);
        let stretch = self.clock.advance(snapshot);
        self.ring.record(&tick);

        let mut scene = Scene::new(&tick, &self.ring);
        for (place, watched) in self.watched.iter_mut().enumerate() {
            let mut turns = Vec::new();
            watched.record(&tick, stretch);
            watched.step(self.settings.host, &tick, &mut turns);
            if !turns.is_empty() {
                scene.expect(&watched.rule, watched.finding(), &self.settings.time_zone);
            }
            for (_, alert) in turns.iter().filter(|(turn, _)| turn.fires()) {
                scene.rises(alert, watched.trend(&alert.entity, snapshot));
            }
            turned.extend(Turned::of(Some(place), turns));
        }
        gather(&self.settings, &mut self.watched, &mut self.incidents, &mut scene, &mut turned, blames);
        let mut changes: Vec<Change> = turned.into_iter().map(|turned| Change::Alert(turned.alert)).collect();
        let end = End { at_ms, passed_ms: snapshot.interval_ms.saturating_add(tick.dropped_ms()) };
        let watched = &self.watched;
        changes.extend(self.incidents.tell(end, |about| is_pending(watched, about, snapshot)));
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
            watched.see(&tick);
        }
    }

    /// How far back the windows and the counts of restarts of the rules reach, milliseconds: what [`Self::warm_up`] should be given. 0 without windows.
    pub fn longest_window_ms(&self) -> i64 {
        self.watched.iter().map(Watched::longest_window_ms).max().unwrap_or(0)
    }

    /// Alerts that wait to fire or to be over, exactly as they stand: what [`Self::step`] tells of them only now and then.
    /// For the store when the watch ends; nothing changes here.
    pub fn waiting(&self) -> Vec<Change> {
        let lives = self.watched.iter().flat_map(Watched::lives);
        let waiting = lives.filter(|life| life.is_pending() || life.is_recovering());
        waiting.map(|life| Change::Alert(life.alert.clone())).collect()
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
        self.follow_rules();
        self.is_unsettled = true;
        // Before the first tick nobody knows what time it is; then they end with it.
        let Some(last) = self.last else { return Vec::new() };
        let turned = self.settle(last.ts_ms);
        let mut changes: Vec<Change> = turned.into_iter().map(|turned| Change::Alert(turned.alert)).collect();
        changes.extend(self.incidents.tell(End { at_ms: last.ts_ms, passed_ms: 0 }, |_| false));
        changes
    }

    /// Takes over what came of changes on their way to the store: ticket numbers, and evidence as it was completed.
    pub fn committed(&mut self, changes: &[Change], receipt: &Receipt) {
        for change in changes {
            if let Change::Incident { incident, .. } = change
                && let Some(open) = self.incidents.get_mut(incident.key)
                // A cause that was found since has evidence of its own.
                && (open.evidence.fired_ms, &open.evidence.rule)
                    == (incident.evidence.fired_ms, &incident.evidence.rule)
            {
                open.evidence.clone_from(&incident.evidence);
            }
        }
        for (key, ticket) in &receipt.tickets {
            if let Some(open) = self.incidents.get_mut(*key) {
                open.ticket = Some(*ticket);
            }
        }
    }

    /// Incidents that are open, oldest first.
    pub fn open_incidents(&self) -> Vec<&Incident> {
        let mut open: Vec<&Incident> = self.incidents.iter().collect();
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

    /// Has the incidents know the rules in force, and which alerts go on.
    fn follow_rules(&mut self) {
        let Self { watched, incidents, orphans, .. } = self;
        incidents.follow(|id| watched.iter().map(|watched| &watched.rule).find(|rule| rule.id == id));
        for watched in watched.iter() {
            for alert in watched.lives().flat_map(Life::alerts) {
                incidents.hold(alert, watched.rule.severity);
            }
        }
        for alert in orphans.iter().flat_map(Life::alerts) {
            incidents.hold_still(alert);
        }
    }

    /// Ends alerts whose rules are gone, and incidents that no alert holds open any more.
    fn settle(&mut self, at_ms: i64) -> Vec<Turned> {
        let mut turned = Vec::new();
        if !std::mem::take(&mut self.is_unsettled) {
            return turned;
        }
        for mut life in std::mem::take(&mut self.orphans) {
            let turn = life.gone(at_ms);
            let no_data = life.say_no_data(self.settings.host, at_ms, i64::MAX);
            for (turn, alert) in std::iter::once((turn, life.alert)).chain(no_data) {
                if turn.is_over() {
                    self.incidents.over(turn, &alert, 0);
                }
                turned.push(Turned { place: None, turn, alert });
            }
        }
        let rules: Vec<&Rule> = self.watched.iter().map(|watched| &watched.rule).collect();
        self.incidents.settle(|about| {
            let rule = rules.iter().find(|rule| rule.id == about.rule);
            rule.map_or(0, |rule| Incidents::wait_for(rule, &about.entity))
        });
        turned
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

/// Whether an alert about this may soon fire.
fn is_pending(watched: &[Watched], about: &About, snapshot: &Snapshot) -> bool {
    let mut of_rule = watched.iter().filter(|watched| watched.rule.id == about.rule);
    of_rule.any(|watched| watched.is_pending_on(&about.entity, snapshot))
}

#[cfg(test)]
mod crash_loops;
#[cfg(test)]
mod expectations;
#[cfg(test)]
mod flapping;
#[cfg(test)]
mod grouping;
#[cfg(test)]
mod model;
#[cfg(test)]
mod no_data;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recoveries;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod storms;
