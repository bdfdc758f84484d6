//! Alerts that come and go too often.

use super::stories::{BUSY, busy_for, fired, resolved};
use crate::scenes::{Story, burning, process, rule};

const FLAPPING_TITLE: &str = "flapping: system.cpu.utilization above 90.0 %";

/// So many seconds busy, then so many idle; what people are told.
fn wave(story: &mut Story, busy: usize, idle: usize) -> Vec<String> {
    let mut told = Vec::new();
    for (share, seconds) in [(1.0, busy), (0.1, idle)] {
        story.machine.cpu(Some(share));
        told.extend(story.ticks(seconds));
    }
    told.retain(|line| line.contains(": "));
    told
}

/// An alert that flaps, and is clear.
fn flapping() -> Story {
    let mut story = busy_for("0s");
    for _ in 0..4 {
        assert_eq!(wave(&mut story, 60, 60), [fired()[1].clone(), resolved()[1].clone()]);
    }
    assert_eq!(wave(&mut story, 60, 60), [format!("opened: {FLAPPING_TITLE}")]);
    story
}

#[test]
fn a_value_that_flaps_for_a_day_is_ten_messages() {
    let mut story = busy_for("0s");
    let told: Vec<String> = (0..720).flat_map(|_| wave(&mut story, 60, 60)).collect();
    assert_eq!(told.len(), 9, "{told:?}");
    assert_eq!(told[8], format!("opened: {FLAPPING_TITLE}"));
    assert_eq!(wave(&mut story, 1, 1_800), [] as [String; 0]);
    assert_eq!(wave(&mut story, 0, 1), [format!("resolved: {FLAPPING_TITLE}")]);
}

#[test]
fn an_alert_that_flaps_can_be_matched_by_its_label() {
    let story = flapping();
    let open = story.analyzer.open_incidents();
    assert_eq!(open[0].labels["flapping"], "yes");
    assert_eq!((open[0].cause.as_str(), open[0].labels["env"].as_str()), ("busy", "prod"));
}

#[test]
fn a_restart_or_a_reload_does_not_end_the_flapping() {
    let mut story = flapping();
    assert!(story.restart(5_000).is_empty());
    assert!(story.reload(&[rule("busy", BUSY, "0s")]).is_empty());
    assert!(wave(&mut story, 60, 1_800).is_empty());
    assert_eq!(wave(&mut story, 0, 1), [format!("resolved: {FLAPPING_TITLE}")]);
}

#[test]
fn after_half_an_hour_of_calm_it_is_an_alert_like_others() {
    let mut story = flapping();
    wave(&mut story, 60, 1_801);
    assert_eq!(wave(&mut story, 60, 60), [fired()[1].clone(), resolved()[1].clone()]);
}

#[test]
fn what_comes_seldom_does_not_flap() {
    let mut story = busy_for("0s");
    for _ in 0..20 {
        // Four times in more than half an hour.
        assert_eq!(wave(&mut story, 60, 420), [fired()[1].clone(), resolved()[1].clone()]);
    }
}

#[test]
fn what_ends_with_what_it_watched_does_not_flap() {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"25%\"", "0s")]);
    for _ in 0..10 {
        story.machine.add(burning(0.4, process(7, "yes")));
        let told = story.ticks(1);
        assert!(told[1].starts_with("opened: process.cpu"), "{told:?}");
        story.machine.remove(7);
        story.ticks(1);
    }
}
