//! `watchkeeper notify`: messages to people.

use clap::{Args, Subcommand};

use crate::cli::{DONE, FAILED, Global};
use crate::control::{self, Answer, Request, TestResult};
use crate::settings::Settings;
use crate::{app, paths};

/// What can be done with messages.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message through the real outbox and say what the peer answered
    Test(TestArgs),
}

/// How to test.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Name of the channel, e.g. `mail` of [smtp.mail]
    #[arg(long, value_name = "NAME")]
    channel: String,
    /// To whom [default: the recipients of the channel's routes]
    #[arg(long, value_name = "RECIPIENT")]
    to: Vec<String>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
pub fn notify(global: &Global, command: &NotifyCommand) -> anyhow::Result<u8> {
    let NotifyCommand::Test(args) = command;
    let loaded = global.load()?;
    let state_folder = paths::state_folder(&loaded.config.store)?;
    let request = Request::NotifyTest { channel: args.channel.clone(), to: args.to.clone() };
    let results = match control::ask(&paths::control_socket(&state_folder), &request)? {
        Some(Answer::NotifyTest(results)) => results,
        Some(Answer::Error(error)) => anyhow::bail!("{error}"),
        Some(_) => anyhow::bail!("the running watch answered something else; is it another version?"),
        None => app::send_alone(&Settings::build(&loaded)?, &state_folder, &args.channel, &args.to)?,
    };
    if args.json {
        super::print_json(&results)?;
    } else {
        super::print(&results.iter().map(|result| line(&args.channel, result)).collect::<String>())?;
    }
    Ok(if results.iter().all(|result| result.accepted) { DONE } else { FAILED })
}

fn line(channel: &str, result: &TestResult) -> String {
    let word = if result.accepted { "accepted" } else { "not accepted" };
    format!("{channel} -> {}: {word}: {}\n", result.recipient, result.text)
}
