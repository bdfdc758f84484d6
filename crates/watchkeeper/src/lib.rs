//! The program: command line, configuration, wiring. Everything it knows about watching is in the other crates.
//!
//! It is a library so that the fuzz target of the configuration can reach [`config`]; the binary only calls [`main`].

#![forbid(unsafe_code)]

mod app;
mod cli;
mod command;
pub mod config;
mod control;
mod health;
mod judge;
mod logging;
mod looks;
mod mailbox;
mod model_file;
mod paths;
mod settings;
mod signals;
mod times;

pub use cli::main;
