//! Very many alerts at once.

use watchkeeper_core::IncidentEvent;

use super::*;
use crate::scenes::{START_MS, Story, left_behind, process, rule, settings};

fn events(changes: &[Change]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for change in changes {
        if let Change::Incident { event, .. } = change {
            *counts.entry(event.word()).or_default() += 1;
        }
    }
    counts
}

fn held() -> Story {
    Story::new(&[rule("held", "process.memory.usage > \"512kB\"", "0s")])
}

#[test]
fn five_thousand_processes_of_one_program_are_one_incident() {
    let mut story = held();
    for pid in 2..5_002 {
        story.machine.add(process(pid, "bomb"));
    }
    story.ticks(1);
    assert_eq!(events(&story.changes), [("opened", 1)].into());
    assert!(story.ticks(100).is_empty());
    let incident = story.analyzer.open_incidents()[0].clone();
    assert_eq!((incident.times, incident.joined.len(), incident.alerts.len()), (5_000, 100, 101));
    assert_eq!(incident.course.storm_ms, None);
    story.restart(5_000);
    assert_eq!(story.analyzer.open_incidents()[0].times, 5_000);
    story.machine.snapshot.processes = Some(Vec::new());
    story.changes.clear();
    story.ticks(1);
    assert_eq!(events(&story.changes), [("ended", 1)].into());
}

#[test]
fn five_thousand_programs_at_once_are_a_storm_and_each_has_its_incident() {
    let mut story = held();
    for pid in 2..5_002 {
        story.machine.add(process(pid, &format!("program{pid}")));
    }
    story.ticks(1);
    assert_eq!(events(&story.changes), [("opened", 5_000)].into());
    let open = story.analyzer.open_incidents();
    assert!(open.iter().all(|incident| incident.course.storm_ms == Some(START_MS + 1_000)));
    story.changes.clear();
    story.machine.snapshot.processes = Some(Vec::new());
    story.ticks(1);
    assert_eq!(events(&story.changes), [("ended", 5_000)].into());
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn what_opened_before_a_storm_was_seen_to_be_one_belongs_to_it() {
    let mut story = held();
    for pid in 2..62 {
        story.machine.add(process(pid, &format!("program{pid}")));
        story.ticks(if pid == 2 { 61 } else { 2 });
    }
    let in_it = story.analyzer.open_incidents().iter().filter(|one| one.course.storm_ms.is_some()).count();
    assert_eq!(in_it, 59, "all but the first, which was a minute earlier");
    assert_eq!(events(&story.changes)["storm"], 20);
    let marked = story.changes.iter().filter_map(|change| match change {
        Change::Incident { event: IncidentEvent::Storm, incident, .. } => incident.course.storm_ms,
        _ => None,
    });
    let marked: Vec<i64> = marked.collect();
    assert!(marked.windows(2).all(|two| two[0] == two[1]), "{marked:?}");
}

#[test]
fn a_restart_knows_what_belongs_to_a_storm() {
    let mut story = held();
    for pid in 2..32 {
        story.machine.add(process(pid, &format!("program{pid}")));
    }
    story.ticks(1);
    let analyzer =
        Analyzer::new(settings(&[rule("held", "process.memory.usage > \"512kB\"", "0s")]), left_behind(&story.changes));
    assert!(analyzer.open_incidents().iter().all(|one| one.course.storm_ms == Some(START_MS + 1_000)));
}
