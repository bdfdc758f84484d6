//! Very much of something: processes, alerts that come and go, restarts, alerts at once.

use std::ops::Range;
use std::time::{Duration, Instant};

use watchkeeper_core::IncidentEvent;

use super::world::{HOUR_S, World};

/// A shell that forks itself until it may not any more.
fn bomb(world: &mut World, from_s: i64, at_s: i64) {
    let so_many = match at_s - from_s {
        0..6 => 1 << (2 * (at_s - from_s)),
        6.. => 4_000,
        _ => 0,
    };
    let so_far = world.snapshot.processes.as_ref().unwrap().iter().filter(|one| one.key.pid >= 10_000).count();
    for pid in 10_000 + so_far as u32..10_000 + so_many {
        let parent = if pid == 10_000 { 840 } else { pid / 2 + 5_000 };
        world.begin(pid, "bash", parent);
    }
    if so_many > 0 {
        world.cpu(Some(1.0));
        let queue = f64::from(so_many) / 4.0;
        world.load(queue * (1.0 - (-(at_s - from_s) as f64 / 300.0).exp()));
    }
}

fn begin(world: &mut World, pids: Range<u32>, program: &str, parent: u32) {
    for pid in pids {
        world.begin(pid, program, parent);
    }
}

#[test]
fn a_fork_bomb_is_told_within_a_minute_by_its_name() {
    let mut world = World::new("");
    world.until(600 + 120, |world, at_s| bomb(world, 600, at_s));
    assert_eq!(world.lines(), ["opened: Processes multiply: bash"]);
    let told = world.the("Processes multiply");
    assert!(told.at_s <= 660, "after {} s", told.at_s);
    let lineage = &told.incident.evidence.lineage;
    assert!(format!("{lineage:?}").contains("sshd"), "{lineage:?}");
}

#[test]
fn a_loop_that_starts_processes_which_do_not_end_is_told_with_the_loop() {
    let mut world = World::new("");
    // One of the same program that has nothing to do with it, and was there before.
    world.begin(4_000, "sleep", 820);
    world.begin(5_000, "loop.sh", 830);
    world.until(700, |world, at_s| {
        let many = if (600..620).contains(&at_s) { 100 } else { 0 };
        let first = 10_000 + at_s as u32 * 100;
        begin(world, first..first + many, "sleep", 5_000);
    });
    assert_eq!(world.lines(), ["opened: Processes multiply: sleep"]);
    assert_eq!(world.the("Processes multiply").incident.evidence.lineage[1..], ["loop.sh", "cron.service"]);
}

#[test]
fn a_fork_bomb_that_starts_with_the_watch_is_told_when_there_is_something_to_compare() {
    let mut world = World::new("");
    world.until(30 + 900, |world, at_s| bomb(world, 30, at_s));
    let first = world.of(IncidentEvent::Opened).next().unwrap();
    assert!(first.incident.title.contains("Processes multiply: bash"), "{:?}", world.lines());
    assert!(first.at_s <= 300, "after {} s", first.at_s);
}

#[test]
fn thousands_of_short_processes_are_told_with_the_loop_that_starts_them() {
    let mut world = World::new("");
    world.begin(5_000, "loop.sh", 830);
    world.until(20 * 60, |world, at_s| {
        world.cpu(Some(0.99));
        world.burn(5_000, 1.2);
        world.snapshot.host.counters.created = Some(3_000);
        for number in 0..20 {
            let pid = 6_000 + (at_s as u32 * 20 + number) % 20_000;
            world.begin(pid, "true", 5_000);
            world.end(pid, None);
        }
    });
    assert_eq!(world.lines(), ["opened: CPU almost fully used"]);
    let evidence = &world.the("CPU almost").incident.evidence;
    assert_eq!(evidence.top[0].name, "loop.sh");
    assert!(format!("{:?}", evidence.lineage).contains("cron"), "{:?}", evidence.lineage);
}

#[test]
fn a_build_a_pool_of_workers_and_a_large_machine_are_no_fork_bomb() {
    let mut world = World::new("");
    // Three thousand containers that have been there all the time, and a program of one process with many threads.
    for pid in 20_000..23_000 {
        world.begin(pid, &format!("worker{}", pid % 40), 830);
    }
    world.process(820).threads = Some(4_000);
    world.until(2_000, |world, at_s| {
        match at_s {
            // A build with four hundred jobs.
            600 => begin(world, 30_000..30_400, "cc1", 840),
            700 => (30_000..30_400).for_each(|pid| world.end(pid, None)),
            // A pool that is started all at once.
            800 => begin(world, 40_000..40_900, "php-fpm", 840),
            _ => {}
        }
        world.process(820).threads = Some(if at_s < 1_400 { 4_000 } else { 6_000 });
    });
    assert_eq!(world.lines(), [] as [&str; 0]);
}

#[test]
fn a_metric_that_flaps_for_a_day_is_at_most_twenty_six_messages() {
    let own = "[[rule]]\nid = \"busy\"\nwhen = 'system.cpu.utilization > \"90%\"'\nkeep_firing = \"0s\"\n";
    let mut world = World::new(&format!("collect.interval = \"2s\"\n{own}"));
    world.until(24 * HOUR_S, |world, at_s| {
        world.cpu(Some(if at_s % 120 < 60 { 1.0 } else { 0.1 }));
    });
    assert!(world.messages.len() <= 26, "{} messages: {:?}", world.messages.len(), world.lines());
    assert!(world.told.iter().all(|told| told.incident.cause == "busy"), "{:?}", world.lines());
    // The end is told when it has been calm for half an hour, whatever else was summed up before.
    world.until(25 * HOUR_S, |world, _| world.cpu(Some(0.1)));
    assert_eq!(world.told.last().unwrap().event, IncidentEvent::Resolved);
    assert!(world.messages.len() <= 26, "{} messages", world.messages.len());
}

#[test]
fn a_crash_loop_of_a_hundred_restarts_is_one_incident_and_one_opening_message() {
    let mut world = World::new("");
    let mut pid = 900;
    world.begin(pid, "api", 1);
    world.until(120, |_, _| ());
    world.until(120 + 100 * 7, |world, at_s| {
        if (at_s - 121) % 7 == 0 {
            world.end(pid, Some(11));
            pid += 1;
            world.begin(pid, "api", 1);
        }
    });
    assert_eq!(pid, 1_000, "a hundred restarts");
    assert_eq!(world.lines(), ["opened: Service restarts again and again: api"]);
    assert_eq!(world.messages, [1]);
    world.until(3_000, |_, _| ());
    assert_eq!(world.lines()[1..], ["resolved: Service restarts again and again: api"]);
    assert_eq!(world.messages, [1, 1]);
}

#[test]
fn a_deployment_that_restarts_a_service_twice_is_no_crash_loop() {
    let mut world = World::new("");
    world.begin(900, "api", 1);
    world.until(2_000, |world, at_s| {
        if [600, 660].contains(&at_s) {
            let pid = 900 + u32::from(at_s == 660);
            world.end(pid, Some(15));
            world.begin(pid + 1, "api", 1);
        }
    });
    assert_eq!(world.lines(), [] as [&str; 0]);
}

#[test]
fn five_thousand_alerts_at_once_are_at_most_three_messages() {
    let own = "[[rule]]\nid = \"held\"\nwhen = 'process.memory.usage > \"1GiB\"'\nfor = \"3s\"\n";
    let mut world = World::new(own);
    world.until(10, |_, _| ());
    for pid in 10_000..15_000_u32 {
        world.begin(pid, &format!("program{pid}"), 2);
        world.hold(pid, (2_u64 << 30) as f64);
    }
    let began = Instant::now();
    world.until(120, |_, _| ());
    assert_eq!(world.opened().len(), 5_000);
    assert_eq!(world.messages, [5_000], "all of them, in one message");
    world.snapshot.processes.as_mut().unwrap().retain(|process| process.key.pid < 10_000);
    world.until(900, |_, _| ());
    assert_eq!(world.of(IncidentEvent::Ended).count(), 5_000);
    assert!(world.messages.len() <= 3, "{:?}", world.messages);
    // Without optimisation, beside other tests; a watch that needed longer than its interval would lose looks.
    assert!(began.elapsed() < Duration::from_mins(2), "{:?}", began.elapsed());
    let largest = world.told.iter().map(|told| serde_json::to_vec(&told.incident).unwrap().len()).max();
    assert!(largest.unwrap() < 16_384, "an incident of {largest:?} bytes");
}
