//! Places that are gone or full when a recording comes to its end.

use super::*;
use crate::mount::Mount;

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let program = Program::new("");
    let folder = Mount::tmpfs(program.folder().join("locked"), "ro,size=1m");
    for flag in ["--output", "--threat-log"] {
        let name = folder.0.join("file.xlsx");
        let answer = said(record(&program, &[flag, name.to_str().unwrap()]));
        assert_eq!(answer.status.code(), Some(1), "{answer:?}");
        assert!(answer.stderr.contains("locked") && answer.stderr.contains(&format!(" with {flag}")), "{answer:?}");
        assert_eq!(answer.stderr.matches("Read-only file system").count(), 1, "it is said once: {answer:?}");
        assert_eq!(names(&program), ["locked"], "nothing is left behind");
        assert_eq!(answer.stdout, "");
    }
}

#[test]
fn on_a_full_disk_the_recording_goes_on_and_nothing_on_disk_is_lost() {
    let program = Program::new("");
    let disk = Mount::tmpfs(program.folder().join("disk"), "size=64m");
    let (output, threats) = (disk.0.join("report.xlsx"), disk.0.join("threats.txt"));
    let arguments = ["--interval", "100ms", "--duration", "0", "--cpu-alert", "0.001"];
    let files = ["--output", output.to_str().unwrap(), "--threat-log", threats.to_str().unwrap()];
    let mut recording = Recording::start(&program, &[&arguments[..], &files].concat());
    let before = blocks(&recording.wait_for_blocks(5)).len();
    let filler = disk.0.join("filler");
    fill(&filler);
    // Blocks come while the disk is full. The last page of the threat log has room for some lines.
    let full = recording.wait_until("both troubles", |printed, complaints| {
        blocks(printed).len() > before + 20 && complaints.contains("threat log")
    });
    let (full, complaints) = (blocks(&full).len(), recording.complaints());
    assert_eq!(complaints.matches("rows wait in memory until the disk takes them").count(), 1, "{complaints}");
    assert_eq!(complaints.matches("cannot write the threat log ").count(), 1, "{complaints}");
    // It ends on the full disk: no workbook, but every row of before.
    recording.signal(Signal::TERM);
    let answer = recording.end();
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    assert!(
        answer.stderr.contains("no space is left") && answer.stderr.contains("record --recover"),
        "{}",
        answer.stderr
    );
    // There is no folder for temporary files either.
    assert!(answer.stderr.contains(" that waited in memory are lost"), "{}", answer.stderr);
    assert!(answer.stderr.contains(" could not be written to "), "{}", answer.stderr);
    assert!(!answer.stderr.contains("panicked"), "{answer:?}");
    assert!(!output.exists() && full > before);
    let refused = said(record(&program, &["--output", disk.0.join("another.xlsx").to_str().unwrap()]));
    assert!(refused.stderr.contains("no space is left for a recording to "), "{refused:?}");
    fs::remove_file(&filler).unwrap();
    let recovered = said(record(&program, &["--recover", "--output", output.to_str().unwrap()]));
    assert!(recovered.status.success(), "{recovered:?}");
    let mut paths = fs::read_dir(&disk.0).unwrap().map(|entry| entry.unwrap().path());
    let workbook = paths.find(|path| path.extension().is_some_and(|extension| extension == "xlsx")).unwrap();
    assert!(sheet(&workbook, "System_Log").len() > before, "{before}");
}

#[test]
fn rows_that_waited_for_the_disk_are_in_the_workbook_when_there_is_room_again() {
    let program = Program::new("");
    let disk = Mount::tmpfs(program.folder().join("disk"), "size=64m");
    let output = disk.0.join("report.xlsx");
    let arguments = ["--interval", "100ms", "--duration", "0", "--output", output.to_str().unwrap()];
    let mut recording = Recording::start(&program, &arguments);
    recording.wait_for_blocks(2);
    let filler = disk.0.join("filler");
    fill(&filler);
    let count = blocks(&recording.wait_for_blocks(2)).len() + 20;
    recording.wait_for_blocks(count);
    assert!(recording.complaints().contains("no space is left"), "{}", recording.complaints());
    fs::remove_file(&filler).unwrap();
    recording.signal(Signal::TERM);
    let answer = recording.end();
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    assert_eq!(sheet(&output, "System_Log").len(), blocks(&answer.stdout).len() + 1);
}

/// Writes until the filesystem takes no more.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("the filler is made");
    for block in [1 << 20, 1 << 12, 1] {
        let zeros = vec![0; block];
        while file.write_all(&zeros).is_ok() {}
    }
}

/// The workbook in the folder for temporary files, which nobody else can read.
fn saved_elsewhere(temporary: &Path) -> PathBuf {
    let entries = fs::read_dir(temporary).expect("the folder");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let [path] = &paths[..] else { panic!("{paths:?}") };
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).expect("a name");
    assert!(name.starts_with("watchkeeper-recording-20"), "{name}");
    assert_eq!(fs::metadata(path).expect("the workbook").permissions().mode() & 0o777, 0o600);
    path.clone()
}

#[test]
fn what_the_disk_does_not_take_to_the_end_is_saved_elsewhere() {
    let program = Program::new("");
    let temporary = program.folder().join(TEMPORARY);
    fs::create_dir(&temporary).unwrap();
    let disk = Mount::tmpfs(program.folder().join("disk"), "size=64m");
    let output = disk.0.join("report.xlsx");
    let arguments = ["--interval", "100ms", "--duration", "0", "--output", output.to_str().unwrap()];
    let mut recording = Recording::start(&program, &arguments);
    recording.wait_for_blocks(2);
    fill(&disk.0.join("filler"));
    recording.wait_until("the trouble", |_, complaints| complaints.contains("rows wait in memory"));
    let count = blocks(&recording.wait_for_blocks(1)).len() + 5;
    recording.wait_for_blocks(count);
    recording.signal(Signal::TERM);
    let answer = recording.end();
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    let workbook = saved_elsewhere(&temporary);
    assert_eq!(sheet(&workbook, "System_Log").len(), blocks(&answer.stdout).len() + 1, "nothing is lost");
    let sentence = format!("; the recording is saved as {}; ", workbook.display());
    assert!(
        answer.stderr.contains("no space is left for the workbook ") && answer.stderr.contains(&sentence),
        "{answer:?}"
    );
    assert!(answer.stderr.contains(" rows are kept in ") && answer.stderr.contains("record --recover"), "{answer:?}");
    assert!(answer.stdout.contains(&format!("Written: {} and ", workbook.display())), "{answer:?}");
    assert!(!output.exists());
}

#[test]
fn a_folder_that_is_removed_while_it_records_takes_no_row_along() {
    for has_temporary in [true, false] {
        let program = Program::new("");
        let (gone, temporary) = (program.folder().join("gone"), program.folder().join(TEMPORARY));
        fs::create_dir(&gone).unwrap();
        if has_temporary {
            fs::create_dir(&temporary).unwrap();
        }
        let mut recording =
            Recording::start(&program, &["--interval", "100ms", "--duration", "0", "--output", "gone/a.xlsx"]);
        let before = blocks(&recording.wait_for_blocks(3)).len();
        fs::remove_dir_all(&gone).unwrap();
        recording.wait_for_blocks(before + 3);
        recording.signal(Signal::INT);
        let answer = recording.end();
        let rows = blocks(&answer.stdout).len();
        assert_eq!(answer.status.code(), Some(1), "{answer:?}");
        assert!(!answer.stderr.contains(".spool"), "it is not there any more: {answer:?}");
        if has_temporary {
            let workbook = saved_elsewhere(&temporary);
            assert_eq!(sheet(&workbook, "System_Log").len(), rows + 1);
            let sentence = format!("; the recording is saved as {}\n", workbook.display());
            assert!(answer.stderr.ends_with(&sentence), "{answer:?}");
        } else {
            assert!(answer.stderr.ends_with(&format!("; its {rows} rows are lost\n")), "{answer:?}");
        }
        assert!(!gone.exists());
    }
}
