//! A ledger in memory that keeps the contract of the port, and a worker on it with a clock that a test moves.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use watchkeeper_core::outbox::{Delivery, Due, OutboxId, OutboxRow, Outcome};
use watchkeeper_core::port::{LedgerError, LoadedState, OutboxCounts, Receipt};
use watchkeeper_core::{Change, HostId, Incident, Ledger, Silence};
use watchkeeper_notify::{Channel, ChannelHealth, work};

use crate::fixture::OPENED_MS;

/// How long any of these tests waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Clone, Debug)]
struct Kept {
    due: Due,
    due_ms: i64,
    lease_ms: i64,
    open: bool,
    sent: bool,
}

#[derive(Debug, Default)]
struct State {
    rows: Vec<Kept>,
    silences: Vec<Silence>,
    /// So many calls of `finish` fail from now on.
    failures: usize,
}

/// One handle; clones share what they hold.
#[derive(Clone, Debug)]
pub struct MemoryLedger {
    state: Arc<Mutex<State>>,
    finished: mpsc::UnboundedSender<Finished>,
}

/// What became of one attempt.
#[derive(Clone, Debug)]
pub struct Finished {
    pub id: OutboxId,
    pub recipient: String,
    pub delivery: Delivery,
    pub next_ms: Option<i64>,
}

fn broken() -> LedgerError {
    LedgerError::Database { operation: "commit to", path: "state.db".to_owned(), reason: "disk full".to_owned() }
}

impl MemoryLedger {
    /// Adds rows about incidents. A row with a known key is ignored.
    pub fn add(&self, rows: Vec<OutboxRow>, incidents: &[Incident]) {
        let mut state = self.state.lock().unwrap();
        for kept in &mut state.rows {
            // A claim gives the incident as it stands then.
            if let Some(now) = incidents.iter().find(|incident| Some(incident.key) == kept.due.row.incident) {
                kept.due.incident = Some(Box::new(now.clone()));
            }
        }
        for row in rows {
            if state.rows.iter().any(|kept| kept.due.row.dedup_key == row.dedup_key) {
                continue;
            }
            let incident = incidents.iter().find(|incident| Some(incident.key) == row.incident).cloned();
            let id = state.rows.len() as OutboxId + 1;
            let due_ms = row.due_ms;
            let due = Due {
                id,
                row,
                attempts: 0,
                incident: incident.map(Box::new),
                acknowledged: false,
                told: false,
                memory_only: None,
            };
            state.rows.push(Kept { due, due_ms, lease_ms: 0, open: true, sent: false });
        }
    }

    /// Somebody acknowledges everything; messages that are planned to do without are marked so.
    pub fn acknowledge(&self) {
        for kept in &mut self.state.lock().unwrap().rows {
            kept.due.acknowledged = true;
            kept.due.row.unless = Some("acknowledged".to_owned());
        }
    }

    /// Somebody wants no messages about these incidents until then; replaces what was silenced before.
    pub fn silence(&self, matcher: &str, ends_ms: i64) {
        let (author, comment) = ("ada".to_owned(), "new disks".to_owned());
        let matcher = matcher.to_owned();
        self.state.lock().unwrap().silences =
            vec![Silence { number: 1, matcher, author, comment, created_ms: 0, starts_ms: 0, ends_ms }];
    }

    /// The next time at which something is due.
    pub fn next_due_ms(&self) -> Option<i64> {
        self.state.lock().unwrap().rows.iter().filter(|kept| kept.open).map(|kept| kept.due_ms.max(kept.lease_ms)).min()
    }

    /// So many calls of `finish` fail from now on.
    pub fn fail(&self, failures: usize) {
        self.state.lock().unwrap().failures = failures;
    }

    /// Rows that still wait.
    pub fn open(&self) -> usize {
        self.state.lock().unwrap().rows.iter().filter(|kept| kept.open).count()
    }
}

impl Ledger for MemoryLedger {
    fn load(&mut self) -> Result<LoadedState, LedgerError> {
        Ok(LoadedState { host: HostId::default(), alerts: Vec::new(), incidents: Vec::new() })
    }

    fn commit(&mut self, _: &[Change], _: &[OutboxRow]) -> Result<Receipt, LedgerError> {
        Err(broken())
    }

    fn claim(
        &mut self,
        channel: &str,
        now_ms: i64,
        lease_until_ms: i64,
        limit: usize,
    ) -> Result<Vec<Due>, LedgerError> {
        let mut state = self.state.lock().unwrap();
        let group = |kept: &Kept| (kept.due.row.group_key.clone(), kept.due.row.recipient.clone());
        let free = |kept: &Kept| kept.open && kept.lease_ms <= now_ms && kept.due.row.channel == channel;
        let mut groups = Vec::new();
        for kept in state.rows.iter().filter(|kept| free(kept) && kept.due_ms <= now_ms) {
            if !groups.contains(&group(kept)) && groups.len() < limit {
                groups.push(group(kept));
            }
        }
        let sent = state.rows.iter().filter(|kept| kept.sent);
        let told: Vec<_> = sent.map(|kept| (kept.due.row.incident, kept.due.row.recipient.clone())).collect();
        // A group is claimed whole: also what is not due yet.
        let claimed = state.rows.iter_mut().filter(|kept| free(kept) && groups.contains(&group(kept)));
        Ok(claimed
            .map(|kept| {
                kept.lease_ms = lease_until_ms;
                Due {
                    told: told.contains(&(kept.due.row.incident, kept.due.row.recipient.clone())),
                    ..kept.due.clone()
                }
            })
            .collect())
    }

    fn finish(&mut self, id: OutboxId, delivery: &Delivery, next_due_ms: Option<i64>) -> Result<(), LedgerError> {
        let mut state = self.state.lock().unwrap();
        if state.failures > 0 {
            state.failures -= 1;
            return Err(broken());
        }
        let kept = state.rows.iter_mut().find(|kept| kept.due.id == id).unwrap();
        assert!(kept.open, "row {id} was finished twice");
        kept.open = matches!(delivery.outcome, Outcome::Transient | Outcome::Channel);
        assert_eq!(kept.open, next_due_ms.is_some(), "{delivery:?}");
        kept.sent = delivery.outcome == Outcome::Sent;
        kept.lease_ms = 0;
        kept.due_ms = next_due_ms.unwrap_or(i64::MAX);
        kept.due.attempts += 1;
        let recipient = kept.due.row.recipient.clone();
        let _ = self.finished.send(Finished { id, recipient, delivery: delivery.clone(), next_ms: next_due_ms });
        Ok(())
    }

    fn wake(&mut self, channel: &str, now_ms: i64) -> Result<u64, LedgerError> {
        let mut woken = 0;
        for kept in &mut self.state.lock().unwrap().rows {
            let waits = kept.open && kept.due.attempts > 0 && kept.due_ms > now_ms && kept.lease_ms <= now_ms;
            if waits && kept.due.row.channel == channel {
                kept.due_ms = now_ms;
                woken += 1;
            }
        }
        Ok(woken)
    }

    fn silences(&mut self, now_ms: i64) -> Result<Vec<Silence>, LedgerError> {
        let in_force = |silence: &&Silence| (silence.starts_ms..silence.ends_ms).contains(&now_ms);
        Ok(self.state.lock().unwrap().silences.iter().filter(in_force).cloned().collect())
    }

    fn postpone(&mut self, id: OutboxId, until_ms: i64) -> Result<(), LedgerError> {
        let mut state = self.state.lock().unwrap();
        let kept = state.rows.iter_mut().find(|kept| kept.due.id == id).unwrap();
        assert!(kept.open, "row {id} was over");
        let row = &mut kept.due.row;
        row.expires_ms += (until_ms - row.created_ms).max(0);
        row.created_ms = row.created_ms.max(until_ms);
        row.due_ms = until_ms;
        (kept.due_ms, kept.lease_ms) = (until_ms, 0);
        Ok(())
    }

    fn next_due(&mut self, channel: &str) -> Result<Option<i64>, LedgerError> {
        let state = self.state.lock().unwrap();
        let open = state.rows.iter().filter(|kept| kept.open && kept.due.row.channel == channel);
        Ok(open.map(|kept| kept.due_ms.max(kept.lease_ms)).min())
    }

    fn outbox_counts(&mut self) -> Result<OutboxCounts, LedgerError> {
        Ok(OutboxCounts::default())
    }
}

/// Where everything is logged that any test of this program does, at the most talkative level.
static LOG: LazyLock<NamedTempFile> = LazyLock::new(|| {
    let log = NamedTempFile::new().unwrap();
    let writer = Arc::new(log.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(writer);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    log
});

/// What was logged so far, by all tests.
pub fn logged() -> String {
    std::fs::read_to_string(LOG.path()).unwrap()
}

/// A worker at work.
pub struct Bench {
    pub ledger: MemoryLedger,
    pub health: Arc<Mutex<ChannelHealth>>,
    clock: Arc<AtomicI64>,
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    finished: mpsc::UnboundedReceiver<Finished>,
    task: JoinHandle<()>,
}

impl Bench {
    /// Starts a worker at [`OPENED_MS`] plus a minute, when everything planned at [`OPENED_MS`] is due.
    pub fn start(channel: Channel, rows: Vec<OutboxRow>, incidents: &[Incident]) -> Self {
        LazyLock::force(&LOG);
        let (sender, finished) = mpsc::unbounded_channel();
        let ledger = MemoryLedger { state: Arc::default(), finished: sender };
        ledger.add(rows, incidents);
        let clock = Arc::new(AtomicI64::new(OPENED_MS + 60_000));
        let (stop, stopped) = watch::channel(false);
        let (health, wake) = (Arc::default(), Arc::new(Notify::new()));
        let time = Arc::clone(&clock);
        let task = tokio::spawn(work(
            channel,
            Box::new(ledger.clone()),
            Arc::new(move || time.load(Ordering::SeqCst)),
            Arc::clone(&wake),
            Arc::clone(&health),
            stopped,
        ));
        Self { ledger, health, clock, wake, stop, finished, task }
    }

    /// What became of the next attempts, in the order in which it was written down.
    pub async fn finished(&mut self, count: usize) -> Vec<Finished> {
        let mut all = Vec::new();
        while all.len() < count {
            let next = timeout(PATIENCE, self.finished.recv()).await.expect("nothing was written down in time");
            all.push(next.expect("the worker ended"));
        }
        all
    }

    /// What became of the next attempt.
    pub async fn next(&mut self) -> Finished {
        self.finished(1).await.remove(0)
    }

    /// Nothing more was written down.
    pub fn is_quiet(&mut self) -> bool {
        self.finished.is_empty()
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Moves the clock to this time and tells the worker to look.
    pub fn at(&self, now_ms: i64) {
        self.clock.store(now_ms, Ordering::SeqCst);
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    pub fn health(&self) -> ChannelHealth {
        self.health.lock().unwrap().clone()
    }

    /// Ends the worker as the end of the program does.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        timeout(PATIENCE, self.task).await.expect("the worker did not end").expect("the worker panicked");
    }
}
