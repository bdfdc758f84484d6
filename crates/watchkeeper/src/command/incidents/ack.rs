//! `watchkeeper incidents ack`: somebody takes incidents on.

use std::path::Path;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;
use watchkeeper_core::Ticket;
use watchkeeper_core::text::{clean, local_time};
use watchkeeper_store::{Acknowledged, Store};

use super::unknown;
use crate::cli::{DONE, FAILED, MISUSED};
use crate::config::Loaded;
use crate::control::{self, Acknowledge, Answer, Request};
use crate::{app, command, paths, times};

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper incidents ack 12
  watchkeeper incidents ack 12 13 --until 2h --note \"on it, the nightly backup\"
  watchkeeper incidents ack 12 --by ada --until \"tomorrow 09:00\"";

/// Which, by whom, for how long.
#[derive(Debug, Args)]
pub struct AckArgs {
    /// Ticket numbers
    #[arg(required = true, value_name = "TICKET", value_parser = clap::value_parser!(Ticket).range(1..))]
    tickets: Vec<Ticket>,
    /// Who takes them on [default: the user who calls]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Until when: 2h, 03:00, "tomorrow 09:00" or 2026-12-31T18:00 [default: until the incident is over]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What others should know
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Asks the running watch; without one, writes it down itself.
pub fn ack(loaded: &Loaded, state_folder: &Path, zone: &TimeZone, args: &AckArgs) -> anyhow::Result<u8> {
    let until = args.until.as_ref().map(|text| times::future(text, watchkeeper_collect::wall_clock_ms(), zone));
    let until_ms = match until.transpose() {
        Ok(until_ms) => until_ms,
        Err(sentence) => {
            command::complain(&format!("--until: {sentence}"));
            return Ok(MISUSED);
        }
    };
    let mut tickets = args.tickets.clone();
    tickets.dedup();
    let request = Acknowledge { tickets, by: args.by.clone().or_else(sudo_user), until_ms, note: args.note.clone() };
    let asked = control::ask(&paths::control_socket(state_folder), &Request::Acknowledge(request.clone()))?;
    let (by, results) = match asked {
        Some(Answer::Acknowledged { by, results }) => (by, results),
        Some(Answer::Error(error)) => anyhow::bail!("{error}"),
        Some(_) => anyhow::bail!("the running watch answered something else; is it another version?"),
        None => {
            let store = Store::open(state_folder, &loaded.config.store)?;
            app::acknowledge(&mut store.ledger()?, &request, &control::own_name())?
        }
    };
    if args.json {
        let results: Vec<_> = results.iter().map(|(ticket, result)| answer(*ticket, *result, &by, until_ms)).collect();
        command::print_json(&results)?;
    } else {
        for (ticket, result) in &results {
            match sentence(*ticket, *result, &by, until_ms, zone) {
                Ok(done) => command::print(&(done + "\n"))?,
                Err(not_done) => command::complain(&not_done),
            }
        }
    }
    Ok(if results.iter().all(|(_, result)| *result == Acknowledged::Done) { DONE } else { FAILED })
}

/// Who is behind root, where `sudo` says so.
pub fn sudo_user() -> Option<String> {
    std::env::var("SUDO_USER").ok().filter(|name| paths::is_root() && !name.is_empty())
}

/// `until` and the time.
pub fn until(until_ms: i64, zone: &TimeZone) -> String {
    format!("until {}", local_time(until_ms, zone))
}

fn answer(ticket: Ticket, result: Acknowledged, by: &str, until_ms: Option<i64>) -> serde_json::Value {
    match result {
        Acknowledged::Done => json!({ "ticket": ticket, "acknowledged": true, "by": by, "until_ms": until_ms }),
        Acknowledged::Closed(closed_ms) => json!({ "ticket": ticket, "acknowledged": false, "closed_ms": closed_ms }),
        Acknowledged::Unknown => json!({ "ticket": ticket, "acknowledged": false }),
    }
}

/// What became of one: done, or why not.
fn sentence(
    ticket: Ticket,
    result: Acknowledged,
    by: &str,
    until_ms: Option<i64>,
    zone: &TimeZone,
) -> Result<String, String> {
    match result {
        Acknowledged::Done => {
            let until = until_ms.map_or("until it is over".to_owned(), |ms| until(ms, zone));
            Ok(format!("incident {ticket} is acknowledged by {} {until}", clean(by, 100)))
        }
        Acknowledged::Closed(closed_ms) => {
            Err(format!("incident {ticket} has been over since {}", local_time(closed_ms, zone)))
        }
        Acknowledged::Unknown => Err(unknown(ticket)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_it_is_a_sentence() {
        let said = |result, until_ms| sentence(12, result, "ada \u{1b}[31m", until_ms, &TimeZone::UTC);
        for (result, until_ms, expected) in [
            (Acknowledged::Done, None, Ok("incident 12 is acknowledged by ada \\u{1b}[31m until it is over")),
            (
                Acknowledged::Done,
                Some(1_795_192_200_000),
                Ok("incident 12 is acknowledged by ada \\u{1b}[31m until 2026-11-20 16:30:00"),
            ),
            (Acknowledged::Closed(1_795_192_200_000), None, Err("incident 12 has been over since 2026-11-20 16:30:00")),
            (Acknowledged::Unknown, None, Err("there is no incident 12; `watchkeeper incidents list` shows them")),
        ] {
            let said = said(result, until_ms);
            assert_eq!(said.as_ref().map(String::as_str).map_err(String::as_str), expected);
        }
    }
}
