//! The control socket as a Unix socket in the private folder of the store.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

/// Waits for callers.
#[derive(Debug)]
pub(super) struct Listener(UnixListener);

/// One connection, at either end.
#[derive(Debug)]
pub(super) struct Call(UnixStream);

pub(super) fn address(state_folder: &Path) -> PathBuf {
    state_folder.join("control.sock")
}

/// The name of the user who runs this program.
pub(super) fn own_name() -> String {
    name_of(rustix::process::geteuid().as_raw())
}

/// A user without a name has a number.
fn name_of(uid: u32) -> String {
    watchkeeper_collect::user_name(uid).unwrap_or_else(|| format!("user {uid}"))
}

/// Removes the file of a socket.
pub(super) fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Calls the watch. `None` if nobody listens.
pub(super) fn connect(path: &Path) -> io::Result<Option<Call>> {
    match with_short_path(path, |short| UnixStream::connect(short)) {
        Ok(stream) => Ok(Some(Call(stream))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Listener {
    /// A socket that only its owner can connect to, in place of one that is left over.
    pub(super) fn bind(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove the old control socket {shown}"));
            }
            _ => {}
        }
        let bound = with_short_path(path, |short| UnixListener::bind(short));
        let listener = bound.with_context(|| format!("cannot make the control socket {shown}"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("cannot protect the control socket {shown}"))?;
        Ok(Self(listener))
    }

    /// Waits for the next caller.
    pub(super) fn accept(&self) -> io::Result<Call> {
        self.0.accept().map(|(stream, _)| Call(stream))
    }
}

impl Call {
    /// Whether the caller is root or who this runs as. The folder lets in nobody else; this does not rely on it.
    pub(super) fn is_trusted(&self) -> io::Result<bool> {
        let caller = caller_id(&self.0)?;
        Ok(caller == 0 || caller == rustix::process::geteuid().as_raw())
    }

    /// The name of the user who calls.
    pub(super) fn caller_name(&self) -> String {
        caller_id(&self.0).map_or_else(|_| "unknown".to_owned(), name_of)
    }

    /// Reads some bytes, none at the end of the stream.
    pub(super) fn receive(&mut self, part: &mut [u8], patience: Duration) -> io::Result<usize> {
        self.0.set_read_timeout(Some(patience))?;
        self.0.read(part)
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        self.0.set_write_timeout(Some(patience))?;
        self.0.write_all(bytes)
    }
}

/// The user id of who is at the other end.
#[cfg(target_os = "linux")]
fn caller_id(stream: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

/// The user id of who is at the other end.
#[cfg(not(target_os = "linux"))]
fn caller_id(stream: &UnixStream) -> io::Result<u32> {
    Ok(nix::unistd::getpeereid(stream)?.0.as_raw())
}

/// Hands over a path to the socket that the kernel takes: where its own is too long, one through a handle of its folder.
#[cfg(target_os = "linux")]
fn with_short_path<T>(path: &Path, run: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    use std::os::fd::AsRawFd;

    /// Longest path that the kernel takes for a Unix socket, bytes.
    const LONGEST: usize = 107;

    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return run(path) };
    if path.as_os_str().len() <= LONGEST {
        return run(path);
    }
    let folder = fs::File::open(folder)?;
    run(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

/// Other kernels have no other name for a folder: there a path that is too long is refused, and what would help is said.
#[cfg(not(target_os = "linux"))]
fn with_short_path<T>(path: &Path, run: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    /// Longest path that the kernels take for a Unix socket, bytes.
    const LONGEST: usize = 103;

    if path.as_os_str().len() > LONGEST {
        let sentence = format!("its path is longer than {LONGEST} bytes; choose a shorter `store.path`");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    }
    run(path)
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Request, Server, ask};
    use super::*;

    #[test]
    fn the_socket_is_private_and_goes_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let mut folders = vec![folder.path().to_owned()];
        if cfg!(target_os = "linux") {
            folders.push(folder.path().join("x".repeat(200)));
            fs::create_dir(&folders[1]).unwrap();
        }
        for folder in folders {
            let path = address(&folder);
            fs::write(&path, "left over").unwrap();
            let mut server = Server::bind(path.clone()).unwrap();
            server.serve(|request, _| Answer::Error(format!("{request:?}"))).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let answer = ask(&path, &Request::Status).unwrap();
            assert!(matches!(answer, Some(Answer::Error(text)) if text == "Status"));
            drop(server);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_socket_that_is_left_over_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = address(folder.path());
        drop(UnixListener::bind(&path).unwrap());
        assert!(ask(&path, &Request::Status).unwrap().is_none());
    }
}
