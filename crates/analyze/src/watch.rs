//! One rule on all its entities, tick by tick.

use std::collections::BTreeMap;

use watchkeeper_core::catalogue::{self, EntityRef, Value};
use watchkeeper_core::snapshot::Process;
use watchkeeper_core::{Alert, AlertState, Entity, EntityKind, Fingerprint, HostId, Snapshot};
use watchkeeper_expression::Comparison;

use crate::life::{Life, Sight, Turn};
use crate::programs::{Programs, Sum};
use crate::rule::Rule;

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
    fn dropped_ms(&self) -> i64 {
        i64::from(self.snapshot.dropped).saturating_mul(self.snapshot.interval_ms)
    }
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
        EntityKind::Check => false,
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
}

impl Watched {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, lives: BTreeMap::new() }
    }

    /// Whether an alert of an earlier watch or of earlier rules goes on under this rule.
    pub(crate) fn continues(&self, alert: &Alert) -> bool {
        alert.rule == self.rule.id && alert.metric == self.rule.metric.name && alert.entity.kind() == self.rule.each
    }

    /// Goes on with an alert.
    pub(crate) fn adopt(&mut self, life: Life) {
        self.lives.insert(life.alert.entity.clone(), life);
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

    /// Forgets pending alerts that were last seen too long before `now_ms`; gives back what is to be removed.
    pub(crate) fn forget_stale(&mut self, now_ms: i64, limit_ms: i64, out: &mut Vec<(Turn, Alert)>) {
        self.lives.retain(|_, life| {
            let stale = life.is_pending() && (now_ms - life.alert.seen_ms).abs() > limit_ms;
            if stale {
                let turn = life.gone(now_ms);
                out.push((turn, life.alert.clone()));
            }
            !stale
        });
    }

    /// Remembers which incident a firing alert belongs to.
    pub(crate) fn join(&mut self, alert: &Alert) {
        if let Some(life) = self.lives.get_mut(&alert.entity) {
            life.alert.incident = alert.incident;
        }
    }

    /// One tick: what happened to which alerts, in the order of the entities.
    pub(crate) fn step(&mut self, host: HostId, tick: &Tick<'_>, out: &mut Vec<(Turn, Alert)>) {
        let unknown = Sight {
            verdict: None,
            value: None,
            at_ms: tick.snapshot.at.ts_ms,
            interval_ms: tick.snapshot.interval_ms,
            dropped_ms: tick.dropped_ms(),
        };
        let listed = tick.listed.get(&self.rule.each).and_then(Option::as_deref);
        if self.rule.each == EntityKind::Program {
            let sums = listed.map(|_| tick.programs.sums(self.rule.metric, tick.snapshot, tick.ended));
            for ((entity, _), sum) in listed.unwrap_or_default().iter().zip(sums.unwrap_or_default()) {
                let (verdict, value) = self.judge_sum(sum);
                self.look(host, entity, Sight { verdict, value, ..unknown }, tick.number, out);
            }
        } else {
            for (entity, reference) in listed.unwrap_or_default() {
                let value = self.rule.metric.value(tick.snapshot, *reference);
                let verdict = self.rule.condition.evaluate(value);
                if verdict == Some(true) || !self.lives.is_empty() {
                    let value = value.and_then(Value::number);
                    self.look(host, entity, Sight { verdict, value, ..unknown }, tick.number, out);
                }
            }
        }
        let hold_ms = self.rule.hold_ms;
        self.lives.retain(|_, life| {
            if life.shown != tick.number {
                let turn = if listed.is_some() { life.gone(unknown.at_ms) } else { life.look(unknown, hold_ms) };
                tell(turn, life, out);
            }
            life.is_pending() || life.is_firing()
        });
    }

    fn look(&mut self, host: HostId, entity: &Entity, sight: Sight, number: u64, out: &mut Vec<(Turn, Alert)>) {
        let hold_ms = self.rule.hold_ms;
        if let Some(life) = self.lives.get_mut(entity) {
            let turn = life.look(sight, hold_ms);
            life.shown = number;
            tell(turn, life, out);
        } else if sight.verdict == Some(true) {
            let (mut life, turn) = Life::begin(self.named(host, entity), sight, hold_ms);
            life.shown = number;
            tell(turn, &life, out);
            self.lives.insert(entity.clone(), life);
        }
    }

    /// What a sum says when part of it is unknown: the real sum is as large or larger.
    fn judge_sum(&self, sum: Sum) -> (Option<bool>, Option<f64>) {
        if sum.counted == 0 {
            return (None, None);
        }
        let verdict = self.rule.condition.evaluate(Some(Value::Number(sum.known)));
        let settled = match self.rule.condition.comparison() {
            Comparison::Greater | Comparison::GreaterOrEqual => verdict == Some(true),
            Comparison::Less | Comparison::LessOrEqual => verdict == Some(false),
            Comparison::Equal | Comparison::NotEqual => false,
        };
        if sum.incomplete && !settled { (None, None) } else { (verdict, Some(sum.known)) }
    }

    /// A new alert on an entity, not yet alive.
    fn named(&self, host: HostId, entity: &Entity) -> Alert {
        Alert {
            fingerprint: Fingerprint::of(host, &self.rule.id, entity),
            rule: self.rule.id.clone(),
            metric: self.rule.metric.name.to_owned(),
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
}

fn tell(turn: Turn, life: &Life, out: &mut Vec<(Turn, Alert)>) {
    if turn != Turn::Still {
        out.push((turn, life.alert.clone()));
    }
}
