use super::*;
use crate::column::columns;
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

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn files_of_the_scripts_are_read_as_they_wrote_them() {
    for name in ["original.xlsx", "original-libreoffice.xlsx", "system_log.csv"] {
        let table = read_table(&fixture(name), &TimeZone::UTC).unwrap();
        assert_eq!((table.rows, table.columns.len()), (12, 2), "{name}");
        let cpu: Vec<Option<f64>> = [12.5, 9.8, 14.1, 97.5].map(Some).repeat(3);
        assert_eq!(values(&table, "CPU Usage (%)"), cpu, "{name}");
        assert_eq!(values(&table, "Memory Usage (%)")[10..], [Some(41.1), Some(41.2)], "{name}");
        assert_eq!(table.times_ms.as_ref().unwrap()[11], Some(ms("2026-11-20T03:05:00Z")), "{name}");
        assert_eq!(table.median_interval_ms(), Some(5_000), "{name}");
        assert_eq!(table.notes, [""; 0], "{name}");
    }
}

#[test]
fn cells_of_each_kind_are_read_or_counted() {
    for (name, cached_sum) in [("cells.xlsx", None), ("cells-libreoffice.xlsx", Some(2.0))] {
        let table = read_table(&fixture(name), &TimeZone::UTC).unwrap();
        assert_eq!(table.rows, 5, "{name}");
        let second = |seconds: i64| Some(ms("2026-11-20T03:04:00Z") + seconds * 1_000);
        let times: Vec<Option<i64>> = [5, 10, 15, 16, 25].map(second).to_vec();
        assert_eq!(table.times_ms.as_ref().unwrap(), &times, "{name}");
        assert_eq!(values(&table, "memory"), [Some(40.1), Some(50.0), None, Some(41.0), Some(2.0)], "{name}");
        assert_eq!(values(&table, "cpu"), [Some(12.5), Some(97.5), None, None, Some(1.0)], "{name}");
        assert_eq!(values(&table, "load"), [cached_sum, None, None, None, None], "{name}");
        let of = |name: &str| {
            let column = table.column(name).unwrap();
            (column.not_finite, column.unreadable, column.first_unreadable.clone())
        };
        assert_eq!(of("memory"), (0, 1, Some((7, "#DIV/0!".to_owned()))), "{name}");
        assert_eq!(of("cpu"), (1, 1, Some((8, "1,234".to_owned()))), "{name}");
        assert_eq!(of("load"), (0, 3, Some((5, "TRUE".to_owned()))), "{name}");
        assert_eq!(
            table.notes,
            [
                "column \"CPU Usage (%)\" is there more than once: the first counts",
                "row 6 was left out: nothing in it is a number",
            ],
            "{name}"
        );
    }
}

#[test]
fn what_is_no_table_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let table: Vec<(PathBuf, &str)> = vec![
        (
            fixture("original.xls"),
            "is an old Excel workbook (.xls): open it in a spreadsheet program and save it as .xlsx or .csv",
        ),
        (
            fixture("original.ods"),
            "is an OpenDocument file (.ods): open it in a spreadsheet program and save it as .xlsx or .csv",
        ),
        (fixture("encrypted.xlsx"), "is encrypted: open it with its password and save it without one"),
        (
            fixture("anomaly_detector.joblib"),
            "is a Python pickle, such as a .joblib model: it holds a model and no data: name the workbook or CSV that the model \
             was trained on",
        ),
        (file("empty.csv", b""), "is empty"),
        (file("blank.csv", b"\n \n"), "is empty"),
        (file("document.xlsx", b"%PDF-1.7 ..."), "is a PDF: name the workbook or CSV that the data is in"),
        (file("cut.xlsx", &fs::read(fixture("original.xlsx")).unwrap()[..5_000]), "is a damaged workbook ("),
        (
            file("numbers.csv", b"1,2\n3,4\n"),
            "has no row of titles: the first line must name the columns, such as \"Timestamp\" and \"CPU Usage (%)\"",
        ),
        (file("titles.csv", b"Timestamp,cpu\n"), "has titles and no row with a number below them"),
        (
            file("commas.csv", b"Timestamp,cpu,memory\n2026-11-20 03:04:05,12,5,40,1\n"),
            "has titles and no row with a number below them; row 2 was left out: it has more cells than there are titles",
        ),
        (folder.path().to_owned(), "is a folder: name the workbook or CSV in it"),
        (folder.path().join("missing.xlsx"), "cannot read "),
    ];
    for (path, expected) in table {
        let error = read_table(&path, &TimeZone::UTC).expect_err(&path.display().to_string()).to_string();
        let sentence = error.replacen(&format!("{} ", path.display()), "", 1);
        assert!(sentence.starts_with(expected), "{}: {error}", path.display());
        assert!(error.contains(&*path.display().to_string()), "{error}");
    }
}

#[test]
fn titles_that_come_again_are_no_row_and_may_be_others() {
    let table = csv("Timestamp,cpu\n2026-11-20 03:04:05,1\nTimestamp,cpu\n2026-11-20 03:04:10,2\n\
         Timestamp,memory,cpu,Status\n2026-11-20 03:04:15,40,3,Normal\n")
    .unwrap();
    assert_eq!(values(&table, "cpu"), [Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!(values(&table, "memory"), [None, None, Some(40.0)]);
    assert_eq!(values(&table, "status"), [None; 3]);
    assert_eq!(table.times_ms.as_ref().map(Vec::len), Some(3));
    assert_eq!(table.notes, ["the titles stand there 2 more times among the rows"]);
}

#[test]
fn a_log_that_is_being_written_is_read_up_to_the_line_that_is_whole() {
    let whole = "Timestamp,cpu,memory\n2026-11-20 03:04:05,12.5,40.1\n";
    for cut in ["2026-11-20 03:04:10,12.5,4", "2026-11-20 03:0", "\"2026", "Tim"] {
        let table = csv(&format!("{whole}{cut}")).unwrap();
        assert_eq!((table.rows, values(&table, "memory")), (1, vec![Some(40.1)]), "{cut}");
        assert_eq!(table.notes, ["row 3, the last, was left out: it has no end and may be half written"], "{cut}");
    }
    let only = csv("Timestamp,cpu\n2026-11-20 03:04:05,12.5").unwrap();
    assert_eq!(values(&only, "cpu"), [Some(12.5)], "the only row is worth a try");
}

#[test]
fn a_quote_that_was_left_open_spoils_its_own_line() {
    let table = csv("Timestamp,cpu,Culprit\n2026-11-20 03:04:05,1,\"a, b\"\n2026-11-20 03:04:10,2,\"cut\n\
         2026-11-20 03:04:15,3,\"c, d\"\n2026-11-20 03:04:20,4,e\n")
    .unwrap();
    assert_eq!(values(&table, "cpu"), [1.0, 2.0, 3.0, 4.0].map(Some));
}

#[test]
fn rows_are_counted_as_people_see_them() {
    let table = csv("cpu,memory\n\n1,2\n\"high\nand higher\",x\n3,oops\n4,5\nno,number\n").unwrap();
    assert_eq!(values(&table, "cpu"), [1.0, 3.0, 4.0].map(Some));
    assert_eq!(table.column("memory").unwrap().first_unreadable, Some((6, "oops".to_owned())));
    assert_eq!(table.notes, ["2 rows were left out, the first is row 4: nothing in them is a number"]);
    assert_eq!(table.times_ms, None);
}

#[test]
fn what_a_time_cannot_be_read_from_is_said() {
    let table = csv("Timestamp,cpu\n11/20/2026 03:04,1\n,2\nsoon,3\n2026-11-20 03:04:05,4\n").unwrap();
    assert_eq!(table.times_ms.unwrap(), [None, None, None, Some(ms("2026-11-20T03:04:05Z"))]);
    assert_eq!(table.notes, ["2 times cannot be read, the first is \"11/20/2026 03:04\" in row 2"]);
}

#[test]
fn the_usual_interval_is_that_of_most_steps() {
    let intervals = |times: &[Option<i64>]| {
        Table { rows: times.len(), times_ms: Some(times.to_vec()), ..Table::default() }.median_interval_ms()
    };
    assert_eq!(intervals(&[Some(0), Some(5), Some(10), Some(900), Some(905)]), Some(5));
    assert_eq!(intervals(&[Some(10), None, Some(15), Some(15), Some(3)]), Some(5));
    assert_eq!(intervals(&[Some(i64::MIN), Some(i64::MAX)]), None);
    assert_eq!(intervals(&[Some(5)]), None);
    assert_eq!(Table::default().median_interval_ms(), None);
}

#[test]
fn a_column_is_found_by_each_of_its_names() {
    let table = csv("Memory Usage (%),cpu,Other\n1,2,3\n").unwrap();
    for (name, expected) in [
        ("memory usage (%)", Some(1.0)),
        ("memory", Some(1.0)),
        ("system.memory.utilization", Some(1.0)),
        ("CPU Usage (%)", Some(2.0)),
        (" CPU ", Some(2.0)),
        ("other", Some(3.0)),
        ("swap", None),
        ("", None),
    ] {
        assert_eq!(table.column(name).and_then(|column| column.values[0]), expected, "{name}");
    }
}

#[test]
fn foreign_titles_and_cells_are_safe_to_show() {
    let long = "x".repeat(10_000);
    let table = csv(&format!("cpu\u{1b}[31m,cpu,{long}\n1,2,\u{1b}[2J\n\u{1b}]0;x\u{7},4,5\n")).unwrap();
    for column in &table.columns {
        let shown = format!("{}{:?}", column.title, column.first_unreadable);
        assert!(shown.chars().count() < 200 && !shown.chars().any(char::is_control), "{shown:?}");
    }
    assert_eq!(table.columns.len(), 3);
}

#[test]
fn too_many_columns_are_left_out_and_said() {
    let titles: Vec<String> = (0..1_200).map(|index| format!("c{index}")).collect();
    let numbers: Vec<String> = (0..1_200).map(|index| index.to_string()).collect();
    let table = csv(&format!("{}\n{}\n", titles.join(","), numbers.join(","))).unwrap();
    assert_eq!((table.columns.len(), values(&table, "c999")), (1_000, vec![Some(999.0)]));
    assert_eq!(table.notes, ["there are more than 1000 columns: 200 were left out"]);
}

#[test]
fn a_recording_is_read_from_the_workbook_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("report.xlsx");
    let header = crate::Header {
        version: 1,
        program: "watchkeeper".to_owned(),
        host: "web-1".to_owned(),
        system: "Linux".to_owned(),
        zone: "Europe/Vienna".to_owned(),
        tier: "/proc".to_owned(),
        started_ms: ms("2026-11-20T03:04:00Z"),
        interval_ms: 5_000,
        cpu_alert_percent: 80.0,
        cpu_count: Some(2),
        memory_bytes: None,
        columns: columns().iter().map(|column| column.title.to_owned()).collect(),
        gaps: Vec::new(),
    };
    let mut spool = crate::Spool::create(&crate::spool_path(&target), &header).unwrap();
    let rows: Vec<crate::Row> = (1..=50)
        .map(|look: i32| crate::Row {
            ts_ms: header.started_ms + i64::from(look) * 5_000,
            interval_ms: 5_000,
            values: (0..)
                .map(|place| (place != 2).then(|| f64::from(look * 100 + place)))
                .take(columns().len())
                .collect(),
            ..crate::Row::default()
        })
        .collect();
    for row in &rows {
        spool.append(row).unwrap();
    }
    let zone = TimeZone::get("Europe/Vienna").unwrap();
    crate::write_workbook(&spool.recording().unwrap(), &target, &zone).unwrap();
    let table = read_table(&target, &zone).unwrap();
    assert_eq!((table.rows, table.median_interval_ms()), (50, Some(5_000)));
    let times: Vec<Option<i64>> = rows.iter().map(|row| Some(row.ts_ms)).collect();
    assert_eq!(table.times_ms.as_ref(), Some(&times));
    for (place, column) in columns().iter().enumerate() {
        let expected: Vec<Option<f64>> = rows.iter().map(|row| row.values[place]).collect();
        assert_eq!(values(&table, column.title), expected, "{}", column.title);
    }
    assert_eq!(table.notes, [""; 0]);
}
