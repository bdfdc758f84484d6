//! `watchkeeper status`: health of the running watch.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use watchkeeper_core::port::{Coverage, Ranked};
use watchkeeper_core::text::{clean, duration, local_time};
use watchkeeper_core::{EntityKind, History, Range, Unit};
use watchkeeper_store::Reader;

use crate::app::gap_lines;
use crate::cli::Global;
use crate::config::{self, ConfigError, Loaded, Sources};
use crate::control::{self, Answer, Request};
use crate::health::{Level, Report};
use crate::paths;

/// How to answer.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// The range that the list of top processes covers.
const TOP_RANGE_MS: i64 = 60_000;
/// How long the log may take to tell it.
const TOP_DEADLINE: Duration = Duration::from_secs(2);
/// How many processes are listed.
const TOP: usize = 5;

/// Asks the running watch; without one, says what the log holds. The exit code is the level's; no answer is unknown.
pub fn status(global: &Global, args: &StatusArgs) -> anyhow::Result<u8> {
    let loaded = match global.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            if let Some(answered) = despite(&error, global, args)? {
                return Ok(answered);
            }
            // 2 would say that the watch is in a critical state; with this configuration nobody can know.
            error.print();
            return Ok(Level::Unknown.exit_code());
        }
    };
    answer(&loaded, args).or_else(|error| {
        super::complain(&format!("{error:#}"));
        Ok(Level::Unknown.exit_code())
    })
}

/// What the watch says that goes on with its old configuration while that on disk is wrong; `None` if none is found.
fn despite(error: &ConfigError, global: &Global, args: &StatusArgs) -> anyhow::Result<Option<u8>> {
    // A file that is gone says nothing; the environment may.
    let config = config::salvaged(global.sources().unwrap_or_else(|_| Sources::from_environment()));
    let Ok(state_folder) = paths::state_folder(&config.store) else { return Ok(None) };
    let Ok(Some(Answer::Status(report))) = control::ask(&paths::control_socket(&state_folder), &Request::Status) else {
        return Ok(None);
    };
    if report.config_error.is_none() {
        super::warn(&format!("the configuration on disk cannot be used: {}", error.summary()));
    }
    show(&report, &state_folder, &config.host.zone().unwrap_or(TimeZone::UTC), args)?;
    Ok(Some(report.level().exit_code()))
}

/// Prints what a watch says.
fn show(report: &Report, state_folder: &Path, zone: &TimeZone, args: &StatusArgs) -> anyhow::Result<()> {
    if args.json {
        super::print_json(&with_level(report)?)
    } else {
        super::print(&(running(report, zone) + &top_processes(state_folder, report.now_ms)))
    }
}

fn answer(loaded: &Loaded, args: &StatusArgs) -> anyhow::Result<u8> {
    let state_folder = paths::state_folder(&loaded.config.store)?;
    let zone = loaded.time_zone().unwrap_or(TimeZone::UTC);
    let socket = paths::control_socket(&state_folder);
    match control::ask(&socket, &Request::Status)? {
        Some(Answer::Status(report)) => {
            show(&report, &state_folder, &zone, args)?;
            Ok(report.level().exit_code())
        }
        Some(Answer::Error(error)) => anyhow::bail!("{error}"),
        Some(_) => anyhow::bail!("the running watch answered something else; is it another version?"),
        None => {
            let stopped = Stopped::of(&state_folder, loaded.config.store.samples);
            if args.json {
                super::print_json(&stopped)?;
            } else {
                super::print(&stopped.text(&zone))?;
            }
            Ok(Level::Unknown.exit_code())
        }
    }
}

/// The report as JSON; its level stands beside it, as it does where no watch runs.
fn with_level(report: &Report) -> anyhow::Result<serde_json::Value> {
    let mut value = serde_json::to_value(report)?;
    value["level"] = serde_json::to_value(report.level())?;
    Ok(value)
}

fn percent(share: Option<f64>) -> String {
    share.map_or("unknown".to_owned(), |share| Unit::Ratio.show(share).to_string())
}

fn bytes(bytes: u64) -> String {
    Unit::Bytes.show(bytes as f64).to_string()
}

/// The answer for people.
fn running(report: &Report, zone: &TimeZone) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:13} {value}");
    };
    let age = duration(report.running_ms);
    line(
        "watch",
        format!("{} (pid {}, version {}, running for {age})", report.level().word(), report.pid, report.version),
    );
    for trouble in &report.troubles {
        line("", format!("{}: {}", trouble.level.word(), clean(&trouble.text, 500)));
    }
    let reader = &report.reader;
    let processes = reader.processes.map_or("unknown".to_owned(), |count| count.to_string());
    line(
        "host",
        format!(
            "{}: CPU {}, memory {}, {processes} processes",
            clean(&report.host, 100),
            percent(reader.cpu_utilization),
            percent(reader.memory_utilization)
        ),
    );
    let every = duration(report.interval_ms);
    let last = reader.last_tick_ms.map_or("never".to_owned(), |ms| local_time(ms, zone));
    line(
        "looks",
        format!(
            "every {every} through the `{}` tier; {} taken, {} late, last {last}",
            report.tier, reader.ticks, reader.late
        ),
    );
    if let Some(share) = reader.not_attributed {
        let reasons = reader.not_attributed_reasons.join(", ");
        let why = if reasons.is_empty() { String::new() } else { format!(" ({reasons})") };
        line("no process", format!("{} of CPU belongs to no process in the log{why}", percent(Some(share))));
    }
    for (index, gap) in gap_lines(&reader.gaps).iter().enumerate() {
        line(if index == 0 { "cannot see" } else { "" }, gap.clone());
    }
    let free = report.recorder.free_bytes.map_or(String::new(), |free| format!(", {} free", bytes(free)));
    let size = report.recorder.log_bytes.map_or("size unknown".to_owned(), bytes);
    let off = if report.recorder.is_off { "none, as store.samples says; " } else { "" };
    line("log", format!("{off}{}: {size}{free}", report.state_folder));
    for (index, sink) in report.sinks.iter().enumerate() {
        let rows = if sink.rows == 1 { "1 row".to_owned() } else { format!("{} rows", sink.rows) };
        let last = sink.last_ms.map_or("nothing yet".to_owned(), |ms| format!("{rows}, last {}", local_time(ms, zone)));
        let path = clean(&sink.path, 300);
        line(if index == 0 { "files" } else { "" }, format!("{path} ({}): {last}", sink.format));
    }
    if let Some(recording) = &report.recording {
        let ticks = if recording.ticks == 1 { "1 tick".to_owned() } else { format!("{} ticks", recording.ticks) };
        line("recording", format!("{}: {ticks}, {}", clean(&recording.path, 300), bytes(recording.bytes)));
    }
    let analyst = &report.analyst;
    let counts = [(analyst.firing, "firing"), (analyst.recovering, "recovering"), (analyst.pending, "pending")];
    let counts = counts.map(|(count, state)| format!("{state} {count}")).join(", ");
    line("alerts", format!("{counts}; rules in force {}", analyst.rules));
    for incident in &analyst.incidents {
        let number = incident.ticket.map_or(String::new(), |ticket| format!("#{ticket} "));
        let since = local_time(incident.opened_ms, zone);
        line("", format!("{number}{} since {since}: {}", incident.severity, incident.text));
    }
    let messages = report.outbox.as_ref().map_or("unknown".to_owned(), |outbox| {
        let silences = match outbox.silences {
            0 => String::new(),
            1 => "; 1 silence in force".to_owned(),
            count => format!("; {count} silences in force"),
        };
        format!("{} sent, {} waiting, {} undeliverable{silences}", outbox.sent, outbox.pending, outbox.dead)
    });
    line("messages", messages);
    for (name, channel) in &report.channels {
        let state = match (&channel.last_error, channel.failing_since_ms, channel.last_sent_ms) {
            (Some(error), Some(since), _) => {
                format!("failing since {}: {}", local_time(since, zone), clean(error, 300))
            }
            (_, _, Some(sent)) => format!("last accepted {}", local_time(sent, zone)),
            _ => "nothing sent yet".to_owned(),
        };
        line("", format!("{name}: {state}"));
    }
    let own = &report.own;
    let memory = own.resident_bytes.map_or(String::new(), |resident| format!(", {} resident", bytes(resident)));
    let cores = own.cores.map(|cores| format!("{} of one core on average", Unit::Ratio.show(cores)));
    line("own use", format!("{}{memory}", cores.as_deref().unwrap_or("CPU time unknown")));
    line("control", report.control_socket.clone());
    text
}

/// The processes that took most CPU over the last minute, from the log. Nothing where the log cannot tell.
fn top_processes(state_folder: &Path, now_ms: i64) -> String {
    let range = Range::new(now_ms - TOP_RANGE_MS, now_ms);
    let ranked = Reader::open(state_folder).map_err(anyhow::Error::from).and_then(|reader| {
        Ok(reader.with_deadline(TOP_DEADLINE).top(range, "process.cpu.utilization", EntityKind::Process, TOP)?)
    });
    match ranked {
        Ok(ranked) if !ranked.is_empty() => {
            let mut text = "\nlast minute  share of CPU  process\n".to_owned();
            for one in &ranked {
                let _ = writeln!(text, "{:>23}  {}", percent(Some(one.mean)), process_name(one));
            }
            text
        }
        _ => String::new(),
    }
}

fn process_name(ranked: &Ranked) -> String {
    let pid = match &ranked.entity {
        watchkeeper_core::Entity::Process(key) => format!(" (pid {})", key.pid),
        _ => String::new(),
    };
    let program = ranked.image.as_ref().map_or("unknown", |image| image.program.as_str());
    format!("{}{pid}", clean(program, 80))
}

/// No watch answers: what is known from the log.
#[derive(Debug, Serialize)]
struct Stopped {
    level: Level,
    state_folder: String,
    /// Nothing is logged, because `store.samples` says so.
    log_is_off: bool,
    /// Looks in the log, with the first and the last one in milliseconds UTC.
    ticks: u64,
    first_tick_ms: Option<i64>,
    last_tick_ms: Option<i64>,
    /// Why the log cannot be read.
    error: Option<String>,
}

impl Stopped {
    fn of(state_folder: &Path, samples: bool) -> Self {
        let coverage = Reader::open(state_folder)
            .map_err(anyhow::Error::from)
            .and_then(|reader| Ok(reader.coverage(Range::new(0, i64::MAX))?));
        let (coverage, error) = match coverage {
            Ok(coverage) => (coverage, None),
            Err(error) => (Coverage::default(), Some(format!("{error:#}"))),
        };
        Self {
            level: Level::Unknown,
            state_folder: state_folder.display().to_string(),
            log_is_off: !samples,
            ticks: coverage.ticks,
            first_tick_ms: coverage.first_ms,
            last_tick_ms: coverage.last_ms,
            error,
        }
    }

    fn text(&self, zone: &TimeZone) -> String {
        let folder = clean(&self.state_folder, 300);
        let mut text = format!("watch         unknown: no watch is running on {folder}\n");
        if let (Some(first), Some(last)) = (self.first_tick_ms, self.last_tick_ms) {
            let (first, last) = (local_time(first, zone), local_time(last, zone));
            let _ = writeln!(text, "log           looks from {first} to {last}: {}", self.ticks);
        }
        if self.log_is_off {
            text.push_str("log           none is written, as store.samples says\n");
        }
        if let Some(error) = &self.error {
            let _ = writeln!(text, "log           {}", clean(error, 500));
        }
        text.push_str("start it with `watchkeeper run`\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{
        ChannelReport, OpenIncident, OutboxReport, OwnUse, RecorderHealth, SinkReport, sample_report, troubles,
    };

    #[test]
    fn without_a_watch_the_log_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = Stopped::of(&folder.path().join("nowhere"), true);
        assert!(nothing.error.as_ref().is_some_and(|error| error.contains("nowhere")), "{nothing:?}");
        let (first_tick_ms, last_tick_ms) = (Some(0), Some(59_000));
        let state_folder = "/var/lib/watchkeeper".to_owned();
        let level = Level::Unknown;
        let mut stopped =
            Stopped { level, state_folder, log_is_off: false, ticks: 60, first_tick_ms, last_tick_ms, error: None };
        insta::assert_snapshot!(stopped.text(&TimeZone::UTC), @r"
        watch         unknown: no watch is running on /var/lib/watchkeeper
        log           looks from 1970-01-01 00:00:00 to 1970-01-01 00:00:59: 60
        start it with `watchkeeper run`
        ");
        stopped.log_is_off = true;
        assert!(stopped.text(&TimeZone::UTC).contains("\nlog           none is written, as store.samples says\n"));
        let json = serde_json::to_value(&stopped).unwrap();
        assert_eq!((json["level"].as_str(), json["last_tick_ms"].as_i64()), (Some("unknown"), Some(59_000)));
    }

    #[test]
    fn the_answer_for_people_says_everything_in_one_screen() {
        let mut report = sample_report();
        report.reader.cpu_utilization = Some(0.25);
        report.reader.not_attributed = Some(0.031);
        report.reader.not_attributed_reasons = vec!["short-lived processes".to_owned()];
        report.recorder.free_bytes = Some(5 << 30);
        report.analyst.firing = 1;
        report.analyst.incidents.push(OpenIncident {
            ticket: Some(7),
            severity: "critical".to_owned(),
            text: "CPU above 90 %: yes (pid 4711) takes 49.8 % of this machine's CPU".to_owned(),
            opened_ms: report.now_ms - 60_000,
        });
        let failing = ChannelReport {
            failing_since_ms: Some(report.now_ms - 30_000),
            last_error: Some("connection\u{1b}refused".to_owned()),
            ..ChannelReport::default()
        };
        report.channels.insert("mail".to_owned(), failing);
        report.channels.insert("other".to_owned(), ChannelReport::default());
        report.outbox = Some(OutboxReport { pending: 2, sent: 1, silences: 2, ..OutboxReport::default() });
        report.own = OwnUse { cpu_ms: Some(1_200), cores: Some(0.004), resident_bytes: Some(21 << 20) };
        report.troubles = troubles(&report);
        assert_eq!(with_level(&report).unwrap()["level"], "warning");
        insta::assert_snapshot!(running(&report, &TimeZone::UTC), @r"
        watch         warning (pid 4711, version 0.1.0, running for 5 m)
                      warning: channel mail has failed for 30 s: connection\u{1b}refused
        host          db1: CPU 25.0 %, memory unknown, 120 processes
        looks         every 1.0 s through the `proc` tier; 300 taken, 0 late, last 2027-01-15 08:04:59
        no process    3.1 % of CPU belongs to no process in the log (short-lived processes)
        log           /state: 1.0 MiB, 5.0 GiB free
        alerts        firing 1, recovering 0, pending 0; rules in force 4
                      #7 critical since 2027-01-15 08:04:00: CPU above 90 %: yes (pid 4711) takes 49.8 % of this machine's CPU
        messages      1 sent, 2 waiting, 0 undeliverable; 2 silences in force
                      mail: failing since 2027-01-15 08:04:30: connection\u{1b}refused
                      other: nothing sent yet
        own use       0.4 % of one core on average, 21.0 MiB resident
        control       /state/control.sock
        ");
    }

    #[test]
    fn files_are_listed_and_a_log_that_nobody_wants_is_no_trouble() {
        let mut report = sample_report();
        report.recorder = RecorderHealth { is_off: true, ..report.recorder };
        let file = SinkReport {
            path: "/var/log/a\u{1b}.csv".to_owned(),
            format: "csv".to_owned(),
            rows: 1_234,
            last_ms: Some(report.now_ms),
            ..SinkReport::default()
        };
        let error = Some("no space left for the log in /b; 3 ticks wait in memory".to_owned());
        report.sinks = vec![
            file,
            SinkReport { path: "/b".to_owned(), format: "jsonl".to_owned(), error, ..SinkReport::default() },
        ];
        report.troubles = troubles(&report);
        let text = running(&report, &TimeZone::UTC);
        let shown: Vec<&str> = text.lines().take(7).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        watch         critical (pid 4711, version 0.1.0, running for 5 m)
                      critical: no space left for the log in /b; 3 ticks wait in memory
        host          db1: CPU unknown, memory unknown, 120 processes
        looks         every 1.0 s through the `proc` tier; 300 taken, 0 late, last 2027-01-15 08:04:59
        log           none, as store.samples says; /state: 1.0 MiB
        files         /var/log/a\u{1b}.csv (csv): 1234 rows, last 2027-01-15 08:05:00
                      /b (jsonl): nothing yet
        ");
    }

    #[test]
    fn what_is_not_known_is_not_shown_as_zero() {
        let mut report = sample_report();
        report.outbox = None;
        report.recorder.log_bytes = None;
        report.reader.processes = None;
        report.troubles = troubles(&report);
        let text = running(&report, &TimeZone::UTC);
        for line in [
            "host          db1: CPU unknown, memory unknown, unknown processes",
            "log           /state: size unknown",
            "messages      unknown",
            "              critical: the store in /state does not answer",
            "own use       CPU time unknown",
        ] {
            assert!(text.lines().any(|one| one == line), "{line:?} is not in\n{text}");
        }
    }
}
