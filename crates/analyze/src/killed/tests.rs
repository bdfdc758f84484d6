use watchkeeper_core::snapshot::{Exited, Process, ProcessMemory};
use watchkeeper_core::text::culprit_sentence;
use watchkeeper_core::{Incident, ProcessState};

use crate::scenes::{Story, process, rule};

const MIB: u64 = 1 << 20;

fn holding(mib: u64, mut process: Process) -> Process {
    process.memory = Some(ProcessMemory { resident_bytes: mib * MIB, virtual_bytes: 8 << 30 });
    process
}

/// A database that holds much, a hog that holds less, and a shell.
fn story(when: &str, hold: &str) -> Story {
    let mut story = Story::new(&[rule("oom", when, hold)]);
    story.machine.snapshot.host.counters.oom_kills = Some(0);
    story.machine.add(holding(4_096, process(30, "postgres")));
    story.machine.add(holding(64, process(40, "hog")));
    story.machine.add(holding(2, process(35, "sh")));
    story.machine.process(40).parent = 35;
    story.ticks(3);
    story
}

fn exited(process: &Process) -> Exited {
    Exited {
        key: process.key,
        parent: process.parent,
        image: process.image.clone(),
        uid: process.uid,
        ts_ms: 0,
        code: None,
        signal: None,
        cpu: None,
        faults: None,
        io: None,
        network: None,
    }
}

fn end(story: &mut Story, pid: u32) {
    let last = exited(story.machine.process(pid));
    story.machine.remove(pid);
    story.machine.snapshot.exited.push(last);
}

fn incident(story: &Story) -> Incident {
    let incidents = story.analyzer.open_incidents();
    assert_eq!(incidents.len(), 1);
    incidents[0].clone()
}

fn top(incident: &Incident) -> Vec<(&str, u64)> {
    let mib = |value: f64| value as u64 / MIB;
    incident.evidence.top.iter().map(|one| (one.program.as_str(), mib(one.amount.value))).collect()
}

const KILLS: &str = "system.linux.oom_kills > 0";

#[test]
fn who_was_killed_is_named_with_what_it_held_before() {
    let mut story = story(KILLS, "0s");
    end(&mut story, 40);
    // Something else ended in the same tick.
    end(&mut story, 35);
    story.machine.snapshot.host.counters.oom_kills = Some(1);
    assert_eq!(story.ticks(1).len(), 2);
    let incident = incident(&story);
    assert_eq!(top(&incident), [("hog", 64), ("postgres", 4_096), ("sh", 2)]);
    assert_eq!(
        culprit_sentence(&incident.evidence).as_deref(),
        Some("hog (pid 40) took 0.8 % of this machine's memory before the kill")
    );
    assert_eq!(incident.evidence.lineage, ["hog"], "its shell has ended too");
}

#[test]
fn who_is_killed_may_still_be_there_as_a_zombie_or_with_its_memory_taken_back() {
    let zombie = |process: &mut Process| (process.state, process.memory) = (Some(ProcessState::Zombie), None);
    let reaped = |process: &mut Process| *process = holding(1, process.clone());
    for (name, change) in [("zombie", zombie as fn(&mut Process)), ("reaped", reaped)] {
        let mut story = story(KILLS, "0s");
        change(story.machine.process(40));
        story.machine.snapshot.host.counters.oom_kills = Some(1);
        story.ticks(1);
        let incident = incident(&story);
        assert_eq!(top(&incident)[0], ("hog", 64), "{name}");
        assert_eq!(incident.evidence.lineage, ["hog", "sh"], "{name}");
    }
}

#[test]
fn whom_the_kernel_names_comes_first_whatever_else_ended() {
    for (named, first) in [(Some(40), "hog"), (Some(35), "sh"), (None, "postgres"), (Some(4_711), "postgres")] {
        let mut story = story(KILLS, "0s");
        for pid in [30, 35, 40] {
            end(&mut story, pid);
        }
        story.machine.snapshot.host.counters.oom_kills = Some(1);
        story.machine.snapshot.host.oom_victim = named;
        story.ticks(1);
        assert_eq!(top(&incident(&story))[0].0, first, "{named:?}");
    }
}

#[test]
fn who_ended_by_itself_was_not_killed() {
    for (code, signal, first) in [(Some(0), None, "postgres"), (None, Some(15), "postgres"), (None, Some(9), "hog")] {
        let mut story = story(KILLS, "0s");
        end(&mut story, 40);
        (story.machine.snapshot.exited[0].code, story.machine.snapshot.exited[0].signal) = (code, signal);
        story.machine.snapshot.host.counters.oom_kills = Some(1);
        story.ticks(1);
        assert_eq!(top(&incident(&story))[0].0, first, "{code:?} {signal:?}");
    }
}

#[test]
fn as_many_are_named_first_as_were_killed() {
    let mut story = story(KILLS, "0s");
    end(&mut story, 40);
    end(&mut story, 35);
    story.machine.snapshot.host.counters.oom_kills = Some(2);
    story.ticks(1);
    assert_eq!(top(&incident(&story)), [("hog", 64), ("sh", 2), ("postgres", 4_096)]);
}

#[test]
fn an_alert_that_fires_later_still_names_who_was_killed() {
    let mut story = story("count(system.linux.oom_kills, \"10s\") > 0", "5s");
    story.ticks(10);
    end(&mut story, 40);
    story.machine.snapshot.host.counters.oom_kills = Some(1);
    story.ticks(1);
    story.machine.snapshot.exited.clear();
    story.machine.snapshot.host.counters.oom_kills = Some(0);
    assert_eq!(story.ticks(5).len(), 2);
    assert_eq!(top(&incident(&story))[0], ("hog", 64));
}
