//! The windows of a rule: for every entity that it watches, what its fields were over the last minutes or hours.
//!
//! A window is kept in at most 128 buckets however long it is, so that a rule over a day costs what one over minutes does,
//! and a replay of the log comes to the same values as the watch did. Time is observed time (`clock.rs`): asleep, it
//! stands still; what nobody looked at, or could not read, is time without knowledge.

mod clock;
mod growth;
mod statistics;
mod still;
mod track;

use std::collections::HashMap;

use watchkeeper_core::catalogue::{EntityRef, Kind, Metric, Value};
use watchkeeper_core::{Entity, EntityKind, ProcessKey, Snapshot};
use watchkeeper_expression::{Function, Window};

use crate::programs::{Programs, Sum};
use crate::question::Question;
use crate::rule::shortest_ms;
use crate::watch::Tick;
pub(crate) use clock::{Clock, Stretch};
use track::{Look, Shape, Track};

/// Programs without a process that are remembered in case they come back.
const MOST_GONE: usize = 1_000;

/// A field over a length of time, of the host or of what the rule watches.
#[derive(Clone, Copy, Debug)]
struct Kept {
    metric: &'static Metric,
    shape: Shape,
    /// Values count as they are, not by their time: they are events.
    counts: bool,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        (self.metric.name, self.shape, self.counts) == (other.metric.name, other.shape, other.counts)
    }
}

/// A window of a question, and where its values are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The input of the question that it answers.
    pub(crate) input: usize,
    pub(crate) function: Function,
    of_host: bool,
    /// Index of the field among those of the host or of the entity.
    track: usize,
}

/// One entity with its fields, or the host.
#[derive(Clone, Debug)]
struct State {
    entity: Entity,
    tracks: Vec<Track>,
    /// What is dear to work out, for a while.
    answers: Vec<Answer>,
    life: Option<Life>,
    /// When it was last there, observed time.
    seen_ms: i64,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    track: usize,
    function: Function,
    turn: u64,
    /// When it is worked out again if the window has moved, observed time.
    due_ms: i64,
    value: Option<f64>,
}

/// What lives from a start to an end: of a program as long as its oldest process is the same.
#[derive(Clone, Copy, Debug)]
struct Life {
    key: ProcessKey,
    /// Observed time; also before the first tick.
    began_ms: i64,
}

/// How a window rises or falls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// Robust slope, in the unit of the field.
    pub(crate) per_second: f64,
    /// Share of the variation that a straight line explains.
    pub(crate) r2: f64,
    /// Probability that values without a trend look like this.
    pub(crate) p: f64,
    /// How long the window knows its field, milliseconds.
    pub(crate) known_ms: i64,
}

/// The windows of a rule.
#[derive(Debug)]
pub(crate) struct Windows {
    each: EntityKind,
    /// Fields of the entities.
    own: Vec<Kept>,
    /// Fields of the host, beside them.
    of_host: Vec<Kept>,
    host: State,
    /// Slots by entity; those of entities that are gone are used again.
    index: HashMap<Entity, usize>,
    states: Vec<Option<State>>,
    free: Vec<usize>,
    /// Slots of the entities of the tick, in their order.
    places: Vec<usize>,
    longest_ms: i64,
    shortest_ms: i64,
    /// End of the last tick, observed time.
    now_ms: i64,
}

impl Windows {
    /// For a rule that watches entities of a kind by these questions. Windows that are too short for the interval, which
    /// only shipped rules have, are made as short as can be.
    pub(crate) fn new<'q>(each: EntityKind, questions: impl Iterator<Item = &'q Question>, interval_ms: i64) -> Self {
        let shortest_ms = shortest_ms(interval_ms);
        let (mut own, mut of_host): (Vec<Kept>, Vec<Kept>) = (Vec::new(), Vec::new());
        let mut longest_ms = 0;
        for (_, metric, window) in questions.flat_map(windows) {
            let kept = Kept {
                metric,
                shape: Shape::new(window.length_ms.max(shortest_ms), interval_ms),
                counts: counts(metric, window.function),
            };
            longest_ms = kept.shape.length_ms.max(longest_ms);
            let fields = if is_of_host(metric) { &mut of_host } else { &mut own };
            if !fields.contains(&kept) {
                fields.push(kept);
            }
        }
        Self {
            each,
            host: State::new(Entity::Host, of_host.len()),
            own,
            of_host,
            index: HashMap::new(),
            states: Vec::new(),
            free: Vec::new(),
            places: Vec::new(),
            longest_ms,
            shortest_ms,
            now_ms: 0,
        }
    }

    /// The longest of them, milliseconds; 0 without any.
    pub(crate) fn longest_ms(&self) -> i64 {
        self.longest_ms
    }

    /// Takes over what others remember if they keep the same.
    pub(crate) fn inherit(&mut self, former: &mut Self) {
        if self.each == former.each && self.own == former.own && self.of_host == former.of_host {
            std::mem::swap(self, former);
        }
    }

    /// The windows of a question, those that cost least first.
    pub(crate) fn asked(&self, question: &Question) -> Vec<Asked> {
        let place = |(input, metric, window): (usize, &'static Metric, Window)| {
            let of_host = is_of_host(metric);
            let fields = if of_host { &self.of_host } else { &self.own };
            let length_ms = window.length_ms.max(self.shortest_ms);
            let counts = counts(metric, window.function);
            let track = fields.iter().position(|kept| {
                kept.metric.name == metric.name && kept.shape.length_ms == length_ms && kept.counts == counts
            })?;
            Some(Asked { input, function: window.function, of_host, track })
        };
        let mut asked: Vec<Asked> = windows(question).filter_map(place).collect();
        asked.sort_by_key(|asked| (is_dear(asked.function), asked.input));
        asked
    }

    /// Adds a tick for everything that is there; `listed` is `None` if the list could not be read.
    pub(crate) fn record(&mut self, tick: &Tick<'_>, listed: Option<&[(Entity, EntityRef<'_>)]>, stretch: Stretch) {
        if self.longest_ms == 0 {
            return;
        }
        self.now_ms = stretch.now_ms;
        let snapshot = tick.snapshot;
        if !self.of_host.is_empty() {
            let life = host_life(snapshot);
            let value = |index: usize| number(self.of_host[index].metric, snapshot, EntityRef::Host);
            self.host.record(&self.of_host, snapshot, stretch, life, value);
        }
        if self.own.is_empty() {
            return;
        }
        self.places.clear();
        let Some(listed) = listed else { return };
        let is_program = self.each == EntityKind::Program;
        let sums = |kept: &Kept| tick.programs.sums(kept.metric, snapshot, tick.ended);
        let sums: Vec<Vec<Sum>> = if is_program { self.own.iter().map(sums).collect() } else { Vec::new() };
        let oldest = if is_program { oldest(&tick.programs, snapshot) } else { Vec::new() };
        for (place, (entity, reference)) in listed.iter().enumerate() {
            let slot = self.slot(entity);
            self.places.push(slot);
            let Some(state) = &mut self.states[slot] else { continue };
            let own = &self.own;
            let key = match entity {
                Entity::Process(key) => *key,
                Entity::Program(_) => oldest.get(place).copied().flatten().unwrap_or(host_life(snapshot)),
                _ => host_life(snapshot),
            };
            state.record(own, snapshot, stretch, key, |index| match sums.get(index) {
                // Part of a sum says nothing about how the sum moves.
                Some(sums) => sums.get(place).filter(|sum| sum.counted > 0 && !sum.incomplete).map(|sum| sum.known),
                None => number(own[index].metric, snapshot, *reference),
            });
        }
        self.forget_gone(listed.len(), stretch.now_ms);
    }

    /// The slot of an entity, a new one if it was not there before.
    fn slot(&mut self, entity: &Entity) -> usize {
        if let Some(slot) = self.index.get(entity) {
            return *slot;
        }
        let state = Some(State::new(entity.clone(), self.own.len()));
        let slot = self.free.pop().unwrap_or(self.states.len());
        match self.states.get_mut(slot) {
            Some(place) => *place = state,
            None => self.states.push(state),
        }
        self.index.insert(entity.clone(), slot);
        slot
    }

    /// Forgets what is not there any more; a program may come back within its window.
    fn forget_gone(&mut self, living: usize, now_ms: i64) {
        if self.index.len() == living {
            return;
        }
        let mut since_ms = if self.each == EntityKind::Program { now_ms - self.longest_ms } else { now_ms };
        let mut gone_ms: Vec<i64> = self.states.iter().flatten().map(|state| state.seen_ms).collect();
        gone_ms.retain(|seen_ms| *seen_ms < now_ms);
        if let Some(surplus) = gone_ms.len().checked_sub(MOST_GONE + 1) {
            // Those that have been gone for the longest.
            let (_, last, _) = gone_ms.select_nth_unstable(surplus);
            since_ms = since_ms.max(*last + 1);
        }
        for (slot, state) in self.states.iter_mut().enumerate() {
            if let Some(gone) = state.take_if(|state| state.seen_ms < since_ms) {
                self.index.remove(&gone.entity);
                self.free.push(slot);
            }
        }
    }

    /// What a window of the entity in this place of the tick says; `None`: unknown.
    pub(crate) fn value(&mut self, place: usize, asked: &Asked) -> Option<f64> {
        if asked.of_host {
            return self.host.value(asked, self.of_host.get(asked.track)?.shape, self.now_ms, 0);
        }
        let slot = *self.places.get(place)?;
        self.states.get_mut(slot)?.as_mut()?.value(asked, self.own.get(asked.track)?.shape, self.now_ms, slot)
    }

    /// How a window of an entity rises or falls; of `growth` how its floor does.
    pub(crate) fn line(&self, entity: &Entity, asked: &Asked) -> Option<Line> {
        let (state, kept) = if asked.of_host {
            (&self.host, self.of_host.get(asked.track)?)
        } else {
            (self.states.get(*self.index.get(entity)?)?.as_ref()?, self.own.get(asked.track)?)
        };
        let track = state.tracks.get(asked.track)?;
        let (seen, rising) = if asked.function == Function::Growth {
            growth::floors(track, kept.shape)
        } else {
            (vec![track.means()], vec![track.means()])
        };
        Some(Line {
            per_second: statistics::slope(&rising)?,
            r2: statistics::explained(&seen),
            p: statistics::trend_p(&seen),
            known_ms: track.known_ms(),
        })
    }
}

impl State {
    fn new(entity: Entity, fields: usize) -> Self {
        Self { entity, tracks: vec![Track::default(); fields], answers: Vec::new(), life: None, seen_ms: 0 }
    }

    #[inline]
    fn record(
        &mut self,
        fields: &[Kept],
        snapshot: &Snapshot,
        stretch: Stretch,
        key: ProcessKey,
        value: impl Fn(usize) -> Option<f64>,
    ) {
        let life = match self.life {
            Some(life) if life.key == key => life,
            _ => {
                let age_ms = snapshot.at.mono_ms.saturating_add(snapshot.at.suspended_ms);
                let age_ms = age_ms.saturating_sub_unsigned(key.start_ticks.saturating_mul(10)).max(0);
                *self.life.insert(Life { key, began_ms: stretch.now_ms.saturating_sub(age_ms) })
            }
        };
        self.seen_ms = stretch.now_ms;
        for (index, (track, kept)) in self.tracks.iter_mut().zip(fields).enumerate() {
            let weight_ms = if kept.counts { 1e3 } else { stretch.known_ms as f64 };
            let look = value(index).map(|value| Look { value, weight_ms, life_ms: life.began_ms });
            track.record(kept.shape, stretch, look);
        }
    }

    fn value(&mut self, asked: &Asked, shape: Shape, now_ms: i64, slot: usize) -> Option<f64> {
        let track = self.tracks.get_mut(asked.track)?;
        if !is_dear(asked.function) || track.is_still() || !track.is_known(shape) {
            return track.value(shape, asked.function, now_ms);
        }
        let Asked { track: index, function, .. } = *asked;
        let is_same = |answer: &Answer| answer.track == index && answer.function == function;
        let place = self.answers.iter().position(is_same).unwrap_or_else(|| {
            let due_ms = now_ms + shape.first_wait_ms(slot);
            self.answers.push(Answer { track: index, function, turn: 0, due_ms, value: None });
            self.answers.len() - 1
        });
        let answer = &mut self.answers[place];
        if answer.turn != track.turn && now_ms >= answer.due_ms {
            let (turn, due_ms) = (track.turn, now_ms + shape.wait_ms());
            *answer = Answer { turn, due_ms, value: track.value(shape, function, now_ms), ..*answer };
        }
        answer.value
    }
}

/// The inputs of a question that are windows, with their metrics.
fn windows(question: &Question) -> impl Iterator<Item = (usize, &'static Metric, Window)> {
    let inputs = question.condition.inputs().iter().zip(&question.metrics).enumerate();
    inputs.filter_map(|(index, (input, metric))| Some((index, *metric, input.window?)))
}

fn is_of_host(metric: &Metric) -> bool {
    metric.entity_kind() == EntityKind::Host
}

/// Whether the window of a metric adds up its values as they are.
fn counts(metric: &Metric, function: Function) -> bool {
    function == Function::Count && metric.kind == Kind::Event
}

/// Whether a function looks at all pairs of a window, or sorts it.
fn is_dear(function: Function) -> bool {
    match function {
        Function::Avg | Function::Min | Function::Max | Function::Rate | Function::Count => false,
        Function::Quantile(_) | Function::Slope | Function::TrendP | Function::Predict { .. } | Function::Growth => {
            true
        }
    }
}

fn number(metric: &Metric, snapshot: &Snapshot, entity: EntityRef<'_>) -> Option<f64> {
    metric.value(snapshot, entity).and_then(Value::number)
}

/// What lives as long as the machine runs.
fn host_life(snapshot: &Snapshot) -> ProcessKey {
    ProcessKey { boot: snapshot.at.boot, pid: 0, start_ticks: 0 }
}

/// The oldest living process of each program, in the order of [`Programs::names`].
fn oldest(programs: &Programs<'_>, snapshot: &Snapshot) -> Vec<Option<ProcessKey>> {
    let mut oldest: Vec<Option<ProcessKey>> = vec![None; programs.names().len()];
    let living = snapshot.processes.as_deref().unwrap_or_default();
    let age = |key: &ProcessKey| (key.start_ticks, key.pid);
    for (process, place) in living.iter().zip(programs.indexes()) {
        let oldest = &mut oldest[*place as usize];
        if oldest.as_ref().is_none_or(|oldest| age(&process.key) < age(oldest)) {
            *oldest = Some(process.key);
        }
    }
    oldest
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod stories;
