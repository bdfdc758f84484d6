//! A watch that runs takes on what changes in its files, and keeps what it has while they are wrong.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Program, Watch};

/// A change is taken on within three seconds; a machine that is busy with other tests may take longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration without shipped rules, so that a busy machine fires nothing else.
fn quiet() -> String {
    let listed = Program::new("").command(&["rules", "list", "--json"]).stdout;
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("a list of rules");
    let on: Vec<&Value> = listed.iter().filter(|rule| rule["state"] == "on").map(|rule| &rule["id"]).collect();
    format!("[rules]\ndisable = {}\n", serde_json::to_string(&on).expect("a list of texts"))
}

/// A rule about memory that fires at once above this threshold.
fn memory(id: &str, threshold: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\nwhen = 'system.memory.utilization > \"{threshold}\"'\nseverity = \"info\"\n")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("the file is written");
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
}

fn in_force(program: &Program, count: u64) {
    program.wait_for_status(PATIENCE, |status| status["analyst"]["rules"].as_u64() == Some(count));
}

fn is_firing(program: &Program) -> bool {
    let said = program.command(&["status", "--json"]).stdout;
    let status: Value = serde_json::from_str(&said).expect("a status");
    status["analyst"]["firing"].as_u64() == Some(1)
}

fn reloads(program: &Program) -> usize {
    program.log().matches("the configuration was reloaded").count()
}

fn end(mut watch: Watch) {
    watch.kill();
}

#[test]
fn a_changed_threshold_takes_effect_without_being_asked() {
    let quiet = quiet();
    let program = Program::new(&format!("{quiet}{}", memory("memory", "99.99%")));
    let watch = program.run();
    in_force(&program, 1);
    assert!(!is_firing(&program));
    // As editors do it: another file takes its place.
    let new = program.folder().join("new.toml");
    write(&new, &format!("{quiet}{}", memory("memory", "0.01%")));
    fs::rename(&new, program.config_file()).unwrap();
    program.wait_for(PATIENCE, "the rule with its new threshold", || is_firing(&program));
    assert_eq!(reloads(&program), 1, "{}", program.log());
    end(watch);
}

#[test]
fn files_of_rules_come_and_go_while_the_watch_runs() {
    let program = Program::new(&quiet());
    let watch = program.run();
    in_force(&program, 0);
    let folder = program.folder().join("rules.d");
    fs::create_dir(&folder).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    write(&folder.join("a.toml"), &memory("a", "0.01%"));
    program.wait_for(PATIENCE, "a rule that fires", || is_firing(&program));
    write(&folder.join("b.toml"), &memory("b", "99.99%"));
    in_force(&program, 2);
    assert!(is_firing(&program), "what fires goes on over a reload");
    fs::remove_file(folder.join("a.toml")).unwrap();
    in_force(&program, 1);
    program.wait_for(PATIENCE, "the end of what the rule fired", || !is_firing(&program));
    end(watch);
}

#[test]
fn a_broken_file_keeps_the_old_rules_and_status_says_so_until_it_is_mended() {
    let quiet = quiet();
    let main = format!("{quiet}{}", memory("memory", "0.01%"));
    let program = Program::new(&main);
    let watch = program.run();
    program.wait_for(PATIENCE, "a rule that fires", || is_firing(&program));
    for broken in [format!("{quiet}{}", memory("memory", "0.01")), format!("{main}\n[[rule]\n"), "\"".to_owned()] {
        let before = program.log().matches("was not reloaded").count();
        write(&program.config_file(), &broken);
        program.wait_for_status(PATIENCE, |status| status["config_error"].is_string());
        let said = program.command(&["status"]);
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        let warning = "warning: the configuration on disk is not the one in force: ";
        let line = said.stdout.lines().find(|line| line.contains(warning)).unwrap_or_else(|| panic!("{said:?}"));
        assert!(line.contains("watchkeeper.toml:") && line.ends_with("`watchkeeper config check` shows all"), "{line}");
        assert!(said.stdout.contains("rules in force 1"), "{said:?}");
        assert!(is_firing(&program), "the old rules are in force");
        // Once for each change: two more looks say nothing.
        std::thread::sleep(Duration::from_millis(2_500));
        assert_eq!(program.log().matches("was not reloaded").count(), before + 1, "{}", program.log());
        write(&program.config_file(), &main);
        program.wait_for_status(PATIENCE, |status| status["config_error"].is_null());
        assert_eq!(program.command(&["status"]).status.code(), Some(0));
    }
    // What is on disk again was in force all the time.
    assert_eq!(reloads(&program), 0, "{}", program.log());
    assert_eq!(program.log().matches("is the one in force again").count(), 3, "{}", program.log());
    end(watch);
}

#[cfg(unix)]
#[test]
fn a_volume_of_a_container_is_swapped_as_a_whole() {
    use std::os::unix::fs::symlink;
    let (quiet, program) = (quiet(), Program::new(""));
    let volume = program.folder().join("etc");
    for (version, threshold) in [("v1", "99.99%"), ("v2", "0.01%")] {
        fs::create_dir_all(volume.join(version)).unwrap();
        write(&volume.join(version).join("watchkeeper.toml"), &format!("{quiet}{}", memory("memory", threshold)));
    }
    symlink("v1", volume.join("..data")).unwrap();
    fs::remove_file(program.config_file()).unwrap();
    symlink("etc/..data/watchkeeper.toml", program.config_file()).unwrap();
    let watch = program.run();
    in_force(&program, 1);
    symlink("v2", volume.join("..new")).unwrap();
    fs::rename(volume.join("..new"), volume.join("..data")).unwrap();
    program.wait_for(PATIENCE, "the rule of the new volume", || is_firing(&program));
    end(watch);
}
