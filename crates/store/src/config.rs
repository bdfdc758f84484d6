//! The `[store]` section: where the log lies, how large it may grow, how long things are kept.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchkeeper_core::quantity::{Size, Span};
use watchkeeper_core::{Problem, Validate};

/// Where the store lies and how much it keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The folder of the store, an absolute path, e.g. `"/var/lib/watchkeeper"`. It is created if it is missing; nobody
    /// else may own it or write to it. Default: `/var/lib/watchkeeper` for root and the user's state folder for others,
    /// `~/.local/state/watchkeeper`; on macOS `/Library/Application Support/watchkeeper/state` and the same below the
    /// user's own `~/Library`; on Windows `%LOCALAPPDATA%\watchkeeper\data`.
    pub path: Option<PathBuf>,
    /// Whether samples of all processes are logged here. With `false` there is no history, for those who want only files
    /// (`[[sink]]`) or none: what is usual is not known, while alerts, incidents and messages work as ever. Days that are
    /// there stay until `retention.hot` is over. Default: `true`. Example: `samples = false`.
    pub samples: bool,
    /// The most that the log may occupy on disk, as a size from `"64MiB"` up, e.g. `"2GiB"`. When it is reached, the
    /// oldest days go first, whatever `retention` says. Default: `"2GiB"`.
    pub max_disk: Size,
    /// How long things are kept.
    pub retention: Retention,
}

/// How long things are kept, e.g. `retention = { hot = "96h", incidents = "730d", outbox = "30d" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// How long every tick is kept, from `"1h"` up, e.g. `"24h"`. Whole days in UTC are deleted, so that up to a day more
    /// may be there. What is usual at an hour is known from three days on. Default: `"96h"`.
    pub hot: Span,
    /// How long incidents are kept after they closed, from `"1d"` up, e.g. `"365d"`. Default: `"730d"`.
    pub incidents: Span,
    /// How long messages are kept after they were sent or given up, from `"1d"` up and no longer than incidents,
    /// e.g. `"90d"`. Default: `"30d"`.
    pub outbox: Span,
}

/// An absolute path as it is written in a configuration.
const EXAMPLE_PATH: &str = if cfg!(windows) { r"'C:\watchkeeper'" } else { "\"/var/lib/watchkeeper\"" };
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const SMALLEST_DISK: Size = Size::from_bytes(64 << 20);

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: None, samples: true, max_disk: Size::from_bytes(2 << 30), retention: Retention::default() }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            hot: Span::from_ms(96 * HOUR_MS),
            incidents: Span::from_ms(730 * DAY_MS),
            outbox: Span::from_ms(30 * DAY_MS),
        }
    }
}

impl Validate for StoreConfig {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(path) = &self.path
            && !path.is_absolute()
        {
            problems.push(
                Problem::new("path", "the folder of the store must be an absolute path")
                    .help(format!("write it from the root, such as {EXAMPLE_PATH}")),
            );
        }
        if let Some(path) = &self.path
            && path.to_string_lossy().chars().any(char::is_control)
        {
            problems.push(
                Problem::new("path", "the folder of the store has control characters in its name")
                    .help(format!("write a plain path, such as {EXAMPLE_PATH}")),
            );
        }
        if self.max_disk < SMALLEST_DISK {
            problems.push(
                Problem::new("max_disk", format!("`{}` is too small for a log", self.max_disk))
                    .help(format!("the smallest is \"{SMALLEST_DISK}\", the default \"2GiB\"")),
            );
        }
        problems.extend(self.retention.validate().into_iter().map(|problem| problem.under("retention")));
        problems
    }
}

impl Validate for Retention {
    fn validate(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            [("hot", self.hot, HOUR_MS), ("incidents", self.incidents, DAY_MS), ("outbox", self.outbox, DAY_MS)]
                .into_iter()
                .filter(|(_, span, least_ms)| span.ms() < *least_ms)
                .map(|(key, span, least_ms)| {
                    Problem::new(key, format!("`{span}` is too short"))
                        .help(format!("the shortest is \"{}\"", Span::from_ms(least_ms)))
                })
                .collect();
        if self.outbox > self.incidents {
            problems.push(
                Problem::new("outbox", format!("messages cannot be kept longer than incidents (`{}`)", self.incidents))
                    .help("raise `incidents` or lower `outbox`"),
            );
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_paths(config: &StoreConfig) -> Vec<String> {
        config.validate().into_iter().map(|problem| problem.key_path).collect()
    }

    #[test]
    fn the_default_is_valid() {
        assert_eq!(StoreConfig::default().validate(), Vec::new());
    }

    #[test]
    fn every_mistake_is_reported_with_its_key_and_a_remedy() {
        let config = StoreConfig {
            path: Some("watch".into()),
            samples: true,
            max_disk: Size::from_bytes((64 << 20) - 1),
            retention: Retention {
                hot: Span::from_ms(HOUR_MS - 1),
                incidents: Span::from_ms(DAY_MS - 1),
                outbox: Span::from_ms(0),
            },
        };
        assert_eq!(
            key_paths(&config),
            ["path", "max_disk", "retention.hot", "retention.incidents", "retention.outbox"]
        );
        assert!(config.validate().iter().all(|problem| problem.help.is_some()));
    }

    #[test]
    fn a_folder_whose_name_would_change_a_terminal_is_refused() {
        let path = std::env::temp_dir().join("\u{1b}[31mred");
        let config = StoreConfig { path: Some(path), ..StoreConfig::default() };
        assert_eq!(key_paths(&config), ["path"]);
    }

    #[test]
    fn the_smallest_values_are_allowed() {
        let config = StoreConfig {
            path: Some(std::env::temp_dir().join("watchkeeper")),
            samples: false,
            max_disk: SMALLEST_DISK,
            retention: Retention {
                hot: Span::from_ms(HOUR_MS),
                incidents: Span::from_ms(DAY_MS),
                outbox: Span::from_ms(DAY_MS),
            },
        };
        assert_eq!(config.validate(), Vec::new());
    }

    #[test]
    fn messages_are_not_kept_longer_than_their_incidents() {
        let mut config = StoreConfig::default();
        config.retention.outbox = Span::from_ms(731 * DAY_MS);
        assert_eq!(key_paths(&config), ["retention.outbox"]);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<StoreConfig>(r#"{"max_disc": "1GiB"}"#).is_err());
        assert!(serde_json::from_str::<StoreConfig>(r#"{"retention": {"raw": "1d"}}"#).is_err());
    }
}
