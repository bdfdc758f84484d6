//! What a process is: its image and its state. Counters are in [`crate::reading`] and [`crate::snapshot`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// Version of the definition of a program, written into every store. Raise it when the naming changes.
pub const PROGRAM_VERSION: u32 = 1;

/// What a process runs: `exec` opens a new image and keeps the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    /// The kernel's name of the process (on Linux `comm`, at most 15 bytes). Foreign text.
    pub name: String,
    /// The program it counts as; never empty. Foreign text.
    pub program: String,
    /// The executable file, if it could be read.
    pub executable: Option<Executable>,
    /// The command line with secrets redacted and arguments joined by blanks; empty for kernel threads. `None`: unread.
    pub command: Option<Command>,
    /// The systemd unit it runs in, e.g. `cron.service`.
    pub unit: Option<String>,
    /// The container it runs in: runtime and short id, e.g. `docker:0123456789ab`.
    pub container: Option<String>,
}

/// An executable file as it was when the process was first seen with it; only `deleted` follows what happens to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Executable {
    /// Path, without the kernel's ` (deleted)`.
    pub path: String,
    /// Inode number, if the file could be looked at.
    pub inode: Option<u64>,
    /// Modification time, milliseconds UTC.
    pub modified_ms: Option<i64>,
    /// The file behind the path is gone or was replaced since. A file in memory that never had a path is neither.
    pub deleted: bool,
}

/// A command line that is safe to store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// The redacted text, cut at the collector's limit.
    pub text: String,
    /// Length of the whole command line in bytes, before redaction and cutting.
    pub length: u64,
}

/// What the scheduler says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// On a CPU or ready for one (`R`).
    Running,
    /// Waiting, interruptible (`S`).
    Sleeping,
    /// Waiting, uninterruptible (`D`).
    DiskSleep,
    /// An idle kernel thread (`I`).
    Idle,
    /// Stopped by a signal (`T`).
    Stopped,
    /// Stopped by a debugger (`t`).
    Traced,
    /// Ended, not yet waited for (`Z`).
    Zombie,
    /// Being removed (`X`).
    Dead,
    /// Every window of it answers (`A`). Windows only, which tells no other states.
    Answering,
    /// A window of it does not answer (`H`). Windows only.
    Hung,
    /// Anything else.
    Other,
}

impl ProcessState {
    /// All states with their one-letter code, as Linux prints them; `?` for [`Self::Other`].
    pub const CODES: [(Self, char); 11] = [
        (Self::Running, 'R'),
        (Self::Sleeping, 'S'),
        (Self::DiskSleep, 'D'),
        (Self::Idle, 'I'),
        (Self::Stopped, 'T'),
        (Self::Traced, 't'),
        (Self::Zombie, 'Z'),
        (Self::Dead, 'X'),
        (Self::Answering, 'A'),
        (Self::Hung, 'H'),
        (Self::Other, '?'),
    ];

    /// The state behind a letter of `/proc/PID/stat`; unknown letters are [`Self::Other`].
    pub fn from_code(code: char) -> Self {
        Self::CODES.into_iter().find(|(_, c)| *c == code).map_or(Self::Other, |(state, _)| state)
    }

    /// The one-letter code.
    pub fn code(self) -> char {
        Self::CODES.into_iter().find(|(state, _)| *state == self).map_or('?', |(_, code)| code)
    }

    /// The letter as text, as rules compare it.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Running => "R",
            Self::Sleeping => "S",
            Self::DiskSleep => "D",
            Self::Idle => "I",
            Self::Stopped => "T",
            Self::Traced => "t",
            Self::Zombie => "Z",
            Self::Dead => "X",
            Self::Answering => "A",
            Self::Hung => "H",
            Self::Other => "?",
        }
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::DiskSleep => "uninterruptible",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
            Self::Traced => "traced",
            Self::Zombie => "zombie",
            Self::Dead => "dead",
            Self::Answering => "answering",
            Self::Hung => "hung",
            Self::Other => "other",
        })
    }
}
