//! What `run` says on standard output: the banner and the incidents.

use std::io::{IsTerminal, Write};

use jiff::tz::TimeZone;
use watchkeeper_core::text::{clean, duration, local_time, title_with_culprit};
use watchkeeper_core::{Change, Gap, Incident, IncidentEvent, Severity};

/// Writes to standard output; nobody reading there is no reason to stop watching.
#[derive(Clone, Debug)]
pub struct Console {
    zone: TimeZone,
    colour: bool,
}

impl Console {
    /// Local times in this zone; colours only where a terminal looks on and `NO_COLOR` is not set.
    pub fn new(zone: TimeZone) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { zone, colour }
    }

    /// Prints lines.
    #[expect(clippy::unused_self, reason = "printing belongs to the console")]
    pub fn print(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Prints what a change means to somebody who looks on; most mean nothing.
    pub fn change(&self, change: &Change) {
        if let Change::Incident { event, at_ms, incident } = change {
            self.print(&self.incident(*event, *at_ms, incident));
        }
    }

    fn incident(&self, event: IncidentEvent, at_ms: i64, incident: &Incident) -> String {
        let time = local_time(at_ms, &self.zone);
        let number = incident.ticket.map_or(String::new(), |ticket| format!("#{ticket} "));
        let title = clean(&incident.title, 200);
        if event.closes() {
            let word = if event == IncidentEvent::Resolved { "RESOLVED" } else { "ENDED" };
            let length = duration(at_ms - incident.opened_ms);
            return format!("{time}  {}  {number}{title}, after {length}\n", self.paint("32", word));
        }
        let word = incident.severity.word().to_uppercase();
        let colour = match incident.severity {
            Severity::Info => "36",
            Severity::Warning => "33",
            Severity::Critical => "1;31",
        };
        let evidence = &incident.evidence;
        let value = evidence.unit.show(evidence.value);
        let since = local_time(evidence.since_ms, &self.zone);
        let what = title_with_culprit(&incident.title, evidence);
        let threshold = evidence.threshold.map_or(String::new(), |t| format!(" (threshold {})", evidence.unit.show(t)));
        format!("{time}  {}  {number}{what}\n{:21}{value}{threshold} since {since}\n", self.paint(colour, &word), "")
    }

    fn paint(&self, code: &str, word: &str) -> String {
        if self.colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
    }

    /// A heading in bold.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }
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
