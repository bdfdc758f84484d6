//! What happens to time: the watch is started again, the clock is set, the machine sleeps, summer ends.

use jiff::tz::TimeZone;
use watchkeeper_analyze::enrich;
use watchkeeper_core::evidence::{Cycle, Known};
use watchkeeper_core::text::local_time;
use watchkeeper_core::{Change, IncidentEvent};
use watchkeeper_store::Reader;

use super::world::{HOUR_S, World};

/// How long `host-cpu` waits, seconds.
const FOR_S: i64 = 900;

fn busy(world: &mut World, _: i64) {
    world.cpu(Some(0.97));
}

/// A machine that is busy from the hundredth second on, and what happens to it after ten minutes of that.
fn disturbed(happens: impl FnOnce(&mut World)) -> World {
    let mut world = World::new("");
    world.until(100, |_, _| ());
    world.until(700, busy);
    happens(&mut world);
    world.until(2_000, busy);
    world
}

fn fired_s(world: &World) -> i64 {
    world.the("CPU almost fully used").at_s
}

#[test]
fn a_restart_of_the_watch_during_for_delays_the_alert_by_no_more_than_the_gap() {
    let undisturbed_s = fired_s(&disturbed(|_| ()));
    assert_eq!(undisturbed_s, 100 + FOR_S + 1);
    let world = disturbed(|world| world.restart(30));
    // What was not yet on disk is counted again; the gap is no observed time, here and in the story.
    let late_s = fired_s(&world) - undisturbed_s;
    assert!((0..=10).contains(&late_s), "{late_s} s late");
    assert_eq!(world.lines(), ["opened: CPU almost fully used"]);
    assert_eq!(world.messages, [1]);
}

#[test]
fn a_restart_while_it_fires_neither_ends_it_nor_tells_it_again() {
    let mut world = disturbed(|_| ());
    world.restart(30);
    world.until(2_500, busy);
    assert_eq!(world.lines(), ["opened: CPU almost fully used"]);
    assert_eq!(world.messages, [1]);
}

#[test]
fn a_clock_that_is_set_is_told_and_moves_no_other_alert() {
    let undisturbed_s = fired_s(&disturbed(|_| ()));
    for by_s in [HOUR_S, -HOUR_S, 400 * 24 * HOUR_S, -400 * 24 * HOUR_S] {
        let world = disturbed(|world| world.set_clock(by_s));
        let lines = world.lines();
        assert_eq!(lines[..2], ["opened: The clock was set", "opened: CPU almost fully used"], "by {by_s} s");
        assert!(lines[2..].iter().all(|line| line.ends_with("The clock was set")), "{lines:?}");
        assert_eq!(world.the("The clock was set").at_s, 701);
        assert_eq!(fired_s(&world), undisturbed_s, "by {by_s} s");
        // The beginning moved along with the clock.
        let evidence = &world.the("CPU almost").incident.evidence;
        assert_eq!(evidence.fired_ms - evidence.since_ms, FOR_S * 1_000);
    }
}

#[test]
fn a_clock_that_is_set_ends_nothing_that_fires() {
    for by_s in [HOUR_S, -HOUR_S] {
        let mut world = disturbed(|_| ());
        world.set_clock(by_s);
        world.until(2_300, busy);
        let of_cpu = world.told.iter().filter(|told| told.incident.cause == "host-cpu").count();
        assert_eq!(of_cpu, 1, "{:?}", world.lines());
    }
}

#[test]
fn windows_do_not_notice_a_clock_that_is_set_nor_sleep() {
    let saturated_s = |happens: fn(&mut World)| {
        let mut world = World::new("");
        world.until(1_000, |_, _| ());
        world.until(1_500, |world, _| world.disk(1.0, 30));
        happens(&mut world);
        world.until(2_400, |world, _| world.disk(1.0, 30));
        world.the("Disk saturated").at_s
    };
    let undisturbed_s = saturated_s(|_| ());
    assert_eq!(saturated_s(|world| world.set_clock(HOUR_S)), undisturbed_s);
    assert_eq!(saturated_s(|world| world.set_clock(-HOUR_S)), undisturbed_s);
    assert_eq!(saturated_s(|world| world.sleep(8 * HOUR_S)), undisturbed_s);
}

#[test]
fn eight_hours_asleep_are_no_time_in_which_anything_held() {
    let undisturbed_s = fired_s(&disturbed(|_| ()));
    let world = disturbed(|world| world.sleep(8 * HOUR_S));
    assert_eq!(fired_s(&world), undisturbed_s);
    assert_eq!(world.lines(), ["opened: CPU almost fully used"]);
    // Nor do they end what fires.
    let mut world = disturbed(|_| ());
    world.sleep(8 * HOUR_S);
    world.until(2_100, busy);
    assert_eq!(world.lines(), ["opened: CPU almost fully used"]);
    // A night of a laptop on which nothing happens.
    let mut world = World::new("");
    world.until(1_000, |_, _| ());
    world.sleep(8 * HOUR_S);
    world.until(2_000, |_, _| ());
    assert_eq!(world.lines(), [] as [&str; 0]);
}

/// 2026-10-19 00:00 in Berlin; summer ends on the night of the sixth day.
const MONDAY_MS: i64 = 1_792_360_800_000;

#[test]
fn the_end_of_summer_loses_no_alert_and_what_comes_every_night_comes_at_the_same_time() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let mut world = World::new(
        "collect.interval = \"1m\"\nhost.time_zone = \"Europe/Berlin\"\n\
         [[rule]]\nid = \"nightly\"\nwhen = 'system.cpu.utilization > \"70%\"'\nfor = \"4m\"\n",
    );
    world.snapshot.at.ts_ms = MONDAY_MS;
    let clock = |world: &World| local_time(world.snapshot.at.ts_ms + 60_000, &zone)[11..16].to_owned();
    // Eight nights and the hour that summer gives back.
    world.until(8 * 24 * HOUR_S, |world, _| {
        let now = clock(world);
        let at_work = ("03:00".."03:20").contains(&now.as_str());
        world.cpu(Some(if at_work { 0.8 } else { 0.1 }));
    });
    let mut opened: Vec<&super::world::Told> = world.of(IncidentEvent::Opened).collect();
    assert_eq!(opened.len(), 8, "{:?}", world.lines());
    assert_eq!(world.of(IncidentEvent::Resolved).count(), 8);
    let times: Vec<String> = opened.iter().map(|told| local_time(told.incident.opened_ms, &zone)).collect();
    assert!(times.iter().all(|time| time.contains(" 03:04:")), "{times:?}");
    let apart_h = |two: &[&super::world::Told]| (two[1].incident.opened_ms - two[0].incident.opened_ms) / 3_600_000;
    let distances: Vec<i64> = opened.windows(2).map(apart_h).collect();
    assert_eq!(distances, [24, 24, 24, 24, 24, 25, 24], "the night with one hour more");

    let last = opened.pop().unwrap();
    let (event, at_ms) = (last.event, last.incident.opened_ms);
    let mut change = Change::Incident { event, at_ms, incident: Box::new(last.incident.clone()) };
    enrich(&mut change, &Reader::open(&world.folder()).unwrap());
    let Change::Incident { incident, .. } = change else { panic!() };
    let Known::Yes(recurrence) = incident.evidence.recurrence else { panic!("{:?}", incident.evidence) };
    assert_eq!(recurrence.times, 7);
    let pattern = recurrence.pattern.expect("every night at the same time");
    assert!(matches!(pattern.cycle, Cycle::Day), "{pattern:?}");
}

#[test]
fn what_holds_through_the_hour_that_comes_twice_is_one_alert() {
    let mut world = World::new("host.time_zone = \"Europe/Berlin\"");
    // 2026-10-25 02:50 of summer.
    world.snapshot.at.ts_ms = MONDAY_MS + (6 * 24 * HOUR_S + 2 * HOUR_S + 50 * 60) * 1_000;
    world.until(1_800, busy);
    assert_eq!(world.lines(), ["opened: CPU almost fully used"]);
    assert_eq!(fired_s(&world), FOR_S + 1);
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let evidence = &world.the("CPU almost").incident.evidence;
    let clock = [evidence.since_ms, evidence.fired_ms].map(|at_ms| local_time(at_ms, &zone)[11..16].to_owned());
    assert_eq!(clock, ["02:50", "02:05"], "a quarter of an hour, by a clock that was set back");
}
