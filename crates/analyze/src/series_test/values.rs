//! The values of a series: `90%x60 2GiB+1MiBx100 _x5`.

use std::ops::Range;

use watchkeeper_core::quantity::{Size, Span};
use watchkeeper_core::text::clean;
use watchkeeper_core::{Problem, ProcessState, Unit};

/// The most values of one series: eleven days at one a second.
const MOST_VALUES: u64 = 1_000_000;

/// What a series says of one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Slot {
    /// That it is not there.
    Absent,
    /// That it is unknown.
    Unknown,
    Number(f64),
    /// The letter of a state.
    State(ProcessState),
}

/// Values one after the other, as they were written: in runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    runs: Vec<Run>,
}

#[derive(Clone, Debug, PartialEq)]
struct Run {
    /// Place of its first value among all.
    from: u64,
    count: u64,
    first: Slot,
    step: f64,
}

impl Values {
    /// Reads values of a metric in this unit.
    ///
    /// # Errors
    /// Everything that is wrong, at `values`.
    pub(super) fn read(text: &str, unit: Unit) -> Result<Self, Vec<Problem>> {
        let mut values = Self { runs: Vec::new() };
        let mut problems = Vec::new();
        for (range, word) in words(text) {
            match run(word, unit) {
                Ok((count, first, step)) => {
                    let from = values.len();
                    if from + count > MOST_VALUES {
                        let message = format!("these are more than {MOST_VALUES} values");
                        problems.push(Problem::new("values", message).within(range).help("take a longer `interval`"));
                        break;
                    }
                    values.runs.push(Run { from, count, first, step });
                }
                Err((message, help)) => {
                    problems.push(Problem::new("values", message).within(range).help(help));
                }
            }
        }
        if values.runs.is_empty() && problems.is_empty() {
            problems.push(Problem::new("values", "there are no values").help(example(unit)));
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.runs.last().map_or(0, |last| last.from + last.count)
    }

    /// The value of a look, counted from 0.
    pub(super) fn at(&self, look: u64) -> Slot {
        let after = self.runs.partition_point(|run| run.from <= look);
        let Some(run) = after.checked_sub(1).and_then(|index| self.runs.get(index)) else { return Slot::Absent };
        match run.first {
            _ if look >= run.from + run.count => Slot::Absent,
            Slot::Number(first) => Slot::Number(first + run.step * (look - run.from) as f64),
            other => other,
        }
    }
}

/// Words with their places.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    text.split_ascii_whitespace().map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        (start..start + word.len(), word)
    })
}

type Wrong = (String, String);

fn run(word: &str, unit: Unit) -> Result<(u64, Slot, f64), Wrong> {
    let (value, count) = match word.rsplit_once('x').filter(|(_, count)| is_count(count)) {
        Some((value, count)) => (value, count.parse().ok().filter(|count| *count > 0)),
        None => (word, Some(1)),
    };
    let Some(count) = count else {
        return Err((
            format!("`{}` is no number of values", shown(word)),
            "write one from 1 on, e.g. 10x60".to_owned(),
        ));
    };
    match value {
        "_" => return Ok((count, Slot::Unknown, 0.0)),
        "." => return Ok((count, Slot::Absent, 0.0)),
        _ => {}
    }
    if unit == Unit::Text {
        let state = ProcessState::CODES.into_iter().find(|(state, _)| state.letter() == value);
        let (state, _) =
            state.ok_or_else(|| (format!("`{}` is no state of a process", shown(value)), example(unit)))?;
        return Ok((count, Slot::State(state), 0.0));
    }
    let wrong = |text: &str| (format!("`{}` is not {}", shown(text), unit.words()), example(unit));
    // A sign in front belongs to the value.
    let sign = value.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-'));
    let Some((at, sign)) = sign else {
        return Ok((count, Slot::Number(signed(value, unit).ok_or_else(|| wrong(value))?), 0.0));
    };
    let (first, step) = (&value[..at], &value[at + 1..]);
    let first = signed(first, unit).ok_or_else(|| wrong(first))?;
    let step = number(step, unit).ok_or_else(|| wrong(step))?;
    Ok((count, Slot::Number(first), if sign == '-' { -step } else { step }))
}

fn is_count(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn signed(text: &str, unit: Unit) -> Option<f64> {
    match text.strip_prefix('-') {
        Some(text) => number(text, unit).map(|number| -number),
        None => number(text, unit),
    }
}

/// A number in the unit: bare, or with a unit behind it.
fn number(text: &str, unit: Unit) -> Option<f64> {
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return text.parse().ok();
    }
    let size = |text: &str| Size::parse(text).ok().map(|size| size.bytes() as f64);
    match unit {
        Unit::Ratio => text.strip_suffix('%')?.parse::<f64>().ok().map(|percent| percent / 100.0),
        Unit::Bytes => size(text),
        Unit::BytesPerSecond => size(text.strip_suffix("/s").unwrap_or(text)),
        Unit::CountPerSecond => text.strip_suffix("/s")?.parse().ok(),
        Unit::Seconds => Span::parse(text).ok().map(|span| span.ms() as f64 / 1e3),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

fn example(unit: Unit) -> String {
    let values = match unit {
        Unit::Ratio => "10%x60 95%x400",
        Unit::Bytes => "2GiBx60 2GiB+1MiBx100",
        Unit::BytesPerSecond => "0x60 20MiB/sx100",
        Unit::Seconds => "10msx60 5sx60",
        Unit::Text => "Sx60 Dx300",
        _ => "0x60 10+1x100 _x5",
    };
    format!("write values such as \"{values}\"")
}

fn shown(text: &str) -> String {
    clean(text, 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, unit: Unit) -> Vec<Slot> {
        let values = Values::read(text, unit).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        let read: Vec<Slot> = (0..values.len()).map(|look| values.at(look)).collect();
        assert_eq!(values.at(values.len()), Slot::Absent);
        read
    }

    #[test]
    fn runs_steps_and_units_are_read() {
        use Slot::{Absent, Number, State, Unknown};
        for (text, unit, expected) in [
            ("5", Unit::Count, vec![Number(5.0)]),
            ("5x2 _ 7 .", Unit::Count, vec![Number(5.0), Number(5.0), Unknown, Number(7.0), Absent]),
            ("10+1x3", Unit::Count, vec![Number(10.0), Number(11.0), Number(12.0)]),
            ("10-2.5x3", Unit::Number, vec![Number(10.0), Number(7.5), Number(5.0)]),
            ("-1-1x2", Unit::Number, vec![Number(-1.0), Number(-2.0)]),
            ("90%x2 0.5", Unit::Ratio, vec![Number(0.9), Number(0.9), Number(0.5)]),
            ("1KiB+1KiBx2", Unit::Bytes, vec![Number(1_024.0), Number(2_048.0)]),
            ("1kB/s 2kB 3", Unit::BytesPerSecond, vec![Number(1_000.0), Number(2_000.0), Number(3.0)]),
            ("3/sx1", Unit::CountPerSecond, vec![Number(3.0)]),
            ("500ms 2m", Unit::Seconds, vec![Number(0.5), Number(120.0)]),
            ("Sx2 D _ Z", Unit::Text, {
                let state = |letter| State(ProcessState::from_code(letter));
                vec![state('S'), state('S'), state('D'), Unknown, state('Z')]
            }),
        ] {
            assert_eq!(all(text, unit), expected, "{text}");
        }
    }

    #[test]
    fn every_mistake_is_said_at_its_place() {
        for (text, unit, expected) in [
            ("", Unit::Count, vec![(None, "there are no values")]),
            ("5 x 7", Unit::Count, vec![(Some(2..3), "`x` is not a count")]),
            ("5x0", Unit::Count, vec![(Some(0..3), "`5x0` is no number of values")]),
            ("9x1000001", Unit::Count, vec![(Some(0..9), "these are more than 1000000 values")]),
            ("1GiB 5% 90", Unit::Ratio, vec![(Some(0..4), "`1GiB` is not a ratio 0..1")]),
            ("S Q", Unit::Text, vec![(Some(2..3), "`Q` is no state of a process")]),
            (
                "1+ \u{1b}x3",
                Unit::Count,
                vec![(Some(0..2), "`` is not a count"), (Some(3..6), "`\\u{1b}` is not a count")],
            ),
        ] {
            let problems = Values::read(text, unit).expect_err(text);
            let found: Vec<_> = problems.iter().map(|p| (p.within.clone(), p.message.as_str())).collect();
            assert_eq!(found, expected, "{text}");
            assert!(problems.iter().all(|problem| problem.help.is_some()));
        }
    }
}
