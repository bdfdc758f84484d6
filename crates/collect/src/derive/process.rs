//! Differences of processes, and the last rows of those that ended.

use std::cmp::Ordering;

use watchkeeper_core::Moment;
use watchkeeper_core::reading::{
    Looked, ProcessCpu, ProcessFaults, ProcessIo, ProcessNetwork, ProcessReading, Reading,
};
use watchkeeper_core::snapshot::{Exited, Process};

/// Length of a tick of start times in milliseconds.
const TICK_MS: i64 = 10;

/// CPU time that clock ticks can shift from one look to the next: user and system time, a tick each.
const GRANULARITY_US: u64 = 20_000;

/// Living processes with their differences, and those that ended since the previous reading.
pub(super) fn processes(previous: Option<&Reading>, current: &Reading) -> (Option<Vec<Process>>, Vec<Exited>) {
    let Some(now) = current.processes.as_deref() else {
        return (None, Vec::new());
    };
    let before = previous.and_then(|reading| reading.processes.as_deref());
    let mut known = before.unwrap_or_default().iter().peekable();
    let mut exited = Vec::new();
    let mut living = Vec::with_capacity(now.len());
    let cpu_count = cpu_count(previous, current);
    for process in now {
        // Both lists are sorted by key.
        let mut same = None;
        while let Some(older) = known.peek() {
            match older.key.cmp(&process.key) {
                Ordering::Less => exited.extend(known.next().map(|older| exit(older, current))),
                Ordering::Equal => {
                    same = known.next();
                    break;
                }
                Ordering::Greater => break,
            }
        }
        let origin = match (same, previous) {
            (Some(older), Some(previous)) => Origin::Known(older, previous.at.mono_ms),
            (None, Some(previous)) if born_after(process, &previous.at) => Origin::Born(previous.at.mono_ms),
            _ => Origin::Unknown,
        };
        living.push(difference(process, origin, current, cpu_count));
    }
    exited.extend(known.map(|older| exit(older, current)));
    (Some(living), exited)
}

/// What the counters of a process are compared with.
#[derive(Clone, Copy)]
enum Origin<'a> {
    /// The process in the previous reading, and the monotonic time of that.
    Known(&'a ProcessReading, i64),
    /// It began after the previous reading, whose monotonic time this is: everything it counts is new.
    Born(i64),
    /// Nobody looked before.
    Unknown,
}

fn difference(now: &ProcessReading, origin: Origin<'_>, current: &Reading, cpu_count: Option<u32>) -> Process {
    Process {
        key: now.key,
        parent: now.parent,
        image: now.image.clone(),
        uid: now.uid,
        state: now.state,
        threads: now.threads,
        cpu: cpu(now, origin, &current.at, cpu_count),
        memory: now.memory.value,
        faults: group(
            &now.faults,
            origin,
            |older| &older.faults,
            |before, now| {
                Some(ProcessFaults {
                    minor: now.minor.checked_sub(before.minor)?,
                    major: now.major.checked_sub(before.major)?,
                })
            },
        ),
        io: group(
            &now.io,
            origin,
            |older| &older.io,
            |before, now| {
                Some(ProcessIo {
                    read_bytes: now.read_bytes.checked_sub(before.read_bytes)?,
                    written_bytes: now.written_bytes.checked_sub(before.written_bytes)?,
                })
            },
        ),
        network: group(
            &now.network,
            origin,
            |older| &older.network,
            |before, now| {
                Some(ProcessNetwork {
                    received_bytes: now.received_bytes.checked_sub(before.received_bytes)?,
                    sent_bytes: now.sent_bytes.checked_sub(before.sent_bytes)?,
                })
            },
        ),
        descriptors: now.descriptors.value,
    }
}

/// CPU time, never more than all CPUs together could give between the two looks.
fn cpu(now: &ProcessReading, origin: Origin<'_>, at: &Moment, cpu_count: Option<u32>) -> Option<ProcessCpu> {
    let difference = group(
        &now.cpu,
        origin,
        |older| &older.cpu,
        |before, now| {
            Some(ProcessCpu {
                total_us: now.total_us.checked_sub(before.total_us)?,
                user_us: now.user_us.checked_sub(before.user_us)?,
            })
        },
    )?;
    let since_ms = match origin {
        // A process that nobody looked at in the previous reading had not moved until then.
        Origin::Known(older, previous_ms) => older.cpu.mono_ms.max(previous_ms),
        // Sleep since it began makes its start look earlier than it was; before the previous look it was not there.
        Origin::Born(previous_ms) => {
            started_ms(now).saturating_sub(at.suspended_ms).max(previous_ms.saturating_sub(TICK_MS))
        }
        Origin::Unknown => return None,
    };
    // Times of look are whole milliseconds, either of them up to one off.
    let looked_ms = u64::try_from(now.cpu.mono_ms.saturating_sub(since_ms)).unwrap_or(0).saturating_add(2);
    let most_us = cpu_count.map_or(u64::MAX, |count| {
        looked_ms.saturating_mul(1_000).saturating_mul(u64::from(count)).saturating_add(GRANULARITY_US)
    });
    let total_us = difference.total_us.min(most_us);
    // User time is cut to whole ticks on its own and may jump ahead of the total's difference.
    Some(ProcessCpu { total_us, user_us: difference.user_us.min(total_us) })
}

/// The difference of a group of counters that are looked at together.
fn group<T: Copy + Default>(
    now: &Looked<T>,
    origin: Origin<'_>,
    part: fn(&ProcessReading) -> &Looked<T>,
    subtract: impl Fn(&T, &T) -> Option<T>,
) -> Option<T> {
    let value = now.value.as_ref()?;
    match origin {
        Origin::Known(older, _) => {
            let before = part(older);
            let value_before = before.value.as_ref()?;
            if before.mono_ms == now.mono_ms { Some(T::default()) } else { subtract(value_before, value) }
        }
        Origin::Born(_) => Some(*value),
        Origin::Unknown => None,
    }
}

/// A process that was not in the previous reading and began not before it. The start time is cut to a tick.
fn born_after(process: &ProcessReading, previous: &Moment) -> bool {
    let previous_ms = previous.mono_ms.saturating_add(previous.suspended_ms);
    started_ms(process).saturating_add(TICK_MS) >= previous_ms
}

/// Milliseconds from the boot to the start of a process, time asleep included.
fn started_ms(process: &ProcessReading) -> i64 {
    i64::try_from(process.key.start_ticks).unwrap_or(i64::MAX).saturating_mul(TICK_MS)
}

/// CPUs that may have worked in the interval: one may have gone offline in it.
fn cpu_count(previous: Option<&Reading>, current: &Reading) -> Option<u32> {
    let before = previous.and_then(|reading| reading.host.cpu_count);
    current.host.cpu_count.map(|count| count.max(before.unwrap_or(0))).filter(|count| *count > 0)
}

/// The last row of a process that is gone. Polling does not see how it ended nor what it counted after the last look.
fn exit(older: &ProcessReading, current: &Reading) -> Exited {
    Exited {
        key: older.key,
        parent: older.parent,
        image: older.image.clone(),
        uid: older.uid,
        ts_ms: current.at.ts_ms,
        code: None,
        signal: None,
        cpu: None,
        faults: None,
        io: None,
        network: None,
    }
}
