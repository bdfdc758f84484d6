//! What Windows tells of a process: the crate knows what it runs, the system itself counts it, whether or not this user may
//! open it.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use sysinfo::{Pid, Process};
use watchkeeper_core::process::ProcessState;
use watchkeeper_core::reading::{ProcessCpu, ProcessIo, ProcessMemory};

use super::Seen;
use crate::windows::{self, ProcessCounters};

/// What would show more.
pub(super) const REMEDY: &str = "run the watch as an administrator";

/// Steps of 100 ns in a second.
const STEPS_IN_SECOND: u64 = 10_000_000;
/// From 1601, where Windows counts from, to 1970, in steps of 100 ns.
const EPOCH: u64 = 11_644_473_600 * STEPS_IN_SECOND;

/// How this user sees processes.
pub(super) struct Looks {
    /// Start of the kernel, in steps of 100 ns since 1601.
    boot: u64,
    counters: HashMap<u32, ProcessCounters>,
    /// Processes with a window that does not answer, where windows can be seen.
    hung: Option<HashSet<u32>>,
}

impl Looks {
    /// `boot_secs`: start of the kernel, seconds since the epoch; asked more finely here.
    pub(super) fn new(boot_secs: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_nanos() as u64 / 100);
        let since_boot = windows::clocks_ms().map(|(_, all_ms)| all_ms.cast_unsigned() * (STEPS_IN_SECOND / 1_000));
        let boot = now.zip(since_boot).map(|(now, since_boot)| now.saturating_sub(since_boot));
        Self { boot: EPOCH + boot.unwrap_or(boot_secs * STEPS_IN_SECOND), counters: HashMap::new(), hung: None }
    }

    /// Asks for all processes at once.
    pub(super) fn begin(&mut self) {
        self.counters = windows::processes().unwrap_or_default();
        self.hung = windows::hung();
    }

    /// The idle process is none: its CPU time is what nobody uses.
    pub(super) fn is_process(pid: Pid) -> bool {
        pid.as_u32() != windows::IDLE
    }

    /// Ticks of 10 ms from the start of the kernel to that of a process.
    pub(super) fn start_ticks(&self, _pid: Pid, started: u64) -> u64 {
        windows::started_ticks(self.boot, started)
    }

    /// What can be known of one process.
    pub(super) fn look(&self, pid: Pid, process: &Process) -> Seen {
        Seen { state: self.state(pid), ..self.count(pid, process) }
    }

    /// Whether its windows answer; Windows tells nothing else of what a process waits for.
    fn state(&self, pid: Pid) -> Option<ProcessState> {
        let is_hung = self.hung.as_ref()?.contains(&pid.as_u32());
        Some(if is_hung { ProcessState::Hung } else { ProcessState::Answering })
    }

    fn count(&self, pid: Pid, process: &Process) -> Seen {
        let counted = self.counters.get(&pid.as_u32());
        // The crate tells of what this user may open, and of everything else zeros.
        let opened = (process.start_time() > 0).then(|| {
            let cpu_us = process.accumulated_cpu_time().saturating_mul(1_000);
            let usage = process.disk_usage();
            Seen {
                started: EPOCH + process.start_time() * STEPS_IN_SECOND,
                cpu: Some(ProcessCpu { total_us: cpu_us, user_us: cpu_us }),
                memory: Some(ProcessMemory {
                    resident_bytes: process.memory(),
                    virtual_bytes: process.virtual_memory(),
                }),
                io: Some(ProcessIo { read_bytes: usage.total_read_bytes, written_bytes: usage.total_written_bytes }),
                ..Seen::default()
            }
        });
        match (counted, opened) {
            (Some(counted), opened) => Seen {
                started: counted.started,
                threads: Some(counted.threads),
                // Wine counts this only for processes that were opened.
                cpu: opened.and_then(|opened| opened.cpu).filter(|_| counted.cpu.total_us == 0).or(Some(counted.cpu)),
                memory: Some(counted.memory),
                io: Some(counted.io),
                ..Seen::default()
            },
            (None, Some(opened)) => opened,
            (None, None) => Seen::default(),
        }
    }
}
