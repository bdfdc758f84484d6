//! Rules with windows, stepped through the analyzer as a watch does.

use watchkeeper_core::Change;
use watchkeeper_core::snapshot::ProcessMemory;

use crate::scenes::{Story, burning, lines, nothing, process, rule, settings};
use crate::{Analyzer, RuleConfig, compile, compile_shipped};

const MIB: u64 = 1 << 20;

fn each(kind: &str, rule: RuleConfig) -> RuleConfig {
    RuleConfig { each: Some(kind.to_owned()), ..rule }
}

fn hold(story: &mut Story, pid: u32, mib: u64) {
    story.machine.process(pid).memory = Some(ProcessMemory { resident_bytes: mib * MIB, virtual_bytes: mib * MIB });
}

/// Ticks until somebody is told something, and what; `None` within `most` ticks.
fn told_after(story: &mut Story, most: usize) -> Option<(usize, Vec<String>)> {
    (1..=most).find_map(|count| {
        let told = story.ticks(1);
        (!told.is_empty()).then_some((count, told))
    })
}

#[test]
fn every_kind_of_entity_has_windows() {
    let cases = [
        ("host", rule("r", "avg(system.cpu.utilization, \"10s\") > \"85%\"", "0s"), "r host firing"),
        ("process", rule("r", "min(process.cpu.utilization, \"10s\") > \"30%\"", "0s"), "r 7@107 firing"),
        (
            "program",
            each("program", rule("r", "avg(process.cpu.utilization, \"10s\") > \"65%\"", "0s")),
            "r burner firing",
        ),
        ("filesystem", rule("r", "max(system.filesystem.utilization, \"10s\") > \"90%\"", "0s"), "r /data firing"),
    ];
    for (name, rule, fires) in cases {
        let mut story = Story::new(&[rule]);
        story.machine.filesystem("/data", 0.95);
        story.machine.filesystem("/", 0.5);
        story.machine.cpu(Some(0.9));
        story.machine.add(burning(0.4, process(7, "burner")));
        story.machine.add(burning(0.3, process(8, "burner")));
        story.machine.add(process(9, "idle"));
        let (count, told) = told_after(&mut story, 20).unwrap();
        // 80 % of ten seconds.
        assert_eq!((count, told[0].as_str()), (8, fires), "{name}");
    }
}

#[test]
fn a_window_is_named_in_the_title_and_shown_in_its_own_unit() {
    let mut story = Story::new(&[
        rule("mean", "avg(system.cpu.utilization, \"5s\") > \"90%\"", "0s"),
        rule("rise", "rate(system.memory.usage, \"5s\") > \"100MiB/h\"", "0s"),
    ]);
    story.machine.cpu(Some(0.95));
    for _ in 0..6 {
        story.machine.snapshot.host.memory.as_mut().unwrap().available_bytes -= MIB;
        story.ticks(1);
    }
    let open = story.analyzer.open_incidents();
    let titles: Vec<&str> = open.iter().map(|incident| incident.title.as_str()).collect();
    let rise = "rate(system.memory.usage, \"5s\") above 28.4 KiB/s";
    assert!(titles.contains(&"avg(system.cpu.utilization, \"5s\") above 90.0 %"), "{titles:?}");
    assert!(titles.contains(&rise), "{titles:?}");
}

#[test]
fn conditions_of_several_inputs_are_answered_together() {
    // The host beside a process, a window beside a plain value, text beside numbers.
    let condition = "process.name.startsWith(\"bu\") && process.cpu.utilization > \"20%\" && \
                     avg(system.cpu.utilization, \"5s\") > \"50%\" && min(process.memory.usage, \"5s\") > \"1GiB\"";
    let mut story = Story::new(&[rule("r", condition, "0s")]);
    story.machine.cpu(Some(0.6));
    for (pid, name) in [(7, "burner"), (8, "burner"), (9, "other")] {
        story.machine.add(burning(0.25, process(pid, name)));
        hold(&mut story, pid, 2_048);
    }
    hold(&mut story, 8, 512);
    assert_eq!(
        told_after(&mut story, 9).map(|(count, told)| (count, told[0].clone())).unwrap(),
        (4, "r 7@107 firing".into())
    );
    // One part is over: all of it is.
    story.machine.process(7).cpu = process(7, "burner").cpu;
    assert_eq!(story.ticks(1)[0], "r 7@107 resolved");
    // Unknown is neither: a process of which nothing is known fires nothing and ends nothing.
    story.machine.process(7).cpu = burning(0.25, process(7, "burner")).cpu;
    assert_eq!(story.ticks(1)[0], "r 7@107 firing");
    story.machine.cpu(None);
    assert_eq!(story.ticks(60), Vec::<String>::new());
}

#[test]
fn what_holds_without_its_window_holds_and_shows_its_number() {
    let condition = "max(process.memory.usage, \"5s\") > \"1GiB\" || process.cpu.utilization > \"50%\"";
    let mut story = Story::new(&[rule("r", condition, "0s")]);
    story.machine.add(burning(0.6, process(7, "burner")));
    assert_eq!(story.ticks(1)[0], "r 7@107 firing");
    story.machine.remove(7);
    story.ticks(5);
    story.machine.add(process(8, "quiet"));
    hold(&mut story, 8, 700);
    story.ticks(5);
    // Now the window is known, and it is what people are shown although the CPU decides.
    story.machine.process(8).cpu = burning(0.6, process(8, "burner")).cpu;
    story.ticks(1);
    let fired = story.changes.iter().rev().find_map(|change| match change {
        Change::Alert(alert) if alert.rule == "r" => alert.value,
        _ => None,
    });
    assert_eq!(fired, Some((700 * MIB) as f64));
}

#[test]
fn clear_has_windows_of_its_own() {
    let mut story = Story::new(&[RuleConfig {
        clear: Some("max(system.cpu.utilization, \"10s\") < \"50%\"".to_owned()),
        ..rule("r", "system.cpu.utilization > \"90%\"", "0s")
    }]);
    story.machine.cpu(Some(0.95));
    assert_eq!(story.ticks(1)[0], "r host firing");
    story.machine.cpu(Some(0.2));
    // The window has the busy second in it for ten more.
    assert_eq!(told_after(&mut story, 20).unwrap().0, 10);
}

#[test]
fn sleep_and_clocks_that_are_set_are_no_time() {
    let mut story = Story::new(&[rule("r", "min(system.cpu.utilization, \"10s\") > \"90%\"", "0s")]);
    story.machine.cpu(Some(0.95));
    assert_eq!(story.ticks(5), Vec::<String>::new());
    let at = &mut story.machine.snapshot.at;
    (at.ts_ms, at.suspended_ms) = (at.ts_ms + 28_800_000, at.suspended_ms + 28_800_000);
    assert_eq!(story.ticks(1), Vec::<String>::new());
    story.machine.snapshot.at.ts_ms -= 7_200_000;
    assert_eq!(told_after(&mut story, 10).unwrap().0, 2, "eight seconds were seen, however long it was");
}

#[test]
fn lost_ticks_are_time_without_knowledge() {
    let mut story = Story::new(&[rule("r", "avg(system.cpu.utilization, \"10s\") > \"90%\"", "0s")]);
    story.machine.cpu(Some(0.95));
    story.ticks(6);
    story.machine.snapshot.dropped = 3;
    story.machine.snapshot.at.mono_ms += 3_000;
    // Seven looks of the last ten seconds are known; the eighth in ten comes when the lost ones are out of the window.
    let counts: Vec<usize> = (0..8).map(|_| story.ticks(1).len()).collect();
    assert_eq!(counts.iter().position(|count| *count > 0), Some(7));
}

#[test]
fn a_pid_that_is_used_again_begins_anew() {
    let mut story = Story::new(&[rule("r", "max(process.memory.usage, \"10s\") > \"1GiB\"", "0s")]);
    story.machine.add(process(7, "big"));
    hold(&mut story, 7, 900);
    story.ticks(10);
    story.machine.remove(7);
    let mut next = process(7, "small");
    next.key.start_ticks += 5_000;
    story.machine.add(next);
    hold(&mut story, 7, 2_048);
    assert_eq!(told_after(&mut story, 20).unwrap().0, 8, "the values of the other process are not its own");
}

#[test]
fn a_program_that_comes_back_goes_on_and_a_process_does_not() {
    let condition = "max(process.memory.usage, \"20s\") > \"1GiB\"";
    let mut story = Story::new(&[each("program", rule("program", condition, "0s")), rule("process", condition, "0s")]);
    story.machine.add(process(7, "worker"));
    hold(&mut story, 7, 100);
    story.ticks(15);
    story.machine.remove(7);
    story.ticks(2);
    story.machine.add(process(8, "worker"));
    hold(&mut story, 8, 2_048);
    let told: Vec<String> = (0..16).map(|_| story.ticks(1).join(", ")).collect();
    let first = |name: &str| told.iter().position(|told| told.contains(name)).unwrap();
    assert_eq!((first("program worker firing"), first("process 8@108 firing")), (0, 15));
}

#[test]
fn part_of_a_sum_is_unknown_to_its_window() {
    let mut story = Story::new(&[each("program", rule("r", "max(process.memory.usage, \"10s\") > \"100MiB\"", "0s"))]);
    story.machine.add(process(7, "worker"));
    story.machine.add(process(8, "worker"));
    hold(&mut story, 7, 512);
    story.machine.process(8).memory = None;
    assert_eq!(told_after(&mut story, 20), None);
    hold(&mut story, 8, 1);
    assert_eq!(told_after(&mut story, 20).unwrap().0, 8);
}

#[test]
fn events_are_counted_and_rates_are_added_up() {
    let mut story = Story::new(&[
        rule("events", "count(watchkeeper.collection.dropped, \"10s\") >= 5", "0s"),
        rule("bytes", "count(process.disk.io.write, \"10s\") >= \"80MiB\"", "0s"),
    ]);
    let mut writer = process(7, "writer");
    writer.io.as_mut().unwrap().written_bytes = 10 * MIB;
    story.machine.add(writer);
    let told = told_after(&mut story, 20).unwrap();
    assert_eq!((told.0, told.1[0].as_str()), (8, "bytes 7@107 firing"));
    story.machine.snapshot.dropped = 4;
    assert_eq!(story.ticks(1), Vec::<String>::new());
    story.machine.snapshot.dropped = 1;
    assert_eq!(story.ticks(1)[0], "events host firing");
    let (count, told) = told_after(&mut story, 20).unwrap();
    assert_eq!((count, told[0].as_str()), (9, "events host resolved"));
}

#[test]
fn a_reload_keeps_windows_that_stay_the_same() {
    let mean = |length: &str, limit: &str| {
        [rule("r", &format!("avg(system.cpu.utilization, \"{length}\") > \"{limit}\""), "0s")]
    };
    let mut story = Story::new(&mean("10s", "99%"));
    story.machine.cpu(Some(0.95));
    story.ticks(20);
    assert_eq!(story.analyzer.longest_window_ms(), 10_000);
    story.reload(&mean("10s", "90%"));
    assert_eq!(story.ticks(1)[0], "r host firing", "only the limit is another");
    story.reload(&mean("20s", "80%"));
    assert_eq!(story.analyzer.longest_window_ms(), 20_000);
    story.machine.cpu(Some(0.1));
    let (count, _) = told_after(&mut story, 40).unwrap();
    assert_eq!(count, 16, "another window is unknown before it has seen something");
}

#[test]
fn what_an_earlier_watch_saw_warms_windows_up_and_tells_nobody() {
    let rules = [rule("r", "min(system.cpu.utilization, \"60s\") > \"90%\"", "0s")];
    let mut story = Story::new(&rules);
    story.machine.cpu(Some(0.95));
    let seen: Vec<_> = (0..100).map(|_| story.machine.tick()).collect();
    let first = story.machine.first_look(2_000);
    let next = story.machine.tick();
    let mut cold = Analyzer::new(settings(&rules), nothing());
    let mut warm = Analyzer::new(settings(&rules), nothing());
    for snapshot in &seen {
        warm.warm_up(snapshot);
    }
    assert_eq!(warm.counts(), cold.counts(), "nobody is told of what was before");
    assert_eq!([lines(&cold.step(&first)), lines(&cold.step(&next))], [Vec::<String>::new(), Vec::new()]);
    assert_eq!(lines(&warm.step(&first))[0], "r host firing", "58 of the last 60 seconds are known");
    // What was warmed up and what was stepped through know the same.
    let mut stepped =
        Analyzer::new(settings(&[rule("r", "min(system.cpu.utilization, \"60s\") > \"99%\"", "0s")]), nothing());
    for snapshot in seen.iter().chain([&first]) {
        assert_eq!(lines(&stepped.step(snapshot)), Vec::<String>::new());
    }
    stepped.reload(settings(&rules));
    assert_eq!(lines(&stepped.step(&next))[0], "r host firing");
}

#[test]
fn the_same_ticks_give_the_same_changes() {
    let rules = [
        rule("slope", "slope(process.memory.usage, \"30s\") > \"1MiB/s\"", "0s"),
        each("program", rule("growth", "growth(process.memory.usage, \"60s\") > \"100KiB/s\"", "5s")),
        rule("p", "trend_p(system.cpu.utilization, \"20s\") < 0.2", "0s"),
        rule("predict", "predict(system.filesystem.free, \"20s\", \"1h\") < \"10GiB\"", "3s"),
        rule("quantile", "quantile(process.cpu.utilization, \"15s\", 0.9) > \"30%\"", "0s"),
    ];
    let mut story = Story::new(&rules);
    let mut ticks = Vec::new();
    for number in 0_u32..200 {
        story.machine.cpu((number % 17 != 0).then_some(f64::from(number * 37 % 100) / 100.0));
        story.machine.filesystem("/data", f64::from(number) / 250.0);
        let pid = 10 + number / 20;
        if number % 20 == 0 {
            (10..pid).for_each(|pid| story.machine.remove(pid));
            story.machine.add(burning(f64::from(number % 7) / 10.0, process(pid, ["a", "b", "c"][pid as usize % 3])));
        }
        hold(&mut story, pid, 10 + u64::from(number % 20) * 3);
        ticks.push(story.machine.tick());
    }
    let run = || {
        let mut analyzer = Analyzer::new(settings(&rules), nothing());
        ticks.iter().map(|tick| serde_json::to_string(&analyzer.step(tick)).unwrap()).collect::<Vec<_>>()
    };
    let told = run();
    assert!(told.iter().filter(|told| told.len() > 2).count() > 5, "something happens");
    assert_eq!(told, run());
}

#[test]
fn the_evidence_of_a_leak_says_how_it_rises_and_when_memory_is_full() {
    let condition = "growth(process.memory.usage, \"10m\") > \"50MiB/h\"";
    let mut story = Story::new(&[each("program", rule("leak", condition, "10s"))]);
    story.machine.add(process(7, "leaky"));
    story.machine.add(process(8, "quiet"));
    // Of a process that has run for long.
    story.machine.snapshot.at.mono_ms += 86_400_000;
    for second in 0..700 {
        hold(&mut story, 7, 200 + second / 2);
        story.ticks(1);
    }
    let open = story.analyzer.open_incidents();
    let [incident] = open.as_slice() else { panic!("{open:?}") };
    let evidence = &incident.evidence;
    assert_eq!(incident.title, format!("{condition}: leaky").replace(" > \"50MiB/h\"", " above 14.2 KiB/s"));
    let trend = evidence.trend.as_ref().unwrap();
    assert!((trend.per_second / MIB as f64 - 0.5).abs() < 0.01, "{trend:?}");
    assert!(trend.r2 > 0.99 && trend.p < 1e-6, "{trend:?}");
    let sentence = watchkeeper_core::text::trend_sentence(trend, evidence.fired_ms, &jiff::tz::TimeZone::UTC);
    assert!(sentence.starts_with("rose by 2"), "{sentence}");
    assert!(
        sentence.contains("; the machine's memory will be full in about 3 h 20 m, at 2026-11-20 15:"),
        "{sentence}"
    );
}

#[test]
fn a_leak_is_found_over_restarts_of_its_program_and_not_where_nothing_leaks() {
    let mut story =
        Story::new(&[each("program", rule("leak", "growth(process.memory.usage, \"20m\") > \"1GiB/h\"", "10s"))]);
    story.machine.snapshot.at.mono_ms += 86_400_000;
    // Somebody restarts it every 400 seconds; beside it one that loads 300 MiB each time and then stays as it is.
    for second in 0_u64..1_300 {
        let age = second % 400;
        if age == 0 {
            story.machine.snapshot.processes.as_mut().unwrap().clear();
            for (pid, name) in [(10, "leaky"), (11, "loads")] {
                let mut next = process(pid + 2 * (second / 400) as u32, name);
                next.key.start_ticks = story.machine.snapshot.at.mono_ms as u64 / 10;
                story.machine.add(next);
            }
        }
        let pid = 10 + 2 * (second / 400) as u32;
        hold(&mut story, pid, 100 + age);
        hold(&mut story, pid + 1, 100 + (age * 10).min(300));
        story.ticks(1);
    }
    let open = story.analyzer.open_incidents();
    let titles: Vec<&str> = open.iter().map(|incident| incident.title.as_str()).collect();
    assert_eq!(titles, ["growth(process.memory.usage, \"20m\") above 291.3 KiB/s: leaky"]);
    let trend = open[0].evidence.trend.as_ref().unwrap();
    assert!((trend.per_second / MIB as f64 - 1.0).abs() < 0.05, "{trend:?}");
}

#[test]
fn what_runs_out_is_foretold_by_what_is_left() {
    let mut story = Story::new(&[rule("full", "predict(system.filesystem.free, \"1m\", \"4h\") < \"1GiB\"", "5s")]);
    for second in 0..120 {
        // 100 GiB, of which 10 MiB are written each second.
        story.machine.filesystem("/data", 0.5 + f64::from(second) * 10.0 / 102_400.0);
        story.machine.filesystem("/", 0.5);
        story.ticks(1);
    }
    let open = story.analyzer.open_incidents();
    let [incident] = open.as_slice() else { panic!("{open:?}") };
    let trend = incident.evidence.trend.as_ref().unwrap();
    assert!((trend.per_second + 10.0 * MIB as f64).abs() < 1e4, "{trend:?}");
    assert_eq!(trend.limit, Some(0.0));
    let hours = (trend.full_ms.unwrap() - incident.evidence.fired_ms) as f64 / 3.6e6;
    assert!((hours - 51_200.0 / 36_000.0).abs() < 0.05, "{hours}");
}

#[test]
fn a_window_under_three_intervals_is_told_or_raised() {
    let short = RuleConfig {
        clear: Some("max(system.cpu.utilization, \"9s\") < \"50%\"".to_owned()),
        ..rule("short", "avg(system.cpu.utilization, \"5s\") > \"90%\"", "0s")
    };
    let problems = compile(std::slice::from_ref(&short), 5_000).unwrap_err();
    let told: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.key_path, problem.message)).collect();
    assert_eq!(
        told,
        [
            "0.when: the window of `avg(system.cpu.utilization, \"5s\")` is under three collection intervals of 5s",
            "0.clear: the window of `max(system.cpu.utilization, \"9s\")` is under three collection intervals of 5s",
        ]
    );
    assert_eq!(problems[0].help.as_deref(), Some("write \"15s\" or more, or set a shorter [collect] interval"));
    let shipped = compile_shipped(&[short], 5_000).unwrap();
    let settings = crate::Settings { rules: shipped, ..settings(&[]) };
    assert_eq!(Analyzer::new(settings, nothing()).longest_window_ms(), 15_000);
}
