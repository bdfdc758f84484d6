//! Which alerts explain which others. What an alert is a sign of follows from what its rule compares, not from its name.

use watchkeeper_core::{Entity, Section};
use watchkeeper_expression::{Comparison, Function, Headline, Threshold};

use crate::rule::Rule;

/// What an alert is a sign of, where that may explain others or be explained by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// The kernel has killed for lack of memory.
    OutOfMemory,
    /// A process is not there.
    ProcessMissing,
    /// A disk has all it can do.
    DiskSaturated,
    /// A process waits uninterruptibly.
    Uninterruptible,
    /// The CPUs of the machine have all they can do.
    HostCpu,
    /// A process takes much CPU.
    ProcessCpu,
    /// A filesystem is full.
    FilesystemFull,
    /// Something cannot be written.
    WriteFailing,
    /// A part of the reading is missing, if it is known which.
    NoData(Option<Section>),
}

/// In which direction a comparison is a sign.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Above,
    Below,
    Is(&'static str),
}

/// Which comparisons of which metrics are a sign of what. Listed in `docs/incidents.md`.
const SIGNS: [(&[&str], Sign, Cause); 9] = [
    (&["system.linux.oom_kills"], Sign::Above, Cause::OutOfMemory),
    (
        &[
            "system.disk.utilization",
            "system.disk.in_flight",
            "system.disk.operation_time.read",
            "system.disk.operation_time.write",
            "system.linux.pressure.io.some",
            "system.linux.pressure.io.full",
            "system.cpu.utilization.iowait",
        ],
        Sign::Above,
        Cause::DiskSaturated,
    ),
    (&["process.state"], Sign::Is("D"), Cause::Uninterruptible),
    (
        &[
            "system.cpu.utilization",
            "system.cpu.utilization.user",
            "system.cpu.utilization.nice",
            "system.cpu.utilization.system",
            "system.linux.load.1m",
            "system.linux.load.5m",
            "system.linux.load.15m",
            "system.linux.pressure.cpu.some",
        ],
        Sign::Above,
        Cause::HostCpu,
    ),
    (&["system.cpu.utilization.idle"], Sign::Below, Cause::HostCpu),
    (
        &[
            "process.cpu.utilization",
            "process.cpu.utilization.user",
            "process.cpu.utilization.system",
            "process.cpu.cores",
        ],
        Sign::Above,
        Cause::ProcessCpu,
    ),
    (
        &["system.filesystem.utilization", "system.filesystem.usage", "system.filesystem.inodes.utilization"],
        Sign::Above,
        Cause::FilesystemFull,
    ),
    (&["system.filesystem.free", "system.filesystem.inodes.free"], Sign::Below, Cause::FilesystemFull),
    (&["watchkeeper.log.failing", "watchkeeper.state.failing"], Sign::Above, Cause::WriteFailing),
];

/// What explains what.
const EXPLAINS: [(Cause, Cause); 4] = [
    (Cause::OutOfMemory, Cause::ProcessMissing),
    (Cause::DiskSaturated, Cause::Uninterruptible),
    (Cause::HostCpu, Cause::ProcessCpu),
    (Cause::FilesystemFull, Cause::WriteFailing),
];

impl Cause {
    /// What the alerts of a rule are a sign of.
    pub(crate) fn of(rule: &Rule) -> Option<Self> {
        if let Some(expect) = &rule.expect {
            return expect.min.is_some().then_some(Self::ProcessMissing);
        }
        let headline = rule.when.condition.headline()?;
        let input = rule.when.condition.inputs().get(headline.input)?;
        let function = input.window.map(|window| window.function);
        let (.., cause) = SIGNS
            .iter()
            .find(|(metrics, sign, _)| metrics.contains(&input.name.as_str()) && sign.is_in(headline))
            .filter(|(.., cause)| {
                is_level(function) || (*cause == Self::OutOfMemory && function == Some(Function::Count))
            })?;
        Some(*cause)
    }

    /// What this explains.
    pub(crate) fn explained(self) -> impl Iterator<Item = Self> {
        EXPLAINS.into_iter().filter(move |(cause, _)| *cause == self).map(|(_, other)| other)
    }

    /// What this is explained by.
    pub(crate) fn explanations(self) -> impl Iterator<Item = Self> {
        EXPLAINS.into_iter().filter(move |(_, other)| *other == self).map(|(cause, _)| cause)
    }

    /// Whose alerts of this kind are one trouble with that of an entity if they begin at one time.
    pub(crate) fn shared_with(self, entity: &Entity) -> Shared {
        match self {
            // What one expectation misses is nothing that another one misses.
            Self::ProcessMissing => Shared::Nobody,
            Self::NoData(section) if section.is_none() => Shared::Nobody,
            Self::NoData(_) => Shared::All,
            _ if *entity == Entity::Host => Shared::All,
            _ => Shared::OwnAndHost,
        }
    }
}

/// Whose alerts of one kind are one trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    Nobody,
    /// Those on the same entity, and those on the machine as a whole.
    OwnAndHost,
    All,
}

impl Sign {
    fn is_in(self, headline: &Headline) -> bool {
        match (self, &headline.threshold) {
            (Self::Is(word), Threshold::Text(text)) => headline.comparison == Comparison::Equal && text == word,
            (Self::Above, Threshold::Number(_)) => is_above(headline.comparison) == Some(true),
            (Self::Below, Threshold::Number(_)) => is_above(headline.comparison) == Some(false),
            _ => false,
        }
    }
}

/// What a rule with one more threshold of the same thing has in common with it: metric, direction. `None` where values
/// over time or words are compared.
pub(crate) fn level(rule: &Rule) -> Option<(String, bool)> {
    if rule.expect.is_some() {
        return None;
    }
    let headline = rule.when.condition.headline()?;
    let input = rule.when.condition.inputs().get(headline.input)?;
    let threshold = headline.threshold.number().filter(|_| is_level(input.window.map(|window| window.function)))?;
    // Nothing is below the least value: to be it is to be low, not to be it is to be high.
    let is_least = input.bounds.least == Some(threshold);
    let above = match headline.comparison {
        Comparison::Equal if is_least => false,
        Comparison::NotEqual if is_least => true,
        comparison => is_above(comparison)?,
    };
    Some((input.name.clone(), above))
}

/// Whether what is compared is how high the field stands, and not how it moves.
fn is_level(function: Option<Function>) -> bool {
    matches!(function, None | Some(Function::Avg | Function::Min | Function::Max | Function::Quantile(_)))
}

fn is_above(comparison: Comparison) -> Option<bool> {
    match comparison {
        Comparison::Greater | Comparison::GreaterOrEqual => Some(true),
        Comparison::Less | Comparison::LessOrEqual => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
