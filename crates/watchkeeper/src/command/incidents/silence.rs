//! `watchkeeper incidents silence` and `unsilence`: no messages about some incidents for a while.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;
use watchkeeper_core::Silence;
use watchkeeper_core::text::{clean, local_time};
use watchkeeper_notify::Matcher;
use watchkeeper_store::{Store, Unsilenced};

use super::ack::{sudo_user, until};
use crate::cli::{DONE, FAILED, MISUSED};
use crate::config::{Config, Loaded, all_rules, nearest};
use crate::control::{self, Answer, NewSilence, Request};
use crate::{app, command, paths, times};

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper incidents silence --rule host-cpu --for 2h --comment \"the nightly build\"
  watchkeeper incidents silence --entity /var --until \"tomorrow 09:00\" --comment \"new disks come\"
  watchkeeper incidents silence --match 'severity != \"critical\" && labels.env == \"test\"' \\
    --for 1d --comment \"tests of the week\"
  watchkeeper incidents silence --list

Incidents are opened and shown as ever; only their messages wait. When a
silence ends, people are told of what is still open.";

/// Which, for how long, and why.
#[derive(Debug, Args)]
pub struct SilenceArgs {
    /// Incidents of this rule
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Incidents of this host
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Incidents of this filesystem, disk, interface or program
    #[arg(long, value_name = "TEXT")]
    entity: Option<String>,
    /// Incidents of this severity: info, warning or critical
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// Incidents with this label; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Incidents for which this holds, as `match` of a route
    #[arg(long = "match", value_name = "CONDITION")]
    matcher: Option<String>,
    /// For how long: 30m, 2h, at most 30d
    #[arg(long = "for", value_name = "LENGTH", conflicts_with = "until")]
    length: Option<String>,
    /// Until when: 03:00, "tomorrow 09:00" or 2026-12-31T18:00
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, for those who miss the messages
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Who wants it [default: the user who calls]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// List the silences in force, and do nothing else
    #[arg(long, conflicts_with_all = [
        "rule", "host", "entity", "severity", "label", "matcher", "length", "until", "comment", "by",
    ])]
    list: bool,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Which one.
#[derive(Debug, Args)]
pub struct UnsilenceArgs {
    /// Number of the silence
    number: i64,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Asks the running watch; without one, writes it down itself.
pub fn silence(loaded: &Loaded, state_folder: &Path, zone: &TimeZone, args: &SilenceArgs) -> anyhow::Result<u8> {
    let now_ms = watchkeeper_collect::wall_clock_ms();
    if args.list {
        let silences = watchkeeper_store::silences(state_folder, now_ms)?;
        if args.json {
            command::print_json(&silences)?;
        } else {
            command::print(&list(&silences, zone))?;
        }
        return Ok(DONE);
    }
    let request = match request(args, now_ms, zone) {
        Ok(request) => request,
        Err(sentence) => {
            command::complain(&sentence);
            return Ok(MISUSED);
        }
    };
    if let Some(doubt) = args.rule.as_deref().and_then(|id| unknown_rule(id, &loaded.config)) {
        command::warn(&doubt);
    }
    let asked = control::ask(&paths::control_socket(state_folder), &Request::Silence(request.clone()))?;
    let silence = match asked {
        Some(Answer::Silenced(silence)) => silence,
        Some(Answer::Error(error)) => anyhow::bail!("{error}"),
        Some(_) => anyhow::bail!("the running watch answered something else; is it another version?"),
        None => {
            let store = Store::open(state_folder, &loaded.config.store)?;
            app::silence(&mut store.ledger()?, &request, &control::own_name())?
        }
    };
    if args.json {
        command::print_json(&silence)?;
    } else {
        command::print(&made(&silence, zone))?;
    }
    Ok(DONE)
}

/// Ends a silence: asks the running watch; without one, does it itself.
pub fn unsilence(loaded: &Loaded, state_folder: &Path, zone: &TimeZone, args: &UnsilenceArgs) -> anyhow::Result<u8> {
    let number = args.number;
    let asked = control::ask(&paths::control_socket(state_folder), &Request::Unsilence { number })?;
    let result = match asked {
        Some(Answer::Unsilenced(result)) => result,
        Some(Answer::Error(error)) => anyhow::bail!("{error}"),
        Some(_) => anyhow::bail!("the running watch answered something else; is it another version?"),
        None => app::unsilence(&mut Store::open(state_folder, &loaded.config.store)?.ledger()?, number)?,
    };
    if args.json {
        let (ended, waited) = if let Unsilenced::Done(rows) = result { (true, Some(rows)) } else { (false, None) };
        command::print_json(&json!({ "number": number, "ended": ended, "messages": waited }))?;
    } else {
        match ended(number, result, zone) {
            Ok(done) => command::print(&(done + "\n"))?,
            Err(not_done) => command::complain(&not_done),
        }
    }
    Ok(if matches!(result, Unsilenced::Done(_)) { DONE } else { FAILED })
}

/// What is asked for, or a sentence about what is missing or wrong.
fn request(args: &SilenceArgs, now_ms: i64, zone: &TimeZone) -> Result<NewSilence, String> {
    let matcher = matcher(args)?;
    let (option, time) = match (&args.length, &args.until) {
        (Some(length), _) => ("--for", length),
        (_, Some(time)) => ("--until", time),
        _ => return Err("until when? name a length such as --for 2h, or a time such as --until 09:00".to_owned()),
    };
    let ends_ms = times::future(time, now_ms, zone).map_err(|sentence| format!("{option}: {sentence}"))?;
    if let Some(sentence) = app::too_long(ends_ms, now_ms) {
        return Err(format!("{option}: {sentence}"));
    }
    let Some(comment) = args.comment.clone() else {
        return Err("why? say it with --comment, for those who miss the messages".to_owned());
    };
    Ok(NewSilence { matcher, ends_ms, comment, by: args.by.clone().or_else(sudo_user) })
}

/// What to say of a rule that there is none of; it may come later.
fn unknown_rule(id: &str, config: &Config) -> Option<String> {
    let ids: Vec<String> = all_rules(config).ok()?.into_iter().map(|(rule, _)| rule.id).collect();
    if ids.iter().any(|known| known == id) {
        return None;
    }
    let meant = nearest(id, ids).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Some(format!("no rule has the id `{}`{meant}", clean(id, 100)))
}

/// The options as one condition.
fn matcher(args: &SilenceArgs) -> Result<String, String> {
    let mut parts = Vec::new();
    for (field, value) in
        [("rule", &args.rule), ("host", &args.host), ("entity", &args.entity), ("severity", &args.severity)]
    {
        parts.extend(value.as_ref().map(|value| format!("{field} == {}", quoted(value))));
    }
    for label in &args.label {
        let Some((name, value)) = label.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(format!("--label: `{}` is no label; write NAME=VALUE, such as env=test", clean(label, 80)));
        };
        parts.push(format!("labels.{name} == {}", quoted(value)));
    }
    if let Some(own) = &args.matcher {
        parts.push(if parts.is_empty() { own.clone() } else { format!("({own})") });
    }
    if parts.is_empty() {
        return Err("which incidents? name them with --rule, --host, --entity, --severity, --label or --match; \
                    --list shows the silences in force"
            .to_owned());
    }
    let matcher = parts.join(" && ");
    if let Err(problems) = Matcher::parse(&matcher) {
        let sentence = |problem: watchkeeper_core::Problem| {
            problem.help.map_or_else(|| problem.message.clone(), |help| format!("{}; {help}", problem.message))
        };
        let sentences: Vec<String> = problems.into_iter().map(sentence).collect();
        return Err(format!("`{}`: {}", clean(&matcher, 200), sentences.join("; ")));
    }
    Ok(matcher)
}

/// A text as the language of conditions writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What was made, and how to end it.
fn made(silence: &Silence, zone: &TimeZone) -> String {
    format!(
        "silence {number} is in force {}: no messages about incidents with {}\n\
         `watchkeeper incidents unsilence {number}` ends it\n",
        until(silence.ends_ms, zone),
        clean(&silence.matcher, 500),
        number = silence.number
    )
}

/// What became of the end.
fn ended(number: i64, result: Unsilenced, zone: &TimeZone) -> Result<String, String> {
    match result {
        Unsilenced::Done(0) => Ok(format!("silence {number} has ended; no message waited for that")),
        Unsilenced::Done(1) => Ok(format!("silence {number} has ended; 1 message waited for that")),
        Unsilenced::Done(rows) => Ok(format!("silence {number} has ended; {rows} messages waited for that")),
        Unsilenced::Over(ends_ms) => Err(format!("silence {number} ended {}", local_time(ends_ms, zone))),
        Unsilenced::Unknown => {
            Err(format!("there is no silence {number}; `watchkeeper incidents silence --list` shows those in force"))
        }
    }
}

/// A line below the list of incidents, if there is something to say.
pub fn notice(count: usize) -> String {
    let (silences, show) = match count {
        0 => return String::new(),
        1 => ("1 silence is".to_owned(), "shows it"),
        count => (format!("{count} silences are"), "shows them"),
    };
    format!("\n{silences} in force; `watchkeeper incidents silence --list` {show}\n")
}

fn list(silences: &[Silence], zone: &TimeZone) -> String {
    if silences.is_empty() {
        return "no silences\n".to_owned();
    }
    let mut text = format!("{:>6}  {:19}  {:12}  which, and why\n", "number", "until", "by");
    for silence in silences {
        let _ = writeln!(
            text,
            "{:>6}  {}  {:12}  {}: {}",
            silence.number,
            local_time(silence.ends_ms, zone),
            clean(&silence.author, 40),
            clean(&silence.matcher, 300),
            clean(&silence.comment, 300)
        );
    }
    text
}

#[cfg(test)]
mod tests;
