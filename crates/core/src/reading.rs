//! Raw counters as the kernel gave them at one instant. Totals since boot (or since the process began), never rates.
//!
//! Every section is optional: what is missing is named in [`Reading::gaps`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::gap::Gap;
use crate::identity::ProcessKey;
use crate::moment::Moment;
use crate::process::{Image, ProcessState};

/// One look at the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When.
    pub at: Moment,
    /// The machine as a whole.
    pub host: HostReading,
    /// Logical CPUs by number.
    pub cpus: Option<Vec<CpuReading>>,
    /// Block devices that hold data of their own (no partitions, loop or ram devices).
    pub disks: Option<Vec<DiskReading>>,
    /// Mounted filesystems that hold files of their own.
    pub filesystems: Option<Vec<Filesystem>>,
    /// Network interfaces.
    pub interfaces: Option<Vec<InterfaceReading>>,
    /// Established connections by remote address.
    pub peers: Option<Vec<Peer>>,
    /// Listening sockets.
    pub sockets: Option<Vec<Socket>>,
    /// Active checks in the order of the configuration; `None` if there are none.
    pub checks: Option<Vec<Check>>,
    /// Every living process, sorted by key. `None`: the list itself could not be read.
    pub processes: Option<Vec<ProcessReading>>,
    /// What could not be read, and why.
    pub gaps: Vec<Gap>,
}

/// Totals and gauges of the machine as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostReading {
    /// Logical CPUs online.
    pub cpu_count: Option<u32>,
    /// CPU time of all CPUs together since boot.
    pub cpu: Option<CpuTimes>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Swap space.
    pub swap: Option<Swap>,
    /// Load average.
    pub load: Option<Load>,
    /// Pressure stall information.
    pub pressure: Option<Pressure>,
    /// Event counters since boot.
    pub counters: HostCounters,
    /// Established TCP connections.
    pub connections: Option<u32>,
    /// Process id of whom the kernel killed for want of memory since the reading before, where its log may be read; of
    /// several the one that held most.
    pub oom_victim: Option<u32>,
}

/// CPU time by mode in microseconds: a total in a reading, a difference in a snapshot.
///
/// Guest time is part of `user` and `nice`, as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the kernel's and OpenTelemetry's cpu.mode")]
pub struct CpuTimes {
    pub user_us: u64,
    pub nice_us: u64,
    pub system_us: u64,
    pub idle_us: u64,
    pub iowait_us: u64,
    pub interrupt_us: u64,
    pub softirq_us: u64,
    pub steal_us: u64,
}

impl CpuTimes {
    /// Time in which a CPU worked for somebody here: everything but idle, waiting for I/O and stolen.
    pub fn busy_us(&self) -> u64 {
        let parts = [self.user_us, self.nice_us, self.system_us, self.interrupt_us, self.softirq_us];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// All time together.
    pub fn total_us(&self) -> u64 {
        [self.idle_us, self.iowait_us, self.steal_us].into_iter().fold(self.busy_us(), u64::saturating_add)
    }
}

/// One logical CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuReading {
    /// Number of the CPU.
    pub number: u32,
    /// Time since boot.
    pub times: CpuTimes,
}

/// Memory of the machine in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Usable memory.
    pub total_bytes: u64,
    /// Memory that nothing uses.
    pub free_bytes: u64,
    /// Memory that programs could still get without swapping.
    pub available_bytes: u64,
    /// Block device buffers.
    pub buffers_bytes: u64,
    /// Page cache, reclaimable slab included.
    pub cached_bytes: u64,
    /// Shared memory and tmpfs.
    pub shared_bytes: u64,
    /// Kernel slab that cannot be reclaimed.
    pub slab_bytes: u64,
    /// Pages waiting to be written to disk.
    pub dirty_bytes: u64,
}

impl Memory {
    /// OpenTelemetry's `used`: total minus available.
    pub fn used_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.available_bytes)
    }
}

/// Swap space in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// Size; 0 where there is no swap.
    pub total_bytes: u64,
    /// Unused part.
    pub free_bytes: u64,
}

/// Load average: tasks running or uninterruptible, averaged over 1, 5 and 15 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Load {
    pub one: f64,
    pub five: f64,
    pub fifteen: f64,
}

/// Pressure stall information: how much time was lost waiting for a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// Some task waited for a CPU.
    pub cpu_some: Option<Stall>,
    /// Some task waited for memory.
    pub memory_some: Option<Stall>,
    /// All tasks waited for memory.
    pub memory_full: Option<Stall>,
    /// Some task waited for I/O.
    pub io_some: Option<Stall>,
    /// All tasks waited for I/O.
    pub io_full: Option<Stall>,
}

/// One line of pressure stall information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// Share of the last 10 s, 0..1.
    pub avg10: f64,
    /// Share of the last 60 s, 0..1.
    pub avg60: f64,
    /// Time lost in microseconds: a total in a reading, a difference in a snapshot.
    pub total_us: u64,
}

/// Events of the machine: totals since boot in a reading, differences in a snapshot. `None`: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCounters {
    /// Processes and threads created.
    pub created: Option<u64>,
    /// Context switches.
    pub context_switches: Option<u64>,
    /// Interrupts served.
    pub interrupts: Option<u64>,
    /// Page faults served without disk.
    pub minor_faults: Option<u64>,
    /// Page faults that had to read from disk.
    pub major_faults: Option<u64>,
    /// Bytes read back from swap.
    pub swapped_in_bytes: Option<u64>,
    /// Bytes written to swap.
    pub swapped_out_bytes: Option<u64>,
    /// Processes killed because memory ran out.
    pub oom_kills: Option<u64>,
}

/// One block device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskReading {
    /// The kernel's name, e.g. `nvme0n1`.
    pub name: String,
    /// Totals since boot.
    pub counters: DiskCounters,
    /// Requests in flight now.
    pub in_flight: u64,
}

/// Counters of a block device: totals in a reading, differences in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCounters {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Requests read.
    pub reads: u64,
    /// Requests written.
    pub writes: u64,
    /// Time that read requests took, summed over requests, microseconds.
    pub read_us: u64,
    /// Time that write requests took, summed over requests, microseconds.
    pub write_us: u64,
    /// Time in which at least one request was in flight, microseconds.
    pub busy_us: u64,
}

/// One mounted filesystem; gauges only, so the same in reading and snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Where it is mounted; the identity. Foreign text.
    pub mount_point: String,
    /// Device or source. Foreign text.
    pub device: String,
    /// Type, e.g. `ext4`.
    pub kind: String,
    /// Size.
    pub total_bytes: u64,
    /// Free bytes, those reserved for root included.
    pub free_bytes: u64,
    /// Bytes that an ordinary user can still write.
    pub available_bytes: u64,
    /// Inodes in all; 0 where the filesystem has no fixed number.
    pub inodes: u64,
    /// Free inodes.
    pub inodes_free: u64,
    /// Mounted read-only.
    pub read_only: bool,
}

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceReading {
    /// Name, e.g. `eth0`.
    pub name: String,
    /// Totals since it came up.
    pub counters: InterfaceCounters,
    /// Whether it is up, if known.
    pub up: Option<bool>,
}

/// Counters of an interface: totals in a reading, differences in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it; received and sent as OpenTelemetry's receive and transmit")]
pub struct InterfaceCounters {
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub received_packets: u64,
    pub sent_packets: u64,
    pub received_errors: u64,
    pub sent_errors: u64,
    pub received_dropped: u64,
    pub sent_dropped: u64,
}

/// Established connections to one remote address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Remote IP address without port, or `other` for everything beyond the 50 largest.
    pub address: String,
    /// Established connections.
    pub connections: u32,
}

/// One listening socket: of TCP that accepts connections, of UDP that a program bound to a port and not to one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Local address, e.g. `127.0.0.1` or `::`.
    pub address: String,
    /// Local port.
    pub port: u16,
    /// Owner, numeric user id.
    pub uid: Option<u32>,
    /// Connections waiting to be accepted; `None` of UDP, which has none.
    pub queue: Option<u32>,
    /// The most that may wait; `None` where only the kernel's table was readable.
    pub backlog: Option<u32>,
    /// Bytes that have arrived for it, or for connections accepted from it, and that nobody has read. Of UDP the memory
    /// that they take.
    pub unread_bytes: Option<u64>,
    /// Process id of who listens, if it could be found.
    pub owner: Option<u32>,
    /// Appeared since the look before; unknown at the first look. A reading does not know it, but for a socket that comes
    /// into the list as no news.
    pub opened: Option<bool>,
}

impl Socket {
    /// The identity among sockets, e.g. `tcp 127.0.0.1:80` or `tcp [::]:22`.
    pub fn name(&self) -> String {
        if self.address.contains(':') {
            format!("{} [{}]:{}", self.protocol, self.address, self.port)
        } else {
            format!("{} {}:{}", self.protocol, self.address, self.port)
        }
    }
}

/// What an active check that the user named found when it was last tried; the same in reading and snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Name of the check; the identity.
    pub name: String,
    /// What is checked, without a secret: `tcp 127.0.0.1:5432` or `https://example.com/health`.
    pub target: String,
    /// Whether the last try succeeded; `None` before the first one is over.
    pub up: Option<bool>,
    /// How long the last try took, microseconds; of one that failed until it did.
    pub duration_us: Option<u64>,
    /// Status of the HTTP answer, if there was one.
    pub status: Option<u16>,
    /// Why the last try failed: a sentence, cleaned of foreign control characters.
    pub error: Option<String>,
    /// Monotonic milliseconds at which the last try was over.
    pub tried_mono_ms: Option<i64>,
}

/// A group of fields with the time at which it was looked at. An unread group keeps its last value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked<T> {
    /// The last value seen; `None` if it never could be read.
    pub value: Option<T>,
    /// Monotonic milliseconds of that look (see [`Moment::mono_ms`]).
    pub mono_ms: i64,
}

impl<T> Looked<T> {
    /// A value seen at this monotonic time.
    pub fn at(mono_ms: i64, value: T) -> Self {
        Self { value: Some(value), mono_ms }
    }

    /// Nothing could be read at this monotonic time.
    pub fn unreadable(mono_ms: i64) -> Self {
        Self { value: None, mono_ms }
    }
}

/// Totals and gauges of one living process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessReading {
    /// Who.
    pub key: ProcessKey,
    /// Process id of the parent; 0 where there is none.
    pub parent: u32,
    /// What it runs. Shared from reading to reading while it does not change.
    pub image: Arc<Image>,
    /// Numeric id of the user it runs as.
    pub uid: Option<u32>,
    /// What the scheduler says.
    pub state: Option<ProcessState>,
    /// Threads.
    pub threads: Option<u32>,
    /// CPU time since it began.
    pub cpu: Looked<ProcessCpu>,
    /// Memory.
    pub memory: Looked<ProcessMemory>,
    /// Page faults since it began.
    pub faults: Looked<ProcessFaults>,
    /// Disk bytes since it began.
    pub io: Looked<ProcessIo>,
    /// Network bytes since it began.
    pub network: Looked<ProcessNetwork>,
    /// Open file descriptors.
    pub descriptors: Looked<u32>,
}

/// CPU time of a process in microseconds: a total in a reading, a difference in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessCpu {
    /// In user and kernel mode together, all threads, ended ones included. Monotone.
    pub total_us: u64,
    /// In user mode, as the kernel accounts it; never more than `total_us`.
    pub user_us: u64,
}

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMemory {
    /// Resident set, shared pages included.
    pub resident_bytes: u64,
    /// Address space.
    pub virtual_bytes: u64,
}

/// Page faults of a process: totals in a reading, differences in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ProcessFaults {
    pub minor: u64,
    pub major: u64,
}

/// Bytes that a process caused to be read from and written to storage: totals in a reading, differences in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ProcessIo {
    pub read_bytes: u64,
    pub written_bytes: u64,
}

/// Bytes that a process sent and received over sockets: totals in a reading, differences in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ProcessNetwork {
    pub received_bytes: u64,
    pub sent_bytes: u64,
}
