//! The store from outside: real files, real processes, real full disks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hot_crash;
mod hot_disk;
mod hot_document;
mod hot_history;
mod hot_rebuild;
mod hot_recorder;
mod hot_world;
mod state_child;
mod state_crash;
mod state_disk;
mod state_folder;
mod state_samples;
