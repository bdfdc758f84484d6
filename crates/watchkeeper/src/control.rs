//! The control socket: commands that change or ask the running watch, as lines of JSON over a private Unix socket.
//!
//! One request a connection, one answer. Only the user who runs the watch, and root, are answered.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::health::Report;

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
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Report>),
    /// To [`Request::NotifyTest`]: one line a recipient.
    NotifyTest(Vec<TestResult>),
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

/// Longest request or answer that is read, bytes.
const LONGEST_LINE: u64 = 16 << 20;
/// How long a peer may take to send or take a line.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a command waits for its answer: longer than a whole delivery.
const ANSWER_PATIENCE: Duration = Duration::from_secs(90);

/// Takes requests in a thread of its own until the program ends; the socket file is removed on drop.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
}

impl Server {
    /// Binds the socket, which only the owner can connect to, and answers with `handle`.
    ///
    /// The caller holds the store's lock, so a socket that is already there is left over from a watch that was killed.
    pub fn start<F>(path: PathBuf, handle: F) -> anyhow::Result<Self>
    where
        F: Fn(Request) -> Answer + Send + Sync + 'static,
    {
        let shown = path.display().to_string();
        private_parent(&path)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove the old control socket {shown}"));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&path).with_context(|| format!("cannot make the control socket {shown}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("cannot protect the control socket {shown}"))?;
        let handle = Arc::new(handle);
        std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    let handle = Arc::clone(&handle);
                    // A thread for each caller: a slow one delays nobody. They are few, and each has a deadline.
                    let spawned = std::thread::Builder::new().name("control-call".to_owned()).spawn(move || {
                        if let Err(error) = answer(&stream, handle.as_ref()) {
                            tracing::debug!("control call failed: {error:#}");
                        }
                    });
                    if let Err(error) = spawned {
                        tracing::warn!("cannot answer a control call: {error}");
                    }
                }
            })
            .context("cannot start the control thread")?;
        Ok(Self { path })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The folder of the socket must be ours and closed to others. The state folder already is; a folder in the runtime
/// directory is made so.
fn private_parent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().context("the control socket has no folder")?;
    let shown = parent.display();
    if !parent.exists() {
        fs::DirBuilder::new().mode(0o700).create(parent).with_context(|| format!("cannot make {shown}"))?;
    }
    let metadata = fs::symlink_metadata(parent).with_context(|| format!("cannot look at {shown}"))?;
    let own = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if !own || metadata.mode() & 0o077 != 0 {
        anyhow::bail!("{shown} is not a private folder of this user, so the control socket cannot be there; remove it");
    }
    Ok(())
}

fn answer(stream: &UnixStream, handle: &dyn Fn(Request) -> Answer) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = rustix::net::sockopt::socket_peercred(stream).context("who is calling?")?;
    let answer = if peer.uid.is_root() || peer.uid == rustix::process::geteuid() {
        let mut line = String::new();
        BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(request) => handle(request),
            Err(error) => Answer::Error(format!("the running watch does not understand this request: {error}")),
        }
    } else {
        Answer::Error("only the user who runs the watch, and root, are answered".to_owned())
    };
    let mut line = serde_json::to_string(&answer)?;
    line.push('\n');
    let mut writer = stream;
    writer.write_all(line.as_bytes())?;
    Ok(())
}

/// Asks the running watch. `None` if no watch answers at this socket.
pub fn ask(socket: &Path, request: &Request) -> anyhow::Result<Option<Answer>> {
    let stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot reach the running watch at {}", socket.display()));
        }
    };
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    let mut writer = &stream;
    writer.write_all(line.as_bytes()).context("the running watch did not take the request")?;
    let mut reply = String::new();
    BufReader::new((&stream).take(LONGEST_LINE))
        .read_line(&mut reply)
        .context("the running watch did not answer in time")?;
    let answer =
        serde_json::from_str(&reply).context("the running watch answered something else; is it another version?")?;
    Ok(Some(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        folder
    }

    #[test]
    fn a_request_is_answered_over_a_private_socket() {
        let folder = folder();
        let path = folder.path().join("control.sock");
        let _server = Server::start(path.clone(), |request| Answer::Error(format!("{request:?}"))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let answer = ask(&path, &Request::Status).unwrap();
        assert!(matches!(answer, Some(Answer::Error(text)) if text == "Status"));
    }

    #[test]
    fn a_line_that_is_no_request_gets_an_error() {
        let folder = folder();
        let path = folder.path().join("control.sock");
        let _server = Server::start(path.clone(), |_| Answer::Error("handled".to_owned())).unwrap();
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"{\"reboot\":{}}\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.contains("does not understand"), "{reply}");
    }

    #[test]
    fn nobody_at_the_socket_is_no_error() {
        let folder = folder();
        let path = folder.path().join("control.sock");
        assert!(ask(&path, &Request::Status).unwrap().is_none());
        drop(UnixListener::bind(&path).unwrap());
        assert!(ask(&path, &Request::Status).unwrap().is_none());
    }

    #[test]
    fn an_open_folder_is_refused() {
        let folder = folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let refused = Server::start(folder.path().join("control.sock"), |_| Answer::Error(String::new()));
        assert!(refused.unwrap_err().to_string().contains("private folder"));
    }
}
