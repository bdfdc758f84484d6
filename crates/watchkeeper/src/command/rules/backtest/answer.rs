//! What would have fired, for programs.

use serde::Serialize;
use watchkeeper_analyze::backtest::{Firing, RuleRecord};
use watchkeeper_core::evidence::Pattern;

use super::Tested;

/// The whole answer. Times are milliseconds UTC.
#[derive(Debug, Serialize)]
pub struct Answer<'t> {
    from_ms: i64,
    to_ms: i64,
    ticks: u64,
    covered_ms: i64,
    rules: Vec<RuleAnswer<'t>>,
}

#[derive(Debug, Serialize)]
struct RuleAnswer<'t> {
    id: &'t str,
    severity: String,
    times: u64,
    missing_data: u64,
    pattern: Option<&'t Pattern>,
    at_pattern: u64,
    firings: Vec<FiringAnswer<'t>>,
}

#[derive(Debug, Serialize)]
struct FiringAnswer<'t> {
    kind: &'static str,
    name: String,
    since_ms: i64,
    fired_ms: i64,
    over_ms: Option<i64>,
    length_ms: i64,
    gone: bool,
    culprit: Option<&'t str>,
    told: Option<&'t str>,
}

impl<'t> Answer<'t> {
    /// The answer of a backtest.
    pub fn of(tested: &'t Tested) -> Self {
        let end_ms = tested.range.to_ms;
        Self {
            from_ms: tested.range.from_ms,
            to_ms: end_ms,
            ticks: tested.ticks,
            covered_ms: tested.coverage.covered_ms,
            rules: tested.records.iter().map(|record| RuleAnswer::of(record, end_ms)).collect(),
        }
    }
}

impl<'t> RuleAnswer<'t> {
    fn of(record: &'t RuleRecord, end_ms: i64) -> Self {
        Self {
            id: &record.id,
            severity: record.severity.to_string(),
            times: record.times,
            missing_data: record.blind,
            pattern: record.pattern.as_ref(),
            at_pattern: record.at_pattern,
            firings: record.firings.iter().map(|firing| FiringAnswer::of(firing, end_ms)).collect(),
        }
    }
}

impl<'t> FiringAnswer<'t> {
    fn of(firing: &'t Firing, end_ms: i64) -> Self {
        Self {
            kind: firing.entity.kind().word(),
            name: firing.entity.name(),
            since_ms: firing.since_ms,
            fired_ms: firing.fired_ms,
            over_ms: firing.over_ms,
            length_ms: firing.length_ms(end_ms),
            gone: firing.is_gone,
            culprit: firing.culprit.as_deref(),
            told: firing.told.as_deref(),
        }
    }
}
