//! One rule on all its entities, tick by tick.

pub(crate) mod expected;

use std::collections::BTreeMap;

use watchkeeper_core::catalogue::{self, EntityRef};
use watchkeeper_core::evidence::Trend;
use watchkeeper_core::snapshot::Process;
use watchkeeper_core::{Alert, AlertState, Entity, EntityKind, Fingerprint, HostId, Snapshot};

use crate::life::{Life, Sight, Turn, Waits, rule_without_data};
use crate::programs::Programs;
use crate::question::Asking;
use crate::rule::Rule;
use crate::window::{Stretch, Windows};
use expected::{Expected, Finding};

/// What goes on is said to have no data after so long, or three intervals if that is longer.
const NO_DATA_MS: i64 = 120_000;

/// An alert that was over so often within [`LATELY_MS`] flaps when it fires again.
const OFTEN: usize = 4;
const LATELY_MS: i64 = 1_800_000;

/// A snapshot with what all rules share in looking at it.
pub(crate) struct Tick<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// Processes that ended in it, as they were in their last interval.
    pub(crate) ended: &'a [Process],
    pub(crate) programs: Programs<'a>,
    /// Rising from tick to tick.
    pub(crate) number: u64,
    /// Entities by kind, for the kinds that some rule watches; `None`: the list could not be read.
    listed: BTreeMap<EntityKind, Option<Vec<(Entity, EntityRef<'a>)>>>,
}

impl<'a> Tick<'a> {
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        ended: &'a [Process],
        number: u64,
        kinds: impl Iterator<Item = EntityKind>,
    ) -> Self {
        let programs = Programs::of(snapshot.processes.as_deref().unwrap_or_default(), ended);
        let mut listed = BTreeMap::new();
        for kind in kinds {
            listed.entry(kind).or_insert_with(|| list(snapshot, &programs, kind));
        }
        Self { snapshot, ended, programs, number, listed }
    }

    /// The time of the ticks that were lost before this one, if they were as long as it.
    pub(crate) fn dropped_ms(&self) -> i64 {
        i64::from(self.snapshot.dropped).saturating_mul(self.snapshot.interval_ms)
    }
}

/// What stays the same of an entity from one time to the next: of a process its program, if the process is there.
pub(crate) fn lasting(entity: &Entity, snapshot: &Snapshot) -> Entity {
    let Entity::Process(key) = entity else { return entity.clone() };
    let living = snapshot.processes.as_deref().unwrap_or_default();
    let found = living.binary_search_by_key(key, |process| process.key).ok().and_then(|place| living.get(place));
    found.map_or_else(|| entity.clone(), |process| Entity::Program(process.image.program.clone()))
}

/// The entities of a kind with their identity; `None`: the list could not be read.
fn list<'a>(snapshot: &'a Snapshot, programs: &Programs<'a>, kind: EntityKind) -> Option<Vec<(Entity, EntityRef<'a>)>> {
    let is_read = match kind {
        EntityKind::Host => true,
        EntityKind::Cpu => snapshot.cpus.is_some(),
        EntityKind::Disk => snapshot.disks.is_some(),
        EntityKind::Filesystem => snapshot.filesystems.is_some(),
        EntityKind::Interface => snapshot.interfaces.is_some(),
        EntityKind::Peer => snapshot.peers.is_some(),
        EntityKind::Socket => snapshot.sockets.is_some(),
        EntityKind::Process | EntityKind::Program => snapshot.processes.is_some(),
        EntityKind::Check => snapshot.checks.is_some(),
    };
    if !is_read {
        return None;
    }
    if kind == EntityKind::Program {
        let name = |name: &&str| (Entity::Program((*name).to_owned()), EntityRef::Host);
        return Some(programs.living().iter().map(name).collect());
    }
    let mut listed: Vec<_> =
        catalogue::entities(snapshot, kind).into_iter().map(|reference| (reference.entity(), reference)).collect();
    if kind != EntityKind::Process {
        // What is mounted over a mount point, or listens beside another, has the name of what it hides: the last counts.
        listed.sort_by(|(a, _), (b, _)| a.cmp(b));
        listed.reverse();
        listed.dedup_by(|(a, _), (b, _)| a == b);
        listed.reverse();
    }
    Some(listed)
}

/// A rule with its alerts.
pub(crate) struct Watched {
    pub(crate) rule: Rule,
    lives: BTreeMap<Entity, Life>,
    /// When alerts were lately over, milliseconds UTC.
    over: BTreeMap<Entity, Vec<i64>>,
    /// What a rule that expects something has seen.
    expected: Expected,
    windows: Windows,
}

impl Watched {
    pub(crate) fn new(rule: Rule) -> Self {
        let questions = std::iter::once(&rule.when).chain(rule.clear.written());
        let windows = Windows::new(rule.each, questions, rule.interval_ms);
        Self { rule, lives: BTreeMap::new(), over: BTreeMap::new(), expected: Expected::default(), windows }
    }

    /// The longest of its windows, or the time in which it counts restarts, milliseconds; 0 without any.
    pub(crate) fn longest_window_ms(&self) -> i64 {
        let restarts = self.rule.expect.and_then(|expect| expect.restarts);
        self.windows.longest_ms().max(restarts.map_or(0, |restarts| restarts.within_ms))
    }

    /// Takes notice of the processes of a tick that is not judged.
    pub(crate) fn see(&mut self, tick: &Tick<'_>) {
        if let Some(expect) = &self.rule.expect {
            self.expected.look(expect, &self.rule.when, tick.snapshot, tick.ended);
        }
    }

    /// How what it watches on an entity rises, if it looks at a rise.
    pub(crate) fn trend(&self, entity: &Entity, snapshot: &Snapshot) -> Option<Trend> {
        crate::evidence::trend(&self.rule, &self.windows, entity, snapshot)
    }

    /// Adds a tick to its windows; every tick, before it is asked about it.
    pub(crate) fn record(&mut self, tick: &Tick<'_>, stretch: Stretch) {
        self.windows.record(tick, tick.listed.get(&self.rule.each).and_then(Option::as_deref), stretch);
    }

    /// What is not as the rule expects it.
    pub(crate) fn finding(&self) -> Option<&Finding> {
        self.expected.finding()
    }

    /// Goes on with what the same expectation, and the same windows, of earlier rules have seen.
    pub(crate) fn remember(&mut self, former: &mut [Self]) {
        let same = |former: &&mut Self| {
            let (rule, other) = (&self.rule, &former.rule);
            rule.expect.is_some()
                && rule.id == other.id
                && rule.when.condition.to_string() == other.when.condition.to_string()
        };
        if let Some(former) = former.iter_mut().find(same) {
            self.expected = std::mem::take(&mut former.expected);
        }
        if let Some(former) = former.iter_mut().find(|former| former.rule.id == self.rule.id) {
            self.windows.inherit(&mut former.windows);
        }
    }

    /// Whether an alert of an earlier watch or of earlier rules goes on under this rule.
    pub(crate) fn continues(&self, alert: &Alert) -> bool {
        alert.rule == self.rule.id && alert.metric == self.rule.metric.name && alert.entity.kind() == self.rule.each
    }

    /// Goes on with an alert.
    pub(crate) fn adopt(&mut self, life: Life) {
        self.lives.insert(life.alert.entity.clone(), life);
    }

    /// Goes on with an alert that says that the data of another one is missing; gives it back if there is no such.
    pub(crate) fn adopt_no_data(&mut self, alert: Alert) -> Option<Alert> {
        match self.lives.get_mut(&alert.entity) {
            Some(life) if rule_without_data(&alert) == Some(&self.rule.id) => {
                life.no_data = Some(alert);
                None
            }
            _ => Some(alert),
        }
    }

    /// Gives up all alerts.
    pub(crate) fn into_lives(self) -> impl Iterator<Item = Life> {
        self.lives.into_values()
    }

    pub(crate) fn lives(&self) -> impl Iterator<Item = &Life> {
        self.lives.values()
    }

    /// The wall clock was set by so much.
    pub(crate) fn shift(&mut self, by_ms: i64) {
        for life in self.lives.values_mut() {
            life.shift(by_ms);
        }
    }

    /// Lets alerts begin anew to be pending or to recover that were last seen too long before `now_ms`.
    pub(crate) fn forget_stale(&mut self, host: HostId, now_ms: i64, limit_ms: i64, out: &mut Vec<(Turn, Alert)>) {
        self.lives.retain(|_, life| {
            if (now_ms - life.alert.seen_ms).abs() > limit_ms {
                let turn = life.lapse(now_ms);
                tell(turn, life, out);
                out.extend(life.say_no_data(host, now_ms, i64::MAX));
            }
            life.goes_on()
        });
    }

    /// Remembers which incident a firing alert belongs to.
    pub(crate) fn join(&mut self, alert: &Alert) {
        if let Some(life) = self.lives.get_mut(&alert.entity) {
            let own = std::iter::once(&mut life.alert).chain(&mut life.no_data);
            for own in own.filter(|own| own.fingerprint == alert.fingerprint) {
                own.incident = alert.incident;
            }
        }
    }

    /// Whether an alert is pending on this, of a program also on one of its processes.
    pub(crate) fn is_pending_on(&self, entity: &Entity, snapshot: &Snapshot) -> bool {
        let mut pending = self.lives.iter().filter(|(_, life)| life.is_pending());
        pending.any(|(own, _)| own == entity || lasting(own, snapshot) == *entity)
    }

    /// One tick: what happened to which alerts, in the order of the entities.
    pub(crate) fn step(&mut self, host: HostId, tick: &Tick<'_>, out: &mut Vec<(Turn, Alert)>) {
        let unknown = Sight {
            verdict: None,
            clear: None,
            value: None,
            at_ms: tick.snapshot.at.ts_ms,
            interval_ms: tick.snapshot.interval_ms,
            dropped_ms: tick.dropped_ms(),
        };
        let listed = tick.listed.get(&self.rule.each).and_then(Option::as_deref);
        let Self { rule, lives, over, expected, windows } = self;
        if let Some(expect) = &rule.expect {
            let seen = expected.look(expect, &rule.when, tick.snapshot, tick.ended);
            if seen.verdict == Some(true) || !lives.is_empty() {
                let clear = seen.verdict.map(|broken| !broken);
                let sight = Sight { verdict: seen.verdict, clear, value: seen.value, ..unknown };
                look(rule, (&mut *lives, &mut *over), host, &Entity::Host, sight, tick.number, out);
            }
        }
        let is_program = rule.each == EntityKind::Program;
        let asking = |question| {
            if is_program { Asking::of_programs(question, tick) } else { Asking::of_entities(question, tick.snapshot) }
        };
        let mut when = asking(&rule.when).over(windows);
        // What is over needs no answer whether it is.
        let written = rule.clear.written().filter(|_| !lives.is_empty());
        let mut written = written.map(|question| asking(question).over(windows));
        let each = listed.filter(|_| rule.expect.is_none()).unwrap_or_default();
        for (place, (entity, reference)) in each.iter().enumerate() {
            let found = when.look_over(windows, place, *reference);
            if found.verdict == Some(true) || !lives.is_empty() {
                let written = written.as_mut().map(|asking| asking.look_over(windows, place, *reference));
                let clear = rule.clear.verdict(found, written);
                // Part of a sum is no value to show.
                let value = found.value.filter(|_| !is_program || found.verdict.is_some());
                let sight = Sight { verdict: found.verdict, clear, value, ..unknown };
                look(rule, (&mut *lives, &mut *over), host, entity, sight, tick.number, out);
            }
        }
        let waits = waits(rule);
        let no_data_ms = NO_DATA_MS.max(rule.interval_ms.saturating_mul(3));
        lives.retain(|_, life| {
            if life.shown != tick.number {
                let turn = if listed.is_some() { life.gone(unknown.at_ms) } else { life.look(unknown, waits) };
                tell(turn, life, out);
            }
            out.extend(life.say_no_data(host, unknown.at_ms, no_data_ms));
            life.goes_on()
        });
    }
}

fn look(
    rule: &Rule,
    (lives, over): (&mut BTreeMap<Entity, Life>, &mut BTreeMap<Entity, Vec<i64>>),
    host: HostId,
    entity: &Entity,
    sight: Sight,
    number: u64,
    out: &mut Vec<(Turn, Alert)>,
) {
    if let Some(life) = lives.get_mut(entity) {
        let mut turn = life.look(sight, waits(rule));
        life.shown = number;
        match turn {
            Turn::Fired => turn = flapped(over, life, sight.at_ms),
            Turn::Resolved => remember(over, entity, sight.at_ms),
            _ => {}
        }
        tell(turn, life, out);
    } else if sight.verdict == Some(true) {
        let (mut life, mut turn) = Life::begin(named(rule, host, entity), sight, waits(rule));
        life.shown = number;
        if turn == Turn::Fired {
            turn = flapped(over, &mut life, sight.at_ms);
        }
        tell(turn, &life, out);
        lives.insert(entity.clone(), life);
    }
}

fn waits(rule: &Rule) -> Waits {
    Waits { hold_ms: rule.hold_ms, keep_ms: rule.keep_ms }
}

/// A new alert on an entity, not yet alive.
fn named(rule: &Rule, host: HostId, entity: &Entity) -> Alert {
    Alert {
        fingerprint: Fingerprint::of(host, &rule.id, entity),
        rule: rule.id.clone(),
        metric: rule.metric.name.to_owned(),
        entity: entity.clone(),
        state: AlertState::Inactive,
        since_ms: 0,
        observed_ms: 0,
        fired_ms: None,
        ended_ms: None,
        value: None,
        seen_ms: 0,
        incident: None,
    }
}

/// What it means that an alert begins to fire, after it was over so often.
fn flapped(over: &BTreeMap<Entity, Vec<i64>>, life: &mut Life, now_ms: i64) -> Turn {
    let times = over.get(&life.alert.entity).map_or(0, |times| times.iter().filter(|at| lately(**at, now_ms)).count());
    life.flaps = times >= OFTEN;
    if life.flaps { Turn::Flapped } else { Turn::Fired }
}

/// Notes that an alert is over, and forgets what was over long ago.
fn remember(over: &mut BTreeMap<Entity, Vec<i64>>, entity: &Entity, now_ms: i64) {
    over.entry(entity.clone()).or_default().push(now_ms);
    over.retain(|_, times| {
        times.retain(|at| lately(*at, now_ms));
        !times.is_empty()
    });
}

fn lately(at_ms: i64, now_ms: i64) -> bool {
    (now_ms - at_ms).abs() <= LATELY_MS
}

fn tell(turn: Turn, life: &Life, out: &mut Vec<(Turn, Alert)>) {
    if turn != Turn::Still {
        out.push((turn, life.alert.clone()));
    }
}
