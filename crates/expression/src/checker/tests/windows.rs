//! Windows in conditions: what is right, and every mistake with its words.

use super::*;
use crate::window::{Function, Window};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[test]
fn a_window_is_an_input_with_the_unit_and_limits_of_what_is_made_of_it() {
    let bounds = |least, most| Bounds { least, most };
    let (share, any, from_zero) = (bounds(Some(0.0), Some(1.0)), bounds(None, None), bounds(Some(0.0), None));
    let (quantile, ahead) = (Function::Quantile(0.95), Function::Predict { horizon_ms: 4 * HOUR_MS });
    let minutes = |minutes: i64| minutes * MINUTE_MS;
    for (written, function, length_ms, unit, limits, is_whole) in [
        ("avg(system.cpu.utilization, \"5m\")", Function::Avg, minutes(5), Unit::Ratio, share, false),
        ("avg(process.thread.count, \"5m\")", Function::Avg, minutes(5), Unit::Count, from_zero, false),
        ("min(process.thread.count, \"1s\")", Function::Min, 1_000, Unit::Count, from_zero, true),
        ("max(process.memory.usage, \"31d\")", Function::Max, 31 * 24 * HOUR_MS, Unit::Bytes, from_zero, false),
        ("quantile(process.cpu.cores, \"1m30s\", 0.95)", quantile, 90_000, Unit::Cores, from_zero, false),
        ("rate(process.thread.count, \"10m\")", Function::Rate, minutes(10), Unit::CountPerSecond, any, false),
        (
            "slope(system.filesystem.utilization, \"2h\")",
            Function::Slope,
            2 * HOUR_MS,
            Unit::RatioPerSecond,
            any,
            false,
        ),
        ("slope(process.memory.usage, \"2h\")", Function::Slope, 2 * HOUR_MS, Unit::BytesPerSecond, any, false),
        ("trend_p(process.uptime, \"2h\")", Function::TrendP, 2 * HOUR_MS, Unit::Ratio, share, false),
        ("predict(system.filesystem.utilization, \"6h\", \"4h\")", ahead, 6 * HOUR_MS, Unit::Ratio, any, false),
        ("count(system.linux.oom_kills, \"10m\")", Function::Count, minutes(10), Unit::Count, from_zero, false),
        ("count(process.disk.io.write, \"10m\")", Function::Count, minutes(10), Unit::Bytes, from_zero, false),
        ("growth(process.memory.usage, \"6h\")", Function::Growth, 6 * HOUR_MS, Unit::BytesPerSecond, from_zero, false),
    ] {
        let checked = condition(&format!("{written} != 0.5 * {written}"));
        let [input] = checked.inputs() else { panic!("{:?}", checked.inputs()) };
        assert_eq!(input.window, Some(Window { function, length_ms }), "{written}");
        assert_eq!((input.unit, input.bounds, input.is_whole), (unit, limits, is_whole), "{written}");
        let name = written.split(['(', ',']).nth(1).unwrap();
        assert_eq!(input.name, name);
        assert_eq!(input.entity, catalogue::metric(name).map(catalogue::Metric::entity_kind));
        assert_eq!(input.to_string(), written);
    }
}

#[test]
fn a_field_and_its_windows_are_inputs_of_their_own() {
    let checked = condition(
        "system.cpu.utilization > 0.9 && avg(system.cpu.utilization, \"5m\") > 0.8 \
         && avg(system.cpu.utilization, '300s') < 0.95 && avg(system.cpu.utilization, \"1h\") > 0.1 \
         && max(system.cpu.utilization, \"5m\") > 0.99 && system.cpu.utilization < 0.99",
    );
    let inputs: Vec<String> = checked.inputs().iter().map(Input::to_string).collect();
    assert_eq!(
        inputs,
        [
            "system.cpu.utilization",
            "avg(system.cpu.utilization, \"5m\")",
            "avg(system.cpu.utilization, \"1h\")",
            "max(system.cpu.utilization, \"5m\")",
        ]
    );
}

#[test]
fn values_beside_windows_are_read_in_their_unit() {
    for (text, expected) in [
        ("slope(system.filesystem.utilization, \"2h\") > \"36%/h\"", 0.36 / 3_600.0),
        ("slope(system.filesystem.utilization, \"2h\") < -\"36 %/h\"", -0.36 / 3_600.0),
        ("growth(process.memory.usage, \"6h\") > \"3600KiB/h\"", 1_024.0),
        ("trend_p(process.memory.usage, \"2h\") < \"1%\"", 0.01),
        ("predict(system.filesystem.utilization, \"6h\", \"4h\") > 1", 1.0),
        ("predict(system.filesystem.free, \"6h\", \"4h\") <= 0", 0.0),
        ("quantile(process.cpu.cores, \"5m\", \"95%\") > 1.5", 1.5),
        ("rate(process.thread.count, \"10m\") > \"60/min\"", 1.0),
        ("count(system.linux.oom_kills, \"10m\") > 3", 3.0),
        ("count(system.network.io.receive, \"1d\") > \"2GiB\"", 2_147_483_648.0),
    ] {
        let checked = condition(text);
        assert_eq!(checked.only().map(|only| only.threshold.number()), Some(Some(expected)), "{text}");
    }
    // Units that come of windows fit together.
    for text in [
        "slope(system.memory.utilization, \"2h\") * \"4h\" + system.memory.utilization > \"100%\"",
        "(1 - system.memory.utilization) / slope(system.memory.utilization, \"2h\") < \"4h\"",
        "system.memory.linux.available / -slope(system.memory.linux.available, \"2h\") < \"4h\"",
        "slope(process.memory.usage, \"2h\") / system.memory.limit > \"5%/h\"",
        "slope(system.memory.utilization, \"2h\") * system.memory.limit > \"1GiB/h\"",
        "process.cpu.utilization / process.uptime > \"5%/h\"",
        "avg(process.cpu.utilization, \"1m\") > avg(process.cpu.utilization, \"1h\") * 2",
        "slope(system.memory.utilization, \"2h\") > 2 * slope(system.memory.utilization, \"12h\") + \"1%/h\"",
    ] {
        condition(text);
    }
}

#[test]
fn the_unknown_value_of_a_window_is_unknown() {
    let checked = condition("process.cpu.cores > 1 || slope(process.memory.usage, \"2h\") > \"1MiB/h\"");
    assert_eq!(checked.evaluate(&[Some(Value::Number(0.5)), None]), None);
    assert_eq!(checked.evaluate(&[Some(Value::Number(1.5)), None]), Some(true));
    assert_eq!(checked.evaluate(&[Some(Value::Number(0.5)), Some(Value::Number(1e6))]), Some(true));
}

#[test]
fn a_condition_has_few_windows() {
    let many = |count: usize| {
        let windows: Vec<String> =
            (1..=count).map(|minutes| format!("avg(process.cpu.cores, \"{minutes}m\") > 1")).collect();
        compile(&windows.join(" || "), &CatalogueFields, "when")
    };
    assert!(many(crate::MOST_WINDOWS).is_ok());
    let problems = many(crate::MOST_WINDOWS + 1).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "the condition has more than 16 windows");
}

#[test]
fn events_are_counted() {
    struct Events;
    impl Fields for Events {
        fn field(&self, name: &str) -> Option<Field> {
            (name == "opened").then(|| Field { is_event: true, ..Field::number(Unit::Count) })
        }
        fn names(&self) -> Vec<String> {
            vec!["opened".to_owned()]
        }
        fn example(&self) -> &'static str {
            "opened > 0"
        }
    }
    let checked = compile("count(opened, \"10m\") > 3", &Events, "when").unwrap();
    assert_eq!((checked.inputs()[0].unit, checked.inputs()[0].is_whole), (Unit::Count, true));
    golden(
        "mistakes_with_events",
        &explained(&["slope(opened, \"10m\") > 3", "predict(opened, \"5m\", \"6m\") > 3"], &Events),
    );
}

#[test]
fn what_a_condition_costs_grows_with_what_it_does() {
    let cost = |text: &str| condition(text).cost();
    let plain = cost("process.cpu.cores > 1");
    assert_eq!(plain.bytes, 0);
    assert!(plain.nanoseconds > 0 && plain.nanoseconds <= 25, "{plain:?}");
    let more = cost("process.cpu.cores > 1 && process.name.matches(\"^pg\")");
    assert!(more.nanoseconds > plain.nanoseconds && more.bytes == 0, "{more:?}");
    let window = cost("avg(process.cpu.cores, \"5m\") > 1");
    assert!(window.nanoseconds > plain.nanoseconds && window.bytes > 0, "{window:?}");
    // The same values serve several functions.
    let shared = cost("avg(process.cpu.cores, \"5m\") > 1 && max(process.cpu.cores, \"5m\") < 3");
    assert_eq!(shared.bytes, window.bytes);
    let two = cost("avg(process.cpu.cores, \"5m\") > 1 && avg(process.cpu.cores, \"1h\") < 3");
    assert_eq!(two.bytes, 2 * window.bytes);
    // All pairs are looked at, but not at each look where the window is long.
    let (short, long) =
        (cost("slope(process.memory.usage, \"1m\") > 0"), cost("slope(process.memory.usage, \"6h\") > 0"));
    assert!(short.nanoseconds > 20_000 && long.nanoseconds < 500, "{short:?} {long:?}");
    let longest = vec!["process.cpu.cores > 1"; 190].join(" || ");
    assert!(cost(&longest).nanoseconds > 190 * 4);
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn mistakes_in_windows_are_explained() {
    golden(
        "mistakes_in_windows",
        &explained(
            &[
                // Names.
                "avg(system.cpu.utilisation, \"5m\") > \"90%\"",
                "avrg(system.cpu.utilization, \"5m\") > \"90%\"",
                "mean(system.cpu.utilization, \"5m\") > \"90%\"",
                "predict_linear(system.filesystem.free, \"6h\", \"4h\") < 0",
                "stddev(system.cpu.utilization, \"5m\") > 1",
                "system.cpu.utilization.avg(\"5m\") > \"90%\"",
                // What stands first.
                "avg(\"5m\", system.cpu.utilization) > \"90%\"",
                "avg(process.memory.usage + process.memory.virtual, \"5m\") > \"1GiB\"",
                "avg(max(system.cpu.utilization, \"5m\"), \"1h\") > \"90%\"",
                "avg(process.name, \"5m\") == \"nginx\"",
                "avg([process.cpu.cores], \"5m\") > 1",
                // How many.
                "avg(system.cpu.utilization) > \"90%\"",
                "avg() > 5",
                "avg(system.cpu.utilization, \"5m\", \"1h\") > \"90%\"",
                "quantile(system.cpu.utilization, \"5m\") > \"90%\"",
                "predict(system.filesystem.free, \"4h\") < 0",
                // Durations.
                "avg(system.cpu.utilization, 5) > \"90%\"",
                "avg(system.cpu.utilization, 300) > \"90%\"",
                "avg(system.cpu.utilization, 1e12) > \"90%\"",
                "avg(system.cpu.utilization, \"5\") > \"90%\"",
                "avg(system.cpu.utilization, 5m) > \"90%\"",
                "avg(system.cpu.utilization, m5) > \"90%\"",
                "avg(system.cpu.utilization, \"five minutes\") > \"90%\"",
                "avg(system.cpu.utilization, \"\") > \"90%\"",
                "avg(system.cpu.utilization, \"500ms\") > \"90%\"",
                "avg(system.cpu.utilization, \"32d\") > \"90%\"",
                "avg(system.cpu.utilization, \"1h\" + \"1m\") > \"90%\"",
                "avg(system.cpu.utilization, process.uptime) > \"90%\"",
                "predict(system.filesystem.free, \"6h\", \"2000d\") < 0",
                "predict(system.filesystem.free, \"6h\", 4) < 0",
                // Shares of the time.
                "quantile(system.cpu.utilization, \"5m\", 95) > \"90%\"",
                "quantile(system.cpu.utilization, \"5m\", 0) > \"90%\"",
                "quantile(system.cpu.utilization, \"5m\", \"100%\") > \"90%\"",
                "quantile(system.cpu.utilization, \"5m\", \"p95\") > \"90%\"",
                "quantile(system.cpu.utilization, \"5m\", -0.5) > \"90%\"",
                // Units that a function takes.
                "rate(process.disk.io.write, \"10m\") > \"1MiB/s\"",
                "rate(system.process.created, \"10m\") > 1",
                "slope(process.disk.io.write, \"10m\") > \"1MiB/s\"",
                "slope(system.linux.load.1m, \"2h\") > 1",
                "growth(process.cpu.cores, \"2h\") > 1",
                "growth(process.uptime, \"2h\") > 1",
                "count(process.memory.usage, \"10m\") > \"1GiB\"",
                "count(process.thread.count, \"10m\") > 5",
                "count(system.cpu.utilization, \"10m\") > 5",
                // Units of what it gives.
                "avg(system.cpu.utilization, \"5m\") > 90",
                "slope(process.memory.usage, \"2h\") > \"20MiB\"",
                "slope(process.memory.usage, \"2h\") > 1048576",
                "slope(process.memory.usage, \"2h\") < \"-20MiB/h\"",
                "slope(system.filesystem.utilization, \"2h\") > \"5%\"",
                "slope(system.filesystem.utilization, \"2h\") > 0.05",
                "slope(system.filesystem.utilization, \"2h\") > \"20MiB/h\"",
                "slope(system.filesystem.utilization, \"2h\") > \"5\"",
                "count(process.disk.io.write, \"1h\") > \"20MiB/s\"",
                "rate(process.thread.count, \"1h\") > \"5%/h\"",
                "process.uptime / system.filesystem.utilization > \"5%/h\"",
                "slope(process.memory.usage, \"2h\") + process.memory.usage > \"1GiB\"",
                // What can never be.
                "avg(system.cpu.utilization, \"5m\") > \"120%\"",
                "\"100%\" < max(system.cpu.utilization, \"5m\")",
                "min(process.thread.count, \"5m\") < 0",
                "trend_p(process.memory.usage, \"2h\") < 5",
                "trend_p(process.memory.usage, \"2h\") <= \"100%\"",
                "growth(process.memory.usage, \"6h\") < 0",
                "count(system.linux.oom_kills, \"10m\") >= 0",
                "growth(system.memory.utilization, \"6h\") < -\"5%/h\"",
                // A window is a number.
                "slope(process.memory.usage, \"2h\")",
                "slope(process.memory.usage, \"2h\") && process.cpu.cores > 1",
                "avg(process.cpu.cores, \"5m\").contains(\"x\")",
                // Entities.
                "avg(process.cpu.cores, \"5m\") > 1 && avg(system.filesystem.utilization, \"5m\") > \"90%\"",
                // Several at once.
                "avg(system.cpu.utilisation, 5) > 90 && trend_p(process.name, \"5m\") < 5",
            ],
            &CatalogueFields,
        ),
    );
}

proptest! {
    #[test]
    fn a_window_that_is_printed_reads_back(
        metric in any::<prop::sample::Index>(), function in 0_usize..10, seconds in 1_i64..=2_678_400, horizon in 1_i64..=31_622_400,
        share in 1e-6_f64..=0.999_999,
    ) {
        let metrics: Vec<_> = catalogue::metrics().collect();
        let name = metric.get(&metrics).name;
        let length = watchkeeper_core::quantity::Span::from_secs(seconds);
        let horizon = watchkeeper_core::quantity::Span::from_secs(horizon);
        let word = ["avg", "min", "max", "rate", "slope", "trend_p", "count", "growth", "quantile", "predict"][function];
        let more = match word {
            "quantile" => format!(", {share}"),
            "predict" => format!(", \"{horizon}\""),
            _ => String::new(),
        };
        let written = format!("{word}({name}, \"{length}\"{more})");
        // Not every function takes every unit.
        if let Ok(checked) = compile(&format!("{written} != {written} * 2"), &CatalogueFields, "when") {
            prop_assert_eq!(checked.inputs().len(), 1);
            prop_assert_eq!(checked.inputs()[0].to_string(), written);
        }
    }
}
