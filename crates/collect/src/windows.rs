//! What Windows tells about all processes and processors in one answer each, with no privilege: also of those that may not
//! be opened, such as the services of the system and its virus scanner.
//!
//! The answers are bytes, understood by pure parsers; only asking for them is native.

mod answers;
#[cfg(windows)]
mod ask;

#[cfg(windows)]
pub(crate) use answers::{ProcessCounters, started_ticks};
#[cfg(windows)]
pub(crate) use ask::{clocks_ms, cpu_count, cpus, hung, page_files, processes, total_cpu};

/// The process that counts the time in which processors have nothing to do: no process at all.
#[cfg(windows)]
pub(crate) const IDLE: u32 = 0;
/// The process of the kernel's own threads.
#[cfg(windows)]
pub(crate) const SYSTEM: u32 = 4;
