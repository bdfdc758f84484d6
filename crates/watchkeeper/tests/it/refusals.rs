//! What the program says when it is used wrongly or the machine refuses: one sentence, the right exit code, nothing lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::burner::Burner;
use crate::program::{Program, said};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn mistakes_in_the_configuration_end_with_2_and_show_the_place() {
    for (configuration, place, sentence) in [
        ("[collect]\nintervall = \"1s\"\n", ":2:1", "interval"),
        ("[collect]\ninterval = 5\n", ":2:12", "5"),
        ("[collect]\ninterval = \"5 parsecs\"\n", ":2:12", "duration"),
        ("[collect]\ninterval = \"0s\"\n", ":2:12", "100ms"),
        ("[[rule]]\nid = \"x\"\nwhen = 'system.cpu.utilization > 90'\n", ":3:", "90%"),
        ("[smtp.mail]\npassword = \"hunter2\"\n", ":2:12", "a secret must not be written here"),
    ] {
        let program = Program::new(configuration);
        for (arguments, code) in [(&["run"][..], 2), (&["config", "check"], 2), (&["status"], 3)] {
            let answer = program.command(arguments);
            assert_eq!(answer.status.code(), Some(code), "{arguments:?} {configuration} {answer:?}");
            assert!(answer.stderr.contains(&format!("watchkeeper.toml{place}")), "{}", answer.stderr);
            assert!(answer.stderr.contains(sentence), "{}", answer.stderr);
            assert!(!answer.stderr.contains("hunter2") && !answer.stdout.contains("hunter2"), "a secret was shown");
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let program = Program::new("");
    let mut missing = program.call(&["run"]);
    missing.env("WATCHKEEPER_CONFIG", program.folder().join("nowhere.toml"));
    let answer = said(missing);
    assert_eq!(answer.status.code(), Some(2));
    assert!(answer.stderr.contains("nowhere.toml"), "{}", answer.stderr);

    let mut folder = program.call(&["run"]);
    folder.env("WATCHKEEPER_CONFIG", program.folder());
    assert_eq!(said(folder).status.code(), Some(2));
}

#[test]
fn a_file_of_another_user_cannot_be_read_and_is_named() {
    assert!(rustix::process::geteuid().is_root(), "this test changes the user and needs root");
    let program = Program::new("");
    fs::set_permissions(program.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let call = program.call(&["config", "check"]);
    // The test binary may lie in a folder that nobody else can enter; a copy in the open does.
    let copy = program.folder().join("watchkeeper");
    fs::copy(call.get_program(), &copy).unwrap();
    let mut nobody_copy = Command::new("setpriv");
    nobody_copy.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy).args(call.get_args());
    nobody_copy.env_clear().envs(call.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
    let answer = said(nobody_copy);
    assert_eq!(answer.status.code(), Some(2), "{answer:?}");
    assert!(answer.stderr.contains("watchkeeper.toml") && answer.stderr.contains("ermission"), "{}", answer.stderr);
}

#[test]
fn a_world_writable_configuration_is_refused_as_root() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root");
    let program = Program::new("");
    fs::set_permissions(program.config_file(), fs::Permissions::from_mode(0o666)).unwrap();
    let answer = program.command(&["run"]);
    assert_eq!(answer.status.code(), Some(2), "{answer:?}");
    assert!(answer.stderr.contains("chmod"), "no remedy in: {}", answer.stderr);
}

#[test]
fn a_second_watch_on_one_store_is_refused_and_the_first_goes_on() {
    let program = Program::new("");
    let mut first = program.run();
    let second = program.command(&["run"]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(second.stderr.contains("is used by another watch (pid "), "{}", second.stderr);
    assert_ne!(program.command(&["status"]).status.code(), Some(3));
    assert!(first.terminate(Duration::from_secs(10)));
}

/// A mounted filesystem that is gone when the test is over.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(at: &'a Path, arguments: &[&str]) -> Self {
        let mounted = Command::new("mount").args(arguments).arg(at).output().expect("mount starts");
        assert!(mounted.status.success(), "this test needs the right to mount: {mounted:?}");
        Self(at)
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
fn a_read_only_store_is_refused_with_a_sentence() {
    let program = Program::new("");
    let state = program.state_folder();
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let _mount = Mount::new(&state, &["-t", "tmpfs", "-o", "ro,size=1m,mode=700", "tmpfs"]);
    let answer = program.command(&["run"]);
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    assert!(answer.stderr.contains("read-only") && answer.stderr.contains("state"), "{}", answer.stderr);
}

#[test]
fn a_full_disk_stops_the_log_loudly_and_the_watch_goes_on() {
    let program = Program::new("[collect]\ninterval = \"200ms\"\n");
    let state = program.state_folder();
    fs::create_dir(&state).unwrap();
    let _mount = Mount::new(&state, &["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs"]);
    let mut watch = program.run();
    let filler = state.join("filler");
    fill(&filler);
    program.wait_for_status(PATIENCE, |status| {
        status["troubles"].as_array().is_some_and(|troubles| {
            troubles
                .iter()
                .any(|trouble| trouble["text"].as_str().is_some_and(|text| text.contains("log is not written")))
        })
    });
    assert_eq!(program.command(&["status"]).status.code(), Some(2));
    fs::remove_file(&filler).unwrap();
    program.wait_for_status(PATIENCE, |status| status["recorder"]["error"].is_null());
    assert!(watch.terminate(Duration::from_secs(10)));
}

/// Writes until the filesystem takes no more.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).expect("the filler is made");
    for block in [1 << 20, 1 << 12, 1] {
        let zeros = vec![0; block];
        while file.write_all(&zeros).is_ok() {}
    }
}

#[test]
fn names_with_control_characters_reach_no_terminal() {
    let program = Program::new("[[rule]]\nid = \"any\"\nwhen = 'process.cpu.cores > 0.3'\nfor = \"0s\"\n");
    let evil = Burner::named(program.folder(), "evil\u{1b}[31m\nname");
    let mut watch = program.run();
    let pid = evil.pid();
    program.wait_for(PATIENCE, "an incident of the evil process", || {
        program.command(&["incidents", "list"]).stdout.contains(&format!("(pid {pid})"))
    });
    let listed = program.command(&["incidents", "list"]).stdout;
    let status = program.command(&["status"]).stdout;
    assert!(watch.terminate(Duration::from_secs(10)));
    let shown = [listed, status, program.log()].concat();
    assert!(!shown.contains('\u{1b}'), "an escape sequence reached the terminal:\n{shown:?}");
    assert!(shown.contains("evil\\u{1b}[31m name"), "{shown}");
}
