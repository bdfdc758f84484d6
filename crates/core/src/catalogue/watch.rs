//! How the watch itself does: what a rule can ask so that nobody has to ask `status`.

use super::Kind::{Event, Gauge};
use super::Metric;
use super::Read::Host;
use super::entry;
use crate::snapshot::{Snapshot, Watch};
use crate::unit::Unit;

fn seconds(snapshot: &Snapshot, part: fn(&Watch) -> u64) -> Option<f64> {
    snapshot.watch.as_ref().map(|watch| part(watch) as f64 / 1e3)
}

#[rustfmt::skip] // a table: one metric a line
pub(super) const METRICS: &[Metric] = &[
    entry("watchkeeper.collection.delay", Gauge, Unit::Seconds, Host(|s| seconds(s, |w| w.late_ms)), "by how much the machine was looked at later than it was due"),
    entry("watchkeeper.collection.dropped", Event, Unit::Count, Host(|s| Some(f64::from(s.dropped))), "looks that were lost between the one before and this one, because the rules were too slow"),
    entry("watchkeeper.log.failing", Gauge, Unit::Seconds, Host(|s| seconds(s, |w| w.log_failing_ms)), "for how long the log could not be written; 0 if it can"),
    entry("watchkeeper.state.failing", Gauge, Unit::Seconds, Host(|s| seconds(s, |w| w.state_failing_ms)), "for how long alerts could not be kept on disk; 0 if they can"),
    entry("watchkeeper.channel.failing", Gauge, Unit::Seconds, Host(|s| seconds(s, |w| w.channel_failing_ms)), "for how long the channel that fails longest has failed; 0 if all work"),
    entry("watchkeeper.outbox.age", Gauge, Unit::Seconds, Host(|s| seconds(s, |w| w.outbox_age_ms)), "for how long the oldest message that is due has not been sent; 0 without one"),
];
