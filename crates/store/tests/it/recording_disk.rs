//! A recording on a disk that is really full: a filesystem mounted for the test, which needs root.

use std::fs;

use serde_json::json;
use watchkeeper_store::{SnapshotFileEntry, SnapshotFileWriter};

use crate::hot_disk::{fill, small_disk};
use crate::recording::{header, read, tick};

#[test]
fn on_a_full_disk_ticks_are_lost_and_said_and_the_recording_goes_on_when_there_is_room() {
    let disk = small_disk();
    let (path, filler) = (disk.path().join("night.zst"), disk.path().join("filler"));
    let mut writer = SnapshotFileWriter::create(&path, &header()).unwrap();
    for second in 0..5 {
        writer.write(&tick(second, 300)).unwrap();
    }
    fill(&filler);
    let settings = SnapshotFileEntry::Settings(json!({ "rules": ["quiet"] }));
    writer.write(&settings).unwrap();
    // Three frames: what the first refusal has to say is lost with the second and the third.
    let refused = (5..20).filter_map(|second| writer.write(&tick(second, 300)).err()).map(|error| error.to_string());
    let refused: Vec<String> = refused.collect();
    assert_eq!(refused, vec![format!("no space is left for the recording {}", path.display()); 3]);
    assert_eq!(writer.lost_ticks(), 15);
    let (found, is_cut, error) = read(&path).unwrap();
    assert_eq!((found.len(), is_cut, error), (5, false, None), "what is there stays readable");

    fs::remove_file(&filler).unwrap();
    for second in 20..23 {
        writer.write(&tick(second, 300)).unwrap();
    }
    writer.flush().unwrap();
    let (found, is_cut, error) = read(&path).unwrap();
    assert_eq!((is_cut, error), (false, None));
    let expected = (0..5).map(|second| tick(second, 300)).chain([SnapshotFileEntry::Lost { ticks: 15 }, settings]);
    assert_eq!(found, expected.chain((20..23).map(|second| tick(second, 300))).collect::<Vec<_>>());
}
