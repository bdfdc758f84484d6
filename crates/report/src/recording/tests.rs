use std::fs::{self, OpenOptions};
use std::io::Write;

use proptest::prelude::*;
use tempfile::TempDir;
use watchkeeper_core::reading::Peer;

use super::*;
use crate::row::ProcessRow;

fn header() -> Header {
    Header {
        version: Header::VERSION,
        program: "watchkeeper 0.1.0".to_owned(),
        host: "web-1".to_owned(),
        system: "Linux".to_owned(),
        zone: "Europe/Berlin".to_owned(),
        tier: "proc".to_owned(),
        started_ms: 1_795_143_840_000,
        interval_ms: 5_000,
        cpu_alert_percent: 80.0,
        cpu_count: Some(2),
        memory_bytes: Some(8 << 30),
        columns: columns().iter().map(|column| column.title.to_owned()).collect(),
        gaps: vec!["the kernel's log cannot be read".to_owned()],
    }
}

fn row(number: i64) -> Row {
    let process = |pid: u32| ProcessRow {
        pid,
        start_ticks: 7,
        name: "y\u{1b}es \"\n\u{202e}".to_owned(),
        program: "yes".to_owned(),
        cpu_us: Some(number as u64),
        resident_bytes: None,
        read_bytes: None,
        written_bytes: Some(9),
    };
    Row {
        ts_ms: 1_795_143_845_000 + number * 5_000,
        interval_ms: 5_000,
        values: columns().iter().enumerate().map(|(at, _)| (at % 3 != 2).then_some(number as f64 + 0.1)).collect(),
        cpu_count: Some(2),
        peers: Some(vec![Peer { address: "192.0.2.7".to_owned(), connections: 3 }]),
        processes: Some((1..4).map(process).collect()),
    }
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = spool_path(&folder.path().join("report.xlsx"));
    (folder, path)
}

fn written(path: &Path, count: i64) -> Vec<Row> {
    let mut spool = Spool::create(path, &header()).unwrap();
    let rows: Vec<Row> = (0..count).map(row).collect();
    for row in &rows {
        spool.append(row).unwrap();
    }
    assert_eq!(spool.rows(), count as u64);
    rows
}

/// All rows, and how many lines were none.
fn read(recording: &Recording) -> (Vec<Row>, u64) {
    let mut rows = recording.rows();
    (rows.by_ref().map(Result::unwrap).collect(), rows.left_out())
}

#[test]
fn what_was_written_is_read_as_often_as_one_likes() {
    let (_folder, path) = place();
    assert_eq!(path.file_name().unwrap(), ".report.xlsx.spool");
    let rows = written(&path, 30);
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.header(), &header());
    assert_eq!(read(&recording), (rows.clone(), 0));
    let (mut one, mut other) = (recording.rows(), recording.rows());
    for row in &rows {
        assert_eq!(one.next().unwrap().unwrap(), *row);
        assert_eq!(other.next().unwrap().unwrap(), *row, "two readers have a place each");
    }
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 31, "one line each");
    // Older systems keep the name of a file that somebody reads.
    drop((one, other));
    recording.remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_row_is_with_the_system_when_append_returns() {
    let (_folder, path) = place();
    let mut spool = Spool::create(&path, &header()).unwrap();
    for number in 0..5 {
        spool.append(&row(number)).unwrap();
        // Through another handle: nothing waits in the memory of this program.
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count() as i64, 2 + number);
    }
    let recording = spool.recording().unwrap();
    let mut early = recording.rows();
    early.next().unwrap().unwrap();
    spool.append(&row(5)).unwrap();
    assert_eq!(read(&recording).0, (0..6).map(row).collect::<Vec<_>>(), "reading does not move the place of writing");
}

#[test]
fn rows_that_the_disk_did_not_take_come_behind_those_that_it_took() {
    let (_folder, path) = place();
    written(&path, 2);
    let recording = Recording::open(&path).unwrap().followed_by(vec![row(2), row(3)]);
    for _ in 0..2 {
        assert_eq!(read(&recording), ((0..4).map(row).collect(), 0));
    }
}

#[cfg(unix)] // Windows lets nobody remove a file that is open.
#[test]
fn rows_can_be_read_and_added_after_somebody_has_removed_the_file() {
    let (_folder, path) = place();
    let mut spool = Spool::create(&path, &header()).unwrap();
    spool.append(&row(0)).unwrap();
    fs::remove_file(&path).unwrap();
    spool.append(&row(1)).unwrap();
    assert_eq!(read(&spool.recording().unwrap()), (vec![row(0), row(1)], 0));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = place();
    let spool = Spool::create(&path, &header()).unwrap();
    assert_eq!(fs::metadata(spool.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn nobody_takes_a_recording_from_another() {
    let (_folder, path) = place();
    let spool = Spool::create(&path, &header()).unwrap();
    assert!(matches!(Recording::open(&path), Err(SpoolError::InUse { .. })), "its writer lives");
    assert!(matches!(Spool::create(&path, &header()), Err(SpoolError::InUse { .. })));
    drop(spool);
    let error = Spool::create(&path, &header()).unwrap_err();
    assert!(matches!(error, SpoolError::Exists { .. }), "{error}");
    let recording = Recording::open(&path).unwrap();
    assert!(matches!(Recording::open(&path), Err(SpoolError::InUse { .. })), "it is being read");
    drop(recording);
    Recording::open(&path).unwrap().remove().unwrap();
    assert!(matches!(Recording::open(&path), Err(SpoolError::Missing { .. })));
    Spool::create(&path, &header()).unwrap().remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn half_a_header_is_no_recording_and_gives_way() {
    let (_folder, path) = place();
    for text in ["", "{\"version\":1,\"prog"] {
        fs::write(&path, text).unwrap();
        assert!(matches!(Recording::open(&path), Err(SpoolError::Damaged { .. })), "{text:?}");
        Spool::create(&path, &header()).unwrap().remove().unwrap();
    }
    fs::create_dir(&path).unwrap();
    assert!(matches!(Spool::create(&path, &header()), Err(SpoolError::Exists { .. })));
}

#[test]
fn errors_are_sentences() {
    let (_folder, path) = place();
    let newer = r#"{"version":9,"program":"watchkeeper 4.0.0","columns":{"of":"another shape"}}"#;
    for (first_line, expected) in [
        (newer, "was written by watchkeeper 4.0.0 in format 9, this program reads formats up to 1; use that version"),
        ("PK\u{3}\u{4}", "cannot be read as a recording: its first line is no header of a recording (expected value"),
        (r#"{"version":1,"program":"x"}"#, "no header of a recording (missing field `host`"),
    ] {
        fs::write(&path, format!("{first_line}\n")).unwrap();
        let error = Recording::open(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(".report.xlsx.spool"), "{error}");
    }
    let error = SpoolError::writing(&path, 1, ErrorKind::StorageFull.into()).to_string();
    assert!(error.ends_with("; its 1 row so far are kept, the one of this moment is not"), "{error}");
}

#[test]
fn damaged_lines_are_left_out_and_counted() {
    let (_folder, path) = place();
    written(&path, 3);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    let narrow = serde_json::to_string(&Row { values: vec![None], ..row(9) }).unwrap();
    for damage in ["", "\0\0\0\0", "{\"ts_ms\":1", "[]", "\u{fffd}", &narrow] {
        writeln!(file, "{damage}").unwrap();
    }
    writeln!(file, "{}", serde_json::to_string(&row(3)).unwrap()).unwrap();
    file.write_all(b"\xff\xfe\n{\"ts_ms\":17").unwrap();
    drop(file);
    assert_eq!(read(&Recording::open(&path).unwrap()), ((0..4).map(row).collect(), 8));
}

#[test]
fn a_recording_with_other_columns_is_read_by_their_titles() {
    let (_folder, path) = place();
    let columns = ["Memory Usage (%)", "Of another version", "CPU Usage (%)"].map(str::to_owned).to_vec();
    let mut spool = Spool::create(&path, &Header { columns, ..header() }).unwrap();
    spool.append(&Row { values: vec![Some(40.0), Some(1.0), Some(12.5)], ..row(0) }).unwrap();
    let (rows, left_out) = read(&spool.recording().unwrap());
    assert_eq!((rows[0].value("CPU Usage (%)"), rows[0].value("Memory Usage (%)")), (Some(12.5), Some(40.0)));
    assert_eq!((rows[0].value("Processes"), rows[0].values.len(), left_out), (None, super::columns().len(), 0));
}

#[test]
fn a_line_that_is_too_long_is_damage_and_no_memory() {
    let (_folder, path) = place();
    written(&path, 1);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    let block = vec![b'x'; 1 << 20];
    for _ in 0..66 {
        file.write_all(&block).unwrap();
    }
    writeln!(file, "\n{}", serde_json::to_string(&row(1)).unwrap()).unwrap();
    assert_eq!(read(&Recording::open(&path).unwrap()), (vec![row(0), row(1)], 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn of_a_spool_cut_at_any_byte_every_whole_row_is_read(count in 0_i64..6, share in 0.0_f64..=1.0) {
        let (_folder, path) = place();
        let rows = written(&path, count);
        let whole = fs::read(&path).unwrap();
        let keep = (whole.len() as f64 * share) as usize;
        fs::write(&path, &whole[..keep]).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        // A line is whole without its last byte, the line feed.
        let complete = ends.iter().filter(|end| **end <= keep).count();
        match Recording::open(&path) {
            Err(error) => {
                prop_assert!(keep <= ends[0], "{}", error);
                let refused = matches!(error, SpoolError::Damaged { .. });
                prop_assert!(refused, "{}", error);
            }
            Ok(recording) => {
                let (found, left_out) = read(&recording);
                prop_assert_eq!(&found, &rows[..complete - 1]);
                let has_half = keep > ends[complete - 1] + 1;
                prop_assert_eq!(left_out, u64::from(has_half));
            }
        }
    }

    #[test]
    fn whatever_stands_in_a_spool_nothing_breaks(damage in proptest::collection::vec((0.0_f64..1.0, any::<u8>()), 1..20)) {
        let (_folder, path) = place();
        written(&path, 4);
        let mut bytes = fs::read(&path).unwrap();
        for (place, byte) in damage {
            let place = (place * bytes.len() as f64) as usize;
            bytes[place] = byte;
        }
        fs::write(&path, bytes).unwrap();
        if let Ok(recording) = Recording::open(&path) {
            let rows = recording.rows().filter(|row| row.as_ref().is_ok_and(|row| row.values.len() == columns().len())).count();
            prop_assert_eq!(rows, recording.rows().count());
        }
    }
}

#[cfg(unix)] // Windows lets nobody remove a file that is open.
#[test]
fn a_spool_that_somebody_has_removed_is_gone_as_it_should_be() {
    let (_folder, path) = place();
    written(&path, 1);
    let recording = Recording::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    recording.remove().unwrap();
    let spool = Spool::create(&path, &header()).unwrap();
    fs::remove_file(&path).unwrap();
    spool.remove().unwrap();
}
