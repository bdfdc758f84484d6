//! Events of the Windows console (Ctrl+C, Ctrl+Break, its window is closed) and of the session (log off, shutdown).
//!
//! A handler that returns from one of the last three ends the program there and then; the library's does not return, so
//! that there are the five seconds or so that Windows grants.

use std::io;

use tokio::runtime::Builder;
use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

use super::{Caller, Event};

/// What a console program that Ctrl+C ended answers: `STATUS_CONTROL_C_EXIT`, 0xC000013A.
const ENDED_BY_CTRL_C: i32 = 0xC000_013A_u32.cast_signed();

/// Tells what comes from now on, in a thread that ends with the program.
pub(super) fn catch(caller: Caller, tell: impl Fn(Event) + Send + 'static) -> io::Result<()> {
    let (mut keys, mut breaks) = (ctrl_c()?, ctrl_break()?);
    let (mut closed, mut logged_off, mut shut_down) = (ctrl_close()?, ctrl_logoff()?, ctrl_shutdown()?);
    let runtime = Builder::new_current_thread().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let mut is_ending = false;
            loop {
                let by_key = tokio::select! {
                    _ = keys.recv() => true,
                    _ = breaks.recv() => true,
                    _ = closed.recv() => false,
                    _ = logged_off.recv() => false,
                    _ = shut_down.recv() => false,
                };
                if is_ending && (by_key || caller == Caller::Command) {
                    std::process::exit(ENDED_BY_CTRL_C);
                }
                is_ending = true;
                tell(Event::End);
            }
        });
    })?;
    Ok(())
}
