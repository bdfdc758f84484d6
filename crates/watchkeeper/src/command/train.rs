//! `watchkeeper train`: learns what is normal from a recording or from the log, and writes it to a file.

mod answer;
mod data;
mod features;
mod file;
mod log;
mod progress;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::anyhow;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use jiff::tz::TimeZone;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;
use watchkeeper_detect::{Contamination, ForestOptions, MAX_SAMPLES, MAX_TREES, Model, TrainError, Training};
use watchkeeper_store::Reader;

use self::answer::Answer;
pub use self::answer::number;
use self::data::Data;
use self::features::{Features, Selection};
use self::log::LogError;
use self::progress::Progress;
use crate::cli::{DONE, Global};
use crate::{model_file, paths};

/// What is trained from when nothing is named: the workbook that `record` writes.
const DEFAULT_SOURCE: &str = "system_monitor_report.xlsx";

/// From what, and how.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Workbook or CSV to learn from: of `record`, of `detect`, or any with these columns
    /// [default: `system_monitor_report.xlsx`]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Learn from the log of the watch instead, so far back, such as `24h`
    #[arg(long, allow_hyphen_values = true, value_name = "DURATION", value_parser = last, conflicts_with = "from")]
    last: Option<Span>,
    /// With `--last`: the time that one row stands for; `detect` should look as often
    #[arg(long, allow_hyphen_values = true, value_name = "DURATION", value_parser = super::detect::interval, default_value = "5s", requires = "last")]
    interval: Span,
    /// What to learn: titles, short names or metric names of columns, or `all`
    #[arg(long, value_name = "LIST", value_parser = Features::parse, default_value = "cpu,memory")]
    features: Features,
    /// Trees of the forest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = ranged(1, MAX_TREES))]
    trees: usize,
    /// Rows that each tree is grown from; all, where there are fewer
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = ranged(2, MAX_SAMPLES))]
    samples: usize,
    /// Seed of the random numbers: the same seed and rows give the same model
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Share of the rows that counts as anomalies, such as 0.01; `auto` draws the line at a score of 0.5
    #[arg(long, value_name = "SHARE", default_value_t = Contamination::Auto)]
    contamination: Contamination,
    /// Where the model is written
    #[arg(long, value_name = "FILE", default_value = model_file::DEFAULT_PATH)]
    model: PathBuf,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper record --duration 10m         first a recording of usual work
  watchkeeper train                         then learn from it
  watchkeeper detect                        then tell what is not usual

  watchkeeper train --from system_log.csv --features all --contamination 0.01
  watchkeeper train --last 24h              from what `watchkeeper run` has logged

Features: cpu, memory, swap, iowait, load, cpu-pressure, memory-pressure, io-pressure, disk-read,
disk-write, received, sent, processes, connections.";

/// A whole number in this range.
fn ranged(least: usize, most: usize) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least as u64..=most as u64)
}

fn last(text: &str) -> Result<Span, String> {
    let last = Span::parse(text)?;
    if last.ms() == 0 { Err("write how far back, such as `24h`".to_owned()) } else { Ok(last) }
}

/// Learns, writes the model, and says what was learned.
pub fn train(global: &Global, args: &TrainArgs) -> anyhow::Result<u8> {
    // Nothing is read in vain.
    model_file::check_target(&args.model)?;
    let data = data(global, args)?;
    let selection = features::select(&data, &args.features)?;
    let (model, took) = learn(args, &data, &selection)?;
    let bytes = model_file::write(&args.model, &model)?;
    let answer = Answer::new(&data, &selection, model.summary(), took, (&args.model, bytes));
    for warning in &answer.warnings {
        super::warn(warning);
    }
    if args.json {
        super::print_json(&answer)?;
    } else {
        super::print(&answer.text())?;
    }
    Ok(DONE)
}

fn data(global: &Global, args: &TrainArgs) -> anyhow::Result<Data> {
    let loaded = global.load()?;
    let Some(last) = args.last else {
        let path = args.from.as_deref().unwrap_or(Path::new(DEFAULT_SOURCE));
        let zone = loaded.time_zone().unwrap_or(TimeZone::UTC);
        let _progress = Progress::begin(format!("reading {}", model_file::shown(path)));
        return Ok(file::read(path, args.from.is_some(), &zone)?);
    };
    let reader = Reader::open(&paths::state_folder(&loaded.config.store)?)?;
    let _progress = Progress::begin("reading the log".to_owned());
    let now_ms = watchkeeper_collect::wall_clock_ms();
    match log::read(&reader, last, args.interval, now_ms, &args.features.columns()) {
        Err(LogError::Empty { last }) if !loaded.config.store.samples => Err(LogError::Off { last }.into()),
        read => Ok(read?),
    }
}

fn learn(args: &TrainArgs, data: &Data, selection: &Selection) -> anyhow::Result<(Model, std::time::Duration)> {
    let features: Vec<String> = selection.columns.iter().map(|column| column.title.to_owned()).collect();
    let training = Training {
        features: &features,
        rows: &selection.numbers,
        at_ms: watchkeeper_collect::wall_clock_ms(),
        source: &data.source,
        interval_ms: data.interval_ms,
    };
    let (trees, samples, seed) = (args.trees, args.samples, args.seed);
    let options = ForestOptions { trees, samples, seed, contamination: args.contamination };
    let _progress = Progress::begin(format!("learning from {} rows", selection.rows));
    let begin = Instant::now();
    let model = Model::train(&training, &options).map_err(|error| refusal(&error, data, selection))?;
    Ok((model, begin.elapsed()))
}

/// The sentence with what would help.
fn refusal(error: &TrainError, data: &Data, selection: &Selection) -> anyhow::Error {
    let remedy = match error {
        TrainError::TooFewRows { .. } if selection.rows < data.table.rows => {
            format!("; {}", answer::left_out(data, selection))
        }
        TrainError::TooFewRows { .. } => format!("; {}", longer(data.is_log)),
        TrainError::AllConstant { .. } => "; learn from a time in which the machine did its usual work".to_owned(),
        _ => String::new(),
    };
    anyhow!("{}: {error}{remedy}", clean(&data.source, 300))
}

/// How to get more rows.
fn longer(is_log: bool) -> &'static str {
    if is_log {
        "let `watchkeeper run` log for longer"
    } else {
        "record for longer: `watchkeeper record --duration 10m`"
    }
}
