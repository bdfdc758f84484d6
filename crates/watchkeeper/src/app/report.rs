//! What `status` is told by the running watch.

use std::sync::Arc;

use watchkeeper_core::Ledger;
use watchkeeper_core::port::OutboxCounts;

use super::App;
use crate::health::{OutboxReport, OwnUse, Report, locked, troubles};
use crate::paths::control_socket;

impl App {
    /// Everything about this moment.
    pub(super) fn report(&self) -> Report {
        let now_ms = watchkeeper_collect::wall_clock_ms();
        let current = locked(&self.current);
        let settings = Arc::clone(&current.settings);
        let channels = current.delivery.as_ref().map(super::delivery::Delivery::report).unwrap_or_default();
        drop(current);
        let store = self.store.health();
        let mut recorder = locked(&self.health.recorder).clone();
        recorder.log_bytes = store.log_bytes;
        recorder.free_bytes = store.free_bytes;
        let counts = self.store.ledger().ok().and_then(|mut ledger| ledger.outbox_counts().ok()).unwrap_or_default();
        let mut report = Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            host: settings.host_name.clone(),
            started_ms: self.started_ms,
            now_ms,
            state_folder: self.state_folder.display().to_string(),
            control_socket: control_socket(&self.state_folder).display().to_string(),
            config_file: settings.file.as_ref().map(|file| file.display().to_string()),
            tier: (*locked(&self.tier)).to_owned(),
            interval_ms: settings.config.collect.interval.ms(),
            reader: locked(&self.health.reader).clone(),
            recorder,
            analyst: locked(&self.health.analyst).clone(),
            channels,
            outbox: outbox(counts),
            own: own_use(now_ms - self.started_ms),
            troubles: Vec::new(),
        };
        report.troubles = troubles(&report);
        report
    }
}

fn outbox(counts: OutboxCounts) -> OutboxReport {
    OutboxReport {
        pending: counts.pending,
        sent: counts.sent,
        dead: counts.dead,
        oldest_pending_ms: counts.oldest_pending_ms,
    }
}

/// CPU time of this process by its own clock, and its resident memory where the kernel tells.
fn own_use(age_ms: i64) -> OwnUse {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu_ms = (time.tv_sec * 1_000 + time.tv_nsec / 1_000_000).max(0) as u64;
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    OwnUse {
        cpu_ms,
        cores: if age_ms > 0 { cpu_ms as f64 / age_ms as f64 } else { 0.0 },
        resident_bytes: resident.map(|pages| pages * rustix::param::page_size() as u64),
    }
}
