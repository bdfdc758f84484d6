//! A day on which nothing is wrong, with everything that happens on such a day.

use super::world::{Chance, GIB, HOUR_S, MEMORY, MIB, World};

/// Share of the day's users that are at work, 0 to 1.
fn at_work(hour: f64) -> f64 {
    if (8.0..20.0).contains(&hour) { ((hour - 8.0) / 12.0 * std::f64::consts::PI).sin() } else { 0.0 }
}

/// Windows of a browser that are open: a morning, a pause at noon, an afternoon, an evening.
fn windows(hour: f64) -> u32 {
    match hour {
        9.0..9.5 => 3,
        9.5..12.0 => 8,
        12.9..16.0 => 6,
        16.0..18.2 => 12,
        20.5..22.0 => 4,
        _ => 0,
    }
}

/// The day as it is at a second; `t` counts from midnight.
fn day(world: &mut World, chance: &mut Chance, t: i64) {
    let hour = t as f64 / HOUR_S as f64;
    let users = at_work(hour);
    let backup = (2.5..2.5 + 10.0 / 60.0).contains(&hour);
    let build = (10.0..10.15).contains(&hour) || (15.5..15.65).contains(&hour);
    let update = (6.0..6.05).contains(&hour);

    // The browser: processes come and go with its windows, and take memory and threads.
    let wanted = windows(hour) * 3;
    let there = world.snapshot.processes.iter().flatten().filter(|one| one.image.program == "firefox").count() as u32;
    for number in there..wanted {
        let pid = 5_000 + (t as u32) % 20_000 + number;
        if !world.snapshot.processes.iter().flatten().any(|one| one.key.pid == pid) {
            world.begin(pid, "firefox", 840);
        }
    }
    let browser: Vec<u32> = world
        .snapshot
        .processes
        .iter()
        .flatten()
        .filter(|one| one.image.program == "firefox")
        .map(|one| one.key.pid)
        .collect();
    for pid in browser.iter().skip(wanted as usize) {
        world.end(*pid, None);
    }
    for pid in browser.iter().take(wanted as usize) {
        world.hold(*pid, chance.between(120.0, 260.0) * MIB);
        world.burn(*pid, chance.between(0.0, 0.15));
        (world.process(*pid).threads, world.process(*pid).descriptors) = (Some(40), Some(150));
    }
    let browser_bytes = f64::from(wanted) * 200.0 * MIB;

    // The services: a cache that fills, a collector's teeth, users.
    let cache = 2.0 * GIB * (1.0 - (-hour / 0.3).exp());
    let heap = (600.0 + 500.0 * users + 500.0 * (hour * 4.0).fract()) * MIB;
    world.hold(810, 200.0 * MIB + cache);
    world.hold(820, heap);
    world.hold(800, (80.0 + 40.0 * users) * MIB);
    world.burn(800, 0.2 * users);
    world.burn(810, 0.4 * users);
    world.process(800).descriptors = Some(200 + (1_500.0 * users) as u32);
    world.process(820).threads = Some(40 + (200.0 * users) as u32);
    world.snapshot.host.connections = Some(50 + (1_500.0 * users) as u32);

    // Backup and build.
    if backup && !world.snapshot.processes.iter().flatten().any(|one| one.key.pid == 3_000) {
        world.begin(3_000, "restic", 830);
    }
    let backs_up = world.snapshot.processes.iter().flatten().any(|one| one.key.pid == 3_000);
    match (backup, backs_up) {
        (true, _) => world.burn(3_000, 2.4),
        (false, true) => world.end(3_000, None),
        (false, false) => {}
    }
    if build {
        for number in 0..4 {
            let pid = 30_000 + (t as u32 * 4) % 20_000 + number;
            world.begin(pid, "rustc", 840);
            world.burn(pid, 0.9);
            world.end(pid, None);
        }
    }
    // The update begins a service anew, and somebody leaves an editor in the background.
    if t == 6 * HOUR_S + 60 {
        world.end(840, Some(15));
        world.begin(841, "sshd", 1);
    }
    let own = if build { 0.98 } else { 0.05 + 0.35 * users };
    world.cpu(Some((own + if backup { 0.6 } else { 0.0 } + chance.between(0.0, 0.08)).min(1.0)));
    world.load(if build { 6.0 } else { own * 4.0 + if backup { 2.5 } else { 0.0 } });
    world.memory(0.2 * MEMORY + cache + heap + browser_bytes + if build { 3.0 * GIB } else { 0.0 });
    world.disk(if backup || update { 0.97 } else { 0.05 + 0.2 * users }, if backup { 3 } else { 0 });
    world.snapshot.host.counters.swapped_in_bytes = Some(if chance.between(0.0, 1.0) < 0.02 { 4 << 20 } else { 0 });
    world.snapshot.host.counters.created = Some(if build { 500 } else { 20 });

    // Logs grow by two gigabytes a day and are rotated at midnight and noon; the backup leaves a while what it writes.
    let logs = 0.02 * (hour / 12.0).fract();
    world.filesystem("/", 0.62 + logs + if build { 0.04 } else { 0.0 });
    world.filesystem("/var", 0.75 + 2.0 * logs + if (2.5..3.0).contains(&hour) { 0.06 } else { 0.0 });
    let late_ms = chance.between(0.0, 20.0) as u64;
    world.snapshot.watch = Some(watchkeeper_core::snapshot::Watch { late_ms, ..Default::default() });
}

#[test]
fn a_quiet_day_has_no_alert_at_all() {
    let mut world = World::new("collect.interval = \"10s\"");
    let mut chance = Chance(42);
    world.until(24 * HOUR_S, |world, t| day(world, &mut chance, t));
    assert_eq!(world.lines(), [] as [&str; 0]);
    assert_eq!(world.messages, [] as [usize; 0]);
    assert!(world.changes.len() < 5_000, "{} rows of what is pending", world.changes.len());
}

#[test]
fn the_quiet_day_would_tell_one_thing_that_is_wrong() {
    let mut world = World::new("collect.interval = \"1m\"");
    let mut chance = Chance(42);
    world.until(24 * HOUR_S, |world, t| {
        day(world, &mut chance, t);
        if t > 14 * HOUR_S {
            world.filesystem("/var", 0.93);
        }
    });
    assert_eq!(world.opened(), ["Filesystem almost full: /var"]);
}
