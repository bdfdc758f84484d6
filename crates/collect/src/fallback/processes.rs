//! Processes through `sysinfo`, without their threads.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use watchkeeper_core::process::{Command, Executable, ProcessState};
use watchkeeper_core::reading::{Looked, ProcessCpu, ProcessIo, ProcessMemory, ProcessReading};
use watchkeeper_core::{Gap, GapReason, Image, Moment, ProcessKey, Section};

#[cfg(unix)]
use self::unix::{Looks, REMEDY};
#[cfg(windows)]
use self::windows::{Looks, REMEDY};
use crate::program::{Facts, program};
use crate::{CommandLine, redact};

/// How often the images of all processes are read again: the crate does not notice an `exec` by itself.
const IMAGES_MS: i64 = 60_000;
/// A young process may still be between `fork` and `exec`; its image is read again until it is this many looks old.
const YOUNG_LOOKS: u32 = 3;
/// Bytes of a command line that are looked at; what is stored of it is shorter still.
const COMMAND_BYTES: usize = 16 * 1024;

/// Remembers every living process.
pub(super) struct Processes {
    command_line: CommandLine,
    looks: Looks,
    known: HashMap<Pid, Known>,
    images_ms: Option<i64>,
}

struct Known {
    /// When it began, as finely as the system tells it; with another one it is another process.
    started: u64,
    start_ticks: u64,
    looks: u32,
    /// Name, path and hash of the command line behind `image`.
    name: String,
    path: Option<PathBuf>,
    command: u64,
    image: Arc<Image>,
    cpu: ProcessCpu,
}

/// What one look finds out about a process; `None` is what this user may not know, or nobody.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// See [`Known::started`].
    pub(super) started: u64,
    pub(super) state: Option<ProcessState>,
    pub(super) threads: Option<u32>,
    pub(super) cpu: Option<ProcessCpu>,
    pub(super) memory: Option<ProcessMemory>,
    pub(super) io: Option<ProcessIo>,
}

impl Processes {
    /// `boot_secs`: start of the kernel, seconds since the epoch, as of the start of the watch: keys must not move with the
    /// clock.
    pub(super) fn new(command_line: CommandLine, boot_secs: u64) -> Self {
        Self { command_line, looks: Looks::new(boot_secs), known: HashMap::new(), images_ms: None }
    }

    /// Every living process, sorted by key.
    pub(super) fn read(&mut self, system: &mut System, at: &Moment, gaps: &mut Vec<Gap>) -> Vec<ProcessReading> {
        let all_images = self.refresh(system, at.mono_ms);
        self.looks.begin();
        let mut before = std::mem::take(&mut self.known);
        let mut denied = [(Section::ProcessCpu, 0), (Section::ProcessMemory, 0), (Section::ProcessDisk, 0)];
        let mut processes = Vec::with_capacity(system.processes().len());
        for (pid, process) in system.processes().iter().filter(|(pid, _)| Looks::is_process(**pid)) {
            let seen = self.looks.look(*pid, process);
            let known = before.remove(pid).filter(|known| known.started == seen.started);
            let mut known = self.recognise(*pid, process, &seen, known);
            if all_images {
                known.look_at_executable();
            }
            for (count, is_denied) in
                denied.iter_mut().zip([seen.cpu.is_none(), seen.memory.is_none(), seen.io.is_none()])
            {
                count.1 += u64::from(is_denied);
            }
            processes.push(reading(at, *pid, process, &known, &seen));
            self.known.insert(*pid, known);
        }
        for (section, count) in denied.into_iter().filter(|(_, count)| *count > 0) {
            gaps.push(Gap { section, reason: GapReason::Permission, count, remedy: Some(REMEDY.to_owned()) });
        }
        processes.sort_unstable_by_key(|process| process.key);
        processes
    }

    /// Says whether the images of all processes were read again.
    fn refresh(&mut self, system: &mut System, mono_ms: i64) -> bool {
        let all_images = self.images_ms.is_none_or(|last| !(last..last + IMAGES_MS).contains(&mono_ms));
        let images = if all_images {
            self.images_ms = Some(mono_ms);
            UpdateKind::Always
        } else {
            UpdateKind::OnlyIfNotSet
        };
        let counters = ProcessRefreshKind::nothing().without_tasks().with_cpu().with_memory().with_disk_usage();
        let kind = counters.with_cmd(images).with_exe(images).with_user(images);
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        if !all_images {
            let young: Vec<Pid> =
                self.known.iter().filter(|(_, known)| known.looks < YOUNG_LOOKS).map(|(pid, _)| *pid).collect();
            let images = ProcessRefreshKind::nothing()
                .without_tasks()
                .with_cmd(UpdateKind::Always)
                .with_exe(UpdateKind::Always)
                .with_user(UpdateKind::Always);
            // One that has ended since was taken off the list by the refresh of all.
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&young), true, images);
        }
        all_images
    }

    /// The process as it is now, from what was known of it.
    fn recognise(&self, pid: Pid, process: &Process, seen: &Seen, known: Option<Known>) -> Known {
        let cpu = seen.cpu.unwrap_or_default();
        let path = process.exe().filter(|path| !path.as_os_str().is_empty());
        let command = command_hash(process);
        let Some(mut known) = known else {
            let name = lossy(process.name());
            return Known {
                started: seen.started,
                start_ticks: self.looks.start_ticks(pid, seen.started),
                looks: 1,
                path: path.map(Path::to_owned),
                command,
                image: self.image(process, &name),
                name,
                cpu,
            };
        };
        known.looks = known.looks.saturating_add(1);
        known.cpu.total_us = known.cpu.total_us.max(cpu.total_us);
        known.cpu.user_us = known.cpu.user_us.max(cpu.user_us).min(known.cpu.total_us);
        if known.path.as_deref() != path || known.command != command {
            // The crate keeps the first name for ever: after an `exec` the file's name is the better one.
            if let Some(name) = path.and_then(Path::file_name).filter(|_| known.path.as_deref() != path) {
                known.name = lossy(name);
            }
            known.path = path.map(Path::to_owned);
            known.command = command;
            known.image = self.image(process, &known.name);
        }
        known
    }

    fn image(&self, process: &Process, name: &str) -> Arc<Image> {
        let executable = process.exe().filter(|path| !path.as_os_str().is_empty()).map(executable);
        let (arguments, cut) = arguments(process.cmd());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = program(&Facts {
            name,
            executable: executable.as_ref().map(|executable| executable.path.as_str()),
            arguments: &arguments,
            unit: None,
            container: None,
        });
        // Only on Linux is there a process without one: a thread of the kernel. Elsewhere it could not be read.
        let is_read = cfg!(target_os = "linux") || !arguments.is_empty();
        let command = (self.command_line == CommandLine::Redacted && is_read).then(|| Command {
            text: if cut { redact::cut_command_line(&arguments) } else { redact::command_line(&arguments) },
            // As the kernel counts it, with a zero byte behind each argument.
            length: process.cmd().iter().map(|argument| argument.len() as u64 + 1).sum(),
        });
        Arc::new(Image { name: name.to_owned(), program, executable, command, unit: None, container: None })
    }
}

impl Known {
    /// Notes that the file it runs was replaced or removed, or that it is as it was.
    fn look_at_executable(&mut self) {
        let Some(known) = &self.image.executable else { return };
        let now = executable(Path::new(&known.path));
        let differs = |known: Option<u64>, now: Option<u64>| known.zip(now).is_some_and(|(known, now)| known != now);
        let deleted = now.deleted
            || differs(known.inode, now.inode)
            || differs(known.modified_ms.map(i64::cast_unsigned), now.modified_ms.map(i64::cast_unsigned));
        if deleted != known.deleted {
            let executable = Some(Executable { deleted, ..known.clone() });
            self.image = Arc::new(Image { executable, ..Image::clone(&self.image) });
        }
    }
}

fn reading(at: &Moment, pid: Pid, process: &Process, known: &Known, seen: &Seen) -> ProcessReading {
    let mono_ms = at.mono_ms;
    ProcessReading {
        key: ProcessKey { boot: at.boot, pid: pid.as_u32(), start_ticks: known.start_ticks },
        parent: process.parent().map_or(0, Pid::as_u32),
        image: Arc::clone(&known.image),
        uid: uid(process),
        state: seen.state,
        threads: seen.threads,
        cpu: Looked { value: seen.cpu.map(|_| known.cpu), mono_ms },
        memory: Looked { value: seen.memory, mono_ms },
        faults: Looked::unreadable(mono_ms),
        io: Looked { value: seen.io, mono_ms },
        network: Looked::unreadable(mono_ms),
        descriptors: Looked::unreadable(mono_ms),
    }
}

fn executable(path: &Path) -> Executable {
    let metadata = std::fs::metadata(path);
    let deleted = metadata.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let metadata = metadata.ok();
    let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
    let modified = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    Executable {
        path: path.to_string_lossy().into_owned(),
        inode: metadata.as_ref().and_then(inode),
        modified_ms: modified.and_then(|modified| i64::try_from(modified.as_millis()).ok()),
        deleted,
    }
}

/// The arguments as text, up to a limit, and whether that cut something off.
fn arguments(command: &[OsString]) -> (Vec<String>, bool) {
    let mut room = COMMAND_BYTES;
    let mut arguments = Vec::new();
    for argument in command {
        let mut argument = lossy(argument);
        if argument.len() >= room {
            argument.truncate(argument.floor_char_boundary(room));
            arguments.push(argument);
            return (arguments, true);
        }
        room -= argument.len() + 1;
        arguments.push(argument);
    }
    (arguments, false)
}

/// Command lines are foreign and may hold secrets: only a hash is kept to notice a change.
fn command_hash(process: &Process) -> u64 {
    let mut hasher = DefaultHasher::new();
    process.cmd().hash(&mut hasher);
    hasher.finish()
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// The user it runs as. Windows' users have no numbers.
#[cfg(unix)]
pub(super) fn uid(process: &Process) -> Option<u32> {
    process.effective_user_id().or(process.user_id()).map(|uid| **uid)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no inodes")]
fn inode(metadata: &std::fs::Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::ino(metadata))
}

#[cfg(not(unix))]
fn uid(_process: &Process) -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn inode(_metadata: &std::fs::Metadata) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_looked_at_up_to_a_limit() {
        let half = OsString::from("x".repeat(COMMAND_BYTES / 2));
        let wide = OsString::from("\u{20ac}".repeat(COMMAND_BYTES));
        for (command, lengths, cut) in [
            (vec![], vec![], false),
            (vec![OsString::from("a"), OsString::new()], vec![1, 0], false),
            (vec![half.clone()], vec![8_192], false),
            (vec![half.clone(), half, "y".into()], vec![8_192, 8_191], true),
            (vec![wide], vec![16_383], true),
        ] {
            let (arguments, was_cut) = arguments(&command);
            assert_eq!(arguments.iter().map(String::len).collect::<Vec<_>>(), lengths);
            assert_eq!(was_cut, cut, "{lengths:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_executable_that_is_replaced_under_its_process_is_noticed_within_a_minute() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("waits");
        std::fs::copy("/bin/sleep", &path).expect("copied");
        let mut child = std::process::Command::new(&path).arg("60").spawn().expect("it starts");
        let mut system = System::new().expect("sysinfo works here");
        let mut processes = Processes::new(CommandLine::Redacted, System::boot_time().expect("known"));
        let mut look = |mono_ms| {
            let at = Moment { ts_ms: 0, mono_ms, suspended_ms: 0, boot: watchkeeper_core::BootId::default() };
            let all = processes.read(&mut system, &at, &mut Vec::new());
            let process = all.into_iter().find(|process| process.key.pid == child.id()).expect("it is there");
            process
                .image
                .executable
                .as_ref()
                .filter(|executable| Path::new(&executable.path) == path)
                .map(|e| e.deleted)
        };
        // Between fork and exec it still runs this test.
        while look(0).is_none() {}
        std::fs::copy("/bin/true", folder.path().join("new")).expect("copied");
        std::fs::rename(folder.path().join("new"), &path).expect("renamed");
        let seen = [look(IMAGES_MS - 1), look(IMAGES_MS)];
        child.kill().expect("ended");
        child.wait().expect("waited for");
        assert_eq!(seen, [Some(false), Some(true)]);
    }

    #[test]
    fn a_reused_process_number_is_another_process() {
        let at = Moment { ts_ms: 0, mono_ms: 0, suspended_ms: 0, boot: watchkeeper_core::BootId::default() };
        let mut system = System::new().expect("sysinfo works here");
        let mut processes = Processes::new(CommandLine::Redacted, System::boot_time().expect("known"));
        let mut me = |processes: &mut Processes| {
            let all = processes.read(&mut system, &at, &mut Vec::new());
            all.into_iter().find(|process| process.key.pid == std::process::id()).expect("this process")
        };
        let before = me(&mut processes);
        let known = processes.known.get_mut(&Pid::from_u32(std::process::id())).expect("known");
        // As if the number had belonged to somebody who began earlier and used more CPU.
        let cpu = ProcessCpu { total_us: u64::MAX / 2, user_us: 0 };
        (known.started, known.start_ticks, known.cpu) = (known.started - 1, 0, cpu);
        let after = me(&mut processes);
        assert_eq!(after.key, before.key);
        assert!(after.cpu.value.is_some_and(|cpu| cpu.total_us < u64::MAX / 2));
    }
}
