//! What a recording comes to: how much was seen, and its worst moment.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use watchkeeper_core::text::{duration, local_time};
use watchkeeper_report::Row;

use super::block::{CPU, culprit};

/// Counts the rows of a recording while they come.
#[derive(Debug, Default)]
pub struct Tally {
    /// Intervals that were seen.
    pub rows: u64,
    /// Those with an alert.
    pub alerts: u64,
    length_ms: i64,
    worst: Option<Worst>,
}

/// The interval with the most CPU time.
#[derive(Debug)]
struct Worst {
    ts_ms: i64,
    percent: f64,
    culprit: Option<String>,
}

impl Tally {
    /// Counts a row.
    pub fn add(&mut self, row: &Row, is_alert: bool) {
        self.rows += 1;
        self.alerts += u64::from(is_alert);
        self.length_ms += row.interval_ms;
        if let Some(percent) = row.value(CPU)
            && self.worst.as_ref().is_none_or(|worst| percent > worst.percent)
        {
            self.worst = Some(Worst { ts_ms: row.ts_ms, percent, culprit: culprit(row, "took") });
        }
    }

    /// What was seen, two lines.
    pub fn summary(&self, threshold_percent: f64, zone: &TimeZone) -> String {
        let length = duration(self.length_ms);
        let alerts = if self.alerts == 0 { "no alert".to_owned() } else { count(self.alerts, "alert") };
        let mut text =
            format!("Recorded {} in {length}; {alerts} above {threshold_percent} % CPU.\n", count(self.rows, "row"));
        if let Some(worst) = &self.worst {
            let time = local_time(worst.ts_ms, zone);
            let culprit = worst.culprit.as_ref().map_or(String::new(), |culprit| format!(", when {culprit}"));
            let _ = writeln!(text, "Worst moment: {:.1} % CPU at {time}{culprit}.", worst.percent);
        }
        text
    }
}

/// A number of things: `1 row`, `2 rows`.
pub fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::record::block::tests::row;

    #[test]
    fn the_end_says_how_much_was_seen_and_the_worst_moment_with_its_culprit() {
        let mut tally = Tally::default();
        assert_eq!(tally.summary(80.0, &TimeZone::UTC), "Recorded 0 rows in 0.0 s; no alert above 80 % CPU.\n");
        tally.add(&row(Some(97.5)), true);
        tally.add(&row(None), false);
        assert_eq!(
            tally.summary(92.5, &TimeZone::UTC),
            "Recorded 2 rows in 10 s; 1 alert above 92.5 % CPU.\nWorst moment: 97.5 % CPU at 2026-11-20 03:04:05, when \
             burn (pid 4711) took 49.8 % of this machine's CPU.\n"
        );
        let mut quiet = row(Some(99.0));
        quiet.processes = None;
        tally.add(&quiet, true);
        assert_eq!(
            tally.summary(80.0, &TimeZone::UTC),
            "Recorded 3 rows in 15 s; 2 alerts above 80 % CPU.\nWorst moment: 99.0 % CPU at 2026-11-20 03:04:05.\n"
        );
    }
}
