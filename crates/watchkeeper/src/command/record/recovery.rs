//! What a recording left behind that was killed: its rows become a workbook.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use jiff::tz::TimeZone;
use watchkeeper_core::text::local_time;
use watchkeeper_report::{Recording, Saved, SpoolError, remove_leftovers, write_workbook};

use super::files::{Files, shown};
use super::tally::count;

/// What became of what was left behind.
#[derive(Debug, PartialEq, Eq)]
pub enum Recovered {
    /// There was nothing.
    Nothing,
    /// A workbook was made of it.
    Workbook {
        /// The workbook.
        path: PathBuf,
        /// The sentence for people.
        sentence: String,
    },
    /// It cannot be read and was moved out of the way.
    SetAside(String),
}

/// Makes a workbook of the rows that an earlier recording to the same file left behind.
///
/// # Errors
/// When another program is still writing them, or when they can neither be saved nor moved: they stay where they are then.
pub fn recover(files: &Files, now_ms: i64, zone: &TimeZone) -> anyhow::Result<Recovered> {
    // A program that was killed before its first line left an empty file.
    if std::fs::metadata(&files.spool).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
        return Ok(Recovered::Nothing);
    }
    let recording = match Recording::open(&files.spool) {
        Ok(recording) => recording,
        Err(SpoolError::Missing { .. }) => return Ok(Recovered::Nothing),
        Err(SpoolError::InUse { .. }) => bail!(in_use(files)),
        Err(error) => return set_aside(files, &error.to_string(), now_ms, zone),
    };
    let mut rows = recording.rows();
    let mut found = 0;
    for row in rows.by_ref() {
        row.with_context(|| format!("the rows of an earlier recording stay in {}", shown(&files.spool)))?;
        found += 1;
    }
    let damaged = rows.left_out();
    drop(rows);
    if found == 0 {
        if damaged > 0 {
            let error = format!("{} holds no row that can be read", shown(&files.spool));
            return set_aside(files, &error, now_ms, zone);
        }
        recording.remove()?;
        return Ok(Recovered::Nothing);
    }
    let started_ms = recording.header().started_ms;
    let path = files.recovered(started_ms, zone);
    // It may have been killed while it saved, and who wanted to recover it as well.
    remove_leftovers(&files.output);
    remove_leftovers(&path);
    let saved = write_workbook(&recording, &path, zone)
        .map_err(|error| anyhow!("{error}; its rows are kept in {}", shown(&files.spool)))?;
    let path = match saved {
        Saved::Target => path,
        Saved::Beside { path, .. } => path,
    };
    let mut sentence = format!(
        "The recording that began at {} did not come to its end; its {} {} now in {}.\n",
        local_time(started_ms, zone),
        count(found, "row"),
        if found == 1 { "is" } else { "are" },
        shown(&path)
    );
    if damaged == 0 {
        recording.remove()?;
    } else {
        let aside = shown(&move_aside(files, now_ms, zone)?);
        let _ =
            writeln!(sentence, "{} could not be read; what was written is kept as {aside}.", count(damaged, "line"));
    }
    Ok(Recovered::Workbook { path, sentence })
}

/// Why a second recording to one file is refused.
pub fn in_use(files: &Files) -> String {
    let output = shown(&files.output);
    format!("another `watchkeeper record` is recording to {output}; end that one, or name another file with --output")
}

fn set_aside(files: &Files, error: &str, now_ms: i64, zone: &TimeZone) -> anyhow::Result<Recovered> {
    let aside = move_aside(files, now_ms, zone).with_context(|| error.to_owned())?;
    let sentence = format!("{error}; it was left by an earlier recording and is kept as {}", shown(&aside));
    Ok(Recovered::SetAside(sentence))
}

/// Moves the spool out of the way: whoever knows how may still read it. Says where to.
fn move_aside(files: &Files, now_ms: i64, zone: &TimeZone) -> anyhow::Result<PathBuf> {
    let aside = files.set_aside(now_ms, zone);
    std::fs::rename(&files.spool, &aside)
        .with_context(|| format!("cannot rename {} to {}", shown(&files.spool), shown(&aside)))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::record::block::tests::row;
    use crate::config::RecordConfig;
    use std::fs;
    use std::io::Write;
    use watchkeeper_report::{Header, Spool, columns};

    const STARTED_MS: i64 = 1_795_143_845_000;
    const NOW_MS: i64 = STARTED_MS + 3_600_000;

    fn place() -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let config = RecordConfig { output_filename: folder.path().join("report.xlsx"), ..RecordConfig::default() };
        (folder, Files::of(&config))
    }

    /// A recording of so many rows whose program is gone.
    fn left(files: &Files, rows: usize) {
        let header = Header {
            version: Header::VERSION,
            program: "watchkeeper".to_owned(),
            host: "db1".to_owned(),
            system: "linux".to_owned(),
            zone: "UTC".to_owned(),
            tier: "proc".to_owned(),
            started_ms: STARTED_MS,
            interval_ms: 5_000,
            cpu_alert_percent: 80.0,
            cpu_count: Some(2),
            memory_bytes: None,
            columns: columns().iter().map(|column| column.title.to_owned()).collect(),
            gaps: Vec::new(),
        };
        let mut spool = Spool::create(&files.spool, &header).unwrap();
        for _ in 0..rows {
            spool.append(&row(Some(50.0))).unwrap();
        }
    }

    fn recover(files: &Files) -> anyhow::Result<Recovered> {
        super::recover(files, NOW_MS, &TimeZone::UTC)
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn where_nothing_was_left_nothing_is_done() {
        let (folder, files) = place();
        assert_eq!(recover(&files).unwrap(), Recovered::Nothing);
        // Killed before its first line, and before its first row.
        fs::write(&files.spool, "").unwrap();
        assert_eq!(recover(&files).unwrap(), Recovered::Nothing);
        fs::remove_file(&files.spool).unwrap();
        left(&files, 0);
        assert_eq!(recover(&files).unwrap(), Recovered::Nothing);
        assert_eq!(names(&folder), [""; 0]);
    }

    #[test]
    fn rows_become_a_workbook_of_their_own() {
        let (folder, files) = place();
        fs::write(&files.output, "the one before").unwrap();
        for name in [".report.xlsx.a1B2c3.tmp", ".report (recovered 2026-11-20 03-04-05).xlsx.a1B2c3.tmp"] {
            fs::write(folder.path().join(name), "half a workbook").unwrap();
        }
        for (rows, name) in
            [(1, "report (recovered 2026-11-20 03-04-05).xlsx"), (3, "report (recovered 2026-11-20 03-04-05) 2.xlsx")]
        {
            left(&files, rows);
            let Recovered::Workbook { path, sentence } = recover(&files).unwrap() else { panic!("no workbook") };
            assert_eq!(path, folder.path().join(name));
            assert!(fs::read(&path).unwrap().starts_with(b"PK"));
            let rows = if rows == 1 { "1 row is" } else { "3 rows are" };
            assert!(
                sentence.starts_with("The recording that began at 2026-11-20 03:04:05 did not come to its end; its ")
            );
            assert!(
                sentence.contains(&format!("{rows} now in ")) && sentence.ends_with(&format!("{name}.\n")),
                "{sentence}"
            );
        }
        assert_eq!(names(&folder).len(), 3, "{:?}", names(&folder));
        assert_eq!(fs::read_to_string(&files.output).unwrap(), "the one before");
    }

    #[test]
    fn what_cannot_be_read_is_kept() {
        let (folder, files) = place();
        left(&files, 2);
        fs::OpenOptions::new().append(true).open(&files.spool).unwrap().write_all(b"{\"ts_ms\": 17").unwrap();
        let before = fs::read(&files.spool).unwrap();
        let Recovered::Workbook { sentence, .. } = recover(&files).unwrap() else { panic!("no workbook") };
        let aside = "report.xlsx (unreadable 2026-11-20 04-04-05).spool";
        assert!(sentence.contains("its 2 rows are now in "), "{sentence}");
        assert!(
            sentence.contains("1 line could not be read; what was written is kept as ") && sentence.contains(aside),
            "{sentence}"
        );
        assert_eq!(fs::read(folder.path().join(aside)).unwrap(), before);
    }

    #[test]
    fn what_is_no_recording_is_set_aside_as_it_is() {
        let (folder, files) = place();
        left(&files, 0);
        let mut no_row = fs::read(&files.spool).unwrap();
        no_row.extend(b"damaged\n");
        let newer = br#"{"version":99,"program":"watchkeeper 9"}"#.to_vec();
        for (content, said) in [
            (b"no recording\n".to_vec(), "cannot be read as a recording"),
            (no_row, "holds no row that can be read"),
            ([newer, b"\n".to_vec()].concat(), "was written by watchkeeper 9 in format 99"),
        ] {
            fs::write(&files.spool, &content).unwrap();
            let Recovered::SetAside(sentence) = recover(&files).unwrap() else { panic!("{said}") };
            assert!(sentence.contains(said) && sentence.contains("is kept as "), "{sentence}");
            let [name] = &names(&folder)[..] else { panic!("{:?}", names(&folder)) };
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), content);
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }

    #[test]
    fn what_somebody_is_still_writing_is_left_alone() {
        let (_folder, files) = place();
        left(&files, 1);
        let _writer = Recording::open(&files.spool).unwrap();
        let error = recover(&files).unwrap_err().to_string();
        assert!(
            error.contains("another `watchkeeper record` is recording to") && error.contains("--output"),
            "{error}"
        );
    }
}
