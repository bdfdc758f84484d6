//! A condition with the metrics that answer it, and what it finds at one tick.

use watchkeeper_core::catalogue::{self, EntityRef, Metric, Value};
use watchkeeper_core::{EntityKind, Snapshot};
use watchkeeper_expression::{Condition, Headline, Input};

use crate::programs::{Programs, Sum};
use crate::watch::Tick;
use crate::window::{Asked, Windows};

/// A condition with the metrics of its inputs.
#[derive(Clone, Debug)]
pub struct Question {
    /// The condition.
    pub condition: Condition,
    /// The metrics of its inputs, in their order.
    pub(crate) metrics: Vec<&'static Metric>,
}

impl Question {
    /// `None` if an input is no metric.
    pub(crate) fn new(condition: Condition) -> Option<Self> {
        let metrics = condition.inputs().iter().map(|input| catalogue::metric(&input.name)).collect::<Option<_>>()?;
        Some(Self { condition, metrics })
    }

    /// The kind of entity it is about.
    pub(crate) fn own(&self) -> EntityKind {
        self.condition.entity().unwrap_or(EntityKind::Host)
    }

    /// The first field of the entity it is about.
    pub(crate) fn name(&self) -> &str {
        let mut inputs = self.condition.inputs().iter();
        inputs.find(|input| input.entity == self.condition.entity()).map_or("", |input| &input.name)
    }

    /// The input that people are shown: of the headline.
    pub(crate) fn input(&self) -> Option<&Input> {
        self.condition.headline().and_then(|headline| self.condition.inputs().get(headline.input))
    }

    /// The metric that people are shown: of the headline, or the first of the entity it is about.
    pub(crate) fn metric(&self) -> Option<&'static Metric> {
        let own = || self.metrics.iter().find(|metric| metric.entity_kind() == self.own()).copied();
        self.condition.headline().and_then(|headline| self.metrics.get(headline.input).copied()).or_else(own)
    }
}

/// A question at one tick: what is the same for all entities is read once.
pub(crate) struct Asking<'q, 'a> {
    question: &'q Question,
    snapshot: &'a Snapshot,
    values: Vec<Option<Value<'a>>>,
    /// Inputs that are only known to be as large as their value or larger; empty if there are none.
    at_least: Vec<bool>,
    /// For a question on programs: the sums of each input, which has none if it is the host's.
    sums: Vec<Option<Vec<Sum>>>,
    /// Inputs that are windows, those that cost least first.
    asked: Vec<Asked>,
}

/// What was found on one entity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    /// Whether the condition holds; `None` is unknown.
    pub(crate) verdict: Option<bool>,
    /// The number of the headline.
    pub(crate) value: Option<f64>,
    /// The real number of the headline may be larger.
    pub(crate) at_least: bool,
}

impl<'q, 'a> Asking<'q, 'a> {
    /// For entities that have the metrics themselves.
    pub(crate) fn of_entities(question: &'q Question, snapshot: &'a Snapshot) -> Self {
        let host = |(metric, input): (&&'static Metric, &Input)| {
            let is_host = metric.entity_kind() == EntityKind::Host && input.window.is_none();
            is_host.then(|| metric.value(snapshot, EntityRef::Host)).flatten()
        };
        let values = question.metrics.iter().zip(question.condition.inputs()).map(host).collect();
        Self { question, snapshot, values, at_least: Vec::new(), sums: Vec::new(), asked: Vec::new() }
    }

    /// For the programs of a tick: metrics of processes are added up.
    pub(crate) fn of_programs(question: &'q Question, tick: &Tick<'a>) -> Self {
        let programs: &Programs<'a> = &tick.programs;
        let sums = |(metric, input): (&&'static Metric, &Input)| {
            let is_own = metric.entity_kind() == EntityKind::Process && input.window.is_none();
            is_own.then(|| programs.sums(metric, tick.snapshot, tick.ended))
        };
        Self {
            at_least: vec![false; question.metrics.len()],
            sums: question.metrics.iter().zip(question.condition.inputs()).map(sums).collect(),
            ..Self::of_entities(question, tick.snapshot)
        }
    }

    /// Has its windows answered, which are unknown otherwise.
    pub(crate) fn over(mut self, windows: &Windows) -> Self {
        self.asked = windows.asked(self.question);
        self
    }

    /// Looks at one entity; of a program only its place among those of the tick counts.
    #[inline]
    pub(crate) fn look(&mut self, place: usize, entity: EntityRef<'a>) -> Found {
        self.read(place, entity);
        self.found(self.verdict())
    }

    /// The same with windows that were recorded in this tick.
    #[inline]
    pub(crate) fn look_over(&mut self, windows: &mut Windows, place: usize, entity: EntityRef<'a>) -> Found {
        if self.asked.is_empty() {
            return self.look(place, entity);
        }
        self.read(place, entity);
        let verdict = self.ask_windows(place, windows);
        self.found(verdict)
    }

    #[inline]
    fn read(&mut self, place: usize, entity: EntityRef<'a>) {
        if self.sums.is_empty() { self.entity(entity) } else { self.program(place) }
    }

    #[inline]
    fn entity(&mut self, entity: EntityRef<'a>) {
        let inputs = self.question.metrics.iter().zip(self.question.condition.inputs());
        for ((metric, input), value) in inputs.zip(&mut self.values) {
            if metric.entity_kind() != EntityKind::Host && input.window.is_none() {
                *value = metric.value(self.snapshot, entity);
            }
        }
    }

    fn program(&mut self, place: usize) {
        for ((sums, value), at_least) in self.sums.iter().zip(&mut self.values).zip(&mut self.at_least) {
            let Some(sum) = sums.as_ref().and_then(|sums| sums.get(place)) else { continue };
            *value = (sum.counted > 0).then_some(Value::Number(sum.known));
            *at_least = sum.incomplete;
        }
    }

    #[inline]
    fn verdict(&self) -> Option<bool> {
        let condition = &self.question.condition;
        if self.sums.is_empty() {
            condition.evaluate(&self.values)
        } else {
            condition.evaluate_at_least(&self.values, &self.at_least)
        }
    }

    /// Works out windows as far as the condition hangs on them: what is decided without them stays so whatever they are.
    fn ask_windows(&mut self, place: usize, windows: &mut Windows) -> Option<bool> {
        let shown = self.question.condition.headline().map(|headline| headline.input);
        for asked in &self.asked {
            self.values[asked.input] = None;
        }
        let mut verdict = self.verdict();
        for index in 0..self.asked.len() {
            let asked = self.asked[index];
            // People are shown the number of what holds, whether it was needed or not.
            if verdict.is_none() || (verdict == Some(true) && shown == Some(asked.input)) {
                self.values[asked.input] = windows.value(place, &asked).map(Value::Number);
                verdict = verdict.or_else(|| self.verdict());
            }
        }
        verdict
    }

    fn found(&self, verdict: Option<bool>) -> Found {
        let input = self.question.condition.headline().map(|Headline { input, .. }| *input);
        let value = input.and_then(|input| self.values.get(input).copied().flatten()).and_then(Value::number);
        let at_least = input.is_some_and(|input| self.at_least.get(input) == Some(&true));
        Found { verdict, value, at_least }
    }
}
