//! What `growth` must find, and what it must not take for a leak: memory over many hours, seen through six.

use super::clock::Stretch;
use super::track::{Look, Shape, Track};
use watchkeeper_expression::Function;

const HOUR_MS: i64 = 3_600_000;
const WINDOW_MS: i64 = 6 * HOUR_MS;
const LOOK_MS: i64 = 30_000;
/// Every so many buckets `growth` is asked.
const EVERY: u64 = 4;

/// Numbers that look like chance and are the same in each run (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Mean 0, deviation 1, nearly normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// What `growth` says of memory in MiB, each time that some buckets are full: hours since the begin, MiB per hour.
fn told(hours: f64, mut memory: impl FnMut(f64) -> f64) -> Vec<(f64, Option<f64>)> {
    // Of a process that has run for days.
    told_of_lives(hours, |at| (-100.0, memory(at)))
}

/// The same of lives: for each time when the life began that is seen then, in hours, and its memory.
fn told_of_lives(hours: f64, mut memory: impl FnMut(f64) -> (f64, f64)) -> Vec<(f64, Option<f64>)> {
    let shape = Shape::new(WINDOW_MS, LOOK_MS);
    let mut track = Track::default();
    let (mut told, mut turn) = (Vec::new(), 0);
    for number in 1..=(hours * HOUR_MS as f64) as i64 / LOOK_MS {
        let now_ms = number * LOOK_MS;
        let at = now_ms as f64 / HOUR_MS as f64;
        let (began, value) = memory(at);
        let life_ms = (began * HOUR_MS as f64) as i64;
        let look = Look { value, weight_ms: LOOK_MS as f64, life_ms };
        track.record(shape, Stretch { now_ms, known_ms: LOOK_MS }, Some(look));
        if track.turn >= turn + EVERY {
            turn += EVERY;
            told.push((at, track.value(shape, Function::Growth, now_ms)));
        }
    }
    assert!(told.iter().any(|(_, growth)| growth.is_some()), "the window never was long enough");
    told
}

/// What was said from an hour on, where anything was.
fn known(told: &[(f64, Option<f64>)], from: f64) -> Vec<(f64, f64)> {
    told.iter().filter(|(at, _)| *at >= from).filter_map(|(at, growth)| Some((*at, (*growth)?))).collect()
}

#[track_caller]
fn assert_leak(name: &str, told: &[(f64, Option<f64>)], from: f64, per_hour: f64, within: f64) {
    let known = known(told, from);
    assert!(!known.is_empty(), "{name}: nothing was said");
    for (at, growth) in known {
        assert!((growth - per_hour / 3_600.0).abs() * 3_600.0 <= within, "{name}: {} at {at} h", growth * 3_600.0);
    }
}

#[track_caller]
fn assert_no_leak(name: &str, told: &[(f64, Option<f64>)], from: f64) {
    let wrong: Vec<(f64, f64)> = known(told, from).into_iter().filter(|(_, growth)| *growth > 0.0).collect();
    assert!(wrong.is_empty(), "{name}: {} times, first {:?}", wrong.len(), wrong[0]);
}

#[test]
fn a_steady_leak_is_found_within_its_window() {
    let leak = told(12.0, |at| 500.0 + 300.0 * at);
    assert!(leak.iter().all(|(at, growth)| growth.is_some() == (*at >= 4.8)), "known once 80 % of the window is");
    assert_leak("5 MiB a minute", &leak, 0.0, 300.0, 1.0);
    let slow = told(12.0, |at| (500.0 + 3.0 * at).floor());
    assert_leak("3 MiB an hour in whole MiB", &slow, 5.5, 3.0, 0.5);
    let young = told_of_lives(12.0, |at| (0.0, 50.0 + 300.0 * at));
    assert_leak("from the first minute of a process", &young, 0.0, 300.0, 1.0);
    let arenas = told(12.0, |at| 500.0 + 64.0 * (at * 2.0).floor());
    assert_leak("64 MiB each half hour", &arenas, 5.5, 128.0, 40.0);
}

#[test]
fn a_leak_with_noise_is_found() {
    for (name, noise) in [("a little", 5.0), ("as much as in a quarter of an hour", 75.0)] {
        let mut chance = Chance(1);
        let leak = told(12.0, |at| 2_000.0 + 300.0 * at + noise * chance.normal());
        assert_leak(name, &leak, 6.0, 300.0, 25.0);
    }
    // Teeth of a collector above a floor that rises.
    for minutes in [1.0, 5.0, 15.0] {
        let leak = told(12.0, |at| 500.0 + 300.0 * at + 400.0 * (at * 60.0 / minutes).fract());
        assert_leak(&format!("with teeth of {minutes} min"), &leak, 6.0, 300.0, 60.0);
    }
}

#[test]
fn a_leak_that_is_restarted_every_two_hours_is_found() {
    let leak = |at: f64| {
        let began = (at / 2.0).floor() * 2.0;
        (began, 200.0 + 300.0 * (at - began))
    };
    assert_leak("killed every two hours", &told_of_lives(16.0, leak), 6.0, 300.0, 5.0);
    let mut chance = Chance(2);
    let noisy = told_of_lives(16.0, |at| (leak(at).0, leak(at).1 + 10.0 * chance.normal()));
    assert_leak("the same with noise", &noisy, 6.0, 300.0, 30.0);
    // Each life loses half of its memory while it is being killed; as long as that lasts nobody can say that it is no
    // collector, but once it is over it is forgotten.
    let dies = |at: f64| at - leak(at).0 > 1.99;
    let mut dying = told_of_lives(16.0, |at| (leak(at).0, if dies(at) { leak(at).1 / 2.0 } else { leak(at).1 }));
    dying.retain(|(at, _)| !dies(*at));
    assert_leak("dying in parts", &dying, 6.0, 300.0, 5.0);
}

#[test]
fn a_leak_of_a_program_whose_workers_are_recycled_is_found() {
    // Twenty workers of 100 to 160 MiB, each replaced after an hour, one every three minutes; the master stays.
    let workers = |at: f64| (0..20).map(|worker| 100.0 + 60.0 * (at + f64::from(worker) / 20.0).fract()).sum::<f64>();
    assert_no_leak("recycled workers", &told(16.0, workers), 0.0);
    assert_leak("a master that leaks", &told(16.0, |at| workers(at) + 60.0 * at), 6.0, 60.0, 10.0);
    let heavier = |at: f64| workers(at) + 20.0 * 10.0 * at;
    assert_leak("workers that begin heavier each time", &told(16.0, heavier), 6.0, 200.0, 15.0);
}

#[test]
fn teeth_of_a_collector_are_no_leak() {
    for minutes in [0.2, 1.0, 5.0, 13.0, 20.0, 33.0, 45.0, 60.0, 75.0, 90.0] {
        for phase in [0.0, 0.31, 0.77] {
            let teeth = told(20.0, |at| 500.0 + 1_500.0 * (at * 60.0 / minutes + phase).fract());
            assert_no_leak(&format!("teeth of {minutes} min, phase {phase}"), &teeth, 0.0);
        }
    }
    // Teeth of unequal height and length.
    for seed in 0..20 {
        let mut chance = Chance(seed);
        let (mut memory, mut top) = (500.0, 1_500.0);
        let teeth = told(20.0, |_| {
            memory += 10.0;
            if memory > top {
                memory = 500.0 + 50.0 * chance.uniform();
                top = 700.0 + 3_000.0 * chance.uniform();
            }
            memory
        });
        assert_no_leak(&format!("unequal teeth, seed {seed}"), &teeth, 0.0);
    }
}

#[test]
fn a_cache_that_is_full_is_no_leak() {
    for hours in [0.1, 0.3, 0.5, 1.0, 1.5] {
        for seed in 0..5 {
            let mut chance = Chance(seed);
            let cache = told_of_lives(30.0, |at| {
                (0.0, (200.0 + 4_096.0 * (1.0 - (-at / hours).exp()) + chance.normal()).floor())
            });
            assert_no_leak(&format!("filled in {hours} h, seed {seed}"), &cache, 8.0 * hours);
        }
    }
}

#[test]
fn what_a_program_loads_at_its_start_is_no_leak() {
    for minutes in [5.0, 9.0, 20.0, 40.0, 60.0] {
        let ramp = |age: f64| 100.0 + 2_000.0 * (age * 60.0 / minutes).min(1.0);
        assert_no_leak(&format!("ramp of {minutes} min"), &told_of_lives(20.0, |at| (0.0, ramp(at))), 0.0);
        // The same at each of its restarts.
        for every in [1.0, 2.0, 3.5] {
            let restarted = told_of_lives(20.0, |at| {
                let began = (at / every).floor() * every;
                (began, ramp(at - began))
            });
            if minutes < every * 30.0 {
                assert_no_leak(&format!("ramp of {minutes} min every {every} h"), &restarted, 0.0);
            }
        }
    }
}

#[test]
fn one_large_allocation_is_no_leak() {
    for at_hour in [1.0, 3.0, 5.0, 8.0] {
        for noise in [0.0, 1.0] {
            let mut chance = Chance(3);
            let step = told(20.0, |at| 500.0 + if at > at_hour { 500.0 } else { 0.0 } + noise * chance.normal());
            assert_no_leak(&format!("at {at_hour} h, noise {noise}"), &step, 0.0);
        }
    }
}

#[test]
fn what_is_no_leak_is_said_to_be_one_for_less_than_one_in_a_hundred() {
    let interval_ms = 120_000;
    let shape = Shape::new(WINDOW_MS, interval_ms);
    let false_alarm = |seed: u64, keep: f64| {
        let (mut chance, mut track, mut memory) = (Chance(seed), Track::default(), 1_000.0);
        for number in 1..=WINDOW_MS / interval_ms {
            memory = 1_000.0 + keep * (memory - 1_000.0) + chance.normal();
            let look = Look { value: memory, weight_ms: interval_ms as f64, life_ms: -HOUR_MS };
            track.record(shape, Stretch { now_ms: number * interval_ms, known_ms: interval_ms }, Some(look));
        }
        track.value(shape, Function::Growth, WINDOW_MS).expect("the window is full") > 0.0
    };
    for (name, keep) in [("noise", 0.0), ("noise that lasts for minutes", 0.8), ("for an hour", 0.97), ("a walk", 1.0)]
    {
        let count = (0..1_000).filter(|seed| false_alarm(1_000 + seed, keep)).count();
        assert!(count < 10, "{name}: {count} of 1,000");
    }
}
