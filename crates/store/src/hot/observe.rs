//! Events that show in snapshots: memory ran out, a socket was opened, an executable was replaced, the clock was set,
//! the machine slept.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use watchkeeper_core::snapshot::{Socket, TickFlags};
use watchkeeper_core::text::duration;
use watchkeeper_core::{Image, Moment, ProcessKey, Snapshot};

/// The most executables that are remembered; when there are more, those not seen for longest are forgotten.
const MOST_EXECUTABLES: usize = 8_192;

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) kind: &'static str,
    pub(super) process: Option<ProcessKey>,
    pub(super) detail: String,
}

/// Version of an executable file.
struct Version {
    inode: Option<u64>,
    modified_ms: Option<i64>,
    seen_ms: i64,
}

/// Compares each snapshot with what was seen before.
#[derive(Default)]
pub(super) struct Observer {
    last: Option<Moment>,
    /// Sockets of the last tick, if it listed them.
    sockets: Option<HashSet<String>>,
    /// Executables by program and path.
    executables: HashMap<(String, String), Version>,
}

impl Observer {
    /// What happened since the last look; `images` are those that are new or that the log names again.
    pub(super) fn look(&mut self, snapshot: &Snapshot, images: &[(ProcessKey, Arc<Image>)]) -> Vec<Observed> {
        let mut observed = Vec::new();
        self.look_at_clock(snapshot, &mut observed);
        if let Some(count) = snapshot.host.counters.oom_kills.filter(|count| *count > 0) {
            let subject = if count == 1 { "1 process was".to_owned() } else { format!("{count} processes were") };
            observed.push(of_host("oom", format!("{subject} killed because memory ran out")));
        }
        self.look_at_sockets(snapshot, &mut observed);
        for (key, image) in images {
            observed.extend(self.look_at_image(*key, image, snapshot.at.ts_ms));
        }
        self.limit();
        observed
    }

    fn look_at_clock(&mut self, snapshot: &Snapshot, observed: &mut Vec<Observed>) {
        let at = snapshot.at;
        let last = self.last.replace(at).filter(|last| last.boot == at.boot);
        if snapshot.flags.has(TickFlags::CLOCK_STEP) {
            let step_ms = last.map_or(0, |last| at.booted_ms() - last.booted_ms());
            let detail = match step_ms {
                0 => "the clock was set".to_owned(),
                1.. => format!("the clock was set forward by {}", duration(step_ms)),
                _ => format!("the clock was set back by {}", duration(step_ms.saturating_neg())),
            };
            observed.push(of_host("clock_step", detail));
        }
        if snapshot.flags.has(TickFlags::SUSPENDED) {
            let slept_ms = last.map_or(0, |last| at.suspended_ms - last.suspended_ms);
            let detail = if slept_ms > 0 {
                format!("the machine slept for {}", duration(slept_ms))
            } else {
                "the machine slept".to_owned()
            };
            observed.push(of_host("suspended", detail));
        }
    }

    fn look_at_sockets(&mut self, snapshot: &Snapshot, observed: &mut Vec<Observed>) {
        let names: Option<HashSet<String>> =
            snapshot.sockets.as_ref().map(|sockets| sockets.iter().map(Socket::name).collect());
        if let Some(before) = self.sockets.as_ref().filter(|_| !snapshot.flags.has(TickFlags::FIRST_LOOK)) {
            // Some come into the list later than they were opened, and say so.
            let new = snapshot.sockets.iter().flatten().filter(|socket| socket.opened != Some(false));
            let opened: BTreeSet<String> = new.map(Socket::name).filter(|name| !before.contains(name)).collect();
            observed.extend(opened.into_iter().map(|name| of_host("socket_opened", name)));
        }
        self.sockets = names;
    }

    /// A file that was replaced under a running process is not news: that is seen when the new one is started.
    fn look_at_image(&mut self, key: ProcessKey, image: &Image, ts_ms: i64) -> Option<Observed> {
        let executable = image.executable.as_ref().filter(|executable| !executable.deleted)?;
        if executable.inode.is_none() && executable.modified_ms.is_none() {
            return None;
        }
        let now = Version { inode: executable.inode, modified_ms: executable.modified_ms, seen_ms: ts_ms };
        let changed = |before: &Version| before.inode != now.inode || before.modified_ms != now.modified_ms;
        let name = (image.program.clone(), executable.path.clone());
        let is_changed = self.executables.get(&name).is_some_and(changed);
        self.executables.insert(name, now);
        is_changed.then(|| Observed { kind: "executable_changed", process: Some(key), detail: executable.path.clone() })
    }

    fn limit(&mut self) {
        if self.executables.len() > MOST_EXECUTABLES {
            let mut times: Vec<i64> = self.executables.values().map(|version| version.seen_ms).collect();
            let middle = times.len() / 2;
            let (_, median_ms, _) = times.select_nth_unstable(middle);
            let median_ms = *median_ms;
            self.executables.retain(|_, version| version.seen_ms > median_ms);
        }
    }
}

fn of_host(kind: &'static str, detail: String) -> Observed {
    Observed { kind, process: None, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_comes_late_into_the_list_was_not_opened() {
        let tick = |sockets: Vec<Socket>| {
            let at = Moment { ts_ms: 0, mono_ms: 0, suspended_ms: 0, boot: watchkeeper_core::BootId::default() };
            Snapshot { sockets: Some(sockets), ..Snapshot::unknown(at, 1_000) }
        };
        let socket = |port, opened| Socket { protocol: "udp".to_owned(), port, opened, ..Socket::default() };
        let mut observer = Observer::default();
        assert_eq!(observer.look(&tick(Vec::new()), &[]), []);
        let sockets = vec![socket(53, Some(true)), socket(54, None), socket(40_000, Some(false))];
        let told: Vec<String> =
            observer.look(&tick(sockets), &[]).into_iter().map(|observed| observed.detail).collect();
        assert_eq!(told, ["udp :53", "udp :54"]);
    }
}
