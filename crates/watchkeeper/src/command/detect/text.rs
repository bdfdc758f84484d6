//! What `detect` says of a look: a line, and at an anomaly what drives it and who is behind it.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use watchkeeper_core::text::{clean, local_time};
use watchkeeper_detect::{Reason, Verdict};

use super::judgement::{Judgement, LEAST_SHARE, Status};
use crate::command::train::number;

/// Features that are named at an anomaly.
const MOST_REASONS: usize = 3;

/// How people see it.
#[derive(Clone, Debug)]
pub struct Screen {
    /// Zone of local times.
    pub zone: TimeZone,
    /// Whether words are painted.
    pub colour: bool,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    looks: u64,
    anomalies: u64,
    unknown: u64,
    /// The look with the highest score: when, the score, what drove it.
    strangest: Option<(i64, Verdict)>,
}

impl Tally {
    /// Adds a look.
    pub fn add(&mut self, judgement: &Judgement) {
        self.looks += 1;
        self.anomalies += u64::from(judgement.status() == Status::Anomaly);
        self.unknown += u64::from(judgement.status() == Status::Unknown);
        let strangest = self.strangest.as_ref().map_or(f64::MIN, |(_, verdict)| verdict.score);
        if let Some(verdict) = judgement.verdict.as_ref().filter(|verdict| verdict.score > strangest) {
            self.strangest = Some((judgement.ts_ms, verdict.clone()));
        }
    }
}

impl Screen {
    /// One look.
    pub fn judgement(&self, judgement: &Judgement) -> String {
        let (cpu, memory) = (percent(judgement.cpu_percent), percent(judgement.memory_percent));
        let mut text = format!("[{}] | CPU: {cpu} | Memory: {memory} | ", local_time(judgement.ts_ms, &self.zone));
        let status = judgement.status();
        let words = match status {
            Status::Normal => status.shown().to_owned(),
            Status::Anomaly => self.paint("1;31", status.shown()),
            Status::Unknown => self.paint("33", status.shown()),
        };
        let _ = write!(text, "Status: {words}");
        let _ = match &judgement.verdict {
            Some(verdict) => writeln!(text, " | Score: {:.*}", digits(verdict), verdict.score),
            None => writeln!(text, " ({} could not be read)", judgement.unknown().collect::<Vec<_>>().join(", ")),
        };
        if let Some(verdict) = judgement.verdict.as_ref().filter(|verdict| verdict.is_anomaly) {
            text.push_str(&anomaly(judgement, verdict));
        }
        text
    }

    /// The last line: looks, anomalies, the strangest moment.
    pub fn closing(&self, tally: &Tally) -> String {
        if tally.looks == 0 {
            return "nothing was judged: the first interval was not over\n".to_owned();
        }
        let mut text =
            format!("{}: {}", counted(tally.looks, "look", "looks"), counted(tally.anomalies, "anomaly", "anomalies"));
        if tally.unknown > 0 {
            let _ = write!(text, ", {} not judged", tally.unknown);
        }
        if let Some((ts_ms, verdict)) = &tally.strangest {
            let _ = write!(text, "; strangest at {} with score {:.2}", local_time(*ts_ms, &self.zone), verdict.score);
            if let Some(reason) = verdict.reasons.first() {
                let _ = write!(text, ": {}", valued(reason));
            }
        }
        text + "\n"
    }

    fn paint(&self, code: &str, word: &str) -> String {
        if self.colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
    }
}

/// The lines below the line of an anomaly.
fn anomaly(judgement: &Judgement, verdict: &Verdict) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "    threshold {:.*}", digits(verdict), verdict.threshold);
    for (index, reason) in verdict.reasons.iter().take(MOST_REASONS).enumerate() {
        if index == 0 || reason.share >= LEAST_SHARE {
            let show = |value| number(&reason.feature, value);
            let (low, high) = (show(reason.usual_low), show(reason.usual_high));
            let _ =
                writeln!(text, "    {}, usual {low} to {high}, {:.0} % of it", valued(reason), reason.share * 100.0);
        }
    }
    for taker in &judgement.processes {
        let _ = writeln!(text, "    {}", taker.sentence(judgement.ranked_by));
    }
    text
}

/// Two digits, or as many as tell the score from the threshold, if six do.
fn digits(verdict: &Verdict) -> usize {
    let same = |digits: &usize| format!("{:.digits$}", verdict.score) == format!("{:.digits$}", verdict.threshold);
    (2..=6).find(|digits| !same(digits)).unwrap_or(2)
}

fn valued(reason: &Reason) -> String {
    format!("{} {}", clean(&reason.feature, 80), number(&reason.feature, reason.value))
}

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or("unknown".to_owned(), |value| format!("{value:.1}%"))
}

/// One look for programs.
pub fn json(judgement: &Judgement, zone: &TimeZone) -> Value {
    let verdict = judgement.verdict.as_ref();
    let features: Map<String, Value> =
        judgement.features.iter().map(|(title, value)| ((*title).to_owned(), json!(value))).collect();
    json!({
        "ts_ms": judgement.ts_ms,
        "time": local_time(judgement.ts_ms, zone),
        "interval_ms": judgement.interval_ms,
        "status": judgement.status().word(),
        "cpu_percent": judgement.cpu_percent,
        "memory_percent": judgement.memory_percent,
        "score": verdict.map(|verdict| verdict.score),
        "threshold": verdict.map(|verdict| verdict.threshold),
        "features": features,
        "reasons": verdict.map(|verdict| &verdict.reasons),
        "culprit": judgement.culprit(),
        "ranked_by": judgement.ranked_by,
        "processes": judgement.processes,
    })
}

#[cfg(test)]
mod tests;
