//! The thread that looks whether the files of the configuration changed, and when they are worth reading.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::Stamp;
use crate::health::locked;
use crate::signals::Handle;

/// Between two looks at the files.
const PAUSE: Duration = Duration::from_secs(1);
/// A file that changed is left alone for so long: whoever writes it may not be done.
const QUIET: Duration = Duration::from_millis(900);

/// What the files looked like when they were read last, and how they look now.
#[derive(Debug)]
pub struct Changes {
    read: Stamp,
    seen: Stamp,
    since: Instant,
}

impl Changes {
    /// The files looked like this before they were read.
    pub fn new(read: Stamp, now: Instant) -> Self {
        Self { seen: read.clone(), read, since: now }
    }

    /// They looked like this before they were read again, whatever came of it.
    pub fn read(&mut self, read: Stamp, now: Instant) {
        *self = Self::new(read, now);
    }

    /// They look like this now: whether they are to be read. Every change is said once.
    fn look(&mut self, stamp: Stamp, now: Instant) -> bool {
        if stamp != self.seen {
            (self.seen, self.since) = (stamp, now);
            return false;
        }
        let is_due = self.seen != self.read && now.duration_since(self.since) >= QUIET;
        if is_due {
            self.read = self.seen.clone();
        }
        is_due
    }
}

/// Looks from now on, in a thread that ends with the program: a filesystem that hangs holds up nobody else.
pub fn watch(
    changes: &Arc<Mutex<Changes>>,
    stamp: impl Fn() -> Stamp + Send + 'static,
    events: Handle,
) -> io::Result<()> {
    let changes = Arc::clone(changes);
    std::thread::Builder::new().name("files".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(PAUSE);
            let now = stamp();
            if locked(&changes).look(now, Instant::now()) && !events.changed() {
                // Nobody listens any more.
                return;
            }
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Stamps that differ: those of files with so many bytes.
    fn stamps(folder: &Path, lengths: &[usize]) -> Vec<Stamp> {
        let file = folder.join("watchkeeper.toml");
        let stamp = |length: &usize| {
            fs::write(&file, "#".repeat(*length)).unwrap();
            Stamp::now(Some(&file))
        };
        lengths.iter().map(stamp).collect()
    }

    #[test]
    fn a_change_is_due_once_when_it_has_been_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let [old, half, whole] = stamps(folder.path(), &[1, 2, 3]).try_into().unwrap();
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut changes = Changes::new(old.clone(), start);
        let steps = [
            (1, &old, false, "nothing changed"),
            (2, &half, false, "it has just changed"),
            (3, &whole, false, "it is still being written"),
            (4, &whole, true, "it is quiet"),
            (5, &whole, false, "it was said"),
            (6, &old, false, "it is as it was"),
            (7, &old, true, "which is another change"),
            (8, &half, false, "it changed,"),
            (9, &old, false, "and back in time"),
            (10, &old, false, "which is none"),
        ];
        for (second, stamp, is_due, why) in steps {
            assert_eq!(changes.look(stamp.clone(), at(second)), is_due, "second {second}: {why}");
        }
    }

    #[test]
    fn what_was_read_otherwise_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = stamps(folder.path(), &[1, 2]).try_into().unwrap();
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut changes = Changes::new(old, start);
        assert!(!changes.look(new.clone(), at(1)));
        changes.read(new.clone(), at(1));
        assert!(!changes.look(new.clone(), at(2)) && !changes.look(new, at(60)));
    }
}
