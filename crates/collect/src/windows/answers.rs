//! The answers of Windows' system information, as bytes of a 64-bit system. Whatever is in them, nothing panics; what is
//! cut short is left out.
//!
//! The layouts have been the same since Windows Vista; fields that Microsoft's header leaves unnamed are those of the
//! debugging symbols. Times are in steps of 100 ns.

use std::collections::HashMap;

use watchkeeper_core::reading::{CpuTimes, ProcessCpu, ProcessIo, ProcessMemory, Swap};

/// Steps of 100 ns in a tick of 10 ms, the unit of start times.
const STEPS_IN_TICK: u64 = 100_000;
/// Steps of 100 ns in a microsecond.
const STEPS_IN_US: u64 = 10;
/// Windows' page on every processor that runs it with 64 bits, bytes.
const PAGE_BYTES: u64 = 4_096;

/// What the system counts for one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessCounters {
    /// When it began, in steps of 100 ns since 1601; 0 for the idle process.
    pub(crate) started: u64,
    pub(crate) threads: u32,
    pub(crate) cpu: ProcessCpu,
    pub(crate) memory: ProcessMemory,
    /// All bytes it read and wrote by calls of the system: files, pipes and devices.
    pub(crate) io: ProcessIo,
}

/// Ticks of 10 ms from a start of the kernel to that of a process, both in steps of 100 ns since 1601.
pub(crate) fn started_ticks(boot: u64, started: u64) -> u64 {
    started.saturating_sub(boot) / STEPS_IN_TICK
}

/// All processes by number.
pub(super) fn processes(bytes: &[u8]) -> HashMap<u32, ProcessCounters> {
    let mut processes = HashMap::new();
    let mut entry = bytes;
    while let Some((pid, counters)) = process(entry) {
        processes.insert(pid, counters);
        let next = u32_at(entry, 0).unwrap_or(0) as usize;
        match entry.get(next..) {
            Some(rest) if next > 0 => entry = rest,
            _ => break,
        }
    }
    processes
}

/// `SYSTEM_PROCESS_INFORMATION`.
fn process(entry: &[u8]) -> Option<(u32, ProcessCounters)> {
    let (user, kernel) = (u64_at(entry, 40)?, u64_at(entry, 48)?);
    let counters = ProcessCounters {
        threads: u32_at(entry, 4)?,
        started: u64_at(entry, 32)?,
        cpu: ProcessCpu { total_us: user.saturating_add(kernel) / STEPS_IN_US, user_us: user / STEPS_IN_US },
        memory: ProcessMemory { resident_bytes: u64_at(entry, 144)?, virtual_bytes: u64_at(entry, 200)? },
        io: ProcessIo { read_bytes: u64_at(entry, 232)?, written_bytes: u64_at(entry, 240)? },
    };
    Some((u32::try_from(u64_at(entry, 80)?).ok()?, counters))
}

/// Each processor of the answer, in order: `SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION`.
pub(super) fn cpus(bytes: &[u8]) -> Vec<CpuTimes> {
    let time = |entry: &[u8], at: usize| u64_at(entry, at).unwrap_or(0);
    let cpu = |entry: &[u8]| {
        let (idle, dpc, interrupt) = (time(entry, 0), time(entry, 24), time(entry, 32));
        // Kernel time holds the other three.
        let system = time(entry, 8).saturating_sub(idle).saturating_sub(dpc).saturating_sub(interrupt);
        CpuTimes {
            user_us: time(entry, 16) / STEPS_IN_US,
            system_us: system / STEPS_IN_US,
            idle_us: idle / STEPS_IN_US,
            interrupt_us: interrupt / STEPS_IN_US,
            // Deferred procedure calls: what an interrupt leaves for later.
            softirq_us: dpc / STEPS_IN_US,
            ..CpuTimes::default()
        }
    };
    bytes.chunks_exact(48).map(cpu).collect()
}

/// All processors together from their idle, kernel (idle included) and user time.
pub(super) fn total(idle: u64, kernel: u64, user: u64) -> CpuTimes {
    CpuTimes {
        user_us: user / STEPS_IN_US,
        system_us: kernel.saturating_sub(idle) / STEPS_IN_US,
        idle_us: idle / STEPS_IN_US,
        ..CpuTimes::default()
    }
}

/// All page files together: `SYSTEM_PAGEFILE_INFORMATION`, none where there is none.
pub(super) fn page_files(bytes: &[u8]) -> Swap {
    let mut swap = Swap::default();
    let mut entry = bytes;
    while let (Some(next), Some(total), Some(used)) = (u32_at(entry, 0), u32_at(entry, 4), u32_at(entry, 8)) {
        swap.total_bytes += u64::from(total) * PAGE_BYTES;
        swap.free_bytes += u64::from(total.saturating_sub(used)) * PAGE_BYTES;
        match entry.get(next as usize..) {
            Some(rest) if next > 0 => entry = rest,
            _ => break,
        }
    }
    swap
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An entry of 64-bit fields by place; `next` is where the following one begins.
    fn entry(next: u32, threads: u32, fields: &[(usize, u64)]) -> Vec<u8> {
        let mut bytes = vec![0; 256 + 80];
        bytes[..4].copy_from_slice(&next.to_le_bytes());
        bytes[4..8].copy_from_slice(&threads.to_le_bytes());
        for (at, value) in fields {
            bytes[*at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn processes_follow_one_another() {
        let first = entry(336, 4, &[(80, 0), (48, 9_000_000)]);
        let fields = [
            (32, 70_000_000),
            (40, 20_000_000),
            (48, 10_000_005),
            (80, 4_711),
            (144, 8_192),
            (200, 4_096),
            (232, 5),
            (240, 6),
        ];
        let second = entry(0, 12, &fields);
        let processes = processes(&[first, second].concat());
        assert_eq!(processes.len(), 2);
        assert_eq!(processes[&0].cpu.total_us, 900_000);
        let expected = ProcessCounters {
            started: 70_000_000,
            threads: 12,
            cpu: ProcessCpu { total_us: 3_000_000, user_us: 2_000_000 },
            memory: ProcessMemory { resident_bytes: 8_192, virtual_bytes: 4_096 },
            io: ProcessIo { read_bytes: 5, written_bytes: 6 },
        };
        assert_eq!(processes[&4_711], expected);
    }

    #[test]
    fn starts_are_counted_from_that_of_the_kernel() {
        for (boot, started, ticks) in [(1_000_000, 1_000_000, 0), (1_000_000, 3_199_999, 21), (1_000_000, 0, 0)] {
            assert_eq!(started_ticks(boot, started), ticks);
        }
    }

    #[test]
    fn kernel_time_is_without_the_idle_time_in_it() {
        let mut bytes = Vec::new();
        for time in [50_u64, 100, 30, 7, 3, 0, 40, 40, 10, 0, 0, 0] {
            bytes.extend((time * 10).to_le_bytes());
        }
        let one =
            CpuTimes { user_us: 30, system_us: 40, idle_us: 50, interrupt_us: 3, softirq_us: 7, ..CpuTimes::default() };
        let other = CpuTimes { user_us: 10, idle_us: 40, ..CpuTimes::default() };
        assert_eq!(cpus(&bytes), [one, other]);
        assert_eq!(total(500, 1_000, 300), CpuTimes { user_us: 30, system_us: 50, idle_us: 50, ..CpuTimes::default() });
    }

    #[test]
    fn page_files_are_added_up_and_may_be_none() {
        let file = |next: u32, total: u32, used: u32| {
            let mut bytes = vec![0; 32];
            for (at, value) in [(0, next), (4, total), (8, used)] {
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            bytes
        };
        let swap = page_files(&[file(32, 1_024, 1_000), file(0, 1_024, 0)].concat());
        assert_eq!((swap.total_bytes, swap.free_bytes), (8 << 20, 1_048 * 4_096));
        assert_eq!(page_files(&[]), Swap::default());
    }

    proptest! {
        #[test]
        fn any_answer_is_understood_or_left(bytes: Vec<u8>, next in 0_u32..400) {
            let _ = (processes(&bytes), cpus(&bytes), page_files(&bytes));
            let entry = [entry(next, 1, &[(80, 7)]), bytes].concat();
            prop_assert!(processes(&entry).len() <= entry.len());
            let _ = page_files(&entry);
        }
    }
}
