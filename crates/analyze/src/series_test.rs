//! Tests of rules: given series of values, the alerts that are to be there at given times.
//!
//! A test makes snapshots out of its series and gives them to a real [`Analyzer`](crate::Analyzer). The catalogue reads
//! its metrics from those as from any other, so what a test tries is what the watch does.

mod config;
mod draft;
mod entities;
mod run;
mod values;

pub use config::{ExpectedAlerts, SeriesTest, SeriesTestFile, TestProcess, TestSeries, TestSocket};
pub use run::{Difference, Happened, Outcome, run, test_problems};
