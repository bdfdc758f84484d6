//! Test messages: through the real outbox and the real channel, and what became of them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use watchkeeper_core::Ledger;
use watchkeeper_core::outbox::{Delivery as Delivered, OutboxRow};
use watchkeeper_core::text::clean;
use watchkeeper_notify::plan_test;
use watchkeeper_store::{Store, message_state};

use super::delivery::Delivery;
use crate::control::TestResult;
use crate::settings::Settings;

/// How long a test waits for its peers: more than a whole delivery.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long other messages that are being sent may go on when the test is over.
const LAST_SEND: Duration = Duration::from_secs(5);

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
                    return result(message.state == "sent", &with_code(&last));
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

/// The peer's answer with its code, said once.
fn with_code(delivery: &Delivered) -> String {
    match delivery.code.map(|code| code.to_string()) {
        Some(code) if !delivery.text.contains(&code) => format!("{code} {}", delivery.text),
        _ => delivery.text.clone(),
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
    let mut delivery = Delivery::start(runtime.handle(), settings, &store, &wake)?;
    let results = wait_for(state_folder, &rows);
    delivery.stop();
    delivery.wait(runtime.handle(), Instant::now() + LAST_SEND);
    // A look-up of a name that hangs must not hold the answer back.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, Sources, load};

    fn settings(text: &str) -> Settings {
        let file = SourceFile { path: "watchkeeper.toml".into(), text: text.to_owned() };
        let loaded = load(Sources { file: Some(file), ..Sources::default() }).unwrap();
        Settings::build(&loaded).unwrap()
    }

    #[test]
    fn the_code_of_an_answer_is_said_once() {
        for (code, text, shown) in [
            (Some(250), "2.0.0 OK queued", "250 2.0.0 OK queued"),
            (Some(550), "RCPT: 550 5.1.1 no such user", "RCPT: 550 5.1.1 no such user"),
            (None, "connect: refused", "connect: refused"),
        ] {
            let (outcome, text) = (watchkeeper_core::outbox::Outcome::Sent, text.to_owned());
            assert_eq!(with_code(&Delivered { ts_ms: 0, outcome, code, text }), shown);
        }
    }

    #[test]
    fn a_test_that_cannot_be_sent_is_refused_with_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state"), &watchkeeper_store::StoreConfig::default()).unwrap();
        let mut ledger = store.ledger().unwrap();
        let mail = "[smtp.mail]\nserver = \"localhost:25\"\nfrom = \"a@localhost\"\nsecurity = \"plaintext\"\n";
        let route = "[[route]]\nto = [{ channel = \"mail\", recipients = [\"b@localhost\"] }]\n";
        let to = ["c@localhost".to_owned()];
        let mut plan = |text: &str, channel: &str, to: &[String]| {
            let rows = plan(&settings(text), &mut ledger, channel, to).map_err(|error| error.to_string())?;
            Ok::<_, String>(rows.into_iter().map(|row| row.recipient).collect::<Vec<_>>())
        };
        let none = plan("", "mail", &to).unwrap_err();
        assert!(none.starts_with("no channel is configured"), "{none}");
        let unknown = plan(mail, "na\u{1b}il", &to).unwrap_err();
        assert_eq!(unknown, "there is no channel `na\\u{1b}il`; the configuration has: mail");
        let nobody = plan(mail, "mail", &[]).unwrap_err();
        assert_eq!(nobody, "no route names a recipient for channel `mail`; name one with --to");
        assert_eq!(plan(mail, "mail", &to).unwrap(), to);
        assert_eq!(plan(&[mail, route].concat(), "mail", &[]).unwrap(), ["b@localhost"]);
        assert_eq!(plan(&[mail, route].concat(), "mail", &to).unwrap(), to, "who is named gets it, nobody else");
        assert_eq!(ledger.outbox_counts().unwrap().pending, 3);
    }
}
