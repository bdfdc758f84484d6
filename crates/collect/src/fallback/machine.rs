//! Processors and swap space of the machine, where each system has its own way.

use sysinfo::System;
use watchkeeper_core::reading::{CpuReading, CpuTimes, Swap};
use watchkeeper_core::{Gap, Section};

use super::unsupported;

/// What is known of the processors; `None` is unknown.
#[derive(Debug, Default)]
pub(super) struct Processed {
    /// Logical ones online.
    pub(super) count: Option<u32>,
    /// All together.
    pub(super) all: Option<CpuTimes>,
    /// Each, by number.
    pub(super) each: Option<Vec<CpuReading>>,
}

/// Through the crate's percentages.
#[cfg(not(windows))]
pub(super) struct Machine(super::processors::Processors);

#[cfg(not(windows))]
impl Machine {
    pub(super) fn open(system: &mut System) -> Self {
        // Percentages are of the time since the last look; this is the first.
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing().with_usage());
        Self(super::processors::Processors::default())
    }

    pub(super) fn processors(&mut self, system: &mut System, mono_ms: i64, gaps: &mut Vec<Gap>) -> Processed {
        system.refresh_cpu_usage();
        let shares = system.cpus().iter().enumerate().map(|(index, cpu)| {
            let digits = cpu.name().trim_start_matches(|c: char| !c.is_ascii_digit());
            (digits.parse().unwrap_or(index as u32), f64::from(cpu.usage()) / 100.0)
        });
        self.0.advance(mono_ms, shares);
        // Modes, context switches, interrupts and created processes; the share of processes in each mode.
        gaps.extend([unsupported(Section::Cpu, 4), unsupported(Section::ProcessCpu, 1)]);
        let count = u32::try_from(system.cpus().len()).ok().filter(|count| *count > 0);
        if count.is_none() {
            return Processed::default();
        }
        Processed { count, all: Some(self.0.all()), each: Some(self.0.each()) }
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "other systems may not tell")]
    pub(super) fn swap(&self, system: &mut System, _gaps: &mut Vec<Gap>) -> Option<Swap> {
        system.refresh_memory();
        Some(Swap { total_bytes: system.total_swap(), free_bytes: system.free_swap() })
    }
}

/// As Windows counts; its counters are cut to clock ticks, and what is computed from several may fall by a little.
#[cfg(windows)]
pub(super) struct Machine {
    each: Vec<CpuTimes>,
    all: CpuTimes,
}

#[cfg(windows)]
impl Machine {
    pub(super) fn open(_system: &mut System) -> Self {
        Self { each: Vec::new(), all: CpuTimes::default() }
    }

    pub(super) fn processors(&mut self, _system: &mut System, _mono_ms: i64, gaps: &mut Vec<Gap>) -> Processed {
        use crate::windows;

        let count = windows::cpu_count();
        // With more than 64 processors only those of one group are told one by one.
        let each = windows::cpus().filter(|each| u32::try_from(each.len()).ok() == count);
        // Context switches, interrupts and created processes.
        gaps.push(unsupported(Section::Cpu, 3));
        let Some(mut each) = each else {
            gaps.push(unsupported(Section::Cpu, u64::from(count.unwrap_or(1))));
            self.all = steady(&self.all, windows::total_cpu().unwrap_or_default());
            return Processed { count, all: Some(self.all).filter(|all| all.total_us() > 0), each: None };
        };
        for (index, times) in each.iter_mut().enumerate() {
            *times = self.each.get(index).map_or(*times, |before| steady(before, *times));
        }
        self.each.clone_from(&each);
        let all = each.iter().fold(CpuTimes::default(), |sum, times| CpuTimes {
            user_us: sum.user_us + times.user_us,
            system_us: sum.system_us + times.system_us,
            idle_us: sum.idle_us + times.idle_us,
            interrupt_us: sum.interrupt_us + times.interrupt_us,
            softirq_us: sum.softirq_us + times.softirq_us,
            ..sum
        });
        let numbered = each.into_iter().enumerate();
        let each = numbered.map(|(index, times)| CpuReading { number: index as u32, times }).collect();
        Processed { count, all: Some(all), each: Some(each) }
    }

    /// The crate takes what was promised to programs for what is in the page files.
    #[expect(clippy::unused_self, reason = "other systems remember something")]
    pub(super) fn swap(&self, system: &mut System, gaps: &mut Vec<Gap>) -> Option<Swap> {
        system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
        let swap = crate::windows::page_files();
        if swap.is_none() {
            gaps.push(unsupported(Section::Memory, 2));
        }
        swap
    }
}

/// System time is what is left of kernel time: it must not fall.
#[cfg(windows)]
fn steady(before: &CpuTimes, now: CpuTimes) -> CpuTimes {
    CpuTimes { system_us: now.system_us.max(before.system_us), ..now }
}
