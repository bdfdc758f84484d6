//! Values of the machine as a whole.

use watchkeeper_core::reading::{CpuTimes, Load, Memory, Pressure, Stall, Swap};
use watchkeeper_core::snapshot::{Anomaly, Watch};
use watchkeeper_core::{Metric, Snapshot};

use super::{MEMORY_BYTES, difference, machine_us, part};
use crate::series_test::values::Slot;

/// Swap space of the machine, unless a series says otherwise.
const SWAP_BYTES: u64 = 4 << 30;

/// Writes values in the order of [`super::rank`]. The numbers of processes are written by [`super::process::pad`].
pub(super) fn write(snapshot: &mut Snapshot, values: &[(&'static Metric, Slot)]) {
    for (metric, slot) in values {
        if let Slot::Number(value) = slot {
            write_one(snapshot, metric.name, *value, values);
        }
    }
}

fn write_one(snapshot: &mut Snapshot, name: &str, value: f64, all: &[(&'static Metric, Slot)]) {
    if let Some(rest) = name.strip_prefix("system.cpu.utilization") {
        let whole_us = machine_us(snapshot).round() as u64;
        let times = snapshot.host.cpu.get_or_insert(CpuTimes { idle_us: whole_us, ..CpuTimes::default() });
        return cpu_share(times, rest, value, whole_us, all);
    }
    let (changed, whole_us) = (difference(snapshot, value), machine_us(snapshot).round() as u64);
    let host = &mut snapshot.host;
    match name {
        "system.cpu.logical.count" => host.cpu_count = Some(value.round() as u32),
        "system.cpu.not_attributed" => {
            host.cpu.get_or_insert(CpuTimes { idle_us: whole_us, ..CpuTimes::default() });
            snapshot.not_attributed.cpu_us = Some((value * whole_us as f64).round() as i64);
        }
        "system.network.connection.count" => host.connections = Some(value.round() as u32),
        "system.clock.step" => host.clock_step_ms = Some((value * 1e3).round() as i64),
        "system.process.created" => host.counters.created = Some(changed),
        "system.context_switches" => host.counters.context_switches = Some(changed),
        "system.interrupts" => host.counters.interrupts = Some(changed),
        "system.linux.oom_kills" => host.counters.oom_kills = Some(changed),
        "system.paging.io.in" => host.counters.swapped_in_bytes = Some(changed),
        "system.paging.io.out" => host.counters.swapped_out_bytes = Some(changed),
        "system.paging.faults.minor" => host.counters.minor_faults = Some(changed),
        "system.paging.faults.major" => host.counters.major_faults = Some(changed),
        "watchkeeper.collection.dropped" => snapshot.dropped = value.round() as u32,
        "anomaly.score" | "anomaly.threshold" | "anomaly.confidence" => {
            let anomaly = snapshot.anomaly.get_or_insert(Anomaly { score: 0.0, threshold: 0.5, confidence: 1.0 });
            *match name {
                "anomaly.score" => &mut anomaly.score,
                "anomaly.threshold" => &mut anomaly.threshold,
                _ => &mut anomaly.confidence,
            } = value;
        }
        _ => {
            memory(host.memory.as_mut(), name, value)
                .map(|memory| host.memory = Some(memory))
                .or_else(|| swap(host.swap, name, value).map(|swap| host.swap = Some(swap)))
                .or_else(|| load(host.load, name, value).map(|load| host.load = Some(load)))
                .or_else(|| pressure(host.pressure.as_ref(), name, value).map(|known| host.pressure = Some(known)))
                .or_else(|| watch(snapshot.watch, name, value).map(|watch| snapshot.watch = Some(watch)));
        }
    }
}

/// Writes a share of CPU time; `mode` is what follows `utilization`, empty for all that is busy, and `all` the values of
/// the same CPUs.
pub(super) fn cpu_share(times: &mut CpuTimes, mode: &str, value: f64, whole_us: u64, all: &[(&'static Metric, Slot)]) {
    let own = part(value, whole_us);
    let (field, taken) = match mode {
        // What is busy beyond the modes that have values of their own.
        "" => {
            let rest = own.saturating_sub(times.busy_us());
            (rest_of(times, all), rest)
        }
        ".idle" => {
            let rest = times.idle_us.saturating_sub(own);
            (rest_of(times, all), rest)
        }
        ".user" => (&mut times.user_us, own),
        ".nice" => (&mut times.nice_us, own),
        ".system" => (&mut times.system_us, own),
        ".iowait" => (&mut times.iowait_us, own),
        ".interrupt" => (&mut times.interrupt_us, own),
        ".steal" => (&mut times.steal_us, own),
        _ => return,
    };
    *field += taken;
    times.idle_us = times.idle_us.saturating_sub(taken);
}

/// The mode that takes what no value tells the mode of: the commonest that has no value of its own.
fn rest_of<'t>(times: &'t mut CpuTimes, all: &[(&'static Metric, Slot)]) -> &'t mut u64 {
    let is_free = |mode: &str| !all.iter().any(|(metric, _)| metric.name.ends_with(mode));
    if is_free("utilization.user") {
        &mut times.user_us
    } else if is_free("utilization.system") {
        &mut times.system_us
    } else {
        &mut times.nice_us
    }
}

/// Memory of which nothing is used.
pub(super) fn unused_memory() -> Memory {
    Memory { total_bytes: MEMORY_BYTES, available_bytes: MEMORY_BYTES, ..Memory::default() }
}

fn memory(known: Option<&mut Memory>, name: &str, value: f64) -> Option<Memory> {
    let mut memory = known.copied().unwrap_or_else(unused_memory);
    let bytes = value.round() as u64;
    match name {
        "system.memory.limit" => (memory.total_bytes, memory.available_bytes) = (bytes, bytes),
        "system.memory.utilization" => {
            memory.available_bytes = memory.total_bytes.saturating_sub(part(value, memory.total_bytes));
        }
        "system.memory.usage" => memory.available_bytes = memory.total_bytes.saturating_sub(bytes),
        "system.memory.linux.available" => memory.available_bytes = bytes,
        "system.memory.usage.free" => memory.free_bytes = bytes,
        "system.memory.usage.cached" => memory.cached_bytes = bytes,
        "system.memory.usage.buffers" => memory.buffers_bytes = bytes,
        "system.memory.linux.shared" => memory.shared_bytes = bytes,
        "system.memory.linux.slab.unreclaimable" => memory.slab_bytes = bytes,
        "system.memory.linux.dirty" => memory.dirty_bytes = bytes,
        _ => return None,
    }
    Some(memory)
}

fn swap(known: Option<Swap>, name: &str, value: f64) -> Option<Swap> {
    let mut swap = known.unwrap_or(Swap { total_bytes: SWAP_BYTES, free_bytes: SWAP_BYTES });
    let bytes = value.round() as u64;
    match name {
        "system.paging.limit" => (swap.total_bytes, swap.free_bytes) = (bytes, bytes),
        "system.paging.usage" => swap.free_bytes = swap.total_bytes.saturating_sub(bytes),
        "system.paging.utilization" => {
            swap.free_bytes = swap.total_bytes.saturating_sub(part(value, swap.total_bytes));
        }
        _ => return None,
    }
    Some(swap)
}

fn load(known: Option<Load>, name: &str, value: f64) -> Option<Load> {
    let mut load = known.unwrap_or(Load { one: 0.0, five: 0.0, fifteen: 0.0 });
    match name {
        "system.linux.load.1m" => load.one = value,
        "system.linux.load.5m" => load.five = value,
        "system.linux.load.15m" => load.fifteen = value,
        _ => return None,
    }
    Some(load)
}

fn pressure(known: Option<&Pressure>, name: &str, value: f64) -> Option<Pressure> {
    let mut pressure = known.copied().unwrap_or_default();
    let line = match name {
        "system.linux.pressure.cpu.some" => &mut pressure.cpu_some,
        "system.linux.pressure.memory.some" => &mut pressure.memory_some,
        "system.linux.pressure.memory.full" => &mut pressure.memory_full,
        "system.linux.pressure.io.some" => &mut pressure.io_some,
        "system.linux.pressure.io.full" => &mut pressure.io_full,
        _ => return None,
    };
    *line = Some(Stall { avg10: value, avg60: value, total_us: 0 });
    Some(pressure)
}

fn watch(known: Option<Watch>, name: &str, value: f64) -> Option<Watch> {
    let mut watch = known.unwrap_or_default();
    let field = match name {
        "watchkeeper.collection.delay" => &mut watch.late_ms,
        "watchkeeper.log.failing" => &mut watch.log_failing_ms,
        "watchkeeper.state.failing" => &mut watch.state_failing_ms,
        "watchkeeper.channel.failing" => &mut watch.channel_failing_ms,
        "watchkeeper.outbox.age" => &mut watch.outbox_age_ms,
        _ => return None,
    };
    *field = (value * 1e3).round() as u64;
    Some(watch)
}
