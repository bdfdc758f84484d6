use super::*;
use crate::{CatalogueFields, compile};

fn condition(text: &str) -> Condition {
    compile(text, &CatalogueFields, "when").unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

/// Two conditions whose truth a number gives: 0 false, 1 true, nothing unknown.
const A: &str = "process.cpu.cores > 0.5";
const B: &str = "process.thread.count > 0.5";

fn answer(text: &str, values: &[Option<f64>]) -> Option<bool> {
    let values: Vec<_> = values.iter().map(|value| value.map(Value::Number)).collect();
    condition(text).evaluate(&values)
}

#[test]
fn truth_has_three_values() {
    let (yes, no, unknown) = (Some(1.0), Some(0.0), None);
    for (a, b, and, or, same) in [
        (yes, yes, Some(true), Some(true), Some(true)),
        (yes, no, Some(false), Some(true), Some(false)),
        (yes, unknown, None, Some(true), None),
        (no, yes, Some(false), Some(true), Some(false)),
        (no, no, Some(false), Some(false), Some(true)),
        (no, unknown, Some(false), None, None),
        (unknown, yes, None, Some(true), None),
        (unknown, no, Some(false), None, None),
        (unknown, unknown, None, None, None),
    ] {
        let ask = |text: String| answer(&text, &[a, b]);
        assert_eq!(ask(format!("{A} && {B}")), and, "{a:?} && {b:?}");
        assert_eq!(ask(format!("{A} || {B}")), or, "{a:?} || {b:?}");
        assert_eq!(ask(format!("({A}) == ({B})")), same, "{a:?} == {b:?}");
        assert_eq!(ask(format!("({A}) != ({B})")), same.map(|same| !same), "{a:?} != {b:?}");
        assert_eq!(ask(format!("!({A} || {B})")), or.map(|or| !or), "!({a:?} || {b:?})");
        let chosen = a.and_then(|a| if a > 0.5 { b.map(|b| b > 0.5) } else { Some(false) });
        assert_eq!(ask(format!("{A} ? {B} : false")), chosen, "{a:?} ? {b:?} : false");
    }
}

#[test]
fn what_has_no_result_is_unknown() {
    for (text, values, expected) in [
        ("process.thread.count / system.uptime > 1", [Some(1.0), Some(0.0)], None),
        ("process.thread.count / system.uptime > 1", [Some(0.0), Some(0.0)], None),
        ("process.thread.count / system.uptime > 1", [Some(4.0), Some(2.0)], Some(true)),
        ("process.thread.count / system.uptime > 1", [None, Some(2.0)], None),
        ("process.cpu.cores * 9 > 5 && process.thread.count > 0", [Some(f64::MAX), Some(1.0)], None),
        ("process.cpu.cores * 9 > 5 && process.thread.count > 0", [Some(f64::MAX), Some(0.0)], Some(false)),
        ("process.cpu.cores in [1, 2] || process.thread.count == 3", [Some(f64::NAN), Some(4.0)], None),
        ("process.cpu.cores in [1, 2] || process.thread.count == 3", [Some(f64::NAN), Some(3.0)], Some(true)),
    ] {
        assert_eq!(answer(text, &values), expected, "{text} {values:?}");
    }
}

#[test]
fn texts_are_searched() {
    for (text, name, expected) in [
        ("process.name.startsWith(\"post\")", "postgres", true),
        ("process.name.startsWith(\"post\")", "compost", false),
        ("process.name.endsWith('post')", "compost", true),
        ("process.name.contains(\"mpo\")", "compost", true),
        ("process.name.contains(\"MPO\")", "compost", false),
        ("process.name.matches(\"^n.*x$\")", "nginx", true),
        ("process.name.matches(\"gin\")", "nginx", true),
        ("process.name.matches(\"(?i)GIN\")", "nginx", true),
        ("process.name.matches(r\"\\d\")", "nginx", false),
        ("process.name in [\"a\", \"nginx\"]", "nginx", true),
        ("!(process.name in [\"a\", \"b\"])", "nginx", true),
    ] {
        let condition = condition(text);
        assert_eq!(condition.evaluate(&[Some(Value::Text(name))]), Some(expected), "{text} {name}");
        assert_eq!(condition.evaluate(&[None]), None, "{text}");
        assert_eq!(condition.evaluate(&[Some(Value::Number(1.0))]), None, "{text}");
        assert_eq!(condition.evaluate(&[]), None, "{text}");
    }
}

#[test]
fn units_follow_arithmetic() {
    for text in [
        "system.memory.usage / system.memory.limit > \"90%\"",
        "system.memory.usage / system.memory.limit > 1.5",
        "system.memory.usage > system.memory.limit * \"90%\"",
        "system.memory.usage > \"90%\" * system.memory.limit",
        "system.memory.usage + \"1GiB\" > system.memory.limit - \"512MiB\"",
        "process.memory.usage > \"1GiB\" * 2",
        "process.memory.usage / process.uptime > \"20MiB/h\"",
        "process.memory.usage / \"1h\" > \"20MiB/h\"",
        "process.memory.usage / process.thread.count > \"8MiB\"",
        "process.disk.io.write * \"5m\" > \"1GiB\"",
        "process.memory.usage / process.disk.io.write < \"5m\"",
        "process.thread.count / process.uptime > 10",
        "system.process.created * \"1m\" > 600",
        "system.linux.load.1m / system.cpu.logical.count > 2",
        "system.cpu.utilization + system.memory.utilization > \"150%\"",
        "system.cpu.utilization * 100 > 90",
        "-system.cpu.not_attributed > \"5%\"",
        "process.uptime > (process.cpu.cores > 1 ? \"5m\" : \"1h\")",
        "process.name == process.executable.name",
    ] {
        condition(text);
    }
}

#[test]
fn a_number_that_may_be_larger_settles_what_stays_so() {
    for (text, value, expected) in [
        ("process.cpu.cores > 2", 3.0, Some(true)),
        ("process.cpu.cores > 2", 1.0, None),
        ("process.cpu.cores >= 2", 2.0, Some(true)),
        ("process.cpu.cores < 2", 3.0, Some(false)),
        ("process.cpu.cores < 2", 1.0, None),
        ("process.cpu.cores <= 2", 2.0, None),
        ("process.cpu.cores == 2", 1.0, None),
        ("process.cpu.cores == 2", 2.0, None),
        ("process.cpu.cores == 2", 3.0, Some(false)),
        ("process.cpu.cores != 2", 3.0, Some(true)),
        ("process.cpu.cores != 2", 1.0, None),
        ("!(process.cpu.cores > 2)", 3.0, Some(false)),
        ("process.cpu.cores * 2 > 2", 3.0, None),
        ("process.cpu.cores in [5, 6]", 3.0, None),
    ] {
        let asked = condition(text).evaluate_at_least(&[Some(Value::Number(value))], &[true]);
        assert_eq!(asked, expected, "{text} {value}");
    }
}

#[test]
fn the_headline_is_about_the_entity_first() {
    for (text, expected) in [
        ("process.cpu.cores > 2", Some("process.cpu.cores above 2")),
        ("2 < process.cpu.cores", Some("process.cpu.cores above 2")),
        ("!(process.cpu.cores > 2)", Some("process.cpu.cores at or below 2")),
        ("system.linux.load.1m > 1 && process.cpu.cores > 2", Some("process.cpu.cores above 2")),
        ("process.name == \"a\" && process.cpu.cores > 2", Some("process.cpu.cores above 2")),
        ("process.name == \"a\" && system.linux.load.1m > 2", Some("process.name equal to a")),
        ("process.name.contains(\"a\") && system.linux.load.1m > 2", Some("system.linux.load.1m above 2")),
        ("process.cpu.cores > 1 || process.cpu.cores > 2", Some("process.cpu.cores above 1")),
        ("process.state in [\"D\", \"Z\"]", None),
        ("process.cpu.cores / 2 > 1", None),
    ] {
        let condition = condition(text);
        let shown = condition.headline().map(|headline| {
            let threshold = match &headline.threshold {
                Threshold::Number(number) => number.to_string(),
                Threshold::Text(text) => text.clone(),
            };
            format!("{} {} {threshold}", condition.inputs()[headline.input].name, headline.comparison.words())
        });
        assert_eq!(shown.as_deref(), expected, "{text}");
        let is_only = matches!(text, "process.cpu.cores > 2" | "2 < process.cpu.cores");
        assert_eq!(condition.only().is_some(), is_only, "{text}");
    }
}

#[test]
fn inputs_stand_once_and_the_entity_is_not_the_host() {
    let condition = condition("system.cpu.utilization > 0.9 && process.cpu.cores > 1 && system.cpu.utilization < 0.95");
    let names: Vec<&str> = condition.inputs().iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["system.cpu.utilization", "process.cpu.cores"]);
    assert_eq!(condition.entity(), Some(EntityKind::Process));
}
