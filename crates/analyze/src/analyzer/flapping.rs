//! Alerts that come and go too often.

use watchkeeper_core::IncidentEvent;

use super::stories::{BUSY, HOUR_MS, busy_for, fired, resolved};
use super::*;
use crate::scenes::{Story, burning, process, rule, settings};

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
fn a_value_that_flaps_for_a_day_is_a_few_messages() {
    for (busy, idle) in [(1, 1), (5, 5), (60, 60), (200, 200)] {
        let mut story = busy_for("0s");
        let waves = 86_400 / (busy + idle);
        let told: Vec<String> = (0..waves).flat_map(|_| wave(&mut story, busy, idle)).collect();
        assert_eq!(told[8], format!("opened: {FLAPPING_TITLE}"), "{busy} s busy, {idle} s idle");
        assert_eq!(told[9..], vec![format!("flapping: {FLAPPING_TITLE}"); 7], "after 1, 3, 7, 11, 15, 19 and 23 hours");
        assert_eq!(wave(&mut story, 1, 1_800), [] as [String; 0]);
        assert_eq!(wave(&mut story, 0, 1), [format!("resolved: {FLAPPING_TITLE}")]);
    }
}

#[test]
fn a_summary_says_how_often_it_came_since_the_last_one() {
    let mut story = flapping();
    let began_ms = story.analyzer.open_incidents()[0].opened_ms;
    let mut summaries = Vec::new();
    for _ in 0..100 {
        let before = story.changes.len();
        wave(&mut story, 60, 60);
        summaries.extend(story.changes[before..].iter().filter_map(|change| match change {
            Change::Incident { event: IncidentEvent::Flapping, incident, .. } => incident.course.flapping.clone(),
            _ => None,
        }));
    }
    let [first, second] = summaries.as_slice() else { panic!("{summaries:?}") };
    assert_eq!((first.from_ms, first.lately, first.told_times), (began_ms, 30, 31));
    assert_eq!((second.from_ms, second.lately, second.told_times), (first.told_ms, 60, 91));
    assert_eq!(second.told_ms - first.told_ms, 2 * HOUR_MS);
}

#[test]
fn what_is_calm_has_no_summary() {
    let mut story = flapping();
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(20_000), ["busy host firing".to_owned(), format!("flapping: {FLAPPING_TITLE}")]);
    assert!(story.ticks(50_000).is_empty(), "it has not come again");
}

#[test]
fn a_label_of_the_user_is_not_taken_for_ours() {
    let mut story = busy_for("0s");
    let mut own = settings(&[rule("busy", BUSY, "0s")]);
    own.labels.insert("flapping".to_owned(), "yes".to_owned());
    story.analyzer = Analyzer::new(own, crate::scenes::nothing());
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), fired());
    story.restart(5_000);
    story.machine.cpu(Some(0.1));
    assert_eq!(story.ticks(1), resolved(), "it does not wait for half an hour of calm");
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
