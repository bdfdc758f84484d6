//! Linux: everything from `/proc` and `/sys`, without privilege.

mod host;
mod parse;
mod process;

use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use uuid::Uuid;
use watchkeeper_core::gap::{Gap, GapReason, Section};
use watchkeeper_core::{BootId, Moment, Reading};

use self::host::{HostReader, HostSections};
use self::process::{Options, ProcessReader};
use crate::{CollectConfig, CollectError, Collector, clock};

/// Gate handles are kept for at most this many processes; each costs the kernel about 4 KiB.
const MOST_HANDLES: usize = 2_048;

/// The `/proc` tier: processes and the machine as a whole, read from `/proc` and `/sys`.
pub struct Linux {
    boot: BootId,
    host: HostReader,
    processes: ProcessReader,
}

impl Linux {
    /// Opens this machine. Raises this process's soft limit of open files to at most 4096: one handle is kept for each of
    /// the first 2048 processes.
    ///
    /// # Errors
    /// When `/proc` cannot be opened.
    pub fn open(config: &CollectConfig) -> Result<Self, CollectError> {
        Self::with_root(Path::new("/proc"), Path::new("/sys"), config)
    }

    /// Opens other folders in the place of `/proc` and `/sys`: a recorded folder is a test input.
    ///
    /// # Errors
    /// When `proc_root` cannot be opened.
    pub fn with_root(proc_root: &Path, sys_root: &Path, config: &CollectConfig) -> Result<Self, CollectError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(proc_root, flags, Mode::empty())
            .map_err(|error| CollectError::Open { path: proc_root.to_owned(), source: error.into() })?;
        let live = rustix::fs::fstatfs(&root).is_ok_and(|stat| stat.f_type == rustix::fs::PROC_SUPER_MAGIC);
        // This process has files open, so a size of zero means that the kernel does not give the number there.
        let own_descriptors = rustix::fs::statat(&root, c"self/fd", AtFlags::empty());
        let options = Options {
            command_line: config.command_line,
            handles: handles(),
            remedy: remedy(),
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            page_bytes: rustix::param::page_size() as u64,
            sized_descriptors: live && own_descriptors.is_ok_and(|stat| stat.st_size > 0),
            live,
        };
        Ok(Self {
            boot: boot_id(proc_root),
            host: HostReader::new(proc_root, sys_root, config.interval),
            processes: ProcessReader::new(root, options),
        })
    }

    /// Looks at the machine; `at` is now.
    fn read_at(&mut self, at: Moment) -> Reading {
        let mut gaps = Vec::new();
        let processes = match self.processes.read(&at, &mut gaps) {
            Ok(processes) => Some(processes),
            Err(error) => {
                let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
                let reason = if denied { GapReason::Permission } else { GapReason::Malformed };
                gaps.push(Gap { section: Section::Processes, reason, count: 1, remedy: None });
                None
            }
        };
        for section in [Section::ProcessNetwork, Section::ShortLived, Section::ProcessExit] {
            gaps.push(Gap { section, reason: GapReason::Unsupported, count: 1, remedy: None });
        }
        let HostSections { host, cpus, disks, filesystems, interfaces, peers, sockets } =
            self.host.read(&at, &mut gaps);
        Reading { at, host, cpus, disks, filesystems, interfaces, peers, sockets, checks: None, processes, gaps }
    }
}

impl Collector for Linux {
    fn read(&mut self) -> Result<Reading, CollectError> {
        Ok(self.read_at(clock::moment(self.boot)))
    }

    fn tier(&self) -> &'static str {
        "proc"
    }
}

/// The boot id that the kernel gives; where it gives none, one made from the time of the boot.
pub(crate) fn boot_id(proc_root: &Path) -> BootId {
    let text = std::fs::read_to_string(proc_root.join("sys/kernel/random/boot_id")).unwrap_or_default();
    Uuid::parse_str(text.trim()).map_or_else(|_| clock::derived_boot_id(boot_time_secs(proc_root)), BootId)
}

/// The time of the boot, seconds since the epoch, from `/proc/stat`; 0 where it is not there.
fn boot_time_secs(proc_root: &Path) -> u64 {
    let text = std::fs::read_to_string(proc_root.join("stat")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// How many handles to keep: half of the files that this process may open, for the watch opens others as well. The soft
/// limit is often 1024 for the sake of programs that call select(2), which this one does not; it is raised as far as the
/// hard limit allows and there is use for it.
fn handles() -> usize {
    let wanted = 2 * MOST_HANDLES as u64;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if limit.current.is_some_and(|current| current < raised) {
        let more = Rlimit { current: Some(raised), ..limit };
        if rustix::process::setrlimit(Resource::Nofile, more).is_ok() {
            limit = more;
        }
    }
    let half = limit.current.map_or(MOST_HANDLES, |current| usize::try_from(current / 2).unwrap_or(MOST_HANDLES));
    half.min(MOST_HANDLES)
}

/// What helps a watch that may not read the counters of other users' processes.
fn remedy() -> String {
    if rustix::process::geteuid().is_root() {
        // Root in a container may lack them; a sandboxed process is closed to everybody.
        return "root needs cap_sys_ptrace and cap_dac_read_search too; sandboxed processes stay closed".to_owned();
    }
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("watchkeeper"));
    format!("run as root, or: sudo setcap cap_sys_ptrace,cap_dac_read_search=ep {}", program.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        folder
    }

    #[test]
    fn the_boot_id_is_the_kernels_or_made_from_the_time_of_the_boot() {
        let kernels = folder(&[("sys/kernel/random/boot_id", "0f5c2b0e-7a3a-4a2c-9a53-4bfb5c0f2d11\n")]);
        assert_eq!(boot_id(kernels.path()).to_string(), "0f5c2b0e-7a3a-4a2c-9a53-4bfb5c0f2d11");
        let made = folder(&[("stat", "cpu  1 2 3\nbtime 1700000001\n")]);
        assert_eq!(boot_id(made.path()), clock::derived_boot_id(1_700_000_001));
        assert_eq!(boot_id(&made.path().join("nothing")), clock::derived_boot_id(0));
    }

    #[test]
    fn a_root_that_is_not_there_is_an_error_that_names_it() {
        let missing = Path::new("/nowhere/proc");
        let opened = Linux::with_root(missing, missing, &CollectConfig::default());
        let error = opened.err().expect("it is not there");
        assert_eq!(error.to_string(), "cannot open /nowhere/proc");
    }
}
