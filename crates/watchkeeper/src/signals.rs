//! What ends a command that runs on: Ctrl+C, and what supervisors send.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Knows whether the command is to end. From the first Ctrl+C on; a second one ends the program at once.
#[derive(Clone, Debug)]
pub struct Ending(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_ending: Mutex<bool>,
    changed: Condvar,
}

impl Ending {
    /// Catches Ctrl+C and SIGTERM from now on.
    pub fn catch() -> io::Result<Self> {
        let ending = Self(Arc::default());
        let is_ending = Arc::new(std::sync::atomic::AtomicBool::new(false));
        // In this order: the first signal finds that it is not ending yet.
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&is_ending))?;
            signal_hook::flag::register(signal, Arc::clone(&is_ending))?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let told = ending.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            if signals.forever().next().is_some() {
                told.end();
            }
        })?;
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
mod tests {
    use super::*;
    use std::time::Duration;

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
}
