//! What stands in a cell, and which number or time it means.
//!
//! Numbers come as numbers, or as text that a person, a spreadsheet or a script has written. A text is a number only when
//! there is one way to read it; nothing is guessed:
//!
//! | text | means |
//! |---|---|
//! | `12.5`, ` 12.5 % `, `+1.25e1` | 12.5 |
//! | `12,5` | 12.5 |
//! | `1.234,5`, `1,234.5` | 1234.5: the last mark is the decimal one, the others part thousands |
//! | `1.234.567`, `1 234 567` | 1234567 |
//! | `1,234` | 1.234 where the decimal mark is a comma, 1234 where it is a point, no number where neither is known |
//! | `1.234` | 1234 where the decimal mark is a comma, 1.234 everywhere else |

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The content of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// Nothing, or only blanks.
    Empty,
    /// A number.
    Number(f64),
    /// A text. Foreign.
    Text(Cow<'a, str>),
    /// A date and time of a workbook, local.
    Date(DateTime),
    /// Something that is neither number nor time, in the words that people see for it: `#DIV/0!`, `TRUE`.
    Other(&'static str),
}

/// Which mark parts the whole from the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// `12.5`
    Point,
    /// `12,5`
    Comma,
    /// Nothing is known: workbooks, where each cell may come from elsewhere.
    Unknown,
}

/// The number of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    /// No cell, or an empty one.
    Missing,
    /// A finite number.
    Value(f64),
    /// NaN, infinity, or a word for a value that is not there, such as `N/A`.
    NotFinite,
    /// Something that is no number; what it says.
    Unreadable(String),
}

/// Words for a value that is not there, as scripts and spreadsheets write them.
const NOT_A_NUMBER: [&str; 12] =
    ["nan", "inf", "infinity", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "1.#ind", "1.#inf"];

/// Days of a spreadsheet's calendar that a bare number in a column of times may be: 1954 to 2119.
const SPREADSHEET_DAYS: std::ops::RangeInclusive<f64> = 20_000.0..=80_000.0;
/// The day 0 of that calendar.
const SPREADSHEET_EPOCH: Date = jiff::civil::date(1899, 12, 30);

impl Cell<'_> {
    /// The same with its text copied.
    pub(super) fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Empty => Cell::Empty,
            Self::Number(number) => Cell::Number(number),
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Date(date) => Cell::Date(date),
            Self::Other(words) => Cell::Other(words),
        }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => bare(text).is_empty(),
            _ => false,
        }
    }

    /// The number that it means.
    pub(super) fn number(&self, decimal: Decimal) -> Number {
        match self {
            Self::Empty => Number::Missing,
            Self::Number(number) if number.is_finite() => Number::Value(*number),
            Self::Number(_) | Self::Other("#N/A") => Number::NotFinite,
            Self::Other(words) => Number::Unreadable((*words).to_owned()),
            Self::Date(date) => Number::Unreadable(date.to_string()),
            Self::Text(text) => text_number(text, decimal),
        }
    }

    /// The time that it means, milliseconds UTC; `None` when it means none. A time that a clock change has skipped or
    /// doubled is taken as it would have been without the change.
    pub(super) fn time_ms(&self, zone: &TimeZone) -> Option<i64> {
        match self {
            Self::Empty | Self::Other(_) => None,
            Self::Number(number) => number_time_ms(*number, zone),
            Self::Date(date) => local_ms(*date, zone),
            Self::Text(text) => text_time_ms(text, zone),
        }
    }

    /// The text, if it is one that means neither number nor time: what a title looks like.
    pub(super) fn words(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(bare(text)).filter(|text| {
                matches!(text_number(text, Decimal::Unknown), Number::Unreadable(_))
                    && text_time_ms(text, &TimeZone::UTC).is_none()
            }),
            _ => None,
        }
    }
}

/// Text without blanks around it, and without the marks and zero bytes that files leave there.
pub(crate) fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0')
}

fn text_number(text: &str, decimal: Decimal) -> Number {
    let shown = bare(text);
    if shown.is_empty() {
        return Number::Missing;
    }
    let unsigned = shown.trim_start_matches(['+', '-']);
    if NOT_A_NUMBER.iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return Number::NotFinite;
    }
    match plain(bare(shown.trim_end_matches('%')), decimal).map(|plain| plain.parse::<f64>()) {
        Some(Ok(number)) if number.is_finite() => Number::Value(number),
        Some(Ok(_)) => Number::NotFinite,
        _ => Number::Unreadable(shown.to_owned()),
    }
}

/// The text as Rust writes the number: no marks between thousands, a point before the fraction; `None` when it cannot be
/// a number or could be two.
fn plain(text: &str, decimal: Decimal) -> Option<Cow<'_, str>> {
    let plain_mark = if decimal == Decimal::Comma { b'0' } else { b'.' };
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == plain_mark) && text.matches('.').nth(1).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let digits = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let known = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',') || is_blank(c);
    if !digits.contains(|c: char| c.is_ascii_digit()) || !digits.chars().all(known) {
        return None;
    }
    let last = digits.rfind(['.', ',']);
    let fraction_at = match last {
        Some(at) if is_decimal(digits, at, decimal)? => Some(at),
        _ => None,
    };
    let (whole, fraction) = match fraction_at {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, ""),
    };
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || !is_grouped(whole) {
        return None;
    }
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    Some(Cow::Owned(format!("{sign}0{whole}.{fraction}0{exponent}")))
}

/// Whether the mark at `at`, the last one, stands before the fraction; `None` when it could be either.
fn is_decimal(digits: &str, at: usize, decimal: Decimal) -> Option<bool> {
    let mark = &digits[at..=at];
    let others = &digits[..at];
    if others.contains(mark) {
        return Some(false);
    }
    let looks_grouped = digits.len() - at == 4 && (1..=3).contains(&at) && !digits.starts_with('0');
    if others.contains(['.', ',']) || !looks_grouped {
        return Some(true);
    }
    match (mark, decimal) {
        (".", Decimal::Comma) | (",", Decimal::Point) => Some(false),
        (",", Decimal::Unknown) => None,
        _ => Some(true),
    }
}

/// Whether these are digits, in groups of three where a mark parts them; one mark only.
fn is_grouped(whole: &str) -> bool {
    let Some(mark) = whole.chars().find(|c| !c.is_ascii_digit()) else {
        return true;
    };
    whole.split(mark).enumerate().all(|(index, group)| {
        let length_fits = if index == 0 { (1..=3).contains(&group.len()) } else { group.len() == 3 };
        length_fits && group.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Blanks that part thousands.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'')
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size, or a spreadsheet's day.
fn number_time_ms(number: f64, zone: &TimeZone) -> Option<i64> {
    if SPREADSHEET_DAYS.contains(&number) {
        let day = SPREADSHEET_EPOCH.checked_add(jiff::Span::new().days(number.trunc() as i64)).ok()?;
        let ms_of_day = (number.fract() * 86_400_000.0).round() as i64;
        let date = day.to_datetime(jiff::civil::Time::midnight());
        return local_ms(date.checked_add(jiff::Span::new().milliseconds(ms_of_day)).ok()?, zone);
    }
    let per_ms = match number {
        number if (1e9..1e11).contains(&number) => 1e-3,
        number if (1e11..1e14).contains(&number) => 1.0,
        number if (1e14..1e17).contains(&number) => 1e3,
        number if (1e17..9e18).contains(&number) => 1e6,
        _ => return None,
    };
    Some((number / per_ms).round() as i64)
}

fn text_time_ms(text: &str, zone: &TimeZone) -> Option<i64> {
    let text = bare(text);
    let text = bare(text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text));
    if text.contains(['-', '/', ':', '.']) {
        let iso = text.replacen('/', "-", 2);
        if let Ok(timestamp) = iso.parse::<Timestamp>() {
            return Some(timestamp.as_millisecond());
        }
        if let Some(date) = iso.parse().ok().or_else(|| dotted_date(text)) {
            return local_ms(date, zone);
        }
    }
    match text_number(text, Decimal::Point) {
        Number::Value(number) => number_time_ms(number, zone),
        _ => None,
    }
}

/// `20.11.2026 03:04:05` and `20.11.2026 3:04`: how a spreadsheet in much of Europe writes a time into a CSV.
fn dotted_date(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00"));
    let mut parts = date.split('.');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let time = time.trim();
    let time = if time.find(':') == Some(1) { Cow::Owned(format!("0{time}")) } else { Cow::Borrowed(time) };
    Some(date.to_datetime(time.parse().ok()?))
}

fn local_ms(date: DateTime, zone: &TimeZone) -> Option<i64> {
    Some(zone.to_ambiguous_timestamp(date).compatible().ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_number_when_there_is_one_way_to_read_it() {
        use Decimal::{Comma, Point, Unknown};
        let table = [
            ("12.5", [Some(12.5); 3]),
            (" 12.5 % ", [Some(12.5); 3]),
            ("12,5", [Some(12.5); 3]),
            ("\u{feff}12.5\0", [Some(12.5); 3]),
            ("97", [Some(97.0); 3]),
            ("-0.5", [Some(-0.5); 3]),
            ("+1.25e1", [Some(12.5); 3]),
            ("1E2", [Some(100.0); 3]),
            (".5", [Some(0.5); 3]),
            ("5.", [Some(5.0); 3]),
            ("1.234,5", [Some(1234.5); 3]),
            ("1,234.5", [Some(1234.5); 3]),
            ("1.234.567", [Some(1_234_567.0); 3]),
            ("1 234 567,25", [Some(1_234_567.25); 3]),
            ("1\u{a0}234", [Some(1234.0); 3]),
            ("1'234.5", [Some(1234.5); 3]),
            ("0,125", [Some(0.125); 3]),
            ("0.125", [Some(0.125); 3]),
            ("1234,567", [Some(1234.567); 3]),
            ("1,234", [Some(1234.0), Some(1.234), None]),
            ("1.234", [Some(1.234), Some(1234.0), Some(1.234)]),
            ("12,34,5", [None; 3]),
            ("1.2.3", [None; 3]),
            ("1,2.3,4", [None; 3]),
            ("12 5", [None; 3]),
            ("1-2", [None; 3]),
            ("--5", [None; 3]),
            ("0x10", [None; 3]),
            ("e5", [None; 3]),
            ("%", [None; 3]),
            (".", [None; 3]),
            ("12.5 MB", [None; 3]),
            ("high", [None; 3]),
            ("١٢", [None; 3]),
        ];
        for (text, expected) in table {
            for (decimal, expected) in [Point, Comma, Unknown].into_iter().zip(expected) {
                let expected = expected.map_or_else(|| Number::Unreadable(bare(text).to_owned()), Number::Value);
                assert_eq!(text_number(text, decimal), expected, "{text:?} {decimal:?}");
            }
        }
        for text in ["NaN", "nan", "-nan", "inf", "-Infinity", "N/A", "#N/A", "None", "null", "1e999"] {
            assert_eq!(text_number(text, Unknown), Number::NotFinite, "{text:?}");
        }
        for text in ["", "  ", "\0\0", "\u{feff}"] {
            assert_eq!(text_number(text, Unknown), Number::Missing, "{text:?}");
        }
    }

    #[test]
    fn times_are_read_in_the_shapes_that_files_have_them_in() {
        let zone = TimeZone::get("Europe/Vienna").unwrap();
        let expected = "2026-11-20T03:04:05+01:00".parse::<Timestamp>().unwrap().as_millisecond();
        let text = |text: &'static str| Cell::Text(Cow::Borrowed(text));
        let table = [
            (text("2026-11-20 03:04:05"), Some(expected)),
            (text("[2026-11-20 03:04:05]"), Some(expected)),
            (text(" 2026-11-20T03:04:05.000 "), Some(expected)),
            (text("2026-11-20T02:04:05Z"), Some(expected)),
            (text("2026-11-20 03:04:05+01:00"), Some(expected)),
            (text("2026/11/20 03:04:05"), Some(expected)),
            (text("20.11.2026 03:04:05"), Some(expected)),
            (text("20.11.2026 3:04"), Some(expected - 5_000)),
            (text("2026-11-20"), Some(expected - 11_045_000)),
            (text("1795140245"), Some(expected)),
            (text("1795140245.25"), Some(expected + 250)),
            (Cell::Number(1_795_140_245_000.0), Some(expected)),
            (Cell::Number(46_346.127_835_648_15), Some(expected)),
            (Cell::Date(jiff::civil::datetime(2026, 11, 20, 3, 4, 5, 0)), Some(expected)),
            (text("11/20/2026 03:04"), None),
            (text("2026-13-20 03:04:05"), None),
            (text("yesterday"), None),
            (text("12.5"), None),
            (Cell::Number(f64::NAN), None),
            (Cell::Number(-1e300), None),
            (Cell::Empty, None),
            (Cell::Other("#REF!"), None),
        ];
        for (cell, expected) in table {
            assert_eq!(cell.time_ms(&zone), expected, "{cell:?}");
        }
    }

    #[test]
    fn a_time_that_a_clock_change_skipped_or_doubled_is_a_time_nevertheless() {
        let zone = TimeZone::get("Europe/Vienna").unwrap();
        for (text, expected) in
            [("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"), ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z")]
        {
            let expected = expected.parse::<Timestamp>().unwrap().as_millisecond();
            assert_eq!(text_time_ms(text, &zone), Some(expected), "{text}");
        }
    }
}
