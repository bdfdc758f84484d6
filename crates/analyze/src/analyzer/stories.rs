//! Stories of single alerts.

use watchkeeper_core::snapshot::TickFlags;

use super::*;
use crate::scenes::{Machine, START_MS, Story, burning, nothing, process, rule, settings};

pub(super) const BUSY: &str = "system.cpu.utilization > \"90%\"";
pub(super) const HOUR_MS: i64 = 3_600_000;

pub(super) fn busy_for(hold: &str) -> Story {
    Story::new(&[rule("busy", BUSY, hold)])
}

pub(super) fn fired() -> Vec<String> {
    vec!["busy host firing".to_owned(), "opened: system.cpu.utilization above 90.0 %".to_owned()]
}

pub(super) fn resolved() -> Vec<String> {
    vec!["busy host resolved".to_owned(), "resolved: system.cpu.utilization above 90.0 %".to_owned()]
}

#[test]
fn a_condition_that_holds_long_enough_fires_and_resolves() {
    let mut story = busy_for("5s");
    assert!(story.ticks(3).is_empty());
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), ["busy host pending"]);
    assert!(story.ticks(4).is_empty());
    assert_eq!(story.ticks(1), fired());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 1, recovering: 0 });
    assert!(story.ticks(100).is_empty());
    story.machine.cpu(Some(0.5));
    assert_eq!(story.ticks(1), resolved());
    assert_eq!(story.analyzer.counts(), AlertCounts::default());
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn the_times_of_an_alert_are_those_of_its_ticks() {
    let mut story = busy_for("5s");
    story.machine.cpu(Some(1.0));
    story.ticks(6);
    let Some(Change::Incident { at_ms, incident, .. }) = story.changes.last() else { panic!("no incident") };
    assert_eq!(*at_ms, START_MS + 6_000);
    assert_eq!(incident.opened_ms, START_MS + 6_000);
    assert_eq!(incident.evidence.since_ms, START_MS + 1_000);
    assert_eq!(incident.evidence.fired_ms, START_MS + 6_000);
    assert_eq!(incident.host, "db1");
    assert_eq!(incident.labels["env"], "prod");
    let alert = story.changes.iter().rev().find_map(|change| match change {
        Change::Alert(alert) => Some(alert.clone()),
        Change::Incident { .. } => None,
    });
    let alert = alert.unwrap();
    assert_eq!(alert.incident, Some(incident.key));
    assert_eq!(incident.alerts, [alert.fingerprint]);
    assert_eq!((alert.observed_ms, alert.fired_ms, alert.ended_ms), (5_000, Some(START_MS + 6_000), None));
    story.machine.cpu(Some(0.0));
    story.ticks(1);
    let Some(Change::Incident { incident, .. }) = story.changes.last() else { panic!("no incident") };
    assert_eq!(incident.closed_ms, Some(START_MS + 7_000));
}

#[test]
fn without_for_the_first_sample_fires() {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), fired());
}

#[test]
fn one_sample_alone_does_not_fire() {
    let mut story = busy_for("5s");
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), ["busy host pending"]);
    story.machine.cpu(Some(0.1));
    assert_eq!(story.ticks(1), ["busy host inactive"]);
    assert!(story.ticks(10).is_empty());
}

#[test]
fn what_is_pending_is_written_every_ten_seconds() {
    let mut story = busy_for("30s");
    story.machine.cpu(Some(1.0));
    let told: Vec<usize> = (1..=31).filter(|_| !story.ticks(1).is_empty()).collect();
    assert_eq!(told, [1, 11, 21, 31]);
}

#[test]
fn unknown_freezes_for_and_does_not_resolve() {
    let mut story = busy_for("20s");
    story.machine.cpu(Some(1.0));
    story.ticks(11);
    story.machine.cpu(None);
    assert!(story.ticks(3).is_empty());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 1, firing: 0, recovering: 0 });
    story.machine.cpu(Some(1.0));
    assert!(!story.ticks(9).contains(&fired()[0]));
    assert_eq!(story.ticks(1), fired());
    story.machine.cpu(None);
    assert!(story.ticks(100).is_empty());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 1, recovering: 0 });
    story.machine.cpu(Some(0.1));
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn what_was_mostly_unknown_must_hold_until_four_fifths_are_known() {
    let mut story = busy_for("20s");
    story.machine.cpu(Some(1.0));
    story.ticks(11);
    story.machine.cpu(None);
    story.ticks(10);
    story.machine.cpu(Some(1.0));
    // 40 s known and 10 s unknown are the first four fifths.
    assert!(!story.ticks(29).contains(&fired()[0]));
    assert_eq!(story.ticks(1), fired());
}

#[test]
fn dropped_ticks_count_as_unobserved() {
    let mut story = busy_for("20s");
    story.machine.cpu(Some(1.0));
    story.ticks(11);
    story.machine.snapshot.dropped = 10;
    assert!(!story.ticks(29).contains(&fired()[0]));
    assert_eq!(story.ticks(1), fired());
}

#[test]
fn clock_steps_and_sleep_do_not_count() {
    for (name, wall_ms, slept_ms, flag) in [
        ("an hour ahead", HOUR_MS, 0, TickFlags::CLOCK_STEP),
        ("an hour back", -HOUR_MS, 0, TickFlags::CLOCK_STEP),
        ("eight hours asleep", 8 * HOUR_MS, 8 * HOUR_MS, TickFlags::SUSPENDED),
    ] {
        let mut story = busy_for("20s");
        story.machine.cpu(Some(1.0));
        story.ticks(11);
        story.machine.snapshot.at.ts_ms += wall_ms;
        story.machine.snapshot.at.suspended_ms += slept_ms;
        story.machine.snapshot.flags = TickFlags::default().with(flag);
        let told = story.ticks(9);
        assert!(!told.contains(&fired()[0]), "{name}: {told:?}");
        assert_eq!(story.ticks(1), fired(), "{name}");
        let evidence = &story.analyzer.open_incidents()[0].evidence;
        let held_ms = evidence.fired_ms - evidence.since_ms;
        assert_eq!(held_ms, 20_000 + slept_ms, "{name}");
    }
}

#[test]
fn what_fires_keeps_the_beginning_that_was_told() {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    story.machine.snapshot.at.ts_ms += HOUR_MS;
    story.machine.snapshot.flags = TickFlags::default().with(TickFlags::CLOCK_STEP);
    story.ticks(1);
    story.machine.cpu(Some(0.0));
    story.ticks(1);
    let [.., Change::Alert(alert), Change::Incident { incident, .. }] = story.changes.as_slice() else { panic!() };
    assert_eq!(alert.since_ms, START_MS + 1_000);
    assert_eq!(alert.since_ms, incident.evidence.since_ms);
}

#[test]
fn a_program_of_which_nothing_is_known_or_left_has_no_alert() {
    let each = |id: &str, when: &str| crate::RuleConfig { each: Some("program".to_owned()), ..rule(id, when, "0s") };
    let mut story =
        Story::new(&[each("small", "process.memory.usage < \"1kB\""), each("hog", "process.cpu.utilization > \"5%\"")]);
    let mut zombie = process(7, "child");
    zombie.state = Some(watchkeeper_core::ProcessState::Zombie);
    zombie.memory = None;
    story.machine.add(zombie);
    let short = burning(0.75, process(9, "cc1"));
    story.machine.snapshot.exited.push(watchkeeper_core::snapshot::Exited {
        key: short.key,
        parent: 1,
        image: short.image,
        uid: None,
        ts_ms: START_MS,
        code: None,
        signal: None,
        cpu: short.cpu,
        faults: None,
        io: None,
        network: None,
    });
    assert!(story.ticks(1).is_empty());
    // Beside a living process the last row of another one counts.
    story.machine.add(process(10, "cc1"));
    assert_eq!(story.ticks(1)[0], "hog cc1 firing");
}

#[test]
fn a_new_boot_is_no_step_of_the_clock() {
    let mut story = busy_for("20s");
    story.machine.cpu(Some(1.0));
    story.ticks(11);
    // A snapshot of another boot can follow in a replay; its clock counts from elsewhere.
    story.machine.snapshot.at.boot = watchkeeper_core::BootId(uuid::Uuid::from_u128(9));
    story.machine.snapshot.at.mono_ms = 5_000;
    story.machine.snapshot.flags = TickFlags::default().with(TickFlags::CLOCK_STEP);
    story.ticks(10);
    let evidence = &story.analyzer.open_incidents()[0].evidence;
    assert_eq!(evidence.since_ms, START_MS + 1_000);
}

#[test]
fn open_incidents_are_listed_oldest_first() {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"5%\"", "0s")]);
    for pid in 2..10 {
        story.machine.add(burning(0.1, process(pid, &format!("yes{pid}"))));
        story.ticks(1);
    }
    let opened: Vec<i64> = story.analyzer.open_incidents().iter().map(|incident| incident.opened_ms).collect();
    assert!(opened.is_sorted() && opened.len() == 8, "{opened:?}");
}

#[test]
fn a_process_that_ends_ends_its_alert() {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"25%\"", "3s")]);
    story.machine.add(burning(0.4, process(7, "yes")));
    assert_eq!(story.ticks(1), ["hog 7@107 pending"]);
    assert_eq!(story.ticks(3), ["hog 7@107 firing", "opened: process.cpu.utilization above 25.0 %: yes (pid 7)"]);
    story.machine.remove(7);
    assert_eq!(story.ticks(1), ["hog 7@107 ended", "ended: process.cpu.utilization above 25.0 %: yes (pid 7)"]);
}

#[test]
fn a_pending_alert_of_a_process_that_ends_is_forgotten() {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"25%\"", "3s")]);
    story.machine.add(burning(0.4, process(7, "yes")));
    story.ticks(2);
    story.machine.remove(7);
    assert_eq!(story.ticks(1), ["hog 7@107 inactive"]);
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"25%\"", "3s")]);
    story.machine.add(burning(0.4, process(7, "yes")));
    story.ticks(3);
    story.machine.process(7).key.start_ticks = 900;
    assert_eq!(story.ticks(1), ["hog 7@900 pending", "hog 7@107 inactive"]);
    assert!(story.ticks(2).is_empty());
    assert!(story.ticks(1)[0].starts_with("hog 7@900 firing"));
}

#[test]
fn a_list_that_cannot_be_read_ends_nothing() {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"25%\"", "3s")]);
    story.machine.add(burning(0.4, process(7, "yes")));
    story.ticks(4);
    let processes = story.machine.snapshot.processes.take();
    assert!(story.ticks(10).is_empty());
    story.machine.snapshot.processes = processes;
    assert!(story.ticks(10).is_empty());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 1, recovering: 0 });
}

#[test]
fn each_filesystem_has_an_alert_of_its_own() {
    let mut story = Story::new(&[rule("full", "system.filesystem.utilization > \"90%\"", "0s")]);
    story.machine.filesystem("/", 0.95);
    story.machine.filesystem("/var", 0.5);
    assert_eq!(story.ticks(1), ["full / firing", "opened: system.filesystem.utilization above 90.0 %: /"]);
    story.machine.filesystem("/var", 0.99);
    assert_eq!(story.ticks(1), ["full /var firing", "opened: system.filesystem.utilization above 90.0 %: /var"]);
    story.machine.filesystem("/", 0.1);
    assert_eq!(story.ticks(1), ["full / resolved", "resolved: system.filesystem.utilization above 90.0 %: /"]);
}

#[test]
fn of_two_mounts_on_one_point_the_upper_counts() {
    let mut story = Story::new(&[rule("full", "system.filesystem.utilization > \"90%\"", "3s")]);
    story.machine.filesystem("/mnt", 0.99);
    let lower = story.machine.snapshot.filesystems.clone().unwrap();
    story.machine.filesystem("/mnt", 0.1);
    let upper = story.machine.snapshot.filesystems.take().unwrap();
    story.machine.snapshot.filesystems = Some([lower.clone(), upper.clone()].concat());
    assert!(story.ticks(10).is_empty());
    story.machine.snapshot.filesystems = Some([upper, lower].concat());
    assert_eq!(story.ticks(1), ["full /mnt pending"]);
    assert!(story.ticks(2).is_empty());
    assert_eq!(story.ticks(1).len(), 2);
}

#[test]
fn a_program_is_the_sum_of_its_processes() {
    let mut each = rule("many", "process.cpu.utilization > \"50%\"", "0s");
    each.each = Some("program".to_owned());
    let mut story = Story::new(&[each]);
    story.machine.add(burning(0.3, process(7, "worker")));
    assert!(story.ticks(1).is_empty());
    story.machine.add(burning(0.25, process(8, "worker")));
    story.machine.add(burning(0.4, process(9, "other")));
    assert_eq!(story.ticks(1), ["many worker firing", "opened: process.cpu.utilization above 50.0 %: worker"]);
    let evidence = &story.analyzer.open_incidents()[0].evidence;
    assert_eq!(evidence.value, 0.55);
    // The largest of the program comes first, though another process is larger.
    assert_eq!(evidence.top.iter().map(|top| top.key.pid).collect::<Vec<_>>(), [7, 9, 8]);
    // One process whose value is unknown leaves the sum open, not the alert over.
    story.machine.process(8).cpu = None;
    assert!(story.ticks(5).is_empty());
    // What is known may already be enough, and a zombie hides nothing.
    story.machine.process(8).state = Some(watchkeeper_core::ProcessState::Zombie);
    assert_eq!(story.ticks(1)[0], "many worker resolved");
    story.machine.process(8).state = Some(watchkeeper_core::ProcessState::Running);
    *story.machine.process(7) = burning(0.6, process(7, "worker"));
    assert_eq!(story.ticks(1)[0], "many worker firing");
    story.machine.remove(7);
    story.machine.remove(8);
    assert_eq!(story.ticks(1)[0], "many worker ended");
}

#[test]
fn words_can_be_watched() {
    let mut story = Story::new(&[rule("zombie", "process.state == \"Z\"", "3s")]);
    story.machine.add(process(7, "child"));
    assert!(story.ticks(5).is_empty());
    story.machine.process(7).state = Some(watchkeeper_core::ProcessState::Zombie);
    let told = story.ticks(4);
    assert_eq!(
        told,
        ["zombie 7@107 pending", "zombie 7@107 firing", "opened: process.state equal to \"Z\": child (pid 7)"]
    );
    assert_eq!(story.analyzer.open_incidents()[0].evidence.threshold, None);
    story.machine.process(7).state = None;
    assert!(story.ticks(3).is_empty());
}

/// A machine on which much happens.
fn eventful() -> Vec<Snapshot> {
    let mut machine = Machine::new();
    (0..120_u32)
        .map(|second| {
            machine.cpu((second % 17 != 3).then(|| f64::from(second * 37 % 100) / 100.0));
            machine.filesystem("/", f64::from(second) / 120.0);
            if second % 10 == 0 {
                machine.add(burning(0.3, process(10 + second, if second % 20 == 0 { "cc1" } else { "ld" })));
            }
            if second > 30 && second % 10 == 5 {
                machine.remove(second - 35 + 10);
            }
            machine.tick()
        })
        .collect()
}

#[test]
fn the_same_snapshots_give_the_same_changes() {
    let mut each = rule("program", "process.cpu.utilization > \"50%\"", "3s");
    each.each = Some("program".to_owned());
    let rules = [
        rule("busy", BUSY, "0s"),
        rule("hog", "process.cpu.utilization > \"25%\"", "5s"),
        rule("full", "system.filesystem.utilization > \"90%\"", "3s"),
        each,
    ];
    let snapshots = eventful();
    let run = || {
        let mut analyzer = Analyzer::new(settings(&rules), nothing());
        snapshots.iter().flat_map(|snapshot| analyzer.step(snapshot)).collect::<Vec<_>>()
    };
    let (first, second) = (run(), run());
    assert!(first.len() > 50, "{}", first.len());
    let json = |changes: &[Change]| serde_json::to_string(changes).unwrap();
    assert_eq!(json(&first), json(&second));
}
