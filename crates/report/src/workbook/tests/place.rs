//! Where a workbook goes when its place is taken.

use super::*;

fn beside(saved: Saved) -> (String, String) {
    match saved {
        Saved::Beside { path, reason } => (path.file_name().unwrap().to_string_lossy().into_owned(), reason),
        Saved::Target => panic!("saved where it cannot be"),
    }
}

#[test]
fn an_earlier_workbook_is_replaced_as_a_whole() {
    let world = World::new();
    std::fs::write(&world.target, "an earlier workbook").unwrap();
    assert_eq!(world.write(&world.spool(&[Some(1.0)]), Limits::USUAL).unwrap(), Saved::Target);
    assert_eq!(sheet(&world.target, "System_Log").height(), 2);
    assert_eq!(world.names(), [".report.xlsx.spool", "report.xlsx"]);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let world = World::new();
    let real = world.folder.path().join("real.xlsx");
    std::fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &world.target).unwrap();
    assert_eq!(world.write(&world.spool(&[Some(1.0)]), Limits::USUAL).unwrap(), Saved::Target);
    assert!(world.target.is_symlink());
    assert_eq!(sheet(&real, "System_Log").height(), 2);
}

#[test]
fn what_cannot_be_replaced_stays_and_the_workbook_is_beside_it() {
    let world = World::new();
    std::fs::create_dir(&world.target).unwrap();
    let spool = world.spool(&[Some(1.0)]);
    for name in ["report (2026-11-20 03-04-05).xlsx", "report (2026-11-20 03-04-05, 2).xlsx"] {
        let saved = beside(world.write(&spool, Limits::USUAL).unwrap());
        assert_eq!(saved, (name.to_owned(), "it is a folder".to_owned()));
        assert_eq!(sheet(&world.folder.path().join(name), "System_Log").height(), 2);
    }
    assert_eq!(world.names().len(), 4, "{:?}", world.names());
}

#[test]
fn a_workbook_that_is_write_protected_stays() {
    let world = World::new();
    std::fs::write(&world.target, "dear").unwrap();
    let mut permissions = std::fs::metadata(&world.target).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&world.target, permissions).unwrap();
    let (name, reason) = beside(world.write(&world.spool(&[]), Limits::USUAL).unwrap());
    assert_eq!((name.as_str(), reason.as_str()), ("report (2026-11-20 03-04-00).xlsx", "it is read-only"));
    assert_eq!(std::fs::read_to_string(&world.target).unwrap(), "dear");
}

#[test]
fn a_folder_that_is_missing_is_an_error_and_leaves_the_recording_as_it_was() {
    let world = World::new();
    let spool = world.spool(&[Some(1.0)]);
    let target = world.folder.path().join("missing").join("report.xlsx");
    let error = write_within(&spool.recording().unwrap(), &target, &TimeZone::UTC, Limits::USUAL).unwrap_err();
    assert!(matches!(error, WorkbookError::Refused { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot make the workbook ") && spool.path().exists(), "{error}");
}
