//! How what a rule watches rises: by how much, how surely, and when it will have reached what it cannot exceed.

use watchkeeper_core::catalogue::{self, EntityRef, Value};
use watchkeeper_core::evidence::Trend;
use watchkeeper_core::{Entity, Snapshot};
use watchkeeper_expression::Function;

use crate::rule::Rule;
use crate::window::{Asked, Windows};

/// What is farther away than this is not foretold: a year.
const FARTHEST_S: f64 = 366.0 * 86_400.0;

/// How the window of a rule on an entity rises, if the rule looks at a rise: at the one that people are shown, else at its
/// first. `None` where it does not rise or fall.
pub(crate) fn trend(rule: &Rule, windows: &Windows, entity: &Entity, snapshot: &Snapshot) -> Option<Trend> {
    let mut asked = windows.asked(&rule.when);
    asked.retain(|asked| looks_at_a_rise(asked.function));
    let shown = rule.when.condition.headline().map(|headline| headline.input);
    let order = |asked: &&Asked| (Some(asked.input) != shown, asked.input);
    let asked = asked.iter().min_by_key(order)?;
    let metric = rule.when.metrics.get(asked.input)?;
    let line = windows.line(entity, asked).filter(|line| line.per_second != 0.0)?;
    let end = end(metric.name, entity, snapshot).filter(|end| end.is_rising == (line.per_second > 0.0));
    let seconds = end.map(|end| (end.left / line.per_second.abs()).max(0.0)).filter(|seconds| *seconds < FARTHEST_S);
    Some(Trend {
        metric: metric.name.to_owned(),
        unit: metric.unit,
        per_second: line.per_second,
        rise: line.per_second * line.known_ms as f64 / 1e3,
        r2: line.r2,
        p: line.p,
        window_ms: line.known_ms,
        limit: end.map(|end| end.limit),
        full_ms: seconds.map(|seconds| snapshot.at.ts_ms.saturating_add((seconds * 1e3) as i64)),
    })
}

fn looks_at_a_rise(function: Function) -> bool {
    matches!(function, Function::Slope | Function::Growth | Function::Predict { .. } | Function::TrendP)
}

/// Where something ends, in the unit of its metric.
#[derive(Clone, Copy, Debug)]
struct End {
    limit: f64,
    /// How much is left on the way there.
    left: f64,
    /// Whether it gets there by rising.
    is_rising: bool,
}

impl End {
    fn above(limit: f64, left: f64) -> Self {
        Self { limit, left, is_rising: true }
    }

    /// What runs out.
    fn below(left: f64) -> Self {
        Self { limit: 0.0, left, is_rising: false }
    }
}

/// What a metric of an entity cannot exceed, if there is such.
fn end(metric: &str, entity: &Entity, snapshot: &Snapshot) -> Option<End> {
    let value = |name: &str| {
        let mut filesystems = snapshot.filesystems.iter().flatten();
        let reference = match entity {
            // What is mounted over a mount point hides what was there: the last counts.
            Entity::Filesystem(name) => {
                EntityRef::Filesystem(filesystems.rfind(|filesystem| filesystem.mount_point == *name)?)
            }
            _ => EntityRef::Host,
        };
        catalogue::metric(name)?.value(snapshot, reference).and_then(Value::number)
    };
    Some(match metric {
        // A process takes from what all have left.
        "process.memory.usage" | "system.memory.usage" => {
            End::above(value("system.memory.limit")?, value("system.memory.linux.available")?)
        }
        "process.memory.utilization" | "system.memory.utilization" => {
            End::above(1.0, value("system.memory.linux.available")? / value("system.memory.limit")?)
        }
        "system.memory.linux.available" | "system.filesystem.free" | "system.filesystem.inodes.free" => {
            End::below(value(metric)?)
        }
        // What is kept for the superuser is no room for others.
        "system.filesystem.usage" => End::above(value("system.filesystem.limit")?, value("system.filesystem.free")?),
        "system.filesystem.utilization" | "system.filesystem.inodes.utilization" | "system.paging.utilization" => {
            End::above(1.0, 1.0 - value(metric)?)
        }
        "system.paging.usage" => {
            let limit = value("system.paging.limit")?;
            End::above(limit, limit - value(metric)?)
        }
        _ => return None,
    })
}
