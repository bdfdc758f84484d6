//! Trouble with a culprit, with what is not known, and with processes that only look like others.

use watchkeeper_core::{Gap, GapReason, IncidentEvent, Section};

use super::world::{GIB, MEMORY, World};

#[test]
fn an_oom_kill_names_the_hog_and_not_who_is_left() {
    let mut world = World::new("");
    world.begin(900, "report", 830);
    world.until(600, |_, _| ());
    world.until(700, |world, at_s| {
        let grown = ((at_s - 600).min(10) as f64).max(0.0) * GIB;
        if at_s < 612 {
            world.hold(900, grown);
            world.memory(0.4 * MEMORY + grown.min(0.58 * MEMORY));
        } else if at_s == 612 {
            world.end(900, Some(9));
            world.snapshot.host.counters.oom_kills = Some(1);
            world.memory(0.4 * MEMORY);
        }
        world.hold(810, 3.0 * GIB);
    });
    assert_eq!(world.lines(), ["opened: Out of memory: the kernel killed a process"]);
    let told = world.the("Out of memory");
    assert_eq!(told.at_s, 612);
    let first = &told.incident.evidence.top[0];
    assert_eq!((first.name.as_str(), first.amount.value), ("report", 10.0 * GIB));
    assert_eq!(world.messages, [1]);
}

#[test]
fn an_oom_kill_of_a_process_that_must_run_is_one_incident() {
    let own =
        "[[rule]]\nid = \"database\"\nexpect = { process = 'process.name == \"postgres\"', min = 1 }\nfor = \"15s\"\n";
    let mut world = World::new(own);
    world.until(300, |world, _| world.hold(810, 9.0 * GIB));
    world.end(810, Some(9));
    world.snapshot.host.counters.oom_kills = Some(1);
    world.until(600, |_, _| ());
    assert_eq!(world.opened(), ["Out of memory: the kernel killed a process"]);
    assert_eq!(world.of(IncidentEvent::Joined).count(), 1, "{:?}", world.lines());
    assert_eq!(world.messages, [1]);
}

#[test]
fn missing_data_resolves_nothing() {
    let mut world = World::new("");
    let busy = |world: &mut World, _| world.cpu(Some(0.97));
    world.until(1_000, busy);
    assert_eq!(world.lines(), ["opened: CPU almost fully used"]);
    // Ten minutes of which nobody knows anything.
    let refused = Gap { section: Section::Cpu, reason: GapReason::Permission, count: 1, remedy: None };
    world.until(1_600, |world, _| {
        world.cpu(None);
        world.snapshot.gaps = vec![refused.clone()];
    });
    world.snapshot.gaps.clear();
    assert_eq!(world.of(IncidentEvent::Resolved).count() + world.of(IncidentEvent::Ended).count(), 0);
    assert_eq!(world.opened().len(), 2, "{:?}", world.lines());
    assert!(world.opened()[1].starts_with("no data for host-cpu ("), "{:?}", world.opened());
    // It is as it was, which is no news; only the missing data is over.
    world.until(2_000, busy);
    assert_eq!(world.lines().len(), 3, "{:?}", world.lines());
    world.until(2_600, |world, _| world.cpu(Some(0.1)));
    assert_eq!(world.lines()[3..], ["resolved: CPU almost fully used"]);
}

#[test]
fn a_reused_pid_is_another_alert_and_has_windows_of_its_own() {
    let own = "[[rule]]\nid = \"hog\"\nwhen = 'process.cpu.utilization > \"20%\"'\nfor = \"10s\"\nkeep_firing = \"0s\"\n\
               [[rule]]\nid = \"long\"\nwhen = 'avg(process.cpu.utilization, \"60s\") > \"40%\"'\nkeep_firing = \"0s\"\n";
    let mut world = World::new(own);
    world.until(100, |_, _| ());
    world.begin(4_711, "yes", 840);
    world.until(145, |world, _| world.burn(4_711, 3.0));
    assert_eq!(world.opened().len(), 1, "{:?}", world.lines());
    let first = world.told[0].incident.evidence.entity.clone();
    // The same number at the next look, after 45 s: neither `for` nor the window may go on.
    world.end(4_711, None);
    world.begin(4_711, "backup", 840);
    world.until(150, |world, _| world.burn(4_711, 3.0));
    assert_eq!(world.opened().len(), 1, "{:?}", world.lines());
    assert_eq!(world.of(IncidentEvent::Ended).count(), 1, "{:?}", world.lines());
    world.until(160, |world, _| world.burn(4_711, 3.0));
    let second = world.told.last().unwrap();
    assert_eq!(second.incident.title.split(": ").last(), Some("backup (pid 4711)"), "{:?}", world.lines());
    assert_ne!(second.incident.evidence.entity, first);
    // Calm before its own minute is full: the window of the first is not its.
    world.until(400, |world, _| world.burn(4_711, 0.0));
    assert!(world.told.iter().all(|told| told.incident.evidence.rule == "hog"), "{:?}", world.lines());
}
