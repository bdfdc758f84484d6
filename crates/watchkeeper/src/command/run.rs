//! `watchkeeper run`: the watch.

use crate::cli::{DONE, Global};
use crate::settings::Settings;
use crate::{app, logging, paths};

/// Watches until it is told to end.
pub fn run(global: &Global) -> anyhow::Result<u8> {
    let loaded = global.load()?;
    logging::start(&loaded.config.log);
    let settings = Settings::build(&loaded)?;
    let state_folder = paths::state_folder(&settings.config.store)?;
    let again = || global.load().and_then(|loaded| Settings::build(&loaded));
    app::watch(settings, state_folder, again)?;
    Ok(DONE)
}
