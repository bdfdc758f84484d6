//! The screen of a recording: blocks on standard output, a progress bar and what is not as it should be on standard error.
//!
//! A thread of its own writes, so that a paused terminal or a pipe that nobody reads delays no look at the machine; it alone
//! touches the bar, which makes room for each text and comes back below it.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::duration;

/// Texts that wait while standard output takes none.
const MOST_WAITING: usize = 256;
/// How often the bar moves.
const STEP: Duration = Duration::from_millis(500);
/// How long somebody who ended the recording waits for a terminal that takes no text.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where a recording says how it goes.
#[derive(Debug)]
pub struct Screen {
    texts: SyncSender<Text>,
    is_done: Receiver<()>,
}

#[derive(Debug)]
enum Text {
    Print(String),
    Complain(String),
    Bar(Progress),
}

/// What the bar shows.
#[derive(Clone, Debug)]
enum Progress {
    /// A recording that began at this time and takes so long; 0 is without end.
    Recording(Instant, Span),
    /// Something that takes as long as it takes.
    Work(String),
}

impl Screen {
    /// Nothing is shown yet; a bar comes only where a terminal looks on.
    pub fn open() -> anyhow::Result<Self> {
        let (texts, waiting) = sync_channel(MOST_WAITING);
        let (done, is_done) = sync_channel(1);
        std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                write(&waiting);
                let _ = done.send(());
            })
            .context("cannot start a thread for the screen")?;
        Ok(Self { texts, is_done })
    }

    /// Whether standard output shows colours: a terminal looks on and `NO_COLOR` is not set.
    pub fn has_colour() -> bool {
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Prints lines, soon. What finds no room is left out: it is in the workbook.
    pub fn print(&self, text: String) {
        let _ = self.texts.try_send(Text::Print(text));
    }

    /// Says what did not work.
    pub fn complain(&self, text: impl Into<String>) {
        let _ = self.texts.try_send(Text::Complain(text.into()));
    }

    /// Shows how far a recording is that begins now; a duration of 0 is without end.
    pub fn begin(&self, length: Span) {
        let _ = self.texts.try_send(Text::Bar(Progress::Recording(Instant::now(), length)));
    }

    /// Shows that something else is being done.
    pub fn work(&self, what: impl Into<String>) {
        let _ = self.texts.try_send(Text::Bar(Progress::Work(what.into())));
    }

    /// Writes everything that waits and takes the bar away. Whoever is in a hurry does not wait for a terminal that takes
    /// nothing.
    pub fn close(self, is_in_a_hurry: bool) {
        drop(self.texts);
        let _ = if is_in_a_hurry { self.is_done.recv_timeout(LAST_WORDS).ok() } else { self.is_done.recv().ok() };
    }
}

/// Writes until nobody has anything to say.
fn write(texts: &Receiver<Text>) {
    let mut bar = Bar::default();
    let mut has_complained = false;
    loop {
        match texts.recv_timeout(bar.step()) {
            Ok(Text::Print(text)) => {
                let written = bar.make_room(|| {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
                });
                // A reader who has seen enough (`| head`) is no trouble.
                if let Err(error) = written
                    && error.kind() != io::ErrorKind::BrokenPipe
                    && !std::mem::replace(&mut has_complained, true)
                {
                    bar.make_room(|| crate::command::complain(&format!("cannot write to standard output: {error}")));
                }
            }
            Ok(Text::Complain(text)) => bar.make_room(|| crate::command::complain(&text)),
            Ok(Text::Bar(progress)) => bar.show(progress),
            Err(RecvTimeoutError::Timeout) => bar.draw(),
            Err(RecvTimeoutError::Disconnected) => return bar.remove(),
        }
    }
}

/// The progress bar, if there is one.
#[derive(Debug, Default)]
struct Bar(Option<(ProgressBar, Progress)>);

impl Bar {
    /// How long to wait for texts before the bar has to be drawn again.
    fn step(&self) -> Duration {
        if self.0.is_some() { STEP } else { Duration::from_hours(1) }
    }

    fn make_room<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some((bar, _)) => bar.suspend(write),
            None => write(),
        }
    }

    fn show(&mut self, progress: Progress) {
        self.remove();
        if !io::stderr().is_terminal() {
            return;
        }
        let (length_ms, template) = match &progress {
            Progress::Recording(_, length) if length.ms() > 0 => (Some(length.ms() as u64), "[{bar:24}] {wide_msg}"),
            _ => (None, "{spinner} {wide_msg}"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(length_ms, ProgressDrawTarget::stderr());
        bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\|"));
        self.0 = Some((bar, progress));
        self.draw();
    }

    fn draw(&self) {
        let Some((bar, progress)) = &self.0 else { return };
        match progress {
            Progress::Recording(began, length) => {
                let elapsed_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
                bar.set_message(words(elapsed_ms, *length));
                bar.set_position(elapsed_ms as u64);
            }
            Progress::Work(what) => bar.set_message(what.clone()),
        }
        bar.tick();
    }

    fn remove(&mut self) {
        if let Some((bar, _)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

/// How far a recording is.
fn words(elapsed_ms: i64, length: Span) -> String {
    // Whole seconds: tenths would only flicker.
    let seconds = |ms: i64| if ms < 10_000 { format!("{} s", ms / 1_000) } else { duration(ms / 1_000 * 1_000) };
    if length.ms() == 0 {
        return format!("recording for {}; Ctrl+C ends it and saves", seconds(elapsed_ms));
    }
    let elapsed_ms = elapsed_ms.min(length.ms());
    let left = seconds((length.ms() - elapsed_ms + 999) / 1_000 * 1_000);
    format!("{} of {}, {left} left; Ctrl+C ends it and saves", seconds(elapsed_ms), seconds(length.ms()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_what_is_over_and_what_is_left() {
        for (elapsed_ms, length_ms, expected) in [
            (0, 60_000, "0 s of 1 m, 1 m left"),
            (25_400, 60_000, "25 s of 1 m, 35 s left"),
            (59_999, 60_000, "59 s of 1 m, 1 s left"),
            (75_000, 60_000, "1 m of 1 m, 0 s left"),
            (9_999, 3_600_000, "9 s of 1 h 0 m, 59 m 51 s left"),
            (90_500, 0, "recording for 1 m 30 s"),
        ] {
            let words = words(elapsed_ms, Span::from_ms(length_ms));
            assert_eq!(words, format!("{expected}; Ctrl+C ends it and saves"));
        }
    }
}
