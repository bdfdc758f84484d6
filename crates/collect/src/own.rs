//! What this process itself uses.

/// What this process has used since it began. `None`: the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnUse {
    /// CPU time of all its threads, milliseconds.
    pub cpu_ms: Option<u64>,
    /// Resident memory now, bytes.
    pub resident_bytes: Option<u64>,
}

/// Asks the system what this process uses.
#[cfg(target_os = "linux")]
pub fn own_use() -> OwnUse {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    OwnUse {
        cpu_ms: u64::try_from(time.tv_sec * 1_000 + time.tv_nsec / 1_000_000).ok(),
        resident_bytes: resident.map(|pages| pages.saturating_mul(rustix::param::page_size() as u64)),
    }
}

/// Asks the system what this process uses.
#[cfg(not(target_os = "linux"))]
pub fn own_use() -> OwnUse {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    let me = Pid::from_u32(std::process::id());
    let Ok(mut system) = System::new() else { return OwnUse::default() };
    let kind = ProcessRefreshKind::nothing().without_tasks().with_cpu().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[me]), true, kind);
    let process = system.process(me);
    OwnUse {
        cpu_ms: process.map(sysinfo::Process::accumulated_cpu_time),
        resident_bytes: process.map(sysinfo::Process::memory).filter(|bytes| *bytes > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_in_the_own_cpu_time() {
        let before = own_use();
        assert!(before.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{before:?}");
        let begin = std::time::Instant::now();
        while own_use().cpu_ms <= before.cpu_ms.map(|ms| ms + 20) {
            assert!(begin.elapsed().as_secs() < 30, "{before:?}");
        }
    }
}
