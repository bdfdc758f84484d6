//! `watchkeeper rules`: the rules in force, and trying rules before they can wake anyone.

mod check;
mod list;

use clap::Subcommand;

use crate::cli::Global;

pub use check::CheckArgs;
pub use list::ListArgs;

/// What can be asked about rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Say whether the rules are right; exit code 2 if they are not
    Check(CheckArgs),
    /// List the rules: what they look at, and which of them are in force
    List(ListArgs),
}

/// Answers.
pub fn rules(global: &Global, command: &RulesCommand) -> anyhow::Result<u8> {
    match command {
        RulesCommand::Check(args) => check::check(global, args),
        RulesCommand::List(args) => list::list(global, args),
    }
}
