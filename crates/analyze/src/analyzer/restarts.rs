//! Restarts of the watch: what goes on, what begins anew, what ends.

use watchkeeper_core::Entity;
use watchkeeper_core::port::{Durability, Receipt};
use watchkeeper_core::quantity::Span;

use super::stories::{BUSY, HOUR_MS, busy_for, fired, resolved};
use super::*;
use crate::scenes::{Story, burning, left_behind, lines, process, rule, settings};

#[test]
fn a_restart_goes_on_with_for_and_does_not_count_the_gap() {
    let mut story = busy_for("30s");
    story.machine.cpu(Some(1.0));
    story.ticks(21);
    assert!(story.restart(60_000).is_empty());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 1, firing: 0, recovering: 0 });
    assert!(story.ticks(9).is_empty());
    assert_eq!(story.ticks(1), fired());
}

#[test]
fn a_watch_that_ends_in_order_loses_nothing_of_for_and_a_killed_one_ten_seconds_at_the_most() {
    for (in_order, left) in [(true, 2), (false, 10)] {
        let mut story = busy_for("30s");
        story.machine.cpu(Some(1.0));
        story.ticks(29);
        let told = if in_order { story.stop_and_start(60_000) } else { story.restart(60_000) };
        assert!(told.is_empty(), "{told:?}");
        let told = story.ticks(left - 1);
        assert!(!told.contains(&fired()[0]), "{in_order}: {told:?}");
        assert_eq!(story.ticks(1), fired(), "{in_order}");
    }
}

#[test]
fn a_watch_that_ends_in_order_loses_nothing_of_keep_firing() {
    let keeps = crate::RuleConfig { keep_firing: Span::parse("30s").unwrap(), ..rule("busy", BUSY, "0s") };
    let mut story = Story::new(&[keeps]);
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    story.machine.cpu(Some(0.0));
    story.ticks(29);
    let before = story.analyzer.waiting();
    assert!(matches!(&before[..], [Change::Alert(alert)] if alert.observed_ms == 28_000), "{before:?}");
    assert!(story.stop_and_start(60_000).is_empty());
    assert!(story.ticks(1).is_empty());
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn after_a_long_gap_for_begins_anew() {
    for later_ms in [400_000, -400_000] {
        let mut story = busy_for("30s");
        story.machine.cpu(Some(1.0));
        story.ticks(21);
        assert_eq!(story.restart(later_ms), ["busy host inactive"]);
        assert_eq!(story.ticks(1), ["busy host pending"]);
        assert!(!story.ticks(29).contains(&fired()[0]));
        assert_eq!(story.ticks(1), fired());
    }
}

#[test]
fn a_restart_while_firing_keeps_firing_until_something_is_known() {
    let mut story = busy_for("5s");
    story.machine.cpu(Some(1.0));
    story.ticks(6);
    assert!(story.restart(HOUR_MS).is_empty());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 1, recovering: 0 });
    assert!(story.ticks(20).is_empty());
    assert!(story.restart(HOUR_MS).is_empty());
    story.machine.cpu(Some(0.0));
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn after_a_restart_what_is_pending_is_written_when_it_has_moved_on() {
    let mut story = busy_for("60s");
    story.machine.cpu(Some(1.0));
    story.ticks(21);
    story.restart(5_000);
    assert!(story.ticks(9).is_empty());
    assert_eq!(story.ticks(1), ["busy host pending"]);
}

#[test]
fn with_a_long_interval_a_pending_alert_outlives_three_intervals() {
    let slow = |interval_ms| {
        let rules = crate::compile(&[rule("busy", BUSY, "1d")], interval_ms).unwrap();
        Settings { rules, ..settings(&[]) }
    };
    for (later_ms, pending) in [(30 * 60_000, 1), (30 * 60_000 + 1, 0)] {
        let mut story = busy_for("1d");
        story.machine.cpu(Some(1.0));
        story.ticks(1);
        let state = left_behind(&story.changes);
        story.analyzer = Analyzer::new(slow(10 * 60_000), state);
        let snapshot = story.machine.first_look(later_ms);
        story.look(&snapshot);
        assert_eq!(story.analyzer.counts().pending, pending, "{later_ms}");
    }
}

#[test]
fn a_reload_that_watches_something_else_one_by_one_ends_alerts_and_ranks_anew() {
    let when = "process.disk.io.read > \"1kB/s\"";
    let mut story = Story::new(&[rule("busy", BUSY, "0s")]);
    let mut reader = process(7, "cat");
    reader.io = Some(watchkeeper_core::snapshot::ProcessIo { read_bytes: 1 << 20, written_bytes: 0 });
    story.machine.add(reader);
    story.ticks(60);
    story.reload(&[rule("reads", when, "0s")]);
    assert_eq!(story.ticks(1)[0], "reads 7@107 firing");
    // The minutes before the reload did not count what was read; they are no comparison.
    assert!(story.analyzer.open_incidents()[0].evidence.changes.is_empty());
    story.ticks(120);
    story.machine.process(7).io.as_mut().unwrap().read_bytes = 3 << 20;
    story.ticks(60);
    let by_program = crate::RuleConfig { each: Some("program".to_owned()), ..rule("reads", when, "0s") };
    assert_eq!(story.reload(&[by_program])[0], "reads 7@107 ended");
    story.ticks(1);
    let evidence = story.analyzer.open_incidents()[0].evidence.clone();
    assert_eq!(evidence.entity, Entity::Program("cat".to_owned()));
    assert_eq!(evidence.ranked_by.unwrap().metric, "process.disk.io.read");
    assert_eq!(evidence.changes.len(), 1, "what was read since the first reload is compared");
}

#[test]
fn a_reload_keeps_what_goes_on_and_ends_the_rest() {
    let both = [rule("busy", BUSY, "5s"), rule("hog", "process.memory.usage > \"512kB\"", "5s")];
    let mut story = Story::new(&both);
    story.machine.cpu(Some(1.0));
    story.machine.add(burning(0.4, process(7, "yes")));
    story.ticks(3);
    assert!(story.reload(&both).is_empty());
    let told = story.ticks(3);
    assert!(told.contains(&"busy host firing".to_owned()) && told.contains(&"hog 7@107 firing".to_owned()), "{told:?}");
    assert_eq!(
        story.reload(&both[..1]),
        ["hog 7@107 ended", "ended: process.memory.usage above 500.0 KiB: yes (pid 7)"]
    );
    assert!(story.ticks(3).is_empty());
    // The same name for something else is something else.
    let told = story.reload(&[rule("busy", "system.memory.utilization > \"90%\"", "5s")]);
    assert_eq!(told, ["busy host ended", "ended: system.cpu.utilization above 90.0 %"]);
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn a_reload_removes_pending_alerts_of_rules_that_are_gone() {
    let mut story = busy_for("5s");
    story.machine.cpu(Some(1.0));
    story.ticks(3);
    assert_eq!(story.reload(&[]), ["busy host inactive"]);
}

#[test]
fn a_threshold_that_moved_is_judged_at_the_next_tick() {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(0.91));
    story.ticks(1);
    assert!(story.reload(&[rule("busy", "system.cpu.utilization > \"97%\"", "0s")]).is_empty());
    assert_eq!(story.ticks(1)[0], "busy host resolved");
}

#[test]
fn an_alert_whose_rule_went_away_between_two_watches_ends() {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    let state = left_behind(&story.changes);
    let mut analyzer = Analyzer::new(settings(&[]), state);
    assert!(analyzer.reload(settings(&[])).is_empty(), "nobody knows what time it is");
    let changes = analyzer.step(&story.machine.tick());
    assert_eq!(lines(&changes), ["busy host ended", "ended: system.cpu.utilization above 90.0 %"]);
    assert!(analyzer.step(&story.machine.tick()).is_empty());
}

#[test]
fn an_incident_that_no_alert_holds_open_ends() {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    let mut state = left_behind(&story.changes);
    state.alerts.clear();
    story.machine.cpu(Some(0.0));
    let mut analyzer = Analyzer::new(settings(&[rule("busy", BUSY, "0s")]), state);
    let changes = analyzer.step(&story.machine.tick());
    assert_eq!(lines(&changes), ["ended: system.cpu.utilization above 90.0 %"]);
}

#[test]
fn an_incident_keeps_the_number_and_the_evidence_it_was_stored_with() {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(1.0));
    let mut changes = story.analyzer.step(&story.machine.tick());
    let Change::Incident { incident, .. } = &mut changes[1] else { panic!("no incident") };
    incident.evidence.recurrence = watchkeeper_core::evidence::Known::Nothing;
    let (key, evidence) = (incident.key, incident.evidence.clone());
    let receipt = Receipt { tickets: vec![(key, 41)], durability: Durability::Disk };
    story.analyzer.committed(&changes, &receipt);
    assert_eq!(story.analyzer.open_incidents()[0].ticket, Some(41));
    story.machine.cpu(Some(0.0));
    let changes = story.analyzer.step(&story.machine.tick());
    let Change::Incident { incident, .. } = &changes[1] else { panic!("no incident") };
    assert_eq!((incident.ticket, &incident.evidence), (Some(41), &evidence));
}
