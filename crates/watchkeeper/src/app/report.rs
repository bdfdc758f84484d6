//! What `status` is told by the running watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use watchkeeper_core::Ledger;
use watchkeeper_store::{Store, StoreHealth};

use super::App;
use crate::health::{OutboxReport, OwnUse, Report, locked, troubles};
use crate::paths::control_socket;

/// How long the store may take to say how it stands: a disk that hangs must not hide how everything else is.
const STORE_PATIENCE: Duration = Duration::from_secs(2);
/// Questions that the store may owe an answer to, before it is not asked any more.
const MOST_QUESTIONS: usize = 8;

impl App {
    /// Everything about this moment.
    pub(super) fn report(&self) -> Report {
        let current = locked(&self.current);
        let (settings, tier) = (Arc::clone(&current.settings), current.tier);
        let (channels, sinks) = (current.delivery.report(), current.sinks.report());
        drop(current);
        let mut recorder = locked(&self.health.recorder).clone();
        recorder.is_off = !self.samples;
        recorder.notices = self.store.notices().to_vec();
        let mut analyst = locked(&self.health.analyst).clone();
        let mut outbox = None;
        if let Some((store, counts)) = ask_store(&self.store, &self.store_questions) {
            recorder.log_bytes = Some(store.log_bytes);
            recorder.free_bytes = store.free_bytes;
            analyst.memory_only = store.held.map(|held| held.reason);
            outbox = counts;
        }
        let mut report = Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            host: settings.host_name.clone(),
            started_ms: self.started_ms,
            now_ms: watchkeeper_collect::wall_clock_ms(),
            now_mono_ms: watchkeeper_collect::monotonic_ms(),
            running_ms: self.started.elapsed().as_millis() as i64,
            state_folder: self.state_folder.display().to_string(),
            control_socket: control_socket(&self.state_folder).display().to_string(),
            config_file: settings.file.as_ref().map(|file| file.display().to_string()),
            config_error: locked(&self.not_taken).clone(),
            tier: tier.to_owned(),
            interval_ms: settings.config.collect.interval.ms(),
            reader: locked(&self.health.reader).clone(),
            recorder,
            sinks,
            recording: self.recording.as_ref().map(|report| locked(report).clone()),
            analyst,
            channels,
            outbox,
            own: own_use(self.started.elapsed()),
            troubles: Vec::new(),
        };
        report.troubles = troubles(&report);
        report
    }
}

/// How the store and its outbox stand; `None` if it does not answer in time.
fn ask_store(store: &Arc<Store>, open: &Arc<AtomicUsize>) -> Option<(StoreHealth, Option<OutboxReport>)> {
    if open.load(Ordering::Relaxed) >= MOST_QUESTIONS {
        return None;
    }
    let (sender, answer) = mpsc::channel();
    let (store, question) = (Arc::clone(store), Arc::clone(open));
    open.fetch_add(1, Ordering::Relaxed);
    let asked = std::thread::Builder::new().name("store-question".to_owned()).spawn(move || {
        let counts = store.ledger().ok().and_then(|mut ledger| {
            Some((ledger.outbox_counts().ok()?, ledger.silences(watchkeeper_collect::wall_clock_ms()).ok()?))
        });
        let outbox = counts.map(|(counts, silences)| OutboxReport {
            pending: counts.pending,
            sent: counts.sent,
            dead: counts.dead,
            oldest_pending_ms: counts.oldest_pending_ms,
            silences: silences.len() as u64,
        });
        // Nobody waits any more if it took too long.
        let _ = sender.send((store.health(), outbox));
        question.fetch_sub(1, Ordering::Relaxed);
    });
    if asked.is_err() {
        open.fetch_sub(1, Ordering::Relaxed);
    }
    answer.recv_timeout(STORE_PATIENCE).ok()
}

/// What the watch itself takes, on average over its age.
fn own_use(age: Duration) -> OwnUse {
    let own = watchkeeper_collect::own_use();
    let cores = |cpu_ms: u64| cpu_ms as f64 / 1_000.0 / age.as_secs_f64();
    OwnUse {
        cpu_ms: own.cpu_ms,
        cores: own.cpu_ms.filter(|_| !age.is_zero()).map(cores),
        resident_bytes: own.resident_bytes,
    }
}
