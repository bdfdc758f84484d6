//! One file for each command; each takes what was typed and gives an exit code.

pub mod config;
pub mod detect;
pub mod incidents;
pub mod notify;
pub mod record;
pub mod replay;
pub mod rules;
pub mod run;
pub mod status;
pub mod train;

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::Context;
use jiff::tz::TimeZone;
use watchkeeper_core::text::{clean, is_active};

use crate::config::Loaded;

/// Writes an answer to standard output. A reader who has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write the answer"),
        _ => Ok(()),
    }
}

/// Writes an answer as JSON for programs. Foreign text in it may still meet a terminal: what a terminal would act on is
/// written as the escape that means the same to a program.
pub fn print_json(answer: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(escaped(&serde_json::to_string_pretty(answer)?) + "\n"))
}

/// Such characters stand only inside the strings of a JSON text; line breaks between its lines stay.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_active(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// The same for one of many answers: a JSON object in a line of its own.
pub fn json_line(answer: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(escaped(&serde_json::to_string(answer)?) + "\n")
}

/// Says on standard error what did not work. Nobody reading there is no reason to fail in another way.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// Says on standard error what may not be as it was meant.
pub fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// The zone of the times that a command shows. Warns when `TZ` names one that is not there: people would take the times
/// of UTC for theirs.
pub fn zone(loaded: &Loaded) -> TimeZone {
    if loaded.config.host.time_zone.is_none()
        && let Some(name) = std::env::var_os("TZ")
        && TimeZone::try_system().is_err()
    {
        let name = clean(&name.to_string_lossy(), 100);
        warn(&format!("there is no time zone `{name}` here, which the variable TZ names: times are those of UTC"));
    }
    loaded.time_zone().unwrap_or(TimeZone::UTC)
}

/// Says on standard error what is good to know.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_nothing_that_a_terminal_acts_on() {
        let foreign = "a\u{1b}[31m\u{9b}31m\u{7f}\u{202e}\u{e0041}é日\"\n\\";
        let json = escaped(&serde_json::to_string_pretty(&[foreign]).unwrap());
        let plain = "\"a\\u001b[31m\\u009b31m\\u007f\\u202e\\udb40\\udc41é日\\\"\\n\\\\\"";
        assert_eq!(json, format!("[\n  {plain}\n]"));
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [foreign]);
    }
}
