//! What `run` says first: what it does, what it cannot see, and where the log lies.

use std::fmt::Write as _;

use watchkeeper_core::Reading;
use watchkeeper_core::text::clean;

use super::App;
use super::console::{Console, gap_lines};
use crate::health::locked;
use crate::settings::Settings;

/// The banner, some lines long.
pub(super) fn banner(app: &App, settings: &Settings, first: &Reading, console: &Console) -> String {
    let mut text = String::new();
    let store = &settings.config.store;
    let count = first.processes.as_ref().map_or(0, Vec::len);
    let title = format!("Watchkeeper {}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(
        text,
        "{} watches {}: {count} processes, every {}, through the `{}` tier.",
        console.bold(&title),
        clean(&settings.host_name, 100),
        settings.config.collect.interval,
        locked(&app.current).tier,
    );
    let _ = writeln!(
        text,
        "  log         {} (kept {}, at most {})",
        app.state_folder.join("log").display(),
        store.retention.hot,
        store.max_disk
    );
    let file = settings.file.as_ref().map_or("none, defaults".to_owned(), |file| file.display().to_string());
    let _ = writeln!(text, "  settings    {file}");
    let ids: Vec<&str> = settings.rules.iter().map(|rule| rule.id.as_str()).collect();
    let _ = writeln!(text, "  rules       {}", if ids.is_empty() { "none".to_owned() } else { ids.join(", ") });
    let smtp = settings.config.smtp.iter();
    let channels: Vec<String> = smtp.map(|(name, smtp)| format!("{name}: mail through {}", smtp.server)).collect();
    if channels.is_empty() {
        text.push_str("  tells       nobody: no channel is configured; incidents are printed here and stored\n");
    }
    for (index, channel) in channels.iter().enumerate() {
        let _ = writeln!(text, "  {:11} {channel}", if index == 0 { "tells" } else { "" });
    }
    for (index, line) in gap_lines(&first.gaps).iter().enumerate() {
        let _ = writeln!(text, "  {:11} {line}", if index == 0 { "cannot see" } else { "" });
    }
    text.push_str(
        "Ctrl+C ends it; `watchkeeper status` and `watchkeeper incidents list` look at it from another terminal.\n",
    );
    text
}
