//! `watchkeeper replay`: a recording of `run --recording` through the rules, as fast as it goes.

mod player;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use watchkeeper_analyze::Rule;
use watchkeeper_core::text::{clean, duration, local_time};
use watchkeeper_core::{Change, IncidentKey};
use watchkeeper_store::SnapshotFileReader;

use crate::app::{incident_text, is_coloured, is_shown};
use crate::cli::{DONE, Global};
use crate::settings::RecordedSettings;

use player::{Played, Player, Summary, recorded_settings};

/// What to play, and how.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Recording made by `watchkeeper run --recording`
    file: PathBuf,
    /// Rules to go by
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Rules::Recorded)]
    rules: Rules,
    /// Answer every change of an alert or incident as a line of JSON
    #[arg(long)]
    json: bool,
}

/// Which rules a recording is played through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rules {
    /// Those that were in force
    Recorded,
    /// Those of the configuration as it is now
    Current,
}

/// Examples below the help.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper replay night.zst                     what the rules made of that night
  watchkeeper replay night.zst --rules current     what those of today would have made of it
  watchkeeper replay night.zst --json              every change, for a program

Nobody is told and nothing is stored. With the recorded rules the changes are those of the watch,
byte for byte; where ticks are missing in the recording, that is said. One whose end is cut is
played as far as it goes. The exit code is 1 for a file that is damaged or no recording.";

/// Plays a recording and prints what comes of it.
pub fn replay(global: &Global, args: &ReplayArgs) -> anyhow::Result<u8> {
    let reader = SnapshotFileReader::open(&args.file)?;
    let settings = recorded_settings(reader.header().settings.clone())?;
    let rules = match args.rules {
        Rules::Recorded => None,
        Rules::Current => Some(current(global, &settings)?),
    };
    let mut player = Player::new(reader, settings.clone(), rules)?;
    let mut talk = Talk::new(&settings, args.json);
    let mut result = Ok(());
    loop {
        match player.play() {
            Ok(Some(outcome)) => super::print(&talk.of(outcome)?)?,
            Ok(None) => break,
            // What came of it until there stands.
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    let mut text = talk.rest();
    if !args.json {
        text.push_str(&summary(&player.summary(), &settings, &talk.zone));
    }
    super::print(&text)?;
    for doubt in doubts(&player.summary()) {
        super::warn(&doubt);
    }
    result.map(|()| DONE).with_context(|| "the replay ends early")
}

/// The rules of the configuration, checked for the interval of the recording.
fn current(global: &Global, recorded: &RecordedSettings) -> anyhow::Result<Vec<Rule>> {
    let mut loaded = global.load()?;
    loaded.config.collect.interval = watchkeeper_core::quantity::Span::from_ms(recorded.interval_ms);
    Ok(loaded.rules().map_err(|problems| loaded.report(problems))?)
}

/// What is printed while it plays. Incidents wait for their numbers, which come right after them.
struct Talk {
    zone: TimeZone,
    json: bool,
    colour: bool,
    waiting: Vec<Change>,
}

impl Talk {
    fn new(settings: &RecordedSettings, json: bool) -> Self {
        let zone = TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC);
        Self { zone, json, colour: is_coloured(), waiting: Vec::new() }
    }

    fn of(&mut self, played: Played) -> anyhow::Result<String> {
        match played {
            Played::Changes(changes) if self.json => changes.iter().map(super::json_line).collect(),
            Played::Changes(changes) => {
                let text = self.rest();
                self.waiting = changes;
                Ok(text)
            }
            Played::Tickets(tickets) => {
                self.number(&tickets);
                Ok(String::new())
            }
        }
    }

    fn number(&mut self, tickets: &[(IncidentKey, i64)]) {
        for change in &mut self.waiting {
            if let Change::Incident { incident, .. } = change
                && let Some((_, ticket)) = tickets.iter().find(|(key, _)| *key == incident.key)
            {
                incident.ticket = Some(*ticket);
            }
        }
    }

    /// What waits.
    fn rest(&mut self) -> String {
        let mut text = String::new();
        for change in self.waiting.drain(..) {
            if let Change::Incident { event, at_ms, incident } = change
                && is_shown(event)
            {
                text.push_str(&incident_text(&self.zone, self.colour, event, at_ms, &incident));
            }
        }
        text
    }
}

/// What was played and what came of it, for people.
fn summary(summary: &Summary, settings: &RecordedSettings, zone: &TimeZone) -> String {
    let host = clean(&settings.host_name, 100);
    let Some((from_ms, to_ms)) = summary.from_ms.zip(summary.to_ms) else {
        return format!("The recording of {host} holds no ticks.\n");
    };
    let mut text = format!(
        "Replayed {} of {host}, {} to {} ({}), with {}: ",
        counted(summary.ticks, "tick"),
        local_time(from_ms, zone),
        local_time(to_ms, zone),
        duration(to_ms - from_ms),
        counted(summary.rules, "rule"),
    );
    if summary.opened == 0 {
        text.push_str("no incident opened");
    } else {
        let _ = write!(text, "{} opened", counted(summary.opened, "incident"));
    }
    let _ = writeln!(text, ", {} closed, {} open at the end.", summary.closed, summary.open);
    text
}

/// What may be other than it was.
fn doubts(summary: &Summary) -> Vec<String> {
    let mut doubts = Vec::new();
    if let Some(lost) = summary.lost {
        doubts
            .push(format!("the recording lacks {} that the watch had; alerts may differ here", counted(lost, "tick")));
    }
    if summary.dropped > 0 {
        doubts.push(format!(
            "{} never reached the rules, in the watch as well as here",
            counted(summary.dropped, "tick")
        ));
    }
    if summary.is_cut {
        doubts.push("the end of the recording is cut: the watch was killed, or is still recording".to_owned());
    }
    doubts
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use watchkeeper_core::IncidentEvent;

    use super::*;
    use crate::app::example_incident;

    #[test]
    fn what_joins_or_leaves_an_incident_is_no_news_in_a_replay_either() {
        use IncidentEvent::{Ended, Joined, Left, Opened, Resolved, Storm};
        let mut talk = Talk { zone: TimeZone::UTC, json: false, colour: false, waiting: Vec::new() };
        let change = |event| Change::Incident { event, at_ms: 60_000, incident: Box::new(example_incident()) };
        for (event, is_printed) in
            [(Opened, true), (Storm, false), (Joined, false), (Left, false), (Resolved, true), (Ended, true)]
        {
            talk.of(Played::Changes(vec![change(event)])).unwrap();
            assert_eq!(!talk.rest().is_empty(), is_printed, "{event:?}");
        }
    }
}
