//! Runs a test: look by look through a real analyzer, and what is other than it was expected.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_core::catalogue::metric;
use watchkeeper_core::port::LoadedState;
use watchkeeper_core::text::clean;
use watchkeeper_core::{
    Alert, AlertState, BootId, Change, Entity, EntityKind, Fingerprint, HostId, Metric, Moment, Problem, ProcessKey,
    Snapshot,
};

use super::config::{ExpectedAlerts, SeriesTest};
use super::draft::{Contradiction, Instance, Present, can_be_given, check, exited, fill, rank};
use super::entities::Subject;
use super::values::{Slot, Values};
use crate::life::rule_without_data;
use crate::rule::Rule;
use crate::{Analyzer, Settings};

/// The first look: 2026-01-05 00:00:00 UTC, a Monday.
const BEGIN_MS: i64 = 1_767_571_200_000;
/// The machine has been on for 30 days by then.
const BOOTED_BEFORE_MS: i64 = 30 * 86_400_000;
/// The most looks of a test.
const MOST_LOOKS: u64 = 1_000_000;
/// Shortest and longest interval.
const INTERVALS_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;
/// The most changes that are told.
const MOST_TOLD: usize = 200;
/// Processes without a number of their own are given one from here on.
const FIRST_PID: u32 = 1_000;
/// Between the id of a rule and the name of the thing.
const ON: &str = " on ";

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Everything that is other than expected, oldest first; empty if the test passed.
    pub differences: Vec<Difference>,
    /// What happened, oldest first; of long stories only the first changes.
    pub happened: Vec<Happened>,
    /// How often the machine was looked at.
    pub looks: u64,
}

/// Alerts of one state that are other than expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Index of the expectation.
    pub expect: usize,
    /// After so much of the test, milliseconds.
    pub at_ms: i64,
    /// The state.
    pub state: AlertState,
    /// What should be in it, as it was written.
    pub expected: Vec<String>,
    /// What is in it.
    pub found: Vec<String>,
    /// Where the alerts stand that should be in it and are not; `None`: there is no such alert.
    pub instead: Vec<(String, Option<AlertState>)>,
}

/// An alert that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// After so much of the test, milliseconds.
    pub at_ms: i64,
    /// The rule and what it is on.
    pub alert: String,
    /// What it is from then on.
    pub state: AlertState,
}

/// Everything that is wrong with a test, with key paths from the test. `rules` are those in force in it, if they are known.
pub fn test_problems(test: &SeriesTest, rules: Option<&[Rule]>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if test.name.trim().is_empty() {
        problems.push(Problem::new("name", "the test has no name").help("say what it is to show"));
    }
    if !INTERVALS_MS.contains(&test.interval.ms()) {
        let message = format!("an interval of {} is not within 100 ms to 1 h", test.interval);
        problems.push(Problem::new("interval", message));
    }
    if test.expect.is_empty() {
        problems.push(Problem::new("expect", "the test expects nothing").help("add a [[test.expect]]"));
    }
    if let Err(wrong) = tracks(test) {
        problems.extend(wrong);
    }
    for (index, expect) in test.expect.iter().enumerate() {
        let path = |key: &str| format!("expect.{index}.{key}");
        let latest = expect.at.ms() / test.interval.ms().max(1);
        if latest.unsigned_abs() >= MOST_LOOKS {
            let message = format!("until {} there would be more than {MOST_LOOKS} looks", expect.at);
            problems.push(Problem::new(path("at"), message).help("take a longer `interval`"));
        }
        if states(expect).iter().all(|(_, _, alerts)| alerts.is_none()) {
            let problem = Problem::new(format!("expect.{index}"), "nothing is expected at this time");
            problems.push(problem.help("write e.g. `firing = [\"host-cpu\"]`, or `firing = []` for silence"));
        }
        for (key, _, alerts) in states(expect) {
            for (place, alert) in alerts.iter().flat_map(|alerts| alerts.iter()).enumerate() {
                let (id, _) = split(alert);
                let id = id.strip_prefix("no-data/").unwrap_or(id);
                if let Some(rules) = rules.filter(|rules| !rules.iter().any(|rule| rule.id == id)) {
                    let message = format!("no rule of this test has the id `{}`", clean(id, 80));
                    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).take(20).collect();
                    let help = match ids.as_slice() {
                        [] => "`watchkeeper rules list` shows the rules of the configuration".to_owned(),
                        ids => format!("rules of this test are {}", ids.join(", ")),
                    };
                    problems.push(Problem::new(format!("expect.{index}.{key}.{place}"), message).help(help));
                }
            }
        }
    }
    problems
}

/// Runs a test without [`test_problems`].
///
/// # Errors
/// Values that contradict each other, or that nothing can count, with key paths from the test.
pub fn run(test: &SeriesTest, rules: Vec<Rule>) -> Result<Outcome, Vec<Problem>> {
    let mut tracks = tracks(test)?;
    let interval_ms = test.interval.ms();
    let look_of = |at_ms: i64| at_ms.unsigned_abs() / interval_ms.unsigned_abs().max(1);
    let last_expected = test.expect.iter().map(|expect| look_of(expect.at.ms()) + 1).max().unwrap_or(0);
    let longest = tracks.iter().flat_map(|track| track.series.iter().map(|series| series.values.len())).max();
    let looks = longest.unwrap_or(0).max(last_expected).min(MOST_LOOKS);
    let host = HostId::default();
    let settings =
        Settings { host, host_name: "test".to_owned(), labels: BTreeMap::new(), time_zone: "UTC".to_owned(), rules };
    let mut analyzer = Analyzer::new(settings, LoadedState { host, alerts: Vec::new(), incidents: Vec::new() });
    let mut kinds: Vec<EntityKind> = tracks.iter().map(|track| track.subject.kind()).collect();
    kinds.dedup();
    let mut alerts = Alerts::default();
    let mut outcome = Outcome { differences: Vec::new(), happened: Vec::new(), looks };
    for look in 0..looks {
        let at_ms = look as i64 * interval_ms;
        let snapshot = snapshot(&mut tracks, &kinds, look, interval_ms, &mut alerts.names)?;
        for change in analyzer.step(&snapshot) {
            if let Change::Alert(alert) = change {
                alerts.follow(alert, at_ms, &mut outcome.happened);
            }
        }
        for (index, expect) in test.expect.iter().enumerate().filter(|(_, expect)| look_of(expect.at.ms()) == look) {
            outcome.differences.extend(alerts.compare(index, expect));
        }
    }
    outcome.differences.sort_by_key(|difference| difference.at_ms);
    Ok(outcome)
}

/// One thing with its series.
struct Track {
    subject: Subject,
    series: Vec<TrackSeries>,
    /// Of a process: its number, and which one is there.
    pid: u32,
    instance: Option<Instance>,
}

impl Track {
    /// Whether it is there at a look; the machine always is.
    fn is_there(&self, look: u64) -> bool {
        let is_told = |series: &TrackSeries| series.values.at(look) != Slot::Absent;
        self.subject == Subject::Host || self.series.iter().any(is_told)
    }
}

struct TrackSeries {
    /// Index in the test.
    index: usize,
    metric: &'static Metric,
    values: Values,
}

/// The things of a test, in the order of their kinds.
fn tracks(test: &SeriesTest) -> Result<Vec<Track>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut by_subject: BTreeMap<Subject, Vec<TrackSeries>> = BTreeMap::new();
    for (index, series) in test.series.iter().enumerate() {
        let mut wrong = Vec::new();
        match Subject::of(series) {
            Err(found) => {
                wrong = found;
                // Its values are those of a metric all the same.
                if let Some(metric) = metric(&series.metric) {
                    wrong.extend(Values::read(&series.values, metric.unit).err().unwrap_or_default());
                }
            }
            Ok((subject, metric)) => {
                if let Err(instead) = can_be_given(metric) {
                    wrong.push(Problem::new("metric", format!("`{}` cannot be given", metric.name)).help(instead));
                }
                let known = by_subject.entry(subject).or_default();
                if let Some(first) = known.iter().find(|other| other.metric.name == metric.name) {
                    let problem = Problem::new("metric", "there is a series of the same already");
                    let first = format!("series.{}.metric", first.index);
                    problems.push(
                        problem
                            .under(&format!("series.{index}"))
                            .first(first)
                            .help("write all values into one, one after the other"),
                    );
                }
                match Values::read(&series.values, metric.unit) {
                    Ok(values) => known.push(TrackSeries { index, metric, values }),
                    Err(found) => wrong.extend(found),
                }
            }
        }
        problems.extend(wrong.into_iter().map(|problem| problem.under(&format!("series.{index}"))));
    }
    let asked: BTreeSet<u32> = by_subject.keys().filter_map(asked_pid).collect();
    let mut next_pid = FIRST_PID;
    let mut tracks: Vec<Track> = Vec::new();
    for (subject, mut series) in by_subject {
        series.sort_by_key(|series| (rank(series.metric), series.index));
        let pid = asked_pid(&subject).unwrap_or_else(|| {
            while asked.contains(&next_pid) {
                next_pid += 1;
            }
            next_pid
        });
        next_pid += u32::from(matches!(subject, Subject::Process(_)));
        if asked_pid(&subject).is_some_and(|pid| tracks.iter().any(|other| asked_pid(&other.subject) == Some(pid))) {
            let index = series.first().map_or(0, |series| series.index);
            let message = format!("two processes have the number {pid}");
            problems.push(
                Problem::new(format!("series.{index}.process.pid"), message)
                    .help("series of one process have the same table"),
            );
        }
        tracks.push(Track { subject, series, pid, instance: None });
    }
    if problems.is_empty() { Ok(tracks) } else { Err(problems) }
}

fn asked_pid(subject: &Subject) -> Option<u32> {
    if let Subject::Process(process) = subject { process.pid } else { None }
}

/// The machine at one look.
fn snapshot(
    tracks: &mut [Track],
    kinds: &[EntityKind],
    look: u64,
    interval_ms: i64,
    names: &mut BTreeMap<ProcessKey, String>,
) -> Result<Snapshot, Vec<Problem>> {
    let passed_ms = look as i64 * interval_ms;
    let mono_ms = BOOTED_BEFORE_MS + passed_ms;
    let at = Moment { ts_ms: BEGIN_MS + passed_ms, mono_ms, suspended_ms: 0, boot: BootId::default() };
    let mut snapshot = Snapshot::unknown(at, interval_ms);
    for track in &mut *tracks {
        let Subject::Process(process) = &track.subject else { continue };
        match (track.is_there(look), track.instance) {
            (true, None) => {
                let instance = Instance::begin(process, track.pid, at.boot, mono_ms, interval_ms);
                names.insert(instance.key, process.name.clone());
                track.instance = Some(instance);
            }
            (false, Some(instance)) => {
                snapshot.exited.push(exited(process, instance, at.ts_ms));
                track.instance = None;
            }
            _ => {}
        }
    }
    let there = tracks.iter().filter(|track| track.is_there(look));
    let things: Vec<Present<'_>> = there
        .map(|track| {
            let values = track.series.iter().map(|series| (series.metric, series.values.at(look))).collect();
            Present { subject: &track.subject, instance: track.instance, values }
        })
        .collect();
    fill(&mut snapshot, kinds, &things);
    let mut problems = Vec::new();
    for thing in &things {
        for (metric, slot) in &thing.values {
            if let Slot::Number(given) = slot
                && let Err(contradiction) = check(&snapshot, thing, metric, *given)
            {
                let track = tracks.iter().find(|track| track.subject == *thing.subject);
                let series = track.and_then(|track| track.series.iter().find(|s| s.metric.name == metric.name));
                let index = series.map_or(0, |series| series.index);
                problems.push(impossible(metric, look, &contradiction).under(&format!("series.{index}")));
            }
        }
    }
    if problems.is_empty() { Ok(snapshot) } else { Err(problems) }
}

/// A value that the machine cannot have together with the others.
fn impossible(metric: &Metric, look: u64, contradiction: &Contradiction) -> Problem {
    let Contradiction { given, found } = contradiction;
    let shown = metric.unit.show(*given);
    let read = found.map_or_else(|| "unknown".to_owned(), |found| metric.unit.show(found).to_string());
    let message = format!("value {} of `{}` cannot be {shown}: it reads {read}", look + 1, metric.name);
    Problem::new("values", message).help(
        "what is counted is whole in each interval, a share is from 0 to 1, and series must not contradict another",
    )
}

/// Where the alerts of a test stand.
#[derive(Default)]
struct Alerts {
    by_fingerprint: BTreeMap<Fingerprint, (Alert, i64)>,
    names: BTreeMap<ProcessKey, String>,
}

impl Alerts {
    fn follow(&mut self, alert: Alert, at_ms: i64, happened: &mut Vec<Happened>) {
        let before = self.by_fingerprint.get(&alert.fingerprint).map(|(before, _)| before.state);
        if before != Some(alert.state) && happened.len() < MOST_TOLD {
            happened.push(Happened { at_ms, alert: self.label(&alert), state: alert.state });
        }
        if alert.state == AlertState::Inactive {
            self.by_fingerprint.remove(&alert.fingerprint);
        } else {
            self.by_fingerprint.insert(alert.fingerprint, (alert, at_ms));
        }
    }

    fn compare(&self, index: usize, expect: &ExpectedAlerts) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (_, state, expected) in states(expect) {
            let Some(expected) = expected else { continue };
            let there: Vec<&Alert> =
                self.by_fingerprint.values().map(|(alert, _)| alert).filter(|alert| alert.state == state).collect();
            let missing: Vec<&String> =
                expected.iter().filter(|wanted| !there.iter().any(|alert| self.fits(alert, wanted))).collect();
            let is_as_expected =
                missing.is_empty() && there.iter().all(|alert| expected.iter().any(|wanted| self.fits(alert, wanted)));
            if !is_as_expected {
                let instead = |wanted: &&String| {
                    let fitting = self.by_fingerprint.values().filter(|(alert, _)| self.fits(alert, wanted));
                    ((*wanted).clone(), fitting.max_by_key(|(_, at_ms)| *at_ms).map(|(alert, _)| alert.state))
                };
                differences.push(Difference {
                    expect: index,
                    at_ms: expect.at.ms(),
                    state,
                    expected: expected.clone(),
                    found: there.iter().map(|alert| self.label(alert)).collect(),
                    instead: missing.iter().map(instead).collect(),
                });
            }
        }
        differences
    }

    /// Whether an alert is the one that was written.
    fn fits(&self, alert: &Alert, written: &str) -> bool {
        let (id, name) = split(written);
        alert.rule == id
            && name.is_none_or(|name| match &alert.entity {
                Entity::Process(key) => {
                    self.names.get(key).is_some_and(|own| own == name) || self.name(&alert.entity) == name
                }
                entity => entity.name() == name,
            })
    }

    fn label(&self, alert: &Alert) -> String {
        let missing = if rule_without_data(alert).is_some() { " (no data)" } else { "" };
        match &alert.entity {
            Entity::Host => format!("{}{missing}", alert.rule),
            entity => format!("{}{ON}{}{missing}", alert.rule, self.name(entity)),
        }
    }

    fn name(&self, entity: &Entity) -> String {
        match entity {
            Entity::Process(key) => {
                let name = self.names.get(key).map_or("counted", String::as_str);
                format!("{name} (pid {})", key.pid)
            }
            entity => entity.name(),
        }
    }
}

/// The states of an expectation with their keys.
fn states(expect: &ExpectedAlerts) -> [(&'static str, AlertState, Option<&Vec<String>>); 5] {
    [
        ("pending", AlertState::Pending, expect.pending.as_ref()),
        ("firing", AlertState::Firing, expect.firing.as_ref()),
        ("recovering", AlertState::Recovering, expect.recovering.as_ref()),
        ("resolved", AlertState::Resolved, expect.resolved.as_ref()),
        ("ended", AlertState::Ended, expect.ended.as_ref()),
    ]
}

/// The id of a rule, and on what.
fn split(written: &str) -> (&str, Option<&str>) {
    match written.split_once(ON) {
        Some((id, name)) => (id, Some(name)),
        None => (written, None),
    }
}

#[cfg(test)]
mod tests;
