//! What people say about incidents, through the running watch and without one.

use std::time::Duration;

use crate::burner::{self, Burner};
use crate::peer::{Authority, Peer};
use crate::program::Program;
use crate::watch::configuration;

const PATIENCE: Duration = Duration::from_secs(90);

/// One rule that a burning process breaks, and nobody who is told.
fn told_nobody() -> String {
    format!("{}for = \"3s\"\n", burner::rule())
}

#[test]
fn an_acknowledgement_is_shown_with_who_and_their_note() {
    let program = Program::new(&told_nobody());
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
    let program = Program::new(&told_nobody());
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

#[test]
fn a_silenced_incident_is_told_when_the_silence_is_ended() {
    let authority = Authority::new();
    let peer = Peer::start(&authority, 0, "ok");
    let program = Program::new(&configuration(&authority, peer.port()));
    // Without a watch the command writes it down itself.
    let arguments =
        ["incidents", "silence", "--rule", "burner", "--for", "1h", "--comment", "new disks", "--by", "ada"];
    let said = program.command(&arguments);
    assert!(said.stdout.starts_with("silence 1 is in force until 2"), "{said:?}");
    let mut watch = program.run();
    let burner = Burner::start(program.folder());
    let pid = burner.pid();
    let mut shown = String::new();
    program.wait_for(PATIENCE, "a message that waits", || {
        let listed = program.command(&["incidents", "list"]).stdout;
        let line = listed.lines().find(|line| line.contains(&format!("(pid {pid})")));
        let Some(ticket) = line.and_then(|line| line.split_whitespace().next()) else { return false };
        assert!(listed.ends_with("\n1 silence is in force; `watchkeeper incidents silence --list` shows it\n"));
        shown = program.command(&["incidents", "show", ticket]).stdout;
        // The end of the silence, an hour from its beginning, not the second that its group waits.
        let until = said.stdout.split(" until ").nth(1).and_then(|rest| rest.split(": ").next()).unwrap();
        shown.contains(&format!("(opened), waits until {until}"))
    });
    assert!(peer.mails().is_empty(), "silenced, and told all the same");
    let listed = program.command(&["incidents", "silence", "--list"]).stdout;
    assert!(listed.contains("  ada           rule == \"burner\": new disks\n"), "{listed}");
    program.wait_for_status(PATIENCE, |status| status["outbox"]["silences"] == 1);

    // A second one, through the running watch, that it has nothing to do with.
    let said = program.command(&["incidents", "silence", "--rule", "other", "--for", "2h", "--comment", "x", "--json"]);
    let silence: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&silence["number"], &silence["matcher"]), (&2.into(), &"rule == \"other\"".into()));
    let said = program.command(&["incidents", "unsilence", "1"]);
    assert_eq!(said.stdout, "silence 1 has ended; 1 message waited for that\n", "{said:?}");
    let mail = peer.wait_for(PATIENCE, |mail| mail.text.contains(&format!("(pid {pid})")));
    assert!(mail.subject.contains("CRITICAL") && !mail.subject.contains("delayed"), "{}", mail.subject);
    let said = program.command(&["incidents", "unsilence", "1"]);
    assert!(said.status.code() == Some(1) && said.stderr.starts_with("error: silence 1 ended 2"), "{said:?}");
    drop(burner);
    assert!(watch.terminate(Duration::from_secs(10)));
}

#[test]
fn a_silence_that_makes_no_sense_is_refused_with_a_sentence() {
    let program = Program::new(&told_nobody());
    for (arguments, code, sentence) in [
        (&["silence"][..], 2, "error: which incidents? name them with --rule"),
        (&["silence", "--rule", "x", "--for", "2h", "--comment", " "], 1, "error: the comment is empty\n"),
        (
            &["silence", "--rule", "x", "--for", "31d", "--comment", "x"],
            2,
            "error: --for: a silence lasts at most 30d; ",
        ),
        (&["silence", "--match", "rul == 1", "--for", "1h", "--comment", "x"], 2, "did you mean `rule`?"),
        (&["unsilence", "7"], 1, "error: there is no silence 7; `watchkeeper incidents silence --list` shows"),
    ] {
        let said = program.command(&[&["incidents"], arguments].concat());
        assert_eq!(said.status.code(), Some(code), "{arguments:?} {said:?}");
        assert!(said.stderr.contains(sentence) && said.stdout.is_empty(), "{arguments:?} {said:?}");
    }
    assert_eq!(program.command(&["incidents", "silence", "--list"]).stdout, "no silences\n");
}
