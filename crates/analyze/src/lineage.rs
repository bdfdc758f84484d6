//! Who started it: from a process to its parents, to the unit they run in.

use std::collections::BTreeMap;

use watchkeeper_core::snapshot::Process;
use watchkeeper_core::text::clean;
use watchkeeper_core::{Image, Snapshot};

use crate::ranking::Ranked;

/// Most names in a lineage.
const LONGEST: usize = 8;
/// Longest name in characters.
const LONGEST_NAME: usize = 80;

/// The processes of a snapshot by pid.
pub(crate) struct Family<'a> {
    by_pid: BTreeMap<u32, &'a Process>,
}

impl<'a> Family<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot) -> Self {
        let processes = snapshot.processes.as_deref().unwrap_or_default();
        Self { by_pid: processes.iter().map(|process| (process.key.pid, process)).collect() }
    }

    /// The names from a process up, e.g. `rustc x14`, `cargo`, `cron.service`: the process with the number of its
    /// siblings of the same name, its parents within the same unit, and the unit. Names are clean.
    pub(crate) fn lineage(&self, process: &Ranked) -> Vec<String> {
        let home = home(&process.image);
        let alike = self.alike(process);
        let name = clean(&process.image.name, LONGEST_NAME);
        let mut names = vec![if alike > 1 { format!("{name} x{alike}") } else { name }];
        let mut visited = vec![process.key.pid];
        let (mut parent, mut born) = (process.parent, process.key.start_ticks);
        while names.len() < LONGEST - 1 {
            // Process 1 started everything, which says nothing. A parent that is younger has got the number of the
            // real one, which is gone.
            let Some(found) = self.by_pid.get(&parent).filter(|found| {
                found.key.pid > 1 && found.key.start_ticks <= born && !visited.contains(&found.key.pid)
            }) else {
                break;
            };
            if self::home(&found.image) != home {
                break;
            }
            names.push(clean(&found.image.name, LONGEST_NAME));
            visited.push(found.key.pid);
            (parent, born) = (found.parent, found.key.start_ticks);
        }
        if let Some(home) = home {
            // `cron` in `cron.service` says the same twice.
            if names.len() > 1 && home.rsplit_once('.').is_some_and(|(stem, _)| names.last().is_some_and(|n| n == stem))
            {
                names.pop();
            }
            names.push(clean(home, LONGEST_NAME));
        }
        names
    }

    /// How many children of the same parent have the same name, the process included.
    fn alike(&self, process: &Ranked) -> usize {
        let is_alike = |other: &&&Process| {
            other.parent == process.parent && other.image.name == process.image.name && other.key != process.key
        };
        1 + self.by_pid.values().filter(is_alike).count()
    }
}

/// Where a process lives: its container, else its unit.
fn home(image: &Image) -> Option<&str> {
    image.container.as_deref().or(image.unit.as_deref())
}

#[cfg(test)]
mod tests;
