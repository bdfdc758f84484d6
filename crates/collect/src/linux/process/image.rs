//! What a process runs: name, executable, command line, unit and container. Read once for each image.

use std::io;

use watchkeeper_core::Image;
use watchkeeper_core::process::{Command, Executable};

use super::cgroup::membership;
use super::folder::Folder;
use crate::CommandLine;
use crate::program::{Facts, program};
use crate::redact;

/// Bytes of a command line that are looked at; what is stored of it is shorter still.
pub(super) const COMMAND_BYTES: usize = 16 * 1024;
/// Command lines are measured up to this length.
const LONGEST_COMMAND_BYTES: u64 = 8 << 20;

/// An image and what was missing of it.
#[derive(Debug)]
pub(super) struct ReadImage {
    pub(super) image: Image,
    /// The kernel refused to show the executable.
    pub(super) executable_denied: bool,
}

/// Reads the image of a process. A process that vanishes meanwhile leaves the rest unknown.
pub(super) fn read(
    folder: &Folder,
    name: &[u8],
    kernel_thread: bool,
    command_line: CommandLine,
    buffer: &mut [u8],
) -> ReadImage {
    let name = shown_name(name, kernel_thread);
    let (executable, executable_denied) = match folder.link(c"exe") {
        Ok(target) => (Some(executable(folder, &target)), false),
        Err(error) => (None, error.kind() == io::ErrorKind::PermissionDenied && !kernel_thread),
    };
    let groups = folder.read(c"cgroup", buffer).map(membership).unwrap_or_default();
    let command = folder.read_counting(c"cmdline", buffer, LONGEST_COMMAND_BYTES);
    let text = command.as_ref().map(|(bytes, _)| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let arguments = arguments(&text);
    let program = program(&Facts {
        name: &name,
        executable: executable.as_ref().map(|executable| executable.path.as_str()),
        arguments: &arguments,
        unit: groups.unit.as_deref(),
        container: groups.container.as_deref(),
    });
    let command = match (command_line, command) {
        (CommandLine::Redacted, Ok((bytes, length))) => {
            let cut = length > bytes.len() as u64;
            let text = if cut { redact::cut_command_line(&arguments) } else { redact::command_line(&arguments) };
            Some(Command { text, length })
        }
        _ => None,
    };
    let image = Image { name, program, executable, command, unit: groups.unit, container: groups.container };
    ReadImage { image, executable_denied }
}

/// The name as it is shown. A worker thread of the kernel appends what it works on just now; that is not its name.
fn shown_name(name: &[u8], kernel_thread: bool) -> String {
    let name = String::from_utf8_lossy(name);
    let worker = kernel_thread && name.starts_with("kworker/");
    let end = if worker { name.find(['-', '+']).unwrap_or(name.len()) } else { name.len() };
    name[..end].to_owned()
}

/// Arguments of a command line: each ends with a zero byte. A process that wrote its own title leaves one.
fn arguments(text: &str) -> Vec<&str> {
    let text = text.trim_end_matches('\0');
    if text.is_empty() { Vec::new() } else { text.split('\0').collect() }
}

fn executable(folder: &Folder, target: &[u8]) -> Executable {
    let (path, deleted) = linked(target);
    let (inode, modified_ms) = folder.version(c"exe").ok().unzip();
    Executable { path: String::from_utf8_lossy(path).into_owned(), inode, modified_ms, deleted }
}

/// Whether the file that a process runs was replaced or removed since: the kernel says that it has no name any more, or
/// another file stands at its path. `None` where the kernel does not show the link.
pub(super) fn is_replaced(folder: &Folder, executable: &Executable) -> Option<bool> {
    let target = folder.link(c"exe").ok()?;
    let (path, deleted) = linked(&target);
    if deleted || is_in_memory(path) {
        return Some(deleted);
    }
    Some(match folder.version_below_root(&executable.path) {
        Ok((inode, modified_ms)) => {
            executable.inode.is_some_and(|known| known != inode)
                || executable.modified_ms.is_some_and(|known| known != modified_ms)
        }
        // It was given another name. What cannot be told without waiting for a disk or a server is as it was.
        Err(_) => String::from_utf8_lossy(path) != executable.path,
    })
}

/// The path behind a link to an executable, and whether it has lost its name.
fn linked(target: &[u8]) -> (&[u8], bool) {
    match target.strip_suffix(b" (deleted)") {
        Some(path) => (path, !is_in_memory(path)),
        None => (target, false),
    }
}

/// A file that lives in memory only never had a name to lose.
fn is_in_memory(path: &[u8]) -> bool {
    path.starts_with(b"/memfd:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_worker_works_on_is_not_its_name() {
        for (name, kernel_thread, shown) in [
            ("kworker/0:1-events", true, "kworker/0:1"),
            ("kworker/u8:3+flush-8:0", true, "kworker/u8:3"),
            ("kworker/0:1H", true, "kworker/0:1H"),
            ("jbd2/sda1-8", true, "jbd2/sda1-8"),
            ("kworker/0:1-fake", false, "kworker/0:1-fake"),
        ] {
            assert_eq!(shown_name(name.as_bytes(), kernel_thread), shown);
        }
        assert_eq!(shown_name(b"bad\xff", false), "bad\u{fffd}");
    }

    #[test]
    fn arguments_end_with_a_zero_byte() {
        for (text, expected) in [
            ("", &[][..]),
            ("\0\0", &[]),
            ("a\0b c\0", &["a", "b c"]),
            ("a\0\0b\0", &["a", "", "b"]),
            ("nginx: worker process\0\0\0", &["nginx: worker process"]),
            ("no end", &["no end"]),
        ] {
            assert_eq!(arguments(text), expected, "{text:?}");
        }
    }
}
