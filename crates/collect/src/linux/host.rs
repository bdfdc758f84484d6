//! The machine as a whole: CPU, memory, pressure, load, disks, filesystems, interfaces, sockets.
//!
//! One file a question. What could not be read is a gap and never a zero. What is dear to read is read more rarely and
//! stands in between: filesystems and interface states 5 s, sockets 10 s (with intervals from 5 s on: at every look).

mod cpu;
mod disks;
mod filesystems;
mod folder;
mod interfaces;
mod kernel_log;
mod load;
mod memory;
mod pressure;
mod scan;
mod sockets;

use std::path::Path;

use watchkeeper_core::quantity::Span;
use watchkeeper_core::reading::{
    CpuReading, DiskReading, Filesystem, HostReading, InterfaceReading, Load, Peer, Pressure, Socket,
};
use watchkeeper_core::{Gap, GapReason, Moment, Section};

use self::disks::Disks;
use self::filesystems::Filesystems;
use self::folder::{Folder, KeptFile, Unread, gap};
use self::interfaces::Interfaces;
use self::kernel_log::KernelLog;
use self::sockets::Sockets;

/// Reads everything that is not a process.
pub(crate) struct HostReader {
    proc_root: Folder,
    sys_root: Folder,
    tick_us: u64,
    page_bytes: u64,
    buffer: Vec<u8>,
    files: Files,
    disks: Disks,
    filesystems: Option<Filesystems>,
    interfaces: Interfaces,
    sockets: Sockets,
    kernel_log: KernelLog,
    /// At the look before.
    oom_kills: Option<u64>,
}

/// What is read at every look.
struct Files {
    stat: KeptFile,
    meminfo: KeptFile,
    vmstat: KeptFile,
    loadavg: KeptFile,
    pressure: [KeptFile; 3],
    diskstats: KeptFile,
    interfaces: KeptFile,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            stat: KeptFile::new("stat"),
            meminfo: KeptFile::new("meminfo"),
            vmstat: KeptFile::new("vmstat"),
            loadavg: KeptFile::new("loadavg"),
            pressure: ["pressure/cpu", "pressure/memory", "pressure/io"].map(KeptFile::new),
            diskstats: KeptFile::new("diskstats"),
            interfaces: KeptFile::new("net/dev"),
        }
    }
}

/// Everything of a reading that is not a process.
#[derive(Debug, Default)]
pub(crate) struct HostSections {
    pub(crate) host: HostReading,
    pub(crate) cpus: Option<Vec<CpuReading>>,
    pub(crate) disks: Option<Vec<DiskReading>>,
    pub(crate) filesystems: Option<Vec<Filesystem>>,
    pub(crate) interfaces: Option<Vec<InterfaceReading>>,
    pub(crate) peers: Option<Vec<Peer>>,
    pub(crate) sockets: Option<Vec<Socket>>,
}

impl HostReader {
    /// Reads below `proc_root` and `sys_root`, usually `/proc` and `/sys`, or a recorded copy, about once an `interval`.
    ///
    /// Sizes of filesystems and limits of accept queues come from the running kernel by other ways than files; with a
    /// recorded copy they are gaps.
    pub(crate) fn new(proc_root: &Path, sys_root: &Path, interval: Span) -> Self {
        let proc_root = Folder::open(proc_root);
        let live = proc_root.is_live_proc();
        Self {
            sys_root: Folder::open(sys_root),
            tick_us: (1_000_000 / rustix::param::clock_ticks_per_second().max(100)).max(1),
            page_bytes: rustix::param::page_size() as u64,
            buffer: Vec::new(),
            files: Files::default(),
            disks: Disks::default(),
            filesystems: live.then(|| Filesystems::new(filesystems::statvfs())),
            interfaces: Interfaces::default(),
            sockets: Sockets::new(live, interval),
            kernel_log: if live { KernelLog::open() } else { KernelLog::default() },
            oom_kills: None,
            proc_root,
        }
    }

    /// Reads the machine; what is missing is added to `gaps`.
    pub(crate) fn read(&mut self, at: &Moment, gaps: &mut Vec<Gap>) -> HostSections {
        let mut sections = HostSections::default();
        self.read_cpu(&mut sections, gaps);
        self.read_memory(&mut sections.host, gaps);
        sections.host.oom_victim = self.read_victim(sections.host.counters.oom_kills);
        sections.host.load = self.read_load(gaps);
        sections.host.pressure = self.read_pressure(gaps);
        sections.disks = self.read_disks(at.mono_ms, gaps);
        sections.interfaces = self.read_interfaces(at.mono_ms, gaps);
        sections.filesystems = self.read_filesystems(at.mono_ms, gaps);
        if let Some(found) = self.sockets.read(&self.proc_root, &mut self.buffer, at.mono_ms, gaps) {
            sections.host.connections = Some(found.connections);
            sections.peers = Some(found.peers);
            sections.sockets = Some(found.sockets);
        }
        sections
    }

    /// One file through one parser.
    fn parsed<T>(
        &mut self,
        file: fn(&mut Files) -> &mut KeptFile,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, Unread> {
        let text = file(&mut self.files).read(&self.proc_root, &mut self.buffer)?;
        parse(text).ok_or(Unread::Malformed)
    }

    fn read_cpu(&mut self, sections: &mut HostSections, gaps: &mut Vec<Gap>) {
        let tick_us = self.tick_us;
        let stat = match self.parsed(|files| &mut files.stat, |text| cpu::parse(text, tick_us)) {
            Ok(stat) => stat,
            Err(unread) => {
                gaps.push(unread.gap(Section::Cpu));
                return;
            }
        };
        let HostReading { cpu, cpu_count, counters, .. } = &mut sections.host;
        (*cpu, *cpu_count) = (stat.cpu, stat.cpu_count);
        counters.context_switches = stat.context_switches;
        counters.interrupts = stat.interrupts;
        counters.created = stat.created;
        let known = [
            cpu.is_some(),
            cpu_count.is_some(),
            stat.context_switches.is_some(),
            stat.interrupts.is_some(),
            stat.created.is_some(),
        ];
        tell_missing(Section::Cpu, &known, gaps);
        sections.cpus = Some(stat.cpus).filter(|cpus| !cpus.is_empty());
    }

    fn read_memory(&mut self, host: &mut HostReading, gaps: &mut Vec<Gap>) {
        match self.parsed(|files| &mut files.meminfo, memory::parse_meminfo) {
            Ok(info) => {
                (host.memory, host.swap) = (Some(info.memory), info.swap);
                let missing = info.missing + u64::from(info.swap.is_none());
                if missing > 0 {
                    gaps.push(gap(Section::Memory, GapReason::Unsupported, missing, None));
                }
            }
            Err(unread) => gaps.push(unread.gap(Section::Memory)),
        }
        let page_bytes = self.page_bytes;
        match self.parsed(|files| &mut files.vmstat, |text| memory::parse_vmstat(text, page_bytes)) {
            Ok(paging) => {
                let counters = &mut host.counters;
                counters.minor_faults = paging.minor_faults;
                counters.major_faults = paging.major_faults;
                counters.swapped_in_bytes = paging.swapped_in_bytes;
                counters.swapped_out_bytes = paging.swapped_out_bytes;
                counters.oom_kills = paging.oom_kills;
                let known = [
                    counters.minor_faults.is_some(),
                    counters.major_faults.is_some(),
                    counters.swapped_in_bytes.is_some(),
                    counters.swapped_out_bytes.is_some(),
                ];
                tell_missing(Section::Memory, &known, gaps);
                if counters.oom_kills.is_none() {
                    gaps.push(Unread::Refused(rustix::io::Errno::NOENT).gap(Section::OomKills));
                }
            }
            Err(unread) => gaps.extend([unread.gap(Section::Memory), unread.gap(Section::OomKills)]),
        }
    }

    /// Whom the kernel killed since the look before. Its log is read only when the counter says that there is something.
    fn read_victim(&mut self, oom_kills: Option<u64>) -> Option<u32> {
        let before = std::mem::replace(&mut self.oom_kills, oom_kills)?;
        if oom_kills? > before { self.kernel_log.victim() } else { None }
    }

    fn read_load(&mut self, gaps: &mut Vec<Gap>) -> Option<Load> {
        or_gap(self.parsed(|files| &mut files.loadavg, load::parse), Section::Load, gaps)
    }

    /// Each resource has a file of its own; one gap counts those that are missing.
    fn read_pressure(&mut self, gaps: &mut Vec<Gap>) -> Option<Pressure> {
        let files = self.files.pressure.each_mut().map(|file| {
            let text = file.read(&self.proc_root, &mut self.buffer)?;
            pressure::parse(text).ok_or(Unread::Malformed)
        });
        let unread = files.iter().filter_map(|file| file.as_ref().err());
        if let Some(first) = unread.clone().next() {
            gaps.push(Gap { count: unread.count() as u64, ..first.gap(Section::Pressure) });
        }
        let [cpu, memory, io] = files.map(Result::ok);
        cpu.or(memory).or(io)?;
        Some(Pressure {
            cpu_some: cpu.and_then(|stalls| stalls.some),
            memory_some: memory.and_then(|stalls| stalls.some),
            memory_full: memory.and_then(|stalls| stalls.full),
            io_some: io.and_then(|stalls| stalls.some),
            io_full: io.and_then(|stalls| stalls.full),
        })
    }

    fn read_disks(&mut self, mono_ms: i64, gaps: &mut Vec<Gap>) -> Option<Vec<DiskReading>> {
        let table = self.files.diskstats.read(&self.proc_root, &mut self.buffer);
        let disks = table.and_then(|table| self.disks.read(table, &self.sys_root, mono_ms));
        or_gap(disks, Section::Disks, gaps)
    }

    fn read_interfaces(&mut self, mono_ms: i64, gaps: &mut Vec<Gap>) -> Option<Vec<InterfaceReading>> {
        let mut interfaces =
            or_gap(self.parsed(|files| &mut files.interfaces, interfaces::parse), Section::Interfaces, gaps)?;
        self.interfaces.states(&mut interfaces, &self.sys_root, mono_ms);
        Some(interfaces)
    }

    fn read_filesystems(&mut self, mono_ms: i64, gaps: &mut Vec<Gap>) -> Option<Vec<Filesystem>> {
        let Some(filesystems) = &mut self.filesystems else {
            gaps.push(gap(Section::Filesystems, GapReason::Unsupported, 1, None));
            return None;
        };
        filesystems.read(&self.proc_root, &mut self.buffer, mono_ms, gaps)
    }
}

fn or_gap<T>(read: Result<T, Unread>, section: Section, gaps: &mut Vec<Gap>) -> Option<T> {
    read.map_err(|unread| gaps.push(unread.gap(section))).ok()
}

/// One gap for the parts of a section that this kernel does not tell.
fn tell_missing(section: Section, known: &[bool], gaps: &mut Vec<Gap>) {
    let missing = known.iter().filter(|known| !**known).count() as u64;
    if missing > 0 {
        gaps.push(gap(section, GapReason::Unsupported, missing, None));
    }
}

#[cfg(test)]
mod tests;
