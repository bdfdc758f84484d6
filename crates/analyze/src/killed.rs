//! Who held the memory when the kernel killed for it: at the tick that tells of it, the killed hold none any more.

use std::cmp::Reverse;
use std::sync::Arc;

use watchkeeper_core::evidence::TOP;
use watchkeeper_core::process::ProcessState;
use watchkeeper_core::snapshot::{Exited, Process};
use watchkeeper_core::{Image, ProcessKey};

use crate::watch::Tick;

/// A process that lost this part of its memory within the tick may be on its way out: the kernel takes memory back before
/// the process is gone.
const LOST: u64 = 2;
/// What ends a process for want of memory (`SIGKILL`).
const KILL: i32 = 9;

/// The last tick, and the last one in which the kernel killed.
#[derive(Debug, Default)]
pub(crate) struct Killed {
    /// Resident bytes at the last tick, by key.
    before: Vec<(ProcessKey, u64)>,
    holders: Vec<Holder>,
}

/// A process that held memory just before the kernel killed.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) key: ProcessKey,
    pub(crate) parent: u32,
    pub(crate) image: Arc<Image>,
    pub(crate) uid: Option<u32>,
    /// At the tick before, or at this one if that is more.
    pub(crate) resident_bytes: u64,
}

impl Killed {
    /// Those who held most at the tick before the kernel last killed: whom it named itself, as many of those that ended
    /// then as it killed, then the others, each the largest first. Empty if it never did, or nobody held anything.
    pub(crate) fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// Adds a tick.
    pub(crate) fn record(&mut self, tick: &Tick<'_>) {
        let snapshot = tick.snapshot;
        let Some(count) = snapshot.host.counters.oom_kills else {
            self.remember(tick);
            return;
        };
        if count > 0 {
            let living = snapshot.processes.as_deref().unwrap_or_default();
            let may_be_killed = snapshot.exited.iter().map(was_killed);
            let ended = tick.ended.iter().zip(may_be_killed);
            let all = living.iter().map(|process| (process, false)).chain(ended);
            let mut holders: Vec<(bool, Holder)> =
                all.filter_map(|(process, ended)| self.holder(process, ended)).collect();
            // Whom the kernel names comes first.
            let is_named = |holder: &Holder| Some(holder.key.pid) == snapshot.host.oom_victim;
            holders.sort_by_key(|(_, holder)| (!is_named(holder), Reverse(holder.resident_bytes), holder.key));
            // Others may have ended in the same tick for reasons of their own.
            let mut room = count;
            holders.sort_by_cached_key(|(is_gone, holder)| {
                let is_first = (*is_gone || is_named(holder)) && room > 0;
                room -= u64::from(is_first);
                !is_first
            });
            holders.truncate(TOP);
            self.holders = holders.into_iter().map(|(_, holder)| holder).collect();
        }
        self.remember(tick);
    }

    fn remember(&mut self, tick: &Tick<'_>) {
        self.before.clear();
        let living = tick.snapshot.processes.as_deref().unwrap_or_default();
        self.before.extend(living.iter().filter_map(|process| Some((process.key, process.memory?.resident_bytes))));
    }

    /// What a process held, and whether the kernel may have killed it.
    fn holder(&self, process: &Process, ended: bool) -> Option<(bool, Holder)> {
        // Processes of a snapshot are sorted by key.
        let place = self.before.binary_search_by_key(&process.key, |(key, _)| *key).ok();
        let before = place.map_or(0, |place| self.before[place].1);
        let now = process.memory.map(|memory| memory.resident_bytes);
        let resident_bytes = before.max(now.unwrap_or(0));
        let is_gone = match process.state {
            Some(ProcessState::Dead) => ended,
            Some(ProcessState::Zombie) => true,
            _ => now.is_some_and(|now| now < before / LOST),
        };
        let Process { key, parent, image, uid, .. } = process;
        let holder = Holder { key: *key, parent: *parent, image: Arc::clone(image), uid: *uid, resident_bytes };
        (resident_bytes > 0).then_some((is_gone, holder))
    }
}

/// Whether the kernel may have killed a process: how it ended is mostly not known.
fn was_killed(exited: &Exited) -> bool {
    exited.code.is_none() && exited.signal.is_none_or(|signal| signal == KILL)
}

#[cfg(test)]
mod tests;
