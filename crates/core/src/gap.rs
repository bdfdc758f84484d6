//! What could not be seen, and why: said, never shown as zero.

use serde::{Deserialize, Serialize};

/// A part of a reading that can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The list of processes itself.
    Processes,
    /// CPU time of processes.
    ProcessCpu,
    /// Memory of processes.
    ProcessMemory,
    /// Disk bytes of processes.
    ProcessDisk,
    /// Network bytes of processes.
    ProcessNetwork,
    /// Open file descriptors of processes.
    ProcessDescriptors,
    /// Executables of processes (path, inode, modification time).
    ProcessExecutable,
    /// Command lines of processes.
    ProcessCommand,
    /// Exit codes and last counters of processes that ended.
    ProcessExit,
    /// Processes that started and ended between two looks.
    ShortLived,
    /// Host CPU.
    Cpu,
    /// Host memory and swap.
    Memory,
    /// Load average.
    Load,
    /// Pressure stall information.
    Pressure,
    /// Block devices.
    Disks,
    /// Filesystems.
    Filesystems,
    /// Network interfaces.
    Interfaces,
    /// Established connections by peer.
    Peers,
    /// Listening sockets.
    Sockets,
    /// Which processes listening sockets belong to.
    SocketOwners,
    /// Out-of-memory kills.
    OomKills,
    /// Whole ticks.
    Ticks,
}

impl Section {
    /// The words for people, lower case.
    pub fn words(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::ProcessCpu => "CPU time of processes",
            Self::ProcessMemory => "memory of processes",
            Self::ProcessDisk => "disk bytes of processes",
            Self::ProcessNetwork => "network bytes of processes",
            Self::ProcessDescriptors => "open file descriptors of processes",
            Self::ProcessExecutable => "executables of processes",
            Self::ProcessCommand => "command lines of processes",
            Self::ProcessExit => "exit codes of processes",
            Self::ShortLived => "processes shorter than one interval",
            Self::Cpu => "CPU of the machine",
            Self::Memory => "memory of the machine",
            Self::Load => "load average",
            Self::Pressure => "pressure stall information",
            Self::Disks => "disks",
            Self::Filesystems => "filesystems",
            Self::Interfaces => "network interfaces",
            Self::Peers => "established connections",
            Self::Sockets => "listening sockets",
            Self::SocketOwners => "processes behind listening sockets",
            Self::OomKills => "out-of-memory kills",
            Self::Ticks => "ticks",
        }
    }

    /// The stable word stored in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::ProcessCpu => "process_cpu",
            Self::ProcessMemory => "process_memory",
            Self::ProcessDisk => "process_disk",
            Self::ProcessNetwork => "process_network",
            Self::ProcessDescriptors => "process_descriptors",
            Self::ProcessExecutable => "process_executable",
            Self::ProcessCommand => "process_command",
            Self::ProcessExit => "process_exit",
            Self::ShortLived => "short_lived",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Load => "load",
            Self::Pressure => "pressure",
            Self::Disks => "disks",
            Self::Filesystems => "filesystems",
            Self::Interfaces => "interfaces",
            Self::Peers => "peers",
            Self::Sockets => "sockets",
            Self::SocketOwners => "socket_owners",
            Self::OomKills => "oom_kills",
            Self::Ticks => "ticks",
        }
    }
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// This operating system, kernel or tier does not offer it.
    Unsupported,
    /// The kernel refused; the gap's remedy says what would help.
    Permission,
    /// The thing ended while it was being read.
    Vanished,
    /// Nobody looked in this interval.
    NotSampled,
    /// It was read and then lost; the count says how much.
    Dropped,
    /// The kernel answered something that could not be understood.
    Malformed,
}

impl GapReason {
    /// The stable word stored in the log and shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Permission => "permission",
            Self::Vanished => "vanished",
            Self::NotSampled => "not sampled",
            Self::Dropped => "dropped",
            Self::Malformed => "malformed",
        }
    }
}

/// One thing that could not be read, with the reason and what would help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What is missing.
    pub section: Section,
    /// Why.
    pub reason: GapReason,
    /// How many items are missing; 1 where it is the section as a whole.
    pub count: u64,
    /// The command or setting that would add it, where there is one.
    pub remedy: Option<String>,
}
