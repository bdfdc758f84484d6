//! What two readings mean: the snapshot of the interval between them. Pure.
//!
//! Counters become differences, gauges stand as they are. A difference is
//! - unknown (`None`) at the first look of a watch, after a reboot, where the counter could not be read at either end, and
//!   where it went backwards;
//! - zero where nobody looked since the previous reading, because nothing moved: what did move is booked on the tick that
//!   reads it;
//! - counted from zero for a process that was born after the previous reading, and unknown for an older one that is
//!   seen for the first time.
//!
//! Nothing is ever negative or more than the machine can do: CPU time beyond that is cut off the process and shows in
//! the remainder that belongs to nobody. Rates divide by the monotonic clock, so setting the wall clock or sleeping
//! changes no value; both are flagged.

mod machine;
mod process;
mod remainder;

use watchkeeper_core::reading::Reading;
use watchkeeper_core::snapshot::{Host, Snapshot, TickFlags};

/// The wall clock may drift from the monotonic one by this much in an interval: two clocks cannot be read at one instant.
const CLOCK_TOLERANCE_MS: i64 = 500;
/// And by this part of the interval, for a clock that is being slewed (the kernel allows 500 ppm).
const CLOCK_SLEW_PART: i64 = 1_000;
/// Sleep shorter than this is rounding.
const SLEEP_TOLERANCE_MS: i64 = 100;

/// What happened between two readings. `previous` is the reading before, if there was one; a reading of another boot or
/// a later time counts as none.
pub fn derive(previous: Option<&Reading>, current: &Reading) -> Snapshot {
    let previous =
        previous.filter(|before| before.at.boot == current.at.boot && before.at.mono_ms <= current.at.mono_ms);
    let interval_ms = previous.map_or(0, |before| current.at.mono_ms - before.at.mono_ms);
    let step_ms = previous.map(|before| clock_step_ms(before, current, interval_ms));
    let host = Host { clock_step_ms: step_ms, ..machine::host(previous, current, interval_ms) };
    let disks = machine::disks(previous, current);
    let interfaces = machine::interfaces(previous, current);
    let (processes, exited) = process::processes(previous, current);
    let not_attributed = remainder::remainder(&remainder::Sides {
        previous,
        current,
        host: &host,
        disks: disks.as_deref(),
        interfaces: interfaces.as_deref(),
        processes: processes.as_deref(),
        exited: &exited,
    });
    Snapshot {
        at: current.at,
        interval_ms,
        flags: flags(previous, current, step_ms),
        host,
        cpus: machine::cpus(previous, current, interval_ms),
        disks,
        filesystems: current.filesystems.clone(),
        interfaces,
        peers: current.peers.clone(),
        sockets: machine::sockets(previous, current),
        checks: current.checks.clone(),
        watch: None,
        anomaly: None,
        processes,
        exited,
        not_attributed,
        dropped: 0,
        gaps: current.gaps.clone(),
    }
}

fn flags(previous: Option<&Reading>, current: &Reading, step_ms: Option<i64>) -> TickFlags {
    let flags = TickFlags::default();
    let Some(previous) = previous else {
        return flags.with(TickFlags::FIRST_LOOK);
    };
    let slept_ms = slept_ms(previous, current);
    let flags = if slept_ms >= SLEEP_TOLERANCE_MS { flags.with(TickFlags::SUSPENDED) } else { flags };
    if step_ms.is_some_and(|step_ms| step_ms != 0) { flags.with(TickFlags::CLOCK_STEP) } else { flags }
}

/// By how much the wall clock was set between two readings; 0 where it only drifted.
fn clock_step_ms(previous: &Reading, current: &Reading, interval_ms: i64) -> i64 {
    let by_wall_ms = current.at.ts_ms.saturating_sub(previous.at.ts_ms);
    let step_ms = by_wall_ms.saturating_sub(interval_ms).saturating_sub(slept_ms(previous, current));
    let tolerance_ms = CLOCK_TOLERANCE_MS + interval_ms / CLOCK_SLEW_PART;
    if step_ms.unsigned_abs() > tolerance_ms.unsigned_abs() { step_ms } else { 0 }
}

fn slept_ms(previous: &Reading, current: &Reading) -> i64 {
    current.at.suspended_ms.saturating_sub(previous.at.suspended_ms)
}

#[cfg(test)]
mod tests;
