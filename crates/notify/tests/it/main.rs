//! The notifier as the program uses it: plan, words, and delivery to a real mail server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod config;
#[cfg(target_os = "linux")] // needs the mail server of a Debian package
mod delivery;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "some of it is for the mail server"))]
mod fixture;
#[cfg(target_os = "linux")] // needs the mail server of a Debian package
mod ledger;
#[cfg(target_os = "linux")] // needs the mail server of a Debian package
mod misbehaviour;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "its server is for Linux, its certificates for all"))]
mod peer;
mod planning;
#[cfg(target_os = "linux")] // needs the mail server of a Debian package
mod silencing;
mod words;
#[cfg(target_os = "linux")] // needs the mail server of a Debian package
mod working;
