//! Durations and sizes as people write them in configuration: `"5m"`, `"2GiB"`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in whole milliseconds, written `"250ms"`, `"1s"`, `"1m30s"`, `"48h"`, `"30d"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    ms: i64,
}

const DAY_MS: i64 = 86_400_000;
/// Longest span that can be written: ten thousand days.
const LONGEST_MS: i64 = 10_000 * DAY_MS;

const SPAN_UNITS: [(&str, i64); 6] =
    [("d", DAY_MS), ("h", 3_600_000), ("min", 60_000), ("ms", 1), ("m", 60_000), ("s", 1_000)];

impl Span {
    /// A span of this many milliseconds; negative values become zero.
    pub const fn from_ms(ms: i64) -> Self {
        Self { ms: if ms < 0 { 0 } else { ms } }
    }

    /// A span of this many seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_ms(secs * 1_000)
    }

    /// Length in milliseconds, zero or more.
    pub const fn ms(self) -> i64 {
        self.ms
    }

    /// Length as a standard duration.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.ms as u64)
    }

    /// Reads `"1h30m"` and the like; the number may have decimals, blanks between number and unit are allowed.
    ///
    /// # Errors
    /// A sentence that says what is wrong and shows a good value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a duration; write a number with a unit, such as \"500ms\", \"30s\", \"5m\", \"48h\" or \"30d\""
            )
        };
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        if rest == "0" {
            return Ok(Self::default());
        }
        if rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') && rest.parse::<f64>().is_ok() {
            return Err(format!(
                "`{text}` has no unit; write \"{rest}s\" for seconds, other units are \"ms\", \"m\", \"h\" and \"d\""
            ));
        }
        let mut total = 0.0_f64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
            let after = rest[digits..].trim_start();
            let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (_, factor) = SPAN_UNITS.into_iter().find(|(u, _)| *u == &after[..unit_end]).ok_or_else(wrong)?;
            total += number * factor as f64;
            rest = after[unit_end..].trim_start();
        }
        if total > LONGEST_MS as f64 {
            return Err(format!("`{text}` is longer than 10000 days"));
        }
        Ok(Self::from_ms(total.round() as i64))
    }
}

impl fmt::Display for Span {
    /// The shortest exact form, e.g. `1m30s`; it reads back to the same value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ms == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.ms;
        for (unit, factor) in [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let count = rest / factor;
            if count > 0 {
                write!(f, "{count}{unit}")?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

/// A size in bytes, written `"8MiB"`, `"2GiB"`, `"500MB"`, `"4096B"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    bytes: u64,
}

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// A size of this many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Size in bytes.
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// Reads `"2GiB"` and the like; the number may have decimals.
    ///
    /// # Errors
    /// A sentence that says what is wrong and shows a good value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a size; write a number with a unit, such as \"64MiB\", \"2GiB\" or \"500MB\"");
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = trimmed[..digits].parse().map_err(|_| wrong())?;
        let unit = trimmed[digits..].trim();
        let (_, factor) = SIZE_UNITS.into_iter().find(|(u, _)| *u == unit).ok_or_else(wrong)?;
        let bytes = number * factor as f64;
        if bytes > (1_u64 << 60) as f64 {
            return Err(format!("`{text}` is larger than 1024 PiB"));
        }
        Ok(Self { bytes: bytes.round() as u64 })
    }
}

impl fmt::Display for Size {
    /// The largest unit that keeps it exact; it reads back to the same value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact =
            SIZE_UNITS.into_iter().filter(|(_, factor)| self.bytes >= *factor && self.bytes.is_multiple_of(*factor));
        let (unit, factor) = exact.min_by_key(|(_, factor)| self.bytes / factor).unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.bytes / factor)
    }
}

macro_rules! text_value {
    ($name:ident, $title:literal, $pattern:literal, $example:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "format": $title, "examples": [$example] })
            }
        }
    };
}

text_value!(Span, "duration", r"^(0|([0-9.]+\s*(ms|s|m|min|h|d)\s*)+)$", "5m");
text_value!(Size, "size", r"^[0-9.]+\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$", "2GiB");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, ms) in [
            ("500ms", 500),
            ("1s", 1_000),
            ("1m30s", 90_000),
            ("5min", 300_000),
            ("1.5h", 5_400_000),
            ("30d", 30 * DAY_MS),
            (" 2 h ", 7_200_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(Span::parse(text).map(Span::ms), Ok(ms), "{text}");
        }
        for text in ["", "5", "m", "5x", "-1s", "5 mins please", "1..5s", "99999999d", "1e3s"] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_answered_with_how_seconds_are_written() {
        for (text, seconds) in [("5", "\"5s\""), (" 60 ", "\"60s\""), ("2.5", "\"2.5s\"")] {
            let error = Span::parse(text).expect_err(text);
            assert!(error.contains("has no unit") && error.contains(seconds), "{error}");
        }
        for text in ["..", ".", "5x"] {
            assert!(Span::parse(text).expect_err(text).contains("is not a duration"), "{text}");
        }
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [("1B", 1), ("4KiB", 4096), ("1.5GiB", 1_610_612_736), ("2 GB", 2_000_000_000)] {
            assert_eq!(Size::parse(text).map(Size::bytes), Ok(bytes), "{text}");
        }
        for text in ["", "5", "GiB", "5 gib", "-1B", "99999999TiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_reads_back(ms in 0..LONGEST_MS) {
            prop_assert_eq!(Span::parse(&Span::from_ms(ms).to_string()), Ok(Span::from_ms(ms)));
        }

        #[test]
        fn a_size_reads_back(bytes in 0_u64..(1 << 50)) {
            prop_assert_eq!(Size::parse(&Size::from_bytes(bytes).to_string()), Ok(Size::from_bytes(bytes)));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,12}") {
            let _ = (Span::parse(&text), Size::parse(&text));
        }
    }
}
