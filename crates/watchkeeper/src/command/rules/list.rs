//! `watchkeeper rules list`: the rules in force.

use clap::Args;
use serde::Serialize;
use watchkeeper_core::text::clean;

use crate::cli::{DONE, Global};

/// How to answer.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// A rule in the answer.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    severity: String,
    each: String,
    shipped: bool,
}

/// Lists them, shipped ones first.
pub fn list(global: &Global, args: &ListArgs) -> anyhow::Result<u8> {
    let loaded = global.load()?;
    let rules = loaded.rules().map_err(|problems| loaded.report(problems))?;
    let listed: Vec<Listed> = rules
        .iter()
        .map(|rule| Listed {
            id: rule.id.clone(),
            severity: rule.severity.to_string(),
            each: rule.each.to_string(),
            shipped: rule.shipped,
        })
        .collect();
    if args.json {
        super::super::print_json(&listed)?;
        return Ok(DONE);
    }
    let lines = listed.iter().map(|rule| {
        let from = if rule.shipped { "shipped" } else { "own" };
        format!("{:30} {:9} {:11} {from}\n", clean(&rule.id, 64), rule.severity, rule.each)
    });
    super::super::print(&lines.collect::<String>())?;
    Ok(DONE)
}
