//! What `run` says first: what it does, what it cannot see, and where the log lies.

use std::fmt::Write as _;

use watchkeeper_analyze::Rule;
use watchkeeper_core::Reading;
use watchkeeper_core::text::clean;
use watchkeeper_store::{SinkConfig, SinkFormat};

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
    if store.samples {
        let log = app.state_folder.join("log");
        let _ = writeln!(
            text,
            "  log         {} (kept {}, at most {})",
            log.display(),
            store.retention.hot,
            store.max_disk
        );
    } else {
        let nothing =
            if settings.config.sink.is_empty() { ", and there is no [[sink]]: nothing is logged" } else { "" };
        let _ = writeln!(text, "  log         none, as store.samples says{nothing}");
    }
    for (index, sink) in settings.config.sink.iter().enumerate() {
        let _ = writeln!(text, "  {:11} {}", if index == 0 { "files" } else { "" }, file(sink));
    }
    if let Some(recording) = &app.recording {
        let _ = writeln!(text, "  recording   {}", clean(&locked(recording).path, 300));
    }
    let file = settings.file.as_ref().map_or("none, defaults".to_owned(), |file| file.display().to_string());
    let _ = writeln!(text, "  settings    {file}");
    let _ = writeln!(text, "  rules       {}", rules(&settings.rules));
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

/// A file for other programs in a few words.
fn file(sink: &SinkConfig) -> String {
    let format = sink.format.map_or("", SinkFormat::word);
    let every = sink.interval.map_or("every look".to_owned(), |interval| format!("every {interval}"));
    let size = sink.rotate_size.filter(|size| size.bytes() > 0).map(|size| format!("{size} each"));
    let day = sink.rotate_daily.then(|| "one a day".to_owned());
    let kept = match sink.kept() {
        Some(count) => [day, size, Some(format!("{count} kept"))].into_iter().flatten().collect::<Vec<_>>().join(", "),
        None => "grows without end".to_owned(),
    };
    format!("{} ({format}, {every}, {kept})", clean(&sink.path.display().to_string(), 300))
}

/// Most of the user's own rules that are named.
const MOST_NAMED: usize = 8;

/// How many rules are shipped, and which are the user's own.
fn rules(rules: &[Rule]) -> String {
    let own: Vec<&str> = rules.iter().filter(|rule| !rule.shipped).map(|rule| rule.id.as_str()).collect();
    let mut parts = Vec::new();
    if rules.len() > own.len() {
        parts.push(format!("{} shipped", rules.len() - own.len()));
    }
    if !own.is_empty() {
        let more = if own.len() > MOST_NAMED { ", ..." } else { "" };
        parts.push(format!("{} of your own: {}{more}", own.len(), own[..own.len().min(MOST_NAMED)].join(", ")));
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_core::quantity::{Size, Span};

    #[test]
    fn a_file_is_said_in_a_few_words() {
        let sink = SinkConfig { format: Some(SinkFormat::Csv), path: "/a.csv".into(), ..SinkConfig::default() };
        assert_eq!(file(&sink), "/a.csv (csv, every look, grows without end)");
        let sink = SinkConfig {
            format: Some(SinkFormat::Jsonl),
            interval: Some(Span::from_secs(60)),
            rotate_size: Some(Size::from_bytes(100 << 20)),
            rotate_daily: true,
            keep: Some(3),
            ..sink
        };
        assert_eq!(file(&sink), "/a.csv (jsonl, every 1m, one a day, 100MiB each, 3 kept)");
    }
}
