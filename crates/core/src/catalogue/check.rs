//! Metrics of active checks: what the tries of a port or an URL that the user named found.

use super::Kind::Gauge;
use super::Metric;
use super::Read::Check;
use super::entry;
use crate::unit::Unit;

#[rustfmt::skip] // a table: one metric a line
pub(super) const METRICS: &[Metric] = &[
    entry("check.up", Gauge, Unit::Count, Check(|_, c| c.up.map(|up| f64::from(u8::from(up)))), "1 if the last try of the check succeeded, 0 if it failed; unknown before the first one is over"),
    entry("check.duration", Gauge, Unit::Seconds, Check(|_, c| c.duration_us.map(|us| us as f64 / 1e6)), "how long the last try took, also one that failed"),
    entry("check.http.status", Gauge, Unit::Number, Check(|_, c| c.status.map(f64::from)), "status of the last HTTP answer; unknown without one"),
];
