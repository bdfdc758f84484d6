//! What the machine did and no process answers for.

use watchkeeper_core::reading::{ProcessReading, Reading};
use watchkeeper_core::snapshot::{
    Disk, Exited, Host, Interface, Process, Remainder, RemainderReason, is_layered_disk, is_loopback,
};

/// Both sides of the account.
pub(super) struct Sides<'a> {
    pub(super) previous: Option<&'a Reading>,
    pub(super) current: &'a Reading,
    pub(super) host: &'a Host,
    pub(super) disks: Option<&'a [Disk]>,
    pub(super) interfaces: Option<&'a [Interface]>,
    pub(super) processes: Option<&'a [Process]>,
    pub(super) exited: &'a [Exited],
}

/// Machine minus processes, with the reasons for which there can be a difference in this tick.
pub(super) fn remainder(sides: &Sides<'_>) -> Remainder {
    let Some(processes) = sides.processes.filter(|_| sides.previous.is_some()) else {
        let first = sides.processes.is_some().then_some(RemainderReason::FirstLook);
        return Remainder { reasons: first.into_iter().collect(), ..Remainder::default() };
    };
    let sums = Sums::of(processes, sides.exited);
    let disk = |part: fn(&watchkeeper_core::snapshot::DiskCounters) -> u64| {
        let own = sides.disks?.iter().filter(|disk| !is_layered_disk(&disk.name));
        total(own.map(|disk| disk.counters.as_ref().map(part)))
    };
    let wire = |part: fn(&watchkeeper_core::snapshot::InterfaceCounters) -> u64| {
        let outer = sides.interfaces?.iter().filter(|interface| !is_loopback(&interface.name));
        total(outer.map(|interface| interface.counters.as_ref().map(part)))
    };
    let mut remainder = Remainder {
        cpu_us: minus(sides.host.cpu.map(|cpu| cpu.busy_us()), sums.cpu_us),
        read_bytes: minus(disk(|counters| counters.read_bytes), sums.read_bytes),
        written_bytes: minus(disk(|counters| counters.written_bytes), sums.written_bytes),
        received_bytes: minus(wire(|counters| counters.received_bytes), sums.received_bytes),
        sent_bytes: minus(wire(|counters| counters.sent_bytes), sums.sent_bytes),
        reasons: Vec::new(),
    };
    remainder.reasons = reasons(sides, processes, &remainder);
    remainder
}

fn reasons(sides: &Sides<'_>, processes: &[Process], remainder: &Remainder) -> Vec<RemainderReason> {
    let readings = sides.current.processes.as_deref().unwrap_or_default();
    let known_before = sides.previous.and_then(|previous| previous.processes.as_deref()).map_or(0, <[_]>::len);
    // Whoever is alive and was not there before was created; the kernel counts threads as well.
    let survivors = (processes.len() + sides.exited.len()).saturating_sub(known_before) as u64;
    let created_and_gone = sides.host.counters.created.is_some_and(|created| created > survivors);
    let lost_at_end = sides.exited.iter().any(|exited| exited.cpu.is_none());
    let readable = |process: &ProcessReading| process.cpu.value.is_some();
    let late = processes.iter().zip(readings).any(|(process, reading)| process.cpu.is_none() && readable(reading));
    let refused = readings.iter().any(|reading| !readable(reading) || reading.io.value.is_none());
    let served = sides.host.cpu.is_some_and(|cpu| cpu.interrupt_us > 0 || cpu.softirq_us > 0);
    let on_behalf = [remainder.read_bytes, remainder.written_bytes].iter().flatten().any(|bytes| *bytes != 0);
    [
        (served, RemainderReason::Interrupts),
        (lost_at_end || created_and_gone, RemainderReason::Ended),
        (late, RemainderReason::FirstLook),
        (refused, RemainderReason::Permission),
        (on_behalf, RemainderReason::Kernel),
    ]
    .into_iter()
    .filter_map(|(holds, reason)| holds.then_some(reason))
    .collect()
}

/// Sums over all processes, living and ended; `None` where not a single one is known.
#[derive(Default)]
struct Sums {
    cpu_us: Option<u64>,
    read_bytes: Option<u64>,
    written_bytes: Option<u64>,
    received_bytes: Option<u64>,
    sent_bytes: Option<u64>,
}

impl Sums {
    fn of(processes: &[Process], exited: &[Exited]) -> Self {
        let mut sums = Self::default();
        let living = processes.iter().map(|process| (process.cpu, process.io, process.network));
        for (cpu, io, network) in living.chain(exited.iter().map(|exited| (exited.cpu, exited.io, exited.network))) {
            add(&mut sums.cpu_us, cpu.map(|cpu| cpu.total_us));
            add(&mut sums.read_bytes, io.map(|io| io.read_bytes));
            add(&mut sums.written_bytes, io.map(|io| io.written_bytes));
            add(&mut sums.received_bytes, network.map(|network| network.received_bytes));
            add(&mut sums.sent_bytes, network.map(|network| network.sent_bytes));
        }
        sums
    }
}

fn add(sum: &mut Option<u64>, value: Option<u64>) {
    if let Some(value) = value {
        *sum = Some(sum.unwrap_or(0).saturating_add(value));
    }
}

/// The sum of all values; unknown as soon as one of them is.
fn total(mut values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    values.try_fold(0_u64, |sum, value| Some(sum.saturating_add(value?)))
}

fn minus(whole: Option<u64>, parts: Option<u64>) -> Option<i64> {
    let (whole, parts) = (i64::try_from(whole?).ok()?, i64::try_from(parts?).ok()?);
    Some(whole - parts)
}
