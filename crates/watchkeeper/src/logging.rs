//! Messages of the program itself: standard error as text or JSON, or the systemd journal with its priorities.

use std::io::IsTerminal;

#[cfg(unix)]
use tracing_journald::{Priority, PriorityMappings};
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
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter(level))).try_init();
}

/// Our own messages from this level up, of libraries only what is wrong: their details are of use to their own debuggers,
/// and nobody here has made sure that they are single lines and free of secrets.
fn filter(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("watchkeeper", level)
}

/// The journal, if standard error is connected to it: systemd names the socket's device and inode.
#[cfg(unix)]
fn journal() -> Option<tracing_journald::Layer> {
    use std::os::fd::AsFd;

    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let stat = rustix::fs::fstat(std::io::stderr().as_fd()).ok()?;
    let journal = (stream == format!("{}:{}", stat.st_dev, stat.st_ino)).then(tracing_journald::layer)?.ok()?;
    Some(journal.with_priority_mappings(priorities()))
}

/// There is none.
#[cfg(not(unix))]
fn journal() -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
    None
}

/// `info` and `debug` are the journal's own words for these levels; the library's default is one step graver.
#[cfg(unix)]
fn priorities() -> PriorityMappings {
    PriorityMappings { info: Priority::Informational, debug: Priority::Debug, ..PriorityMappings::new() }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_tell_nothing_but_warnings_at_any_level() {
        let all = filter(LevelFilter::TRACE);
        assert!(all.would_enable("watchkeeper_notify::worker", &Level::TRACE));
        assert!(all.would_enable("rustls::client", &Level::WARN));
        for target in ["rustls::client", "refinery_core::traits", "lettre"] {
            assert!(!all.would_enable(target, &Level::INFO), "{target}");
        }
        let quiet = filter(LevelFilter::ERROR);
        assert!(!quiet.would_enable("rustls::client", &Level::WARN));
        assert!(!quiet.would_enable("watchkeeper::app", &Level::WARN));
    }

    #[cfg(unix)]
    #[test]
    fn levels_have_the_journals_own_priorities() {
        let priorities = priorities();
        assert!(matches!(priorities.error, Priority::Error) && matches!(priorities.warn, Priority::Warning));
        assert!(matches!(priorities.info, Priority::Informational) && matches!(priorities.debug, Priority::Debug));
    }
}
