//! The control socket as a named pipe of Windows. Pipes have no folder: this one is named after that of the store.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use interprocess::os::windows::ToWtf16;
use interprocess::os::windows::named_pipe::PipeListenerOptions;
use interprocess::os::windows::named_pipe::pipe_mode::Bytes;
use interprocess::os::windows::named_pipe::tokio::{DuplexPipeStream, PipeListener};
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::windows::named_pipe::ClientOptions;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Who may open the pipe: its owner, SYSTEM and Administrators; nothing is inherited. A watch that was started with
/// raised rights is owned by Administrators.
const ACCESS: &str = "D:P(A;;GA;;;OW)(A;;GA;;;SY)(A;;GA;;;BA)";
/// Windows' word for a pipe whose instances are all taken; there will be another in a moment.
const PIPE_BUSY: i32 = 231;
/// How long such a moment may take.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Bytes that wait in the pipe at either end.
const BUFFER_BYTES: u32 = 64 << 10;

/// Waits for callers. Its runtime moves the bytes; all waiting is done by the threads that ask for them.
pub(super) struct Listener {
    pipe: PipeListener<Bytes, Bytes>,
    runtime: Arc<Runtime>,
}

/// Both ends of a pipe are read and written in the same way.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection, at either end.
pub(super) struct Call {
    // Goes before the runtime that it needs.
    stream: Box<dyn Stream>,
    runtime: Arc<Runtime>,
}

/// The name is made from the folder as it really is, in one spelling: names differ by more than case.
pub(super) fn address(state_folder: &Path) -> PathBuf {
    let real = state_folder.canonicalize().unwrap_or_else(|_| state_folder.to_owned());
    // FNV-1a, because it is the same in every version of this program.
    let name = real.to_string_lossy().to_lowercase();
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    PathBuf::from(format!(r"\\.\pipe\watchkeeper-{hash:016x}"))
}

/// The name of the user who runs this program.
pub(super) fn own_name() -> String {
    std::env::var("USERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

/// A pipe goes with the program that made it.
pub(super) fn remove(_path: &Path) {}

/// Calls the watch. `None` if nobody listens. Whoever answers learns who calls, and cannot act in their name.
pub(super) fn connect(path: &Path) -> io::Result<Option<Call>> {
    let runtime = Arc::new(Builder::new_current_thread().enable_all().build()?);
    let until = Instant::now() + BUSY_PATIENCE;
    let entered = runtime.enter();
    let client = loop {
        match ClientOptions::new().open(path) {
            Ok(client) => break client,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) && Instant::now() < until => {
                std::thread::sleep(BUSY_PAUSE);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let sentence =
                    "access is denied; the watch runs as another user or as an administrator, ask as that one";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, sentence));
            }
            Err(error) => return Err(error),
        }
    };
    drop(entered);
    Ok(Some(Call { stream: Box::new(client), runtime }))
}

impl Listener {
    /// A pipe that only its owner, SYSTEM and Administrators of this machine can open, and the first of its name: nobody
    /// else answers for us.
    pub(super) fn bind(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("control-io").enable_all().build();
        let runtime = Arc::new(runtime.context("cannot start the control thread")?);
        let access = ACCESS.to_wtf_16().map_err(io::Error::other);
        let access = access.and_then(|access| SecurityDescriptor::deserialize(&access));
        let access = access.with_context(|| format!("cannot protect the control pipe {shown}"))?;
        let entered = runtime.enter();
        let pipe = PipeListenerOptions::new()
            .path(path)
            .security_descriptor(Some(access))
            .accept_remote(false)
            .input_buffer_size_hint(BUFFER_BYTES)
            .output_buffer_size_hint(BUFFER_BYTES)
            .create_tokio_duplex::<Bytes>()
            .with_context(|| {
                format!("cannot make the control pipe {shown}; somebody else may have one of this name")
            })?;
        drop(entered);
        Ok(Self { pipe, runtime })
    }

    /// Waits for the next caller.
    pub(super) fn accept(&self) -> io::Result<Call> {
        let stream: DuplexPipeStream<Bytes> = self.runtime.block_on(self.pipe.accept())?;
        Ok(Call { stream: Box::new(stream), runtime: Arc::clone(&self.runtime) })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Call {
    /// Windows has asked who it is before it let them in.
    #[expect(clippy::unnecessary_wraps, reason = "other systems have to ask")]
    pub(super) fn is_trusted(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// The name of the user who calls: only the owner of the pipe and administrators can, and the pipe does not say
    /// which of them it is.
    pub(super) fn caller_name(&self) -> String {
        own_name()
    }

    /// Reads some bytes, none at the end of the stream.
    pub(super) fn receive(&mut self, part: &mut [u8], patience: Duration) -> io::Result<usize> {
        let stream = &mut self.stream;
        let read = self.runtime.block_on(async { timeout(patience, stream.read(part)).await });
        match read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))? {
            // Whoever is at the other end has gone.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            other => other,
        }
    }

    /// Sends all of it, and waits until it was taken: what is still in a pipe when its end closes is lost.
    pub(super) fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        let stream = &mut self.stream;
        let all = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        self.runtime.block_on(async { timeout(patience, all).await }).map_err(|_| io::ErrorKind::TimedOut)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_named_after_the_folder_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let name = address(folder.path());
        assert!(name.to_string_lossy().starts_with(r"\\.\pipe\watchkeeper-"), "{}", name.display());
        let loud = PathBuf::from(folder.path().to_string_lossy().to_uppercase());
        assert_eq!(address(&loud), name);
        assert_eq!(address(&folder.path().join(".")), name);
        assert_ne!(address(&folder.path().join("other")), name);
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = address(folder.path());
        let _first = Listener::bind(&path).unwrap();
        if std::env::var_os("WINEPREFIX").is_some() {
            return; // Wine 8 lets a name be taken twice.
        }
        let refused = Listener::bind(&path).unwrap_err();
        assert!(format!("{refused:#}").contains("somebody else may have one of this name"), "{refused:#}");
    }
}
