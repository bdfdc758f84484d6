//! `watchkeeper detect`: judges this machine with a model, look after look.

mod culprit;
mod fitness;
mod judgement;
mod log;
mod text;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use watchkeeper_collect::CollectConfig;
use watchkeeper_core::Validate;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::{clean, duration, local_time};
use watchkeeper_detect::Model;
use watchkeeper_report::{Column, StatusLogError};

use self::judgement::Judgement;
use self::log::Log;
use self::text::{Screen, Tally};
use crate::cli::Global;
use crate::looks::Looks;
use crate::signals::Ending;
use crate::{logging, model_file};

/// Time between two looks when no other is named.
pub const DEFAULT_INTERVAL: Span = Span::from_secs(5);
/// How long `--once` looks when no interval is named.
const ONCE: Span = Span::from_secs(1);

/// With what, and how often.
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// The model, from `watchkeeper train`
    #[arg(long, value_name = "FILE", default_value = model_file::DEFAULT_PATH)]
    model: PathBuf,
    /// Time between two looks, from 100ms to 1h [default: 5s; with `--once` 1s]
    #[arg(long, allow_hyphen_values = true, value_name = "DURATION", value_parser = interval)]
    interval: Option<Span>,
    /// How long to look; 0 looks until Ctrl+C
    #[arg(long, allow_hyphen_values = true, value_name = "DURATION", value_parser = Span::parse, default_value = "0")]
    duration: Span,
    /// Judge one second and end
    #[arg(long, conflicts_with = "duration")]
    once: bool,
    /// The CSV that every look is appended to
    #[arg(long, value_name = "FILE", default_value = "system_log.csv")]
    log: PathBuf,
    /// How many processes are named at an anomaly
    #[arg(long, allow_hyphen_values = true, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    top: u8,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper detect                        every 5 seconds until Ctrl+C
  watchkeeper detect --duration 8h --log night.csv
  watchkeeper detect --once --json          one judgement, for a script

The exit code is 0 for an anomaly too; programs read `status` in the lines of `--json`. It is 1 when
the model cannot be used, the machine cannot be read, or looks are missing from the log.";

/// Reads the time between two looks.
///
/// # Errors
/// A sentence with the range.
pub fn interval(text: &str) -> Result<Span, String> {
    let interval = Span::parse(text)?;
    let config = CollectConfig { interval, ..CollectConfig::default() };
    match config.validate().into_iter().find(|problem| problem.key_path == "interval") {
        Some(problem) => Err(format!("{}; write a value from 100ms to 1h", problem.message)),
        None => Ok(interval),
    }
}

/// Whether two intervals are so different that numbers over one say little about the other.
pub fn differs(one_ms: i64, other_ms: i64) -> bool {
    one_ms.max(other_ms) > 2 * one_ms.min(other_ms)
}

/// Judges until the time is over or it is told to end.
pub fn detect(global: &Global, args: &DetectArgs) -> anyhow::Result<u8> {
    let loaded = global.load()?;
    logging::start(&loaded.config.log);
    let zone = super::zone(&loaded);
    let model = model_file::read(&args.model)?;
    let features = model_file::columns(&model, &args.model)?;
    // The sentence holds what the system said, and for a file of another kind what to do.
    let log = Log::open(&args.log, &zone).map_err(|error| match error {
        StatusLogError::Write { .. } => anyhow!("{error}; name another file with --log"),
        error @ StatusLogError::Foreign { .. } => anyhow!("{error}"),
    })?;
    let interval = args.interval.unwrap_or(if args.once { ONCE } else { DEFAULT_INTERVAL });
    let duration = if args.once { interval } else { args.duration };
    let ending = Ending::catch().context("cannot catch Ctrl+C")?;
    let looks = Looks::begin(&loaded.config.collect, interval, duration, ending)?;
    fitness::offered(&features, &args.model, looks.previous())?;
    // `--once` looks shortly because somebody waits.
    if !args.once || args.interval.is_some() {
        warn_of_interval(&model, interval);
    }
    let screen = Screen { zone, colour: colour() };
    let mut watch = Watch { args, model, features, log, screen, tally: Tally::default() };
    if !args.json && !args.once {
        super::note(&watch.banner(interval));
    }
    watch.watch(looks)
}

/// Colours only where a terminal looks on and `NO_COLOR` is not set.
fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Numbers over a second scatter more than numbers over a minute: a model judges looks as long as the rows it learned from.
fn warn_of_interval(model: &Model, interval: Span) {
    let Some(learned_ms) = model.summary().interval_ms.filter(|ms| differs(*ms, interval.ms())) else { return };
    super::warn(&format!(
        "the model learned from rows of {}, and looks are {interval} long: what is usual over one is not over the other",
        duration(learned_ms)
    ));
}

/// What is needed from one look to the next.
struct Watch<'a> {
    args: &'a DetectArgs,
    model: Model,
    features: Vec<&'static Column>,
    log: Log,
    screen: Screen,
    tally: Tally,
}

impl Watch<'_> {
    fn watch(&mut self, mut looks: Looks) -> anyhow::Result<u8> {
        while let Some(snapshot) = looks.next()? {
            let judgement = Judgement::of(&snapshot, &self.model, &self.features, usize::from(self.args.top))?;
            self.tally.add(&judgement);
            self.log.append(&judgement);
            let text = if self.args.json {
                super::json_line(&text::json(&judgement, &self.screen.zone))?
            } else {
                self.screen.judgement(&judgement)
            };
            if !say(&text)? {
                return Ok(self.log.end());
            }
        }
        if !self.args.json && !self.args.once {
            say(&self.screen.closing(&self.tally))?;
        }
        Ok(self.log.end())
    }

    fn banner(&self, interval: Span) -> String {
        let summary = self.model.summary();
        let features: Vec<&str> = self.features.iter().map(|column| column.title).collect();
        format!(
            "judging every {interval} by {}, as learned on {} from {} rows of {}; Ctrl+C ends",
            features.join(", "),
            local_time(summary.trained_ms, &self.screen.zone),
            summary.rows,
            clean(&summary.source, 100)
        )
    }
}

/// Writes to standard output. Says no when nobody reads any more.
fn say(text: &str) -> anyhow::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true).context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_has_the_range_of_the_collector() {
        assert_eq!(interval("100ms"), Ok(Span::from_ms(100)));
        assert_eq!(interval("1h"), Ok(Span::from_secs(3_600)));
        for (text, sentence) in [
            ("99ms", "99ms is shorter than the shortest interval, 100ms; write a value from 100ms to 1h"),
            ("61m", "1h1m is longer than the longest interval, 1h; write a value from 100ms to 1h"),
            ("0", "an interval of 0 would look at the machine without a pause; write a value from 100ms to 1h"),
        ] {
            assert_eq!(interval(text), Err(sentence.to_owned()));
        }
        assert!(interval("often").is_err());
    }

    #[test]
    fn intervals_differ_when_one_is_more_than_twice_the_other() {
        for (one_ms, other_ms, expected) in [
            (5_000, 5_000, false),
            (5_000, 2_500, false),
            (2_500, 5_000, false),
            (5_000, 2_499, true),
            (2_499, 5_000, true),
        ] {
            assert_eq!(differs(one_ms, other_ms), expected, "{one_ms} {other_ms}");
        }
    }
}
