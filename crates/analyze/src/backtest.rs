//! What rules would have made of the log: the same analyzer as live, and what fired written down.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use watchkeeper_core::evidence::{Cycle, Pattern};
use watchkeeper_core::port::LoadedState;
use watchkeeper_core::text::{contributor_name, title_with_culprit};
use watchkeeper_core::{Alert, AlertState, Change, Entity, Evidence, Fingerprint, Range, Severity, Snapshot};

use crate::life::rule_without_data;
use crate::reasoning::pattern;
use crate::rule::Rule;
use crate::{Analyzer, Settings};

/// The most firings of a rule that are kept; more are only counted, with their times.
const MOST_KEPT: usize = 10_000;
/// The most times of a rule that a pattern is looked for in.
const MOST_TIMES: usize = 100_000;
/// What comes at the same time of the day comes within so many minutes of it.
const NEAR_MINUTES: i32 = 30;

/// What a rule would have done.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleRecord {
    /// Its id.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// How often it would have fired.
    pub times: u64,
    /// Each time, oldest first, at most 10,000 of them.
    pub firings: Vec<Firing>,
    /// How often the data of one of its alerts would have been missing for too long.
    pub blind: u64,
    /// When it would have fired, if regularly.
    pub pattern: Option<Pattern>,
    /// How many of the times are at the time of the pattern.
    pub at_pattern: u64,
}

/// One time that a rule would have fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// What it would have been on.
    pub entity: Entity,
    /// Since when the condition held, milliseconds UTC.
    pub since_ms: i64,
    /// When it would have fired, milliseconds UTC.
    pub fired_ms: i64,
    /// When it would have been over, milliseconds UTC; `None`: not within the range.
    pub over_ms: Option<i64>,
    /// Whether it would have been over because what it was on was gone.
    pub is_gone: bool,
    /// What would have been told: title and who took most at that moment. Safe to show.
    pub told: Option<String>,
    /// Who took most at that moment: program and process id. Safe to show.
    pub culprit: Option<String>,
}

impl Firing {
    /// How long it lasted, or would have until `end_ms`.
    pub fn length_ms(&self, end_ms: i64) -> i64 {
        self.over_ms.unwrap_or(end_ms).saturating_sub(self.fired_ms).max(0)
    }
}

/// Rules on their way through the log.
pub struct Backtest {
    analyzer: Analyzer,
    range: Range,
    records: BTreeMap<String, RuleRecord>,
    times: BTreeMap<String, Vec<i64>>,
    /// What fires, with its place among the firings of its rule.
    open: BTreeMap<Fingerprint, (String, usize)>,
    ticks: u64,
}

/// Who is to blame for each alert that began to fire in a tick.
pub(crate) type Blames = BTreeMap<Fingerprint, Blame>;

/// What is said of one alert at the moment at which it begins to fire.
pub(crate) struct Blame {
    told: String,
    culprit: Option<String>,
}

impl Blame {
    pub(crate) fn new(title: &str, evidence: &Evidence) -> Self {
        Self { told: title_with_culprit(title, evidence), culprit: evidence.top.first().map(contributor_name) }
    }
}

impl Backtest {
    /// Rules that have seen nothing yet. What happens within the range counts.
    pub fn new(settings: Settings, range: Range) -> Self {
        let record = |rule: &Rule| RuleRecord {
            id: rule.id.clone(),
            severity: rule.severity,
            times: 0,
            firings: Vec::new(),
            blind: 0,
            pattern: None,
            at_pattern: 0,
        };
        let records = settings.rules.iter().map(|rule| (rule.id.clone(), record(rule))).collect();
        let nothing = LoadedState { host: settings.host, alerts: Vec::new(), incidents: Vec::new() };
        Self {
            analyzer: Analyzer::new(settings, nothing),
            range,
            records,
            times: BTreeMap::new(),
            open: BTreeMap::new(),
            ticks: 0,
        }
    }

    /// From when on the log is worth giving, milliseconds UTC: the windows of the rules reach so far back.
    pub fn begin_ms(&self) -> i64 {
        self.range.from_ms.saturating_sub(self.analyzer.longest_window_ms())
    }

    /// The next tick of the log. Those before the range only fill the windows.
    pub fn look(&mut self, snapshot: &Snapshot) {
        if self.ticks == 0 && snapshot.at.ts_ms < self.range.from_ms {
            self.analyzer.warm_up(snapshot);
            return;
        }
        self.ticks += 1;
        // An incident keeps the evidence of its first alert; those that join it have culprits of their own.
        let mut blames = Blames::new();
        let changes = self.analyzer.step_blaming(snapshot, Some(&mut blames));
        for change in changes {
            if let Change::Alert(alert) = change {
                self.follow(&alert, &blames);
            }
        }
    }

    /// Ticks within the range.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// What every rule would have done, in the order of their ids.
    pub fn finish(mut self, zone: &TimeZone) -> Vec<RuleRecord> {
        for (id, times_ms) in &self.times {
            let Some(record) = self.records.get_mut(id) else { continue };
            record.pattern = pattern(times_ms, self.range.to_ms, zone);
            record.at_pattern = record.pattern.as_ref().map_or(0, |pattern| at_pattern(times_ms, pattern, zone));
        }
        self.records.into_values().collect()
    }

    fn follow(&mut self, alert: &Alert, blames: &Blames) {
        if let Some(id) = rule_without_data(alert) {
            if let Some(record) = self.records.get_mut(id)
                && alert.state == AlertState::Firing
            {
                record.blind += 1;
            }
            return;
        }
        let Some(record) = self.records.get_mut(&alert.rule) else { return };
        match alert.state {
            AlertState::Firing if !self.open.contains_key(&alert.fingerprint) => {
                let blame = blames.get(&alert.fingerprint);
                let fired_ms = alert.fired_ms.unwrap_or(alert.since_ms);
                self.open.insert(alert.fingerprint, (alert.rule.clone(), record.firings.len()));
                record.times += 1;
                let times = self.times.entry(alert.rule.clone()).or_default();
                if times.len() < MOST_TIMES {
                    times.push(fired_ms);
                }
                if record.firings.len() < MOST_KEPT {
                    record.firings.push(Firing {
                        entity: alert.entity.clone(),
                        since_ms: alert.since_ms,
                        fired_ms,
                        over_ms: None,
                        is_gone: false,
                        told: blame.map(|blame| blame.told.clone()),
                        culprit: blame.and_then(|blame| blame.culprit.clone()),
                    });
                }
            }
            AlertState::Resolved | AlertState::Ended => {
                if let Some((_, place)) = self.open.remove(&alert.fingerprint)
                    && let Some(firing) = record.firings.get_mut(place)
                {
                    firing.over_ms = alert.ended_ms;
                    firing.is_gone = alert.state == AlertState::Ended;
                }
            }
            _ => {}
        }
    }
}

/// How many times are at the time of the day, or of the week, that a pattern says; of equal distances, all that are.
fn at_pattern(times_ms: &[i64], pattern: &Pattern, zone: &TimeZone) -> u64 {
    let Some(minute) = pattern.minute else { return u64::from(pattern.hits) + 1 };
    let is_near = |time_ms: &&i64| {
        let Ok(timestamp) = Timestamp::from_millisecond(**time_ms) else { return false };
        let local = timestamp.to_zoned(zone.clone());
        let own = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let day = |days: i32| days * 1_440;
        let off = (own - i32::from(minute) + day(1) / 2).rem_euclid(day(1)) - day(1) / 2;
        // Before midnight it belongs to the day after, and the other way around.
        let turn = (own - off).div_euclid(day(1));
        let weekday = (i32::from(local.weekday().to_monday_zero_offset()) + turn).rem_euclid(7) + 1;
        let fits = pattern.cycle != Cycle::Week || pattern.weekday.map(i32::from) == Some(weekday);
        off.abs() <= NEAR_MINUTES && fits
    };
    times_ms.iter().filter(is_near).count() as u64
}

#[cfg(test)]
mod tests;
