//! The progress bar of a recording, where a terminal looks on.

use std::io;
use std::time::{Duration, Instant};

use console::{Term, is_dumb};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::duration;

/// How often the bar moves.
const STEP: Duration = Duration::from_millis(500);

/// What the bar shows.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A recording that began at this time and takes so long; 0 is without end.
    Recording(Instant, Span),
    /// Something that takes as long as it takes.
    Work(String),
}

/// The progress bar, if there is one.
#[derive(Debug, Default)]
pub struct Bar(Option<(ProgressBar, Progress)>);

impl Bar {
    /// How long to wait for texts before the bar has to be drawn again.
    pub fn step(&self) -> Duration {
        if self.0.is_some() { STEP } else { Duration::from_hours(1) }
    }

    /// Writes something where the bar is, and puts the bar below.
    pub fn make_room<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some((bar, _)) => bar.suspend(write),
            None => write(),
        }
    }

    /// Shows something else; only where a terminal looks on.
    pub fn show(&mut self, progress: Progress) {
        self.remove();
        if !Term::stderr().is_term() || is_dumb() {
            return;
        }
        let (length_ms, template) = match &progress {
            Progress::Recording(_, length) if length.ms() > 0 => (Some(length.ms() as u64), "[{bar:24}] {msg}"),
            _ => (None, "{spinner} {msg}"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(
            length_ms,
            ProgressDrawTarget::term_like(Box::new(Terminal(Term::buffered_stderr()))),
        );
        bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\|"));
        self.0 = Some((bar, progress));
        self.draw();
    }

    /// Shows how far it is now.
    pub fn draw(&self) {
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

    /// Takes the bar away.
    pub fn remove(&mut self) {
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

/// A terminal whose last line the bar does not fill. The library does fill it, and what a user types then stands in the
/// line below: after Ctrl+C, which shows as `^C`, the wrong line would be cleared.
#[derive(Debug)]
struct Terminal(Term);

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.0.move_cursor_up(count)
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.0.move_cursor_down(count)
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.0.move_cursor_right(count)
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.0.move_cursor_left(count)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.chars().all(|c| c == ' ') { Ok(()) } else { self.0.write_str(text) }
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
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
