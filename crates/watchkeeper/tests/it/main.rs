//! Tests of the whole: the rules of the house, and the real binary on real input.
//!
//! What is not for every system mounts filesystems, needs root or Debian's packages (Linux), or sends signals (Unix).

#[cfg(target_os = "linux")]
mod backtest;
mod bad_rules;
#[cfg(target_os = "linux")]
mod burner;
#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod config_command;
#[cfg(target_os = "linux")]
mod detect;
#[cfg(unix)]
mod ending;
mod everywhere;
#[cfg(target_os = "linux")]
#[path = "../../../store/tests/it/hot_world.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests of the store need more of it, and fail where it cannot go on"
)]
mod hot_world;
#[cfg(target_os = "linux")]
mod mount;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod people;
mod program;
#[cfg(target_os = "linux")]
mod real;
#[cfg(target_os = "linux")]
mod record;
#[cfg(target_os = "linux")]
mod refusals;
mod reload;
#[cfg(target_os = "linux")]
mod replay;
#[cfg(target_os = "linux")]
mod rules;
mod shipped;
#[cfg(target_os = "linux")]
mod sink;
mod stories;
mod tidy;
#[cfg(target_os = "linux")]
mod train;
#[cfg(target_os = "linux")]
mod warm_up;
#[cfg(target_os = "linux")]
mod watch;
