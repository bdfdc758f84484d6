//! Evidence, as far as the snapshot and the last minutes give it.

mod check;
mod expectation;
mod trend;

use std::collections::BTreeMap;

use watchkeeper_core::evidence::{EVIDENCE_VERSION, Known, ProgramChange, TOP, Trend};
use watchkeeper_core::snapshot::Process;
use watchkeeper_core::text::clean;
use watchkeeper_core::{Alert, Entity, Evidence, Fingerprint, Section, Unit};

use crate::lineage::Family;
use crate::ranking::{Measure, Ranked, Ranking, Whole};
use crate::ring::Ring;
use crate::rule::Rule;
use crate::watch::{Tick, lasting};
use expectation::Broken;
pub(crate) use trend::trend;

/// Longest foreign name in a title, in characters.
const LONGEST_NAME: usize = 80;
/// Longest condition in a title, in characters.
const LONGEST_CONDITION: usize = 200;

/// A tick seen by alerts that begin to fire in it; what several of them need is worked out once.
pub(crate) struct Scene<'a> {
    tick: &'a Tick<'a>,
    ring: &'a Ring,
    family: Option<Family<'a>>,
    rankings: BTreeMap<(&'static str, Whole), (Ranking, Vec<ProgramChange>)>,
    /// Expectations that are broken, by their rules.
    broken: BTreeMap<String, Broken>,
    /// How what is watched rises, by alert.
    trends: BTreeMap<Fingerprint, Trend>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(tick: &'a Tick<'a>, ring: &'a Ring) -> Self {
        let (rankings, broken, trends) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { tick, ring, family: None, rankings, broken, trends }
    }

    /// Remembers how what an alert watches rises.
    pub(crate) fn rises(&mut self, alert: &Alert, trend: Option<Trend>) {
        self.trends.extend(trend.map(|trend| (alert.fingerprint, trend)));
    }

    /// When the tick was, milliseconds UTC.
    pub(crate) fn at_ms(&self) -> i64 {
        self.tick.snapshot.at.ts_ms
    }

    /// What stays the same of an entity from one time to the next.
    pub(crate) fn lasting(&self, entity: &Entity) -> Entity {
        lasting(entity, self.tick.snapshot)
    }

    /// What is known at this tick about an alert that begins to fire in it.
    pub(crate) fn evidence(&mut self, rule: &Rule, alert: &Alert, time_zone: &str) -> Evidence {
        if let Some(broken) = self.broken.get(&rule.id).cloned() {
            return self.evidence_of_expectation(rule, alert, &broken, time_zone);
        }
        let tick = self.tick;
        let best = Measure::of(rule.metric);
        let placed = self.own_process(&alert.entity, best).and_then(|process| {
            let mut measures = std::iter::once(best).chain(Measure::stand_ins());
            measures.find_map(|measure| Some((measure, self.ranking(measure).0.place(process, tick)?)))
        });
        let (measure, first) = match placed {
            Some((measure, first)) => (measure, Some(first)),
            None if self.ranking(best).0.processes.is_empty() => (best.substitute().unwrap_or(best), None),
            None => (best, None),
        };
        // Who takes most of the machine says nothing of a check, or of a socket whose listener is not known.
        let is_named = first.is_some() || !check::blames_nobody(rule.metric, &alert.entity, tick.snapshot);
        let (ranking, changes) = self.ranking(measure);
        let others = ranking.processes.iter().filter(|other| first.as_ref().is_none_or(|own| own.key != other.key));
        let listed: Vec<&Ranked> = first.iter().chain(others).filter(|_| is_named).take(TOP).collect();
        let top = listed.iter().map(|ranked| ranking.contributor(ranked, tick)).collect();
        let not_attributed = ranking.not_attributed.filter(|_| is_named);
        let changes = if is_named { changes.clone() } else { Vec::new() };
        let (headline, input) = (rule.when.condition.headline(), rule.when.input());
        let is_level = input.and_then(|input| input.window).is_none_or(|window| window.function.is_level());
        let culprit = listed.first().map(|ranked| (*ranked).clone());
        Evidence {
            version: EVIDENCE_VERSION,
            rule: rule.id.clone(),
            condition: rule.when.condition.to_string(),
            metric: rule.metric.name.to_owned(),
            // Without a number that is compared there is nothing to show in a unit.
            unit: headline
                .and_then(|headline| headline.threshold.number())
                .map_or(Unit::Text, |_| input.map_or(rule.metric.unit, |input| input.unit)),
            entity: alert.entity.clone(),
            // A condition on words has no number; 1 says that it holds.
            value: alert.value.unwrap_or(1.0),
            threshold: headline.and_then(|headline| headline.threshold.number()),
            since_ms: alert.since_ms,
            fired_ms: tick.snapshot.at.ts_ms,
            ranked_by: is_named.then(|| measure.ranked_by()),
            top,
            not_attributed,
            lineage: culprit.map(|culprit| self.family().lineage(&culprit)).unwrap_or_default(),
            changes,
            // What the metric usually is says nothing about its slope.
            usual: if is_level { Known::NotYet } else { Known::Nothing },
            recurrence: Known::NotYet,
            last_acknowledgement: Known::NotYet,
            trend: self.trends.get(&alert.fingerprint).cloned(),
            summary: None,
            runbook: None,
            time_zone: time_zone.to_owned(),
        }
    }

    /// What is known of an alert whose data is missing: for how long, in seconds. Nobody does it.
    pub(crate) fn evidence_without_data(&self, rule: &Rule, alert: &Alert, time_zone: &str) -> Evidence {
        Evidence {
            version: EVIDENCE_VERSION,
            rule: rule.id.clone(),
            condition: rule.when.condition.to_string(),
            metric: rule.metric.name.to_owned(),
            unit: Unit::Seconds,
            entity: alert.entity.clone(),
            value: alert.observed_ms as f64 / 1_000.0,
            threshold: None,
            since_ms: alert.since_ms,
            fired_ms: self.tick.snapshot.at.ts_ms,
            ranked_by: None,
            top: Vec::new(),
            not_attributed: None,
            lineage: Vec::new(),
            changes: Vec::new(),
            // The values of the metric are no lengths of time.
            usual: Known::Nothing,
            recurrence: Known::NotYet,
            last_acknowledgement: Known::NotYet,
            trend: None,
            summary: None,
            runbook: None,
            time_zone: time_zone.to_owned(),
        }
    }

    /// One line that says which data is missing, and why.
    pub(crate) fn title_without_data(&self, rule: &Rule, alert: &Alert) -> String {
        let name = rule.metric.name;
        // Without the list nothing is known of those in it.
        let list = name.starts_with("process.").then_some(Section::Processes);
        let sections = [section(name), list];
        let gaps = self.tick.snapshot.gaps.iter();
        let why = gaps.filter(|gap| sections.contains(&Some(gap.section))).map(|gap| {
            let remedy = gap.remedy.as_ref().map_or(String::new(), |remedy| format!("; {}", clean(remedy, 120)));
            format!("{}: {}{remedy}", gap.section.words(), gap.reason.word())
        });
        let why = why.collect::<Vec<_>>().join(", ");
        let why = if why.is_empty() { format!("{name} is not known, no reason was given") } else { why };
        match self.entity_words(&alert.entity) {
            Some(entity) => format!("no data for {} on {entity} ({why})", rule.id),
            None => format!("no data for {} ({why})", rule.id),
        }
    }

    /// One line that says what is wrong.
    pub(crate) fn title(&self, rule: &Rule, alert: &Alert) -> String {
        if let Some(broken) = self.broken.get(&rule.id) {
            return broken.title.clone();
        }
        let what = rule.title.clone().unwrap_or_else(|| made_title(rule));
        match self.entity_words(&alert.entity) {
            Some(entity) => format!("{what}: {entity}"),
            None => what,
        }
    }

    fn entity_words(&self, entity: &Entity) -> Option<String> {
        Some(match entity {
            Entity::Host => return None,
            Entity::Cpu(number) => format!("CPU {number}"),
            Entity::Process(key) => match self.process(entity) {
                Some(process) => format!("{} (pid {})", clean(&process.image.program, LONGEST_NAME), key.pid),
                None => format!("pid {}", key.pid),
            },
            Entity::Check(name) => self.check_words(name),
            Entity::Socket(name) => {
                let name = clean(name, LONGEST_NAME);
                match self.listener(entity) {
                    Some(process) => {
                        format!("{name} of {} (pid {})", clean(&process.image.program, LONGEST_NAME), process.key.pid)
                    }
                    None => name,
                }
            }
            other => clean(&other.name(), LONGEST_NAME),
        })
    }

    /// Who listens at a socket, if that is known.
    fn listener(&self, socket: &Entity) -> Option<&'a Process> {
        let Entity::Socket(name) = socket else { return None };
        let snapshot = self.tick.snapshot;
        let owner = snapshot.sockets.iter().flatten().find(|socket| socket.name() == *name)?.owner?;
        snapshot.process_by_pid(owner)
    }

    fn process(&self, entity: &Entity) -> Option<&'a Process> {
        let Entity::Process(key) = entity else { return None };
        self.tick.snapshot.processes.as_deref()?.iter().find(|process| process.key == *key)
    }

    /// The process that a rule on processes, programs or sockets is about: itself, the largest of its program, or who
    /// listens.
    fn own_process(&mut self, entity: &Entity, measure: Measure) -> Option<&'a Process> {
        let name = match entity {
            Entity::Program(name) => name,
            Entity::Socket(_) => return self.listener(entity),
            other => return self.process(other),
        };
        let living = self.tick.snapshot.processes.as_deref()?;
        let ranked = self.ranking(measure).0.of_program(name);
        let largest = ranked.iter().find_map(|ranked| living.iter().find(|process| process.key == ranked.key));
        largest.or_else(|| living.iter().find(|process| process.image.program == *name))
    }

    fn ranking(&mut self, measure: Measure) -> &(Ranking, Vec<ProgramChange>) {
        let (tick, ring) = (self.tick, self.ring);
        self.rankings
            .entry(measure.key())
            .or_insert_with(|| (Ranking::new(measure, tick, ring), ring.changes(measure.metric)))
    }

    fn family(&mut self) -> &Family<'a> {
        let snapshot = self.tick.snapshot;
        self.family.get_or_insert_with(|| Family::of(snapshot))
    }
}

/// The part of a reading that a metric comes from, by the beginning of its name; the more special come first.
pub(crate) fn section(metric: &str) -> Option<Section> {
    let sections = [
        ("process.cpu.", Section::ProcessCpu),
        ("process.memory.", Section::ProcessMemory),
        ("process.disk.", Section::ProcessDisk),
        ("process.network.", Section::ProcessNetwork),
        ("process.unix.file_descriptor.", Section::ProcessDescriptors),
        ("process.executable.", Section::ProcessExecutable),
        ("process.command_line", Section::ProcessCommand),
        ("process.", Section::Processes),
        ("system.process.", Section::Processes),
        ("system.cpu.", Section::Cpu),
        ("system.memory.", Section::Memory),
        ("system.paging.", Section::Memory),
        ("system.linux.load.", Section::Load),
        ("system.linux.pressure.", Section::Pressure),
        ("system.linux.oom_kills", Section::OomKills),
        ("system.disk.", Section::Disks),
        ("system.filesystem.", Section::Filesystems),
        ("system.network.peer.", Section::Peers),
        ("system.network.socket.", Section::Sockets),
        ("system.network.", Section::Interfaces),
    ];
    sections.into_iter().find(|(beginning, _)| metric.starts_with(beginning)).map(|(_, section)| section)
}

/// A title for a rule that has none, e.g. `avg(process.memory.usage, "5m") above 2.0 GiB`; the condition as it is written
/// where one comparison is not all it says: which part of it matters nobody can know.
fn made_title(rule: &Rule) -> String {
    let condition = &rule.when.condition;
    let (Some(headline), Some(input)) = (condition.only(), rule.when.input()) else {
        return clean(&condition.to_string(), LONGEST_CONDITION);
    };
    let threshold = match &headline.threshold {
        watchkeeper_expression::Threshold::Number(number) => input.unit.show(*number).to_string(),
        watchkeeper_expression::Threshold::Text(text) => format!("\"{}\"", clean(text, LONGEST_NAME)),
    };
    format!("{input} {} {threshold}", headline.comparison.words())
}

#[cfg(test)]
mod tests;
