//! Signals of Unix systems.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default};
use signal_hook::iterator::Signals;

use super::{Caller, Event};

/// Tells what comes from now on, in a thread that ends with the program.
pub(super) fn catch(caller: Caller, tell: impl Fn(Event) + Send + 'static) -> io::Result<()> {
    let (caught, ends_at_once): (&[i32], &[i32]) = match caller {
        Caller::Watch => (&[SIGTERM, SIGINT, SIGHUP], &[SIGINT]),
        Caller::Command => (&[SIGTERM, SIGINT], &[SIGTERM, SIGINT]),
    };
    let is_ending = Arc::new(AtomicBool::new(false));
    // In this order: the first signal finds that it is not ending yet. In the handler, because a program that hangs reads
    // no signals any more.
    for signal in ends_at_once {
        register_conditional_default(*signal, Arc::clone(&is_ending))?;
    }
    for signal in [SIGTERM, SIGINT] {
        register(signal, Arc::clone(&is_ending))?;
    }
    let mut signals = Signals::new(caught)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            tell(if signal == SIGHUP { Event::Reload } else { Event::End });
        }
    })?;
    Ok(())
}
