//! The worker of a channel: sleeps until something is due, claims it, sends it, and writes down what became of it.

mod backoff;
mod desk;
mod fate;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};
use watchkeeper_core::Ledger;
use watchkeeper_core::outbox::{Due, OutboxId, Outcome};

use crate::channel::{Channel, Verdict};
use crate::health::ChannelHealth;
pub use backoff::backoff_ms;
use desk::{Bundle, Desk, bundles};
use fate::{Fate, Silences, over_untold};

/// The wall clock, milliseconds UTC; given in, so that a test needs no waiting.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Groups that are claimed at once and share a connection. Many enough that hundreds of messages leave in a minute, few
/// enough that they are through within one deadline.
const GROUPS: usize = 20;
/// How much longer a lease lasts than the sending it is for.
const LEASE_MARGIN_MS: i64 = 5_000;
/// How long a send may go on after the end was asked for.
const LAST_SEND: Duration = Duration::from_secs(5);
/// Longest sleep: the wall clock may have been set, so the ledger is asked again after this.
const LONGEST_SLEEP_MS: i64 = 30_000;
/// Sleep when a row is said to be due and yet was not claimed.
const CLAIM_PAUSE_MS: i64 = 100;
/// How long the ledger is left alone after it has failed.
const LEDGER_PAUSE_MS: i64 = 5_000;

/// Sends what the outbox holds for a channel until `shutdown` says true or its sender is dropped; a send that is under
/// way then is cut after 5 s and its lease expires. `wake` tells that rows were committed; both `notify_one` and
/// `notify_waiters` do.
///
/// Rows that waited for another attempt when the worker starts are due at once: the setup may have been mended.
pub async fn work(
    channel: Channel,
    ledger: Box<dyn Ledger>,
    clock: Clock,
    wake: Arc<Notify>,
    health: Arc<Mutex<ChannelHealth>>,
    mut shutdown: watch::Receiver<bool>,
) {
    let desk = Desk::new(channel.name(), ledger, Arc::clone(&clock));
    let mut worker = Worker { channel, desk, clock, health };
    if let Err(text) = worker.desk.wake().await {
        worker.note_ledger(&text);
    }
    loop {
        // Registered before the ledger is asked, so that no wake-up falls between the question and the sleep.
        let mut woken = pin!(wake.notified());
        woken.as_mut().enable();
        if *shutdown.borrow() || shutdown.has_changed().is_err() {
            return;
        }
        let pause_ms = {
            let mut step = pin!(worker.step());
            tokio::select! {
                pause_ms = &mut step => pause_ms,
                () = ended(&mut shutdown) => {
                    let _ = timeout(LAST_SEND, step).await;
                    return;
                }
            }
        };
        if pause_ms > 0 {
            tokio::select! {
                () = sleep(Duration::from_millis(pause_ms.unsigned_abs())) => {}
                () = woken => {}
                () = ended(&mut shutdown) => return,
            }
        }
    }
}

/// Returns when the end is asked for, or when nobody is left who could.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

struct Worker {
    channel: Channel,
    desk: Desk,
    clock: Clock,
    health: Arc<Mutex<ChannelHealth>>,
}

impl Worker {
    /// Sends what is due; answers how long to sleep then, milliseconds.
    async fn step(&mut self) -> i64 {
        match self.try_step().await {
            Ok(pause_ms) => pause_ms,
            Err(text) => {
                self.note_ledger(&text);
                LEDGER_PAUSE_MS
            }
        }
    }

    async fn try_step(&mut self) -> Result<i64, String> {
        let unsettled = self.desk.settle().await.err();
        if let Some(text) = &unsettled {
            // What can still be claimed is sent all the same.
            self.note_ledger(text);
        }
        let due = self.claim().await?;
        if !due.is_empty() {
            self.send(bundles(due)).await?;
            return Ok(0);
        }
        let now_ms = (self.clock)();
        let longest_ms = if unsettled.is_some() { LEDGER_PAUSE_MS } else { LONGEST_SLEEP_MS };
        Ok(match self.desk.next_due().await?.map(|next_ms| next_ms.saturating_sub(now_ms)) {
            Some(..=0) => CLAIM_PAUSE_MS,
            Some(pause_ms) => pause_ms.min(longest_ms),
            None => longest_ms,
        })
    }

    /// Claims what is due, settles what needs no sending, and gives back what has to wait.
    async fn claim(&mut self) -> Result<Vec<Due>, String> {
        let lease_ms = self.channel.deadline().as_millis() as i64 + LEASE_MARGIN_MS;
        let due = self.desk.claim(lease_ms, GROUPS).await?;
        let silences = self.silences(&due, None).await;
        let mut to_send = Vec::with_capacity(due.len());
        // Incidents of a storm are over in the same ticks.
        let mut former: BTreeMap<i64, Silences> = BTreeMap::new();
        for due in due {
            let mut fate = silences.fate(&due);
            if fate == Fate::Send
                && let Some(closed_ms) = over_untold(&due)
            {
                let then = match former.entry(closed_ms) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(self.silences(std::slice::from_ref(&due), Some(closed_ms)).await),
                };
                fate = then.fate_then(&due);
            }
            match fate {
                Fate::Send => to_send.push(due),
                Fate::Over(verdict) => self.desk.finish(&[due.id], &verdict, None).await?,
                Fate::Wait { until_ms } => self.desk.postpone(due.id, until_ms).await?,
            }
        }
        Ok(to_send)
    }

    /// The silences in force at a time, now for `None`. In doubt there are none: somebody is told.
    async fn silences(&self, due: &[Due], at_ms: Option<i64>) -> Silences {
        if due.iter().all(|due| due.incident.is_none()) {
            return Silences::default();
        }
        match self.desk.silences(at_ms).await {
            Ok(silences) => Silences::of(silences),
            Err(text) => {
                self.note_ledger(&text);
                Silences::default()
            }
        }
    }

    /// Sends bundles; each verdict is written down the moment it is known.
    async fn send(&mut self, bundles: Vec<Bundle>) -> Result<(), String> {
        let now_ms = (self.clock)();
        let outgoing = bundles.iter().map(|bundle| bundle.outgoing(self.channel.origin(), now_ms)).collect();
        let (sender, mut verdicts) = mpsc::unbounded_channel();
        let mut open: Vec<Option<Bundle>> = bundles.into_iter().map(Some).collect();
        let mut was_failing = false;
        {
            let Self { channel, desk, clock, health } = self;
            let mut records =
                Records { channel: channel.name(), give_up_ms: channel.give_up_after().ms(), desk, clock, health };
            let mut delivery = pin!(async {
                channel.deliver(outgoing, &sender).await;
                drop(sender);
            });
            let mut delivering = true;
            loop {
                let verdict = tokio::select! {
                    biased;
                    verdict = verdicts.recv() => verdict,
                    () = &mut delivery, if delivering => {
                        delivering = false;
                        continue;
                    }
                };
                let Some((index, verdict)) = verdict else { break };
                if let Some(bundle) = open.get_mut(index).and_then(Option::take) {
                    was_failing |= records.write(&bundle, &verdict).await;
                }
            }
        }
        if was_failing {
            let woken = self.desk.wake().await?;
            tracing::info!(channel = self.channel.name(), woken, "the channel works again");
        }
        Ok(())
    }

    fn note_ledger(&self, text: &str) {
        tracing::error!(channel = self.channel.name(), error = text, "the outbox cannot be read or written");
        locked(&self.health).note_error((self.clock)(), text);
    }
}

/// Writes down what became of messages.
struct Records<'a> {
    channel: &'a str,
    give_up_ms: i64,
    desk: &'a mut Desk,
    clock: &'a Clock,
    health: &'a Mutex<ChannelHealth>,
}

impl Records<'_> {
    /// Answers whether the channel had been failing and works again.
    async fn write(&mut self, bundle: &Bundle, verdict: &Verdict) -> bool {
        let now_ms = (self.clock)();
        let (verdict, next_ms) = self.with_next_attempt(bundle, verdict, now_ms);
        let ids: Vec<OutboxId> = bundle.rows.iter().map(|due| due.id).collect();
        let works_again = self.note(bundle, &verdict, now_ms);
        // A failure to write is kept by the desk and tried again before anything else is claimed.
        if let Err(error) = self.desk.finish(&ids, &verdict, next_ms).await {
            tracing::error!(channel = self.channel, error, "cannot write down what became of a message");
        }
        works_again
    }

    /// Logs a verdict and keeps it in the channel's health; answers whether the channel had been failing and works again.
    fn note(&self, bundle: &Bundle, verdict: &Verdict, now_ms: i64) -> bool {
        let (channel, recipient, text) = (self.channel, &bundle.recipient, &verdict.text);
        let mut health = locked(self.health);
        match verdict.outcome {
            Outcome::Sent => {
                tracing::info!(channel, recipient, rows = bundle.rows.len(), answer = text, "message accepted");
                return health.accepted(now_ms);
            }
            Outcome::Dead | Outcome::Needless => {
                tracing::error!(channel, recipient, "message given up: {text}");
                health.refused(now_ms, text);
            }
            Outcome::Transient | Outcome::Channel => {
                tracing::warn!(channel, recipient, "message not accepted, tried again: {text}");
                if verdict.concerns_all {
                    health.failed(now_ms, text, verdict.outcome == Outcome::Channel);
                } else {
                    health.refused(now_ms, text);
                }
            }
        }
        false
    }

    /// When to try again, if at all; a message whose time is over becomes a dead letter.
    fn with_next_attempt(&self, bundle: &Bundle, verdict: &Verdict, now_ms: i64) -> (Verdict, Option<i64>) {
        if !matches!(verdict.outcome, Outcome::Transient | Outcome::Channel) {
            return (verdict.clone(), None);
        }
        let expires_ms = bundle.expires_ms(self.give_up_ms);
        if now_ms >= expires_ms {
            let text = format!("given up after {} attempts: {}", bundle.attempts + 1, verdict.text);
            return (Verdict { text, outcome: Outcome::Dead, ..verdict.clone() }, None);
        }
        // A wrong setup does not mend itself in seconds.
        let attempt = if verdict.outcome == Outcome::Channel { u32::MAX } else { bundle.attempts + 1 };
        let next_ms = now_ms.saturating_add(backoff_ms(bundle.first_id(), attempt));
        (verdict.clone(), Some(next_ms.min(expires_ms)))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
