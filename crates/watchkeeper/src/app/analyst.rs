//! The stage that evaluates rules, keeps alerts, and decides who is told: step, enrich, plan, commit.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper_analyze::{Analyzer, enrich};
use watchkeeper_core::port::Durability;
use watchkeeper_core::text::title_with_culprit;
use watchkeeper_core::{Change, Fingerprint, HostId, Ledger, Snapshot};
use watchkeeper_notify::plan;
use watchkeeper_store::{Reader, SqliteLedger};

use super::console::Console;
use crate::health::{Health, OpenIncident, locked};
use crate::mailbox::{Mail, Mailbox};
use crate::settings::Settings;

/// How long the stage waits for something to do before it looks whether it is over.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest that a pending alert's progress waits for its commit.
const PENDING_COMMIT: Duration = Duration::from_secs(10);
/// How long history may take to add to evidence.
const ENRICH_DEADLINE: Duration = Duration::from_millis(20);
/// How often old incidents and messages are removed.
const PRUNE: Duration = Duration::from_hours(1);

/// What the stage can be told.
#[derive(Debug)]
pub enum Command {
    /// Go on with these rules and routes.
    Reload(Arc<Settings>),
}

/// The analyst and what it needs.
pub struct Analyst {
    /// Rules and alert life cycle.
    pub analyzer: Analyzer,
    /// Rules, routes and names in force.
    pub settings: Arc<Settings>,
    /// Where alert state and messages are kept.
    pub ledger: SqliteLedger,
    /// The host for ever.
    pub host: HostId,
    /// The store's folder, for history.
    pub state_folder: PathBuf,
    /// Wakes the notify workers.
    pub wake: Arc<tokio::sync::Notify>,
    /// Where incidents are printed.
    pub console: Console,
    /// Where it says how it does.
    pub health: Arc<Health>,
}

impl Analyst {
    /// Works until the mailbox is closed and empty; what waits is committed then.
    pub fn run(mut self, mailbox: &Mailbox<Command>) {
        let mut waiting = Waiting::default();
        let mut pruned = Instant::now();
        loop {
            match mailbox.take(PATIENCE) {
                Some(Mail::Tick(snapshot, _)) => {
                    let changes = self.analyzer.step(&snapshot);
                    self.act(changes, &mut waiting, snapshot.at.ts_ms, Some(&snapshot));
                }
                Some(Mail::Command(Command::Reload(settings))) => {
                    let changes = self.analyzer.reload(settings.analyzer(self.host));
                    self.settings = settings;
                    self.act(changes, &mut waiting, watchkeeper_collect::wall_clock_ms(), None);
                }
                None if mailbox.is_over() => break,
                None => {}
            }
            if waiting.is_due() {
                self.commit(waiting.take(), watchkeeper_collect::wall_clock_ms());
            }
            if pruned.elapsed() >= PRUNE {
                pruned = Instant::now();
                if let Err(error) = self.ledger.prune(watchkeeper_collect::wall_clock_ms()) {
                    tracing::warn!("old incidents and messages stay for now: {error}");
                }
            }
            self.write_held();
            self.note(mailbox.dropped_total());
        }
        if !waiting.is_empty() {
            self.commit(waiting.take(), watchkeeper_collect::wall_clock_ms());
        }
    }

    /// Urgent changes are completed, planned and committed at once, with everything that waits.
    fn act(&mut self, changes: Vec<Change>, waiting: &mut Waiting, now_ms: i64, snapshot: Option<&Snapshot>) {
        if !changes.iter().any(Change::is_urgent) {
            waiting.add(changes);
            return;
        }
        let mut all = waiting.take();
        all.extend(changes);
        for change in &mut all {
            if let Change::Incident { incident, event, .. } = change {
                for contributor in &mut incident.evidence.top {
                    contributor.user = contributor.uid.and_then(watchkeeper_collect::user_name);
                }
                if !event.closes() {
                    self.enrich(change, snapshot);
                }
            }
        }
        self.commit(all, now_ms);
    }

    fn enrich(&self, change: &mut Change, snapshot: Option<&Snapshot>) {
        match Reader::open(&self.state_folder) {
            Ok(reader) => enrich(change, &reader.with_deadline(ENRICH_DEADLINE)),
            Err(error) => {
                tracing::warn!(tick = snapshot.map(|s| s.at.ts_ms), "history adds nothing to the evidence: {error}");
            }
        }
    }

    fn commit(&mut self, mut changes: Vec<Change>, now_ms: i64) {
        let rows = plan(&changes, &self.settings.routes, now_ms);
        match self.ledger.commit(&changes, &rows) {
            Ok(receipt) => {
                for change in &mut changes {
                    if let Change::Incident { incident, .. } = change {
                        let ticket = receipt.tickets.iter().find(|(key, _)| *key == incident.key);
                        incident.ticket = ticket.map(|(_, ticket)| *ticket).or(incident.ticket);
                    }
                }
                self.analyzer.committed(&changes, &receipt);
                self.note_durability(receipt.durability);
            }
            Err(error) => {
                tracing::error!("alerts are not kept: {error}");
                locked(&self.health.analyst).error = Some(error.to_string());
            }
        }
        for change in &changes {
            self.console.change(change);
        }
        if !rows.is_empty() {
            self.wake.notify_waiters();
        }
    }

    /// Moves what is held in memory to disk as soon as the disk takes it.
    fn write_held(&mut self) {
        if locked(&self.health.analyst).memory_only.is_none() {
            return;
        }
        match self.ledger.retry_held() {
            Ok(Some(receipt)) => {
                self.analyzer.committed(&[], &receipt);
                self.note_durability(receipt.durability);
            }
            Ok(None) => self.note_durability(Durability::Disk),
            Err(error) => locked(&self.health.analyst).error = Some(error.to_string()),
        }
    }

    fn note_durability(&self, durability: Durability) {
        let mut health = locked(&self.health.analyst);
        health.error = None;
        let memory_only = match durability {
            Durability::Disk => None,
            Durability::Memory(reason) => Some(reason),
        };
        match (&memory_only, &health.memory_only) {
            (Some(reason), None) => tracing::error!("alerts are only held in memory: {reason}"),
            (None, Some(_)) => tracing::info!("alerts are on disk again"),
            _ => {}
        }
        health.memory_only = memory_only;
    }

    fn note(&self, dropped: u64) {
        let counts = self.analyzer.counts();
        let mut health = locked(&self.health.analyst);
        health.rules = self.settings.rules.len() as u64;
        health.pending = counts.pending as u64;
        health.firing = counts.firing as u64;
        health.dropped = dropped;
        health.incidents = self.analyzer.open_incidents().into_iter().map(open_incident).collect();
    }
}

/// An incident in a few words for `status`.
fn open_incident(incident: &watchkeeper_core::Incident) -> OpenIncident {
    OpenIncident {
        ticket: incident.ticket,
        severity: incident.severity.word().to_owned(),
        text: title_with_culprit(&incident.title, &incident.evidence),
        opened_ms: incident.opened_ms,
    }
}

/// Changes that need not be on disk at once; of one alert only the last one counts.
#[derive(Debug, Default)]
struct Waiting {
    alerts: HashMap<Fingerprint, Change>,
    since: Option<Instant>,
}

impl Waiting {
    fn add(&mut self, changes: Vec<Change>) {
        for change in changes {
            if let Change::Alert(alert) = &change {
                self.alerts.insert(alert.fingerprint, change);
                self.since.get_or_insert_with(Instant::now);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    fn is_due(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= PENDING_COMMIT)
    }

    fn take(&mut self) -> Vec<Change> {
        self.since = None;
        self.alerts.drain().map(|(_, change)| change).collect()
    }
}
