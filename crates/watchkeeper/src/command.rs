//! One file for each command; each takes what was typed and gives an exit code.

pub mod config;
pub mod incidents;
pub mod notify;
pub mod run;
pub mod status;

use std::io::{self, Write};

/// Writes an answer to standard output. A reader who has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes an answer as JSON for programs.
pub fn print_json(answer: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(answer)? + "\n"))
}
