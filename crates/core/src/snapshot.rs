//! What two readings mean: differences over one interval, gauges now, and what is derived from them.
//!
//! A snapshot holds differences, not rates; [`Snapshot::per_second`] and the catalogue turn them into rates, so that
//! a snapshot rebuilt from the log gives the same values as the live one. `None` is unknown, never zero.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::gap::Gap;
use crate::identity::ProcessKey;
use crate::moment::Moment;
use crate::process::{Image, ProcessState};
pub use crate::reading::{
    Check, CpuTimes, DiskCounters, Filesystem, HostCounters, InterfaceCounters, Load, Memory, Peer, Pressure,
    ProcessCpu, ProcessFaults, ProcessIo, ProcessMemory, ProcessNetwork, Socket, Swap,
};

/// What is special about a tick; bits, stored in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TickFlags(pub u32);

impl TickFlags {
    /// First look of a watch: differences are unknown, every living process is listed in the log.
    pub const FIRST_LOOK: u32 = 1;
    /// The wall clock was set during this interval.
    pub const CLOCK_STEP: u32 = 1 << 1;
    /// The machine slept during this interval.
    pub const SUSPENDED: u32 = 1 << 2;
    /// Ticks before this one were lost on the way.
    pub const DROPPED: u32 = 1 << 3;

    /// Whether all of these bits are set.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// The same with these bits set.
    #[must_use]
    pub fn with(self, bits: u32) -> Self {
        Self(self.0 | bits)
    }
}

/// One tick: the machine over the interval that ended at `at`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// End of the interval.
    pub at: Moment,
    /// Length of the interval in monotonic milliseconds, time asleep not counted; 0 at the first look.
    pub interval_ms: i64,
    /// What is special about it.
    pub flags: TickFlags,
    /// The machine as a whole.
    pub host: Host,
    /// Logical CPUs by number.
    pub cpus: Option<Vec<Cpu>>,
    /// Block devices.
    pub disks: Option<Vec<Disk>>,
    /// Mounted filesystems.
    pub filesystems: Option<Vec<Filesystem>>,
    /// Network interfaces.
    pub interfaces: Option<Vec<Interface>>,
    /// Established connections by remote address.
    pub peers: Option<Vec<Peer>>,
    /// Listening sockets.
    pub sockets: Option<Vec<Socket>>,
    /// Active checks in the order of the configuration; `None` if there are none.
    pub checks: Option<Vec<Check>>,
    /// How the watch itself does.
    pub watch: Option<Watch>,
    /// How strange this tick is to a model; `None` without one, or where a feature of it is unknown.
    pub anomaly: Option<Anomaly>,
    /// Living processes, sorted by key. `None`: the list itself could not be read.
    pub processes: Option<Vec<Process>>,
    /// Processes that ended during the interval.
    pub exited: Vec<Exited>,
    /// What the machine did and no process answers for.
    pub not_attributed: Remainder,
    /// Ticks that were lost between the previous snapshot and this one.
    pub dropped: u32,
    /// What could not be read, and why.
    pub gaps: Vec<Gap>,
}

impl Snapshot {
    /// A tick of which nothing is known yet.
    pub fn unknown(at: Moment, interval_ms: i64) -> Self {
        Self {
            at,
            interval_ms,
            flags: TickFlags::default(),
            host: Host::default(),
            cpus: None,
            disks: None,
            filesystems: None,
            interfaces: None,
            peers: None,
            sockets: None,
            checks: None,
            watch: None,
            anomaly: None,
            processes: None,
            exited: Vec::new(),
            not_attributed: Remainder::default(),
            dropped: 0,
            gaps: Vec::new(),
        }
    }

    /// A difference as a rate per second; `None` when it or the interval is unknown.
    pub fn per_second(&self, difference: Option<u64>) -> Option<f64> {
        if self.interval_ms <= 0 {
            return None;
        }
        difference.map(|d| d as f64 * 1_000.0 / self.interval_ms as f64)
    }

    /// CPU microseconds as a number of cores; `None` when unknown.
    pub fn cores(&self, cpu_us: Option<u64>) -> Option<f64> {
        self.per_second(cpu_us).map(|per_second| per_second / 1e6)
    }

    /// CPU microseconds as a share of the whole machine; `None` when unknown.
    pub fn machine_share(&self, cpu_us: Option<u64>) -> Option<f64> {
        let count = self.host.cpu_count.filter(|count| *count > 0)?;
        self.cores(cpu_us).map(|cores| cores / f64::from(count))
    }

    /// The living process with this pid; at one instant there is at most one.
    pub fn process_by_pid(&self, pid: u32) -> Option<&Process> {
        let processes = self.processes.as_deref()?;
        processes.iter().find(|process| process.key.pid == pid)
    }
}

/// The machine as a whole over the interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Logical CPUs online.
    pub cpu_count: Option<u32>,
    /// CPU time of all CPUs together.
    pub cpu: Option<CpuTimes>,
    /// Memory now.
    pub memory: Option<Memory>,
    /// Swap now.
    pub swap: Option<Swap>,
    /// Load average now.
    pub load: Option<Load>,
    /// Pressure; `total_us` is the time lost during the interval, `None` there makes the whole line `None`.
    pub pressure: Option<Pressure>,
    /// Events during the interval.
    pub counters: HostCounters,
    /// Established TCP connections now.
    pub connections: Option<u32>,
    /// Process id of whom the kernel killed for want of memory during the interval, if it did and its log may be read; of
    /// several the one that held most.
    pub oom_victim: Option<u32>,
    /// By how much the wall clock was set during the interval, milliseconds, negative for backwards; 0 if it was not.
    /// Unknown at the first look.
    pub clock_step_ms: Option<i64>,
}

/// How the watch itself does, as far as it knew when it looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// By how much this look came too late, milliseconds.
    pub late_ms: u64,
    /// For how long the log could not be written, milliseconds; 0 if it can, or nothing is logged.
    pub log_failing_ms: u64,
    /// For how long alerts could not be kept on disk, milliseconds; 0 if they can.
    pub state_failing_ms: u64,
    /// For how long the channel that fails longest has failed, milliseconds; 0 if all work.
    pub channel_failing_ms: u64,
    /// Age of the oldest message that is due and not sent, milliseconds; 0 without one.
    pub outbox_age_ms: u64,
}

/// How strange a tick is to a model of what is normal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// 0 to 1, higher is stranger.
    pub score: f64,
    /// The model's line between the usual and the strange, 0 to 1.
    pub threshold: f64,
    /// 0 to 1: the share of the model's trees that agree with the verdict of the score.
    pub confidence: f64,
}

/// One logical CPU over the interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// Number of the CPU.
    pub number: u32,
    /// Time during the interval.
    pub times: Option<CpuTimes>,
}

/// One block device over the interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The kernel's name.
    pub name: String,
    /// Differences.
    pub counters: Option<DiskCounters>,
    /// Requests in flight now.
    pub in_flight: u64,
}

/// Block devices made of other devices: what they read and write is counted there as well.
const LAYERED_DEVICES: [&str; 4] = ["dm-", "md", "bcache", "drbd"];

/// Whether a block device of this name is made of others, whose bytes are its own.
pub fn is_layered_disk(name: &str) -> bool {
    LAYERED_DEVICES.iter().any(|layer| name.starts_with(layer))
}

/// Whether an interface of this name leads back to the machine itself: `lo` on Linux, `lo0` on macOS, `Loopback
/// Pseudo-Interface 1` on Windows.
pub fn is_loopback(name: &str) -> bool {
    matches!(name, "lo" | "lo0") || name.starts_with("Loopback")
}

/// One network interface over the interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// Differences.
    pub counters: Option<InterfaceCounters>,
    /// Whether it is up, if known.
    pub up: Option<bool>,
}

/// One living process over the interval: differences of counters, gauges now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Who.
    pub key: ProcessKey,
    /// Process id of the parent; 0 where there is none.
    pub parent: u32,
    /// What it runs.
    pub image: Arc<Image>,
    /// Numeric id of the user it runs as.
    pub uid: Option<u32>,
    /// What the scheduler says.
    pub state: Option<ProcessState>,
    /// Threads.
    pub threads: Option<u32>,
    /// CPU time.
    pub cpu: Option<ProcessCpu>,
    /// Memory now.
    pub memory: Option<ProcessMemory>,
    /// Page faults.
    pub faults: Option<ProcessFaults>,
    /// Disk bytes.
    pub io: Option<ProcessIo>,
    /// Network bytes.
    pub network: Option<ProcessNetwork>,
    /// Open file descriptors now.
    pub descriptors: Option<u32>,
}

impl Process {
    /// A process of which only its identity is known.
    pub fn unknown(key: ProcessKey, parent: u32, image: Arc<Image>) -> Self {
        Self {
            key,
            parent,
            image,
            uid: None,
            state: None,
            threads: None,
            cpu: None,
            memory: None,
            faults: None,
            io: None,
            network: None,
            descriptors: None,
        }
    }
}

/// A process that ended during the interval: its last row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exited {
    /// Who.
    pub key: ProcessKey,
    /// Process id of the parent; 0 where there is none.
    pub parent: u32,
    /// What it ran last.
    pub image: Arc<Image>,
    /// Numeric id of the user it ran as.
    pub uid: Option<u32>,
    /// When it ended, milliseconds UTC; where only polling saw it, the first look without it.
    pub ts_ms: i64,
    /// Exit code, if it ended by itself and somebody saw it.
    pub code: Option<i32>,
    /// Signal that ended it, if one did and somebody saw it.
    pub signal: Option<i32>,
    /// CPU time since the last look.
    pub cpu: Option<ProcessCpu>,
    /// Page faults since the last look.
    pub faults: Option<ProcessFaults>,
    /// Disk bytes since the last look.
    pub io: Option<ProcessIo>,
    /// Network bytes since the last look.
    pub network: Option<ProcessNetwork>,
}

/// Machine totals minus the sum over all processes, signed; `None` where either side is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remainder {
    /// CPU microseconds (busy time of the machine).
    pub cpu_us: Option<i64>,
    /// Bytes read from disks.
    pub read_bytes: Option<i64>,
    /// Bytes written to disks.
    pub written_bytes: Option<i64>,
    /// Bytes received by interfaces other than loopback.
    pub received_bytes: Option<i64>,
    /// Bytes sent by interfaces other than loopback.
    pub sent_bytes: Option<i64>,
    /// Why there can be a remainder in this tick.
    pub reasons: Vec<RemainderReason>,
}

/// Why something the machine did belongs to no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemainderReason {
    /// Interrupts and soft interrupts.
    Interrupts,
    /// Processes that ended between two looks.
    Ended,
    /// Processes seen for the first time whose earlier counters are unknown.
    FirstLook,
    /// Counters of other users' processes could not be read.
    Permission,
    /// The kernel writes on behalf of everybody (write-back, journals, read-ahead).
    Kernel,
}

impl RemainderReason {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Interrupts => "interrupts",
            Self::Ended => "processes that ended between two looks",
            Self::FirstLook => "processes seen for the first time",
            Self::Permission => "processes whose counters may not be read",
            Self::Kernel => "the kernel's own work",
        }
    }
}
