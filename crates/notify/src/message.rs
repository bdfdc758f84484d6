//! What a message says: the rows of one recipient as data that is ready to be shown. Each channel puts it into its own
//! words; everything in here is cleaned of what could harm a terminal or a header, markup is the templates' business.

mod entry;
mod storm;

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::Serialize;
use watchkeeper_core::incident::{Incident, IncidentEvent, IncidentKey};
use watchkeeper_core::outbox::Due;
use watchkeeper_core::text;

pub(crate) use entry::Entry;
use storm::Storm;

/// Incidents that are told in full; the others of a message are one line each.
const FULL: usize = 4;
/// More incidents than this are a table of one line each, and no incident is told in full.
const TABLE: usize = 20;
/// Incidents that are named in one message.
const NAMED: usize = 40;
/// A message that is this much later than planned says so, milliseconds.
const LATE_MS: i64 = 300_000;

/// Who the messages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Name of this host.
    pub host: String,
    /// IANA name of the time zone of messages that belong to no incident.
    pub time_zone: String,
}

/// What one message says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct View {
    /// One line that says it all.
    pub(crate) subject: String,
    /// A test message: there are no entries.
    pub(crate) test: bool,
    /// The host that speaks.
    pub(crate) host: String,
    /// The channel it goes through.
    pub(crate) channel: String,
    /// How late it is, e.g. `3 h`, if it is late.
    pub(crate) delayed: Option<String>,
    /// Local time at which it was planned.
    pub(crate) planned: String,
    /// Why it could not be written to disk, if it is only held in memory.
    pub(crate) memory_only: Option<String>,
    /// Incidents told in full, gravest first.
    pub(crate) entries: Vec<Entry>,
    /// Further incidents, one line each.
    pub(crate) brief: Vec<Entry>,
    /// Very many incidents as a table, instead of all entries.
    pub(crate) storm: Option<Storm>,
}

impl View {
    /// What the rows of one recipient say at this time. The rows are in the order of the outbox.
    pub(crate) fn of(rows: &[Due], origin: &Origin, now_ms: i64) -> Self {
        let told = told(rows);
        let storm = (told.len() > TABLE).then(|| Storm::of(&told));
        let told = if storm.is_some() { Vec::new() } else { told };
        let mut entries: Vec<Entry> = told.into_iter().map(|(incident, events)| Entry::of(incident, &events)).collect();
        entries.sort_by_key(|entry| entry.rank);
        let planned_ms = rows.iter().map(|due| due.row.created_ms).min().unwrap_or(now_ms);
        // A group may wait long because its route says so: that alone is not late.
        let due_ms = rows.iter().map(|due| if due.attempts > 0 { due.row.created_ms } else { due.row.due_ms }).min();
        let is_late = due_ms.is_some_and(|due_ms| now_ms.saturating_sub(due_ms) >= LATE_MS);
        let delayed = is_late.then(|| rounded(now_ms - planned_ms));
        let host = text::clean(&origin.host, 80);
        let channel = rows.first().map_or_else(String::new, |due| text::clean(&due.row.channel, 80));
        let brief = entries.split_off(FULL.min(entries.len()));
        let zone = rows
            .iter()
            .find_map(|due| due.incident.as_deref())
            .map_or_else(|| zone_named(&origin.time_zone), |incident| zone_named(&incident.evidence.time_zone));
        let mut view = Self {
            subject: String::new(),
            test: rows.iter().all(|due| due.row.incident.is_none()),
            host,
            channel,
            delayed,
            planned: text::local_time(planned_ms, &zone),
            memory_only: rows.iter().find_map(|due| due.memory_only.as_deref()).map(|why| text::clean(why, 300)),
            entries,
            brief,
            storm,
        };
        view.subject = view.one_line();
        view
    }

    /// `[CRITICAL] [delayed 3 h] db1: CPU above 90 %: yes (pid 4711) takes 49.8 % of this machine's CPU (+2 more)`.
    fn one_line(&self) -> String {
        let delayed = self.delayed.as_ref().map(|delay| format!("[delayed {delay}] ")).unwrap_or_default();
        if let Some(storm) = &self.storm {
            return format!("[{}] {delayed}{}: {}", storm.status, storm.host, text::clean(&storm.line, 200));
        }
        let Some(lead) = self.entries.first() else {
            return format!("[TEST] {delayed}{}: Watchkeeper can reach you through {}", self.host, self.channel);
        };
        let others = self.entries.len() - 1 + self.brief.len();
        let others = if others > 0 { format!(" (+{others} more)") } else { String::new() };
        format!("[{}] {delayed}{}: {}{others}", lead.status, lead.host, text::clean(&lead.line, 200))
    }
}

/// An incident with the events that are told of it, in their order.
type Told<'a> = (&'a Incident, Vec<IncidentEvent>);

/// The incidents in the rows, in the order in which they first appear.
fn told(rows: &[Due]) -> Vec<Told<'_>> {
    let mut told: Vec<Told<'_>> = Vec::new();
    let mut places: HashMap<IncidentKey, usize> = HashMap::new();
    for due in rows {
        let (Some(incident), Some(event)) = (due.incident.as_deref(), due.row.event) else { continue };
        let place = *places.entry(incident.key).or_insert_with(|| {
            told.push((incident, Vec::new()));
            told.len() - 1
        });
        told[place].1.push(event);
    }
    told
}

/// The zone with this name; UTC for a name that this machine does not know.
pub(crate) fn zone_named(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// A length of time in its largest unit: `3 h`, `25 m`.
fn rounded(ms: i64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0..60 => format!("{minutes} m"),
        60..1_440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1_440),
    }
}
