//! The portable tier: what the `sysinfo` crate gives on every operating system, in the same words as the other tiers.
//!
//! Less detail than a tier made for one system. What it lacks is listed as gaps in each reading:
//! - CPU time of the machine is integrated from percentages (see [`processors`]), and its modes are unknown; Windows is
//!   asked itself, for the crate's counters of performance are slow and may be broken;
//! - CPU time of processes is not split into user and kernel, except on Windows: all of it stands in `user_us`;
//! - page faults, threads (except on Windows), descriptors, network bytes, units and containers of processes are unknown;
//! - disk bytes of processes are, on Windows, those of all calls: files, network shares, pipes and devices;
//! - of disks only the bytes are known, and only of those with a mounted filesystem (see [`volumes`]); none on macOS;
//! - dropped packets, pressure, event counters, peers and listening sockets are unknown; loopback too on Windows.
//!
//! Without privilege macOS shows CPU time and memory of the user's own processes only, Windows those of all.

mod machine;
mod processes;
#[cfg(any(unix, test))]
mod processors;
mod volumes;

use sysinfo::{InterfaceOperationalState, Networks, System};
use watchkeeper_core::reading::{HostReading, InterfaceCounters, InterfaceReading, Load, Memory, Reading};
use watchkeeper_core::{BootId, Gap, GapReason, Moment, Section};

use self::machine::Machine;
use self::processes::Processes;
use self::volumes::Volumes;
use crate::{CollectConfig, CollectError, Collector, clock};

/// What no operating system tells through this tier.
const NEVER_TOLD: [Section; 9] = [
    Section::ProcessNetwork,
    Section::ProcessDescriptors,
    Section::ProcessExit,
    Section::ShortLived,
    Section::Pressure,
    Section::OomKills,
    Section::Peers,
    Section::Sockets,
    Section::Interfaces,
];

/// Opens the portable tier.
pub(crate) fn open(config: &CollectConfig) -> Result<Box<dyn Collector>, CollectError> {
    Portable::open(config).map(|portable| Box::new(portable) as Box<dyn Collector>)
}

/// A machine seen through `sysinfo`.
struct Portable {
    boot: BootId,
    system: System,
    networks: Option<Networks>,
    processes: Processes,
    machine: Machine,
    volumes: Volumes,
}

impl Portable {
    fn open(config: &CollectConfig) -> Result<Self, CollectError> {
        let mut system = System::new().map_err(|_| CollectError::NoSuchTier { tier: "portable" })?;
        let machine = Machine::open(&mut system);
        Ok(Self {
            boot: clock::boot_id(),
            system,
            networks: Networks::new().ok(),
            processes: Processes::new(config.command_line, System::boot_time().unwrap_or(0)),
            machine,
            volumes: Volumes::new(volumes::look),
        })
    }

    fn read_at(&mut self, at: Moment) -> Reading {
        let mut gaps: Vec<Gap> = NEVER_TOLD.iter().map(|section| unsupported(*section, 1)).collect();
        let processors = self.machine.processors(&mut self.system, at.mono_ms, &mut gaps);
        let swap = self.machine.swap(&mut self.system, &mut gaps);
        let load = load();
        if load.is_none() {
            gaps.push(unsupported(Section::Load, 1));
        }
        let host = HostReading {
            cpu_count: processors.count,
            cpu: processors.all,
            memory: self.memory(&mut gaps),
            swap,
            load,
            ..HostReading::default()
        };
        let (disks, filesystems) = self.volumes.read(at.mono_ms, &mut gaps);
        let interfaces = self.interfaces();
        let processes = self.processes.read(&mut self.system, &at, &mut gaps);
        Reading {
            at,
            host,
            cpus: processors.each,
            disks,
            filesystems,
            interfaces,
            peers: None,
            sockets: None,
            checks: None,
            processes: Some(processes),
            gaps,
        }
    }

    fn memory(&self, gaps: &mut Vec<Gap>) -> Option<Memory> {
        // Buffers, cache, shared, slab and dirty pages; page faults and swap traffic.
        gaps.push(unsupported(Section::Memory, 9));
        let total_bytes = self.system.total_memory();
        (total_bytes > 0).then(|| Memory {
            total_bytes,
            free_bytes: self.system.free_memory().min(total_bytes),
            available_bytes: self.system.available_memory().min(total_bytes),
            ..Memory::default()
        })
    }

    fn interfaces(&mut self) -> Option<Vec<InterfaceReading>> {
        let networks = self.networks.as_mut()?;
        networks.refresh(true);
        let mut interfaces: Vec<_> = networks
            .iter()
            .map(|(name, data)| InterfaceReading {
                name: name.to_string_lossy().into_owned(),
                counters: InterfaceCounters {
                    received_bytes: data.total_received(),
                    sent_bytes: data.total_transmitted(),
                    received_packets: data.total_packets_received(),
                    sent_packets: data.total_packets_transmitted(),
                    received_errors: data.total_errors_on_received(),
                    sent_errors: data.total_errors_on_transmitted(),
                    ..InterfaceCounters::default()
                },
                up: match data.operational_state() {
                    InterfaceOperationalState::Up => Some(true),
                    InterfaceOperationalState::Down
                    | InterfaceOperationalState::Testing
                    | InterfaceOperationalState::Dormant
                    | InterfaceOperationalState::NotPresent
                    | InterfaceOperationalState::LowerLayerDown => Some(false),
                    _ => None,
                },
            })
            .collect();
        interfaces.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        // Of an empty list the crate does not say why; that there is a gap is said already.
        (!interfaces.is_empty()).then_some(interfaces)
    }
}

impl Collector for Portable {
    fn read(&mut self) -> Result<Reading, CollectError> {
        Ok(self.read_at(clock::moment(self.boot)))
    }

    fn tier(&self) -> &'static str {
        "portable"
    }
}

/// Windows has no load average; there the crate answers zeros.
fn load() -> Option<Load> {
    if cfg!(windows) {
        return None;
    }
    let load = System::load_average().ok()?;
    Some(Load { one: load.one, five: load.five, fifteen: load.fifteen })
}

/// A gap that this tier always has.
fn unsupported(section: Section, count: u64) -> Gap {
    Gap { section, reason: GapReason::Unsupported, count, remedy: None }
}

#[cfg(test)]
mod tests;
