//! The notify workers: one asynchronous task a channel, restarted when the settings change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use watchkeeper_core::Ledger;
use watchkeeper_notify::{ChannelHealth, work};
use watchkeeper_store::Store;

use crate::health::{ChannelReport, locked};
use crate::settings::Settings;

/// How long a send may go on after the end was asked for.
const LAST_SEND: Duration = Duration::from_secs(5);

/// The workers of one set of channels.
#[derive(Debug)]
pub struct Delivery {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    health: BTreeMap<String, Arc<Mutex<ChannelHealth>>>,
}

impl Delivery {
    /// Starts a worker for each channel.
    pub fn start(runtime: &Runtime, settings: &Settings, store: &Store, wake: &Arc<Notify>) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut delivery = Self { stop, tasks: Vec::new(), health: BTreeMap::new() };
        for name in settings.channel_names() {
            let channel = settings.channel(name)?;
            let ledger: Box<dyn Ledger> = Box::new(store.ledger()?);
            let health = Arc::new(Mutex::new(ChannelHealth::default()));
            delivery.health.insert(name.to_owned(), Arc::clone(&health));
            let clock = Arc::new(watchkeeper_collect::wall_clock_ms);
            let task = work(channel, ledger, clock, Arc::clone(wake), health, stopped.clone());
            delivery.tasks.push(runtime.spawn(task));
        }
        Ok(delivery)
    }

    /// Ends the workers: what is being sent may finish within five seconds, then its lease runs out.
    pub fn stop(self, runtime: &Runtime) {
        let _ = self.stop.send(true);
        runtime.block_on(async {
            for task in self.tasks {
                let abort = task.abort_handle();
                if tokio::time::timeout(LAST_SEND, task).await.is_err() {
                    abort.abort();
                }
            }
        });
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
