//! The queue in front of a stage: bounded, and honest about what it had to drop.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use watchkeeper_core::Snapshot;
use watchkeeper_core::snapshot::TickFlags;

/// Ticks that may wait in front of a stage.
pub const CAPACITY: usize = 16;

/// Ticks that were lost in front of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// How many.
    pub ticks: u32,
    /// Time of the first one, milliseconds UTC.
    pub from_ms: i64,
    /// Time of the last one, milliseconds UTC.
    pub to_ms: i64,
}

/// What a stage finds in its mailbox.
#[derive(Debug)]
pub enum Mail<C> {
    /// A tick, with what was lost before it; its own `dropped` and flags say so too.
    Tick(Arc<Snapshot>, Option<Dropped>),
    /// Something else to do; never dropped.
    Command(C),
}

#[derive(Debug)]
struct Inside<C> {
    ticks: VecDeque<Arc<Snapshot>>,
    commands: VecDeque<C>,
    dropped: Option<Dropped>,
    dropped_total: u64,
    closed: bool,
}

/// A mailbox of [`CAPACITY`] ticks and any number of commands. Commands come before ticks.
#[derive(Debug)]
pub struct Mailbox<C> {
    inside: Mutex<Inside<C>>,
    filled: Condvar,
}

impl<C> Default for Mailbox<C> {
    fn default() -> Self {
        let inside = Inside {
            ticks: VecDeque::with_capacity(CAPACITY),
            commands: VecDeque::new(),
            dropped: None,
            dropped_total: 0,
            closed: false,
        };
        Self { inside: Mutex::new(inside), filled: Condvar::new() }
    }
}

impl<C> Mailbox<C> {
    fn lock(&self) -> MutexGuard<'_, Inside<C>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a tick in; when the mailbox is full the oldest one is lost and counted.
    pub fn put(&self, snapshot: Arc<Snapshot>) {
        let mut inside = self.lock();
        if inside.closed {
            return;
        }
        if inside.ticks.len() >= CAPACITY
            && let Some(lost) = inside.ticks.pop_front()
        {
            let ts_ms = lost.at.ts_ms;
            let dropped = inside.dropped.get_or_insert(Dropped { ticks: 0, from_ms: ts_ms, to_ms: ts_ms });
            dropped.ticks = dropped.ticks.saturating_add(1);
            dropped.to_ms = ts_ms;
            inside.dropped_total += 1;
        }
        inside.ticks.push_back(snapshot);
        self.filled.notify_one();
    }

    /// Puts a command in. Says whether anybody will still read it.
    pub fn command(&self, command: C) -> bool {
        let mut inside = self.lock();
        if inside.closed {
            return false;
        }
        inside.commands.push_back(command);
        self.filled.notify_one();
        true
    }

    /// No more is taken in; what is inside can still be taken out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// The next thing to do. `None` after `timeout` without one, or when the mailbox is closed and empty;
    /// [`Mailbox::is_over`] tells which.
    pub fn take(&self, timeout: Duration) -> Option<Mail<C>> {
        let until = Instant::now() + timeout;
        let mut inside = self.lock();
        loop {
            if let Some(command) = inside.commands.pop_front() {
                return Some(Mail::Command(command));
            }
            if let Some(mut snapshot) = inside.ticks.pop_front() {
                let dropped = inside.dropped.take();
                if let Some(dropped) = dropped {
                    let marked = Arc::make_mut(&mut snapshot);
                    marked.dropped = marked.dropped.saturating_add(dropped.ticks);
                    marked.flags = marked.flags.with(TickFlags::DROPPED);
                }
                return Some(Mail::Tick(snapshot, dropped));
            }
            let left = until.saturating_duration_since(Instant::now());
            if inside.closed || left.is_zero() {
                return None;
            }
            inside = self.filled.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Closed, and nothing left inside.
    pub fn is_over(&self) -> bool {
        let inside = self.lock();
        inside.closed && inside.ticks.is_empty() && inside.commands.is_empty()
    }

    /// Ticks lost here since the start.
    pub fn dropped_total(&self) -> u64 {
        self.lock().dropped_total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_core::{BootId, Moment};

    fn tick(ts_ms: i64) -> Arc<Snapshot> {
        let at = Moment { ts_ms, mono_ms: ts_ms, suspended_ms: 0, boot: BootId::default() };
        Arc::new(Snapshot::unknown(at, 1_000))
    }

    #[test]
    fn a_full_mailbox_loses_the_oldest_ticks_and_the_next_one_carries_their_number() {
        let mailbox: Mailbox<()> = Mailbox::default();
        for ts_ms in 0..CAPACITY as i64 + 3 {
            mailbox.put(tick(ts_ms));
        }
        let Some(Mail::Tick(first, dropped)) = mailbox.take(Duration::ZERO) else { panic!("a tick") };
        assert_eq!(first.at.ts_ms, 3);
        assert_eq!(first.dropped, 3);
        assert!(first.flags.has(TickFlags::DROPPED));
        assert_eq!(dropped, Some(Dropped { ticks: 3, from_ms: 0, to_ms: 2 }));
        let Some(Mail::Tick(second, dropped)) = mailbox.take(Duration::ZERO) else { panic!("a tick") };
        assert_eq!((second.at.ts_ms, second.dropped, dropped), (4, 0, None));
        assert_eq!(mailbox.dropped_total(), 3);
    }

    #[test]
    fn commands_overtake_ticks_and_are_never_lost() {
        let mailbox = Mailbox::default();
        mailbox.put(tick(1));
        for number in 0..100 {
            assert!(mailbox.command(number));
        }
        for number in 0..100 {
            assert!(matches!(mailbox.take(Duration::ZERO), Some(Mail::Command(n)) if n == number));
        }
        assert!(matches!(mailbox.take(Duration::ZERO), Some(Mail::Tick(..))));
    }

    #[test]
    fn a_closed_mailbox_drains_and_is_over() {
        let mailbox: Mailbox<()> = Mailbox::default();
        mailbox.put(tick(1));
        mailbox.close();
        mailbox.put(tick(2));
        assert!(!mailbox.command(()));
        assert!(!mailbox.is_over());
        assert!(matches!(mailbox.take(Duration::from_mins(1)), Some(Mail::Tick(..))));
        assert!(mailbox.take(Duration::from_mins(1)).is_none());
        assert!(mailbox.is_over());
    }
}
