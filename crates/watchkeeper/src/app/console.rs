//! What `run` says on standard output: the banner and the incidents.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{SyncSender, sync_channel};

use jiff::tz::TimeZone;
use watchkeeper_core::text::{clean, duration, local_time, title_with_culprit, trend_sentence, value_words};
use watchkeeper_core::{Change, Gap, Incident, IncidentEvent, Severity};

use super::stage::Stage;
use crate::signals::Handle;

/// Texts that wait while standard output takes none: a terminal that is paused, a pipe that nobody reads.
const MOST_WAITING: usize = 256;

/// Incidents of one tick that are printed.
const MOST_SHOWN: usize = 20;

/// Writes to standard output in a thread of its own; nobody reading there is no reason to stop watching.
#[derive(Clone, Debug)]
pub struct Console {
    zone: TimeZone,
    colour: bool,
    texts: SyncSender<String>,
}

impl Console {
    /// Local times in this zone; colours only where a terminal looks on and `NO_COLOR` is not set. The stage ends when the
    /// last clone is gone and everything is written.
    pub fn start(zone: TimeZone, events: &Handle) -> anyhow::Result<(Self, Stage)> {
        let colour = is_coloured();
        let (texts, waiting) = sync_channel::<String>(MOST_WAITING);
        let stage = Stage::start("console", events, move || {
            for text in waiting {
                let mut stdout = std::io::stdout().lock();
                let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
            }
        })?;
        Ok((Self { zone, colour, texts }, stage))
    }

    /// Local times in another zone from now on.
    pub fn set_zone(&mut self, zone: TimeZone) {
        self.zone = zone;
    }

    /// Prints lines, soon. What finds no room is left out: it is in the store.
    pub fn print(&self, text: &str) {
        let _ = self.texts.try_send(text.to_owned());
    }

    /// Prints what changes mean to somebody who looks on; most mean nothing. Of very many only the first are printed, the
    /// gravest before others.
    pub fn changes(&self, changes: &[Change]) {
        let mut shown: Vec<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Incident { event, at_ms, incident } if is_shown(*event) => Some((*event, *at_ms, incident)),
                _ => None,
            })
            .collect();
        let more = shown.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            shown.sort_by_key(|(.., incident)| std::cmp::Reverse(incident.severity));
        }
        for (event, at_ms, incident) in shown.into_iter().take(MOST_SHOWN) {
            self.print(&incident_text(&self.zone, self.colour, event, at_ms, incident));
        }
        if more > 0 {
            self.print(&format!(
                "{:21}and {more} more: watchkeeper incidents list --limit {}\n",
                "",
                more + MOST_SHOWN
            ));
        }
    }

    /// A heading in bold.
    pub fn bold(&self, text: &str) -> String {
        paint(self.colour, "1", text)
    }
}

/// Whether an event is news to somebody who looks on: what joins an incident or leaves it stands in its history.
pub fn is_shown(event: IncidentEvent) -> bool {
    use IncidentEvent::{Ended, Flapping, Opened, Resolved, Severity};
    matches!(event, Opened | Severity | Flapping | Resolved | Ended)
}

/// Whether standard output is to be in colours: a terminal looks on, and `NO_COLOR` is not set.
pub fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What an event of an incident is to somebody who looks on, some lines.
pub fn incident_text(zone: &TimeZone, colour: bool, event: IncidentEvent, at_ms: i64, incident: &Incident) -> String {
    let time = local_time(at_ms, zone);
    // A provisional number is none for people.
    let number = incident.ticket.filter(|ticket| *ticket > 0).map_or(String::new(), |ticket| format!("#{ticket} "));
    let title = clean(&incident.title, 200);
    if event.closes() {
        let word = if event == IncidentEvent::Resolved { "RESOLVED" } else { "ENDED" };
        // It may have waited for the next process of a program.
        let length = duration(incident.closed_ms.unwrap_or(at_ms) - incident.opened_ms);
        let counts = incident.counts();
        // The title may say why, which is not so any more: it is told as what was.
        return format!("{time}  {}  {number}after {length}, it was: {title}{counts}\n", paint(colour, "32", word));
    }
    let word = incident.severity.word().to_uppercase();
    let code = match incident.severity {
        Severity::Info => "36",
        Severity::Warning => "33",
        Severity::Critical => "1;31",
    };
    let word = paint(colour, code, &word);
    let counts = incident.counts();
    match event {
        IncidentEvent::Severity => {
            return format!("{time}  {word}  {number}{title}{counts}: now {}\n", incident.severity);
        }
        IncidentEvent::Flapping => {
            let lately = incident.course.flapping.as_ref().map_or(0, |flapping| flapping.lately);
            return format!("{time}  {word}  {number}{title}: came {lately} more times, {} in all\n", incident.times);
        }
        _ => {}
    }
    let evidence = &incident.evidence;
    let value = value_words(evidence);
    let since = local_time(evidence.since_ms, zone);
    let what = title_with_culprit(&incident.title, evidence);
    let threshold = evidence.threshold.map_or(String::new(), |t| format!(" (threshold {})", evidence.unit.show(t)));
    let trend = evidence
        .trend
        .as_ref()
        .map_or(String::new(), |trend| format!("{:21}{}\n", "", trend_sentence(trend, evidence.fired_ms, zone)));
    let mut author = String::new();
    for words in [&evidence.summary, &evidence.runbook].into_iter().flatten() {
        let _ = writeln!(author, "{:21}{}", "", clean(words, 300));
    }
    format!("{time}  {word}  {number}{what}{counts}\n{:21}{value}{threshold} since {since}\n{trend}{author}", "")
}

fn paint(colour: bool, code: &str, word: &str) -> String {
    if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

/// The gaps of a reading as lines for people: what, why, and what would help.
pub fn gap_lines(gaps: &[Gap]) -> Vec<String> {
    let line = |gap: &Gap| {
        let count = if gap.count > 1 { format!(" ({})", gap.count) } else { String::new() };
        let remedy = gap.remedy.as_ref().map_or(String::new(), |remedy| format!("; {remedy}"));
        format!("{}{count}: {}{remedy}", gap.section.words(), gap.reason.word())
    };
    gaps.iter().map(line).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use watchkeeper_core::evidence::{Evidence, Known, Trend};
    use watchkeeper_core::{Entity, GapReason, IncidentKey, Section, Unit};

    pub(crate) fn incident() -> Incident {
        Incident {
            key: IncidentKey(1),
            ticket: Some(7),
            cause: "busy".to_owned(),
            severity: Severity::Critical,
            title: "CPU above 90 %\u{1b}[31m".to_owned(),
            host: "db1".to_owned(),
            labels: std::collections::BTreeMap::new(),
            alerts: Vec::new(),
            joined: Vec::new(),
            times: 1,
            course: watchkeeper_core::incident::Course::default(),
            opened_ms: 60_000,
            closed_ms: None,
            evidence: Evidence {
                version: watchkeeper_core::evidence::EVIDENCE_VERSION,
                rule: "busy".to_owned(),
                condition: "system.cpu.utilization > \"90%\"".to_owned(),
                metric: "system.cpu.utilization".to_owned(),
                entity: Entity::Host,
                value: 0.953,
                threshold: Some(0.9),
                unit: Unit::Ratio,
                since_ms: 30_000,
                fired_ms: 60_000,
                ranked_by: None,
                top: Vec::new(),
                not_attributed: None,
                lineage: Vec::new(),
                changes: Vec::new(),
                usual: Known::NotYet,
                recurrence: Known::NotYet,
                last_acknowledgement: Known::NotYet,
                trend: None,
                summary: None,
                runbook: None,
                time_zone: "UTC".to_owned(),
            },
        }
    }

    #[test]
    fn incidents_are_said_in_local_time_with_number_and_value() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let mut incident = incident();
        let opened = incident_text(&zone, false, IncidentEvent::Opened, 60_000, &incident);
        incident.ticket = Some(-3);
        let held = incident_text(&zone, false, IncidentEvent::Opened, 60_000, &incident);
        let resolved = incident_text(&zone, false, IncidentEvent::Resolved, 185_000, &incident);
        let ended = incident_text(&zone, true, IncidentEvent::Ended, 60_000, &incident);
        let mut rising = incident.clone();
        rising.evidence.trend = Some(Trend {
            metric: "process.unix.file_descriptor.count".to_owned(),
            unit: Unit::Count,
            per_second: 0.1,
            rise: 360.0,
            r2: 1.0,
            p: 0.0,
            window_ms: 3_600_000,
            limit: None,
            full_ms: None,
        });
        let rising = incident_text(&zone, false, IncidentEvent::Opened, 60_000, &rising);
        assert!(rising.ends_with("\n                     rose by 360 in 1 h 0 m, 360/h (r2 1.00)\n"), "{rising}");
        incident.times = 37;
        incident.evidence.summary = Some("everything here is slow".to_owned());
        incident.evidence.runbook = Some("https://wiki.example.com/cpu".to_owned());
        let again = incident_text(&zone, false, IncidentEvent::Opened, 60_000, &incident);
        let severity = incident_text(&zone, false, IncidentEvent::Severity, 60_000, &incident);
        incident.closed_ms = Some(120_000);
        let waited = incident_text(&zone, false, IncidentEvent::Ended, 420_000, &incident);
        insta::assert_snapshot!([opened, held, resolved, ended.replace('\u{1b}', "ESC"), again, severity, waited].concat(), @r"
        1970-01-01 01:01:00  CRITICAL  #7 CPU above 90 %\u{1b}[31m
                             95.3 % (threshold 90.0 %) since 1970-01-01 01:00:30
        1970-01-01 01:01:00  CRITICAL  CPU above 90 %\u{1b}[31m
                             95.3 % (threshold 90.0 %) since 1970-01-01 01:00:30
        1970-01-01 01:03:05  RESOLVED  after 2 m 5 s, it was: CPU above 90 %\u{1b}[31m
        1970-01-01 01:01:00  ESC[32mENDEDESC[0m  after 0.0 s, it was: CPU above 90 %\u{1b}[31m
        1970-01-01 01:01:00  CRITICAL  CPU above 90 %\u{1b}[31m (37 times)
                             95.3 % (threshold 90.0 %) since 1970-01-01 01:00:30
                             everything here is slow
                             https://wiki.example.com/cpu
        1970-01-01 01:01:00  CRITICAL  CPU above 90 %\u{1b}[31m (37 times): now critical
        1970-01-01 01:07:00  ENDED  after 1 m, it was: CPU above 90 %\u{1b}[31m (37 times)
        ");
    }

    #[test]
    fn gaps_say_what_why_how_many_and_what_would_help() {
        let gap = |section, reason, count, remedy: Option<&str>| Gap {
            section,
            reason,
            count,
            remedy: remedy.map(str::to_owned),
        };
        let lines = gap_lines(&[
            gap(Section::ProcessNetwork, GapReason::Unsupported, 1, None),
            gap(Section::ProcessDisk, GapReason::Permission, 12, Some("run as root")),
        ]);
        assert_eq!(
            lines,
            ["network bytes of processes: unsupported", "disk bytes of processes (12): permission; run as root"]
        );
    }
}
