//! A sign of life on work that takes a while, when a terminal looks on.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work shorter than this shows nothing.
const NOTICEABLE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(100);

/// Shows what is being done, and for how long, until it is dropped.
pub struct Progress {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins; `what` is safe to show. Where no terminal looks on, indicatif draws nothing.
    pub fn begin(what: String) -> Self {
        let (end, ended) = channel::<()>();
        let show = move || {
            if ended.recv_timeout(NOTICEABLE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("the template is right");
            bar.set_style(style);
            bar.set_message(what);
            while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                bar.tick();
            }
            bar.finish_and_clear();
        };
        // Without a thread nothing is shown; the work goes on.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(show).ok();
        Self { end: Some(end), thread }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The thread ends when the sender is gone, and it has to have cleared its line before the answer is printed.
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
