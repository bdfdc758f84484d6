//! The hot tier: every tick, one SQLite file a UTC day. `docs/log-format.md` describes the files.
//!
//! A tick goes `Snapshot` -> [`encode::Encoder`] (pure) -> waits in the recorder -> [`write::DayFile`], one transaction
//! for all that wait. Readers go the other way, see [`crate::reader`].

mod anomaly;
pub(crate) mod check;
pub(crate) mod day;
pub(crate) mod encode;
pub(crate) mod host;
pub(crate) mod layout;
mod observe;
pub(crate) mod parts;
pub(crate) mod process;
pub(crate) mod retention;
mod track;
mod watch;
pub(crate) mod write;

pub(crate) use day::migrate_all;
pub(crate) use retention::enforce;

#[cfg(test)]
mod tests;
