//! Parsers of the files in `/proc/PID`, on bytes and without allocation.
//!
//! Each returns `None` for anything that the kernel would not have written; none of them panics, whatever it is given.

/// What is used of `/proc/PID/stat` (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat<'a> {
    /// The kernel's name of the process, raw; may hold any byte, also `)` and line breaks.
    pub(super) name: &'a [u8],
    /// State, one letter.
    pub(super) state: u8,
    /// Process id of the parent.
    pub(super) parent: u32,
    /// `PF_*` flags of the kernel.
    pub(super) flags: u64,
    /// Page faults without and with disk access.
    pub(super) minor_faults: u64,
    /// Page faults that had to read from disk.
    pub(super) major_faults: u64,
    /// CPU time in user mode, clock ticks.
    pub(super) user_ticks: u64,
    /// CPU time in the kernel, clock ticks.
    pub(super) system_ticks: u64,
    /// Threads.
    pub(super) threads: u32,
    /// Start time since boot, clock ticks.
    pub(super) start_ticks: u64,
    /// Address space.
    pub(super) virtual_bytes: u64,
    /// Where the program's code and its arguments lie; zeros without the permission to see them and in old recordings.
    pub(super) layout: Layout,
}

/// Addresses that address space randomisation changes with every `exec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// First byte of the code.
    pub(super) code: u64,
    /// First byte of the arguments.
    pub(super) arguments: u64,
}

/// Flag of a process that was forked and has not called `exec` since.
pub(super) const FORKED_WITHOUT_EXEC: u64 = 0x40;
/// Flag of a process that is on its way out: its address space may be gone before its state says so.
pub(super) const EXITING: u64 = 0x4;
/// Flag of a kernel thread.
pub(super) const KERNEL_THREAD: u64 = 0x0020_0000;

/// Reads `/proc/PID/stat`.
///
/// The name stands in parentheses and may itself hold any of them, so it ends at the last one.
pub(super) fn stat(bytes: &[u8]) -> Option<Stat<'_>> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let name = bytes.get(open + 1..close)?;
    let mut fields = Fields::new(bytes.get(close + 1..)?);
    // Numbers of proc(5): the state is field 3.
    let state = match fields.next()? {
        [letter] => *letter,
        _ => return None,
    };
    let parent = fields.small()?; // 4
    fields.skip(4)?; // 5 pgrp, 6 session, 7 tty_nr, 8 tpgid
    let flags = fields.number()?; // 9
    let minor_faults = fields.number()?; // 10
    fields.skip(1)?; // 11 cminflt
    let major_faults = fields.number()?; // 12
    fields.skip(1)?; // 13 cmajflt
    let user_ticks = fields.number()?; // 14
    let system_ticks = fields.number()?; // 15
    fields.skip(4)?; // 16 cutime, 17 cstime, 18 priority, 19 nice
    let threads = fields.small()?; // 20
    fields.skip(1)?; // 21 itrealvalue
    let start_ticks = fields.number()?; // 22
    let virtual_bytes = fields.number()?; // 23
    let layout = layout(&mut fields).unwrap_or_default();
    Some(Stat {
        name,
        state,
        parent,
        flags,
        minor_faults,
        major_faults,
        user_ticks,
        system_ticks,
        threads,
        start_ticks,
        virtual_bytes,
        layout,
    })
}

/// Fields 26 and 48; absent before Linux 3.5.
fn layout(fields: &mut Fields<'_>) -> Option<Layout> {
    fields.skip(2)?; // 24 rss, 25 rsslim
    let code = fields.number()?; // 26
    fields.skip(21)?;
    let arguments = fields.number()?; // 48
    Some(Layout { code, arguments })
}

/// Resident pages: the second number of `/proc/PID/statm`. `stat` has the same field, but there it is an estimate.
pub(super) fn statm_resident_pages(bytes: &[u8]) -> Option<u64> {
    let mut fields = Fields::new(bytes);
    fields.number()?;
    fields.number()
}

/// The scheduler's account of a process's main thread: `/proc/PID/schedstat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Schedstat {
    /// Time on a CPU in nanoseconds.
    pub(super) run_ns: u64,
    /// How often it was put on a CPU.
    pub(super) slices: u64,
}

impl Schedstat {
    /// All zeros: the kernel does not keep this account, or the thread never ran. Says nothing about movement.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Reads `/proc/PID/schedstat`.
pub(super) fn schedstat(bytes: &[u8]) -> Option<Schedstat> {
    let mut fields = Fields::new(bytes);
    let run_ns = fields.number()?;
    fields.skip(1)?; // time spent waiting for a CPU
    let slices = fields.number()?;
    Some(Schedstat { run_ns, slices })
}

/// Bytes to and from storage: `read_bytes` and `write_bytes` of `/proc/PID/io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Io {
    /// Bytes fetched from storage.
    pub(super) read_bytes: u64,
    /// Bytes sent towards storage.
    pub(super) written_bytes: u64,
}

/// Reads `/proc/PID/io`.
pub(super) fn io(bytes: &[u8]) -> Option<Io> {
    let (mut read_bytes, mut written_bytes) = (None, None);
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(value) = line.strip_prefix(b"read_bytes: ") {
            read_bytes = number(value);
        } else if let Some(value) = line.strip_prefix(b"write_bytes: ") {
            written_bytes = number(value);
        }
    }
    Some(Io { read_bytes: read_bytes?, written_bytes: written_bytes? })
}

/// A whole decimal number, digits only.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Fields of one line, separated by blanks.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|byte| !is_blank(*byte))?;
        let rest = &self.rest[start..];
        let end = rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
        let (field, rest) = rest.split_at(end);
        self.rest = rest;
        Some(field)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            self.next()?;
        }
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        number(self.next()?)
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\n'
}

#[cfg(test)]
mod tests;
