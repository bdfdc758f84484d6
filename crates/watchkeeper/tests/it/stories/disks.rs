//! Filesystems that fill: in a line, in steps, and not at all.

use super::world::{Chance, HOUR_S, World};

const BY_THE_MINUTE: &str = "collect.interval = \"1m\"";
/// A share over hours.
type Course = fn(f64) -> f64;

const SOON: &str = "Filesystem full within 4 hours: /data";

/// The share of `/data` takes this course for so many hours.
fn told_of(hours: f64, taken: impl Fn(f64) -> f64) -> World {
    let mut world = World::new(BY_THE_MINUTE);
    let mut chance = Chance(11);
    world.until((hours * HOUR_S as f64) as i64, |world, at_s| {
        // A few temporary files come and go.
        let files = chance.between(0.0, 0.001);
        world.filesystem("/data", taken(at_s as f64 / HOUR_S as f64) + files);
    });
    world
}

/// Hours that are left when it is told, of a filesystem that is full after so many.
fn left_hours(world: &World, full_hours: f64) -> f64 {
    full_hours - world.the(SOON).at_s as f64 / HOUR_S as f64
}

#[test]
fn a_disk_that_fills_in_a_line_is_told_four_hours_before() {
    for per_hour in [0.02, 0.05, 0.07] {
        let full_hours = 0.6 / per_hour;
        let world = told_of(full_hours - 2.5, |hours| 0.4 + hours * per_hour);
        let left = left_hours(&world, full_hours);
        assert!((3.2..=4.8).contains(&left), "{per_hour} an hour: told {left} h before");
        // What fills slowly is nearly full before that, which is told first.
        let expected: &[&str] = if per_hour < 0.025 { &["Filesystem almost full: /data", SOON] } else { &[SOON] };
        assert_eq!(world.opened(), expected, "{per_hour} an hour");
    }
}

#[test]
fn a_disk_that_fills_in_small_steps_is_told_hours_before_as_well() {
    // A segment of a log every two, five and ten minutes; the larger they are, the longer it takes to be sure of a line.
    for (minutes, from) in [(2.0, 3.2), (5.0, 3.2), (10.0, 3.0)] {
        let steps = 60.0 / minutes;
        let world = told_of(5.5, |hours| 0.5 + (hours * steps).floor() / steps * 0.06);
        let left = left_hours(&world, 0.5 / 0.06);
        assert!((from..=4.8).contains(&left), "steps of {minutes} minutes: told {left} h before");
        assert_eq!(world.opened(), [SOON], "steps of {minutes} minutes");
    }
}

#[test]
fn large_steps_that_do_not_go_on_are_no_line() {
    let cases: [(&str, Course); 4] = [
        ("a dump every night", |hours| 0.72 + 0.05 * ((hours + 21.0) / 24.0).floor()),
        ("a batch every hour", |hours| 0.71 + 0.01 * (hours / 2.0).floor()),
        ("one large file", |hours| if hours > 3.0 { 0.89 } else { 0.75 }),
        ("a dump that is written within half an hour and moved away", |hours| {
            0.72 + 0.15 * ((hours - 3.0) * 2.0).clamp(0.0, 1.0) * f64::from(hours < 4.0)
        }),
    ];
    for (name, taken) in cases {
        assert_eq!(told_of(30.0, taken).lines(), [] as [&str; 0], "{name}");
    }
}
