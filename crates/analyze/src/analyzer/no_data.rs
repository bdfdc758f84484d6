//! Alerts whose data is missing: said by an alert of its own, and never taken for the end.

use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Gap, GapReason, Section, Unit};

use super::stories::{BUSY, busy_for, fired, resolved};
use super::*;
use crate::RuleConfig;
use crate::scenes::{START_MS, Story, burning, left_behind, process, rule, settings};

const REASON: &str = "no data for busy (CPU of the machine: permission; run as root)";

fn blinded() -> Vec<String> {
    vec!["no-data/busy host firing".to_owned(), format!("opened: {REASON}")]
}

fn seen_again() -> Vec<String> {
    vec!["no-data/busy host resolved".to_owned(), format!("resolved: {REASON}")]
}

/// An alert that fires, of which nobody has known anything for two minutes.
fn blind() -> Story {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    story.machine.cpu(None);
    let gap = |section, remedy: &str| Gap {
        section,
        reason: GapReason::Permission,
        count: 1,
        remedy: Some(remedy.to_owned()),
    };
    story.machine.snapshot.gaps = vec![gap(Section::Cpu, "run as root"), gap(Section::Disks, "never mind")];
    assert!(story.ticks(119).is_empty());
    assert_eq!(story.ticks(1), blinded());
    story
}

#[test]
fn what_is_not_known_for_two_minutes_is_said_with_the_reason() {
    let mut story = blind();
    assert!(story.ticks(1_000).is_empty(), "it is said once");
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 2, recovering: 0 });
    let open = story.analyzer.open_incidents();
    let [alert, no_data] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!(no_data.cause, "no-data");
    assert_eq!((&no_data.evidence.rule, no_data.severity), (&alert.evidence.rule, alert.severity));
    assert_eq!((no_data.evidence.unit, no_data.evidence.value), (Unit::Seconds, 120.0));
    assert_eq!(no_data.evidence.since_ms, START_MS + 1_000);
    assert_eq!(no_data.evidence.fired_ms, START_MS + 121_000);
    assert!(no_data.evidence.top.is_empty(), "no process does it");
}

#[test]
fn it_is_over_when_there_is_data_and_the_alert_goes_its_own_way() {
    let mut story = blind();
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), seen_again());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 1, recovering: 0 });
    story.machine.cpu(None);
    assert!(story.ticks(119).is_empty(), "it is counted from the last value");
    assert_eq!(story.ticks(1), blinded());
    story.machine.cpu(Some(0.1));
    let [alert, no_data] = [resolved(), seen_again()];
    assert_eq!(story.ticks(1), [&alert[0], &no_data[0], &alert[1], &no_data[1]].map(String::clone));
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn what_is_pending_or_recovering_can_lack_data_too() {
    let mut story = busy_for("20s");
    story.machine.cpu(Some(1.0));
    story.ticks(3);
    story.machine.cpu(None);
    assert!(story.ticks(119).is_empty());
    assert_eq!(
        story.ticks(1),
        [
            "no-data/busy host firing",
            "opened: no data for busy (system.cpu.utilization is not known, no reason was given)"
        ]
    );
    story.machine.cpu(Some(0.1));
    assert_eq!(story.ticks(1)[..2], ["busy host inactive", "no-data/busy host resolved"]);

    let mut story = Story::new(&[RuleConfig { keep_firing: Span::from_secs(60), ..rule("busy", BUSY, "0s") }]);
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), fired());
    story.machine.cpu(Some(0.1));
    story.ticks(3);
    story.machine.cpu(None);
    assert_eq!(story.ticks(120)[0], "no-data/busy host firing");
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 1, recovering: 1 });
}

#[test]
fn ticks_that_were_lost_count_as_time_without_data_and_a_long_interval_takes_three() {
    let mut story = busy_for("0s");
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    story.machine.cpu(None);
    story.machine.snapshot.dropped = 119;
    assert_eq!(story.ticks(1)[0], "no-data/busy host firing");

    let rules = crate::compile(&[rule("busy", BUSY, "0s")], 60_000).unwrap();
    let mut story = Story::new(&[]);
    story.analyzer = Analyzer::new(Settings { rules, ..settings(&[]) }, crate::scenes::nothing());
    story.machine.snapshot.interval_ms = 60_000;
    story.machine.snapshot.host.cpu = story.machine.snapshot.host.cpu.map(|mut cpu| {
        (cpu.user_us, cpu.idle_us) = (2_000_000, 0);
        cpu
    });
    assert_eq!(story.ticks(1), fired());
    story.machine.cpu(None);
    assert!(story.ticks(2).is_empty());
    assert_eq!(story.ticks(1)[0], "no-data/busy host firing");
}

#[test]
fn a_list_that_cannot_be_read_leaves_its_alerts_without_data() {
    let mut story = Story::new(&[rule("hog", "process.cpu.utilization > \"25%\"", "0s")]);
    story.machine.add(burning(0.4, process(7, "yes")));
    story.ticks(1);
    let processes = story.machine.snapshot.processes.take();
    let gap = Gap { section: Section::Processes, reason: GapReason::Malformed, count: 1, remedy: None };
    story.machine.snapshot.gaps = vec![gap];
    assert_eq!(
        story.ticks(120),
        ["no-data/hog 7@107 firing", "opened: no data for hog on pid 7 (processes: malformed)"]
    );
    // When it can be read again and the process is not in it, nobody waits for data any more.
    story.machine.snapshot.processes = processes;
    story.machine.remove(7);
    let told = story.ticks(1);
    assert_eq!(told[..2], ["hog 7@107 ended", "no-data/hog 7@107 ended"]);
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn a_restart_or_a_reload_keeps_what_lacks_data() {
    let mut story = blind();
    assert!(story.restart(5_000).is_empty());
    assert!(story.ticks(1_000).is_empty());
    assert!(story.reload(&[rule("busy", BUSY, "0s")]).is_empty());
    assert_eq!(story.analyzer.counts(), AlertCounts { pending: 0, firing: 2, recovering: 0 });
    story.machine.cpu(Some(1.0));
    assert_eq!(story.ticks(1), seen_again());

    let mut story = blind();
    let told = story.reload(&[]);
    assert!(told.contains(&"busy host ended".to_owned()), "{told:?}");
    assert!(told.contains(&"no-data/busy host ended".to_owned()), "{told:?}");
    assert!(story.analyzer.open_incidents().is_empty());
}

#[test]
fn what_lacks_data_ends_with_the_alert_that_waited_for_it() {
    // The rule went away between two watches.
    let story = blind();
    let mut analyzer = Analyzer::new(settings(&[]), left_behind(&story.changes));
    let mut machine = story.machine.clone();
    let told = crate::scenes::lines(&analyzer.step(&machine.tick()));
    assert!(told.contains(&"no-data/busy host ended".to_owned()), "{told:?}");
    assert!(analyzer.open_incidents().is_empty());

    // What was pending is too old after a long gap.
    let mut story = busy_for("20s");
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    story.machine.cpu(None);
    story.ticks(120);
    let told = story.restart(1_000_000);
    assert!(told.contains(&"busy host inactive".to_owned()), "{told:?}");
    assert!(told.contains(&"no-data/busy host ended".to_owned()), "{told:?}");
    assert!(story.analyzer.open_incidents().is_empty());
}
