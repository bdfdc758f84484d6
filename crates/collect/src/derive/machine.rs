//! Differences of the machine as a whole and of its parts.

use std::collections::HashSet;

use watchkeeper_core::reading::{CpuTimes, DiskCounters, HostCounters, InterfaceCounters, Pressure, Reading, Stall};
use watchkeeper_core::snapshot::{Cpu, Disk, Host, Interface, Socket};

pub(super) fn host(previous: Option<&Reading>, current: &Reading, interval_ms: i64) -> Host {
    let now = &current.host;
    let before = previous.map(|reading| &reading.host);
    Host {
        cpu_count: now.cpu_count,
        cpu: before.and_then(|before| cpu_times(&before.cpu?, &now.cpu?, interval_ms)),
        memory: now.memory,
        swap: now.swap,
        load: now.load,
        pressure: now.pressure.map(|pressure| self::pressure(before.and_then(|before| before.pressure), &pressure)),
        counters: before.map_or_else(HostCounters::default, |before| counters(&before.counters, &now.counters)),
        connections: now.connections,
        oom_victim: now.oom_victim,
        clock_step_ms: None,
    }
}

pub(super) fn cpus(previous: Option<&Reading>, current: &Reading, interval_ms: i64) -> Option<Vec<Cpu>> {
    let before = previous.and_then(|reading| reading.cpus.as_deref()).unwrap_or_default();
    let cpu = |now: &watchkeeper_core::reading::CpuReading| {
        let before = before.iter().find(|before| before.number == now.number);
        Cpu { number: now.number, times: before.and_then(|before| cpu_times(&before.times, &now.times, interval_ms)) }
    };
    Some(current.cpus.as_deref()?.iter().map(cpu).collect())
}

pub(super) fn disks(previous: Option<&Reading>, current: &Reading) -> Option<Vec<Disk>> {
    let before = previous.and_then(|reading| reading.disks.as_deref()).unwrap_or_default();
    let disk = |now: &watchkeeper_core::reading::DiskReading| {
        let before = before.iter().find(|before| before.name == now.name);
        let counters = before.and_then(|before| disk_counters(&before.counters, &now.counters));
        Disk { name: now.name.clone(), counters, in_flight: now.in_flight }
    };
    Some(current.disks.as_deref()?.iter().map(disk).collect())
}

pub(super) fn interfaces(previous: Option<&Reading>, current: &Reading) -> Option<Vec<Interface>> {
    let before = previous.and_then(|reading| reading.interfaces.as_deref()).unwrap_or_default();
    let interface = |now: &watchkeeper_core::reading::InterfaceReading| {
        let before = before.iter().find(|before| before.name == now.name);
        let counters = before.and_then(|before| interface_counters(&before.counters, &now.counters));
        Interface { name: now.name.clone(), counters, up: now.up }
    };
    Some(current.interfaces.as_deref()?.iter().map(interface).collect())
}

/// Sockets with the word whether they appeared since the previous reading. A reader that looks at sockets more rarely
/// than at everything else shows the same list until it looks again, in which nothing appears; one that knows that a
/// socket is no news says so itself.
pub(super) fn sockets(previous: Option<&Reading>, current: &Reading) -> Option<Vec<Socket>> {
    let before = previous.and_then(|reading| reading.sockets.as_deref());
    let known: Option<HashSet<(&str, &str, u16)>> = before.map(|before| before.iter().map(place).collect());
    let socket = |now: &Socket| {
        let opened = known.as_ref().map(|known| now.opened.unwrap_or_else(|| !known.contains(&place(now))));
        Socket { opened, ..now.clone() }
    };
    Some(current.sockets.as_deref()?.iter().map(socket).collect())
}

fn place(socket: &Socket) -> (&str, &str, u16) {
    (&socket.protocol, &socket.address, socket.port)
}

/// Time in each mode. The kernel computes idle, waiting and stolen time anew from several clocks, and they are known to
/// fall by a little; that is no reset.
fn cpu_times(before: &CpuTimes, now: &CpuTimes, interval_ms: i64) -> Option<CpuTimes> {
    let wobble_us = u64::try_from(interval_ms).unwrap_or(0).saturating_mul(1_000);
    let unsteady = |before: u64, now: u64| match now.checked_sub(before) {
        Some(difference) => Some(difference),
        None if before - now <= wobble_us => Some(0),
        None => None,
    };
    Some(CpuTimes {
        user_us: now.user_us.checked_sub(before.user_us)?,
        nice_us: now.nice_us.checked_sub(before.nice_us)?,
        system_us: now.system_us.checked_sub(before.system_us)?,
        idle_us: unsteady(before.idle_us, now.idle_us)?,
        iowait_us: unsteady(before.iowait_us, now.iowait_us)?,
        interrupt_us: now.interrupt_us.checked_sub(before.interrupt_us)?,
        softirq_us: now.softirq_us.checked_sub(before.softirq_us)?,
        steal_us: unsteady(before.steal_us, now.steal_us)?,
    })
}

fn pressure(before: Option<Pressure>, now: &Pressure) -> Pressure {
    let before = before.unwrap_or_default();
    let line = |before: Option<Stall>, now: Option<Stall>| {
        let (before, now) = (before?, now?);
        Some(Stall { total_us: now.total_us.checked_sub(before.total_us)?, ..now })
    };
    Pressure {
        cpu_some: line(before.cpu_some, now.cpu_some),
        memory_some: line(before.memory_some, now.memory_some),
        memory_full: line(before.memory_full, now.memory_full),
        io_some: line(before.io_some, now.io_some),
        io_full: line(before.io_full, now.io_full),
    }
}

fn counters(before: &HostCounters, now: &HostCounters) -> HostCounters {
    let counter = |before: Option<u64>, now: Option<u64>| now?.checked_sub(before?);
    HostCounters {
        created: counter(before.created, now.created),
        context_switches: counter(before.context_switches, now.context_switches),
        interrupts: counter(before.interrupts, now.interrupts),
        minor_faults: counter(before.minor_faults, now.minor_faults),
        major_faults: counter(before.major_faults, now.major_faults),
        swapped_in_bytes: counter(before.swapped_in_bytes, now.swapped_in_bytes),
        swapped_out_bytes: counter(before.swapped_out_bytes, now.swapped_out_bytes),
        oom_kills: counter(before.oom_kills, now.oom_kills),
    }
}

fn disk_counters(before: &DiskCounters, now: &DiskCounters) -> Option<DiskCounters> {
    Some(DiskCounters {
        read_bytes: now.read_bytes.checked_sub(before.read_bytes)?,
        written_bytes: now.written_bytes.checked_sub(before.written_bytes)?,
        reads: now.reads.checked_sub(before.reads)?,
        writes: now.writes.checked_sub(before.writes)?,
        read_us: now.read_us.checked_sub(before.read_us)?,
        write_us: now.write_us.checked_sub(before.write_us)?,
        busy_us: now.busy_us.checked_sub(before.busy_us)?,
    })
}

fn interface_counters(before: &InterfaceCounters, now: &InterfaceCounters) -> Option<InterfaceCounters> {
    Some(InterfaceCounters {
        received_bytes: now.received_bytes.checked_sub(before.received_bytes)?,
        sent_bytes: now.sent_bytes.checked_sub(before.sent_bytes)?,
        received_packets: now.received_packets.checked_sub(before.received_packets)?,
        sent_packets: now.sent_packets.checked_sub(before.sent_packets)?,
        received_errors: now.received_errors.checked_sub(before.received_errors)?,
        sent_errors: now.sent_errors.checked_sub(before.sent_errors)?,
        received_dropped: now.received_dropped.checked_sub(before.received_dropped)?,
        sent_dropped: now.sent_dropped.checked_sub(before.sent_dropped)?,
    })
}
