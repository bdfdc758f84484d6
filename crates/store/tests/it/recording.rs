//! Recordings: what goes in comes out, whatever happens to the file.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;
use watchkeeper_core::{HostId, IncidentKey};
use watchkeeper_store::{
    SnapshotFileEntry, SnapshotFileError, SnapshotFileHeader, SnapshotFileReader, SnapshotFileWriter,
};

use crate::hot_world::{TEN, World, plain};

pub fn header() -> SnapshotFileHeader {
    SnapshotFileHeader {
        program: "0.1.0".to_owned(),
        host: HostId(Uuid::from_u128(1)),
        tier: "proc".to_owned(),
        settings: json!({ "rules": ["busy"] }),
        alerts: Vec::new(),
        incidents: Vec::new(),
    }
}

pub fn tick(second: i64, processes: u32) -> SnapshotFileEntry {
    SnapshotFileEntry::Snapshot(Arc::new(plain(TEN + second * 1_000, processes)))
}

/// All that can be read, whether the end is missing, and why no more can be read.
pub fn read(path: &Path) -> Result<(Vec<SnapshotFileEntry>, bool, Option<String>), SnapshotFileError> {
    let mut reader = SnapshotFileReader::open(path)?;
    assert_eq!(*reader.header(), header());
    let mut entries = Vec::new();
    loop {
        match reader.entry() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => return Ok((entries, reader.is_cut(), None)),
            Err(error) => return Ok((entries, reader.is_cut(), Some(error.to_string()))),
        }
    }
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("night.zst");
    (folder, path)
}

/// A recording of so many ticks, a second each.
fn recording(path: &Path, ticks: i64) -> Vec<SnapshotFileEntry> {
    let mut writer = SnapshotFileWriter::create(path, &header()).unwrap();
    let entries: Vec<SnapshotFileEntry> = (0..ticks).map(|second| tick(second, 4)).collect();
    for entry in &entries {
        writer.write(entry).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(writer.length_bytes(), fs::metadata(path).unwrap().len());
    entries
}

/// The sentence with which a file of these bytes is refused.
fn refusal(bytes: &[u8]) -> String {
    let (_folder, path) = file();
    fs::write(&path, bytes).unwrap();
    let error = match SnapshotFileReader::open(&path) {
        Ok(mut reader) => loop {
            match reader.entry() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it was read"),
                Err(error) => break error,
            }
        },
        Err(error) => error,
    };
    error.to_string().replace(&path.display().to_string(), "FILE")
}

fn compressed(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Floats, order, gaps, flags, lost ticks: all that a step depends on.
    #[test]
    fn what_is_recorded_comes_back_equal(seed in any::<u64>(), interval_ms in 100..20_000_i64) {
        let (_folder, path) = file();
        let mut world = World::new(seed);
        let mut writer = SnapshotFileWriter::create(&path, &header()).unwrap();
        let mut expected = Vec::new();
        for number in 1..=12 {
            let at_ms = number * interval_ms;
            expected.push(SnapshotFileEntry::Snapshot(Arc::new(world.tick(TEN + at_ms, at_ms, interval_ms))));
            if number % 5 == 0 {
                expected.push(SnapshotFileEntry::Settings(json!({ "number": number, "share": 0.1 + 0.2 })));
                let tickets = vec![(IncidentKey(seed), number)];
                expected.push(SnapshotFileEntry::Committed { changes: Vec::new(), tickets });
            }
        }
        for entry in &expected {
            writer.write(entry).unwrap();
        }
        writer.flush().unwrap();
        let (found, is_cut, error) = read(&path).unwrap();
        prop_assert_eq!(found, expected);
        prop_assert_eq!((is_cut, error), (false, None));
    }
}

#[test]
fn a_killed_watch_loses_five_seconds_at_the_most() {
    for (interval_ms, expected) in [(1_000, 20), (2_000, 21), (60_000, 23)] {
        let (_folder, path) = file();
        let mut writer = SnapshotFileWriter::create(&path, &header()).unwrap();
        for number in 0..23 {
            let mut snapshot = plain(TEN + number * interval_ms, 3);
            snapshot.interval_ms = interval_ms;
            snapshot.at.mono_ms = number * interval_ms;
            writer.write(&SnapshotFileEntry::Snapshot(Arc::new(snapshot))).unwrap();
        }
        // What was not flushed is gone, as after a kill.
        drop(writer);
        let (found, is_cut, _) = read(&path).unwrap();
        assert_eq!((found.len(), is_cut), (expected, false), "{interval_ms}");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_read_as_far_as_it_goes() {
    let (_folder, path) = file();
    let entries = recording(&path, 12);
    let bytes = fs::read(&path).unwrap();
    let mut whole = Vec::new();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let Ok((found, is_cut, error)) = read(&path) else {
            assert!(whole.is_empty(), "{length}: the header was readable before");
            continue;
        };
        assert_eq!(error, None, "{length}");
        assert_eq!(found, entries[..found.len()], "{length}");
        if !is_cut {
            whole.push(found.len());
        }
    }
    assert_eq!(whole, [0, 5, 10], "the ends of its frames");
}

#[test]
fn a_byte_that_changed_is_found() {
    let (_folder, path) = file();
    recording(&path, 5);
    let bytes = fs::read(&path).unwrap();
    for position in (bytes.len() / 2..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[position] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        let (_, is_cut, error) = read(&path).unwrap();
        let error = error.unwrap_or_default();
        assert!(is_cut || error.contains("is damaged after line "), "{position}: {error}");
    }
}

#[test]
fn nothing_is_overwritten_and_nobody_else_can_read_it() {
    let (folder, path) = file();
    let create = |path: &Path| SnapshotFileWriter::create(path, &header()).map(drop).map_err(|error| error.to_string());
    fs::write(&path, "mine").unwrap();
    let refused = create(&path).unwrap_err();
    assert!(refused.ends_with("holds something; name a file that is not there, nothing is overwritten"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::write(&path, "").unwrap();
    create(&path).unwrap();
    assert!(create(&path).unwrap_err().contains("holds something"), "its own header");
    assert!(create(folder.path()).unwrap_err().ends_with(" is no file; a recording needs one"));
    let missing = create(&folder.path().join("none/night.zst")).unwrap_err();
    assert!(
        missing.starts_with("cannot make the recording ") && missing.contains(": there is no folder "),
        "{missing}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
        assert!(create(&link).unwrap_err().ends_with(" is no file; a recording needs one"));
        assert!(!folder.path().join("target").exists());
    }
}

#[test]
fn what_is_no_recording_is_refused_with_a_sentence() {
    let (_folder, path) = file();
    recording(&path, 1);
    let good = fs::read(&path).unwrap();
    let first = serde_json::to_string(&json!({ "format": "watchkeeper recording", "version": 2, "more": 1 })).unwrap();
    let incomplete = first.replace("\"version\":2", "\"version\":1");
    let entry = [good.as_slice(), &compressed(b"{\"weather\":1}\n")].concat();
    let no = |reason: &str| format!("FILE is no recording of `watchkeeper run --recording`: {reason}");
    for (name, bytes, expected) in [
        ("nothing", Vec::new(), no("it is empty")),
        ("text", b"hello\n".to_vec(), no("it is not compressed with zstd")),
        ("compressed nothing", compressed(b""), no("it is empty")),
        ("compressed text", compressed(b"hello\n"), no("its first line is not the header of one")),
        ("a cut header", good[..40].to_vec(), no("it is cut within its first line")),
        (
            "a newer one",
            compressed(format!("{first}\n").as_bytes()),
            "the recording FILE has version 2, this program knows versions up to 1; it was written by a newer version, \
             use that one"
                .to_owned(),
        ),
        (
            "an incomplete header",
            compressed(format!("{incomplete}\n").as_bytes()),
            format!(
                "the recording FILE is damaged after line 0: its header cannot be understood: missing field `program` \
                 at line 1 column {}",
                incomplete.len()
            ),
        ),
    ] {
        assert_eq!(refusal(&bytes), expected, "{name}");
    }
    let text = refusal(&entry);
    assert!(text.starts_with("the recording FILE is damaged after line 2: unknown variant `weather`"), "{text}");
    let foreign =
        String::from_utf8(zstd::decode_all(&entry[..]).unwrap()).unwrap().replace("weather", "wea\\u001bther");
    let text = refusal(&compressed(foreign.as_bytes()));
    assert!(text.contains("unknown variant `wea\\u{1b}ther`"), "{text}");
    let text = refusal(&[good.as_slice(), b"more"].concat());
    assert!(text.starts_with("the recording FILE is damaged after line 2: "), "{text}");
}

#[test]
fn neither_a_line_nor_a_window_takes_more_memory_than_a_limit() {
    let line = vec![b' '; 40 << 20];
    let text = refusal(&compressed(&line));
    assert_eq!(text, "the recording FILE is damaged after line 0: a line has more than 33554432 bytes");
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(b"{}\n").unwrap();
    encoder.flush().unwrap();
    let text = refusal(&encoder.finish().unwrap());
    assert!(text.starts_with("the recording FILE is damaged after line 0: Frame requires too much memory"), "{text}");
}

#[test]
fn a_tick_that_is_too_long_is_lost_alone() {
    let (_folder, path) = file();
    let mut writer = SnapshotFileWriter::create(&path, &header()).unwrap();
    writer.write(&tick(1, 1)).unwrap();
    let mut long = plain(TEN + 2_000, 1);
    let image = Arc::make_mut(&mut long.processes.as_mut().unwrap()[0].image);
    image.name = "x".repeat(33 << 20);
    let error = writer.write(&SnapshotFileEntry::Snapshot(Arc::new(long))).unwrap_err().to_string();
    assert!(error.starts_with("a tick is too long for the recording "), "{error}");
    writer.write(&tick(3, 1)).unwrap();
    writer.flush().unwrap();
    assert_eq!(writer.lost_ticks(), 1);
    assert_eq!(read(&path).unwrap().0, [tick(1, 1), SnapshotFileEntry::Lost { ticks: 1 }, tick(3, 1)]);
}
