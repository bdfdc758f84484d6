//! Very many incidents in one message: a table.

use serde::Serialize;
use watchkeeper_core::{Incident, Severity, text};

use super::entry::{over_word, status};
use super::{NAMED, Told, zone_named};

/// Very many incidents, ready to be shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Storm {
    /// That of the gravest.
    pub(super) status: &'static str,
    /// What colours it.
    tone: &'static str,
    /// Where the first of them happens.
    pub(super) host: String,
    /// All in one line: `214 incidents since 03:02:00, first of them: CPU above 90 %`.
    pub(super) line: String,
    /// How many are how grave, and how many are over.
    counts: String,
    /// Gravest first, what is over last; of the same gravity the oldest first.
    lines: Vec<StormLine>,
    /// Incidents that are not named.
    left_out: usize,
}

/// One incident of them.
#[derive(Clone, Debug, Serialize)]
struct StormLine {
    status: &'static str,
    tone: &'static str,
    title: String,
    culprit: Option<String>,
    /// Local time of the day.
    since: String,
    ticket: String,
}

impl Storm {
    /// What is to be said about these incidents; there is at least one.
    pub(super) fn of(told: &[Told<'_>]) -> Self {
        let mut order: Vec<&Told<'_>> = told.iter().collect();
        order.sort_by_key(|(incident, events)| {
            let over = events.iter().any(|event| event.closes());
            (over, std::cmp::Reverse(incident.severity), incident.opened_ms, incident.ticket)
        });
        let lines: Vec<StormLine> = order.iter().take(NAMED).map(|told| StormLine::of(told)).collect();
        let open = |severity| {
            let is = |(incident, events): &&Told<'_>| {
                incident.severity == severity && !events.iter().any(|event| event.closes())
            };
            told.iter().filter(is).count()
        };
        let mut counts: Vec<String> = Severity::ALL
            .into_iter()
            .rev()
            .map(|severity| (open(severity), severity.word()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let over = told.iter().filter(|(_, events)| events.iter().any(|event| event.closes())).count();
        if over > 0 {
            counts.push(format!("{over} over"));
        }
        let counts = counts.join(", ");
        let since = told.iter().map(|(incident, _)| *incident).min_by_key(|incident| incident.opened_ms);
        let since = since.map(clock).unwrap_or_default();
        let (lead, host) = match order.first() {
            Some((incident, _)) => (text::clean(&incident.title, 120), text::clean(&incident.host, 80)),
            None => Default::default(),
        };
        let line = if over == told.len() {
            format!("{over} incidents since {since} are over")
        } else {
            format!("{} incidents since {since}, first of them: {lead}", told.len())
        };
        let (status, tone) = lines.first().map_or(("RESOLVED", "resolved"), |line| (line.status, line.tone));
        Self { status, tone, host, line, counts, left_out: told.len() - lines.len(), lines }
    }
}

impl StormLine {
    fn of((incident, events): &Told<'_>) -> Self {
        let over = events.iter().rev().find(|event| event.closes()).copied();
        let title = text::clean(&incident.title, 120);
        Self {
            status: status(over, incident.severity),
            tone: over.map_or(incident.severity.word(), |_| "resolved"),
            culprit: text::culprit_sentence(&incident.evidence).filter(|_| over.is_none()),
            title: match over {
                Some(_) => format!("{title}{}, {}", incident.counts(), over_word(over)),
                None => format!("{title}{}", incident.counts()),
            },
            since: clock(incident),
            ticket: incident.ticket.filter(|ticket| *ticket > 0).map_or("-".to_owned(), |ticket| format!("#{ticket}")),
        }
    }
}

/// Local time of the day at which it opened.
fn clock(incident: &Incident) -> String {
    let zone = zone_named(&incident.evidence.time_zone);
    text::local_time(incident.opened_ms, &zone).get(11..19).map(str::to_owned).unwrap_or_default()
}
