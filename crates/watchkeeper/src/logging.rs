//! Messages of the program itself: standard error as text or JSON, or the systemd journal with its priorities.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogConfig, LogFormat};

/// Starts logging for the rest of the process. A second call changes nothing.
pub fn start(config: &LogConfig) {
    let level: LevelFilter = config.level.filter();
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match (journal(), config.format) {
        // The journal keeps level, time and fields of its own; asked for JSON, standard error stays JSON.
        (Some(journal), LogFormat::Text) => Box::new(journal),
        (_, LogFormat::Json) => Box::new(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)),
        (None, LogFormat::Text) => {
            let colour =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            Box::new(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(colour)
                    .with_target(level >= LevelFilter::DEBUG),
            )
        }
    };
    // The migration library tells every step of what is a single transaction; that is of use only to its debuggers.
    let quiet = if level >= LevelFilter::DEBUG { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new().with_default(level).with_target("refinery_core", quiet);
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

/// The journal, if standard error is connected to it: systemd names the socket's device and inode.
fn journal() -> Option<tracing_journald::Layer> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let stat = rustix::fs::fstat(std::io::stderr().as_fd()).ok()?;
    (stream == format!("{}:{}", stat.st_dev, stat.st_ino)).then(tracing_journald::layer)?.ok()
}
