//! Alerts that belong together: one incident for one cause.

use watchkeeper_core::snapshot::Watch;
use watchkeeper_core::{IncidentEvent, ProcessState, Severity};

use super::stories::BUSY;
use super::*;
use crate::scenes::{Story, burning, process, rule};
use crate::{ExpectConfig, RuleConfig};

const HOG: &str = "process.cpu.utilization > \"25%\"";
const BUSY_TITLE: &str = "system.cpu.utilization above 90.0 %";
const HOG_TITLE: &str = "process.cpu.utilization above 25.0 %: yes (pid 7)";

fn graver(severity: Severity, rule: RuleConfig) -> RuleConfig {
    RuleConfig { severity, ..rule }
}

/// What people are told, and what is written into the history.
fn events(told: &[String]) -> Vec<&str> {
    told.iter().filter(|line| line.contains(": ")).map(String::as_str).collect()
}

fn one(story: &Story) -> Incident {
    let open = story.analyzer.open_incidents();
    let [incident] = open.as_slice() else { panic!("{open:?}") };
    (*incident).clone()
}

#[test]
fn a_busy_machine_explains_its_busy_process_whatever_the_order_of_the_rules() {
    for rules in
        [[rule("busy", BUSY, "0s"), rule("hog", HOG, "0s")], [rule("hog", HOG, "0s"), rule("busy", BUSY, "0s")]]
    {
        let mut story = Story::new(&rules);
        story.machine.cpu(Some(1.0));
        story.machine.add(burning(0.9, process(7, "yes")));
        let told = story.ticks(1);
        assert_eq!(events(&told), [format!("opened: {BUSY_TITLE}")]);
        let incident = one(&story);
        assert_eq!((incident.cause.as_str(), incident.alerts.len(), incident.times), ("busy", 2, 1));
        assert_eq!(incident.joined.iter().map(|joined| joined.title.as_str()).collect::<Vec<_>>(), [HOG_TITLE]);
        assert_eq!(incident.evidence.top[0].key.pid, 7);
    }
}

#[test]
fn what_explains_it_a_minute_later_at_most_takes_the_incident_over() {
    for (later, told_later) in [
        (1, vec![format!("joined: {BUSY_TITLE}")]),
        (60, vec![format!("joined: {BUSY_TITLE}")]),
        (61, vec![format!("opened: {BUSY_TITLE}")]),
    ] {
        let mut story = Story::new(&[rule("hog", HOG, "0s"), rule("busy", BUSY, "0s")]);
        story.machine.add(burning(0.6, process(7, "yes")));
        assert_eq!(events(&story.ticks(1)), [format!("opened: {HOG_TITLE}")]);
        story.ticks(later - 1);
        story.machine.cpu(Some(1.0));
        assert_eq!(events(&story.ticks(1)), told_later, "{later} s later");
        if later > 60 {
            continue;
        }
        let incident = one(&story);
        assert_eq!((incident.cause.as_str(), incident.title.as_str()), ("busy", BUSY_TITLE));
        assert_eq!(incident.evidence.metric, "system.cpu.utilization");
        assert_eq!(incident.joined[0].title, HOG_TITLE, "what it was about is not lost");
        assert_eq!(incident.joined[0].at_ms, incident.opened_ms);
        // Both go on until both are over.
        story.machine.remove(7);
        assert_eq!(events(&story.ticks(1)), [format!("left: {BUSY_TITLE}")]);
        story.machine.cpu(Some(0.1));
        assert_eq!(events(&story.ticks(1)), [format!("resolved: {BUSY_TITLE}")]);
    }
}

#[test]
fn of_several_incidents_that_it_explains_a_cause_takes_the_oldest() {
    let mut story = Story::new(&[rule("hog", HOG, "0s"), rule("busy", BUSY, "0s")]);
    for (pid, name) in [(7, "yes"), (8, "cc1")] {
        story.machine.add(burning(0.4, process(pid, name)));
        assert_eq!(events(&story.ticks(1)).len(), 1);
    }
    story.machine.cpu(Some(1.0));
    assert_eq!(events(&story.ticks(1)), [format!("joined: {BUSY_TITLE}")]);
    let open = story.analyzer.open_incidents();
    assert_eq!(open.iter().map(|incident| incident.cause.as_str()).collect::<Vec<_>>(), ["busy", "hog"]);
}

#[test]
fn after_a_minute_or_when_it_is_over_it_explains_nothing_any_more() {
    let mut story = Story::new(&[rule("busy", BUSY, "0s"), rule("hog", HOG, "0s")]);
    story.machine.cpu(Some(1.0));
    story.ticks(62);
    story.machine.add(burning(0.6, process(7, "yes")));
    assert_eq!(events(&story.ticks(1)), [format!("opened: {HOG_TITLE}")]);

    let mut story = Story::new(&[rule("busy", BUSY, "0s"), rule("hog", HOG, "0s")]);
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    story.machine.cpu(Some(0.1));
    story.ticks(1);
    story.machine.add(burning(0.6, process(7, "yes")));
    assert_eq!(events(&story.ticks(1)), [format!("opened: {HOG_TITLE}")]);
}

#[test]
fn an_alert_that_other_people_are_told_of_stays_apart() {
    let labels = BTreeMap::from([("team".to_owned(), "data".to_owned())]);
    let mut story = Story::new(&[rule("busy", BUSY, "0s"), RuleConfig { labels, ..rule("hog", HOG, "0s") }]);
    story.machine.cpu(Some(1.0));
    story.machine.add(burning(0.6, process(7, "yes")));
    let told = story.ticks(1);
    assert_eq!(events(&told), [format!("opened: {BUSY_TITLE}"), format!("opened: {HOG_TITLE}")]);
    let labels = &story.analyzer.open_incidents().into_iter().find(|one| one.cause == "hog").unwrap().labels;
    assert_eq!((labels["team"].as_str(), labels["env"].as_str()), ("data", "prod"));
}

#[test]
fn a_kill_for_lack_of_memory_explains_the_process_that_is_gone() {
    let missing = |hold| {
        let expect = ExpectConfig { process: "process.name == \"db\"".to_owned(), ..ExpectConfig::default() };
        RuleConfig { when: None, expect: Some(expect), ..rule("db", "", hold) }
    };
    let oom = graver(Severity::Critical, rule("oom", "count(system.linux.oom_kills, \"1m\") > 0", "0s"));
    for hold in ["0s", "15s"] {
        let mut story = Story::new(&[missing(hold), oom.clone()]);
        story.machine.add(process(7, "db"));
        let mut hog = process(8, "hog");
        hog.memory.as_mut().unwrap().resident_bytes = 5 << 30;
        story.machine.add(hog);
        story.machine.snapshot.host.counters.oom_kills = Some(0);
        assert!(story.ticks(70).is_empty());
        story.machine.remove(7);
        story.machine.snapshot.host.counters.oom_kills = Some(1);
        story.ticks(1);
        story.machine.snapshot.host.counters.oom_kills = Some(0);
        story.ticks(20);
        let incident = one(&story);
        assert_eq!((incident.cause.as_str(), incident.alerts.len()), ("oom", 2), "{hold}");
        assert_eq!(incident.severity, Severity::Critical);
        assert!(incident.evidence.top.iter().any(|top| top.program == "hog"), "{:?}", incident.evidence.top);
        let opened = story.changes.iter().filter(|change| {
            matches!(change, Change::Incident { event: IncidentEvent::Opened | IncidentEvent::Severity, .. })
        });
        assert_eq!(opened.count(), 1, "one message: {hold}");
    }
}

#[test]
fn a_full_filesystem_explains_what_cannot_be_written_and_a_busy_disk_who_waits() {
    let full = rule("full", "system.filesystem.utilization > \"97%\"", "0s");
    let log = rule("log", "watchkeeper.log.failing > \"3s\"", "0s");
    let mut story = Story::new(&[log, full]);
    story.machine.filesystem("/var", 0.99);
    story.machine.snapshot.watch =
        Some(Watch { late_ms: 0, log_failing_ms: 9_000, state_failing_ms: 0, channel_failing_ms: 0, outbox_age_ms: 0 });
    story.ticks(1);
    let incident = one(&story);
    assert_eq!((incident.cause.as_str(), incident.joined[0].rule.as_str()), ("full", "log"));

    let waits = rule("waits", "process.state == \"D\"", "0s");
    let io = rule("io", "system.cpu.utilization.iowait > \"50%\"", "0s");
    let mut story = Story::new(&[waits, io]);
    let mut stuck = process(7, "tar");
    stuck.state = Some(ProcessState::DiskSleep);
    story.machine.add(stuck);
    story.ticks(1);
    let times = story.machine.snapshot.host.cpu.as_mut().unwrap();
    (times.iowait_us, times.idle_us) = (1_600_000, 200_000);
    story.ticks(10);
    let incident = one(&story);
    assert_eq!((incident.cause.as_str(), incident.joined[0].rule.as_str()), ("io", "waits"));
}

#[test]
fn the_severity_is_the_gravest_that_fires_and_told_once_for_each_change() {
    let full = |id: &str, when: &str, severity| graver(severity, rule(id, when, "0s"));
    let mut story = Story::new(&[
        full("full", "system.filesystem.utilization > \"90%\"", Severity::Warning),
        full("fuller", "system.filesystem.utilization > \"97%\"", Severity::Critical),
    ]);
    story.machine.filesystem("/", 0.93);
    let title = "system.filesystem.utilization above 90.0 %: /";
    assert_eq!(events(&story.ticks(1)), [format!("opened: {title}")]);
    story.ticks(600);
    story.machine.filesystem("/", 0.99);
    // The same thing gets worse, however late.
    assert_eq!(events(&story.ticks(1)), [format!("joined: {title}"), format!("severity: {title}")]);
    assert_eq!(one(&story).severity, Severity::Critical);
    assert!(story.restart(5_000).is_empty(), "it is as bad as it was");
    assert!(story.ticks(10).is_empty());
    story.machine.filesystem("/", 0.91);
    assert_eq!(events(&story.ticks(1)), [format!("left: {title}"), format!("severity: {title}")]);
    assert_eq!(one(&story).severity, Severity::Warning);
    story.machine.filesystem("/", 0.99);
    assert_eq!(events(&story.ticks(1)), [format!("joined: {title}"), format!("severity: {title}")]);
    story.machine.filesystem("/", 0.1);
    let told = story.ticks(1);
    assert_eq!(events(&told), [format!("resolved: {title}")]);
    assert_eq!(story.changes.iter().rev().find_map(severity), Some(Severity::Critical), "as bad as it was at the end");
}

fn severity(change: &Change) -> Option<Severity> {
    match change {
        Change::Incident { incident, .. } => Some(incident.severity),
        Change::Alert(_) => None,
    }
}

#[test]
fn a_rule_that_gets_graver_says_so() {
    let mut story = Story::new(&[rule("busy", BUSY, "0s")]);
    story.machine.cpu(Some(1.0));
    story.ticks(1);
    assert_eq!(
        story.reload(&[graver(Severity::Critical, rule("busy", BUSY, "0s"))]),
        [format!("severity: {BUSY_TITLE}")]
    );
    assert!(story.ticks(1).is_empty());
}

#[test]
fn an_incident_is_over_with_its_last_alert_and_resolves_if_any_value_is_back() {
    for (name, first_is_back, second_is_back, word, restarts) in [
        ("both", true, true, "resolved", false),
        ("the first", true, false, "resolved", false),
        ("the second", false, true, "resolved", false),
        ("none", false, false, "ended", false),
        ("the first, before a restart", true, false, "resolved", true),
        ("none, before a restart", false, false, "ended", true),
    ] {
        let mut story = Story::new(&[rule("hog", HOG, "0s"), rule("cores", "process.cpu.cores > 0.5", "0s")]);
        story.machine.add(burning(0.4, process(7, "yes")));
        story.machine.add(burning(0.4, process(8, "yes")));
        story.ticks(1);
        assert_eq!(one(&story).alerts.len(), 4, "{name}");
        for (pid, is_back) in [(7, first_is_back), (8, second_is_back)] {
            if is_back {
                *story.machine.process(pid) = process(pid, "yes");
            } else {
                story.machine.remove(pid);
            }
            let told = story.ticks(1);
            let expected = if pid == 7 { "left" } else { word };
            assert_eq!(events(&told), [format!("{expected}: {HOG_TITLE}")], "{name}");
            if restarts && pid == 7 {
                assert!(story.restart(5_000).is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn missing_data_leaves_an_incident_open() {
    let mut story = Story::new(&[rule("busy", BUSY, "0s"), rule("hog", HOG, "0s")]);
    story.machine.cpu(Some(1.0));
    story.machine.add(burning(0.9, process(7, "yes")));
    story.ticks(1);
    story.machine.cpu(None);
    assert!(story.ticks(100).is_empty());
    story.machine.remove(7);
    assert_eq!(events(&story.ticks(1)), [format!("left: {BUSY_TITLE}")]);
    let told = story.ticks(1_000);
    assert!(!told.iter().any(|line| line.contains("resolved") || line.contains("ended")), "{told:?}");
    assert_eq!(story.analyzer.open_incidents().len(), 2, "it, and that its data is missing");
}

#[test]
fn alerts_that_lack_the_same_data_are_one_incident() {
    let mut story = Story::new(&[rule("hog", "process.memory.usage > \"512kB\"", "0s")]);
    for pid in 2..12 {
        story.machine.add(process(pid, &format!("p{pid}")));
    }
    story.ticks(1);
    story.machine.snapshot.processes = None;
    let told = story.ticks(120);
    assert_eq!(
        events(&told),
        ["opened: no data for hog on pid 2 (process.memory.usage is not known, no reason was given)"]
    );
    let no_data = story.analyzer.open_incidents().into_iter().find(|one| one.cause == "no-data").unwrap().clone();
    assert_eq!((no_data.alerts.len(), no_data.joined.len()), (10, 9));
}
