//! Processes that leak, hang and are left alone, and two that only look like leaks.

use rustix::process::Signal;

use super::quick::{Incidents, configuration, quick};
use super::trouble::Trouble;
use crate::program::Program;

#[test]
fn who_gains_for_good_is_named_and_a_collector_and_a_cache_are_not() {
    let rules = vec![quick("memory-leak", 1), quick("descriptor-leak", 1), quick("thread-growth", 1)];
    let program = Program::new(&configuration(rules, ""));
    let mut watch = program.run();
    let start = |name: &str, trouble: &str| Trouble::start(program.folder(), name, trouble);
    let collector = start("wk-collector", "collector");
    let cache = start("wk-cache", "cache");
    let mut leak = start("wk-leak", "leak");
    let mut descriptors = start("wk-descriptors", "descriptors");
    let mut threads = start("wk-threads", "threads");

    let incidents = Incidents(&program);
    let [leaks, opens, starts] = [
        ("memory-leak", "wk-leak.py", leak.pid()),
        ("descriptor-leak", "wk-descriptors.py", descriptors.pid()),
        ("thread-growth", "wk-threads.py", threads.pid()),
    ]
    .map(|(rule, name, pid)| {
        let incident = incidents.blames(rule, pid);
        assert!(incident["title"].as_str().is_some_and(|title| title.contains(name)), "{incident:#}");
        let trend = &incident["evidence"]["trend"];
        assert!(trend["r2"].as_f64().is_some_and(|r2| r2 > 0.8), "{trend:#}");
        incident
    });
    assert!(leaks["evidence"]["trend"]["full_ms"].is_i64(), "the machine's memory has an end: {leaks:#}");

    for healed in [&mut leak, &mut descriptors, &mut threads] {
        healed.heal();
    }
    for incident in [&leaks, &opens, &starts] {
        incidents.is_resolved(incident);
    }
    incidents.leave_alone(collector.pid(), "the collector");
    incidents.leave_alone(cache.pid(), "the cache");
    assert!(watch.terminate(std::time::Duration::from_secs(10)));
}

#[test]
fn who_stands_still_is_named_with_its_state() {
    let rules = vec![quick("stopped", 2), quick("zombie", 2), quick("uninterruptible", 2)];
    let program = Program::new(&configuration(rules, ""));
    let mut watch = program.run();
    let stopped = Trouble::start(program.folder(), "wk-stopped", "idle");
    stopped.signal(Signal::STOP);
    let mut parent = Trouble::start(program.folder(), "wk-parent", "zombie");
    let mut waits = Trouble::uninterruptible(program.folder(), "wk-waits");

    let incidents = Incidents(&program);
    let found = [
        ("stopped", stopped.pid()),
        // Who should look after it stands next in line.
        ("zombie", parent.number()),
        ("uninterruptible", waits.pid()),
    ]
    .map(|(rule, pid)| {
        let incident = incidents.blames(rule, pid);
        assert_eq!(incident["evidence"]["entity"]["process"]["pid"], pid);
        incident
    });
    let lineage = &found[1]["evidence"]["lineage"];
    assert_eq!((&lineage[0], &lineage[1]), (&"wk-child".into(), &"wk-parent".into()), "{lineage:#}");

    stopped.signal(Signal::CONT);
    parent.heal();
    waits.end_child();
    let [stopped, zombie, uninterruptible] = &found;
    incidents.is_resolved(stopped);
    incidents.is_ended(zombie);
    incidents.is_resolved(uninterruptible);
    assert!(watch.terminate(std::time::Duration::from_secs(10)));
}
