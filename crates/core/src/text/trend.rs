//! How something rises, in words.

use jiff::tz::TimeZone;

use super::{duration, local_time};
use crate::evidence::Trend;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// How something rose or fell until this time, milliseconds UTC, and when it will have reached its limit, without full
/// stop, e.g. `rose by 1.2 GiB in 5 h 40 m, 212.0 MiB/h (r2 0.98); the machine's memory will be full in about 9 h 0 m, at
/// 2026-11-20 23:10`.
pub fn trend_sentence(trend: &Trend, at_ms: i64, zone: &TimeZone) -> String {
    let way = if trend.per_second < 0.0 { "fell" } else { "rose" };
    let rise = trend.unit.show(trend.rise.abs());
    let per_hour = trend.unit.show(trend.per_second.abs() * 3_600.0);
    let to_ms = if trend.window_ms < 10 * MINUTE_MS { 1_000 } else { MINUTE_MS };
    let window = duration(round(trend.window_ms, to_ms));
    let moved = format!("{way} by {rise} in {window}, {per_hour}/h (r2 {:.2})", trend.r2);
    let Some(full_ms) = trend.full_ms else { return moved };
    let left_ms = (full_ms - at_ms).max(0);
    // Nobody knows it to the second.
    let when = match left_ms {
        0..MINUTE_MS => "within a minute".to_owned(),
        MINUTE_MS..HOUR_MS => format!("in about {}", duration(round(left_ms, MINUTE_MS))),
        _ => format!("in about {}", duration(round(left_ms, 10 * MINUTE_MS))),
    };
    let mut at = local_time(full_ms, zone);
    at.truncate(at.rfind(':').unwrap_or(at.len()));
    format!("{moved}; {} {when}, at {at}", full(trend))
}

/// What it means that the limit is reached.
fn full(trend: &Trend) -> String {
    let metric = trend.metric.as_str();
    let words = [
        ("process.memory.", "the machine's memory will be full"),
        ("system.memory.", "the machine's memory will be full"),
        ("system.paging.", "the swap space will be full"),
        ("system.filesystem.inodes.", "the filesystem will be out of inodes"),
        ("system.filesystem.", "the filesystem will be full"),
    ];
    match (words.iter().find(|(beginning, _)| metric.starts_with(beginning)), trend.limit) {
        (Some((_, words)), _) => (*words).to_owned(),
        (None, Some(limit)) => format!("it will have reached {}", trend.unit.show(limit)),
        (None, None) => "it will be at its end".to_owned(),
    }
}

/// To the nearest multiple, at least one.
fn round(ms: i64, to_ms: i64) -> i64 {
    (ms.saturating_add(to_ms / 2) / to_ms).max(1) * to_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Unit;

    #[test]
    fn trends_read_well() {
        const AT_MS: i64 = 1_795_176_000_000;
        let leak = Trend {
            metric: "process.memory.usage".to_owned(),
            unit: Unit::Bytes,
            per_second: 212.0 * 1_048_576.0 / 3_600.0,
            rise: 1.2 * 1_073_741_824.0,
            r2: 0.984,
            p: 1e-9,
            window_ms: 20_395_000,
            limit: Some(8.0 * 1_073_741_824.0),
            full_ms: Some(AT_MS + 9 * HOUR_MS + 123_000),
        };
        let rose = "rose by 1.2 GiB in 5 h 40 m, 212.0 MiB/h (r2 0.98)";
        let disk = Trend {
            metric: "system.filesystem.free".to_owned(),
            per_second: -1_048_576.0,
            rise: -600.0 * 1_048_576.0,
            window_ms: 600_000,
            limit: Some(0.0),
            full_ms: Some(AT_MS + 754_000),
            ..leak.clone()
        };
        let inodes = Trend { metric: "system.filesystem.inodes.free".to_owned(), unit: Unit::Count, ..disk.clone() };
        let descriptors = Trend {
            metric: "process.unix.file_descriptor.count".to_owned(),
            unit: Unit::Count,
            per_second: 0.05,
            rise: 360.0,
            limit: None,
            full_ms: None,
            ..leak.clone()
        };
        for (trend, sentence) in [
            (
                leak.clone(),
                format!("{rose}; the machine's memory will be full in about 9 h 0 m, at 2026-11-20 21:02"),
            ),
            (Trend { full_ms: None, ..leak.clone() }, rose.to_owned()),
            (
                Trend { full_ms: None, window_ms: 20_400, rise: 1e6, ..leak.clone() },
                "rose by 976.6 KiB in 20 s, 212.0 MiB/h (r2 0.98)".to_owned(),
            ),
            (
                Trend { full_ms: Some(AT_MS - 5), ..leak.clone() },
                format!("{rose}; the machine's memory will be full within a minute, at 2026-11-20 11:59"),
            ),
            (
                Trend { metric: "process.other".to_owned(), ..leak },
                format!("{rose}; it will have reached 8.0 GiB in about 9 h 0 m, at 2026-11-20 21:02"),
            ),
            (
                disk,
                "fell by 600.0 MiB in 10 m, 3.5 GiB/h (r2 0.98); the filesystem will be full in about 13 m, at \
                 2026-11-20 12:12"
                    .to_owned(),
            ),
            (
                inodes,
                "fell by 629145600 in 10 m, 3774873600/h (r2 0.98); the filesystem will be out of inodes in about 13 m, at \
                 2026-11-20 12:12"
                    .to_owned(),
            ),
            (descriptors, "rose by 360 in 5 h 40 m, 180/h (r2 0.98)".to_owned()),
        ] {
            assert_eq!(trend_sentence(&trend, AT_MS, &TimeZone::UTC), sentence);
        }
    }
}
