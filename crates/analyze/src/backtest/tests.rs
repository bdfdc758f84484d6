use watchkeeper_core::snapshot::TickFlags;

use super::*;
use crate::scenes::{Machine, START_MS, Story, burning, line, nothing, process, rule, settings};

const DAY_MS: i64 = 86_400_000;

fn busy() -> crate::RuleConfig {
    rule("busy", "system.cpu.utilization > \"90%\"", "5m")
}

/// What a night job does to a machine that is looked at every 10 s, night after night around 03:04 UTC.
fn nights(count: i64, mut each: impl FnMut(&Snapshot)) -> Range {
    let mut machine = Machine::new();
    machine.snapshot.interval_ms = 10_000;
    machine.add(burning(0.0, process(77, "backup")));
    let midnight_ms = START_MS.div_euclid(DAY_MS) * DAY_MS;
    let (passed_ms, ticks) = (midnight_ms - START_MS, count * DAY_MS / 10_000);
    machine.snapshot.at.ts_ms += passed_ms;
    for tick in 0..ticks {
        let second = tick * 10 % 86_400;
        let works = (10_740..12_000 + tick / 8_640 * 60).contains(&second);
        machine.cpu(Some(if works { 0.97 } else { 0.1 }));
        *machine.process(77) = burning(if works { 9.0 } else { 0.0 }, process(77, "backup"));
        each(&machine.tick());
    }
    Range::new(midnight_ms, midnight_ms + count * DAY_MS)
}

fn tested(rules: &[crate::RuleConfig], range: Range, ticks: &[Snapshot]) -> Vec<RuleRecord> {
    let mut backtest = Backtest::new(settings(rules), range);
    for tick in ticks {
        backtest.look(tick);
    }
    backtest.finish(&TimeZone::UTC)
}

#[test]
fn what_comes_every_night_is_counted_and_its_time_is_found() {
    let mut backtest = Backtest::new(settings(&[busy(), rule("never", "system.cpu.utilization > \"99%\"", "5m")]), {
        let midnight_ms = START_MS.div_euclid(DAY_MS) * DAY_MS;
        Range::new(midnight_ms, midnight_ms + 7 * DAY_MS)
    });
    let range = nights(7, |tick| backtest.look(tick));
    assert_eq!(backtest.ticks(), 7 * 8_640);
    let records = backtest.finish(&TimeZone::UTC);
    let [busy, never] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((never.times, never.pattern.as_ref()), (0, None));
    assert_eq!((busy.times, busy.firings.len(), busy.blind), (7, 7, 0));
    let pattern = busy.pattern.as_ref().expect("every night");
    assert_eq!((pattern.cycle, pattern.minute, pattern.hits), (Cycle::Day, Some(184), 7));
    assert_eq!(busy.at_pattern, 7);
    let first = &busy.firings[0];
    // The first tick of a day is at its tenth second.
    assert_eq!(first.fired_ms - range.from_ms, (3 * 3_600 + 4 * 60 + 10) * 1_000);
    assert_eq!(first.fired_ms - first.since_ms, 300_000);
    assert_eq!(first.length_ms(range.to_ms), 960_000, "the value is back at 03:20:10");
    assert_eq!(first.culprit.as_deref(), Some("backup (pid 77)"));
    let told = first.told.as_deref().unwrap_or_default();
    assert!(told.ends_with(": backup (pid 77) takes 90.0 % of this machine's CPU"), "{told}");
    assert!(!first.is_gone && first.entity == Entity::Host);
}

#[test]
fn what_goes_on_at_the_end_is_not_over_and_what_ended_is_gone() {
    let mut machine = Machine::new();
    machine.add(burning(0.9, process(5, "worker")));
    machine.cpu(Some(0.95));
    let many = rule("many", "process.cpu.utilization > \"50%\"", "10s");
    let mut ticks: Vec<Snapshot> = (0..60).map(|_| machine.tick()).collect();
    machine.remove(5);
    ticks.extend((0..60).map(|_| machine.tick()));
    let range = Range::new(ticks[0].at.ts_ms, ticks[119].at.ts_ms + 1);
    let hold = rule("busy", "system.cpu.utilization > \"90%\"", "10s");
    let records = tested(&[hold, many], range, &ticks);
    let [busy, many] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((busy.firings[0].over_ms, busy.firings[0].length_ms(range.to_ms)), (None, 109_001));
    assert!(many.firings[0].is_gone);
    assert_eq!(many.firings[0].length_ms(0), 50_000);
}

#[test]
fn each_firing_names_its_own_culprit_though_it_joins_an_incident() {
    let mut machine = Machine::new();
    machine.add(burning(0.9, process(5, "worker")));
    let mut ticks: Vec<Snapshot> = (0..60).map(|_| machine.tick()).collect();
    machine.remove(5);
    machine.add(burning(0.6, process(6, "worker")));
    ticks.extend((0..60).map(|_| machine.tick()));
    let many = crate::RuleConfig {
        keep_firing: watchkeeper_core::quantity::Span::from_ms(60_000),
        ..rule("many", "process.cpu.utilization > \"50%\"", "10s")
    };
    let records = tested(&[many], Range::new(0, i64::MAX), &ticks);
    let culprits: Vec<_> = records[0].firings.iter().map(|firing| firing.culprit.as_deref()).collect();
    assert_eq!(culprits, [Some("worker (pid 5)"), Some("worker (pid 6)")]);
    let told = records[0].firings[1].told.as_deref().unwrap_or_default();
    assert!(told.ends_with("worker (pid 6) takes 60.0 % of this machine's CPU"), "{told}");
}

#[test]
fn windows_are_filled_from_before_the_range_and_nothing_else_counts() {
    let mut machine = Machine::new();
    machine.cpu(Some(0.95));
    let ticks: Vec<Snapshot> = (0..900).map(|_| machine.tick()).collect();
    let from_ms = ticks[600].at.ts_ms;
    let range = Range::new(from_ms, ticks[899].at.ts_ms + 1);
    let average = rule("average", "avg(system.cpu.utilization, \"10m\") > \"90%\"", "0s");
    let backtest = Backtest::new(settings(std::slice::from_ref(&average)), range);
    assert_eq!(backtest.begin_ms(), from_ms - 600_000);
    let warm = tested(std::slice::from_ref(&average), range, &ticks);
    assert_eq!(warm[0].firings[0].fired_ms, from_ms, "the window was full");
    let cold = tested(&[average], range, &ticks[600..]);
    assert!(cold[0].firings.is_empty(), "half of the window is too little");
}

#[test]
fn missing_data_is_counted_apart_and_a_long_story_keeps_its_times() {
    let mut machine = Machine::new();
    machine.cpu(Some(0.95));
    let mut ticks: Vec<Snapshot> = (0..60).map(|_| machine.tick()).collect();
    machine.cpu(None);
    ticks.extend((0..200).map(|_| machine.tick()));
    let range = Range::new(ticks[0].at.ts_ms, i64::MAX);
    let hold = rule("busy", "system.cpu.utilization > \"90%\"", "10s");
    let records = tested(&[hold], range, &ticks);
    assert_eq!((records[0].times, records[0].blind), (1, 1));
}

#[test]
fn a_backtest_is_what_the_live_analyzer_did() {
    // Flapping, restarts of nothing, steps of the clock, lost ticks: all that a watch sees without being started anew.
    let rules = [
        rule("busy", "system.cpu.utilization > \"90%\"", "3s"),
        rule("worker", "process.cpu.utilization > \"30%\"", "4s"),
    ];
    let mut story = Story::new(&rules);
    story.machine.add(burning(0.4, process(9, "worker")));
    let mut ticks = Vec::new();
    for second in 0..400_u32 {
        story.machine.cpu(match second % 37 {
            0..20 => Some(0.95),
            33 => None,
            _ => Some(0.2),
        });
        *story.machine.process(9) = burning(f64::from(second % 50) / 60.0, process(9, "worker"));
        if second % 90 == 40 {
            story.machine.snapshot.flags = story.machine.snapshot.flags.with(TickFlags::CLOCK_STEP);
            story.machine.snapshot.at.ts_ms += 3_000;
        }
        story.machine.snapshot.dropped = u32::from(second % 70 == 9) * 2;
        let tick = story.machine.tick();
        story.look(&tick);
        ticks.push(tick);
    }
    let mut live: BTreeMap<String, Vec<(i64, Option<i64>)>> = BTreeMap::new();
    for change in &story.changes {
        let Change::Alert(alert) = change else { continue };
        let Some(fired_ms) = alert.fired_ms else { continue };
        let firings = live.entry(alert.rule.clone()).or_default();
        match firings.iter_mut().find(|(fired, over)| *fired == fired_ms && over.is_none()) {
            Some((_, over_ms)) => *over_ms = alert.ended_ms,
            None => firings.push((fired_ms, alert.ended_ms)),
        }
    }
    let records = tested(&rules, Range::new(0, i64::MAX), &ticks);
    for record in records {
        let found: Vec<_> = record.firings.iter().map(|firing| (firing.fired_ms, firing.over_ms)).collect();
        assert!(found.len() > 3, "{}: {found:?}", record.id);
        assert_eq!(Some(&found), live.get(&record.id), "{}", record.id);
    }
    // And the same analyzer without us in between.
    let mut bare = Analyzer::new(settings(&rules), nothing());
    let told: Vec<String> = ticks.iter().flat_map(|tick| bare.step(tick)).map(|change| line(&change)).collect();
    assert_eq!(told, story.changes.iter().map(line).collect::<Vec<_>>());
}
