//! `watchkeeper record`: a recording of fixed length that becomes a workbook and a threat log.

mod block;
mod files;
mod keeper;
mod recovery;
mod saving;
mod screen;
mod tally;
mod threat_log;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use jiff::tz::TimeZone;
use watchkeeper_core::Snapshot;
use watchkeeper_core::text::clean;
use watchkeeper_report::{Header, Row, Spool, SpoolError, columns, remove_leftovers};

use self::block::Blocks;
use self::files::{Files, shown};
use self::keeper::Keeper;
use self::recovery::Recovered;
use self::saving::save;
use self::screen::Screen;
use self::tally::{Tally, count};
use self::threat_log::ThreatLog;
use crate::app::gap_lines;
use crate::cli::{DONE, FAILED, Global};
use crate::config::{Config, RecordConfig};
use crate::logging;
use crate::looks::Looks;
use crate::model_file::file_flag;
use crate::signals::Ending;

/// How long, how often and where to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RecordArgs {
    /// Time between two rows, such as 500ms, 5s or 1m [default: 5s, or `record.log_interval`]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    interval: Option<String>,
    /// How long to record, such as 60s or 8h; 0 records until Ctrl+C [default: 60s, or `record.run_duration`]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    duration: Option<String>,
    /// Alert above this share of the machine's CPU [default: 80, or `record.cpu_alert_threshold`]
    #[arg(long, allow_hyphen_values = true, value_name = "PERCENT")]
    cpu_alert: Option<String>,
    /// Processes that are shown each time [default: 3, or `record.top`]
    #[arg(long, allow_hyphen_values = true, value_name = "N")]
    top: Option<String>,
    /// The workbook; one that is there already is replaced [default: `system_monitor_report.xlsx`, or
    /// `record.output_filename`]
    #[arg(long, value_name = "FILE.xlsx")]
    output: Option<String>,
    /// The text file to which alerts are added [default: `cpu_threat_log.txt`, or `record.threat_log_filename`]
    #[arg(long, value_name = "FILE")]
    threat_log: Option<String>,
    /// Record nothing: only make the workbook of a recording that was killed
    #[arg(long)]
    recover: bool,
}

const EXAMPLES: &str = "\
Shows CPU, memory, connections and top processes of each interval. At the end, also after Ctrl+C, all of it is in the \
workbook, with charts and alerts. If the recording is killed, nothing is lost: the next one saves its rows first.

Examples:
  watchkeeper record                                       a minute, into system_monitor_report.xlsx
  watchkeeper record --duration 8h --output monday.xlsx    a working day
  watchkeeper record --duration 0 --interval 1s --top 10   every second, until Ctrl+C
Then `watchkeeper train` learns from the workbook what is normal.";

impl RecordArgs {
    /// The flags that set keys of the configuration: flag, key, value.
    fn overrides(&self) -> Vec<(String, String, String)> {
        // People write the percent sign where they mean percent.
        let cpu_alert = self.cpu_alert.as_ref().map(|value| value.strip_suffix('%').unwrap_or(value).to_owned());
        [
            ("--interval", "log_interval", &self.interval),
            ("--duration", "run_duration", &self.duration),
            ("--cpu-alert", "cpu_alert_threshold", &cpu_alert),
            ("--top", "top", &self.top),
            ("--output", "output_filename", &self.output),
            ("--threat-log", "threat_log_filename", &self.threat_log),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag.to_owned(), format!("record.{key}"), value.clone()?)))
        .collect()
    }
}

/// Records until the time is over or it is told to end, then writes the workbook.
pub fn record(global: &Global, args: &RecordArgs) -> anyhow::Result<u8> {
    let loaded = global.load_with(args.overrides())?;
    logging::start(&loaded.config.log);
    let zone = super::zone(&loaded);
    let files = Files::of(&loaded.config.record);
    // What is recovered goes beside the workbook, and no alert comes with it.
    let problems = if args.recover { Vec::new() } else { files.problems() };
    if !problems.is_empty() {
        return Err(loaded.report(problems).into());
    }
    let recovered = recovery::recover(&files, watchkeeper_collect::wall_clock_ms(), &zone)?;
    if args.recover {
        return only_recovered(&files, recovered);
    }
    let (session, looks) = Session::begin(&loaded.config, files, zone)?;
    match recovered {
        Recovered::Nothing => {}
        Recovered::Workbook { sentence, .. } => session.screen.print(sentence),
        Recovered::SetAside(sentence) => session.screen.complain(sentence),
    }
    Ok(session.run(looks))
}

fn only_recovered(files: &Files, recovered: Recovered) -> anyhow::Result<u8> {
    match recovered {
        Recovered::Workbook { path, sentence } => {
            super::print(&format!("{sentence}{}", next_step(&path)))?;
            Ok(DONE)
        }
        Recovered::Nothing => bail!("no recording to {} waits to be recovered", shown(&files.output)),
        Recovered::SetAside(sentence) => bail!(sentence),
    }
}

/// A recording under way.
struct Session {
    config: RecordConfig,
    files: Files,
    zone: TimeZone,
    ending: Ending,
    screen: Screen,
    blocks: Blocks,
    keeper: Keeper<Spool>,
    threat_log: ThreatLog,
    tally: Tally,
    host_name: String,
}

impl Session {
    /// Looks for the first time and makes the files. Whatever can be refused is refused here, and leaves nothing behind.
    fn begin(config: &Config, files: Files, zone: TimeZone) -> anyhow::Result<(Self, Looks)> {
        let record = config.record.clone();
        let ending = Ending::catch().context("cannot catch signals")?;
        let looks = Looks::begin(&config.collect, record.log_interval, record.run_duration, ending.clone())?;
        // A row says how long its interval was.
        let looks = looks.with_last_look();
        let host_name = config.host.name.clone().unwrap_or_else(watchkeeper_collect::host_name);
        let header = header(&record, &host_name, &zone, &looks);
        let spool = Spool::create(&files.spool, &header).map_err(|error| match error {
            SpoolError::InUse { .. } => anyhow::anyhow!(recovery::in_use(&files)),
            SpoolError::Full { .. } => anyhow::anyhow!(
                "no space is left for a recording to {}; make room, or name a file on another disk with --output",
                shown(&files.output)
            ),
            error => anyhow::anyhow!("cannot record here: {error}; name a file in another folder with --output"),
        })?;
        // Whoever has the lock of the spool is alone with the workbook.
        remove_leftovers(&files.output);
        let threat_log = match ThreatLog::begin(&files.threat_log, zone.clone()) {
            Ok(threat_log) => threat_log,
            Err(error) => {
                let _ = spool.remove();
                let context = format!("cannot write the threat log {}", shown(&files.threat_log));
                return Err(anyhow::anyhow!("{context}: {error}; name another file with --threat-log"));
            }
        };
        let top = usize::try_from(record.top).unwrap_or(usize::MAX);
        let session = Self {
            blocks: Blocks::new(zone.clone(), record.cpu_alert_threshold, top, Screen::has_colour()),
            keeper: Keeper::new(spool),
            screen: Screen::open()?,
            tally: Tally::default(),
            config: record,
            files,
            zone,
            ending,
            threat_log,
            host_name,
        };
        Ok((session, looks))
    }

    /// Records to the end.
    fn run(mut self, mut looks: Looks) -> u8 {
        self.screen.print(self.preface());
        self.screen.begin(self.config.run_duration);
        let failure = loop {
            match looks.next() {
                Ok(Some(snapshot)) => self.see(&snapshot),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        self.end(failure.as_ref())
    }

    /// What is recorded, how often, for how long and where to.
    fn preface(&self) -> String {
        let RecordConfig { log_interval, run_duration, cpu_alert_threshold, .. } = &self.config;
        let host = clean(&self.host_name, 100);
        let length = if run_duration.ms() == 0 { String::new() } else { format!(" for {run_duration}") };
        let output = shown(&self.files.output);
        let replaced = if self.files.output.exists() { ", in place of the one that is there" } else { "" };
        let sooner = if run_duration.ms() == 0 { "it" } else { "it sooner" };
        format!(
            "Recording {host} every {log_interval}{length} into {output}{replaced}.\n\
             CPU above {cpu_alert_threshold} % is an alert and goes to {} too. Ctrl+C ends {sooner} and saves.\n\n",
            shown(&self.files.threat_log),
        )
    }

    /// Keeps and shows an interval.
    fn see(&mut self, snapshot: &Snapshot) {
        let row = Row::of(snapshot);
        let alert = self.blocks.alert(&row);
        self.screen.print(self.blocks.block(&row, snapshot));
        self.tally.add(&row, alert.is_some());
        if let Some(error) = alert.and_then(|percent| self.threat_log.add(row.ts_ms, percent)) {
            let path = shown(&self.files.threat_log);
            self.screen.complain(format!("cannot write the threat log {path}: {error}; the recording goes on"));
        }
        if let Some(error) = self.keeper.keep(row) {
            let then = "the recording goes on, and rows wait in memory until the disk takes them";
            self.screen.complain(format!("{error}; {then}"));
        }
    }

    /// Saves the workbook and says what was recorded. `failure` is why it ended, if it did not come to its end.
    fn end(self, failure: Option<&anyhow::Error>) -> u8 {
        let mut troubles: Vec<String> = failure.map(|error| format!("{error:#}")).into_iter().collect();
        let (lost, last_error) = (self.keeper.lost(), self.keeper.last_error().map(str::to_owned));
        if let Some(error) = last_error.filter(|_| lost > 0) {
            troubles.push(format!("{lost} of {} are not in the workbook: {error}", count(self.tally.rows, "row")));
        }
        if self.threat_log.lost() > 0 {
            let path = shown(&self.files.threat_log);
            troubles.push(format!("{} could not be written to {path}", count(self.threat_log.lost(), "alert")));
        }
        let mut text = self.tally.summary(self.config.cpu_alert_threshold, &self.zone);
        let (spool, waiting) = self.keeper.into_parts();
        if spool.rows() > 0 || !waiting.is_empty() {
            self.screen.work(format!("writing {}", shown(&self.files.output)));
            if let Some(path) = save(spool, waiting, &self.files, &self.zone, &mut troubles) {
                let (workbook, threat_log) = (shown(&path), shown(&self.files.threat_log));
                let _ = write!(text, "Written: {workbook} and {threat_log}.\n{}", next_step(&path));
            }
        } else {
            // An empty workbook must not take the place of a full one.
            let _ = writeln!(text, "There is nothing to save: {} was not written.", shown(&self.files.output));
            troubles.extend(spool.remove().err().map(|error| error.to_string()));
        }
        self.screen.print(text);
        self.screen.close(self.ending.is_ending());
        for trouble in &troubles {
            super::complain(trouble);
        }
        if troubles.is_empty() { DONE } else { FAILED }
    }
}

/// What comes after a recording.
fn next_step(workbook: &Path) -> String {
    let train = with_file("watchkeeper train", "--from", workbook);
    format!("Next: `{train}` learns from it what is normal.\n")
}

/// A command for a workbook; its name is left out where it is the default.
fn with_file(command: &str, flag: &str, workbook: &Path) -> String {
    if workbook == RecordConfig::default().output_filename {
        return command.to_owned();
    }
    format!("{command} {}", file_flag(flag, workbook))
}

/// What the workbook says about where the numbers come from.
fn header(config: &RecordConfig, host_name: &str, zone: &TimeZone, looks: &Looks) -> Header {
    let first = looks.previous();
    Header {
        version: Header::VERSION,
        program: concat!("watchkeeper ", env!("CARGO_PKG_VERSION")).to_owned(),
        host: host_name.to_owned(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        tier: looks.tier().to_owned(),
        started_ms: first.at.ts_ms,
        interval_ms: config.log_interval.ms(),
        cpu_alert_percent: config.cpu_alert_threshold,
        cpu_count: first.host.cpu_count,
        memory_bytes: first.host.memory.map(|memory| memory.total_bytes),
        columns: columns().iter().map(|column| column.title.to_owned()).collect(),
        gaps: gap_lines(&first.gaps),
    }
}

#[cfg(test)]
mod tests;
