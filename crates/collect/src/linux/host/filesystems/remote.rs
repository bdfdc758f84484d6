//! Filesystems whose server may never answer: each is asked on a thread of its own, and nobody waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use rustix::io::Errno;

use super::{Measure, Space, path};

/// After this time without an answer the last value no longer stands.
const DEADLINE_MS: i64 = 5_000;
/// `statvfs` needs little.
const STACK_BYTES: usize = 64 << 10;

/// What is known of a remote filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The last value, at most a deadline older than the last question.
    Space(Space),
    /// It refused.
    Refused(Errno),
    /// It was never answered yet, and there is still time.
    Waiting,
    /// It has not answered within the deadline.
    Hanging,
}

/// All remote filesystems by mount point.
pub(super) struct Remotes {
    measure: Measure,
    by_point: HashMap<Vec<u8>, Remote>,
}

struct Remote {
    asked_ms: i64,
    /// The open question. As long as it is open no second thread is started for this mount point.
    open: Option<Receiver<Result<Space, Errno>>>,
    last: Option<Result<Space, Errno>>,
}

impl Remotes {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure, by_point: HashMap::new() }
    }

    /// Asks for these mount points, except those that still owe an answer, and forgets all others.
    ///
    /// A forgotten question ends by itself when its server answers.
    pub(super) fn ask<'point>(&mut self, points: impl Iterator<Item = &'point [u8]>, mono_ms: i64) {
        let mut kept = HashMap::new();
        for point in points {
            let known = self.by_point.remove(point);
            let mut remote = known.unwrap_or(Remote { asked_ms: mono_ms, open: None, last: None });
            remote.collect();
            if remote.open.is_none() {
                remote.asked_ms = mono_ms;
                remote.open = self.question(point);
            }
            kept.insert(point.to_vec(), remote);
        }
        self.by_point = kept;
    }

    /// What is known of a mount point now.
    pub(super) fn answer(&mut self, point: &[u8], mono_ms: i64) -> Answer {
        let Some(remote) = self.by_point.get_mut(point) else {
            return Answer::Waiting;
        };
        remote.collect();
        let late = remote.open.is_some() && mono_ms - remote.asked_ms >= DEADLINE_MS;
        match remote.last {
            _ if late => Answer::Hanging,
            Some(Ok(space)) => Answer::Space(space),
            Some(Err(errno)) => Answer::Refused(errno),
            None => Answer::Waiting,
        }
    }

    /// `None`: no thread could be started; the next look tries again.
    fn question(&self, point: &[u8]) -> Option<Receiver<Result<Space, Errno>>> {
        let (answer, open) = sync_channel(1);
        let (measure, point) = (Arc::clone(&self.measure), point.to_vec());
        let thread = thread::Builder::new().name("filesystem".to_owned()).stack_size(STACK_BYTES);
        let started = thread.spawn(move || {
            // Nobody listens any more when the filesystem was unmounted meanwhile.
            let _ = answer.send(measure(path(&point)));
        });
        started.is_ok().then_some(open)
    }
}

impl Remote {
    /// Takes the answer, if there is one.
    fn collect(&mut self) {
        match self.open.as_ref().map(Receiver::try_recv) {
            Some(Ok(answer)) => {
                self.last = Some(answer);
                self.open = None;
            }
            Some(Err(TryRecvError::Disconnected)) => self.open = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }
}
