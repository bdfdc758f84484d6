//! The thread of a stage: its end is noticed, and nobody waits for it for ever.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::signals::Handle;

/// How often it is looked whether a stage has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A running stage.
pub struct Stage {
    name: &'static str,
    thread: JoinHandle<()>,
}

/// Ends the wait for events, and with it the watch, when a stage is over: at the end, or by a defect. A watch without one of
/// its stages would look alive and see nothing.
struct Alarm(Handle);

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Stage {
    /// Starts a thread. `events` is closed when it ends.
    pub fn start(name: &'static str, events: &Handle, run: impl FnOnce() + Send + 'static) -> anyhow::Result<Self> {
        let alarm = Alarm(events.clone());
        let builder = std::thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn(move || {
            let _alarm = alarm;
            run();
        });
        Ok(Self { name, thread: thread.with_context(|| format!("cannot start the {name}"))? })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It ended with a defect, or has not ended by then; it is left to itself in that case.
    pub fn join(self, until: Instant) -> anyhow::Result<()> {
        let name = self.name;
        while !self.thread.is_finished() {
            if Instant::now() >= until {
                bail!("the {name} did not end in time; what it had not written is lost");
            }
            std::thread::sleep(LOOK);
        }
        if self.thread.join().is_err() {
            bail!("the {name} ended with a defect; please report it");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::silence;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn a_defect_of_a_stage_ends_the_wait_for_events_and_is_named() {
        let events = silence();
        let stage = Stage::start("broken", &events.handle(), || panic!("on purpose")).unwrap();
        assert_eq!(events.next(), None);
        let error = stage.join(far()).unwrap_err().to_string();
        assert_eq!(error, "the broken ended with a defect; please report it");
    }

    #[test]
    fn a_stage_that_does_not_end_is_left_behind() {
        let events = silence();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let stage = Stage::start("slow", &events.handle(), move || {
            let _ = wait.recv();
        })
        .unwrap();
        let error = stage.join(Instant::now()).unwrap_err().to_string();
        assert!(error.starts_with("the slow did not end in time"), "{error}");
        drop(end);
        let stage = Stage::start("quick", &events.handle(), || ()).unwrap();
        stage.join(far()).unwrap();
    }
}
