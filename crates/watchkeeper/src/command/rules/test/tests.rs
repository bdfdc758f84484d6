use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tests.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn played(text: &str) -> (String, usize) {
    let (_folder, path) = file(text);
    let played = play(&path, None, &Config::default()).unwrap_or_else(|error| panic!("{error}"));
    let failed = played.iter().filter(|(_, outcome)| !outcome.differences.is_empty()).count();
    (text::report(&played, failed), failed)
}

fn refused(text: &str) -> String {
    let (folder, path) = file(text);
    let error = play(&path, None, &Config::default()).unwrap_err().to_string();
    let separator = std::path::MAIN_SEPARATOR_STR;
    error.replace(&format!("{}{separator}", folder.path().display()), "FOLDER/")
}

#[test]
fn the_example_in_the_documentation_passes() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/rules-test.toml"));
    let played = play(path, None, &Config::default()).unwrap_or_else(|error| panic!("{error}"));
    let text = text::report(&played, 0);
    assert!(played.iter().all(|(_, outcome)| outcome.differences.is_empty()), "{text}");
    assert!(played.len() >= 3, "{text}");
    let one = play(path, Some("program"), &Config::default()).unwrap();
    assert_eq!(one.len(), 1);
    let none = play(path, Some("nothing like it"), &Config::default()).unwrap_err().to_string();
    assert!(none.contains("no test of "), "{none}");
}

#[test]
fn a_shipped_rule_is_tested_by_its_id_and_what_differs_is_told_with_times() {
    let (text, failed) = played(
        r#"
        [[rule]]
        id = "busy"
        when = 'system.cpu.utilization > "90%"'
        for = "1m"
        [[test]]
        name = "too early"
        [[test.series]]
        metric = "system.cpu.utilization"
        values = "50%x10 95%x100"
        [[test.expect]]
        at = "1m"
        firing = ["busy"]
        [[test.expect]]
        at = "1m10s"
        firing = []
        [[test]]
        name = "a shipped rule"
        [[test.series]]
        metric = "system.memory.utilization"
        values = "50%x10"
        [[test.expect]]
        at = "5s"
        firing = []
        "#,
    );
    assert_eq!(failed, 1);
    assert_eq!(
        text,
        "\
FAILED  too early
        at 1m: firing should be busy, and it is nothing; busy is pending
        at 1m10s: firing should be nothing, and it is busy
        what happened:
                 10s  busy pending
               1m10s  busy firing
ok      a shipped rule
2 tests, 1 failed
"
    );
}

#[test]
fn all_mistakes_of_a_file_are_shown_at_their_places() {
    let said = refused(
        r#"[[rule]]
id = "short"
when = 'system.cpu.utilization > "90%"'
for = "2s"
[[test]]
name = ""
rules = ["short"]
[[test.series]]
metric = "process.thread.count"
values = "1x5 many"
[[test.expect]]
at = "1s"
firing = ["short", "shorter"]
[[test]]
name = "other"
rules = ["host-cpuu"]
"#,
    );
    for expected in [
        "`for` of 2s is under three collection intervals of 1s\n --> FOLDER/tests.toml:4:7",
        "there is no rule with the id `host-cpuu`\n  --> FOLDER/tests.toml:16:10",
        "= help: did you mean `host-cpu`?",
        "the test has no name",
        "`process.thread.count` belongs to a process\n --> FOLDER/tests.toml:9:10",
        "`many` is not a count\n  --> FOLDER/tests.toml:10:15",
        "the test expects nothing",
    ] {
        assert!(said.contains(expected), "{expected}\n---\n{said}");
    }
    let said = refused("rule_files = [\"nowhere.toml\"]\n[[test]]\nname = \"x\"\n");
    assert!(said.contains("the file of rules FOLDER/nowhere.toml does not exist"), "{said}");
    assert!(refused("").contains("there are no tests in it"));
    assert!(refused("[[test]\n").contains("--> FOLDER/tests.toml:1:"));
}

#[test]
fn a_rule_of_the_file_comes_before_one_of_a_file_of_rules_and_that_before_the_shipped_one() {
    let (folder, path) = file(
        r#"
        rule_files = ["rules.toml"]
        [[rule]]
        id = "first"
        when = 'system.cpu.utilization > "1%"'
        [[test]]
        name = "who counts"
        rules = ["first", "host-cpu"]
        [[test.series]]
        metric = "system.cpu.utilization"
        values = "50%x3"
        [[test.expect]]
        at = "1s"
        firing = ["first", "host-cpu"]
        "#,
    );
    let rules = "[[rule]]\nid = \"first\"\nwhen = 'system.cpu.utilization > \"99%\"'\n\
                 [[rule]]\nid = \"host-cpu\"\nwhen = 'system.cpu.utilization > \"2%\"'\n";
    std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
    let played = play(&path, None, &Config::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(played[0].1.differences, []);
    std::fs::write(folder.path().join("rules.toml"), "[[rule]]\nid = \"x\"\nwhen = '1'\n").unwrap();
    let error = play(&path, None, &Config::default()).unwrap_err().to_string();
    assert!(error.contains("rules.toml:3:9"), "{error}");
}
