//! Tests of the whole: the rules of the house, and the real binary on real input.

mod config_command;
mod program;
mod refusals;
mod tidy;
