//! Looking up names with a deadline. The system's own resolver has none, so it is asked in a thread; a check never has more
//! than one question open, however long the answer takes.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;

use super::failure::{Failure, reason};
use super::target::Server;

/// Addresses of a name that are tried.
const MOST: usize = 16;

/// The lookups of one check.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// A question that was not answered in time; its answer is as good for a later try.
    open: Mutex<Option<Receiver<io::Result<Vec<SocketAddr>>>>>,
}

impl Names {
    /// The addresses of a server, at least one.
    pub(super) fn look_up(&self, server: &Server, until: Instant, timeout: Span) -> Result<Vec<SocketAddr>, Failure> {
        if let Ok(address) = server.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, server.port)]);
        }
        let host = clean(&server.host, 80);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let question = match open.take() {
            Some(question) => question,
            None => ask(server).map_err(|error| Failure::io(&error))?,
        };
        match question.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(Failure::new(format!("the name {host} has no address"))),
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(Failure::new(format!("the name {host} cannot be looked up: {}", reason(&error)))),
            Err(RecvTimeoutError::Timeout) => {
                *open = Some(question);
                Err(Failure::late(&format!("the name {host} was not looked up"), timeout))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Failure::new(format!("the name {host} cannot be looked up"))),
        }
    }

    /// A question that somebody else answers.
    #[cfg(test)]
    pub(super) fn pretend(&self, question: Receiver<io::Result<Vec<SocketAddr>>>) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
    }
}

fn ask(server: &Server) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (sender, answer) = sync_channel(1);
    let question = (server.host.clone(), server.port);
    std::thread::Builder::new().name("check-name".to_owned()).spawn(move || {
        // Nobody waits any more if the check is gone.
        let _ = sender.send(question.to_socket_addrs().map(|found| found.take(MOST).collect()));
    })?;
    Ok(answer)
}
