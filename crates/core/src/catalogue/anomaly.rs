//! How strange a tick is to a model of what is normal, where one was learned.

use super::Kind::Gauge;
use super::Metric;
use super::Read::Host;
use super::entry;
use crate::unit::Unit;

#[rustfmt::skip] // a table: one metric a line
pub(super) const METRICS: &[Metric] = &[
    entry("anomaly.score", Gauge, Unit::Ratio, Host(|s| s.anomaly.map(|a| a.score)), "how strange this moment is to the learned model; unknown without one"),
    entry("anomaly.threshold", Gauge, Unit::Ratio, Host(|s| s.anomaly.map(|a| a.threshold)), "the model's line between the usual and the strange; unknown without one"),
    entry("anomaly.confidence", Gauge, Unit::Ratio, Host(|s| s.anomaly.map(|a| a.confidence)), "share of the model's trees that agree with the verdict; unknown without one"),
];
