//! `watchkeeper rules check`: all mistakes of all rules at once.

use clap::Args;
use serde::Serialize;

use crate::cli::{DONE, Global};

/// What to check and how to answer.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// What was found where nothing is wrong.
#[derive(Debug, Serialize)]
struct Counts {
    in_force: usize,
    own: usize,
}

/// Counts the rules, or says everything that is wrong with them.
pub fn check(global: &Global, args: &CheckArgs) -> anyhow::Result<u8> {
    let loaded = global.load()?;
    let rules = loaded.rules().map_err(|problems| loaded.report(problems))?;
    let counts = Counts { in_force: rules.len(), own: rules.iter().filter(|rule| !rule.shipped).count() };
    if args.json {
        super::super::print_json(&counts)?;
    } else {
        super::super::print(&format!("{} rules in force, {} own\n", counts.in_force, counts.own))?;
    }
    Ok(DONE)
}
