//! One pass over all processes: what is read of each, and when.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::io::Errno;
use watchkeeper_core::process::{Executable, Image, ProcessState};
use watchkeeper_core::reading::{Looked, ProcessFaults, ProcessIo, ProcessMemory, ProcessReading};
use watchkeeper_core::{Moment, ProcessKey};

use super::cpu::{self, Meter};
use super::folder::{self, Folder, Root};
use super::{Options, image};
use crate::linux::parse::{self, EXITING, FORKED_WITHOUT_EXEC, KERNEL_THREAD, Layout, Schedstat, Stat};

/// An unmoved process is read in full after this time, plus up to as much again, spread over the pids.
pub(super) const ROTATION_MS: i64 = 20_000;

/// Longer than any line of `/proc/PID/stat`: 52 numbers of at most 20 digits and a name of at most 64 bytes.
const STAT_BYTES: usize = 1_280;

/// Room that is reused from process to process.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) text: Vec<u8>,
    pub(super) listing: Vec<MaybeUninit<u8>>,
}

/// One living process between two readings.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) reading: ProcessReading,
    pub(super) gate: Option<OwnedFd>,
    pub(super) sched: Schedstat,
    pub(super) meter: Meter,
    pub(super) exec: ExecMarks,
    /// Monotonic time at which it is read although nothing moved.
    pub(super) due_mono_ms: i64,
    /// Monotonic time from which its executable is looked at again.
    pub(super) executable_due_mono_ms: i64,
    pub(super) alive: bool,
    pub(super) denied: Denied,
}

/// What the kernel refused to show of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Denied {
    pub(super) io: bool,
    pub(super) descriptors: bool,
    pub(super) executable: bool,
}

/// What changes when a process calls `exec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExecMarks {
    /// The kernel's name, cut; a worker thread of the kernel renames itself all the time and keeps this.
    pub(super) name: [u8; 16],
    pub(super) forked: bool,
    pub(super) layout: Layout,
    pub(super) owner: Option<u32>,
}

/// Why a process could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It ended.
    Vanished,
    /// The kernel refused.
    Denied,
    /// The call failed for a reason of this process or machine, or gave something that cannot be understood.
    Failed,
}

/// How many processes could not be read at all in one sweep, by reason.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missed {
    pub(super) vanished: u64,
    pub(super) denied: u64,
    pub(super) failed: u64,
}

/// What became of a known process.
pub(super) enum Visit {
    /// It is still there.
    Same,
    /// It ended.
    Gone,
    /// It ended and another one has its pid.
    Replaced,
}

/// One pass over all processes.
pub(super) struct Sweep<'a> {
    root: &'a Root,
    options: &'a Options,
    scratch: &'a mut Scratch,
    at: &'a Moment,
    started: Instant,
    /// Handles that are kept already.
    handles: usize,
    pub(super) missed: Missed,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(
        root: &'a Root,
        options: &'a Options,
        scratch: &'a mut Scratch,
        at: &'a Moment,
        handles: usize,
    ) -> Self {
        Self { root, options, scratch, at, started: Instant::now(), handles, missed: Missed::default() }
    }

    fn now_mono_ms(&self) -> i64 {
        self.at.mono_ms.saturating_add(i64::try_from(self.started.elapsed().as_millis()).unwrap_or(0))
    }

    /// Reads what moved of a process that is known.
    pub(super) fn visit(&mut self, tracked: &mut Tracked) -> Visit {
        let pid = tracked.reading.key.pid;
        let text = match &tracked.gate {
            Some(gate) => folder::read_again(gate, &mut self.scratch.text),
            None => self.root.read(pid, "schedstat", &mut self.scratch.text),
        };
        let sched = match text {
            Ok(text) => parse::schedstat(text).unwrap_or_default(),
            // The kept handle says that its process ended; the listing says that the pid lives.
            Err(error) if tracked.gate.is_some() && unread(&error) == Unread::Vanished => return Visit::Replaced,
            // Ended, or a kernel without this file: the full look tells.
            Err(_) => Schedstat::default(),
        };
        let unmoved = sched == tracked.sched && !sched.is_empty() && tracked.reading.threads == Some(1);
        if unmoved && self.at.mono_ms < tracked.due_mono_ms {
            return Visit::Same;
        }
        let look =
            self.root.folder(pid).map_err(|error| unread(&error)).and_then(|folder| self.look(&folder, tracked, sched));
        match look {
            Ok(true) => Visit::Same,
            Ok(false) => Visit::Replaced,
            Err(Unread::Vanished) => Visit::Gone,
            // It is there and was readable once: what is known of it stays, with the time at which it was seen.
            Err(Unread::Denied) => {
                self.missed.denied += 1;
                Visit::Same
            }
            Err(Unread::Failed) => {
                self.missed.failed += 1;
                Visit::Same
            }
        }
    }

    /// Reads a process for the first time.
    pub(super) fn first_sight(&mut self, pid: u32) -> Option<Tracked> {
        match self.open(pid) {
            Ok(tracked) => Some(tracked),
            Err(unread) => {
                match unread {
                    Unread::Vanished => self.missed.vanished += 1,
                    Unread::Denied => self.missed.denied += 1,
                    Unread::Failed => self.missed.failed += 1,
                }
                None
            }
        }
    }

    pub(super) fn open(&mut self, pid: u32) -> Result<Tracked, Unread> {
        let folder = self.root.folder(pid).map_err(|error| unread(&error))?;
        let gate = folder.open(c"schedstat").ok();
        let sched = gate.as_ref().and_then(|gate| folder::read_again(gate, &mut self.scratch.text).ok());
        let sched = sched.and_then(parse::schedstat).unwrap_or_default();
        // The start time is not known before the first look; u64::MAX is nobody's.
        let key = ProcessKey { boot: self.at.boot, pid, start_ticks: u64::MAX };
        let mut tracked = Tracked {
            reading: unknown(key),
            gate: gate.filter(|_| self.handles < self.options.handles),
            sched,
            meter: Meter::new(1_000_000 / self.options.ticks_per_second.max(1)),
            exec: ExecMarks { name: [0; 16], forked: false, layout: Layout::default(), owner: None },
            due_mono_ms: 0,
            executable_due_mono_ms: 0,
            alive: true,
            denied: Denied::default(),
        };
        self.look(&folder, &mut tracked, sched)?;
        self.handles += usize::from(tracked.gate.is_some());
        Ok(tracked)
    }

    /// Reads everything of one process. `false`: the pid belongs to another process now.
    fn look(&mut self, folder: &Folder, tracked: &mut Tracked, sched: Schedstat) -> Result<bool, Unread> {
        let mut line = [0; STAT_BYTES];
        let text = folder.read(c"stat", &mut line).map_err(|error| unread(&error))?;
        let stat = parse::stat(text).ok_or(if text.is_empty() { Unread::Vanished } else { Unread::Failed })?;
        let mono_ms = self.now_mono_ms();
        let start_ticks = stat.start_ticks.saturating_mul(100) / self.options.ticks_per_second.max(1);
        let is_new = tracked.reading.key.start_ticks == u64::MAX;
        if !is_new && tracked.reading.key.start_ticks != start_ticks {
            return Ok(false);
        }
        let owner = folder.owner().ok();
        let state = ProcessState::from_code(char::from(stat.state));
        let reading = &mut tracked.reading;
        reading.key.start_ticks = start_ticks;
        reading.parent = stat.parent;
        reading.uid = owner;
        reading.state = Some(state);
        reading.threads = Some(stat.threads);
        let run_ns = (!sched.is_empty()).then_some(sched.run_ns);
        let booked = tracked.meter.book(cpu::Look {
            user_ticks: stat.user_ticks,
            system_ticks: stat.system_ticks,
            run_ns,
            threads: stat.threads,
        });
        reading.cpu = Looked::at(mono_ms, booked);
        reading.faults = Looked::at(mono_ms, ProcessFaults { minor: stat.minor_faults, major: stat.major_faults });
        let virtual_bytes = stat.virtual_bytes;
        let exec = ExecMarks::of(&stat, owner);
        let kernel_thread = stat.flags & KERNEL_THREAD != 0;
        // A process that has ended, or is about to, gave up its address space; what it ran is what it was seen with.
        let ended = matches!(state, ProcessState::Zombie | ProcessState::Dead) || stat.flags & EXITING != 0;
        let rest_mono_ms = mono_ms.saturating_add(ROTATION_MS + i64::from(rotation_spread(tracked.reading.key.pid)));
        if is_new || (exec != tracked.exec && !ended) {
            self.read_image(folder, tracked, stat.name, kernel_thread);
            tracked.exec = exec;
            tracked.executable_due_mono_ms = rest_mono_ms;
        } else if mono_ms >= tracked.executable_due_mono_ms && !ended {
            look_at_executable(folder, tracked);
            tracked.executable_due_mono_ms = rest_mono_ms;
        }
        self.read_memory(folder, tracked, mono_ms, virtual_bytes);
        self.read_io(folder, tracked, mono_ms);
        self.read_descriptors(folder, tracked, mono_ms);
        tracked.sched = sched;
        tracked.due_mono_ms = rest_mono_ms;
        Ok(true)
    }

    fn read_image(&mut self, folder: &Folder, tracked: &mut Tracked, name: &[u8], kernel_thread: bool) {
        let read = image::read(folder, name, kernel_thread, self.options.command_line, &mut self.scratch.text);
        tracked.denied.executable = read.executable_denied;
        if *tracked.reading.image != read.image {
            tracked.reading.image = Arc::new(read.image);
        }
    }

    fn read_memory(&mut self, folder: &Folder, tracked: &mut Tracked, mono_ms: i64, virtual_bytes: u64) {
        let text = folder.read(c"statm", &mut self.scratch.text);
        let pages = text.ok().and_then(parse::statm_resident_pages);
        tracked.reading.memory = match pages.map(|pages| pages.saturating_mul(self.options.page_bytes)) {
            Some(resident_bytes) => Looked::at(mono_ms, ProcessMemory { resident_bytes, virtual_bytes }),
            None => Looked::unreadable(mono_ms),
        };
    }

    fn read_io(&mut self, folder: &Folder, tracked: &mut Tracked, mono_ms: i64) {
        let text = folder.read(c"io", &mut self.scratch.text);
        tracked.denied.io = is_denied(&text);
        tracked.reading.io = match text.ok().and_then(parse::io) {
            Some(parse::Io { read_bytes, written_bytes }) => {
                Looked::at(mono_ms, ProcessIo { read_bytes, written_bytes })
            }
            None => Looked::unreadable(mono_ms),
        };
    }

    fn read_descriptors(&mut self, folder: &Folder, tracked: &mut Tracked, mono_ms: i64) {
        let count = if self.options.sized_descriptors {
            folder.stat(c"fd").map(|stat| stat.st_size.max(0) as u64)
        } else {
            folder.count(c"fd", &mut self.scratch.listing)
        };
        tracked.denied.descriptors = is_denied(&count);
        tracked.reading.descriptors = match count.ok().and_then(|count| u32::try_from(count).ok()) {
            Some(count) => Looked::at(mono_ms, count),
            None => Looked::unreadable(mono_ms),
        };
    }
}

/// Notes that the executable of a process was replaced while it runs on, or that it is as it was.
fn look_at_executable(folder: &Folder, tracked: &mut Tracked) {
    let Some(executable) = &tracked.reading.image.executable else { return };
    if let Some(is_replaced) = image::is_replaced(folder, executable).filter(|now| *now != executable.deleted) {
        let executable = Some(Executable { deleted: is_replaced, ..executable.clone() });
        tracked.reading.image = Arc::new(Image { executable, ..Image::clone(&tracked.reading.image) });
    }
}

impl ExecMarks {
    fn of(stat: &Stat<'_>, owner: Option<u32>) -> Self {
        let mut name = [0; 16];
        let shown = if stat.flags & KERNEL_THREAD == 0 { stat.name } else { b"" };
        let length = shown.len().min(name.len());
        name[..length].copy_from_slice(&shown[..length]);
        Self { name, forked: stat.flags & FORKED_WITHOUT_EXEC != 0, layout: stat.layout, owner }
    }
}

/// A process of which nothing is known yet.
fn unknown(key: ProcessKey) -> ProcessReading {
    ProcessReading {
        key,
        parent: 0,
        image: Arc::new(Image::default()),
        uid: None,
        state: None,
        threads: None,
        cpu: Looked::default(),
        memory: Looked::default(),
        faults: Looked::default(),
        io: Looked::default(),
        network: Looked::default(),
        descriptors: Looked::default(),
    }
}

/// Spreads the slow rotation evenly over the pids, which are mostly consecutive.
pub(super) fn rotation_spread(pid: u32) -> u16 {
    (pid.wrapping_mul(7_919) % (ROTATION_MS as u32)) as u16
}

/// Only the kernel's own word means that a process is gone: an exhausted limit of open files must not look like the end
/// of everything.
fn unread(error: &io::Error) -> Unread {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::SRCH) => Unread::Vanished,
        Some(Errno::ACCESS | Errno::PERM) => Unread::Denied,
        _ => Unread::Failed,
    }
}

fn is_denied<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
