//! Tests of the whole: the rules of the house, and the real binary on real input.

mod burner;
mod config_command;
mod detect;
mod ending;
mod peer;
mod program;
mod record;
mod refusals;
mod sink;
mod tidy;
mod train;
mod watch;
