//! Units of metrics (UCUM), and how values look to people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The unit of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share: 0..1 inside, percent on screens (`1`).
    Ratio,
    /// How much of a share per second: what a share gains or loses over time (`1/s`).
    RatioPerSecond,
    /// How many CPUs' worth: 1.0 is one core (`{cpu}`).
    Cores,
    /// Bytes (`By`).
    Bytes,
    /// Bytes per second (`By/s`).
    BytesPerSecond,
    /// Seconds (`s`).
    Seconds,
    /// A number of things (`{count}`).
    Count,
    /// Things per second (`{count}/s`).
    CountPerSecond,
    /// A plain number without unit, such as a load average (`1`).
    Number,
    /// Words, not a number.
    Text,
}

impl Unit {
    /// The UCUM code, as OpenTelemetry writes it; empty for words.
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Ratio | Self::Number => "1",
            Self::RatioPerSecond => "1/s",
            Self::Cores => "{cpu}",
            Self::Bytes => "By",
            Self::BytesPerSecond => "By/s",
            Self::Seconds => "s",
            Self::Count => "{count}",
            Self::CountPerSecond => "{count}/s",
            Self::Text => "",
        }
    }

    /// What the unit is called in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ratio => "a ratio 0..1",
            Self::RatioPerSecond => "a ratio per second",
            Self::Cores => "a number of cores",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes per second",
            Self::Seconds => "seconds",
            Self::Count => "a count",
            Self::CountPerSecond => "a count per second",
            Self::Number => "a number",
            Self::Text => "text",
        }
    }

    /// A value for people: `97.5 %`, `5.0 %/h`, `1.5 GiB`, `20.0 MiB/s`, `3 m 20 s`. Not-a-number reads `unknown`.
    pub fn show(self, value: f64) -> Shown {
        Shown { unit: self, value }
    }
}

/// A value with its unit, ready to be written; made by [`Unit::show`].
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    unit: Unit,
    value: f64,
}

fn bytes(f: &mut fmt::Formatter<'_>, value: f64, suffix: &str) -> fmt::Result {
    let mut scaled = value;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if scaled.abs() < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        unit = next;
    }
    if unit == "B" { write!(f, "{scaled:.0} B{suffix}") } else { write!(f, "{scaled:.1} {unit}{suffix}") }
}

fn plain(f: &mut fmt::Formatter<'_>, value: f64, suffix: &str) -> fmt::Result {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        write!(f, "{value:.0}{suffix}")
    } else {
        write!(f, "{value:.2}{suffix}")
    }
}

/// Shares change slowly: by the hour, unless that is too little or too much to read.
fn percent_per_time(f: &mut fmt::Formatter<'_>, per_second: f64) -> fmt::Result {
    let per_hour = per_second * 100.0 * 3_600.0;
    match per_hour.abs() {
        0.0 | 0.1..600.0 => write!(f, "{per_hour:.1} %/h"),
        0.0..0.1 => write!(f, "{:.2} %/d", per_hour * 24.0),
        _ => write!(f, "{:.1} %/min", per_hour / 60.0),
    }
}

fn seconds(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    let whole = value.abs().round() as u64;
    let sign = if value < 0.0 { "-" } else { "" };
    match whole {
        _ if value.abs() < 10.0 => write!(f, "{value:.1} s"),
        0..60 => write!(f, "{sign}{whole} s"),
        60..3_600 if whole.is_multiple_of(60) => write!(f, "{sign}{} m", whole / 60),
        60..3_600 => write!(f, "{sign}{} m {} s", whole / 60, whole % 60),
        3_600..86_400 => write!(f, "{sign}{} h {} m", whole / 3_600, whole % 3_600 / 60),
        _ => write!(f, "{sign}{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value;
        if !value.is_finite() {
            return f.write_str("unknown");
        }
        match self.unit {
            Unit::Ratio => write!(f, "{:.1} %", value * 100.0),
            Unit::RatioPerSecond => percent_per_time(f, value),
            Unit::Cores => write!(f, "{value:.2} cores"),
            Unit::Bytes => bytes(f, value, ""),
            Unit::BytesPerSecond => bytes(f, value, "/s"),
            Unit::Seconds => seconds(f, value),
            // Leaks are slow: 30/h is no 0.01/s.
            Unit::CountPerSecond if value != 0.0 && value.abs() < 0.1 => write!(f, "{:.1}/h", value * 3_600.0),
            Unit::CountPerSecond => plain(f, value, "/s"),
            Unit::Count | Unit::Number | Unit::Text => plain(f, value, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        for (unit, value, text) in [
            (Unit::Ratio, 0.975, "97.5 %"),
            (Unit::Ratio, 0.0, "0.0 %"),
            (Unit::RatioPerSecond, 0.05 / 3_600.0, "5.0 %/h"),
            (Unit::RatioPerSecond, -0.05 / 3_600.0, "-5.0 %/h"),
            (Unit::RatioPerSecond, 0.0, "0.0 %/h"),
            (Unit::RatioPerSecond, 0.01 / 86_400.0, "1.00 %/d"),
            (Unit::RatioPerSecond, 0.1, "600.0 %/min"),
            (Unit::Cores, 1.5, "1.50 cores"),
            (Unit::Bytes, 0.0, "0 B"),
            (Unit::Bytes, 1_048_576.0, "1.0 MiB"),
            (Unit::Bytes, 1_048_570.0, "1.0 MiB"),
            (Unit::BytesPerSecond, 2_621_440.0, "2.5 MiB/s"),
            (Unit::Seconds, 2.5, "2.5 s"),
            (Unit::Seconds, 200.0, "3 m 20 s"),
            (Unit::Seconds, 300.0, "5 m"),
            (Unit::Seconds, 7_260.0, "2 h 1 m"),
            (Unit::Seconds, 93_600.0, "1 d 2 h"),
            (Unit::Count, 12.0, "12"),
            (Unit::CountPerSecond, 0.25, "0.25/s"),
            (Unit::CountPerSecond, 30.0 / 3_600.0, "30.0/h"),
            (Unit::CountPerSecond, 0.0, "0/s"),
            (Unit::Number, f64::NAN, "unknown"),
        ] {
            assert_eq!(unit.show(value).to_string(), text);
        }
    }
}
