//! What ends the program from outside, and what makes the watch reload: signals on Unix systems, events of the console and
//! of the session on Windows.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;

/// What the watch is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// End cleanly.
    End,
    /// Take on the configuration anew. Never on Windows.
    Reload,
    /// The files of the configuration changed.
    Changed,
}

/// Who catches signals: what a second one does while the first one is obeyed is not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The watch: a second Ctrl+C ends it at once. A second SIGTERM does not: supervisors send it twice (to a process and
    /// to its group), and the end has its deadline.
    Watch,
    /// A command in the foreground: whatever comes second ends it at once. SIGHUP means nothing to it and ends it.
    Command,
}

/// What comes from outside while the watch runs.
#[derive(Debug)]
pub struct Events {
    told: Receiver<Option<Event>>,
    handle: Handle,
}

/// Ends the wait for events from inside, or tells one.
#[derive(Clone, Debug)]
pub struct Handle(Sender<Option<Event>>);

impl Events {
    /// Catches what ends the watch and what makes it reload, from now on. While it ends, Ctrl+C ends it at once, whatever
    /// it is busy with.
    pub fn catch() -> io::Result<Self> {
        let events = Self::within();
        let tell = events.handle.0.clone();
        system::catch(Caller::Watch, move |event| {
            // Nobody listens any more when the watch has ended.
            let _ = tell.send(Some(event));
        })?;
        Ok(events)
    }

    /// Nothing from outside.
    fn within() -> Self {
        let (tell, told) = channel();
        Self { told, handle: Handle(tell) }
    }

    /// What ends the wait from inside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits for what comes next; `None` once it was closed from inside.
    pub fn next(&self) -> Option<Event> {
        self.told.recv().ok().flatten()
    }
}

impl Handle {
    /// Ends the wait.
    pub fn close(&self) {
        let _ = self.0.send(None);
    }

    /// Tells that the files of the configuration changed; `false` if nobody listens any more.
    pub fn changed(&self) -> bool {
        self.0.send(Some(Event::Changed)).is_ok()
    }
}

/// Knows whether a command in the foreground is to end. From the first Ctrl+C on; a second one ends the program at once.
#[derive(Clone, Debug)]
pub struct Ending(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_ending: Mutex<bool>,
    changed: Condvar,
}

impl Ending {
    /// Catches Ctrl+C and what supervisors send from now on.
    pub fn catch() -> io::Result<Self> {
        let ending = Self(Arc::default());
        let told = ending.clone();
        system::catch(Caller::Command, move |_| told.end())?;
        Ok(ending)
    }

    /// Ends it from inside.
    pub fn end(&self) {
        *self.0.is_ending.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }

    /// Whether it is to end.
    pub fn is_ending(&self) -> bool {
        *self.0.is_ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `due`, or until it is to end; says whether it is to end.
    pub fn wait(&self, due: Instant) -> bool {
        let mut is_ending = self.0.is_ending.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if *is_ending || left.is_zero() {
                return *is_ending;
            }
            is_ending = self.0.changed.wait_timeout(is_ending, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::time::Duration;

    /// Events that only a test tells.
    pub fn silence() -> Events {
        Events::within()
    }

    #[test]
    fn a_wait_ends_when_it_is_due_or_told_to() {
        let ending = Ending(Arc::default());
        assert!(!ending.wait(Instant::now()));
        let told = ending.clone();
        let thread = std::thread::spawn(move || told.end());
        assert!(ending.wait(Instant::now() + Duration::from_hours(1)));
        assert!(ending.is_ending());
        thread.join().unwrap();
    }

    #[test]
    fn events_come_in_their_order_until_they_are_closed_from_inside() {
        let events = silence();
        for event in [Event::Reload, Event::End] {
            events.handle.0.send(Some(event)).unwrap();
        }
        assert!(events.handle().changed());
        events.handle().close();
        let next = || events.next();
        assert_eq!(
            [next(), next(), next(), next()],
            [Some(Event::Reload), Some(Event::End), Some(Event::Changed), None]
        );
        let handle = events.handle();
        drop(events);
        assert!(!handle.changed(), "nobody listens");
    }
}
