//! Programs that begin anew again and again: one incident.

use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Entity, IncidentEvent};

use super::*;
use crate::RuleConfig;
use crate::scenes::{Story, burning, process, rule};

fn hog(hold: &str) -> RuleConfig {
    RuleConfig { keep_firing: Span::from_secs(60), ..rule("hog", "process.cpu.utilization > \"25%\"", hold) }
}

fn incidents(story: &Story) -> Vec<(IncidentEvent, u32)> {
    let event = |change: &Change| match change {
        Change::Incident { event, incident, .. } => Some((*event, incident.times)),
        Change::Alert(_) => None,
    };
    story.changes.iter().filter_map(event).collect()
}

/// The program runs for so many seconds and is gone for so many.
fn life(story: &mut Story, pid: u32, runs: usize, gone: usize) {
    story.machine.add(burning(0.4, process(pid, "worker")));
    story.ticks(runs);
    story.machine.remove(pid);
    story.ticks(gone);
}

#[test]
fn a_hundred_restarts_are_one_incident_with_one_beginning_and_one_end() {
    for (hold, runs, gone) in [("0s", 1, 1), ("5s", 10, 100), ("0s", 2, 299), ("5m", 310, 200)] {
        let mut story = Story::new(&[hog(hold)]);
        for restart in 0..100 {
            life(&mut story, 10 + restart, runs, gone);
            if restart == 50 {
                story.restart(2_000);
            }
        }
        story.ticks(301);
        let all = incidents(&story);
        let count = |event| all.iter().filter(|(other, _)| *other == event).count();
        assert_eq!(count(IncidentEvent::Opened), 1, "{hold} {runs} {gone}");
        assert_eq!(count(IncidentEvent::Severity) + count(IncidentEvent::Flapping), 0);
        assert_eq!(all.last(), Some(&(IncidentEvent::Ended, 100)), "{hold} {runs} {gone}");
        assert_eq!(count(IncidentEvent::Ended), 1);
        assert!(story.analyzer.open_incidents().is_empty());
    }
}

#[test]
fn the_evidence_is_that_of_the_first_process_and_the_end_that_of_the_last() {
    let mut story = Story::new(&[hog("0s")]);
    life(&mut story, 10, 1, 10);
    let evidence = story.analyzer.open_incidents()[0].evidence.clone();
    life(&mut story, 11, 1, 10);
    life(&mut story, 12, 1, 1);
    let ended_ms = story.machine.snapshot.at.ts_ms;
    story.ticks(300);
    let Some(Change::Incident { event, at_ms, incident }) = story.changes.last() else { panic!("no end") };
    assert_eq!((*event, incident.times, incident.closed_ms), (IncidentEvent::Ended, 3, Some(ended_ms)));
    assert_eq!(*at_ms, ended_ms + 300_000);
    assert_eq!(incident.evidence, evidence);
    assert!(matches!(incident.evidence.entity, Entity::Process(key) if key.pid == 10));
    assert_eq!(
        incident.joined.iter().map(|joined| joined.title.as_str()).collect::<Vec<_>>(),
        [
            "process.cpu.utilization above 25.0 %: worker (pid 11)",
            "process.cpu.utilization above 25.0 %: worker (pid 12)"
        ]
    );
}

#[test]
fn another_program_or_a_process_that_comes_late_is_another_incident() {
    let mut story = Story::new(&[hog("0s")]);
    life(&mut story, 10, 1, 1);
    story.machine.add(burning(0.4, process(20, "other")));
    story.ticks(1);
    assert_eq!(story.analyzer.open_incidents().len(), 2);
    story.ticks(300);
    story.machine.add(burning(0.4, process(11, "worker")));
    story.ticks(1);
    let all: Vec<_> = incidents(&story).into_iter().map(|(event, _)| event).collect();
    let [opened, ended] = [IncidentEvent::Opened, IncidentEvent::Ended];
    assert_eq!(all, [opened, opened, ended, opened]);
}

#[test]
fn a_process_that_is_about_to_fire_keeps_the_incident_open() {
    let mut story = Story::new(&[hog("10m")]);
    life(&mut story, 10, 601, 100);
    story.machine.add(burning(0.4, process(11, "worker")));
    story.ticks(601);
    assert_eq!(story.analyzer.open_incidents()[0].times, 2);
    story.machine.remove(11);
    story.ticks(100);
    story.machine.add(burning(0.4, process(12, "worker")));
    story.ticks(300);
    *story.machine.process(12) = process(12, "worker");
    let told = story.ticks(1);
    assert_eq!(told[0], "hog 12@112 inactive");
    assert!(told[1].starts_with("ended: "), "{told:?}");
}

#[test]
fn time_in_which_nobody_looked_does_not_count() {
    let mut story = Story::new(&[hog("0s")]);
    life(&mut story, 10, 1, 100);
    story.machine.snapshot.at.ts_ms += 8 * 3_600_000;
    story.machine.snapshot.at.suspended_ms += 8 * 3_600_000;
    story.machine.snapshot.flags = TickFlags::default().with(TickFlags::SUSPENDED);
    life(&mut story, 11, 1, 1);
    assert_eq!(story.analyzer.open_incidents()[0].times, 2);
}

#[test]
fn a_rule_that_is_to_be_over_at_once_waits_for_nothing() {
    let mut story = Story::new(&[RuleConfig { keep_firing: Span::default(), ..hog("0s") }]);
    life(&mut story, 10, 1, 1);
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn an_incident_that_waits_ends_with_its_rule() {
    let mut story = Story::new(&[hog("0s")]);
    life(&mut story, 10, 1, 1);
    assert_eq!(story.reload(&[]), ["ended: process.cpu.utilization above 25.0 %: worker (pid 10)"]);
}

#[test]
fn a_loop_without_end_leaves_a_bounded_history() {
    let mut story = Story::new(&[hog("0s")]);
    for restart in 0..1_000 {
        life(&mut story, 10 + restart, 1, 1);
    }
    let open = story.analyzer.open_incidents()[0].clone();
    assert_eq!((open.times, open.joined.len(), open.alerts.len(), open.course.about.len()), (1_000, 100, 101, 1));
    let joined = incidents(&story).into_iter().filter(|(event, _)| *event == IncidentEvent::Joined).count();
    // The first hundred, then one a minute with the number so far.
    assert!((125..=135).contains(&joined), "{joined}");
}

#[test]
fn a_watch_that_begins_while_an_incident_waits_waits_on() {
    let mut story = Story::new(&[hog("0s")]);
    life(&mut story, 10, 1, 100);
    assert!(story.restart(5_000).is_empty());
    life(&mut story, 11, 1, 1);
    let open = story.analyzer.open_incidents()[0].clone();
    assert_eq!((open.times, open.alerts.len()), (2, 2));
    story.restart(5_000);
    assert!(story.ticks(299).is_empty());
    assert!(story.ticks(1)[0].starts_with("ended: "));
}
