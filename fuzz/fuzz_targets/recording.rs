//! A recording: no panic, bounded memory, an error is a sentence that a terminal can show, and every entry that is read
//! comes back the same when it is written again.
//!
//! The input is read as it is, and once more as the lines inside: otherwise nothing but zstd would ever be reached.
#![no_main]

use std::io::Cursor;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use watchkeeper_store::{SnapshotFileEntry, SnapshotFileError, SnapshotFileReader};

fuzz_target!(|bytes: &[u8]| {
    read(bytes.to_vec());
    read(zstd::encode_all(bytes, 1).expect("memory takes everything"));
});

fn read(bytes: Vec<u8>) {
    if let Err(error) = entries(bytes) {
        let shown = error.to_string();
        assert!(shown.contains("night.zst"), "{shown:?} does not name the file");
        assert!(!shown.chars().any(char::is_control), "{shown:?} reaches a terminal");
    }
}

fn entries(bytes: Vec<u8>) -> Result<(), SnapshotFileError> {
    let mut reader = SnapshotFileReader::read(Box::new(Cursor::new(bytes)), Path::new("night.zst"))?;
    while let Some(entry) = reader.entry()? {
        let line = serde_json::to_string(&entry).expect("what was JSON is JSON again");
        let again: SnapshotFileEntry = serde_json::from_str(&line).expect("what is written can be read");
        assert_eq!(again, entry);
    }
    Ok(())
}
