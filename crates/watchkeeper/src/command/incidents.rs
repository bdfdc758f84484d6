//! `watchkeeper incidents`: what happened, who did it, who was told.

mod ack;
mod silence;

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::json;
use watchkeeper_core::evidence::{Acknowledgement, Evidence, Known, Recurrence};
use watchkeeper_core::incident::IncidentFilter;
use watchkeeper_core::port::{IncidentRecord, MessageState};
use watchkeeper_core::text::{
    clean, contributor_name, culprit_sentence, duration, local_time, pattern_sentence, started_by, title_with_culprit,
    trend_sentence, value_words,
};
use watchkeeper_core::{History, Incident, IncidentEvent, Ticket, Unit};
use watchkeeper_store::Reader;

use crate::cli::{DONE, FAILED, Global};
use crate::paths;

/// What can be asked about incidents.
#[derive(Debug, Subcommand)]
pub enum IncidentsCommand {
    /// List incidents, newest first
    List(ListArgs),
    /// Show one with its evidence, history and messages
    Show(ShowArgs),
    /// Take incidents on: who, until when, and a note; shown to everybody who looks at them
    #[command(after_help = ack::EXAMPLES)]
    Ack(ack::AckArgs),
    /// No messages about some incidents for a while; they are opened and shown as ever
    #[command(after_help = silence::EXAMPLES)]
    Silence(silence::SilenceArgs),
    /// End a silence; people are told of what is still open
    Unsilence(silence::UnsilenceArgs),
}

/// Which are listed.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those that are still open
    #[arg(long)]
    open: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = limit)]
    limit: usize,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Which one is shown.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Ticket number
    #[arg(value_parser = ticket)]
    ticket: Ticket,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// How many are listed at the most.
fn limit(written: &str) -> Result<usize, String> {
    let number = written.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "write a number from 1".to_owned())
}

/// The number of an incident.
fn ticket(written: &str) -> Result<Ticket, String> {
    let number = written.strip_prefix('#').unwrap_or(written).parse().ok().filter(|number| *number > 0);
    number
        .ok_or_else(|| format!("`{}` is no ticket number; `watchkeeper incidents list` shows them", clean(written, 40)))
}

/// Does it; a watch may run or not.
pub fn incidents(global: &Global, command: &IncidentsCommand) -> anyhow::Result<u8> {
    let loaded = global.load()?;
    let zone = loaded.time_zone().unwrap_or(TimeZone::UTC);
    let state_folder = paths::state_folder(&loaded.config.store)?;
    match command {
        IncidentsCommand::Ack(args) => return ack::ack(&loaded, &state_folder, &zone, args),
        IncidentsCommand::Silence(args) => return silence::silence(&loaded, &state_folder, &zone, args),
        IncidentsCommand::Unsilence(args) => return silence::unsilence(&loaded, &state_folder, &zone, args),
        IncidentsCommand::List(args) => {
            let reader = Reader::open(&state_folder)?;
            let filter = IncidentFilter { open: args.open, limit: Some(args.limit), ..IncidentFilter::default() };
            let records = reader.incidents(&filter)?;
            if args.json {
                super::print_json(&records.iter().map(with_acknowledgements).collect::<Result<Vec<_>, _>>()?)?;
            } else {
                let now_ms = watchkeeper_collect::wall_clock_ms();
                let silences = watchkeeper_store::silences(&state_folder, now_ms)?;
                super::print(&(list(&records, now_ms, &zone) + &silence::notice(silences.len())))?;
            }
        }
        IncidentsCommand::Show(args) => {
            let reader = Reader::open(&state_folder)?;
            let filter = IncidentFilter { ticket: Some(args.ticket), ..IncidentFilter::default() };
            let Some(record) = reader.incidents(&filter)?.into_iter().next() else {
                super::complain(&unknown(args.ticket));
                return Ok(FAILED);
            };
            if args.json {
                super::print_json(&with_history(&record)?)?;
            } else {
                super::print(&show(&record, watchkeeper_collect::wall_clock_ms(), &zone))?;
            }
        }
    }
    Ok(DONE)
}

fn unknown(ticket: Ticket) -> String {
    format!("there is no incident {ticket}; `watchkeeper incidents list` shows them")
}

/// The incident as JSON, with who has taken it on.
fn with_acknowledgements(record: &IncidentRecord) -> serde_json::Result<serde_json::Value> {
    let mut value = serde_json::to_value(&record.incident)?;
    value["acknowledgements"] = serde_json::to_value(&record.acknowledgements)?;
    Ok(value)
}

/// The same with its history and what became of its messages.
fn with_history(record: &IncidentRecord) -> serde_json::Result<serde_json::Value> {
    let mut value = with_acknowledgements(record)?;
    let message = |message: &MessageState| {
        json!({
            "channel": message.channel, "recipient": message.recipient, "event": message.event, "state": message.state,
            "attempts": message.attempts, "due_ms": message.due_ms, "last": message.last,
        })
    };
    value["history"] = serde_json::to_value(&record.history)?;
    value["messages"] = record.messages.iter().map(message).collect();
    Ok(value)
}

fn list(records: &[IncidentRecord], now_ms: i64, zone: &TimeZone) -> String {
    if records.is_empty() {
        return "no incidents\n".to_owned();
    }
    let mut text = format!("{:>6}  {:8}  {:19}  {:>10}  what, and who\n", "ticket", "severity", "opened", "length");
    for record in records {
        let incident = &record.incident;
        let ticket = incident.ticket.map_or("-".to_owned(), |ticket| ticket.to_string());
        let length = incident.closed_ms.map_or("open".to_owned(), |closed| duration(closed - incident.opened_ms));
        let opened = local_time(incident.opened_ms, zone);
        let taken = taken_by(record, now_ms).map_or(String::new(), |by| format!(" [acknowledged by {by}]"));
        let _ = writeln!(
            text,
            "{ticket:>6}  {:8}  {opened}  {length:>10}  {}{}{taken}",
            incident.severity.word(),
            title_with_culprit(&incident.title, &incident.evidence),
            incident.counts()
        );
    }
    text
}

/// Who has taken an open incident on, if they still do. Of several the newest counts.
fn taken_by(record: &IncidentRecord, now_ms: i64) -> Option<String> {
    let last = record.acknowledgements.last().filter(|_| record.incident.closed_ms.is_none())?;
    last.until_ms.is_none_or(|until_ms| until_ms > now_ms).then(|| clean(&last.by, 40))
}

/// By whom, until when, and their note.
fn acknowledged_line(acknowledgement: &Acknowledgement, zone: &TimeZone) -> String {
    let until = acknowledgement.until_ms.map_or("until it is over".to_owned(), |ms| ack::until(ms, zone));
    let note = acknowledgement.note.as_ref().map_or(String::new(), |note| format!(": {}", clean(note, 300)));
    format!("by {} {until}{note}", clean(&acknowledgement.by, 100))
}

fn show(record: &IncidentRecord, now_ms: i64, zone: &TimeZone) -> String {
    let incident = &record.incident;
    let evidence = &incident.evidence;
    let ticket = incident.ticket.map_or("-".to_owned(), |ticket| ticket.to_string());
    let mut text = format!("Incident {ticket}: {} [{}]\n", clean(&incident.title, 200), incident.severity);
    if let Some(sentence) = culprit_sentence(evidence) {
        let _ = writeln!(text, "{sentence}.");
    }
    text.push('\n');
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:12} {value}");
    };
    line("host", clean(&incident.host, 100));
    if let Some(summary) = &evidence.summary {
        line("meaning", clean(summary, 1_000));
    }
    if let Some(runbook) = &evidence.runbook {
        line("what to do", clean(runbook, 300));
    }
    line("rule", format!("{}: {}", clean(&evidence.rule, 100), clean(&evidence.condition, 300)));
    line("value", value_line(evidence));
    if let Some(trend) = &evidence.trend {
        line("trend", trend_sentence(trend, evidence.fired_ms, zone));
    }
    line("since", local_time(evidence.since_ms, zone));
    line("opened", local_time(incident.opened_ms, zone));
    let closed = incident.closed_ms.map_or("still open".to_owned(), |closed| {
        format!("{}, after {}", local_time(closed, zone), duration(closed - incident.opened_ms))
    });
    line("closed", closed);
    if incident.times > 1 {
        line("fired", format!("{} times", incident.times));
    }
    if let Some(flapping) = &incident.course.flapping {
        let since = local_time(flapping.told_ms, zone);
        line("flapping", format!("{} times since {since}", incident.times.saturating_sub(flapping.told_times)));
    }
    if !incident.labels.is_empty() {
        let label = |(name, value): (&String, &String)| format!("{}={}", clean(name, 40), clean(value, 60));
        line("labels", incident.labels.iter().map(label).collect::<Vec<_>>().join(", "));
    }
    line("usual", usual_line(evidence));
    line("before", before_line(evidence, zone));
    if let Known::Yes(Recurrence { pattern: Some(pattern), .. }) = &evidence.recurrence {
        line("pattern", pattern_sentence(pattern, zone));
    }
    if let Some(names) = started_by(evidence, " <- ") {
        line("started by", names);
    }
    text.push_str(&top(evidence));
    text.push_str(&changes(evidence));
    text.push_str(&joined(incident, zone));
    text.push_str("\nHistory\n");
    for entry in &record.history {
        let acknowledgement = record.acknowledgements.iter().find(|one| one.at_ms == entry.at_ms);
        let detail = match (entry.event, acknowledgement, &entry.detail) {
            (IncidentEvent::Acknowledged, Some(one), _) => format!(" {}", acknowledged_line(one, zone)),
            (_, _, Some(detail)) => format!(": {}", clean(detail, 300)),
            _ => String::new(),
        };
        let _ = writeln!(text, "  {}  {}{detail}", local_time(entry.at_ms, zone), entry.event.word());
    }
    if !record.messages.is_empty() {
        text.push_str("\nMessages\n");
    }
    for message in &record.messages {
        let last = message.last.as_ref().map_or(String::new(), |last| {
            format!(
                ", {}, last answer {}: {}",
                attempts(message.attempts),
                local_time(last.ts_ms, zone),
                clean(&last.text, 200)
            )
        });
        let waits = message.state == "pending" && message.due_ms > now_ms;
        let waits = if waits { format!(", waits {}", ack::until(message.due_ms, zone)) } else { String::new() };
        let (channel, recipient) = (clean(&message.channel, 80), clean(&message.recipient, 200));
        let _ = writeln!(text, "  {:8} {channel} -> {recipient} ({}){waits}{last}", message.state, message.event);
    }
    text
}

/// Most alerts that joined an incident and are listed.
const JOINED: usize = 20;

/// The alerts that joined.
fn joined(incident: &Incident, zone: &TimeZone) -> String {
    if incident.joined.is_empty() {
        return String::new();
    }
    let mut text = "\nJoined\n".to_owned();
    for joined in incident.joined.iter().take(JOINED) {
        let (at, title) = (local_time(joined.at_ms, zone), clean(&joined.title, 200));
        let _ = writeln!(text, "  {at}  {:8}  {title}", joined.severity.word());
    }
    let more = incident.joined.len().saturating_sub(JOINED);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more; --json shows them");
    }
    text
}

fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

fn value_line(evidence: &Evidence) -> String {
    let value = value_words(evidence);
    evidence
        .threshold
        .map_or(value.clone(), |threshold| format!("{value} (threshold {})", evidence.unit.show(threshold)))
}

fn usual_line(evidence: &Evidence) -> String {
    match &evidence.usual {
        Known::Yes(usual) => {
            let (low, high) = (evidence.unit.show(usual.low), evidence.unit.show(usual.high));
            format!("{low} to {high} at this hour ({} days)", usual.days)
        }
        Known::Nothing => "nothing to compare with".to_owned(),
        Known::NotYet => "not known yet".to_owned(),
        Known::NoLog => "there is no log".to_owned(),
    }
}

fn before_line(evidence: &Evidence, zone: &TimeZone) -> String {
    match &evidence.recurrence {
        Known::Yes(recurrence) if recurrence.times > 0 => format!(
            "{} in 30 days, last {}, median length {}",
            if recurrence.times == 1 { "once".to_owned() } else { format!("{} times", recurrence.times) },
            local_time(recurrence.last_ms, zone),
            duration(recurrence.median_ms)
        ),
        Known::Yes(_) | Known::Nothing => "never in the last 30 days".to_owned(),
        Known::NotYet => "not known yet".to_owned(),
        Known::NoLog => "there is no log".to_owned(),
    }
}

fn top(evidence: &Evidence) -> String {
    let Some(ranked_by) = &evidence.ranked_by else { return String::new() };
    if evidence.top.is_empty() {
        return String::new();
    }
    let share = |share: Option<f64>| share.map_or(String::new(), |share| Unit::Ratio.show(share).to_string());
    // Where the amount is a share anyway, it stands there once.
    let amount = |value: f64| match ranked_by.unit {
        Unit::Ratio => String::new(),
        unit => format!("{:>14}", unit.show(value).to_string()),
    };
    let heading = if ranked_by.unit == Unit::Ratio { String::new() } else { format!("{:>14}", "amount") };
    let mut text = format!("\n{:>9}{heading}  {:12}  process, by its share of {}\n", "share", "user", ranked_by.whole);
    for contributor in &evidence.top {
        let user = contributor.user.clone().or_else(|| contributor.uid.map(|uid| uid.to_string())).unwrap_or_default();
        let command = command_of(contributor.command.as_deref());
        let _ = writeln!(
            text,
            "{:>9}{}  {:12}  {}{command}",
            share(contributor.amount.share),
            amount(contributor.amount.value),
            clean(&user, 32),
            contributor_name(contributor)
        );
    }
    if let Some(rest) = &evidence.not_attributed {
        let _ = writeln!(text, "{:>9}{}  {:12}  no process in the log", share(rest.share), amount(rest.value), "");
    }
    text
}

/// The command line behind a name; the kernel's own threads have none.
fn command_of(command: Option<&str>) -> String {
    command.filter(|command| !command.is_empty()).map_or(String::new(), |command| format!(": {}", clean(command, 100)))
}

fn changes(evidence: &Evidence) -> String {
    let Some(ranked_by) = &evidence.ranked_by else { return String::new() };
    if evidence.changes.is_empty() {
        return String::new();
    }
    let mut text = "\nChange against the 15 minutes before\n".to_owned();
    for change in &evidence.changes {
        let before = change.before.map_or("was not there".to_owned(), |before| ranked_by.unit.show(before).to_string());
        let _ = writeln!(text, "  {}: {before} -> {}", clean(&change.program, 80), ranked_by.unit.show(change.now));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_is_said_to_be_wrong() {
        assert_eq!([ticket("7"), ticket("#7")], [Ok(7), Ok(7)]);
        for wrong in ["abc", "0", "-1", "", "7 "] {
            let sentence = ticket(wrong).unwrap_err();
            assert!(sentence.starts_with(&format!("`{wrong}` is no ticket number")), "{sentence}");
        }
        assert_eq!(limit("1"), Ok(1));
        assert!(limit("0").is_err() && limit("many").is_err());
    }

    #[test]
    fn one_is_told_from_many_and_nothing_from_something() {
        assert_eq!([attempts(0), attempts(1), attempts(2)], ["0 attempts", "1 attempt", "2 attempts"]);
        assert_eq!([command_of(None), command_of(Some("")), command_of(Some("yes -n"))], ["", "", ": yes -n"]);
    }
}
