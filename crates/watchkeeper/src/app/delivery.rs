//! The notify workers: one asynchronous task a channel, restarted when the settings change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use watchkeeper_core::Ledger;
use watchkeeper_notify::{ChannelHealth, work};
use watchkeeper_store::Store;

use crate::health::{ChannelReport, locked};
use crate::settings::Settings;

/// The workers of one set of channels.
#[derive(Debug)]
pub struct Delivery {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    health: BTreeMap<String, Arc<Mutex<ChannelHealth>>>,
}

impl Delivery {
    /// Starts a worker for each channel; none if one of them cannot be made ready.
    pub fn start(runtime: &Handle, settings: &Settings, store: &Store, wake: &Arc<Notify>) -> anyhow::Result<Self> {
        let mut ready = Vec::new();
        for name in settings.channel_names() {
            ready.push((name.to_owned(), settings.channel(name)?, store.ledger()?));
        }
        let (stop, stopped) = watch::channel(false);
        let mut delivery = Self { stop, tasks: Vec::new(), health: BTreeMap::new() };
        for (name, channel, ledger) in ready {
            let ledger: Box<dyn Ledger> = Box::new(ledger);
            let health = Arc::new(Mutex::new(ChannelHealth::default()));
            delivery.health.insert(name, Arc::clone(&health));
            let clock = Arc::new(watchkeeper_collect::wall_clock_ms);
            let task = work(channel, ledger, clock, Arc::clone(wake), health, stopped.clone());
            delivery.tasks.push(runtime.spawn(task));
        }
        Ok(delivery)
    }

    /// Takes over from the workers of former settings. They end beside the new ones: what they are sending has a lease, so
    /// nobody else sends it.
    pub fn succeed(&mut self, former: Self) {
        former.stop();
        self.tasks.extend(former.tasks.into_iter().filter(|task| !task.is_finished()));
        for (name, health) in &former.health {
            if let Some(own) = self.health.get(name) {
                let (mut own, health) = (locked(own), locked(health));
                own.sent += health.sent;
                own.last_success_ms = own.last_success_ms.max(health.last_success_ms);
                // Nobody has tried it with the new settings: what failed is not known to work.
                if own.attempts == 0 {
                    own.failing_since_ms = health.failing_since_ms;
                    own.last_error.clone_from(&health.last_error);
                    own.last_error_ms = health.last_error_ms;
                }
            }
        }
    }

    /// Asks the workers to end: nothing new is begun, and what is being sent may go on for five seconds.
    pub fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits for the end of the workers, and cuts what is still being sent then: its lease runs out.
    pub fn wait(&mut self, runtime: &Handle, until: Instant) {
        runtime.block_on(async {
            for task in self.tasks.drain(..) {
                let abort = task.abort_handle();
                if tokio::time::timeout_at(until.into(), task).await.is_err() {
                    abort.abort();
                }
            }
        });
    }

    /// Where each channel says how it does.
    pub fn health(&self) -> BTreeMap<String, Arc<Mutex<ChannelHealth>>> {
        self.health.clone()
    }

    /// How each channel does.
    pub fn report(&self) -> BTreeMap<String, ChannelReport> {
        let report = |health: &Arc<Mutex<ChannelHealth>>| {
            let health = locked(health);
            ChannelReport {
                sent: health.sent,
                last_sent_ms: health.last_success_ms,
                failing_since_ms: health.failing_since_ms,
                last_error: health.last_error.clone(),
            }
        };
        self.health.iter().map(|(name, health)| (name.clone(), report(health))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, Sources, load};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::time::Duration;
    use watchkeeper_notify::plan_test;

    /// A mail server that takes calls, tells of each, and says nothing.
    fn silent_server() -> (u16, mpsc::Receiver<Instant>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, calls) = mpsc::channel();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for call in listener.incoming() {
                open.push(call);
                if sender.send(Instant::now()).is_err() {
                    break;
                }
            }
        });
        (port, calls)
    }

    fn settings(port: u16) -> Settings {
        let text =
            format!("[smtp.mail]\nserver = \"127.0.0.1:{port}\"\nsecurity = \"plaintext\"\nfrom = \"a@localhost\"\n");
        let file = SourceFile { path: "watchkeeper.toml".into(), text };
        Settings::build(&load(Sources { file: Some(file), ..Sources::default() }).unwrap()).unwrap()
    }

    #[test]
    fn a_channel_that_fails_goes_on_to_fail_after_a_reload_until_it_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state"), &watchkeeper_store::StoreConfig::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let wake = Arc::new(Notify::new());
        let start = || Delivery::start(runtime.handle(), &settings(9), &store, &wake).unwrap();
        for (attempts, expected) in [(0, Some(4_711)), (1, None)] {
            let (former, mut next) = (start(), start());
            let failing = ChannelHealth {
                failing_since_ms: Some(4_711),
                last_error: Some("connection refused".to_owned()),
                ..ChannelHealth::default()
            };
            *locked(&former.health["mail"]) = failing;
            locked(&next.health["mail"]).attempts = attempts;
            next.succeed(former);
            let report = &next.report()["mail"];
            assert_eq!(report.failing_since_ms, expected, "after {attempts} attempts");
            assert_eq!(report.last_error.is_some(), expected.is_some());
            next.stop();
            next.wait(runtime.handle(), Instant::now());
        }
        runtime.shutdown_background();
    }

    #[test]
    fn a_fresh_message_is_sent_when_it_is_due_before_and_after_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state"), &watchkeeper_store::StoreConfig::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let wake = Arc::new(Notify::new());
        let mut ledger = store.ledger().unwrap();
        let mut tell = |recipient: &str| {
            // Before the commit, which may take a while.
            let told = Instant::now();
            let due_ms = watchkeeper_collect::wall_clock_ms() + 200;
            ledger.commit(&[], &plan_test("mail", &[recipient.to_owned()], due_ms)).unwrap();
            wake.notify_waiters();
            told
        };
        // A worker looks by itself every 30 s: what comes sooner was noticed.
        let patience = Duration::from_secs(20);
        let (first_port, first_calls) = silent_server();
        let (second_port, second_calls) = silent_server();
        let delivery = Delivery::start(runtime.handle(), &settings(first_port), &store, &wake).unwrap();
        // It has nothing to do and sleeps.
        std::thread::sleep(Duration::from_millis(50));
        let told = tell("a@localhost");
        let called = first_calls.recv_timeout(patience).expect("the first worker calls its server");
        assert!(called - told >= Duration::from_millis(150), "it was not due yet");

        let mut next = Delivery::start(runtime.handle(), &settings(second_port), &store, &wake).unwrap();
        next.succeed(delivery);
        tell("b@localhost");
        second_calls.recv_timeout(patience).expect("the second worker calls the other server");
        assert!(first_calls.try_recv().is_err() && second_calls.try_recv().is_err(), "a message was sent twice");
        next.stop();
        next.wait(runtime.handle(), Instant::now());
        runtime.shutdown_background();
    }
}
