//! Reads the operating system: raw counters of the machine and of every process at one instant, and what the
//! difference of two such readings means.

#![deny(unsafe_code)]

mod derive;
mod program;
mod redact;

pub use derive::derive;
