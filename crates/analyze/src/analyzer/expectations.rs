//! Stories of processes that should be there.

use watchkeeper_core::IncidentEvent;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::snapshot::Exited;

use super::*;
use crate::ExpectConfig;
use crate::RuleConfig;
use crate::scenes::{Story, process, rule};

fn expecting(expect: ExpectConfig, hold: &str) -> RuleConfig {
    RuleConfig { when: None, expect: Some(expect), ..rule("postgres", "", hold) }
}

fn postgres() -> ExpectConfig {
    ExpectConfig { process: "process.name == \"postgres\"".to_owned(), ..ExpectConfig::default() }
}

/// The process with this pid ends as it does when somebody sees it: by a signal, or with a code.
fn end(story: &mut Story, pid: u32, signal: Option<i32>, code: Option<i32>) {
    let own = story.machine.process(pid).clone();
    story.machine.remove(pid);
    let ts_ms = story.machine.snapshot.at.ts_ms + 500;
    story.machine.snapshot.exited.push(Exited {
        key: own.key,
        parent: own.parent,
        image: own.image,
        uid: own.uid,
        ts_ms,
        code,
        signal,
        cpu: None,
        faults: None,
        io: None,
        network: None,
    });
    // What a look has seen to end is not there at the next one.
    story.ticks(1);
    story.machine.snapshot.exited.clear();
}

fn begin(story: &mut Story, pid: u32) {
    let mut born = process(pid, "postgres");
    born.key.start_ticks = (story.machine.snapshot.at.mono_ms / 10) as u64 + 50;
    story.machine.add(born);
}

fn titles(story: &Story) -> Vec<String> {
    let incidents = story.changes.iter().filter_map(|change| match change {
        Change::Incident { event: IncidentEvent::Opened, incident, .. } => Some(incident.title.clone()),
        _ => None,
    });
    incidents.collect()
}

#[test]
fn a_database_that_is_killed_is_missing_until_it_is_back() {
    let mut story = Story::new(&[expecting(postgres(), "15s")]);
    begin(&mut story, 812);
    assert!(story.ticks(30).is_empty());
    end(&mut story, 812, Some(9), None);
    let told = story.ticks(15);
    let title = "postgres is missing: expected at least 1 process, there are none; the last one (pid 812) ended \
                 12:00:30 by signal 9";
    assert_eq!(told[told.len() - 2..], ["postgres host firing".to_owned(), format!("opened: {title}")]);
    let evidence = story.analyzer.open_incidents()[0].evidence.clone();
    assert_eq!((evidence.value, evidence.threshold, evidence.unit), (0.0, Some(1.0), watchkeeper_core::Unit::Count));
    assert_eq!(evidence.condition, "processes with process.name == \"postgres\": at least 1");
    assert_eq!(evidence.top.iter().map(|last| last.key.pid).collect::<Vec<_>>(), [812]);
    assert_eq!(evidence.ranked_by, None, "what it did is no share of anything");
    begin(&mut story, 990);
    assert_eq!(story.ticks(1), ["postgres host resolved".to_owned(), format!("resolved: {title}")]);
}

#[test]
fn a_service_that_comes_back_in_time_is_no_alert() {
    let mut story = Story::new(&[expecting(postgres(), "15s")]);
    begin(&mut story, 812);
    story.ticks(5);
    for pid in 813..823 {
        end(&mut story, pid - 1, None, Some(0));
        story.ticks(13);
        begin(&mut story, pid);
        story.ticks(2);
    }
    assert!(titles(&story).is_empty());
}

#[test]
fn a_service_that_begins_again_and_again_is_told_once() {
    let often = ExpectConfig { max_restarts: Some("3/10m".to_owned()), ..postgres() };
    let mut story = Story::new(&[expecting(often, "0s")]);
    begin(&mut story, 100);
    story.ticks(5);
    for pid in 100..150 {
        end(&mut story, pid, Some(11), None);
        begin(&mut story, pid + 1);
        story.ticks(5);
    }
    let title = "postgres was started again 4 times in 10 minutes; the last one (pid 103) ended 12:00:23 by signal 11";
    assert_eq!(titles(&story), [title]);
    let evidence = story.analyzer.open_incidents()[0].evidence.clone();
    assert_eq!((evidence.value, evidence.threshold), (4.0, Some(3.0)));
    assert_eq!((evidence.top[0].key.pid, evidence.ranked_by), (103, None), "the one that ended");
    let told = story.ticks(600);
    assert_eq!(told, ["postgres host resolved".to_owned(), format!("resolved: {title}")]);
}

#[test]
fn too_many_of_a_kind_are_listed_by_their_memory() {
    let workers =
        ExpectConfig { process: "process.name == \"worker\"".to_owned(), max: Some(8), ..ExpectConfig::default() };
    let mut story = Story::new(&[expecting(workers, "0s")]);
    for pid in 1..=8 {
        story.machine.add(process(pid, "worker"));
    }
    story.machine.add(process(90, "other"));
    assert!(story.ticks(3).is_empty());
    for pid in 9..=12 {
        story.machine.add(process(pid, "worker"));
    }
    story.machine.process(10).memory.as_mut().unwrap().resident_bytes = 1 << 30;
    story.machine.process(90).memory.as_mut().unwrap().resident_bytes = 2 << 30;
    story.ticks(1);
    assert_eq!(titles(&story), ["too many worker processes: 12, at most 8"]);
    let evidence = story.analyzer.open_incidents()[0].evidence.clone();
    assert_eq!((evidence.top.len(), evidence.top[0].key.pid), (5, 10));
    assert_eq!(evidence.top[0].amount.share, Some(0.125));
    for pid in 1..=4 {
        story.machine.remove(pid);
    }
    assert_eq!(story.ticks(1)[0], "postgres host resolved");
}

#[test]
fn titles_say_what_is_wrong_whoever_wrote_them() {
    let path = "process.executable.path.endsWith(\"/postgres\") || process.name.startsWith(\"postgres\")";
    let by_path = |min| ExpectConfig { process: path.to_owned(), min, ..ExpectConfig::default() };
    let own = |config: RuleConfig| RuleConfig { title: Some("Database".to_owned()), ..config };
    for (config, title) in [
        (expecting(postgres(), "0s"), "postgres is missing: expected at least 1 process, there are none"),
        (own(expecting(postgres(), "0s")), "Database: expected at least 1 process, there are none"),
        (
            expecting(by_path(Some(2)), "0s"),
            "too few processes with process.executable.path.endsWith(\"/postgres\") || \
             process.name.startsWith(\"postgres\"): expected at least 2 processes, there are none",
        ),
    ] {
        let mut story = Story::new(&[config]);
        story.ticks(1);
        assert_eq!(titles(&story), [title]);
    }
}

#[test]
fn a_list_that_cannot_be_read_for_long_is_no_data_and_no_recovery() {
    let mut story = Story::new(&[expecting(postgres(), "0s")]);
    story.ticks(1);
    let list = story.machine.snapshot.processes.take();
    let told = story.ticks(120);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("opened: no data for postgres (system.process.count is not known"), "{told:?}");
    story.machine.snapshot.processes = list;
    begin(&mut story, 1);
    let told = story.ticks(1);
    assert!(told.iter().any(|line| line.starts_with("resolved: postgres is missing")), "{told:?}");
}

#[test]
fn a_missing_process_is_the_same_alert_after_a_restart_of_the_watch() {
    let config = RuleConfig { keep_firing: Span::from_secs(10), ..expecting(postgres(), "15s") };
    let mut story = Story::new(&[config]);
    story.ticks(17);
    assert_eq!(titles(&story).len(), 1);
    assert!(story.restart(5_000).is_empty());
    assert!(story.ticks(60).is_empty(), "it goes on and is not told again");
    begin(&mut story, 812);
    assert!(story.ticks(12).contains(&"postgres host resolved".to_owned()));
}

#[test]
fn a_reload_keeps_what_an_expectation_has_seen() {
    let often = |title: &str| RuleConfig {
        title: Some(title.to_owned()),
        ..expecting(ExpectConfig { max_restarts: Some("1/10m".to_owned()), ..postgres() }, "0s")
    };
    for (changed, after) in [
        (false, vec!["b: started again 2 times in 10 minutes; the last one (pid 101) ended 12:00:04 with exit code 1"]),
        (true, Vec::new()),
    ] {
        let mut story = Story::new(&[often("a")]);
        begin(&mut story, 100);
        story.ticks(2);
        end(&mut story, 100, None, Some(1));
        begin(&mut story, 101);
        story.ticks(1);
        let mut rule = often("b");
        if changed {
            rule.expect.as_mut().unwrap().process = "process.name.startsWith(\"postgres\")".to_owned();
        }
        story.reload(&[rule]);
        end(&mut story, 101, None, Some(1));
        begin(&mut story, 102);
        story.ticks(1);
        assert_eq!(titles(&story), after, "{changed}");
    }
}

#[test]
fn restarts_are_counted_over_a_restart_of_the_watch_as_far_as_the_log_has_them() {
    let often = ExpectConfig { max_restarts: Some("1/10m".to_owned()), ..postgres() };
    for (logged, titles_after) in [
        (true, vec!["postgres was started again 2 times in 10 minutes; the last one (pid 101) ended 12:00:03"]),
        (false, Vec::new()),
    ] {
        let mut story = Story::new(&[expecting(often.clone(), "0s")]);
        let mut log = Vec::new();
        begin(&mut story, 100);
        log.push(story.machine.tick());
        let after = |story: &mut Story, pid: u32| {
            story.machine.remove(pid);
            begin(story, pid + 1);
            story.machine.tick()
        };
        log.push(after(&mut story, 100));
        assert_eq!(story.analyzer.longest_window_ms(), 600_000);
        for snapshot in log.iter().filter(|_| logged) {
            story.analyzer.warm_up(snapshot);
        }
        // The watch begins again: the restart before is known, this one is the second.
        let snapshot = after(&mut story, 101);
        story.look(&snapshot);
        assert_eq!(titles(&story), titles_after, "{logged}");
    }
}

#[test]
fn the_same_looks_give_the_same_changes() {
    let all = ExpectConfig { min: Some(1), max: Some(2), max_restarts: Some("1/1m".to_owned()), ..postgres() };
    let told = || {
        let mut story = Story::new(&[expecting(all.clone(), "0s")]);
        for pid in 100..140 {
            begin(&mut story, pid);
            story.ticks(pid as usize % 5);
            end(&mut story, pid, Some(15), None);
            story.ticks(pid as usize % 3);
        }
        story.changes
    };
    let changes = told();
    assert!(changes.len() > 1, "something happens at all");
    assert_eq!(changes, told());
}
