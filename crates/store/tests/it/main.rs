//! The store from outside: real files, real processes, real full disks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod state_child;
mod state_crash;
mod state_disk;
mod state_folder;
mod state_samples;
