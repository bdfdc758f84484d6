//! Every process of the machine from `/proc`, at the price of one small read for each that did nothing.
//!
//! - One listing finds births and deaths.
//! - `/proc/PID/schedstat` is the **gate**: while its main thread was not put on a CPU, a process with one thread has
//!   changed nothing that it counts, so the rest is not read and its fields keep their values and their time of look.
//! - Whatever moved, and every process with several threads (the gate sees only the main one), is read in full.
//! - A **slow rotation** reads the others about every 30 s, because the kernel may take memory from a process that
//!   sleeps. A process whose parent ended is read at once, because it has another parent now.
//!
//! Handles to the gate are kept for as many processes as the limit of open files allows; they also tell that a pid was
//! taken by another process. `exec` is noticed by the name, by the flag of a fork without exec, by the layout of the
//! address space (randomised by every exec, shown only where the kernel permits it) and by the user id; the image is
//! then read again and replaced only if it differs. That an executable was replaced or removed while its process runs on
//! is noticed with the slow rotation, within a minute; whoever may not read the link never learns it. What stays unseen: a second exec to a program of the same name by a
//! process of another user, for an unprivileged watch on a kernel that hides layouts.

mod cgroup;
mod cpu;
mod folder;
mod image;
mod sweep;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use watchkeeper_core::Moment;
use watchkeeper_core::gap::{Gap, GapReason, Section};
use watchkeeper_core::reading::ProcessReading;

use self::folder::Root;
use self::sweep::{Missed, Scratch, Sweep, Tracked, Visit};
use crate::CommandLine;

/// How the processes are to be read.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) command_line: CommandLine,
    /// Handles to gates that may be kept.
    pub(super) handles: usize,
    /// What a watch without privilege is told to do, for gaps.
    pub(super) remedy: String,
    /// Clock ticks in a second.
    pub(super) ticks_per_second: u64,
    pub(super) page_bytes: u64,
    /// The kernel gives the number of descriptors as the size of the folder (Linux 6.2); else they are counted.
    pub(super) sized_descriptors: bool,
    /// The root is the kernel's own, not a recording.
    pub(super) live: bool,
}

/// Reads all processes again and again.
#[derive(Debug)]
pub(super) struct ProcessReader {
    root: Root,
    options: Options,
    pids: Vec<u32>,
    /// Ascending by pid.
    tracked: Vec<Tracked>,
    scratch: Scratch,
}

impl ProcessReader {
    /// A reader of the folder behind this handle.
    pub(super) fn new(root: OwnedFd, options: Options) -> Self {
        let text = vec![0; image::COMMAND_BYTES];
        let listing = vec![MaybeUninit::uninit(); if options.sized_descriptors { 0 } else { 32 * 1024 }];
        let (pids, tracked) = (Vec::new(), Vec::new());
        Self { root: Root::new(root), options, pids, tracked, scratch: Scratch { text, listing } }
    }

    /// Looks at every process; what could not be read is added to `gaps`.
    ///
    /// # Errors
    /// When the list of processes itself could not be read.
    pub(super) fn read(&mut self, at: &Moment, gaps: &mut Vec<Gap>) -> io::Result<Vec<ProcessReading>> {
        self.root.list(&mut self.pids)?;
        let handles = self.tracked.iter().filter(|tracked| tracked.gate.is_some()).count();
        let mut sweep = Sweep::new(&self.root, &self.options, &mut self.scratch, at, handles);
        let mut born = Vec::new();
        let mut next = 0;
        for pid in &self.pids {
            while let Some(tracked) = self.tracked.get_mut(next).filter(|tracked| tracked.reading.key.pid < *pid) {
                tracked.alive = false;
                next += 1;
            }
            match self.tracked.get_mut(next) {
                Some(tracked) if tracked.reading.key.pid == *pid => {
                    next += 1;
                    match sweep.visit(tracked) {
                        Visit::Same => {}
                        Visit::Gone => tracked.alive = false,
                        Visit::Replaced => {
                            tracked.alive = false;
                            // Mostly nobody has the pid again yet: the known process just ended, which is no gap.
                            born.extend(sweep.open(*pid).ok());
                        }
                    }
                }
                _ => born.extend(sweep.first_sight(*pid)),
            }
        }
        for tracked in self.tracked.iter_mut().skip(next) {
            tracked.alive = false;
        }
        let missed = sweep.missed;
        self.bury();
        if !born.is_empty() {
            self.tracked.append(&mut born);
            self.tracked.sort_by_key(|tracked| tracked.reading.key.pid);
        }
        self.note(missed, gaps);
        Ok(self.tracked.iter().map(|tracked| tracked.reading.clone()).collect())
    }

    /// Forgets the dead; their children have another parent now.
    fn bury(&mut self) {
        if self.tracked.iter().all(|tracked| tracked.alive) {
            return;
        }
        let gone: Vec<u32> =
            self.tracked.iter().filter(|tracked| !tracked.alive).map(|tracked| tracked.reading.key.pid).collect();
        self.tracked.retain(|tracked| tracked.alive);
        for tracked in &mut self.tracked {
            if gone.binary_search(&tracked.reading.parent).is_ok() {
                tracked.due_mono_ms = i64::MIN;
            }
        }
    }

    fn note(&self, missed: Missed, gaps: &mut Vec<Gap>) {
        let remedy = || Some(self.options.remedy.clone());
        let mut gap = |section, reason, count, remedy| {
            if count > 0 {
                gaps.push(Gap { section, reason, count, remedy });
            }
        };
        // Without pid 1 the kernel shows this user only its own processes.
        let hidden = u64::from(self.options.live && self.pids.first() != Some(&1));
        gap(Section::Processes, GapReason::Permission, missed.denied.max(hidden), Some(HIDDEN_REMEDY.to_owned()));
        gap(Section::Processes, GapReason::Vanished, missed.vanished, None);
        gap(Section::Processes, GapReason::Malformed, missed.failed, None);
        let count = |denied: fn(&Tracked) -> bool| self.tracked.iter().filter(|tracked| denied(tracked)).count() as u64;
        gap(Section::ProcessDisk, GapReason::Permission, count(|tracked| tracked.denied.io), remedy());
        let descriptors = count(|tracked| tracked.denied.descriptors);
        gap(Section::ProcessDescriptors, GapReason::Permission, descriptors, remedy());
        let executables = count(|tracked| tracked.denied.executable);
        gap(Section::ProcessExecutable, GapReason::Permission, executables, remedy());
    }
}

const HIDDEN_REMEDY: &str =
    "run as root, or mount /proc without `hidepid`, or with its option `gid=` set to a group of this user";

#[cfg(test)]
mod tests;
