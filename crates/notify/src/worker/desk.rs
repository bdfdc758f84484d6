//! The worker's side of the ledger: every call in a thread that may block, and nothing that was finished is forgotten.

use std::sync::{Arc, Mutex};

use watchkeeper_core::outbox::{Delivery, Due, OutboxId};
use watchkeeper_core::port::LedgerError;
use watchkeeper_core::{Ledger, Silence};

use super::{Clock, locked};
use crate::channel::{Outgoing, Verdict};
use crate::identity::{message_id, thread_id};
use crate::message::{Origin, View};

/// Threads that one message refers to: a header that grows with a flood of incidents would get the mail refused.
const REFERENCES: usize = 20;

/// Rows whose fate is written down in one transaction: others wait while it is.
const AT_ONCE: usize = 500;

/// Rows of one group for one recipient: they become one message.
#[derive(Clone, Debug)]
pub(super) struct Bundle {
    /// To whom.
    pub(super) recipient: String,
    /// Oldest first; never empty.
    pub(super) rows: Vec<Due>,
    /// Attempts so far of the row that was tried most often.
    pub(super) attempts: u32,
}

/// Puts claimed rows together; the order of the oldest rows is kept.
pub(super) fn bundles(rows: Vec<Due>) -> Vec<Bundle> {
    let mut bundles: Vec<Bundle> = Vec::new();
    for due in rows {
        let same = |bundle: &&mut Bundle| {
            bundle.recipient == due.row.recipient
                && bundle.rows.first().is_some_and(|first| first.row.group_key == due.row.group_key)
        };
        match bundles.iter_mut().find(same) {
            Some(bundle) => {
                bundle.attempts = bundle.attempts.max(due.attempts);
                bundle.rows.push(due);
            }
            None => {
                bundles.push(Bundle { recipient: due.row.recipient.clone(), attempts: due.attempts, rows: vec![due] });
            }
        }
    }
    for bundle in &mut bundles {
        bundle.rows.sort_by_key(|due| due.row.created_ms);
    }
    bundles.sort_by_key(|bundle| bundle.rows.first().map(|due| due.row.created_ms));
    bundles
}

impl Bundle {
    /// The message, rendered as it is to be told now.
    pub(super) fn outgoing(&self, origin: &Origin, now_ms: i64) -> Outgoing {
        let host = self.rows.iter().find_map(|due| due.incident.as_deref()).map_or(&origin.host, |i| &i.host);
        let id = message_id(self.rows.iter().map(|due| due.row.dedup_key.as_str()), host);
        let mut references: Vec<String> = self.rows.iter().filter_map(|due| thread_id(&due.row, host)).collect();
        references.dedup();
        references.retain(|thread| *thread != id);
        references.truncate(REFERENCES);
        Outgoing {
            recipient: self.recipient.clone(),
            message_id: id,
            references,
            now_ms,
            view: View::of(&self.rows, origin, now_ms),
        }
    }

    /// When to give up: as planned, or as the channel says if that is earlier. The youngest row decides.
    pub(super) fn expires_ms(&self, give_up_ms: i64) -> i64 {
        let of = |due: &Due| due.row.expires_ms.min(due.row.created_ms.saturating_add(give_up_ms));
        self.rows.iter().map(of).max().unwrap_or_default()
    }

    /// What jitter follows from: the same for all rows, so that they stay together.
    pub(super) fn first_id(&self) -> OutboxId {
        self.rows.first().map_or(0, |due| due.id)
    }
}

/// A ledger for one channel.
pub(super) struct Desk {
    channel: String,
    ledger: Arc<Mutex<Box<dyn Ledger>>>,
    clock: Clock,
    /// What became of rows that could not be written down yet. They must not be sent again when their lease expires.
    unwritten: Vec<(OutboxId, Delivery, Option<i64>)>,
}

impl Desk {
    pub(super) fn new(channel: &str, ledger: Box<dyn Ledger>, clock: Clock) -> Self {
        Self { channel: channel.to_owned(), ledger: Arc::new(Mutex::new(ledger)), clock, unwritten: Vec::new() }
    }

    /// Claims due rows, without those whose fate is known but could not be written down.
    pub(super) async fn claim(&mut self, lease_ms: i64, groups: usize) -> Result<Vec<Due>, String> {
        let (channel, now_ms) = (self.channel.clone(), (self.clock)());
        let claim = move |ledger: &mut dyn Ledger| ledger.claim(&channel, now_ms, now_ms + lease_ms, groups);
        let mut due = self.call(claim).await?;
        due.retain(|due| !self.unwritten.iter().any(|(id, ..)| *id == due.id));
        Ok(due)
    }

    /// The silences in force at this time, milliseconds UTC; now for `None`.
    pub(super) async fn silences(&self, at_ms: Option<i64>) -> Result<Vec<Silence>, String> {
        let at_ms = at_ms.unwrap_or_else(|| (self.clock)());
        self.call(move |ledger| ledger.silences(at_ms)).await
    }

    /// Gives a claimed row back until a silence ends.
    pub(super) async fn postpone(&self, id: OutboxId, until_ms: i64) -> Result<(), String> {
        self.call(move |ledger| ledger.postpone(id, until_ms)).await
    }

    /// When the next row is due.
    pub(super) async fn next_due(&mut self) -> Result<Option<i64>, String> {
        let channel = self.channel.clone();
        self.call(move |ledger| ledger.next_due(&channel)).await
    }

    /// Makes rows due that wait for another attempt; answers how many.
    pub(super) async fn wake(&mut self) -> Result<u64, String> {
        let (channel, now_ms) = (self.channel.clone(), (self.clock)());
        self.call(move |ledger| ledger.wake(&channel, now_ms)).await
    }

    /// Writes down what became of rows. On an error it is kept, and written by [`Desk::settle`].
    pub(super) async fn finish(
        &mut self,
        ids: &[OutboxId],
        verdict: &Verdict,
        next_ms: Option<i64>,
    ) -> Result<(), String> {
        let delivery = verdict.delivery((self.clock)());
        self.unwritten.extend(ids.iter().map(|id| (*id, delivery.clone(), next_ms)));
        self.settle().await
    }

    /// Writes down what could not be written before.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
        while let Some((_, delivery, next_ms)) = self.unwritten.first().cloned() {
            let same =
                self.unwritten.iter().take_while(|(_, other, other_ms)| *other == delivery && *other_ms == next_ms);
            let ids: Vec<OutboxId> = same.map(|(id, ..)| *id).take(AT_ONCE).collect();
            let count = ids.len();
            self.call(move |ledger| ledger.finish_all(&ids, &delivery, next_ms)).await?;
            self.unwritten.drain(..count);
        }
        Ok(())
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, String> {
        let ledger = Arc::clone(&self.ledger);
        let done = tokio::task::spawn_blocking(move || work(locked(&ledger).as_mut())).await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(format!("the state database could not be asked: {error}")),
        }
    }
}
