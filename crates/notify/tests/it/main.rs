//! The notifier as the program uses it: plan, words, and delivery to a real mail server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod config;
mod delivery;
mod fixture;
mod ledger;
mod misbehaviour;
mod peer;
mod planning;
mod words;
mod working;
