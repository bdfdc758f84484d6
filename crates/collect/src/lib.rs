//! Reads the operating system: raw counters of the machine and of every process at one instant, and what the
//! difference of two such readings means.
//!
//! [`open`] chooses the best tier this machine offers and gives a [`Collector`]; each [`Collector::read`] is one look.
//! [`derive()`] is pure: two readings in, one snapshot out. What could not be read is a gap in the reading, with the
//! reason and what would help; only the failure to read anything at all is an error.

#![deny(unsafe_code)]

mod check;
mod clock;
mod config;
mod derive;
mod error;
mod fallback;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
mod names;
mod own;
mod program;
mod redact;
// The parsers are tested everywhere.
#[cfg(any(windows, test))]
mod windows;

use watchkeeper_core::Reading;

pub use check::{CheckConfig, unusable_certificates, validate_checks};
pub use clock::{monotonic_ms, wall_clock_ms};
pub use config::{CollectConfig, CommandLine, TierChoice};
pub use derive::derive;
pub use error::CollectError;
#[cfg(target_os = "linux")]
pub use linux::Linux;
pub use names::{host_name, user_name};
pub use own::{OwnUse, own_use};

/// One way of reading this machine.
pub trait Collector: Send {
    /// Looks at the machine once.
    ///
    /// # Errors
    /// Only when nothing at all can be read any more; whatever is partly missing is a gap in the reading.
    fn read(&mut self) -> Result<Reading, CollectError>;

    /// The name of the way: `proc` or `portable`.
    fn tier(&self) -> &'static str;
}

/// The same as [`open`], with active checks that begin with the first reading and go on in threads of their own until the
/// collector is dropped; each reading holds what they found last.
///
/// # Errors
/// As [`open`], and when a check's target or certificate file cannot be used.
pub fn open_with_checks(config: &CollectConfig, checks: &[CheckConfig]) -> Result<Box<dyn Collector>, CollectError> {
    let machine = open(config)?;
    if checks.is_empty() {
        return Ok(machine);
    }
    Ok(Box::new(check::Checked::new(machine, checks)?))
}

/// Opens the tier that the configuration asks for; `auto` takes the best one this machine offers. Contacts nobody.
///
/// # Errors
/// When the tier does not exist on this operating system or its source cannot be opened.
pub fn open(config: &CollectConfig) -> Result<Box<dyn Collector>, CollectError> {
    match config.tier {
        TierChoice::Portable => fallback::open(config),
        #[cfg(target_os = "linux")]
        TierChoice::Auto | TierChoice::Proc => Ok(Box::new(Linux::open(config)?)),
        #[cfg(not(target_os = "linux"))]
        TierChoice::Auto => fallback::open(config),
        #[cfg(not(target_os = "linux"))]
        TierChoice::Proc => Err(CollectError::NoSuchTier { tier: "proc" }),
    }
}
