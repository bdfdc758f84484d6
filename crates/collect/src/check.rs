//! Active checks: ports and URLs that the user named, tried again and again.
//!
//! Each check has a thread of its own and a deadline for everything it does, names included, so that no try ever delays a
//! look at the machine: a reading holds what the last tries found. Only the address that the configuration names is
//! contacted.

mod config;
mod failure;
mod http;
mod names;
mod target;
mod tcp;
mod trust;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use watchkeeper_core::Reading;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::reading::Check;

pub use config::{CheckConfig, validate_checks};
use failure::Failure;
use http::{Answer, Http};
use names::Names;
use target::{Server, Target};
use trust::Trust;
pub use trust::unusable_certificates;

use crate::{CollectError, Collector, clock};

/// What was found so long ago that so many intervals have passed is not known any more. A try takes an interval at the most.
const KNOWN_INTERVALS: i64 = 3;

/// A collector whose readings hold what active checks found. They begin with the first reading: settings that are refused in
/// the end contact nobody.
pub(crate) struct Checked {
    machine: Box<dyn Collector>,
    checks: Checks,
}

impl Checked {
    /// Makes checks ready.
    pub(crate) fn new(machine: Box<dyn Collector>, checks: &[CheckConfig]) -> Result<Self, CollectError> {
        Ok(Self { machine, checks: Checks::new(checks)? })
    }
}

impl Collector for Checked {
    fn read(&mut self) -> Result<Reading, CollectError> {
        self.checks.begin();
        let mut reading = self.machine.read()?;
        reading.checks = Some(self.checks.found(reading.at.mono_ms));
        Ok(reading)
    }

    fn tier(&self) -> &'static str {
        self.machine.tier()
    }
}

/// Checks that go on until this is dropped. Tries under way end by themselves.
struct Checks {
    /// Those that have not begun.
    waiting: Vec<(Arc<Try>, Found)>,
    found: Vec<Found>,
    end: Arc<End>,
}

/// What the last try of a check found, and its interval.
#[derive(Clone)]
struct Found {
    check: Arc<Mutex<Check>>,
    interval: Span,
}

impl Checks {
    fn new(configs: &[CheckConfig]) -> Result<Self, CollectError> {
        let mut trust = Trust::default();
        let mut checks = Self { waiting: Vec::new(), found: Vec::new(), end: Arc::default() };
        for config in configs {
            let one = Try::new(config, &mut trust)?;
            let unknown = Check { name: config.name.clone(), target: one.target.to_string(), ..Check::default() };
            let found = Found { check: Arc::new(Mutex::new(unknown)), interval: config.interval };
            checks.found.push(found.clone());
            checks.waiting.push((Arc::new(one), found));
        }
        Ok(checks)
    }

    /// Begins those that have not; one for which there is no thread now is tried again at the next look.
    fn begin(&mut self) {
        let end = &self.end;
        self.waiting.retain(|(one, found)| {
            let (one, check, end) = (Arc::clone(one), Arc::clone(&found.check), Arc::clone(end));
            let interval = found.interval.duration();
            let begun =
                std::thread::Builder::new().name("check".to_owned()).spawn(move || run(&one, interval, &check, &end));
            if let Err(error) = &begun {
                // Its first try writes over it.
                locked(&found.check).error = Some(format!("there is no thread for it: {}", Failure::io(error)));
            }
            begun.is_err()
        });
    }

    /// What the last tries found, as of this monotonic time.
    fn found(&self, now_mono_ms: i64) -> Vec<Check> {
        self.found.iter().map(|found| known(&locked(&found.check), found.interval, now_mono_ms)).collect()
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        *locked(&self.end.is_told) = true;
        self.end.told.notify_all();
    }
}

/// A check as it is known at this time: what is too old is unknown.
fn known(found: &Check, interval: Span, now_mono_ms: i64) -> Check {
    let oldest_ms = interval.ms().saturating_mul(KNOWN_INTERVALS);
    if found.tried_mono_ms.is_none_or(|tried_ms| now_mono_ms.saturating_sub(tried_ms) <= oldest_ms) {
        return found.clone();
    }
    let Check { name, target, tried_mono_ms, .. } = found.clone();
    Check { name, target, tried_mono_ms, ..Check::default() }
}

/// Tells all checks to end.
#[derive(Default)]
struct End {
    is_told: Mutex<bool>,
    told: Condvar,
}

impl End {
    /// Waits until `due`; says whether the end has come.
    fn wait(&self, due: Instant) -> bool {
        let mut is_told = locked(&self.is_told);
        while !*is_told {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            is_told = self.told.wait_timeout(is_told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// What is done at each try.
struct Try {
    target: Target,
    way: Way,
    timeout: Span,
}

enum Way {
    Tcp(Server, Names),
    Http(Box<Http>),
}

impl Try {
    fn new(config: &CheckConfig, trust: &mut Trust) -> Result<Self, CollectError> {
        let target = config
            .target()
            .map_err(|problem| CollectError::Check { check: config.name.clone(), reason: problem.message })?;
        let way = match &target {
            Target::Tcp(server) => Way::Tcp(server.clone(), Names::default()),
            Target::Http(uri) => {
                let tls = (!target.is_plain()).then(|| trust.config(config.ca.as_deref())).transpose()?;
                let (status, contains) = (config.status.clone(), config.contains.clone());
                Way::Http(Box::new(Http::new(uri.clone(), status, contains, config.timeout, tls)))
            }
        };
        Ok(Self { target, way, timeout: config.timeout })
    }

    fn once(&self) -> Answer {
        match &self.way {
            Way::Http(http) => http.ask(),
            Way::Tcp(server, names) => {
                let until = Instant::now() + self.timeout.duration();
                Answer { status: None, failure: tcp::try_connect(server, names, until, self.timeout).err() }
            }
        }
    }
}

/// Tries at equal steps until told to end; what took longer than a step leaves steps out.
fn run(one: &Try, interval: Duration, found: &Mutex<Check>, end: &End) {
    let mut due = Instant::now();
    while !end.wait(due) {
        let begun = Instant::now();
        let Answer { status, failure } = one.once();
        let took = begun.elapsed();
        {
            let mut found = locked(found);
            found.up = Some(failure.is_none());
            found.duration_us = Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            found.status = status;
            found.error = failure.as_ref().map(Failure::to_string);
            found.tried_mono_ms = Some(clock::monotonic_ms());
        }
        while due <= Instant::now() {
            due += interval;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
