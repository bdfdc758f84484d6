//! A recorded `/proc`, as small as it can be and still hold one of each kind of process.

use super::*;

fn recording() -> Vec<ProcessReading> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/processes");
    let mut gaps = Vec::new();
    let readings = reader(&root, 9).read(&at(9_000_000), &mut gaps).expect("the recording can be read");
    assert_eq!(gaps, []);
    readings
}

#[test]
fn each_kind_of_process_is_named_for_what_it_is() {
    let mut lines = Vec::new();
    for process in recording() {
        let image = &process.image;
        lines.push(format!(
            "{} {:?} {} | {} | {} | {} | {} | {}",
            process.key,
            image.name,
            process.state.map_or('-', ProcessState::code),
            image.program,
            image.executable.as_ref().map_or("-", |executable| &executable.path),
            image.unit.as_deref().unwrap_or("-"),
            image.container.as_deref().unwrap_or("-"),
            image.command.as_ref().map_or("-", |command| &command.text),
        ));
    }
    let expected = [
        r#"1@4 "systemd" S | systemd | /usr/lib/systemd/systemd | init.scope | - | /sbin/init splash"#,
        r#"2@4 "kthreadd" S | kthreadd | - | - | - | "#,
        r#"77@91 "kworker/0:1" I | kworker | - | - | - | "#,
        r#"612@1288 "cron" S | cron.service/cron | /usr/sbin/cron | cron.service | - | /usr/sbin/cron -f -P"#,
        r#"1500@88211 "python3" S | python3.11 backup.py | /usr/bin/python3.11 | session-3.scope | - | python3 /opt/jobs/backup.py --db-password *** --verbose"#,
        r#"2222@90100 "(weird) na)me" R | docker:0123456789ab/worker | /srv/worker | docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope | docker:0123456789ab | /srv/worker --url postgres://app:***@db/app"#,
        r#"3333@90500 "defunct" Z | defunct | - | - | - | "#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_deleted_executable_is_told_from_its_path() {
    let readings = recording();
    let executable = |pid: u32| {
        let process = readings.iter().find(|process| process.key.pid == pid).expect("it is in the recording");
        process.image.executable.clone().expect("it has one")
    };
    assert!(executable(2222).deleted && executable(2222).inode.is_none());
    assert!(!executable(612).deleted);
}

#[test]
fn kernel_threads_have_no_memory_and_no_descriptors() {
    let readings = recording();
    let thread = readings.iter().find(|process| process.key.pid == 77).expect("it is in the recording");
    assert_eq!(thread.memory.value, Some(ProcessMemory { resident_bytes: 0, virtual_bytes: 0 }));
    assert_eq!(thread.descriptors.value, Some(0));
}

#[test]
fn another_file_at_the_path_is_a_replaced_executable_although_the_link_keeps_its_name() {
    let tree = Tree::new();
    tree.write(42, &Fake::default());
    let program = tree.path(42).join("app");
    tree.put(42, "app", "the first");
    std::os::unix::fs::symlink(&program, tree.path(42).join("exe")).expect("linked");
    std::os::unix::fs::symlink("/", tree.path(42).join("root")).expect("linked");
    let mut reader = tree.reader(9);
    let deleted = |reader: &mut ProcessReader, mono_ms| {
        one(reader, mono_ms).image.executable.as_ref().map(|executable| executable.deleted)
    };
    assert_eq!(deleted(&mut reader, 60_000), Some(false));
    assert_eq!(deleted(&mut reader, 120_000), Some(false));
    tree.put(42, "app.new", "the second");
    fs::rename(tree.path(42).join("app.new"), &program).expect("renamed");
    assert_eq!(deleted(&mut reader, 121_000), Some(false), "not yet");
    assert_eq!(deleted(&mut reader, 180_000), Some(true));
}
