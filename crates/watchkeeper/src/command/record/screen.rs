//! The screen of a recording: blocks on standard output, a progress bar and what is not as it should be on standard error.
//!
//! A thread of its own writes, so that a paused terminal or a pipe that nobody reads delays no look at the machine; it alone
//! touches the bar, which makes room for each text and comes back below it.

mod bar;

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use watchkeeper_core::quantity::Span;

use self::bar::{Bar, Progress};

/// Texts that wait while standard output takes none.
const MOST_WAITING: usize = 256;
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
