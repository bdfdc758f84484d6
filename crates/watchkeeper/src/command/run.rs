//! `watchkeeper run`: the watch.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{DONE, Global};
use crate::config::Stamp;
use crate::settings::Settings;
use crate::{app, logging, paths};

/// What to do besides watching.
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// Record what the rules are given, for `watchkeeper replay`; the file must not be there
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
}

/// Examples below the help.
pub const EXAMPLES: &str = "\
Examples:
  watchkeeper run                           watch and keep the log, until Ctrl+C
  watchkeeper run --recording night.zst     the same, and what `watchkeeper replay night.zst` needs";

/// Watches until it is told to end.
pub fn run(global: &Global, args: &RunArgs) -> anyhow::Result<u8> {
    let config = global.config.clone();
    let stamp = move || Stamp::now(config.as_deref());
    // Whatever changes from here on is seen, also while the watch starts.
    let read = stamp();
    let loaded = global.load()?;
    logging::start(&loaded.config.log);
    let settings = Settings::build(&loaded)?;
    let state_folder = paths::state_folder(&settings.config.store)?;
    let load = || global.load().and_then(|loaded| Settings::build(&loaded));
    app::watch(settings, app::Source { load, stamp, read }, state_folder, args.recording.as_deref())?;
    Ok(DONE)
}
