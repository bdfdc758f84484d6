//! `watchkeeper config` and the file it reads: where it is looked for, who may have written it, where secrets come from.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::program::{Program, Said, said};

const CHANNEL: &str = "[smtp.mail]\nserver = \"smtp.example.com:587\"\nsecurity = \"starttls\"\nuser = \"watch\"\n\
                       from = \"watch@example.com\"\n";

fn check(program: &Program) -> Said {
    program.command(&["config", "check"])
}

/// A program whose channel takes its password from this file.
fn with_secret_file(path: &Path) -> Program {
    Program::new(&format!("{CHANNEL}password = {{ file = {:?} }}\n", path.display().to_string()))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
}

#[track_caller]
fn assert_refused(answer: &Said, parts: &[&str]) {
    assert_eq!(answer.status.code(), Some(2), "{answer:?}");
    assert_eq!(answer.stdout, "");
    assert!(answer.stderr.starts_with("error: "), "{}", answer.stderr);
    for part in parts {
        assert!(answer.stderr.contains(part), "no `{part}` in\n{}", answer.stderr);
    }
}

#[test]
fn a_right_configuration_is_said_to_be_right() {
    let program = Program::new(&format!(
        "{CHANNEL}password = {{ env = \"TEST_SMTP_PASSWORD\" }}\n\
         [[route]]\nto = [{{ channel = \"mail\", recipients = [\"ops@example.com\"] }}]\n\
         [[rule]]\nid = \"mine\"\nwhen = 'system.cpu.utilization > \"50%\"'\n[rules]\ndisable = [\"host-cpu\"]\n"
    ));
    let answer = check(&program);
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    let counts: serde_json::Value =
        serde_json::from_str(&program.command(&["rules", "check", "--json"]).stdout).unwrap();
    let shipped = counts["in_force"].as_u64().unwrap() - 1;
    let expected = format!(
        "ok\nfile:     {}\nchannels: mail (smtp)\nroutes:   1\nrules:    {shipped} shipped, 1 of your own\n\
         secrets:  1 found\n",
        program.config_file().display()
    );
    assert_eq!(answer.stdout, expected);
    assert_eq!(answer.stderr, "");
}

#[test]
fn a_secret_that_is_not_there_is_named_by_its_variable() {
    let program = Program::new(&format!("{CHANNEL}password = {{ env = \"NOT_SET_ANYWHERE\" }}\n"));
    assert_refused(
        &check(&program),
        &["the environment variable NOT_SET_ANYWHERE is not set", ":6:12", "smtp.mail.password"],
    );
    let mut empty = program.call(&["config", "check"]);
    empty.env("NOT_SET_ANYWHERE", "");
    assert_refused(&said(empty), &["the environment variable NOT_SET_ANYWHERE is empty"]);
    let odd = Program::new(&format!("{CHANNEL}password = {{ env = \"A=B\" }}\n"));
    assert_refused(&check(&odd), &["`A=B` cannot be the name of an environment variable"]);
}

#[test]
fn a_secret_file_is_read_without_its_line_end_and_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("smtp");
    let program = with_secret_file(&file);
    assert_refused(&check(&program), &["the secret file", "does not exist"]);
    let large = vec![b'x'; 70_000];
    let cases: [(&[u8], u32, Option<&str>); 8] = [
        (b"s3cret-word\n", 0o600, None),
        (b"s3cret-word\r\n", 0o400, None),
        (b"s3cret-word\n", 0o640, None),
        (b"s3cret-word\n", 0o644, Some("help: run: chmod 600 ")),
        (b"\n", 0o600, Some("is empty")),
        (b"", 0o600, Some("is empty")),
        (b"s3cret-word\xff", 0o600, Some("is not valid UTF-8")),
        (&large, 0o600, Some("is larger than 64 KiB")),
    ];
    for (content, mode, refusal) in cases {
        let _ = fs::remove_file(&file);
        fs::write(&file, content).unwrap();
        set_mode(&file, mode);
        let answer = check(&program);
        match refusal {
            // The group of root may read what root may read.
            None => assert_eq!(answer.status.code(), Some(0), "{mode:o} {answer:?}"),
            Some(refusal) => assert_refused(&answer, &[refusal, "smtp.mail.password"]),
        }
        assert!(!answer.stderr.contains("s3cret") && !answer.stdout.contains("s3cret"), "{answer:?}");
    }
    let relative = Program::new(&format!("{CHANNEL}password = {{ file = \"smtp\" }}\n"));
    assert_refused(&check(&relative), &["is not an absolute path"]);
    assert_refused(&check(&with_secret_file(folder.path())), &["is a folder"]);
}

/// Makes a file or the folder it is in unsafe.
type Spoil = fn(&Path, &Path);

#[test]
fn as_root_nothing_is_read_that_others_can_write() {
    assert!(rustix::process::geteuid().is_root(), "this test changes owners and needs root");
    let cases: [(&str, Spoil, &[&str]); 6] = [
        ("file writable by all", |file, _| set_mode(file, 0o666), &["others can write", "0666", "run: chmod go-w "]),
        ("file writable by a group", |file, _| set_mode(file, 0o660), &["others can write", "run: chmod go-w "]),
        (
            "file of a user",
            |file, _| chown(file, Some(65_534), None).unwrap(),
            &["belongs to user 65534", "run: chown root "],
        ),
        ("folder writable by all", |_, folder| set_mode(folder, 0o777), &["the folder above the", "run: chmod go-w "]),
        (
            "folder of a user",
            |_, folder| chown(folder, Some(65_534), None).unwrap(),
            &["the folder above the", "run: chown root "],
        ),
        (
            "link into such a folder",
            |file, folder| {
                let open = folder.join("open");
                fs::create_dir(&open).unwrap();
                fs::rename(file, open.join("real")).unwrap();
                set_mode(&open, 0o777);
                symlink(open.join("real"), file).unwrap();
            },
            &["the folder above the", "/open", "run: chmod go-w "],
        ),
    ];
    for (name, spoil, parts) in cases {
        let program = Program::new("");
        let folder = program.folder().join("etc");
        fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o755);
        let file = folder.join("watchkeeper.toml");
        fs::write(&file, "").unwrap();
        set_mode(&file, 0o644);
        let arguments = ["--config", file.to_str().unwrap(), "config", "check"];
        assert_eq!(program.command(&arguments).status.code(), Some(0), "{name}");
        spoil(&file, &folder);
        assert_refused(&program.command(&arguments), parts);

        // The same for a file with a secret.
        let program = Program::new("");
        let folder = program.folder().join("etc");
        fs::create_dir(&folder).unwrap();
        let secret = folder.join("smtp");
        fs::write(&secret, "s3cret").unwrap();
        set_mode(&secret, 0o600);
        spoil(&secret, &folder);
        let answer = check(&with_secret_file(&secret));
        assert_refused(&answer, &["run: ch", "smtp.mail.password"]);
    }
    let program = Program::new("");
    let sticky = program.folder().join("sticky");
    fs::create_dir(&sticky).unwrap();
    set_mode(&sticky, 0o1777);
    let file = sticky.join("watchkeeper.toml");
    fs::write(&file, "").unwrap();
    set_mode(&file, 0o644);
    let answer = program.command(&["--config", file.to_str().unwrap(), "config", "check"]);
    assert_eq!(answer.status.code(), Some(0), "in a sticky folder others cannot replace a file of root: {answer:?}");
}

#[test]
fn what_is_no_configuration_file_is_refused_with_a_sentence() {
    let program = Program::new("");
    let file = program.config_file();
    fs::write(&file, b"[host]\nname = \"\xff\"\n").unwrap();
    assert_refused(&check(&program), &["is not valid UTF-8 in line 2"]);
    fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_refused(&check(&program), &["is larger than 1 MiB"]);
    fs::remove_file(&file).unwrap();
    assert_refused(&check(&program), &["does not exist", "named by WATCHKEEPER_CONFIG"]);
    fs::create_dir(&file).unwrap();
    assert_refused(&check(&program), &["is a folder", "watchkeeper.toml/watchkeeper.toml"]);
    fs::remove_dir(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    assert_refused(&check(&program), &["is not a regular file"]);
}

#[test]
fn the_flag_wins_and_the_current_folder_is_never_looked_at() {
    let program = Program::new("[collect]\ninterval = \"7s\"\n");
    let other = program.folder().join("other.toml");
    fs::write(&other, "[collect]\ninterval = \"9s\"\n").unwrap();
    set_mode(&other, 0o600);
    let other = other.to_str().unwrap();
    let shown = program.command(&["--config", other, "config", "show"]).stdout;
    assert!(shown.contains(&format!("interval = \"9s\"  # {other}:2\n")), "{shown}");
    let path = program.command(&["config", "path"]).stdout;
    let rules = program.folder().join("rules.d");
    let file = program.config_file();
    let (file, rules) = (file.display(), rules.display());
    let named =
        format!("{file}\n# named by WATCHKEEPER_CONFIG; it is used\n# rules in {rules}/*.toml; there are none\n");
    assert_eq!(path, named);

    let mut without = program.call(&["config", "show"]);
    without.env_remove("WATCHKEEPER_CONFIG").current_dir(program.folder());
    let shown = said(without);
    // On a machine with a configuration of its own that one is shown; never the one in the current folder.
    assert!(!shown.stdout.contains("\"7s\""), "{shown:?}");
}

#[test]
fn flags_and_variables_are_told_apart_from_the_file() {
    let program = Program::new("[log]\nlevel = \"warn\"\n");
    let answer = program.command(&["--log-level", "loud", "config", "check"]);
    assert_refused(&answer, &["--> flag --log-level", "unknown word \"loud\""]);
    let mut call = program.call(&["config", "check"]);
    call.env("WATCHKEEPER_COLLECT__INTERVALL", "5s");
    assert_refused(&said(call), &["did you mean WATCHKEEPER_COLLECT__INTERVAL?"]);
}

#[test]
fn the_printed_default_is_a_configuration_and_the_schema_is_json() {
    let program = Program::new("");
    program.configure(&program.command(&["config", "default"]).stdout);
    let answer = check(&program);
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    let schema: serde_json::Value = serde_json::from_str(&program.command(&["config", "schema"]).stdout).unwrap();
    assert!(schema.pointer("/properties/collect").is_some());
}

#[test]
fn no_colour_reaches_a_file() {
    let program = Program::new("[collect]\ninterval = \"0s\"\n");
    assert!(!check(&program).stderr.contains('\u{1b}'));
}

#[test]
fn an_empty_variable_names_no_file_and_the_flag_goes_before_the_variable() {
    let program = Program::new("");
    let mut call = program.call(&["config", "path"]);
    call.env("WATCHKEEPER_CONFIG", "");
    let answer = said(call);
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    assert!(answer.stdout.contains("the default place"), "{answer:?}");
    let file = program.config_file();
    let answer = program.command(&["config", "path", "--config", file.to_str().unwrap()]);
    assert!(answer.stdout.contains("named by --config"), "{answer:?}");
}

#[test]
fn an_answer_that_cannot_be_written_says_so() {
    let program = Program::new("");
    let mut call = program.call(&["config", "default"]);
    call.stdout(fs::File::options().write(true).open("/dev/full").expect("the device that is always full"));
    let answer = call.stderr(std::process::Stdio::piped()).spawn().expect("it starts").wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&answer.stderr);
    assert_eq!(answer.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: cannot write the answer: "), "{said}");
}
