use super::*;
use csv::{QuoteStyle, WriterBuilder};
use proptest::prelude::*;

fn shape(text: &str) -> (u8, Decimal) {
    let shape = Shape::of(text.as_bytes());
    (shape.delimiter, shape.decimal)
}

#[test]
fn delimiter_and_decimal_mark_are_those_of_the_first_lines() {
    use Decimal::{Comma, Point, Unknown};
    for (text, expected) in [
        ("", (b',', Point)),
        ("a", (b',', Point)),
        ("a,b;c,d\n", (b',', Point)),
        ("a;b\n1;2\n", (b';', Unknown)),
        ("a;b\n1,5;2\n", (b';', Comma)),
        ("a;b\n1.5;2\n", (b';', Point)),
        ("a;b\n1,234;2\n", (b';', Comma)),
        ("a\tb\n1,234\t2\n", (b'\t', Unknown)),
        ("a\tb\n1,25\t2\n", (b'\t', Comma)),
        ("\n\nTimestamp;CPU Usage (%)\n2026-11-20 03:04:05;12,5 %\n", (b';', Comma)),
        ("a note, with commas, and more, of them\ncpu;memory\n1.5;2.5\n", (b';', Point)),
        ("sep=;\na,b,c\n", (b';', Unknown)),
        ("SEP=\t\r\na,b,c\n", (b'\t', Unknown)),
        ("\"a;b;c\",d\n", (b',', Point)),
    ] {
        assert_eq!(shape(text), expected, "{text:?}");
    }
}

#[test]
fn a_record_goes_over_lines_only_while_its_quote_is_closed_soon() {
    let lines = |text: &'static str| -> Vec<(usize, &[u8], bool)> {
        Lines::new(text.as_bytes()).map(|line| (line.number, line.bytes, line.is_whole)).collect()
    };
    assert_eq!(lines("a\r\n\nb"), [(1, &b"a"[..], true), (2, b"", true), (3, b"b", false)]);
    assert_eq!(lines("\"a\nb\"\nc\n"), [(1, &b"\"a\nb\""[..], true), (3, b"c", true)]);
    assert_eq!(lines("\"a\nb\nc\n"), [(1, &b"\"a"[..], true), (2, b"b", true), (3, b"c", true)]);
    assert_eq!(lines("\"a\n1\n2\n3\n4\n5\n6\n7\n8\"\n").len(), 9);
    assert_eq!(lines("\"a\n1\n2\n3\n4\n5\n6\n7\"\n").len(), 1);
}

#[test]
fn lines_of_old_macintosh_programs_are_lines() {
    for (text, expected) in [
        ("a,b\r1,2\r", "a,b\n1,2\n"),
        ("a,b\r1,2", "a,b\n1,2"),
        ("\r", "\n"),
        ("a,b\r1,2\r3,4\n", "a,b\n1,2\n3,4\n"),
        ("a,b\r\n1,2\r\n", "a,b\r\n1,2\r\n"),
        ("a,b\r\n1,2\r", "a,b\r\n1,2\r"),
        ("", ""),
    ] {
        assert_eq!(with_line_feeds(Cow::Borrowed(text.as_bytes())), expected.as_bytes(), "{text:?}");
    }
    let table = read(b"CPU Usage (%),Memory Usage (%)\r1.5,2\r2.5,3\r", &TimeZone::UTC).unwrap();
    assert_eq!((table.rows, table.column("cpu").unwrap().values.clone()), (2, vec![Some(1.5), Some(2.5)]));
}

#[test]
fn records_of_any_width_are_taken_apart() {
    for fields in [1, 63, 64, 65, 1_000] {
        let line = vec!["x"; fields].join(",");
        let mut records = Records::new(b',');
        assert_eq!(records.read(line.as_bytes()).count(), fields, "{fields}");
        assert_eq!(records.read(b"\"a\"\"b\",\"\"").collect::<Vec<_>>(), ["a\"b", ""]);
        assert_eq!(records.read(b"").count(), 0);
    }
}

/// A number as a test writes it: at most three digits before the mark, so that no mark parts thousands.
fn number() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![1 => Just(None), 9 => (-9_999..9_999_i32).prop_map(|tenths| Some(f64::from(tenths) / 10.0))]
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_nothing_breaks(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, &TimeZone::UTC);
        let _ = first_record(&bytes);
    }

    #[test]
    fn whatever_the_text_is_nothing_breaks(
        text in "(\u{feff})?(sep=[,;]\n)?((Timestamp|cpu|memory|-?[0-9]{1,6}|[0-9]+[.,][0-9]+|NaN|\"|\"\"|\r|\0|é)[,;\t\n]){0,60}"
    ) {
        if let Ok(table) = read(text.as_bytes(), &TimeZone::UTC) {
            prop_assert!(table.rows > 0 && table.rows <= text.split(['\n', '\r']).count());
            for column in &table.columns {
                prop_assert_eq!(column.values.len(), table.rows);
                prop_assert!(column.values.iter().flatten().all(|value| value.is_finite()));
            }
        }
    }

    #[test]
    fn what_was_written_is_read(
        rows in prop::collection::vec((0..4_000_000_000_i64, number(), number(), "[a-z,;\"\n]{0,12}"), 1..40),
        delimiter in prop::sample::select(&DELIMITERS),
        has_comma in any::<bool>(),
        is_wide in any::<bool>(),
        quotes in prop::sample::select(vec![QuoteStyle::Always, QuoteStyle::Necessary]),
    ) {
        let has_comma = has_comma && delimiter != b',';
        let mut writer = WriterBuilder::new().delimiter(delimiter).quote_style(quotes).from_writer(Vec::new());
        writer.write_record(["Culprit", "Memory Usage (%)", "Timestamp", "CPU Usage (%)"]).unwrap();
        for (seconds, memory, cpu, culprit) in &rows {
            let shown = |number: &Option<f64>| {
                let text = number.map(|number| format!("{number:.1}")).unwrap_or_default();
                if has_comma { text.replace('.', ",") } else { text }
            };
            let time = watchkeeper_core::text::local_time(seconds * 1_000, &TimeZone::UTC);
            writer.write_record([culprit, &shown(memory), &time, &shown(cpu)]).unwrap();
        }
        let mut bytes = writer.into_inner().unwrap();
        if is_wide {
            let text = String::from_utf8(bytes).unwrap();
            bytes = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        }
        // More lines in one text than titles ever have are no record.
        prop_assume!(rows.iter().all(|row| row.3.matches('\n').count() < MOST_LINES));
        let table = read(&bytes, &TimeZone::UTC).unwrap();
        prop_assert_eq!(table.rows, rows.len());
        let times: Vec<Option<i64>> = rows.iter().map(|row| Some(row.0 * 1_000)).collect();
        prop_assert_eq!(table.times_ms.as_ref(), Some(&times));
        for (name, expected) in [("memory", rows.iter().map(|row| row.1).collect::<Vec<_>>()), ("cpu", rows.iter().map(|row| row.2).collect())] {
            let column = table.column(name).unwrap();
            prop_assert_eq!(&column.values, &expected);
            prop_assert_eq!((column.unreadable, column.not_finite), (0, 0));
        }
    }
}
