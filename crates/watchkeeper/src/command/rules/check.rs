//! `watchkeeper rules check`: all mistakes of all rules at once.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use watchkeeper_analyze::Standing;

use crate::cli::{DONE, Global, MISUSED};
use crate::command::{print, print_json};
use crate::config::{ConfigError, Loaded, all_rules};
use crate::settings::named_problems;

/// What to check and how to answer.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files of rules, checked as if they lay in `rules.d` [default: the rules of the configuration alone]
    files: Vec<PathBuf>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// What was found where nothing is wrong.
#[derive(Debug, PartialEq, Serialize)]
struct Counts {
    /// Rules that are evaluated, shipped and own.
    in_force: usize,
    /// Rules that are off by themselves, or were turned off.
    off: usize,
    /// Shipped rules in whose place an own one stands.
    replaced: usize,
    /// Rules of the user's own, in force or not.
    own: usize,
}

/// Counts the rules, or says everything that is wrong with them.
pub fn check(global: &Global, args: &CheckArgs) -> anyhow::Result<u8> {
    match global.load_with_rule_files(&args.files).and_then(|loaded| Counts::of(&loaded)) {
        Ok(counts) if args.json => print_json(&Answer { ok: true, counts: Some(counts), mistakes: None })?,
        Ok(counts) => print(&counts.text())?,
        Err(error) if args.json => {
            print_json(&Answer { ok: false, counts: None, mistakes: Some(&error) })?;
            return Ok(MISUSED);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(DONE)
}

/// The answer as JSON.
#[derive(Serialize)]
struct Answer<'e> {
    ok: bool,
    #[serde(flatten)]
    counts: Option<Counts>,
    #[serde(flatten)]
    mistakes: Option<&'e ConfigError>,
}

impl Counts {
    fn of(loaded: &Loaded) -> Result<Self, ConfigError> {
        let unusable = named_problems(&loaded.config);
        if !unusable.is_empty() {
            return Err(loaded.report(unusable));
        }
        let rules = all_rules(&loaded.config).map_err(|problems| loaded.report(problems))?;
        let count = |standing| rules.iter().filter(|(_, other)| *other == standing).count();
        Ok(Self {
            in_force: count(Standing::On),
            off: count(Standing::Off),
            replaced: count(Standing::Replaced),
            own: rules.iter().filter(|(rule, _)| !rule.shipped).count(),
        })
    }

    fn text(&self) -> String {
        let rules = if self.in_force == 1 { "rule" } else { "rules" };
        let replaced = if self.replaced == 0 { String::new() } else { format!(", {} replaced", self.replaced) };
        format!("{} {rules} in force, {} off{replaced}, {} own\n", self.in_force, self.off, self.own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, Sources, load};

    #[test]
    fn files_that_the_start_would_refuse_are_shown_at_their_lines() {
        let text = "[anomaly]\nmodel = \"/nowhere/host.model\"\n\n[[check]]\nname = \"web\"\n\
                    http = \"https://127.0.0.1/\"\nca = \"/nowhere/authority.pem\"\n";
        let file = SourceFile { path: "watchkeeper.toml".into(), text: text.to_owned() };
        let loaded = load(Sources { file: Some(file), ..Sources::default() }).unwrap();
        let checked = Counts::of(&loaded).unwrap_err().to_string();
        let built = crate::settings::Settings::build(&loaded).unwrap_err().to_string();
        assert_eq!(checked, built, "the check says what the start says");
        for place in ["watchkeeper.toml:2:", "watchkeeper.toml:7:", "anomaly.model", "check.0.ca"] {
            assert!(checked.contains(place), "{place} in {checked}");
        }
    }

    #[test]
    fn every_rule_is_counted_where_it_stands() {
        let text = "[rules]\ndisable = [\"filesystem-full\"]\n\
                    [[rule]]\nid = \"host-cpu\"\nwhen = 'system.cpu.utilization > \"50%\"'\n\
                    [[rule]]\nid = \"mine\"\nwhen = 'system.cpu.utilization > \"50%\"'\nenabled = false\n";
        let of = |text: &str| {
            let file = SourceFile { path: "watchkeeper.toml".into(), text: text.to_owned() };
            Counts::of(&load(Sources { file: Some(file), ..Sources::default() }).unwrap()).unwrap()
        };
        let shipped = of("");
        let counts = of(text);
        let expected = Counts { in_force: shipped.in_force - 1, off: shipped.off + 2, replaced: 1, own: 2 };
        assert_eq!(counts, expected);
        let one = Counts { in_force: 1, off: 2, replaced: 0, own: 1 };
        assert_eq!(one.text(), "1 rule in force, 2 off, 1 own\n");
        assert_eq!(Counts { replaced: 3, in_force: 17, ..one }.text(), "17 rules in force, 2 off, 3 replaced, 1 own\n");
    }
}
