//! The stage that writes the recording of `run --recording`: everything that the analyzer is given, in its order.
//!
//! The analyst puts it on the tape and goes on at once; the thread behind it writes. When that one falls behind, what
//! finds no room is lost, counted, and the recording says so.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use watchkeeper_core::port::{LoadedState, Receipt};
use watchkeeper_core::{Change, Snapshot};
use watchkeeper_store::{SnapshotFileEntry, SnapshotFileError, SnapshotFileHeader, SnapshotFileWriter};

use super::stage::Stage;
use crate::health::{RecordingReport, locked};
use crate::settings::Settings;
use crate::signals;

/// Entries that may wait in front of the stage: seconds, for ticks are large.
const CAPACITY: usize = 32;
/// What waits is written after so long without anything new.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the analyst puts what the analyzer is given. The default records nothing.
#[derive(Debug, Default)]
pub struct Tape {
    entries: Option<SyncSender<SnapshotFileEntry>>,
    /// Ticks that found no room, and that nobody was told of.
    lost: Option<u64>,
    /// Settings that found no room.
    owed: Option<Value>,
    /// All ticks that found no room.
    in_front: Arc<AtomicU64>,
    /// How the recording does: whoever asks is told at once, also while its stage is stuck.
    report: Option<Arc<Mutex<RecordingReport>>>,
}

impl Tape {
    /// A tick, before it is evaluated.
    pub fn snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        self.put(|| SnapshotFileEntry::Snapshot(Arc::clone(snapshot)));
    }

    /// Other settings, before they are in force.
    pub fn settings(&mut self, settings: &Settings) {
        self.put(|| SnapshotFileEntry::Settings(settings.recorded()));
    }

    /// What came of changes, before the analyzer takes it over.
    pub fn committed(&mut self, changes: &[Change], receipt: &Receipt) {
        let incidents = || changes.iter().filter(|change| matches!(change, Change::Incident { .. }));
        // Alerts alone change nothing for the analyzer.
        if incidents().next().is_some() || !receipt.tickets.is_empty() {
            let tickets = receipt.tickets.clone();
            self.put(|| SnapshotFileEntry::Committed { changes: incidents().cloned().collect(), tickets });
        }
    }

    fn put(&mut self, entry: impl FnOnce() -> SnapshotFileEntry) {
        let Some(entries) = &self.entries else { return };
        let entry = entry();
        // What was lost comes first, then the settings that it goes on with.
        if let Some(ticks) = self.lost
            && entries.try_send(SnapshotFileEntry::Lost { ticks }).is_ok()
        {
            self.lost = None;
        }
        if self.lost.is_none()
            && let Some(settings) = self.owed.take()
            && entries.try_send(SnapshotFileEntry::Settings(settings.clone())).is_err()
        {
            (self.lost, self.owed) = (Some(0), Some(settings));
        }
        if self.lost.is_some() {
            self.lose(entry);
        } else if let Err(error) = entries.try_send(entry) {
            use std::sync::mpsc::TrySendError::{Disconnected, Full};
            let (Full(entry) | Disconnected(entry)) = error;
            self.lose(entry);
        }
    }

    fn lose(&mut self, entry: SnapshotFileEntry) {
        let tick = u64::from(matches!(entry, SnapshotFileEntry::Snapshot(_)));
        self.lost = Some(self.lost.unwrap_or(0) + tick);
        self.in_front.fetch_add(tick, Ordering::Relaxed);
        if let Some(report) = &self.report {
            locked(report).lost += tick;
        }
        if let SnapshotFileEntry::Settings(settings) = entry {
            self.owed = Some(settings);
        }
    }
}

/// A recording that was begun: the file is there, its stage is not.
#[derive(Debug)]
pub struct Recording {
    writer: SnapshotFileWriter,
    report: Arc<Mutex<RecordingReport>>,
}

impl Recording {
    /// Makes the file and writes its header.
    ///
    /// # Errors
    /// The file holds something, is none, or cannot be written.
    pub fn begin(path: &Path, settings: &Settings, tier: &str, state: &LoadedState) -> Result<Self, SnapshotFileError> {
        let header = SnapshotFileHeader {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            host: state.host,
            tier: tier.to_owned(),
            settings: settings.recorded(),
            alerts: state.alerts.clone(),
            incidents: state.incidents.clone(),
        };
        let writer = SnapshotFileWriter::create(path, &header)?;
        let report = RecordingReport { path: path.display().to_string(), ..RecordingReport::default() };
        Ok(Self { writer, report: Arc::new(Mutex::new(report)) })
    }

    /// How it does, from now on.
    pub fn report(&self) -> Arc<Mutex<RecordingReport>> {
        Arc::clone(&self.report)
    }

    /// Starts the stage; it ends when the tape is gone and everything is written.
    pub fn start(self, events: &signals::Handle) -> anyhow::Result<(Tape, Stage)> {
        let (sender, entries) = sync_channel(CAPACITY);
        let in_front: Arc<AtomicU64> = Arc::default();
        let tape = Tape {
            entries: Some(sender),
            in_front: Arc::clone(&in_front),
            report: Some(self.report()),
            ..Tape::default()
        };
        let keeper = Keeper { writer: self.writer, report: self.report, in_front, told: 0 };
        let stage = Stage::start("recording", events, move || keeper.run(&entries))?;
        Ok((tape, stage))
    }
}

/// The stage behind the tape.
struct Keeper {
    writer: SnapshotFileWriter,
    report: Arc<Mutex<RecordingReport>>,
    /// All ticks that found no room in front of it.
    in_front: Arc<AtomicU64>,
    /// Those of them that it was told of.
    told: u64,
}

impl Keeper {
    fn run(mut self, entries: &Receiver<SnapshotFileEntry>) {
        loop {
            match entries.recv_timeout(PATIENCE) {
                Ok(entry) => self.write(&entry),
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => return self.flush(),
            }
        }
    }

    fn write(&mut self, entry: &SnapshotFileEntry) {
        let before = self.writer.length_bytes();
        if let SnapshotFileEntry::Lost { ticks } = entry {
            self.told += ticks;
        }
        let result = self.writer.write(entry);
        // Between two frames nobody knows whether the disk takes the next one.
        if result.is_err() || self.writer.length_bytes() != before {
            self.note(result.err());
        }
        locked(&self.report).ticks += u64::from(matches!(entry, SnapshotFileEntry::Snapshot(_)));
    }

    fn flush(&mut self) {
        let before = self.writer.length_bytes();
        let result = self.writer.flush();
        if result.is_err() || self.writer.length_bytes() != before {
            self.note(result.err());
        }
    }

    /// Says the first of several errors, and their end, once.
    fn note(&self, error: Option<SnapshotFileError>) {
        let mut report = locked(&self.report);
        let error = error.map(|error| error.to_string());
        match (&error, &report.error) {
            (Some(text), None) => tracing::error!("{text}; the watch goes on"),
            (None, Some(_)) => tracing::info!("the recording {} is written again", report.path),
            _ => {}
        }
        report.bytes = self.writer.length_bytes();
        // The writer counts those that it was told of.
        let in_front = self.in_front.load(Ordering::Relaxed);
        report.lost = self.writer.lost_ticks().saturating_sub(self.told).saturating_add(in_front);
        report.error = error;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, Sources, load};
    use watchkeeper_core::{BootId, HostId, Moment};

    fn snapshot(second: i64) -> Arc<Snapshot> {
        let at = Moment { ts_ms: second, mono_ms: second, suspended_ms: 0, boot: BootId::default() };
        Arc::new(Snapshot::unknown(at, 1_000))
    }

    fn settings(text: &str) -> Settings {
        let file = SourceFile { path: "watchkeeper.toml".into(), text: text.to_owned() };
        Settings::build(&load(Sources { file: Some(file), ..Sources::default() }).unwrap()).unwrap()
    }

    #[test]
    fn what_finds_no_room_is_said_before_it_goes_on_with_the_settings_in_force() {
        let (sender, entries) = sync_channel(3);
        let mut tape = Tape { entries: Some(sender), ..Tape::default() };
        let (first, second) = (settings("host.name = \"first\""), settings("host.name = \"second\""));
        for second in 0..5 {
            tape.snapshot(&snapshot(second));
        }
        tape.settings(&first);
        tape.settings(&second);
        let tick = |second| SnapshotFileEntry::Snapshot(snapshot(second));
        let mut taken: Vec<SnapshotFileEntry> = entries.try_iter().collect();
        assert_eq!(taken, [tick(0), tick(1), tick(2)]);
        tape.snapshot(&snapshot(5));
        tape.snapshot(&snapshot(6));
        taken = entries.try_iter().collect();
        assert_eq!(
            taken,
            [SnapshotFileEntry::Lost { ticks: 2 }, SnapshotFileEntry::Settings(second.recorded()), tick(5)]
        );
        tape.snapshot(&snapshot(7));
        taken = entries.try_iter().collect();
        assert_eq!(taken, [SnapshotFileEntry::Lost { ticks: 1 }, tick(7)]);
    }

    #[test]
    fn what_finds_no_room_is_counted_at_once_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = LoadedState { host: HostId::default(), alerts: Vec::new(), incidents: Vec::new() };
        let path = folder.path().join("night.zst");
        let recording = Recording::begin(&path, &settings(""), "proc", &state).unwrap();
        let (sender, entries) = sync_channel(2);
        let report = recording.report();
        let in_front: Arc<AtomicU64> = Arc::default();
        let mut tape = Tape {
            entries: Some(sender),
            in_front: Arc::clone(&in_front),
            report: Some(Arc::clone(&report)),
            ..Tape::default()
        };
        for second in 0..5 {
            tape.snapshot(&snapshot(second));
        }
        assert_eq!(locked(&report).lost, 3, "the stage is stuck");
        let mut keeper = Keeper { writer: recording.writer, report: Arc::clone(&report), in_front, told: 0 };
        let mut write_all = || entries.try_iter().for_each(|entry| keeper.write(&entry));
        write_all();
        // The loss and one tick: the next one is lost as well.
        tape.snapshot(&snapshot(5));
        tape.snapshot(&snapshot(6));
        write_all();
        keeper.flush();
        let report = locked(&report).clone();
        assert_eq!((report.lost, report.ticks, report.error), (4, 3, None));
    }

    #[test]
    fn without_a_recording_nothing_is_kept() {
        let mut tape = Tape::default();
        tape.snapshot(&snapshot(1));
        assert_eq!((tape.lost, tape.owed), (None, None));
    }
}
