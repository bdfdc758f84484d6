//! What comes between firing and being over.

use watchkeeper_core::quantity::Span;
use watchkeeper_core::snapshot::TickFlags;

use super::stories::{BUSY, HOUR_MS, fired, resolved};
use super::*;
use crate::RuleConfig;
use crate::scenes::{Story, burning, process, rule};

const RECOVERING: &str = "busy host recovering";
const RELAPSED: &str = "busy host firing";

fn kept(keep: &str) -> RuleConfig {
    RuleConfig { keep_firing: Span::parse(keep).unwrap(), ..rule("busy", BUSY, "0s") }
}

/// A machine that was too busy and is not any more: recovering, one look of it.
fn recovering(keep: &str) -> Story {
    let mut story = Story::new(&[kept(keep)]);
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), fired());
    story.machine.cpu(Some(0.5));
    assert_eq!(story.ticks(1), [RECOVERING]);
    story
}

#[test]
fn it_is_over_when_clear_has_held_for_keep_firing() {
    let mut story = recovering("8s");
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 0, recovering: 1 });
    assert_eq!(story.analyzer.open_incidents().len(), 1);
    assert!(story.ticks(7).is_empty());
    assert_eq!(story.ticks(1), resolved());
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn what_comes_back_while_it_recovers_is_no_news() {
    let mut story = recovering("60s");
    for _ in 0..50 {
        story.ticks(30);
        story.machine.cpu(Some(0.99));
        assert_eq!(story.ticks(1), [RELAPSED]);
        story.machine.cpu(Some(0.2));
        assert_eq!(story.ticks(1), [RECOVERING]);
    }
    assert_eq!(story.changes.iter().filter(|change| matches!(change, Change::Incident { .. })).count(), 1);
}

#[test]
fn a_value_that_hovers_at_the_threshold_is_one_incident() {
    let mut story = Story::new(&[kept("0s")]);
    for second in 0..3_600_u32 {
        story.machine.cpu(Some(if second % 3 == 0 { 0.91 } else { 0.86 }));
        story.ticks(1);
    }
    assert_eq!(story.changes.iter().filter(|change| matches!(change, Change::Incident { .. })).count(), 1);
    // 90 % less a twentieth of it.
    story.machine.cpu(Some(0.855));
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn unknown_freezes_keep_firing_and_never_resolves() {
    let mut story = recovering("8s");
    story.ticks(4);
    story.machine.cpu(None);
    story.machine.snapshot.dropped = 10;
    assert!(story.ticks(100).is_empty());
    story.machine.cpu(Some(0.5));
    assert!(story.ticks(3).is_empty());
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn clock_steps_and_sleep_do_not_end_it_early() {
    for (name, wall_ms, slept_ms, flag) in [
        ("an hour ahead", HOUR_MS, 0, TickFlags::CLOCK_STEP),
        ("an hour back", -HOUR_MS, 0, TickFlags::CLOCK_STEP),
        ("eight hours asleep", 8 * HOUR_MS, 8 * HOUR_MS, TickFlags::SUSPENDED),
    ] {
        let mut story = recovering("8s");
        story.ticks(4);
        story.machine.snapshot.at.ts_ms += wall_ms;
        story.machine.snapshot.at.suspended_ms += slept_ms;
        story.machine.snapshot.flags = TickFlags::default().with(flag);
        assert!(story.ticks(3).is_empty(), "{name}");
        assert_eq!(story.ticks(1), resolved(), "{name}");
    }
}

#[test]
fn a_restart_goes_on_with_keep_firing_and_does_not_count_the_gap() {
    let mut story = recovering("30s");
    assert_eq!(story.ticks(20), [RECOVERING, RECOVERING]);
    assert!(story.restart(200_000).is_empty());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 0, recovering: 1 });
    assert!(story.ticks(9).is_empty());
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn after_a_long_gap_keep_firing_begins_anew() {
    let mut story = recovering("30s");
    story.ticks(20);
    assert_eq!(story.restart(400_000), [RELAPSED]);
    assert_eq!(story.ticks(1), [RECOVERING]);
    assert!(!story.ticks(29).contains(&resolved()[0]));
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn what_is_gone_while_it_recovers_has_ended() {
    let hog = RuleConfig { keep_firing: Span::from_secs(60), ..rule("hog", "process.cpu.utilization > \"25%\"", "0s") };
    let mut story = Story::new(&[hog]);
    story.machine.add(burning(0.4, process(7, "yes")));
    story.ticks(1);
    *story.machine.process(7) = burning(0.1, process(7, "yes"));
    assert_eq!(story.ticks(1), ["hog 7@107 recovering"]);
    story.machine.remove(7);
    assert_eq!(story.ticks(1), ["hog 7@107 ended"]);
    assert!(story.ticks(299).is_empty(), "the next process of the program may continue it");
    assert!(story.ticks(1)[0].starts_with("ended: "));
}

#[test]
fn a_written_clear_may_look_at_something_else() {
    let clear = Some("system.memory.utilization < \"50%\"".to_owned());
    let mut story = Story::new(&[RuleConfig { clear, ..rule("busy", BUSY, "0s") }]);
    story.machine.snapshot.host.memory.as_mut().unwrap().available_bytes = 1 << 30;
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), fired());
    story.machine.cpu(Some(0.0));
    assert!(story.ticks(100).is_empty(), "memory is not below 50 %");
    let memory = story.machine.snapshot.host.memory.take();
    assert!(story.ticks(100).is_empty(), "nobody knows what memory is");
    story.machine.snapshot.host.memory = memory;
    story.machine.snapshot.host.memory.as_mut().unwrap().available_bytes = 7 << 30;
    story.machine.cpu(None);
    assert!(story.ticks(100).is_empty(), "nobody knows whether the condition holds");
    story.machine.cpu(Some(1.0));
    assert!(story.ticks(1).is_empty(), "while the condition holds nothing clears");
    story.machine.cpu(Some(0.0));
    assert_eq!(story.ticks(1), resolved());
}

#[test]
fn a_program_is_clear_by_the_sum_of_another_metric() {
    let clear = Some("process.memory.usage < \"3MiB\"".to_owned());
    let each = Some("program".to_owned());
    let many = RuleConfig { clear, each, ..rule("many", "process.cpu.utilization > \"50%\"", "0s") };
    let mut story = Story::new(&[many]);
    for pid in 7..10 {
        story.machine.add(burning(0.3, process(pid, "worker")));
    }
    assert_eq!(story.ticks(1)[0], "many worker firing");
    for pid in 7..10 {
        *story.machine.process(pid) = process(pid, "worker");
    }
    assert!(story.ticks(10).is_empty(), "three times a MiB is not below 3 MiB");
    story.machine.process(8).memory.as_mut().unwrap().resident_bytes = 1;
    story.machine.process(9).memory = None;
    assert!(story.ticks(10).is_empty(), "a part of the sum is not below 3 MiB");
    story.machine.remove(9);
    assert_eq!(story.ticks(1)[0], "many worker resolved");
}
