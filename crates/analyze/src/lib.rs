//! What is noticed: rules over snapshots, the life of alerts, incidents with their evidence.
//!
//! Nothing here reads a clock or a file. [`Analyzer::step`] turns one snapshot into the changes it causes and is
//! deterministic: the same snapshots and the same start give the same changes, live and in a replay. [`enrich`] adds
//! what only the log knows.

#![forbid(unsafe_code)]

mod analyzer;
pub mod backtest;
mod config;
mod enrich;
mod evidence;
mod expect;
mod incidents;
mod killed;
mod life;
mod lineage;
mod programs;
mod question;
mod ranking;
pub mod reasoning;
mod ring;
mod rule;
pub mod series_test;
mod watch;
mod window;

pub use analyzer::{AlertCounts, Analyzer, Settings};
pub use config::{RuleConfig, RuleFile, RulesConfig};
pub use enrich::enrich;
pub use expect::{Expect, ExpectConfig, Restarts};
pub use question::Question;
pub use rule::{Clear, Rule, Standing, compile, compile_shipped, effective, standings};

#[cfg(test)]
mod log;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod shipped;
