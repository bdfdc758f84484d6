use super::*;
use jiff::Timestamp;

fn csv(text: &str) -> Result<Table, TableProblem> {
    parse(text.as_bytes(), &TimeZone::UTC)
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn values(table: &Table, name: &str) -> Vec<Option<f64>> {
    table.column(name).unwrap_or_else(|| panic!("no column {name} in {table:?}")).values.clone()
}

#[test]
fn a_csv_is_read_in_the_shapes_in_which_people_have_it() {
    let wide = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let plain = "Timestamp,CPU Usage (%),Memory Usage (%)\n2026-11-20 03:04:05,12.5,40.1\n2026-11-20 03:04:10,97,41\n";
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("the scripts'", plain.into()),
        ("Windows line ends", plain.replace('\n', "\r\n").into()),
        ("with a mark", format!("\u{feff}{plain}").into()),
        ("tabs", plain.replace(',', "\t").into()),
        ("semicolons with a point", plain.replace(',', ";").into()),
        ("semicolons with a comma", plain.replace(',', ";").replace('.', ",").into()),
        ("tabs with a comma", plain.replace(',', "\t").replace('.', ",").into()),
        ("Excel's Unicode text", wide(&format!("\u{feff}{}", plain.replace(',', "\t")), u16::to_le_bytes)),
        ("the same the other way round", wide(&format!("\u{feff}{}", plain.replace(',', "\t")), u16::to_be_bytes)),
        ("with its delimiter declared", format!("sep=,\r\n{plain}").into()),
        ("quoted", plain.replace("12.5", "\"12.5\"").replace("CPU Usage (%)", "\"CPU Usage (%)\"").into()),
        ("decimal commas in quotes", plain.replace("12.5", "\"12,5\"").replace("40.1", "\"40,1\"").into()),
        ("percent signs", plain.replace("12.5", "12.5 %").replace("40.1", " 40.1%").into()),
        ("titles in another case", plain.replace("CPU Usage (%)", " cpu  usage (%) ").into()),
        ("titles over two lines", plain.replace("CPU Usage (%)", "\"CPU\nUsage (%)\"").into()),
        ("blank lines", plain.replace('\n', "\n\n").into()),
        ("a line above the titles", format!("recorded on web-1\n{plain}").into()),
        ("with an index as pandas writes it", {
            let lines = plain.lines().zip(["", "0", "1"]).map(|(line, index)| format!("{index},{line}\n"));
            lines.collect::<String>().into()
        }),
        ("trailing delimiters", plain.replace('\n', ",\n").into()),
        (
            "zeros from a crash before a line",
            plain.replace("2026-11-20 03:04:10", "\0\0\0\u{0}2026-11-20 03:04:10").into(),
        ),
        ("zeros from a crash at the end", format!("{plain}\0\0\0\0").into()),
        ("a title in Latin-1", {
            let mut bytes = plain.replace("Timestamp", "X,Timestamp").replace("2026-", "1,2026-").into_bytes();
            bytes[0] = 0xfc;
            bytes
        }),
    ];
    for (name, bytes) in table {
        let table = parse(&bytes, &TimeZone::UTC).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert_eq!(table.rows, 2, "{name}: {table:?}");
        assert_eq!(values(&table, "CPU Usage (%)"), [Some(12.5), Some(97.0)], "{name}");
        assert_eq!(values(&table, "memory"), [Some(40.1), Some(41.0)], "{name}");
        let times = [Some(ms("2026-11-20T03:04:05Z")), Some(ms("2026-11-20T03:04:10Z"))];
        assert_eq!(table.times_ms.as_deref(), Some(&times[..]), "{name}");
        assert_eq!(table.notes, [""; 0], "{name}");
    }
}
