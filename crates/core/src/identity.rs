//! Who is who: hosts, boots, processes, and everything else that has series of its own.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One start of the kernel. On Linux `/proc/sys/kernel/random/boot_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub Uuid);

/// A host for ever, made at the first start of a store. The host's name is only a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostId(pub Uuid);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A process for ever: a pid is reused, a pid with the start time of a boot is not. `exec` keeps the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessKey {
    /// The boot it was started in.
    pub boot: BootId,
    /// Process id; on Linux the thread group id.
    pub pid: u32,
    /// Start time in ticks of 10 ms since that boot.
    pub start_ticks: u64,
}

impl fmt::Display for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start_ticks)
    }
}

/// What kind of thing a series belongs to; the word behind `each =` in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityKind {
    /// The machine as a whole.
    Host,
    /// One logical CPU.
    Cpu,
    /// One block device.
    Disk,
    /// One mounted filesystem.
    Filesystem,
    /// One network interface.
    Interface,
    /// Established connections to one remote address.
    Peer,
    /// One listening socket.
    Socket,
    /// One active check that the user named.
    Check,
    /// One process.
    Process,
    /// What people mean by "this process over time".
    Program,
}

impl EntityKind {
    /// All kinds in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Host,
        Self::Cpu,
        Self::Disk,
        Self::Filesystem,
        Self::Interface,
        Self::Peer,
        Self::Socket,
        Self::Check,
        Self::Process,
        Self::Program,
    ];

    /// The word used in configuration, tables and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Cpu => "cpu",
            Self::Disk => "disk",
            Self::Filesystem => "filesystem",
            Self::Interface => "interface",
            Self::Peer => "peer",
            Self::Socket => "socket",
            Self::Check => "check",
            Self::Process => "process",
            Self::Program => "program",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One thing that has series of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// The machine as a whole.
    Host,
    /// A logical CPU by its number.
    Cpu(u32),
    /// A block device by its kernel name.
    Disk(String),
    /// A filesystem by its mount point.
    Filesystem(String),
    /// A network interface by its name.
    Interface(String),
    /// A remote address, or `other` for everything beyond the largest.
    Peer(String),
    /// A listening socket, written `tcp 127.0.0.1:80`.
    Socket(String),
    /// An active check by its name.
    Check(String),
    /// A process.
    Process(ProcessKey),
    /// A program by its name.
    Program(String),
}

impl Entity {
    /// What kind of thing this is.
    pub fn kind(&self) -> EntityKind {
        match self {
            Self::Host => EntityKind::Host,
            Self::Cpu(_) => EntityKind::Cpu,
            Self::Disk(_) => EntityKind::Disk,
            Self::Filesystem(_) => EntityKind::Filesystem,
            Self::Interface(_) => EntityKind::Interface,
            Self::Peer(_) => EntityKind::Peer,
            Self::Socket(_) => EntityKind::Socket,
            Self::Check(_) => EntityKind::Check,
            Self::Process(_) => EntityKind::Process,
            Self::Program(_) => EntityKind::Program,
        }
    }

    /// The name within its kind, empty for the host. Foreign text: clean it before it reaches a person.
    pub fn name(&self) -> String {
        match self {
            Self::Host => String::new(),
            Self::Cpu(number) => number.to_string(),
            Self::Process(key) => key.to_string(),
            Self::Disk(name)
            | Self::Filesystem(name)
            | Self::Interface(name)
            | Self::Peer(name)
            | Self::Socket(name)
            | Self::Check(name)
            | Self::Program(name) => name.clone(),
        }
    }
}

/// One metric of one entity over time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    /// Name of a catalogue metric.
    pub metric: String,
    /// Whose.
    pub entity: Entity,
}
