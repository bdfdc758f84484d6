//! `watchkeeper rules backtest`: what rules would have made of the log.

mod answer;
mod text;

use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::tz::TimeZone;
use watchkeeper_analyze::backtest::{Backtest, RuleRecord};
use watchkeeper_analyze::{Rule, RuleFile, compile};
use watchkeeper_core::port::Coverage;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::{clean, local_time};
use watchkeeper_core::{History as _, HostId, Problem, Range};
use watchkeeper_store::Reader;

use crate::cli::{DONE, Global};
use crate::config::{ConfigError, Loaded, all_rules, load_side, nearest};
use crate::paths::state_folder;
use crate::times;

/// What to try, and on what.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// Id of a rule, or a file of rules [default: all rules in force]
    #[arg(value_name = "RULE|FILE")]
    what: Option<String>,
    /// How far back
    #[arg(long, value_name = "TIME", value_parser = Span::parse, default_value = "14d", conflicts_with = "from")]
    last: Span,
    /// Begin: `2h ago`, 03:00, `yesterday 3am`, 2026-11-20T18:00
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End, written as the begin [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Show the longest alerts first instead of the oldest
    #[arg(long)]
    longest: bool,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Examples below the help.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper rules backtest                                all rules in force, over two weeks
  watchkeeper rules backtest host-cpu --last 3d             one rule, also one that is off
  watchkeeper rules backtest new-rules.toml --from yesterday
  watchkeeper rules backtest host-cpu --from '2026-11-20 02:00' --to '2026-11-20 04:00' --longest

The log goes through the same rules as a running watch. Nobody is told and nothing is stored.
The exit code is 1 if the log holds nothing of that time or cannot be read.";

/// What came of a backtest.
struct Tested {
    range: Range,
    coverage: Coverage,
    /// Ticks that the rules were given.
    ticks: u64,
    records: Vec<RuleRecord>,
}

/// Lets the log go through the rules and says what would have fired.
pub fn backtest(global: &Global, args: &BacktestArgs) -> anyhow::Result<u8> {
    let loaded = global.load()?;
    let zone = super::super::zone(&loaded);
    let rules = chosen(&loaded, args.what.as_deref())?;
    let range = range(args, watchkeeper_collect::wall_clock_ms(), &zone)?;
    let folder = state_folder(&loaded.config.store)?;
    let tested = play(&loaded, &folder, rules, range, &zone)?;
    if args.json {
        super::super::print_json(&answer::Answer::of(&tested))?;
    } else {
        super::super::print(&text::report(&tested, &zone, args.longest))?;
    }
    Ok(DONE)
}

/// The rules that are meant: all in force, one by its id, or those of a file.
fn chosen(loaded: &Loaded, what: Option<&str>) -> Result<Vec<Rule>, ConfigError> {
    let Some(what) = what else { return loaded.rules().map_err(|problems| loaded.report(problems)) };
    let all = all_rules(&loaded.config).map_err(|problems| loaded.report(problems))?;
    let ids: Vec<String> = all.iter().map(|(rule, _)| rule.id.clone()).collect();
    // A rule of one's own comes after the shipped one that it replaces.
    if let Some((rule, _)) = all.into_iter().rev().find(|(rule, _)| rule.id == what) {
        return Ok(vec![rule]);
    }
    let path = Path::new(what);
    // An id may have a dot, a file of rules mostly has an ending.
    let is_path = path.exists() || what.contains(std::path::MAIN_SEPARATOR) || path.extension().is_some();
    if !is_path {
        let message = format!("there is neither a rule nor a file `{}`", clean(what, 80));
        let help = nearest(what, ids).map(|near| format!("did you mean `{near}`?"));
        let known = "`watchkeeper rules list` shows the rules";
        return Err(ConfigError::sentence(message, help.or_else(|| Some(known.to_owned()))));
    }
    let interval_ms = loaded.config.collect.interval.ms();
    let problems = |file: &RuleFile| -> Vec<Problem> {
        if file.rule.is_empty() {
            return vec![Problem::new("rule", "there are no rules in it").help("begin one with [[rule]]")];
        }
        let wrong = compile(&file.rule, interval_ms).err().unwrap_or_default();
        wrong.into_iter().map(|problem| problem.under("rule")).collect()
    };
    let file = load_side::<RuleFile>(path, "file of rules", problems)?;
    compile(&file.value.rule, interval_ms).map_err(|wrong| file.report(wrong))
}

fn range(args: &BacktestArgs, now_ms: i64, zone: &TimeZone) -> Result<Range, ConfigError> {
    let time = |text: Option<&String>| text.map(|text| times::past(text, now_ms, zone)).transpose();
    let misused = |message: String| ConfigError::sentence(message, None);
    let to_ms = time(args.to.as_ref()).map_err(misused)?.unwrap_or(now_ms);
    let from_ms = time(args.from.as_ref()).map_err(misused)?.unwrap_or_else(|| to_ms.saturating_sub(args.last.ms()));
    if from_ms >= to_ms {
        let (from, to) = (local_time(from_ms, zone), local_time(to_ms, zone));
        return Err(misused(format!("from {from} to {to} is no time; `--from` has to come before `--to`")));
    }
    Ok(Range::new(from_ms, to_ms))
}

fn play(loaded: &Loaded, folder: &Path, rules: Vec<Rule>, range: Range, zone: &TimeZone) -> anyhow::Result<Tested> {
    let reader = Reader::open(folder)?;
    let coverage = reader.coverage(range)?;
    if coverage.ticks == 0 {
        let time = format!("{} to {}", local_time(range.from_ms, zone), local_time(range.to_ms, zone));
        if !loaded.config.store.samples {
            bail!("the log holds nothing of {time}, because `store.samples = false` switches it off");
        }
        bail!("the log holds nothing of {time}; `watchkeeper run` writes it");
    }
    let config = &loaded.config;
    let settings = watchkeeper_analyze::Settings {
        host: HostId::default(),
        host_name: config.host.name.clone().unwrap_or_else(watchkeeper_collect::host_name),
        labels: config.host.labels.clone(),
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        rules,
    };
    let mut backtest = Backtest::new(settings, range);
    let begin_ms = backtest.begin_ms();
    let bar = bar(coverage.first_ms.unwrap_or(range.from_ms).min(range.from_ms).max(begin_ms), range.to_ms);
    for tick in reader.replay(Range::new(begin_ms, range.to_ms))? {
        let tick = tick.context("the backtest ends early")?;
        bar.set_position(u64::try_from(tick.at.ts_ms.saturating_sub(begin_ms)).unwrap_or(0));
        backtest.look(&tick);
    }
    bar.finish_and_clear();
    Ok(Tested { range, coverage, ticks: backtest.ticks(), records: backtest.finish(zone) })
}

/// How far it is; where no terminal looks on, nothing is drawn.
fn bar(from_ms: i64, to_ms: i64) -> ProgressBar {
    let length = u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} % of the log, {eta} to go");
    bar.set_style(style.expect("the template is right"));
    bar
}

#[cfg(test)]
mod tests;
