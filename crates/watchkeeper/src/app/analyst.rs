//! The stage that evaluates rules, keeps alerts, and decides who is told: step, enrich, plan, commit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper_analyze::{Analyzer, enrich};
use watchkeeper_core::evidence::Known;
use watchkeeper_core::port::LedgerError;
use watchkeeper_core::text::title_with_culprit;
use watchkeeper_core::{Change, Fingerprint, HostId, Incident};
use watchkeeper_notify::plan;
use watchkeeper_store::{Reader, SqliteLedger};

use super::console::Console;
use super::queue::Queue;
use super::tape::Tape;
use crate::health::{Health, OpenIncident, locked};
use crate::mailbox::{Mail, Mailbox};
use crate::settings::Settings;

/// How long the stage waits for something to do before it looks whether it is over.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a pending alert's progress waits for its commit: ten seconds at the most, with the stage's own wait.
const PENDING_COMMIT: Duration = Duration::from_secs(9);
/// How long history may take to add to the evidence of all incidents of a tick.
const ENRICH_DEADLINE: Duration = Duration::from_millis(20);
/// How often it is asked for how long messages have waited.
const ASK_OUTBOX: Duration = Duration::from_secs(5);
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
    /// What is on its way there.
    pub queue: Queue,
    /// The host for ever.
    pub host: HostId,
    /// The store's folder, for history.
    pub state_folder: PathBuf,
    /// The watch keeps a log: what is not known yet will be.
    pub samples: bool,
    /// Wakes the notify workers.
    pub wake: Arc<tokio::sync::Notify>,
    /// Where incidents are printed.
    pub console: Console,
    /// Where it says how it does.
    pub health: Arc<Health>,
    /// What the analyzer is given is recorded here.
    pub tape: Tape,
}

impl Analyst {
    /// Works until the mailbox is closed and empty; what waits is committed then.
    pub fn run(mut self, mailbox: &Mailbox<Command>) {
        let mut waiting = Waiting::default();
        let mut pruned = Instant::now();
        let mut asked: Option<Instant> = None;
        loop {
            match mailbox.take(PATIENCE) {
                Some(Mail::Tick(snapshot, _)) => {
                    self.tape.snapshot(&snapshot);
                    let changes = self.analyzer.step(&snapshot);
                    self.act(changes, &mut waiting, snapshot.at.ts_ms);
                    locked(&self.health.analyst).last_tick_mono_ms = Some(snapshot.at.mono_ms);
                }
                Some(Mail::Command(Command::Reload(settings))) => {
                    self.tape.settings(&settings);
                    let changes = self.analyzer.reload(settings.analyzer(self.host));
                    self.console.set_zone(settings.zone.clone());
                    self.settings = settings;
                    self.act(changes, &mut waiting, watchkeeper_collect::wall_clock_ms());
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
            self.try_again();
            if asked.is_none_or(|asked| asked.elapsed() >= ASK_OUTBOX) {
                asked = Some(Instant::now());
                self.ask_outbox();
            }
            self.note(mailbox.dropped_total());
        }
        // How long an alert has waited is otherwise written every ten seconds.
        waiting.add(self.analyzer.waiting());
        if !waiting.is_empty() {
            self.commit(waiting.take(), watchkeeper_collect::wall_clock_ms());
        }
    }

    /// Urgent changes are completed, planned and committed at once, with everything that waits.
    fn act(&mut self, changes: Vec<Change>, waiting: &mut Waiting, now_ms: i64) {
        if !changes.iter().any(Change::is_urgent) {
            waiting.add(changes);
            return;
        }
        let mut all = waiting.take();
        all.extend(changes);
        self.complete(&mut all);
        self.commit(all, now_ms);
    }

    /// Adds what the analyzer cannot know: names of users, and what history says within one deadline for all.
    fn complete(&self, changes: &mut [Change]) {
        let mut history = None;
        for change in changes {
            let Change::Incident { incident, event, .. } = change else { continue };
            for contributor in &mut incident.evidence.top {
                contributor.user = contributor.uid.and_then(watchkeeper_collect::user_name);
            }
            if event.closes() {
                continue;
            }
            let history = history.get_or_insert_with(|| {
                let opened = Reader::open(&self.state_folder).map(|reader| reader.with_deadline(ENRICH_DEADLINE));
                opened.inspect_err(|error| tracing::warn!("history adds nothing to the evidence: {error}")).ok()
            });
            if let Some(history) = history {
                enrich(change, history);
            }
            if !self.samples
                && let Change::Incident { incident, .. } = change
                && matches!(incident.evidence.usual, Known::NotYet)
            {
                incident.evidence.usual = Known::NoLog;
            }
        }
    }

    fn commit(&mut self, changes: Vec<Change>, now_ms: i64) {
        let rows = plan(&changes, &self.settings.routes, now_ms);
        let has_messages = !rows.is_empty();
        let mut shown: Vec<Change> =
            changes.iter().filter(|change| matches!(change, Change::Incident { .. })).cloned().collect();
        self.queue.push(changes, rows);
        self.try_queue(&mut shown);
        // The message first: nobody may be reading what is printed.
        if has_messages {
            self.wake.notify_waiters();
        }
        self.console.changes(&shown);
    }

    /// Commits what waits in the queue and gives the incidents among `shown` their numbers.
    fn try_queue(&mut self, shown: &mut [Change]) {
        let (analyzer, tape) = (&mut self.analyzer, &mut self.tape);
        let result = self.queue.commit(&mut self.ledger, |changes, receipt| {
            tape.committed(changes, receipt);
            analyzer.committed(changes, receipt);
            for change in &mut *shown {
                if let Change::Incident { incident, .. } = change
                    && let Some((_, ticket)) = receipt.tickets.iter().find(|(key, _)| *key == incident.key)
                {
                    incident.ticket = Some(*ticket);
                }
            }
        });
        self.note_error(result.err());
    }

    /// Tries again what could not be kept, and moves what is held in memory to disk as soon as the disk takes it.
    fn try_again(&mut self) {
        if !self.queue.is_empty() {
            self.try_queue(&mut []);
            self.wake.notify_waiters();
        }
        match self.ledger.retry_held() {
            Ok(receipt) => {
                if let Some(receipt) = receipt {
                    self.tape.committed(&[], &receipt);
                    self.analyzer.committed(&[], &receipt);
                }
                if self.queue.is_empty() {
                    self.note_error(None);
                }
            }
            Err(error) => self.note_error(Some(error)),
        }
    }

    /// Notes for how long messages have waited; what cannot be read now is as it was.
    fn ask_outbox(&mut self) {
        match self.ledger.waiting_since(watchkeeper_collect::wall_clock_ms()) {
            Ok(since_ms) => *locked(&self.health.waiting_since_ms) = since_ms,
            Err(error) => tracing::debug!("it is not known for how long messages have waited: {error}"),
        }
    }

    /// Says a new error once.
    fn note_error(&self, error: Option<LedgerError>) {
        let error = error.map(|error| error.to_string());
        let known = &mut locked(&self.health.analyst).error;
        if let Some(text) = error.as_ref().filter(|text| known.as_ref() != Some(text)) {
            tracing::error!("alerts are not kept: {text}");
        }
        *known = error;
    }

    fn note(&self, dropped: u64) {
        let counts = self.analyzer.counts();
        let mut health = locked(&self.health.analyst);
        health.rules = self.settings.rules.len() as u64;
        health.pending = counts.pending as u64;
        health.firing = counts.firing as u64;
        health.recovering = counts.recovering as u64;
        health.dropped = dropped;
        health.lost = self.queue.lost();
        health.memory_only = self.ledger.held_because();
        health.incidents = self.analyzer.open_incidents().into_iter().map(open_incident).collect();
    }
}

/// An incident in a few words for `status`.
fn open_incident(incident: &Incident) -> OpenIncident {
    OpenIncident {
        ticket: incident.ticket.filter(|ticket| *ticket > 0),
        severity: incident.severity.word().to_owned(),
        text: title_with_culprit(&incident.title, &incident.evidence) + &incident.counts(),
        opened_ms: incident.opened_ms,
    }
}

/// Changes that need not be on disk at once; of one alert only the last one counts.
#[derive(Debug, Default)]
struct Waiting {
    alerts: BTreeMap<Fingerprint, Change>,
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
        std::mem::take(&mut self.alerts).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_core::{Alert, AlertState, Entity};

    fn alert(number: u64, state: AlertState) -> Change {
        Change::Alert(Alert {
            fingerprint: Fingerprint(number),
            rule: "busy".to_owned(),
            metric: "system.cpu.utilization".to_owned(),
            entity: Entity::Host,
            state,
            since_ms: 0,
            observed_ms: 0,
            fired_ms: None,
            ended_ms: None,
            value: None,
            seen_ms: 0,
            incident: None,
        })
    }

    #[test]
    fn of_a_waiting_alert_only_the_last_change_counts_and_the_order_is_always_the_same() {
        let mut waiting = Waiting::default();
        assert!(waiting.is_empty() && !waiting.is_due());
        waiting.add((0..50).rev().map(|number| alert(number, AlertState::Pending)).collect());
        // It has to be removed where it may already be on disk.
        waiting.add(vec![alert(7, AlertState::Inactive)]);
        assert!(!waiting.is_empty() && !waiting.is_due(), "it waits for others");
        waiting.since = Instant::now().checked_sub(PENDING_COMMIT);
        assert!(waiting.is_due());
        let state = |number| if number == 7 { AlertState::Inactive } else { AlertState::Pending };
        let expected: Vec<Change> = (0..50).map(|number| alert(number, state(number))).collect();
        assert_eq!(waiting.take(), expected);
        assert!(waiting.is_empty() && !waiting.is_due());
    }
}
