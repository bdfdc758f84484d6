//! The kernel's log, for the one thing that is said nowhere else: whom it killed for want of memory.
//!
//! Root may read it, others only where `kernel.dmesg_restrict` is 0. Process ids in it are those of the whole machine, so
//! that a watch in a container does without.

use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, SeekFrom, open, seek};
use rustix::io::{Errno, read};

use super::scan::decimal;

/// The longest record (`CONSOLE_EXT_LOG_MAX` of the kernel).
const RECORD_BYTES: usize = 8 << 10;
/// Records that are read at once: more than the kernel keeps.
const MOST_RECORDS: usize = 100_000;
/// The process ids of the machine itself, as `/proc/self/ns/pid` names them (`PROC_PID_INIT_INO`).
const WHOLE_MACHINE: &str = "pid:[4026531836]";

/// The log from the time on at which it was opened.
#[derive(Debug, Default)]
pub(super) struct KernelLog {
    file: Option<OwnedFd>,
}

impl KernelLog {
    /// Opens the log at its end; where it may not be read there are no answers.
    pub(super) fn open() -> Self {
        let is_whole = std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link == Path::new(WHOLE_MACHINE));
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = is_whole.then(|| open("/dev/kmsg", flags, Mode::empty()).ok()).flatten();
        Self { file: file.filter(|file| seek(file, SeekFrom::End(0)).is_ok()) }
    }

    /// Whom the kernel killed since the last question; of several the one that held most.
    pub(super) fn victim(&mut self) -> Option<u32> {
        let file = self.file.as_ref()?;
        let mut record = [0; RECORD_BYTES];
        let mut largest = None;
        for _ in 0..MOST_RECORDS {
            match read(file, &mut record) {
                Ok(length) => largest = largest.max(record.get(..length).and_then(killed)),
                // Records that were not read in time are gone; the next ones are not.
                Err(Errno::PIPE | Errno::INTR) => {}
                Err(_) => break,
            }
        }
        largest.map(|(_, pid)| pid)
    }
}

/// Anonymous memory in KiB and process id of whom a record says that it was killed:
/// `3,1234,5678,-;Out of memory: Killed process 4711 (name) total-vm:82136kB, anon-rss:65280kB, ...`.
fn killed(record: &[u8]) -> Option<(u64, u32)> {
    let text = record.split(|byte| *byte == b'\n').next()?;
    let priority = decimal(text.split(|byte| *byte == b',').next()?)?;
    // Programs can write there too, but not in the kernel's name.
    if priority >= 8 {
        return None;
    }
    let pid = u32::try_from(number_after(text, b"Killed process ")?).ok()?;
    // The name of the process comes first and is anybody's choice: the last one counts.
    let rest = text.rsplit(|byte| *byte == b')').next()?;
    Some((number_after(rest, b"anon-rss:").unwrap_or(0), pid))
}

fn number_after(text: &[u8], mark: &[u8]) -> Option<u64> {
    let at = text.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let rest = text.get(at..)?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    decimal(rest.get(..length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_says_whom_the_kernel_killed() {
        let tail = "total-vm:82136kB, anon-rss:65280kB, file-rss:6620kB, shmem-rss:0kB, UID:0 pgtables:188kB";
        for (record, expected) in [
            (
                format!("3,1,2,-;Memory cgroup out of memory: Killed process 16807 (python3.11) {tail}"),
                Some((65_280, 16_807)),
            ),
            (
                format!("3,1,2,-;Out of memory: Killed process 7 (a) anon-rss:9kB) {tail}\n SUBSYSTEM=x\n"),
                Some((65_280, 7)),
            ),
            ("3,1,2,-;Killed process 8 (old)".to_owned(), Some((0, 8))),
            (format!("12,1,2,-;Out of memory: Killed process 16807 (python3.11) {tail}"), None),
            ("6,1,2,-;oom_reaper: reaped process 16807 (python3.11)".to_owned(), None),
            ("3,1,2,-;Killed process 99999999999 (x)".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(killed(record.as_bytes()), expected, "{record}");
        }
    }

    #[test]
    fn nobody_was_killed_just_now() {
        // Where the log may not be read there is no answer either.
        assert_eq!(KernelLog::open().victim(), None);
        assert_eq!(KernelLog::default().victim(), None);
    }

    proptest! {
        #[test]
        fn any_record_is_answered(bytes: Vec<u8>, text in "[0-9]{0,3},;Killed process [0-9]{0,12} \\(.{0,9}\\) anon-rss:[0-9]{0,30}kB") {
            let _ = killed(&bytes);
            let _ = killed(text.as_bytes());
        }
    }
}
