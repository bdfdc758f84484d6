//! Whether a port takes connections.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use watchkeeper_core::quantity::Span;

use super::failure::Failure;
use super::names::Names;
use super::target::Server;

/// Too little time for a connection; the system takes no less.
const LEAST: Duration = Duration::from_millis(1);

/// Connects to one of the addresses of a server, and lets go.
pub(super) fn try_connect(server: &Server, names: &Names, until: Instant, timeout: Span) -> Result<(), Failure> {
    let addresses = names.look_up(server, until, timeout)?;
    let mut failure = Failure::late("no connection", timeout);
    for (index, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        if left < LEAST {
            break;
        }
        // An address that does not answer leaves time for the others.
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, share.max(LEAST)) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                failure = Failure::late("no connection", timeout);
            }
            Err(error) => failure = Failure::io(&error),
        }
    }
    Err(failure)
}
