//! A real watch that is recorded, and its replay.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::burner::{self, Burner};
use crate::program::Program;
use crate::shipped;

const PATIENCE: Duration = Duration::from_mins(1);

fn configuration() -> String {
    format!("[collect]\ninterval = \"500ms\"\n{}for = \"2s\"\n{}", burner::rule(), burner::OVER_AT_ONCE)
}

/// Whether an incident is about this process.
fn is_of(incident: &Value, pid: u32) -> bool {
    incident["evidence"]["entity"]["process"]["pid"] == pid
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn a_replay_tells_the_incidents_of_the_watch_with_their_evidence() {
    let program = Program::new(&configuration());
    let file = program.folder().join("night.zst");
    let name = file.to_str().unwrap();
    let mut watch = program.run_with(&["--recording", name]);
    assert!(program.log().contains(&format!("  recording   {name}")), "{}", program.log());
    let burner = Burner::start(program.folder());
    let pid = burner.pid();
    let incident = |event: &str| {
        let listed = program.command(&["incidents", "list", "--json"]).stdout;
        let all: Value = serde_json::from_str(&listed).ok()?;
        let found = all.as_array()?.iter().find(|one| is_of(one, pid))?.clone();
        (event == "opened" || found["closed_ms"].is_i64()).then_some(found)
    };
    program.wait_for(PATIENCE, "an incident", || incident("opened").is_some());
    drop(burner);
    program.wait_for(PATIENCE, "its end", || incident("closed").is_some());
    program.wait_for_status(PATIENCE, |status| status["recording"]["bytes"].as_u64() > Some(10_000));
    let told = program.command(&["status"]).stdout;
    assert!(told.contains(&format!("recording     {name}: ")), "{told}");
    assert!(watch.terminate(Duration::from_secs(10)));
    let stored = incident("closed").expect("the incident in the store");

    // Another configuration, even a broken one, is of no matter.
    program.configure("[[rule]]\nid = 7");
    let said = program.command(&["replay", name, "--json"]);
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    let closing = lines(&said.stdout).into_iter().rev().find(|change| {
        change["incident"]["event"] == "ended" && change["incident"]["incident"]["key"] == stored["key"]
    });
    let replayed = closing.expect("the end of the incident")["incident"]["incident"].clone();
    for part in ["key", "ticket", "title", "severity", "opened_ms", "closed_ms", "labels", "alerts", "evidence"] {
        assert_eq!(replayed[part], stored[part], "{part}");
    }
    let text = program.command(&["replay", name]).stdout;
    let sentence = format!("{} (pid {pid}) takes ", burner::name());
    assert!(text.contains(&sentence) && text.contains("  ENDED  #"), "{text}");
    assert!(text.contains(" of testhost, ") && text.contains("with 1 rule: "), "{text}");

    let misused = program.command(&["replay", name, "--rules", "current"]);
    assert_eq!(misused.status.code(), Some(2), "{misused:?}");
    program.configure(&format!("rules.{}", shipped::none()));
    let quiet = program.command(&["replay", name, "--rules", "current"]);
    assert!(quiet.stdout.contains("with 0 rules: no incident opened"), "{quiet:?}");

    let again = program.command(&["run", "--recording", name]);
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains("night.zst is there already and holds something; name a file"), "{again:?}");
}

#[test]
fn what_a_killed_watch_recorded_is_replayed_and_what_is_damaged_is_said() {
    let program = Program::new(&configuration());
    let file = program.folder().join("night.zst");
    let name = file.to_str().unwrap();
    let mut watch = program.run_with(&["--recording", name]);
    program.wait_for_status(PATIENCE, |status| status["recording"]["ticks"].as_u64() > Some(12));
    watch.kill();
    let said = program.command(&["replay", name]);
    assert!(said.status.success() && said.stdout.contains("Replayed "), "{said:?}");

    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    let said = program.command(&["replay", name]);
    assert!(said.status.success(), "{said:?}");
    let cut = "warning: the end of the recording is cut: the watch was killed, or is still recording\n";
    assert_eq!(said.stderr, cut);

    fs::write(&file, [bytes.as_slice(), b"more"].concat()).unwrap();
    let said = program.command(&["replay", name]);
    assert_eq!(said.status.code(), Some(1));
    assert!(said.stderr.contains("error: the replay ends early: the recording ") && said.stdout.contains("Replayed "));
    let said = program.command(&["replay", program.config_file().to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(1));
    assert!(said.stderr.contains("is no recording of `watchkeeper run --recording`: it is not compressed"), "{said:?}");
}
