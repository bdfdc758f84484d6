//! Plays a recording through an analyzer: the same calls in the same order as in the watch.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde_json::Value;
use watchkeeper_analyze::{Analyzer, Rule};
use watchkeeper_core::port::{Durability, LoadedState, Receipt};
use watchkeeper_core::{Change, HostId, IncidentEvent, IncidentKey, Problem, Snapshot};
use watchkeeper_store::{SnapshotFileEntry, SnapshotFileReader};

use crate::settings::RecordedSettings;

/// What an entry of the recording led to.
#[derive(Debug)]
pub enum Played {
    /// What the analyzer made of a tick or of other settings; may be nothing.
    Changes(Vec<Change>),
    /// Numbers that incidents were given.
    Tickets(Vec<(IncidentKey, i64)>),
}

/// What was played and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Ticks.
    pub ticks: u64,
    /// Time of the first and of the last one, milliseconds UTC.
    pub from_ms: Option<i64>,
    /// See `from_ms`.
    pub to_ms: Option<i64>,
    /// Rules in force at the end.
    pub rules: u64,
    /// Incidents that were opened.
    pub opened: u64,
    /// Incidents that were closed.
    pub closed: u64,
    /// Incidents that are open at the end.
    pub open: u64,
    /// Ticks that the rules were given and that are not in the recording; `None` if nothing is missing.
    pub lost: Option<u64>,
    /// Ticks that never reached the rules.
    pub dropped: u64,
    /// The end is missing.
    pub is_cut: bool,
}

/// A recording and the analyzer that it is played through.
pub struct Player {
    reader: SnapshotFileReader,
    analyzer: Analyzer,
    host: HostId,
    /// Rules that are in force instead of the recorded ones.
    rules: Option<Vec<Rule>>,
    summary: Summary,
}

/// Settings as they stand in a recording.
///
/// # Errors
/// They are those of another version.
pub fn recorded_settings(settings: Value) -> anyhow::Result<RecordedSettings> {
    serde_json::from_value(settings).context("the settings in the recording cannot be understood")
}

impl Player {
    /// Begins with the settings of the header, or with these rules instead of the recorded ones.
    ///
    /// # Errors
    /// Recorded rules that this program cannot go by.
    pub fn new(
        reader: SnapshotFileReader,
        settings: RecordedSettings,
        rules: Option<Vec<Rule>>,
    ) -> anyhow::Result<Self> {
        let header = reader.header();
        let host = header.host;
        let state = LoadedState { host, alerts: header.alerts.clone(), incidents: header.incidents.clone() };
        let settings = with_rules(settings, host, rules.as_ref())?;
        let summary = Summary { rules: settings.rules.len() as u64, ..Summary::default() };
        Ok(Self { reader, analyzer: Analyzer::new(settings, state), host, rules, summary })
    }

    /// Plays one entry; `None` at the end.
    ///
    /// # Errors
    /// The recording is damaged here, or holds settings that this program cannot go by.
    pub fn play(&mut self) -> anyhow::Result<Option<Played>> {
        let Some(entry) = self.reader.entry()? else {
            self.summary.is_cut = self.reader.is_cut();
            return Ok(None);
        };
        Ok(Some(match entry {
            SnapshotFileEntry::Snapshot(snapshot) => Played::Changes(self.step(&snapshot)),
            SnapshotFileEntry::Settings(settings) => {
                let settings = with_rules(recorded_settings(settings)?, self.host, self.rules.as_ref())?;
                self.summary.rules = settings.rules.len() as u64;
                let changes = self.analyzer.reload(settings);
                Played::Changes(self.count(changes))
            }
            SnapshotFileEntry::Committed { changes, tickets } => {
                let receipt = Receipt { tickets, durability: Durability::Disk };
                self.analyzer.committed(&changes, &receipt);
                Played::Tickets(receipt.tickets)
            }
            SnapshotFileEntry::Lost { ticks } => {
                self.summary.lost = Some(self.summary.lost.unwrap_or(0).saturating_add(ticks));
                Played::Changes(Vec::new())
            }
        }))
    }

    /// What was played until now.
    pub fn summary(&self) -> Summary {
        Summary { open: self.analyzer.open_incidents().len() as u64, ..self.summary.clone() }
    }

    fn step(&mut self, snapshot: &Arc<Snapshot>) -> Vec<Change> {
        let at_ms = snapshot.at.ts_ms;
        self.summary.ticks += 1;
        self.summary.from_ms.get_or_insert(at_ms);
        self.summary.to_ms = Some(at_ms);
        self.summary.dropped += u64::from(snapshot.dropped);
        let changes = self.analyzer.step(snapshot);
        self.count(changes)
    }

    fn count(&mut self, changes: Vec<Change>) -> Vec<Change> {
        for change in &changes {
            if let Change::Incident { event, .. } = change {
                self.summary.opened += u64::from(*event == IncidentEvent::Opened);
                self.summary.closed += u64::from(event.closes());
            }
        }
        changes
    }
}

fn with_rules(
    settings: RecordedSettings,
    host: HostId,
    rules: Option<&Vec<Rule>>,
) -> anyhow::Result<watchkeeper_analyze::Settings> {
    let Some(rules) = rules else { return settings.analyzer(host).map_err(|problems| unusable(&problems)) };
    let RecordedSettings { host_name, labels, time_zone, .. } = settings;
    Ok(watchkeeper_analyze::Settings { host, host_name, labels, time_zone, rules: rules.clone() })
}

fn unusable(problems: &[Problem]) -> anyhow::Error {
    let problems: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    anyhow!(
        "this version cannot go by the recorded rules: {}; `--rules current` plays it through those of the configuration",
        problems.join("; ")
    )
}

#[cfg(test)]
mod tests;
