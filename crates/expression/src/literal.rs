//! Values as they are written, read in the unit of the field that they meet.

use watchkeeper_core::Unit;
use watchkeeper_core::quantity::{Size, Span};

use crate::measure::Measure;

/// What is wrong with a value and how to write it.
pub(crate) struct Unfit {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A number without quotes, in the unit of the field.
pub(crate) fn number(name: &str, unit: Unit, value: f64) -> Result<f64, Unfit> {
    let needs_unit =
        matches!(unit, Unit::Bytes | Unit::BytesPerSecond | Unit::RatioPerSecond | Unit::Seconds) && value != 0.0;
    if needs_unit {
        return Err(Unfit {
            message: format!("`{name}` is {}; {value} has no unit", shape(unit)),
            help: format!("write {}", suggestion(unit, value)),
        });
    }
    if unit == Unit::Ratio && value.abs() > 1.0 {
        return Err(Unfit {
            message: format!("`{name}` is {}; {value} is outside", unit.words()),
            help: if name.starts_with("anomaly.") {
                // Scores are not thought of in percent.
                "write a number between 0 and 1, such as 0.9".to_owned()
            } else {
                format!("write \"{value}%\"")
            },
        });
    }
    Ok(value)
}

/// Text in quotes as a number in the unit of the field.
pub(crate) fn quantity(name: &str, unit: Unit, text: &str) -> Result<f64, Unfit> {
    read(unit, text).ok_or_else(|| Unfit {
        message: format!("`{name}` is {}; {}", shape(unit), described(text)),
        help: correction(unit, text),
    })
}

/// Text in quotes as a finite number in a unit.
fn read(unit: Unit, text: &str) -> Option<f64> {
    let number = match unit {
        Unit::Ratio => percent(text),
        Unit::RatioPerSecond => rate(text).and_then(|(amount, seconds)| Some(percent(amount)? / seconds)),
        Unit::Bytes => size(text),
        Unit::BytesPerSecond => rate(text).and_then(|(amount, seconds)| Some(size(amount)? / seconds)),
        Unit::Seconds => seconds(text),
        Unit::CountPerSecond => rate(text).and_then(|(amount, seconds)| Some(plain(amount)? / seconds)),
        Unit::Cores | Unit::Count | Unit::Number | Unit::Text => None,
    };
    number.filter(|value| value.is_finite())
}

/// Text in quotes as a number without unit: a percentage.
pub(crate) fn share(name: &str, text: &str) -> Result<f64, Unfit> {
    percent(text).filter(|value| value.is_finite()).ok_or_else(|| Unfit {
        message: format!("`{name}` is a number without a unit; {}", described(text)),
        help: match plain(text) {
            Some(value) => format!("write {value} without quotes"),
            None => "write a number, such as 0.9, or a percentage, such as \"90%\"".to_owned(),
        },
    })
}

/// Text in quotes that says by itself what it measures: a percentage, a size, a duration or a rate.
pub(crate) fn by_itself(text: &str) -> Option<(Measure, f64)> {
    let per_second = |amount: fn(&str) -> Option<f64>| rate(text).and_then(|(of, seconds)| Some(amount(of)? / seconds));
    percent(text)
        .map(|value| (Measure::Plain, value))
        .or_else(|| seconds(text).map(|value| (Measure::Of(Unit::Seconds), value)))
        .or_else(|| size(text).filter(|_| plain(text).is_none()).map(|value| (Measure::Of(Unit::Bytes), value)))
        .or_else(|| per_second(percent).map(|value| (Measure::Of(Unit::RatioPerSecond), value)))
        .or_else(|| per_second(plain).map(|value| (Measure::Of(Unit::CountPerSecond), value)))
        .or_else(|| per_second(size).map(|value| (Measure::Of(Unit::BytesPerSecond), value)))
        .filter(|(_, value)| value.is_finite())
}

/// A unit as the end of "`name` is ...".
pub(crate) fn shape(unit: Unit) -> String {
    match unit {
        Unit::Bytes | Unit::BytesPerSecond | Unit::Seconds => format!("in {}", unit.words()),
        _ => unit.words().to_owned(),
    }
}

/// What a text in quotes looks like, as a clause.
fn described(text: &str) -> String {
    let shown = watchkeeper_core::text::clean(text, 40);
    let what = if percent(text).is_some() {
        "is a percentage"
    } else if seconds(text).is_some() {
        "is a duration"
    } else if size(text).is_some() {
        "is a size"
    } else if rate(text).is_some_and(|(amount, _)| [size, plain, percent].iter().any(|of| of(amount).is_some())) {
        "is a rate"
    } else if plain(text).is_some() {
        "is a number in quotes"
    } else {
        "is no such value"
    };
    format!("\"{shown}\" {what}")
}

/// How the value must have been meant, or what such a value looks like.
fn correction(unit: Unit, text: &str) -> String {
    let plain = plain(text);
    if let Some(positive) = text.trim().strip_prefix('-').filter(|positive| read(unit, positive).is_some()) {
        return format!("write the sign before the quotes: -\"{positive}\"");
    }
    let is_duration = seconds(text).is_some();
    if let Some(meant) = recased(text).filter(|meant| !is_duration && read(unit, meant).is_some()) {
        return format!("write \"{meant}\"");
    }
    match (unit, plain) {
        (Unit::Ratio, Some(value)) if value > 1.0 => format!("write \"{value}%\""),
        (Unit::Ratio | Unit::Cores | Unit::Count | Unit::CountPerSecond | Unit::Number, Some(value)) => {
            format!("write {value} without quotes")
        }
        (Unit::Bytes | Unit::BytesPerSecond | Unit::RatioPerSecond | Unit::Seconds, Some(value)) => {
            format!("write {}", suggestion(unit, value))
        }
        (Unit::BytesPerSecond, _) if size(text).is_some() => {
            format!("write \"{0}/s\" or \"{0}/h\"", text.trim())
        }
        (Unit::RatioPerSecond, _) if percent(text).is_some() => format!("write \"{}/h\"", text.trim()),
        _ => format!("write {}", example(unit)),
    }
}

/// A size or a rate of sizes with its unit in the usual letters: `2gb` is `2GB`, `2G` is `2GiB`.
fn recased(text: &str) -> Option<String> {
    const SIZES: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"];
    let (amount, per) = text.split_once('/').map_or((text, String::new()), |(amount, per)| (amount, format!("/{per}")));
    let digits = amount.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = (amount[..digits].trim(), amount[digits..].trim());
    let known = SIZES.iter().find(|known| known.eq_ignore_ascii_case(unit));
    let short = || SIZES[5..].iter().find(|known| known[..1].eq_ignore_ascii_case(unit));
    known.or_else(short).map(|known| format!("{number}{known}{}", per.to_ascii_lowercase()))
}

/// What a value of the unit looks like.
fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Ratio => "a percentage, such as \"90%\"",
        Unit::RatioPerSecond => "a percentage per time, such as \"5%/h\"",
        Unit::Bytes => "a size, such as \"2GiB\"",
        Unit::BytesPerSecond => "a size per time, such as \"20MiB/s\" or \"1GiB/h\"",
        Unit::Seconds => "a duration, such as \"5m\"",
        Unit::CountPerSecond => "a number, such as 10, or a number per time, such as \"600/min\"",
        Unit::Cores => "a number of cores, such as 1.5",
        Unit::Count => "a number, such as 100",
        Unit::Number => "a number, such as 2.5",
        Unit::Text => "text in quotes",
    }
}

/// A bare number with the unit it was probably meant in, quoted.
fn suggestion(unit: Unit, value: f64) -> String {
    if value < 0.0 || value > (1_u64 << 53) as f64 {
        return example(unit).to_owned();
    }
    match unit {
        Unit::Bytes => format!("\"{}\"", Size::from_bytes(value.round() as u64)),
        Unit::BytesPerSecond => format!("\"{}/s\"", Size::from_bytes(value.round() as u64)),
        // A share per second is never what people think in.
        Unit::RatioPerSecond => example(unit).to_owned(),
        _ => format!("\"{}\"", Span::from_ms((value * 1_000.0).round() as i64)),
    }
}

/// A number as it stands; no sign, no exponent.
fn plain(text: &str) -> Option<f64> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| text.parse().ok()).flatten()
}

pub(crate) fn percent(text: &str) -> Option<f64> {
    // Divided, not multiplied by 0.01: "7%" is then the same number as 0.07.
    plain(text.trim().strip_suffix('%')?).map(|value| value / 100.0)
}

fn size(text: &str) -> Option<f64> {
    Size::parse(text).ok().map(|size| size.bytes() as f64)
}

fn seconds(text: &str) -> Option<f64> {
    // A bare "0" reads as a duration too; it is a number here.
    plain(text).is_none().then(|| Span::parse(text).ok()).flatten().map(|span| span.ms() as f64 / 1_000.0)
}

/// `"20MiB/h"` as the amount and the seconds it is spread over.
fn rate(text: &str) -> Option<(&str, f64)> {
    let (amount, per) = text.rsplit_once('/')?;
    let seconds = match per.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some((amount.trim(), seconds))
}
