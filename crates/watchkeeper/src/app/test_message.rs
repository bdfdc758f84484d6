//! Test messages: through the real outbox and the real channel, and what became of them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use watchkeeper_core::Ledger;
use watchkeeper_core::outbox::OutboxRow;
use watchkeeper_core::text::clean;
use watchkeeper_notify::plan_test;
use watchkeeper_store::{Store, message_state};

use super::delivery::Delivery;
use crate::control::TestResult;
use crate::settings::Settings;

/// How long a test waits for its peers: more than a whole delivery.
const PATIENCE: Duration = Duration::from_secs(45);

/// Puts a test message for each recipient into the outbox. Without recipients, those of the channel's routes are meant.
pub fn plan(
    settings: &Settings,
    ledger: &mut impl Ledger,
    channel: &str,
    to: &[String],
) -> anyhow::Result<Vec<OutboxRow>> {
    let names: Vec<&str> = settings.channel_names().collect();
    if names.is_empty() {
        bail!("no channel is configured; add one, such as [smtp.mail] (docs/configuration.md shows how)");
    }
    if !names.contains(&channel) {
        bail!("there is no channel `{}`; the configuration has: {}", clean(channel, 80), names.join(", "));
    }
    let routed = settings.routes.recipients(channel);
    let recipients = if to.is_empty() { &routed } else { to };
    if recipients.is_empty() {
        bail!("no route names a recipient for channel `{channel}`; name one with --to");
    }
    let rows = plan_test(channel, recipients, watchkeeper_collect::wall_clock_ms());
    ledger.commit(&[], &rows).context("the test message could not be put into the outbox")?;
    Ok(rows)
}

/// Waits until each test message was accepted or refused for the first time.
pub fn wait_for(state_folder: &Path, rows: &[OutboxRow]) -> Vec<TestResult> {
    let until = Instant::now() + PATIENCE;
    rows.iter().map(|row| wait_for_one(state_folder, row, until)).collect()
}

fn wait_for_one(state_folder: &Path, row: &OutboxRow, until: Instant) -> TestResult {
    let result =
        |accepted, text: &str| TestResult { recipient: clean(&row.recipient, 200), accepted, text: clean(text, 1_000) };
    loop {
        match message_state(state_folder, &row.dedup_key) {
            Ok(Some(message)) => {
                if let Some(last) = message.last {
                    let code = last.code.map_or(String::new(), |code| format!("{code} "));
                    return result(message.state == "sent", &format!("{code}{}", last.text));
                }
            }
            Ok(None) => {}
            Err(error) => return result(false, &format!("what became of it is not known: {error}")),
        }
        if Instant::now() >= until {
            return result(false, "no answer yet; the message stays in the outbox and is tried again");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends test messages with no watch running: this process holds the store and runs the channel itself.
pub fn send_alone(
    settings: &Settings,
    state_folder: &Path,
    channel: &str,
    to: &[String],
) -> anyhow::Result<Vec<TestResult>> {
    let store = Store::open(state_folder, &settings.config.store)?;
    let rows = plan(settings, &mut store.ledger()?, channel, to)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let wake = Arc::new(tokio::sync::Notify::new());
    let delivery = Delivery::start(&runtime, settings, &store, &wake)?;
    let results = wait_for(state_folder, &rows);
    delivery.stop(&runtime);
    // A look-up of a name that hangs must not hold the answer back.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(results)
}
