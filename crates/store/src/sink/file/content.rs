//! What a file holds: nothing, lines of ours, or something else.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use jiff::civil::DateTime;

use crate::sink::config::SinkFormat;
use crate::sink::lines::{HEADER, OBJECT};

/// What a file holds.
#[derive(Debug, PartialEq)]
pub(super) enum Content {
    /// Nothing, or a first line that was cut.
    Empty,
    /// Lines of ours.
    Ours {
        /// End of the last whole line, bytes.
        length: u64,
        /// Local time of the last row; `None` if there is none.
        last: Option<DateTime>,
    },
    /// Something else, and what.
    Foreign(&'static str),
}

/// The longest line that is looked for, bytes: command lines are shorter by far.
const LONGEST_LINE: u64 = 1 << 20;

/// Looks at the first line and at the last ones; the file may be large.
pub(super) fn look(mut file: &File, format: SinkFormat) -> io::Result<Content> {
    let expected = match format {
        SinkFormat::Csv => HEADER.as_slice(),
        SinkFormat::Jsonl => OBJECT,
    };
    let total = file.metadata()?.len();
    let mut begin = vec![0; expected.len().min(usize::try_from(total).unwrap_or(usize::MAX))];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut begin)?;
    if !expected.starts_with(&begin) {
        return Ok(Content::Foreign(match format {
            SinkFormat::Csv => "its first line is not the header of this version",
            SinkFormat::Jsonl => "its first line is not that of a file of JSON lines of ours",
        }));
    }
    if begin.len() < expected.len() {
        return Ok(Content::Empty);
    }
    let from = total.saturating_sub(2 * LONGEST_LINE);
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take(2 * LONGEST_LINE).read_to_end(&mut end)?;
    let Some(newline) = end.iter().rposition(|byte| *byte == b'\n') else {
        return Ok(if from == 0 { Content::Empty } else { Content::Foreign("it does not consist of lines of ours") });
    };
    let lines = &end[..newline];
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let time = match format {
        SinkFormat::Csv => Some(last),
        SinkFormat::Jsonl => last.strip_prefix(OBJECT),
    };
    Ok(Content::Ours { length: from + newline as u64 + 1, last: time.and_then(local_time) })
}

/// The local time that a row begins with: `2026-11-20T03:04:05`.
fn local_time(row: &[u8]) -> Option<DateTime> {
    std::str::from_utf8(row.get(..19)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use std::io::Write as _;

    fn of(format: SinkFormat, text: &[u8]) -> Content {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        look(&file, format).unwrap()
    }

    #[test]
    fn lines_of_ours_are_known_by_the_first_and_continued_after_the_last_whole_one() {
        let header = String::from_utf8(HEADER.clone()).unwrap();
        let row = "2026-11-20T23:59:59.001+01:00,1,host\n";
        let object = "{\"timestamp\":\"2026-11-20T23:59:59.001+01:00\",\"kind\":\"host\"}\n";
        let last = Some(date(2026, 11, 20).at(23, 59, 59, 0));
        let ours = |text: &str, last| Content::Ours { length: text.len() as u64, last };
        let (csv, jsonl) = (SinkFormat::Csv, SinkFormat::Jsonl);
        let rows = format!("{header}{row}{row}");
        let long = format!("{header}{}", row.repeat(70_000));
        for (name, format, text, expected) in [
            ("nothing", csv, String::new(), Content::Empty),
            ("nothing", jsonl, String::new(), Content::Empty),
            ("a cut header", csv, header[..40].to_owned(), Content::Empty),
            ("a header without its end", csv, header.trim_end().to_owned(), Content::Empty),
            ("a header", csv, header.clone(), ours(&header, None)),
            ("rows", csv, rows.clone(), ours(&rows, last)),
            ("a cut row", csv, format!("{rows}2026-11-21T00:0"), ours(&rows, last)),
            ("many rows", csv, long.clone(), ours(&long, last)),
            ("objects", jsonl, object.repeat(2), ours(&object.repeat(2), last)),
            ("a cut object", jsonl, format!("{object}{{\"times"), ours(object, last)),
            ("a cut first object", jsonl, object.trim_end().to_owned(), Content::Empty),
            ("a cut first object", jsonl, "{\"time".to_owned(), Content::Empty),
        ] {
            assert_eq!(of(format, text.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn what_others_wrote_is_foreign() {
        let header = String::from_utf8(HEADER.clone()).unwrap();
        for (name, format, text) in [
            ("another header", SinkFormat::Csv, "Timestamp,CPU Usage (%)\n".to_owned()),
            ("a column more", SinkFormat::Csv, format!("{},more\n", header.trim_end())),
            ("no text", SinkFormat::Csv, "\0\u{1}".to_owned()),
            ("another object", SinkFormat::Jsonl, "{\"message\":\"hello\"}\n".to_owned()),
            ("a table", SinkFormat::Jsonl, header.clone()),
            ("objects", SinkFormat::Csv, "{\"timestamp\":\"2026-11-20T00:00:00\"}\n".to_owned()),
            ("one line without end", SinkFormat::Jsonl, format!("{{\"timestamp\":\"{}", "x".repeat(3 << 20))),
        ] {
            assert!(matches!(of(format, text.as_bytes()), Content::Foreign(_)), "{name}");
        }
    }

    #[test]
    fn a_row_with_an_odd_time_has_none() {
        let row = b"{\"timestamp\":\"2026-99-20T23:59:59.001+01:00\"}\n";
        assert_eq!(of(SinkFormat::Jsonl, row), Content::Ours { length: row.len() as u64, last: None });
    }
}
