//! An expectation over time: which processes it counts, how many began in the place of others, and who ended last.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::process::ProcessState;
use watchkeeper_core::snapshot::{Exited, Process};
use watchkeeper_core::{BootId, Image, ProcessKey, Snapshot};

use crate::expect::{Expect, Restarts};
use crate::question::{Asking, Question};

/// Most ends and most restarts that are remembered one by one: more than any rule allows.
const MOST_KEPT: usize = 1_024;
/// The kernel's own processes, and the one that starts them, on Linux.
const KERNEL: u32 = 2;

/// What an expectation has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// Living processes that count.
    living: BTreeMap<ProcessKey, Known>,
    /// Processes that counted and ended, and in whose place none has begun yet; oldest first.
    ended: VecDeque<End>,
    /// When processes began in the place of others, monotonic milliseconds, oldest first.
    restarts: VecDeque<i64>,
    last: Option<Last>,
    /// The last look that saw the list, milliseconds since boot with the time asleep; `None`: there was none.
    looked_ms: Option<i64>,
    boot: Option<BootId>,
    finding: Option<Finding>,
}

#[derive(Clone, Debug)]
struct Known {
    parent: u32,
    image: Arc<Image>,
    uid: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    /// When it was seen, monotonic milliseconds.
    at_ms: i64,
    /// What began earlier than this, in milliseconds since boot with the time asleep, was there before it ended.
    after_ms: i64,
}

/// A process that was not there, or did not count, at the look before.
#[derive(Clone, Copy, Debug)]
struct Begun {
    key: ProcessKey,
    /// If it ended within the same interval: when, milliseconds since boot with the time asleep.
    ended_ms: Option<i64>,
}

/// The last process that counted and ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Last {
    pub(crate) key: ProcessKey,
    pub(crate) parent: u32,
    pub(crate) image: Arc<Image>,
    pub(crate) uid: Option<u32>,
    /// When it ended, milliseconds UTC.
    pub(crate) ended_ms: i64,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
}

/// What is not as expected, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// There are fewer than so many.
    Missing { least: u32 },
    /// They began anew more often than this.
    Restarted(Restarts),
    /// There are more than so many.
    TooMany { most: u32 },
}

/// What the last look found broken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) broken: Broken,
    /// Processes, or restarts.
    pub(crate) count: u32,
    pub(crate) last: Option<Last>,
}

/// What a look says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Whether the expectation is broken; `None` is unknown.
    pub(crate) verdict: Option<bool>,
    /// Processes, or restarts if those are what is wrong.
    pub(crate) value: Option<f64>,
}

/// What a count means for an expectation.
enum Judgement {
    Unknown,
    AsExpected,
    /// With the number of processes or restarts.
    Broken(Broken, u32),
}

/// How many living processes count: so many for certain, and so many more at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    certain: u32,
    maybe: u32,
}

impl Expected {
    /// What the last look found broken, if it was.
    pub(crate) fn finding(&self) -> Option<&Finding> {
        self.finding.as_ref()
    }

    /// One more tick. `ended` are its processes that ended, as they were in their last interval.
    pub(crate) fn look(&mut self, expect: &Expect, which: &Question, snapshot: &Snapshot, ended: &[Process]) -> Seen {
        if self.boot.replace(snapshot.at.boot).is_some_and(|boot| boot != snapshot.at.boot) {
            // All that lived ended with it, and what began with the new one is in nobody's place.
            *self = Self { boot: self.boot, last: self.last.take(), ..Self::default() };
        }
        let count = self.follow(which, snapshot, ended, expect.restarts);
        let known = count.filter(|count| count.maybe == 0).map(|count| f64::from(count.certain));
        let (verdict, value, finding) = match self.judge(expect, count) {
            Judgement::Unknown => (None, known, None),
            Judgement::AsExpected => (Some(false), known, None),
            Judgement::Broken(broken, count) => {
                (Some(true), Some(f64::from(count)), Some(Finding { broken, count, last: self.last.clone() }))
            }
        };
        self.finding = finding;
        Seen { verdict, value }
    }

    /// Sees which processes are there, which ended and which began; how many there are, if the list could be read.
    fn follow<'a>(
        &mut self,
        which: &Question,
        snapshot: &'a Snapshot,
        ended: &'a [Process],
        restarts: Option<Restarts>,
    ) -> Option<Count> {
        let mut asking = Asking::of_entities(which, snapshot);
        let mut holds = |process: &'a Process| asking.look(0, EntityRef::Process(process)).verdict;
        let since_ms = self.looked_ms;
        let mut begun: Vec<Begun> = Vec::new();
        let mut ends = 0_usize;
        for (exited, row) in snapshot.exited.iter().zip(ended) {
            let own = self.last.as_mut().filter(|last| last.key == exited.key);
            if self.living.remove(&exited.key).is_some() {
                self.last = Some(Last::of(exited));
                ends += 1;
            } else if let Some(last) = own {
                // It was a zombie until somebody waited for it.
                (last.code, last.signal) = (exited.code, exited.signal);
            } else if since_ms.is_none_or(|since_ms| began_after(exited.key, since_ms)) && holds(row) == Some(true) {
                self.last = Some(Last::of(exited));
                begun.push(Begun { ended_ms: Some(ended_ms(exited, snapshot)), ..Begun::living(exited.key) });
            }
        }
        let count = snapshot.processes.as_deref().map(|living| {
            let mut count = Count::default();
            let mut there = BTreeMap::new();
            for process in living {
                if is_dead(process) {
                    continue;
                }
                let former = || self.living.contains_key(&process.key);
                match holds(process) {
                    Some(true) => {
                        count.certain += 1;
                        if !former() {
                            begun.push(Begun::living(process.key));
                        }
                    }
                    Some(false) => continue,
                    None => {
                        count.maybe += u32::from(can_hide_something(process));
                        if !former() {
                            continue;
                        }
                    }
                }
                there.insert(process.key, Known::of(process));
            }
            let goes_on = |key: &ProcessKey| {
                let place = living.binary_search_by_key(key, |process| process.key).ok();
                place.is_some_and(|place| !is_dead(&living[place]))
            };
            for (key, known) in std::mem::take(&mut self.living) {
                // What lives on as something else has not ended.
                if !there.contains_key(&key) && !goes_on(&key) {
                    ends += 1;
                    self.last = Some(known.ended(key, snapshot.at.ts_ms));
                }
            }
            self.living = there;
            count
        });
        if let Some(restarts) = restarts {
            self.pair(snapshot, since_ms, ends, begun, restarts);
        }
        if count.is_some() {
            self.looked_ms = Some(snapshot.at.mono_ms + snapshot.at.suspended_ms);
        }
        count
    }

    /// Finds for each process that began one that ended before it. On the first look nobody began.
    fn pair(
        &mut self,
        snapshot: &Snapshot,
        since_ms: Option<i64>,
        ends: usize,
        mut begun: Vec<Begun>,
        restarts: Restarts,
    ) {
        let at_ms = snapshot.at.mono_ms;
        self.ended.retain(|end| at_ms - end.at_ms < restarts.within_ms);
        self.restarts.retain(|restart_ms| at_ms - restart_ms < restarts.within_ms);
        let Some(since_ms) = since_ms else { return };
        // Nobody saw when within the interval these ended.
        self.ended.extend(std::iter::repeat_n(End { at_ms, after_ms: since_ms }, ends.min(MOST_KEPT)));
        begun.sort_unstable_by_key(|begun| (begun.key.start_ticks, begun.key.pid));
        for begun in begun {
            let former = self.ended.iter().position(|end| began_after(begun.key, end.after_ms));
            if former.and_then(|place| self.ended.remove(place)).is_some() {
                self.restarts.push_back(at_ms);
            }
            // Only now: nobody takes their own place.
            self.ended.extend(begun.ended_ms.map(|after_ms| End { at_ms, after_ms }));
        }
        self.ended.drain(..self.ended.len().saturating_sub(MOST_KEPT));
        self.restarts.drain(..self.restarts.len().saturating_sub(MOST_KEPT));
    }

    fn judge(&self, expect: &Expect, count: Option<Count>) -> Judgement {
        let Some(Count { certain, maybe }) = count else { return Judgement::Unknown };
        let most_there = certain.saturating_add(maybe);
        let restarts = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        let missing = expect.min.filter(|least| most_there < *least);
        let too_often = expect.restarts.filter(|allowed| restarts > allowed.most);
        let too_many = expect.max.filter(|most| certain > *most);
        if let Some(least) = missing {
            Judgement::Broken(Broken::Missing { least }, certain)
        } else if let Some(allowed) = too_often {
            Judgement::Broken(Broken::Restarted(allowed), restarts)
        } else if let Some(most) = too_many {
            Judgement::Broken(Broken::TooMany { most }, certain)
        } else if expect.min.is_some_and(|least| certain < least) || expect.max.is_some_and(|most| most_there > most) {
            Judgement::Unknown
        } else {
            Judgement::AsExpected
        }
    }
}

impl Begun {
    fn living(key: ProcessKey) -> Self {
        Self { key, ended_ms: None }
    }
}

/// Whether a process began later than this many milliseconds after boot. The kernel counts in ticks, and rounds down.
fn began_after(key: ProcessKey, after_ms: i64) -> bool {
    let began_ms = i64::try_from(key.start_ticks.saturating_mul(10)).unwrap_or(i64::MAX);
    began_ms.saturating_add(10) > after_ms
}

/// When a process ended, milliseconds since boot with the time asleep; if only the look without it tells, when it began.
fn ended_ms(exited: &Exited, snapshot: &Snapshot) -> i64 {
    let began_ms = i64::try_from(exited.key.start_ticks.saturating_mul(10)).unwrap_or(i64::MAX);
    let seen = (exited.ts_ms < snapshot.at.ts_ms).then(|| exited.ts_ms - snapshot.at.booted_ms());
    seen.map_or(began_ms, |seen| seen.max(began_ms))
}

/// Whether it only waits for its parent to notice that it is dead: it does nothing that is expected of it any more.
fn is_dead(process: &Process) -> bool {
    matches!(process.state, Some(ProcessState::Zombie | ProcessState::Dead))
}

/// Whether a process of which it is unknown whether it counts may do so. The kernel's own have neither executable nor
/// command line, so nothing is unknown of them.
fn can_hide_something(process: &Process) -> bool {
    let of_kernel = process.key.pid == KERNEL || process.parent == KERNEL;
    let without_command = process.image.command.as_ref().is_some_and(|command| command.text.is_empty());
    !(of_kernel && without_command && process.image.executable.is_none())
}

impl Known {
    fn of(process: &Process) -> Self {
        Self { parent: process.parent, image: process.image.clone(), uid: process.uid }
    }

    fn ended(self, key: ProcessKey, ended_ms: i64) -> Last {
        Last { key, parent: self.parent, image: self.image, uid: self.uid, ended_ms, code: None, signal: None }
    }
}

impl Last {
    fn of(exited: &Exited) -> Self {
        Self {
            key: exited.key,
            parent: exited.parent,
            image: exited.image.clone(),
            uid: exited.uid,
            ended_ms: exited.ts_ms,
            code: exited.code,
            signal: exited.signal,
        }
    }
}

#[cfg(test)]
mod tests;
