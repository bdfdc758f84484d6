//! Memory that grows: for good, in teeth, up to a plateau.

use watchkeeper_core::IncidentEvent;
use watchkeeper_core::evidence::Trend;

use super::world::{Chance, GIB, HOUR_S, MEMORY, MIB, World};

const BY_THE_MINUTE: &str = "collect.interval = \"1m\"";
/// In use apart from the program of the story.
const OTHERS: f64 = 0.35 * MEMORY;

/// A program whose memory takes this course for so many hours, on a machine that does the same work all the time.
fn told_of(hours: i64, mut memory: impl FnMut(f64) -> f64) -> World {
    let mut world = World::new(BY_THE_MINUTE);
    let mut chance = Chance(7);
    world.begin(900, "api", 1);
    world.until(hours * HOUR_S, |world, at_s| {
        let held = memory(at_s as f64 / HOUR_S as f64) + chance.between(-5.0, 5.0) * MIB;
        world.hold(900, held);
        world.memory(OTHERS + held);
        world.cpu(Some(chance.between(0.1, 0.2)));
    });
    world
}

#[test]
fn a_real_leak_is_told_once_with_its_rate_and_when_memory_will_be_full() {
    let world = told_of(14, |hours| 500.0 * MIB + hours * 200.0 * MIB);
    assert_eq!(world.lines(), ["opened: Memory leak: api"]);
    let told = world.the("Memory leak");
    assert!((4 * HOUR_S..7 * HOUR_S).contains(&told.at_s), "after {} s", told.at_s);
    let evidence = &told.incident.evidence;
    assert_eq!(evidence.top[0].name, "api");
    let Some(Trend { per_second, r2, full_ms: Some(full_ms), .. }) = evidence.trend else { panic!("{evidence:?}") };
    let per_hour = per_second * HOUR_S as f64 / MIB;
    assert!((180.0..220.0).contains(&per_hour) && r2 > 0.95, "{per_hour} MiB/h, r2 {r2}");
    let at_hours = told.at_s as f64 / HOUR_S as f64;
    let left_hours = (MEMORY - OTHERS - 500.0 * MIB) / (200.0 * MIB) - at_hours;
    let said_hours = (full_ms - evidence.fired_ms) as f64 / 3.6e6;
    assert!((said_hours / left_hours - 1.0).abs() < 0.2, "said {said_hours} h of {left_hours} h");
    assert_eq!(world.messages, [1]);
}

#[test]
fn a_leak_that_is_mended_by_a_restart_is_over() {
    let world = told_of(20, |hours| 500.0 * MIB + hours.min(8.0) * 200.0 * MIB - if hours > 8.0 { GIB } else { 0.0 });
    assert_eq!(world.lines(), ["opened: Memory leak: api", "resolved: Memory leak: api"]);
}

#[test]
fn the_sawtooth_of_a_collector_is_no_leak() {
    for minutes in [7.0, 45.0, 110.0] {
        let tooth = |hours: f64| (hours * 60.0 % minutes) / minutes;
        let world = told_of(16, |hours| 900.0 * MIB + 1_500.0 * MIB * tooth(hours));
        assert_eq!(world.lines(), [] as [&str; 0], "teeth of {minutes} minutes");
    }
}

#[test]
fn a_leak_under_the_sawtooth_of_a_collector_is_one() {
    let tooth = |hours: f64| (hours * 60.0 % 20.0) / 20.0;
    let world = told_of(14, |hours| 600.0 * MIB + hours * 250.0 * MIB + 400.0 * MIB * tooth(hours));
    assert_eq!(world.lines(), ["opened: Memory leak: api"]);
}

#[test]
fn a_cache_that_warms_up_and_stays_is_no_leak() {
    for warm_hours in [0.5, 1.0, 2.0] {
        let world = told_of(16, |hours| 200.0 * MIB + 5.0 * GIB * (1.0 - (-hours / (warm_hours / 3.0)).exp()));
        assert_eq!(world.lines(), [] as [&str; 0], "warm after {warm_hours} h");
    }
}

#[test]
fn a_leak_is_the_same_whatever_happens_to_the_clock_meanwhile() {
    let fired_s = |happens: fn(&mut World)| {
        let mut world = World::new(BY_THE_MINUTE);
        world.begin(900, "api", 1);
        world.until(8 * HOUR_S, |world, at_s| {
            let held = 500.0 * MIB + at_s as f64 / HOUR_S as f64 * 200.0 * MIB;
            world.hold(900, held);
            world.memory(OTHERS + held);
            if at_s == 3 * HOUR_S {
                happens(world);
            }
        });
        assert_eq!(world.of(IncidentEvent::Opened).filter(|told| told.incident.cause == "memory-leak").count(), 1);
        world.the("Memory leak").at_s
    };
    let undisturbed_s = fired_s(|_| ());
    assert_eq!(fired_s(|world| world.set_clock(30 * HOUR_S)), undisturbed_s);
    assert_eq!(fired_s(|world| world.set_clock(-30 * HOUR_S)), undisturbed_s);
    assert_eq!(fired_s(|world| world.sleep(8 * HOUR_S)), undisturbed_s);
}
