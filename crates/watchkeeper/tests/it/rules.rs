//! Rules of one's own in `rules.d`, and the commands that look at rules.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{Program, Said};

/// A rule that is right.
fn rule(id: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\nwhen = 'system.cpu.utilization > \"50%\"'\nfor = \"1m\"\n")
}

/// Puts a file into the folder of rules, written by us alone.
fn add(program: &Program, name: &str, text: &str) -> PathBuf {
    let folder = program.folder().join("rules.d");
    fs::create_dir_all(&folder).expect("a folder of rules");
    set_mode(&folder, 0o755);
    let path = folder.join(name);
    fs::write(&path, text).expect("a file of rules");
    set_mode(&path, 0o644);
    path
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
}

#[track_caller]
fn assert_refused(said: &Said, parts: &[&str]) {
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert_eq!(said.stdout, "");
    for part in parts {
        assert!(said.stderr.contains(part), "no `{part}` in\n{}", said.stderr);
    }
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

#[test]
fn rules_of_all_files_are_in_force_and_everywhere_to_be_seen() {
    let program = Program::new(&(rule("main") + "[rules]\ndisable = [\"host-cpu\"]\n"));
    let web = add(&program, "20-web.toml", &(rule("web") + &rule("web-off") + "enabled = false\n"));
    let db = add(&program, "10-db.toml", &rule("db"));
    add(&program, ".#10-db.toml", "what an editor leaves behind");
    add(&program, "10-db.toml~", "the same");
    add(&program, ".10-db.toml.swp", "the same");

    let checked = program.command(&["rules", "check"]);
    assert!(checked.status.success(), "{checked:?}");
    let counts = json(&program.command(&["rules", "check", "--json"]));
    let (in_force, off) = (counts["in_force"].as_u64().unwrap(), counts["off"].as_u64().unwrap());
    assert_eq!(checked.stdout, format!("{in_force} rules in force, {off} off, 4 own\n"));
    assert_eq!((counts["ok"].as_bool(), counts["own"].as_u64()), (Some(true), Some(4)));

    let listed = json(&program.command(&["rules", "list", "--json"]));
    let listed = listed.as_array().unwrap();
    let own: Vec<(&str, &str, &str, u64)> = listed
        .iter()
        .filter(|rule| rule["shipped"] == false)
        .map(|rule| {
            let text = |name: &str| rule[name].as_str().unwrap();
            (text("id"), text("state"), text("file"), rule["line"].as_u64().unwrap())
        })
        .collect();
    let main = program.config_file();
    let [main_file, db_file, web_file] = [&main, &db, &web].map(|path| path.to_str().unwrap());
    let expected = [
        ("main", "on", main_file, 1),
        ("db", "on", db_file, 1),
        ("web", "on", web_file, 1),
        ("web-off", "off", web_file, 5),
    ];
    assert_eq!(own, expected);
    let host_cpu = listed.iter().find(|rule| rule["id"] == "host-cpu").unwrap();
    assert_eq!((host_cpu["state"].as_str(), host_cpu["shipped"].as_bool()), (Some("off"), Some(true)));

    let path = program.command(&["config", "path"]).stdout;
    let rules = program.folder().join("rules.d/*.toml");
    let expected = format!(
        "{main_file}\n# named by WATCHKEEPER_CONFIG; it is used\n{db_file}\n{web_file}\n# rules in {}; 2 files are used\n",
        rules.display()
    );
    assert_eq!(path, expected);
    let shown = program.command(&["config", "show"]).stdout;
    for line in [
        format!("id = \"db\"  # {db_file}:2\n"),
        format!("# Files that were read:\n# - {main_file}\n# - {db_file}\n# - {web_file}\n"),
        "# - web (your own)\n".to_owned(),
    ] {
        assert!(shown.contains(&line), "no `{line}` in\n{shown}");
    }
    assert!(!shown.contains("# - web-off"), "{shown}");
    let checked = program.command(&["config", "check"]).stdout;
    assert!(checked.contains(&format!("\nrules.d:  {db_file}\n          {web_file}\n")), "{checked}");
}

#[test]
fn all_mistakes_are_said_at_once_and_to_programs_as_json() {
    let program = Program::new("[[rule]]\nid = \"twice\"\nwhen = 'nonsense > 1'\n");
    let a = add(&program, "a.toml", "[[rule]]\nid = \"twice\"\nwhen = 'system.cpu.utilization > \"50%\"'\n");
    let b = add(&program, "b.toml", "[[route]]\nto = []\n");
    let checked = program.command(&["rules", "check"]);
    let [main, a, b] = [program.config_file(), a, b].map(|path| path.display().to_string());
    assert_refused(
        &checked,
        &[
            &format!("--> {main}:3:9\n"),
            &format!("--> {a}:2:6\n"),
            &format!("= first: {main}:2:6\n"),
            &format!("--> {b}:1:3\n"),
            &format!("= help: write it into {main}; a file of rules holds nothing but [[rule]] tables\n"),
        ],
    );
    assert_eq!(checked.stderr.matches("error: ").count(), 3, "{}", checked.stderr);
    // Whatever needs the configuration says the same.
    assert_eq!(program.command(&["config", "check"]).stderr, checked.stderr);
    assert_eq!(program.command(&["run"]).stderr, checked.stderr);

    let said = program.command(&["rules", "check", "--json"]);
    assert_eq!((said.status.code(), said.stderr.as_str()), (Some(2), ""));
    let answer = json(&said);
    assert_eq!(answer["ok"], false);
    let problems = answer["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 3, "{answer:#}");
    let twice = problems.iter().find(|problem| problem["key"] == "rule.0.id").unwrap();
    assert_eq!((twice["in"].as_str(), twice["line"].as_u64(), twice["column"].as_u64()), (Some(&*a), Some(2), Some(6)));
    assert_eq!(twice["first"], format!("{main}:2:6"));
}

#[test]
fn files_are_checked_as_if_they_lay_in_the_folder() {
    let program = Program::new(&rule("main"));
    let there = add(&program, "there.toml", &rule("there"));
    let other = program.folder().join("other.toml");
    fs::write(&other, rule("other")).unwrap();
    let check = |paths: &[&Path]| {
        let mut arguments = vec!["rules", "check"];
        arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
        program.command(&arguments)
    };
    let good = check(&[&other]);
    assert!(good.stdout.ends_with(", 3 own\n"), "{good:?}");
    let good = check(&[&there, &other]);
    assert!(good.stdout.ends_with(", 3 own\n"), "what lies there is there once: {good:?}");
    fs::write(&other, rule("there")).unwrap();
    assert_refused(&check(&[&other]), &["the id `there` is used twice", &format!("first: {}:2:6", there.display())]);
    fs::write(&other, "[[rule]]\nid = \"x\"\nwhen = 'system.cpu.utilization > \"50%\"'\nfor = \"2s\"\n").unwrap();
    assert_refused(&check(&[&other]), &["under three collection intervals of 1s"]);
    let nowhere = program.folder().join("nowhere.toml");
    assert_refused(&check(&[&nowhere]), &["the file of rules", "nowhere.toml does not exist"]);
}

#[test]
fn one_rule_is_shown_in_full_and_an_unknown_one_is_suggested() {
    let program = Program::new("");
    let shown = program.command(&["rules", "list", "host-cpu"]);
    assert!(shown.stdout.starts_with("host-cpu: CPU almost fully used\n"), "{shown:?}");
    assert!(shown.stdout.contains("  runbook     docs/rules/host-cpu.md\n"), "{shown:?}");
    assert!(shown.stdout.contains("\n# host-cpu\n") && shown.stdout.contains("\n## What to do\n"), "{shown:?}");
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
    let unknown = program.command(&["rules", "list", "host-cqu"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(unknown.stderr, "error: there is no rule `host-cqu`; did you mean `host-cpu`?\n");
    let table = program.command(&["rules", "list"]).stdout;
    assert!(table.starts_with("RULE ") && !table.contains('\u{1b}'), "{table}");
}

#[test]
fn without_a_configuration_file_the_folder_beside_its_place_counts() {
    let program = Program::new("");
    let home = program.folder().join("home");
    let platform = home.join(".config/watchkeeper/rules.d");
    fs::create_dir_all(&platform).unwrap();
    fs::write(platform.join("a.toml"), rule("at-home")).unwrap();
    let mut call = program.call(&["rules", "list", "--json"]);
    call.env_remove("WATCHKEEPER_CONFIG").env("HOME", &home);
    let said = crate::program::said(call);
    let is_there = json(&said).as_array().unwrap().iter().any(|rule| rule["id"] == "at-home");
    // For root the folder of the machine counts.
    assert_eq!(is_there, !rustix::process::geteuid().is_root(), "{said:?}");
}

/// Makes the file of rules or its folder unsafe or unreadable.
type Spoil = fn(&Path, &Path);

#[test]
fn as_root_no_rule_is_read_that_others_can_write() {
    assert!(rustix::process::geteuid().is_root(), "this test changes owners and needs root");
    let cases: [(&str, Spoil, &[&str]); 8] = [
        (
            "file writable by all",
            |file, _| set_mode(file, 0o666),
            &["others can write the file of rules", "chmod go-w "],
        ),
        (
            "file of a user",
            |file, _| chown(file, Some(65_534), None).unwrap(),
            &["belongs to user 65534", "chown root "],
        ),
        ("folder writable by all", |_, folder| set_mode(folder, 0o777), &["the folder of rules", "chmod go-w "]),
        (
            "folder of a user",
            |_, folder| chown(folder, Some(65_534), None).unwrap(),
            &["the folder of rules", "chown root "],
        ),
        (
            "an empty folder writable by all",
            |file, folder| {
                fs::remove_file(file).unwrap();
                set_mode(folder, 0o777);
            },
            &["others can write the folder of rules", "chmod go-w "],
        ),
        (
            "a link into a folder writable by all",
            |file, folder| {
                let open = folder.parent().unwrap().join("open");
                fs::create_dir(&open).unwrap();
                fs::rename(file, open.join("real")).unwrap();
                set_mode(&open, 0o777);
                symlink(open.join("real"), file).unwrap();
            },
            &["the folder above the file of rules", "/open", "chmod go-w "],
        ),
        (
            "a link that leads nowhere",
            |file, _| {
                fs::remove_file(file).unwrap();
                symlink("nowhere", file).unwrap();
            },
            &["the file of rules", "does not exist"],
        ),
        (
            "a pipe",
            |file, _| {
                fs::remove_file(file).unwrap();
                assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
            },
            &["is not a regular file"],
        ),
    ];
    for (name, spoil, parts) in cases {
        let program = Program::new("");
        let file = add(&program, "a.toml", &rule("a"));
        let good = program.command(&["rules", "check"]);
        assert!(good.status.success(), "{name}: {good:?}");
        spoil(&file, file.parent().unwrap());
        assert_refused(&program.command(&["rules", "check"]), parts);
    }
}
