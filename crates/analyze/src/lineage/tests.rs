use std::sync::Arc;

use watchkeeper_core::Entity;

use super::*;
use crate::scenes::{Machine, Story, burning, process, rule};

/// A process with its parent and unit.
fn child(pid: u32, name: &str, parent: u32, unit: Option<&str>) -> Process {
    let mut child = process(pid, name);
    child.parent = parent;
    Arc::make_mut(&mut child.image).unit = unit.map(str::to_owned);
    child
}

/// The lineage of the process that burns.
fn lineage(machine: &Machine) -> Vec<String> {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"25%\"", "0s")]);
    story.machine = machine.clone();
    story.ticks(1);
    let incidents = story.analyzer.open_incidents();
    assert!(matches!(incidents[0].evidence.entity, Entity::Process(_)));
    incidents[0].evidence.lineage.clone()
}

#[test]
fn siblings_are_counted_and_the_unit_comes_last() {
    let mut machine = Machine::new();
    machine.add(child(1, "systemd", 0, None));
    machine.add(child(10, "cron", 1, Some("cron.service")));
    machine.add(child(11, "cargo", 10, Some("cron.service")));
    machine.add(burning(0.3, child(20, "rustc", 11, Some("cron.service"))));
    for pid in 21..34 {
        machine.add(child(pid, "rustc", 11, Some("cron.service")));
    }
    machine.add(child(40, "rustc", 1, Some("other.service")));
    assert_eq!(lineage(&machine), ["rustc x14", "cargo", "cron.service"]);
}

#[test]
fn a_service_itself_keeps_its_name() {
    let mut machine = Machine::new();
    machine.add(burning(0.3, child(20, "nginx", 1, Some("nginx.service"))));
    assert_eq!(lineage(&machine), ["nginx", "nginx.service"]);
}

#[test]
fn the_walk_ends_where_another_unit_begins() {
    let mut machine = Machine::new();
    machine.add(child(10, "sshd", 1, Some("ssh.service")));
    machine.add(child(11, "bash", 10, None));
    machine.add(burning(0.3, child(20, "yes", 11, None)));
    assert_eq!(lineage(&machine), ["yes", "bash"]);
}

#[test]
fn a_container_is_the_home_where_there_is_one() {
    let mut machine = Machine::new();
    let mut burner = burning(0.3, child(20, "java", 1, Some("docker.service")));
    Arc::make_mut(&mut burner.image).container = Some("docker:0123456789ab".to_owned());
    machine.add(burner);
    assert_eq!(lineage(&machine), ["java", "docker:0123456789ab"]);
}

#[test]
fn process_1_is_left_out() {
    let mut machine = Machine::new();
    machine.add(child(1, "init", 0, None));
    machine.add(burning(0.3, child(20, "yes", 1, None)));
    assert_eq!(lineage(&machine), ["yes"]);
}

#[test]
fn a_circle_and_a_long_line_of_parents_end() {
    let mut machine = Machine::new();
    machine.add(burning(0.3, child(20, "a", 21, None)));
    machine.add(child(21, "b", 20, None));
    // As old as each other, so that age does not end the walk.
    machine.process(21).key.start_ticks = machine.process(20).key.start_ticks;
    assert_eq!(lineage(&machine), ["a", "b"]);
    let mut machine = Machine::new();
    machine.add(burning(0.3, child(500, "leaf", 499, Some("x.service"))));
    for pid in 2..500 {
        machine.add(child(pid, &format!("p{pid}"), pid - 1, Some("x.service")));
    }
    let names = lineage(&machine);
    assert_eq!(names.len(), LONGEST);
    assert_eq!((names[0].as_str(), names[7].as_str()), ("leaf", "x.service"));
}

#[test]
fn a_parent_that_is_younger_is_somebody_else() {
    let mut machine = Machine::new();
    machine.add(child(11, "stranger", 1, None));
    machine.process(11).key.start_ticks = 1_000_000;
    machine.add(burning(0.3, child(20, "orphan", 11, None)));
    assert_eq!(lineage(&machine), ["orphan"]);
}

#[test]
fn names_are_made_safe() {
    let mut machine = Machine::new();
    machine.add(burning(0.3, child(20, "\u{1b}[31mred\n", 1, None)));
    assert_eq!(lineage(&machine), ["\\u{1b}[31mred "]);
}
