use super::*;
use std::fs;

const AT_MS: i64 = 1_795_143_845_000;

fn line<'a>() -> StatusLine<'a> {
    StatusLine {
        ts_ms: AT_MS,
        cpu_percent: Some(12.54),
        memory_percent: Some(40.0),
        status: "Normal",
        score: Some(0.412_345),
        culprit: "",
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("system_log.csv")
    }

    /// The file after a line was appended to `before`.
    fn after(&self, before: &[u8], line: &StatusLine<'_>) -> Result<String, StatusLogError> {
        fs::write(self.path(), before).unwrap();
        StatusLog::open(&self.path(), &TimeZone::UTC)?.append(line)?;
        Ok(fs::read_to_string(self.path()).unwrap())
    }
}

#[test]
fn a_new_log_has_its_titles_once() {
    let folder = Folder::new();
    let zone = TimeZone::get("Europe/Vienna").unwrap();
    for _ in 0..2 {
        let mut log = StatusLog::open(&folder.path(), &zone).unwrap();
        log.append(&line()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(folder.path()).unwrap(),
        "Timestamp,CPU Usage (%),Memory Usage (%),Status,Score,Culprit\n\
         2026-11-20 04:04:05,12.5,40.0,Normal,0.4123,\n\
         2026-11-20 04:04:05,12.5,40.0,Normal,0.4123,\n"
    );
}

#[test]
fn an_existing_log_keeps_its_shape() {
    let strange = StatusLine { status: "ANOMALY DETECTED", culprit: "a, \"b\"", ..line() };
    let unknown = StatusLine { cpu_percent: None, score: Some(f64::NAN), ..line() };
    let table: [(&str, &str, StatusLine<'_>, &str); 15] = [
        ("the scripts'", "Timestamp,CPU Usage (%),Memory Usage (%)\n", line(), "2026-11-20 03:04:05,12.5,40.0\n"),
        (
            "another order and other columns",
            "Note,memory usage (%),Score,Timestamp,CPU Usage (%)\n",
            line(),
            ",40.0,0.4123,2026-11-20 03:04:05,12.5\n",
        ),
        ("a column twice", "Timestamp,cpu,memory,cpu\n", line(), "2026-11-20 03:04:05,12.5,40.0,\n"),
        (
            "semicolons, decimal commas",
            "Timestamp;CPU Usage (%);Memory Usage (%)\n2026-11-20 03:04:00;1,5;2,5\n",
            line(),
            "2026-11-20 03:04:05;12,5;40,0\n",
        ),
        (
            "semicolons without a number",
            "Timestamp;CPU Usage (%);Memory Usage (%)\n",
            line(),
            "2026-11-20 03:04:05;12,5;40,0\n",
        ),
        (
            "semicolons, decimal points",
            "Timestamp;CPU Usage (%);Memory Usage (%)\n2026-11-20 03:04:00;1.5;2.5\n",
            line(),
            "2026-11-20 03:04:05;12.5;40.0\n",
        ),
        ("tabs", "Timestamp\tcpu\tmemory\n", line(), "2026-11-20 03:04:05\t12.5\t40.0\n"),
        ("Windows line ends", "Timestamp,cpu,memory\r\n", line(), "2026-11-20 03:04:05,12.5,40.0\r\n"),
        ("a mark", "\u{feff}Timestamp,cpu,memory\n", line(), "2026-11-20 03:04:05,12.5,40.0\n"),
        ("a declared delimiter", "sep=;\r\nTimestamp;cpu;memory\r\n", line(), "2026-11-20 03:04:05;12,5;40,0\r\n"),
        ("a cut line", "Timestamp,cpu,memory\n2026-11-20 03:0", line(), "\n2026-11-20 03:04:05,12.5,40.0\n"),
        ("titles without an end", "Timestamp,cpu,memory", line(), "\n2026-11-20 03:04:05,12.5,40.0\n"),
        (
            "a cut line with an open quote",
            "Timestamp,cpu,memory,Culprit\n2026-11-20 03:04:00,1,2,\"a, b",
            line(),
            "\"\n2026-11-20 03:04:05,12.5,40.0,\n",
        ),
        (
            "a text with the delimiter",
            "Timestamp,cpu,memory,Status,Culprit\n",
            strange,
            "2026-11-20 03:04:05,12.5,40.0,ANOMALY DETECTED,\"a, \"\"b\"\"\"\n",
        ),
        ("what is unknown", "Timestamp,cpu,memory,Score\n", unknown, "2026-11-20 03:04:05,,40.0,\n"),
    ];
    let folder = Folder::new();
    for (name, before, line, added) in table {
        assert_eq!(folder.after(before.as_bytes(), &line).unwrap(), format!("{before}{added}"), "{name}");
    }
}

#[test]
fn files_of_others_are_left_as_they_are() {
    let table: [(&str, &[u8], &str); 8] = [
        (
            "another program's",
            b"date;amount\n2026-11-20;12\n",
            "has no Timestamp, no CPU Usage (%), no Memory Usage (%)",
        ),
        ("no memory", b"Timestamp,CPU Usage (%)\n", "its first line has no Memory Usage (%)"),
        ("no titles", b"2026-11-20 03:04:05,12.5,40.1\n", "is not a log of this program"),
        ("a workbook", b"PK\x03\x04abc", "is a workbook"),
        ("a pickle", b"\x80\x04\x95\x0b\0\0\0\0\0", "is a Python pickle"),
        ("noise", b"\x01\x02\x03\x04", "is neither a workbook nor text"),
        ("blanks", b"\n\n", "is blank"),
        ("UTF-16", b"\xff\xfeT\0i\0", "is UTF-16"),
    ];
    let folder = Folder::new();
    for (name, before, expected) in table {
        let error = folder.after(before, &line()).expect_err(name).to_string();
        assert!(error.contains(expected) && error.ends_with("name another file with --log"), "{name}: {error}");
        assert_eq!(fs::read(folder.path()).unwrap(), before, "{name}");
    }
    let error = StatusLog::open(folder.0.path(), &TimeZone::UTC).unwrap_err().to_string();
    assert!(error.contains("is a folder") && error.contains("--log"), "{error}");
}

#[test]
fn a_foreign_text_is_no_formula_and_no_second_line() {
    let folder = Folder::new();
    let before = "Timestamp,cpu,memory,Culprit\n";
    for (culprit, expected) in [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        (" \n=1", "'=1"),
        ("＝1", "'＝1"),
        ("a\nb", "a b"),
        ("a\u{1b}[31m", "a\\u{1b}[31m"),
        ("py=thon", "py=thon"),
    ] {
        let text = folder.after(before.as_bytes(), &StatusLine { culprit, ..line() }).unwrap();
        assert_eq!(text, format!("{before}2026-11-20 03:04:05,12.5,40.0,{expected}\n"), "{culprit:?}");
    }
}

#[test]
fn a_log_that_was_removed_or_moved_away_is_begun_anew() {
    let folder = Folder::new();
    let mut log = StatusLog::open(&folder.path(), &TimeZone::UTC).unwrap();
    log.append(&line()).unwrap();
    let whole = fs::read_to_string(folder.path()).unwrap();
    fs::rename(folder.path(), folder.0.path().join("old")).unwrap();
    log.append(&line()).unwrap();
    assert_eq!(fs::read_to_string(folder.path()).unwrap(), whole);
    fs::write(folder.path(), "Timestamp,cpu,memory\n").unwrap();
    log.append(&line()).unwrap();
    assert_eq!(fs::read_to_string(folder.path()).unwrap(), "Timestamp,cpu,memory\n2026-11-20 03:04:05,12.5,40.0\n");
}

#[test]
fn lines_wait_while_the_file_cannot_be_written() {
    let folder = Folder::new();
    let inner = folder.0.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("system_log.csv");
    let mut log = StatusLog::open(&path, &TimeZone::UTC).unwrap();
    fs::remove_dir_all(&inner).unwrap();
    for (minute, expected) in [(0, "the line is kept"), (1, "2 lines are kept")] {
        let error = log.append(&StatusLine { ts_ms: AT_MS + minute * 60_000, ..line() }).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains(expected), "{error}");
    }
    fs::create_dir(&inner).unwrap();
    log.append(&StatusLine { ts_ms: AT_MS + 120_000, ..line() }).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let times: Vec<&str> = text.lines().skip(1).map(|line| &line[11..16]).collect();
    assert_eq!(times, ["03:04", "03:05", "03:06"]);
}

#[test]
fn not_more_than_a_thousand_lines_wait() {
    let folder = Folder::new();
    let mut log = StatusLog::open(&folder.path(), &TimeZone::UTC).unwrap();
    fs::remove_file(folder.path()).unwrap();
    fs::create_dir(folder.path()).unwrap();
    for second in 0..1_005 {
        log.append(&StatusLine { ts_ms: AT_MS + second * 1_000, ..line() }).unwrap_err();
    }
    fs::remove_dir(folder.path()).unwrap();
    log.append(&StatusLine { ts_ms: AT_MS + 1_005_000, ..line() }).unwrap();
    let text = fs::read_to_string(folder.path()).unwrap();
    assert_eq!(text.lines().count(), 1 + 1_000);
    assert!(text.lines().last().unwrap().starts_with("2026-11-20 03:20:50"), "{text}");
}

/// A disk that is full is what this device plays; it is no regular file, so nothing is read from it.
#[test]
#[cfg(unix)]
fn a_full_disk_is_an_error_and_no_panic() {
    let Err(error) = StatusLog::open(Path::new("/dev/full"), &TimeZone::UTC) else { panic!("/dev/full took a line") };
    assert!(error.to_string().starts_with("cannot write /dev/full: "), "{error}");
}

#[test]
fn what_is_written_reads_back_as_a_table() {
    let folder = Folder::new();
    let mut log = StatusLog::open(&folder.path(), &TimeZone::UTC).unwrap();
    for second in 0..3 {
        let culprit = "a, b; c \"d\" (pid 7)";
        log.append(&StatusLine { ts_ms: AT_MS + second * 5_000, culprit, ..line() }).unwrap();
    }
    let table = crate::read_table(&folder.path(), &TimeZone::UTC).unwrap();
    assert_eq!((table.rows, table.median_interval_ms()), (3, Some(5_000)));
    assert_eq!(table.column("cpu").unwrap().values, [Some(12.5); 3]);
    assert_eq!(table.column("Score").unwrap().values, [Some(0.4123); 3]);
    assert_eq!(table.notes, [""; 0]);
}
