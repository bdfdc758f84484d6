//! How the watch itself does, in the rows of the machine.

use watchkeeper_core::snapshot::Watch;

use super::layout::{Cell, put, take};

/// Columns of it, from the first one on.
pub(super) const COUNT: usize = 5;

/// Puts it into its columns.
pub(super) fn cells(watch: Option<Watch>, cells: &mut [Cell]) {
    let parts = |w: Watch| [w.late_ms, w.log_failing_ms, w.state_failing_ms, w.channel_failing_ms, w.outbox_age_ms];
    put::<COUNT>(cells, 0, watch.map(parts));
}

/// Takes it out of its columns.
pub(super) fn watch(cells: &[Cell]) -> Option<Watch> {
    let parts = take::<COUNT>(cells, 0)?;
    let [late_ms, log_failing_ms, state_failing_ms, channel_failing_ms, outbox_age_ms] = parts;
    Some(Watch { late_ms, log_failing_ms, state_failing_ms, channel_failing_ms, outbox_age_ms })
}
