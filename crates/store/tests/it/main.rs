//! The store from outside: real files, real processes, real full disks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hot_crash;
#[cfg(target_os = "linux")] // mounts filesystems
mod hot_disk;
mod hot_document;
mod hot_history;
mod hot_rebuild;
mod hot_recorder;
mod hot_replay;
mod hot_world;
mod recording;
#[cfg(target_os = "linux")] // mounts filesystems
mod recording_disk;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "some of it serves sink_file alone"))]
mod sink;
#[cfg(target_os = "linux")] // mounts filesystems
mod sink_file;
mod state_child;
mod state_crash;
#[cfg(target_os = "linux")] // mounts filesystems
mod state_disk;
mod state_folder;
#[cfg(unix)] // other systems have no owners and modes
mod state_modes;
mod state_samples;
