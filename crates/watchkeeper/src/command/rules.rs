//! `watchkeeper rules`: the rules in force, and trying rules before they can wake anyone.

mod backtest;
mod check;
mod list;
mod test;

use clap::Subcommand;

use crate::cli::Global;

pub use backtest::BacktestArgs;
pub use check::CheckArgs;
pub use list::ListArgs;
pub use test::TestArgs;

/// What can be asked about rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Say whether the rules are right; exit code 2 if they are not
    Check(CheckArgs),
    /// List the rules: what they look at, and which of them are in force
    List(ListArgs),
    /// Run tests of rules: given values, the alerts that are to come of them
    #[command(after_help = test::EXAMPLES)]
    Test(TestArgs),
    /// Say what rules would have made of the log
    #[command(after_help = backtest::EXAMPLES)]
    Backtest(BacktestArgs),
}

/// Answers.
pub fn rules(global: &Global, command: &RulesCommand) -> anyhow::Result<u8> {
    match command {
        RulesCommand::Check(args) => check::check(global, args),
        RulesCommand::List(args) => list::list(global, args),
        RulesCommand::Test(args) => test::test(global, args),
        RulesCommand::Backtest(args) => backtest::backtest(global, args),
    }
}
