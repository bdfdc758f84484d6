//! The control socket: commands that change or ask the running watch, as lines of JSON over a private Unix socket, or a
//! private named pipe on Windows.
//!
//! One request a connection, one answer. Only the user who runs the watch, and root, are answered; on Windows SYSTEM and
//! Administrators.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;
use crate::health::Report;
use system::{Call, Listener};
use watchkeeper_core::{Silence, Ticket};
use watchkeeper_store::{Acknowledged, Unsilenced};

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How are you?
    Status,
    /// Send a test message through a channel.
    NotifyTest {
        /// Name of the channel.
        channel: String,
        /// To whom; the recipients of the channel's routes when empty.
        to: Vec<String>,
    },
    /// Somebody takes incidents on.
    Acknowledge(Acknowledge),
    /// Somebody wants no messages about some incidents for a while.
    Silence(NewSilence),
    /// Somebody wants them again.
    Unsilence {
        /// Number of the silence.
        number: i64,
    },
}

/// Which messages are to wait, until when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    /// A condition in the language of routes.
    pub matcher: String,
    /// When it ends, milliseconds UTC.
    pub ends_ms: i64,
    /// Why.
    pub comment: String,
    /// Who; the user who calls if absent.
    pub by: Option<String>,
}

/// Who takes which incidents on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Their numbers.
    pub tickets: Vec<Ticket>,
    /// Who; the user who calls if absent.
    pub by: Option<String>,
    /// Until when, milliseconds UTC; until the incident is over if absent.
    pub until_ms: Option<i64>,
    /// What they have to say.
    pub note: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Report>),
    /// To [`Request::NotifyTest`]: one line a recipient.
    NotifyTest(Vec<TestResult>),
    /// To [`Request::Acknowledge`]: under which name, and one result a ticket, in the order of the request.
    Acknowledged {
        /// Who it was.
        by: String,
        /// What became of each.
        results: Vec<(Ticket, Acknowledged)>,
    },
    /// To [`Request::Silence`]: as it is in force now.
    Silenced(Silence),
    /// To [`Request::Unsilence`].
    Unsilenced(Unsilenced),
    /// It could not be done.
    Error(String),
}

/// What became of one test message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// To whom.
    pub recipient: String,
    /// The peer has accepted it.
    pub accepted: bool,
    /// The peer's words, or why there are none.
    pub text: String,
}

/// Longest request that is read, bytes.
const LONGEST_REQUEST: usize = 64 << 10;
/// Longest answer that is read, bytes.
const LONGEST_ANSWER: usize = 16 << 20;
/// How long a caller may take to send its request, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long accepting pauses after it has failed: out of file handles, it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Calls that are answered at the same time.
const MOST_CALLS: usize = 32;

impl Request {
    /// How long the caller waits for the answer: longer than the watch takes to give one.
    fn patience(&self) -> Duration {
        match self {
            Self::Status => Duration::from_secs(10),
            // The state database may be busy with another's transaction.
            Self::Acknowledge(_) | Self::Silence(_) | Self::Unsilence { .. } => Duration::from_secs(30),
            Self::NotifyTest { .. } => Duration::from_secs(90),
        }
    }
}

/// Where the watch of the store in this folder is asked: a socket in it, on Windows a pipe named after it.
pub fn address(state_folder: &Path) -> PathBuf {
    system::address(state_folder)
}

/// The name of the user who runs this program.
pub fn own_name() -> String {
    system::own_name()
}

/// The control socket. Callers wait until [`Server::serve`] begins; a socket file is removed on drop.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: Option<Listener>,
}

impl Server {
    /// Binds the socket, which only the owner can connect to.
    ///
    /// The caller has opened the store around it: its folder is private, and because its lock is held, a socket that is
    /// already there is left over from a watch that was killed.
    pub fn bind(path: PathBuf) -> anyhow::Result<Self> {
        let listener = Listener::bind(&path)?;
        Ok(Self { path, listener: Some(listener) })
    }

    /// Answers every request with `handle`, which is told the name of the user who asks, in threads that end with the program.
    pub fn serve<F>(&mut self, handle: F) -> anyhow::Result<()>
    where
        F: Fn(Request, &str) -> Answer + Send + Sync + 'static,
    {
        let Some(listener) = self.listener.take() else { return Ok(()) };
        let thread = std::thread::Builder::new().name("control".to_owned());
        thread.spawn(move || accept(&listener, &Arc::new(handle))).context("cannot start the control thread")?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        system::remove(&self.path);
    }
}

/// A thread for each caller: a slow one delays nobody.
fn accept<F>(listener: &Listener, handle: &Arc<F>)
where
    F: Fn(Request, &str) -> Answer + Send + Sync + 'static,
{
    let calls = Arc::new(());
    loop {
        let mut caller = match listener.accept() {
            Ok(caller) => caller,
            Err(error) => {
                tracing::warn!("cannot take a control call: {error}");
                std::thread::sleep(ACCEPT_PAUSE);
                continue;
            }
        };
        if Arc::strong_count(&calls) > MOST_CALLS {
            tracing::warn!("a control call was turned away: {MOST_CALLS} are being answered");
            continue;
        }
        let (handle, call) = (Arc::clone(handle), Arc::clone(&calls));
        let spawned = std::thread::Builder::new().name("control-call".to_owned()).spawn(move || {
            if let Err(error) = answer(&mut caller, handle.as_ref()) {
                tracing::debug!("control call failed: {error:#}");
            }
            drop(call);
        });
        if let Err(error) = spawned {
            tracing::warn!("cannot answer a control call: {error}");
        }
    }
}

fn answer(caller: &mut Call, handle: &dyn Fn(Request, &str) -> Answer) -> anyhow::Result<()> {
    let answer = if caller.is_trusted().context("who is calling?")? {
        match serde_json::from_slice(&read_line(caller, LONGEST_REQUEST, Instant::now() + PATIENCE)?) {
            Ok(request) => handle(request, &caller.caller_name()),
            Err(error) => Answer::Error(format!("the running watch does not understand this request: {error}")),
        }
    } else {
        Answer::Error("only the user who runs the watch, and root, are answered".to_owned())
    };
    write_line(caller, &answer)
}

fn write_line(call: &mut Call, line: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    call.send(&line, PATIENCE)?;
    Ok(())
}

/// Reads to the end of the line or of the stream. The deadline is for all of it: a byte now and then does not extend it.
fn read_line(call: &mut Call, longest: usize, until: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut part = [0; 4_096];
    while line.len() <= longest {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match call.receive(&mut part, left) {
            Ok(0) => return Ok(line),
            Ok(count) => {
                line.extend_from_slice(&part[..count]);
                if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                    line.truncate(end);
                    return Ok(line);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"))
}

/// Asks the running watch. `None` if no watch answers at this socket.
pub fn ask(socket: &Path, request: &Request) -> anyhow::Result<Option<Answer>> {
    let connected = system::connect(socket);
    let reached = connected.with_context(|| format!("cannot reach the running watch at {}", socket.display()))?;
    let Some(mut call) = reached else { return Ok(None) };
    write_line(&mut call, request).context("the running watch did not take the request")?;
    let reply = read_line(&mut call, LONGEST_ANSWER, Instant::now() + request.patience())
        .context("the running watch did not answer")?;
    if reply.is_empty() {
        anyhow::bail!("the running watch did not answer; it has just ended, or is answering many others");
    }
    let answer =
        serde_json::from_slice(&reply).context("the running watch answered something else; is it another version?")?;
    Ok(Some(answer))
}

#[cfg(test)]
mod tests;
