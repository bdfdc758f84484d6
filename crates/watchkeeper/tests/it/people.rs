//! What people say about incidents, through the running watch and without one.

use std::time::Duration;

use crate::burner::Burner;
use crate::program::Program;

const PATIENCE: Duration = Duration::from_secs(90);

/// One rule that a burning process breaks, and nobody who is told.
const CONFIGURATION: &str = r#"
[host]
name = "testhost"
time_zone = "Europe/Berlin"

[rules]
disable = ["host-cpu", "host-memory", "filesystem-full", "filesystem-full-critical"]

[[rule]]
id = "burner"
title = "A process takes a large part of the machine"
each = "process"
when = 'process.cpu.cores > 0.3'
for = "3s"
"#;

#[test]
fn an_acknowledgement_is_shown_with_who_and_their_note() {
    let program = Program::new(CONFIGURATION);
    let mut watch = program.run();
    let burner = Burner::start(program.folder());
    let pid = burner.pid();
    let mut ticket = String::new();
    program.wait_for(PATIENCE, "an incident", || {
        let listed = program.command(&["incidents", "list"]).stdout;
        let line = listed.lines().find(|line| line.contains(&format!("(pid {pid})")));
        ticket = line.and_then(|line| line.split_whitespace().next()).unwrap_or_default().to_owned();
        !ticket.is_empty()
    });

    let said = program.command(&["incidents", "ack", &ticket, "--note", "on it \u{1b}[31m", "--until", "2h"]);
    assert!(said.status.success(), "{said:?}");
    let me = said.stdout.split(" by ").nth(1).and_then(|rest| rest.split(" until ").next()).unwrap().to_owned();
    assert!(said.stdout.starts_with(&format!("incident {ticket} is acknowledged by {me} until 2")), "{said:?}");
    let shown = program.command(&["incidents", "show", &ticket]).stdout;
    assert!(shown.contains(&format!("  acknowledged by {me} until 2")), "{shown}");
    assert!(shown.contains(": on it \\u{1b}[31m\n"), "{shown}");
    let listed = program.command(&["incidents", "list"]).stdout;
    assert!(listed.contains(&format!(" [acknowledged by {me}]\n")), "{listed}");

    // A second one, of several where not all can be.
    let said = program.command(&["incidents", "ack", &ticket, "4711", "--by", "ada"]);
    assert_eq!(said.status.code(), Some(1));
    assert_eq!(said.stdout, format!("incident {ticket} is acknowledged by ada until it is over\n"));
    assert_eq!(said.stderr, "error: there is no incident 4711; `watchkeeper incidents list` shows them\n");

    // Without a watch the command writes it down itself.
    assert!(watch.terminate(Duration::from_secs(10)));
    let said = program.command(&["incidents", "ack", &ticket, "--by", "bob", "--json"]);
    assert!(said.status.success(), "{said:?}");
    let answer: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&answer[0]["acknowledged"], &answer[0]["by"]), (&true.into(), &"bob".into()));
    let shown = program.command(&["incidents", "show", &ticket, "--json"]).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let names: Vec<_> = shown["acknowledgements"].as_array().unwrap().iter().map(|one| &one["by"]).collect();
    assert_eq!(names, [me.as_str(), "ada", "bob"]);
}

#[test]
fn an_acknowledgement_that_makes_no_sense_is_refused_with_a_sentence() {
    let program = Program::new(CONFIGURATION);
    for (arguments, code, sentence) in [
        (&["ack"][..], 2, "<TICKET>"),
        (&["ack", "0"], 2, "0 is not in 1.."),
        (&["ack", "1", "--until", "soon"], 2, "error: --until: `soon` is not a time; write a length such as 2h"),
        (&["ack", "1", "--until", "2020-01-01"], 2, "name a time to come"),
        (&["ack", "1", "--note", " "], 1, "error: the note is empty\n"),
        (&["ack", "1"], 1, "error: there is no incident 1; `watchkeeper incidents list` shows them\n"),
    ] {
        let said = program.command(&[&["incidents"], arguments].concat());
        assert_eq!(said.status.code(), Some(code), "{arguments:?} {said:?}");
        assert!(said.stderr.contains(sentence) && said.stdout.is_empty(), "{arguments:?} {said:?}");
    }
}
