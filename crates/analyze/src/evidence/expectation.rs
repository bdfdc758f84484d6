//! Titles and evidence of expectations that are broken.

use jiff::tz::TimeZone;
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::evidence::{Amount, Contributor, Evidence, TOP};
use watchkeeper_core::snapshot::Process;
use watchkeeper_core::text::{clean, duration, local_time};
use watchkeeper_core::{Alert, Unit};
use watchkeeper_expression::{Comparison, Threshold};

use super::{LONGEST_CONDITION, LONGEST_NAME, Scene};
use crate::expect::{Expect, Restarts};
use crate::question::{Asking, Question};
use crate::ranking::{Measure, Ranked};
use crate::rule::Rule;
use crate::watch::expected::{self, Finding, Last};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// An expectation that is broken at this tick, and the line that says so.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    finding: Finding,
    pub(super) title: String,
}

impl<'a> Scene<'a> {
    /// What a rule expects and is not so, for its alerts that begin to fire in this tick.
    pub(crate) fn expect(&mut self, rule: &Rule, finding: Option<&Finding>, time_zone: &str) {
        let Some(finding) = finding else { return };
        let zone = TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
        let title = title(rule, finding, self.tick.snapshot.at.ts_ms, &zone);
        self.broken.insert(rule.id.clone(), Broken { finding: finding.clone(), title });
    }

    /// Of too many processes the largest; otherwise the last one that ended, of which nothing is left to compare.
    pub(super) fn evidence_of_expectation(
        &mut self,
        rule: &Rule,
        alert: &Alert,
        broken: &Broken,
        time_zone: &str,
    ) -> Evidence {
        let finding = &broken.finding;
        let (threshold, too_many) = match finding.broken {
            expected::Broken::Missing { least } => (least, false),
            expected::Broken::Restarted(Restarts { most, .. }) => (most, false),
            expected::Broken::TooMany { most } => (most, true),
        };
        let mut evidence = Evidence {
            condition: condition(rule),
            unit: Unit::Count,
            value: f64::from(finding.count),
            threshold: Some(f64::from(threshold)),
            ..self.evidence_without_data(rule, alert, time_zone)
        };
        let measure = Measure::memory().filter(|_| too_many);
        let counted = measure.map_or_else(Vec::new, |measure| self.counted(&rule.when, measure));
        if let Some((first, measure)) = counted.first().zip(measure) {
            let tick = self.tick;
            let ranking = &self.ranking(measure).0;
            evidence.top = counted.iter().take(TOP).map(|ranked| ranking.contributor(ranked, tick)).collect();
            evidence.ranked_by = Some(measure.ranked_by());
            evidence.lineage = self.family().lineage(first);
        } else if let Some(last) = &finding.last {
            evidence.top = vec![self.contributor_of(last)];
            evidence.lineage =
                self.family().lineage(&Ranked::ended(last.key, last.parent, last.image.clone(), last.uid));
        }
        evidence
    }

    /// The living processes that count, in the order of their memory.
    fn counted(&mut self, which: &Question, measure: Measure) -> Vec<Ranked> {
        let tick = self.tick;
        let mut asking = Asking::of_entities(which, tick.snapshot);
        let mut counts = |process: &'a Process| asking.look(0, EntityRef::Process(process)).verdict == Some(true);
        let living = tick.snapshot.processes.as_deref().unwrap_or_default();
        let counted: Vec<&Process> = living.iter().filter(|process| counts(process)).collect();
        let ranking = &self.ranking(measure).0;
        let mut ranked: Vec<Ranked> = counted.into_iter().filter_map(|process| ranking.place(process, tick)).collect();
        ranked.sort_by(Ranked::largest_first);
        ranked
    }

    /// One that ended, with the time it had lived.
    fn contributor_of(&self, last: &Last) -> Contributor {
        let started_ms = self.tick.snapshot.at.started_ms(last.key.start_ticks);
        let lived_ms = (last.ended_ms - started_ms).max(0);
        Contributor {
            key: last.key,
            name: last.image.name.clone(),
            program: last.image.program.clone(),
            uid: last.uid,
            user: None,
            command: last.image.command.as_ref().map(|command| command.text.clone()),
            started_ms,
            amount: Amount { value: lived_ms as f64 / 1_000.0, share: None },
        }
    }
}

/// What is expected of which processes.
fn condition(rule: &Rule) -> String {
    let Some(Expect { min, max, restarts }) = rule.expect else { return rule.when.condition.to_string() };
    let least = min.map(|least| format!("at least {least}"));
    let most = max.map(|most| format!("at most {most}"));
    let often = restarts
        .map(|Restarts { most, within_ms }| format!("at most {} in {}", restarts_words(most), length(within_ms)));
    let parts: Vec<String> = [least, most, often].into_iter().flatten().collect();
    format!("processes with {}: {}", rule.when.condition, parts.join(", "))
}

fn title(rule: &Rule, finding: &Finding, now_ms: i64, zone: &TimeZone) -> String {
    let count = finding.count;
    let last = finding.last.as_ref().map_or(String::new(), |last| format!("; {}", ended(last, now_ms, zone)));
    let there = match count {
        0 => "there are none".to_owned(),
        1 => "there is 1".to_owned(),
        _ => format!("there are {count}"),
    };
    let own = rule.title.as_deref();
    let name = name(&rule.when);
    let condition = clean(&rule.when.condition.to_string(), LONGEST_CONDITION);
    let text = match (finding.broken, own, name) {
        (expected::Broken::Missing { least }, own, name) => {
            let what = match (own, name) {
                (Some(own), _) => own.to_owned(),
                (None, Some(name)) if count == 0 => format!("{name} is missing"),
                (None, Some(name)) => format!("too few {name} processes"),
                (None, None) => format!("too few processes with {condition}"),
            };
            format!("{what}: expected at least {}, {there}{last}", processes(least))
        }
        (expected::Broken::Restarted(Restarts { within_ms, .. }), own, name) => {
            let how_often = format!("started again {} in {}", times(count), length(within_ms));
            match (own, name) {
                (Some(own), _) => format!("{own}: {how_often}{last}"),
                (None, Some(name)) => format!("{name} was {how_often}{last}"),
                (None, None) => format!("processes with {condition} were {how_often}{last}"),
            }
        }
        (expected::Broken::TooMany { most }, Some(own), _) => format!("{own}: {}, at most {most}", processes(count)),
        (expected::Broken::TooMany { most }, None, Some(name)) => {
            format!("too many {name} processes: {count}, at most {most}")
        }
        (expected::Broken::TooMany { most }, None, None) => {
            format!("too many processes with {condition}: {count}, at most {most}")
        }
    };
    // What a person is told stays one line, whatever the names in it.
    text.replace(char::is_control, " ")
}

/// The name in a condition that does nothing but compare a text with it.
fn name(which: &Question) -> Option<String> {
    let only = which.condition.only().filter(|only| only.comparison == Comparison::Equal)?;
    let Threshold::Text(name) = &only.threshold else { return None };
    let name = name.rsplit('/').next().unwrap_or(name);
    (!name.is_empty()).then(|| clean(name, LONGEST_NAME))
}

/// `the last one (pid 812) ended 03:04:11 by signal 9`.
fn ended(last: &Last, now_ms: i64, zone: &TimeZone) -> String {
    let time = local_time(last.ended_ms, zone);
    let is_today = (0..24 * HOUR_MS).contains(&(now_ms - last.ended_ms));
    let time = time.get(11..).filter(|_| is_today).unwrap_or(&time);
    let how = match (last.signal, last.code) {
        (Some(signal), _) => format!(" by signal {signal}"),
        (None, Some(code)) => format!(" with exit code {code}"),
        (None, None) => String::new(),
    };
    format!("the last one (pid {}) ended {time}{how}", last.key.pid)
}

fn processes(count: u32) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

fn restarts_words(count: u32) -> String {
    if count == 1 { "1 restart".to_owned() } else { format!("{count} restarts") }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn length(ms: i64) -> String {
    let whole = |unit_ms: i64, word: &str| {
        let count = ms / unit_ms;
        (ms % unit_ms == 0 && count > 0)
            .then(|| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") })
    };
    whole(HOUR_MS, "hour").or_else(|| whole(MINUTE_MS, "minute")).unwrap_or_else(|| duration(ms))
}
