//! Trouble made for real on this machine: the real program with shipped rules, in a hurry, must name who did it and see the
//! end of it; and it must be silent while nothing is wrong. [`list`] says which rules are tried so, and which by recorded
//! readings.

mod expected;
mod list;
mod processes;
mod quick;
mod quiet;
mod sockets;
mod space;
mod trouble;

use std::sync::Mutex;

/// Held by a test that makes trouble for the machine as a whole, and by the one that wants none.
static MACHINE: Mutex<()> = Mutex::new(());
