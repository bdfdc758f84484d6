//! The stage that writes the log.

use std::sync::Arc;
use std::time::Duration;

use watchkeeper_core::Recorder;

use crate::health::{Health, locked};
use crate::mailbox::{Mail, Mailbox};

/// How long the stage waits for a tick before it looks whether it is over.
const PATIENCE: Duration = Duration::from_secs(1);

/// Records every tick until the mailbox is closed and empty, then writes what waits.
pub fn run(mut recorder: Box<dyn Recorder>, mailbox: &Mailbox<()>, health: &Arc<Health>) {
    loop {
        match mailbox.take(PATIENCE) {
            Some(Mail::Tick(snapshot, dropped)) => {
                let mut result = Ok(());
                if let Some(lost) = dropped {
                    result = recorder.note_dropped(lost.from_ms, lost.to_ms, lost.ticks);
                }
                result = result.and(recorder.record(&snapshot));
                locked(&health.recorder).last_tick_mono_ms = Some(snapshot.at.mono_ms);
                note(health, result.err().map(|error| error.to_string()), mailbox.dropped_total());
            }
            None if mailbox.is_over() => break,
            Some(Mail::Command(())) | None => {}
        }
    }
    if let Err(error) = recorder.flush() {
        tracing::error!("the last ticks could not be written: {error}");
    }
}

/// Says the first of several errors, and their end, once.
fn note(health: &Arc<Health>, error: Option<String>, dropped: u64) {
    let mut health = locked(&health.recorder);
    health.ticks += 1;
    health.dropped = dropped;
    match (&error, &health.error) {
        (Some(text), None) => tracing::error!("{text}"),
        (None, Some(_)) => tracing::info!("the log is written again"),
        _ => {}
    }
    health.error = error;
}
