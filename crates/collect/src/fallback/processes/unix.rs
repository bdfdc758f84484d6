//! What Unix systems tell of a process through the crate, and what they refuse: there it answers zeros.

use sysinfo::{Pid, Process, ProcessStatus};
use watchkeeper_core::process::ProcessState;
use watchkeeper_core::reading::{ProcessCpu, ProcessIo, ProcessMemory};

use super::{Seen, uid};

/// What would show more.
pub(super) const REMEDY: &str = "run the watch as root";

/// How this user sees processes.
pub(super) struct Looks {
    boot_secs: u64,
    me: u32,
}

impl Looks {
    /// `boot_secs`: start of the kernel, seconds since the epoch.
    pub(super) fn new(boot_secs: u64) -> Self {
        Self { boot_secs, me: rustix::process::geteuid().as_raw() }
    }

    /// The crate has asked already.
    #[expect(clippy::unused_self, reason = "other systems are asked once for all processes")]
    pub(super) fn begin(&mut self) {}

    /// All of the list.
    pub(super) fn is_process(_pid: Pid) -> bool {
        true
    }

    /// Ticks of 10 ms from the start of the kernel to that of a process.
    pub(super) fn start_ticks(&self, pid: Pid, started: u64) -> u64 {
        start_ticks(pid.as_u32(), started.saturating_sub(self.boot_secs))
    }

    /// What can be known of one process.
    pub(super) fn look(&self, _pid: Pid, process: &Process) -> Seen {
        let is_open = self.me == 0 || uid(process) == Some(self.me);
        // Only Linux shows the counters of other users' processes to everybody, and only root may see their bytes.
        let is_shown = is_open || cfg!(target_os = "linux");
        let cpu_us = process.accumulated_cpu_time().saturating_mul(1_000);
        let usage = process.disk_usage();
        Seen {
            started: process.start_time(),
            state: state(process.status()),
            threads: None,
            cpu: is_shown.then_some(ProcessCpu { total_us: cpu_us, user_us: cpu_us }),
            memory: is_shown
                .then(|| ProcessMemory { resident_bytes: process.memory(), virtual_bytes: process.virtual_memory() }),
            io: is_open
                .then_some(ProcessIo { read_bytes: usage.total_read_bytes, written_bytes: usage.total_written_bytes }),
        }
    }
}

fn state(status: ProcessStatus) -> Option<ProcessState> {
    match status {
        // On macOS the crate says so of every process that is not stopped or a zombie.
        ProcessStatus::Run if cfg!(target_os = "macos") => None,
        ProcessStatus::Run => Some(ProcessState::Running),
        ProcessStatus::Sleep => Some(ProcessState::Sleeping),
        ProcessStatus::UninterruptibleDiskSleep => Some(ProcessState::DiskSleep),
        // Elsewhere the same word means a process that is being made.
        ProcessStatus::Idle if cfg!(target_os = "linux") => Some(ProcessState::Idle),
        ProcessStatus::Stop => Some(ProcessState::Stopped),
        ProcessStatus::Tracing => Some(ProcessState::Traced),
        ProcessStatus::Zombie => Some(ProcessState::Zombie),
        ProcessStatus::Dead => Some(ProcessState::Dead),
        _ => Some(ProcessState::Other),
    }
}

/// Start of a process in ticks of 10 ms since the boot. The crate tells whole seconds; on Linux the kernel is asked, so
/// that a process has the same key in every tier.
#[cfg(target_os = "linux")]
fn start_ticks(pid: u32, since_boot_secs: u64) -> u64 {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok();
    let ticks = stat.as_deref().and_then(started).unwrap_or(since_boot_secs.saturating_mul(100));
    // Somebody else may have taken the number meanwhile.
    if ticks / 100 == since_boot_secs { ticks } else { since_boot_secs.saturating_mul(100) }
}

#[cfg(not(target_os = "linux"))]
fn start_ticks(_pid: u32, since_boot_secs: u64) -> u64 {
    since_boot_secs.saturating_mul(100)
}

/// Field 22 of `/proc/PID/stat`, in ticks of 10 ms. The name before it ends at the last parenthesis.
#[cfg(target_os = "linux")]
fn started(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let field = std::str::from_utf8(&stat[name_end + 1..]).ok()?.split_ascii_whitespace().nth(19)?;
    let ticks: u64 = field.parse().ok()?;
    let per_second = rustix::param::clock_ticks_per_second();
    ticks.checked_mul(100)?.checked_div(per_second)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_start_is_field_22_whatever_the_name_holds() {
        let fields: Vec<String> = (3..=52).map(|number| number.to_string()).collect();
        for name in ["(cat)", "(a b)", "(x) y (z)", "()"] {
            let stat = format!("7 {name} {}\n", fields.join(" "));
            assert_eq!(started(stat.as_bytes()), Some(22), "{name}");
        }
        for stat in ["", "7 (cat", "7 (cat) S 1 2", "7 (cat) \u{fffd}"] {
            assert_eq!(started(stat.as_bytes()), None, "{stat}");
        }
    }
}
