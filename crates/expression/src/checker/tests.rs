use proptest::prelude::*;
use watchkeeper_core::catalogue::{self, Value};

use super::*;
use crate::condition::Comparison;
use crate::field::{Bounds, CatalogueFields};
use crate::parser::tests::caret;

mod windows;

/// What a route matches on: fields that are not metrics.
struct RouteFields;

impl Fields for RouteFields {
    fn field(&self, name: &str) -> Option<Field> {
        match name {
            "severity" => Some(Field::one_of(["info", "warning", "critical"])),
            "rule" | "host" => Some(Field::text()),
            "count" => Some(Field { bounds: Bounds { least: None, most: Some(9.0) }, ..Field::number(Unit::Number) }),
            _ => name.strip_prefix("labels.").map(|_| Field::text()),
        }
    }

    fn names(&self) -> Vec<String> {
        ["severity", "rule", "host"].map(str::to_owned).to_vec()
    }

    fn example(&self) -> &'static str {
        "severity == \"critical\""
    }
}

fn condition(text: &str) -> Condition {
    match compile(text, &CatalogueFields, "when") {
        Ok(condition) => condition,
        Err(problems) => panic!("{text}: {problems:?}"),
    }
}

#[test]
fn values_are_read_in_the_unit_of_their_field() {
    for (text, expected) in [
        ("system.cpu.utilization > \"90%\"", 0.9),
        ("system.cpu.utilization > \"12.5 %\"", 0.125),
        ("system.cpu.utilization > 0.9", 0.9),
        ("system.cpu.not_attributed < -0.5", -0.5),
        ("system.network.socket.queue.utilization > \"100%\"", 1.0),
        ("process.memory.usage >= \"2GiB\"", 2_147_483_648.0),
        ("process.memory.usage > 0", 0.0),
        ("process.disk.io.write > \"20MiB/s\"", 20_971_520.0),
        ("process.disk.io.write > \"3600 kB/h\"", 1_000.0),
        ("process.disk.io.write > \"60MB/min\"", 1e6),
        ("process.uptime < \"5m\"", 300.0),
        ("process.uptime < \"1m30s\"", 90.0),
        ("system.process.created > \"600/min\"", 10.0),
        ("system.process.created > 10", 10.0),
        ("process.cpu.cores > 1.5", 1.5),
        ("process.thread.count > 1000", 1_000.0),
        ("system.linux.load.1m > 4", 4.0),
        ("(system.linux.load.1m > 4)", 4.0),
    ] {
        let checked = condition(text);
        let headline = checked.headline().unwrap();
        assert_eq!(headline.threshold, Threshold::Number(expected), "{text}");
    }
}

#[test]
fn a_value_beyond_all_numbers_is_refused() {
    let many = "9".repeat(400);
    for text in [format!("system.process.created < \"{many}/s\""), format!("process.thread.count > {many}")] {
        assert!(compile(&text, &CatalogueFields, "when").is_err(), "{text}");
    }
}

#[test]
fn a_condition_knows_its_parts() {
    let checked = condition(" \"90%\" <= system.cpu.utilization ");
    let names: Vec<&str> = checked.inputs().iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["system.cpu.utilization"]);
    assert_eq!(checked.inputs()[0].unit, Unit::Ratio);
    assert_eq!(checked.entity(), Some(EntityKind::Host));
    let threshold = Threshold::Number(0.9);
    assert_eq!(checked.headline(), Some(&Headline { input: 0, comparison: Comparison::GreaterOrEqual, threshold }));
    assert_eq!(checked.to_string(), " \"90%\" <= system.cpu.utilization ");
}

#[test]
fn numbers_are_compared_and_unknown_is_neither_true_nor_false() {
    let number = |value| Some(Value::Number(value));
    for (operator, below, same, above) in [
        (">", false, false, true),
        (">=", false, true, true),
        ("<", true, false, false),
        ("<=", true, true, false),
        ("==", false, true, false),
        ("!=", true, false, true),
    ] {
        let mirrored = operator.replace('<', "x").replace('>', "<").replace('x', ">");
        for text in [format!("system.linux.load.1m {operator} 4"), format!("4 {mirrored} system.linux.load.1m")] {
            let checked = condition(&text);
            assert_eq!(checked.evaluate(&[number(3.0)]), Some(below), "{text}");
            assert_eq!(checked.evaluate(&[number(4.0)]), Some(same), "{text}");
            assert_eq!(checked.evaluate(&[number(5.0)]), Some(above), "{text}");
            for unknown in [None, number(f64::NAN), number(f64::INFINITY), number(f64::NEG_INFINITY)] {
                assert_eq!(checked.evaluate(&[unknown]), None, "{text}");
            }
            assert_eq!(checked.evaluate(&[Some(Value::Text("5"))]), None, "{text}");
        }
    }
}

#[test]
fn words_are_compared() {
    let zombie = condition("process.state == \"Z\"");
    assert_eq!(zombie.evaluate(&[Some(Value::Text("Z"))]), Some(true));
    assert_eq!(zombie.evaluate(&[Some(Value::Text("S"))]), Some(false));
    assert_eq!(zombie.evaluate(&[Some(Value::Number(1.0))]), None);
    assert_eq!(zombie.evaluate(&[None]), None);
    let other = condition("process.name != \"nginx\"");
    assert_eq!(other.evaluate(&[Some(Value::Text("nginx"))]), Some(false));
    assert_eq!(other.evaluate(&[Some(Value::Text("apache"))]), Some(true));
}

#[test]
fn other_fields_than_metrics_can_be_matched() {
    for text in ["severity == \"critical\"", "rule != \"host-cpu\"", "labels.env == \"prod\""] {
        assert!(compile(text, &RouteFields, "match").is_ok(), "{text}");
    }
}

fn golden(name: &str, shown: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, shown) });
}

fn explained(texts: &[&str], fields: &dyn Fields) -> String {
    let mut shown = Vec::new();
    for text in texts {
        let problems = match compile(text, fields, "when") {
            Ok(condition) => panic!("{text} was accepted: {condition:?}"),
            Err(problems) => problems,
        };
        for problem in problems {
            assert_eq!(problem.key_path, "when");
            let range = problem.within.expect("a place in the text");
            shown.push(caret(text, &range, &problem.message, problem.help.as_deref()));
        }
    }
    shown.join("\n")
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn mistakes_are_explained() {
    golden(
        "mistakes_in_rules",
        &explained(
            &[
                // Names.
                "system.cpu.utilisation > \"90%\"",
                "cpu.utilization > \"90%\"",
                "filesystem.free < \"1GiB\"",
                "temperature > 5",
                "sytem.cpu.utilization > prcess.name",
                // Ratios.
                "system.cpu.utilization > 90",
                "system.cpu.utilization > \"90\"",
                "system.cpu.utilization > \"0.9\"",
                "system.cpu.utilization > \"2GiB\"",
                "system.cpu.utilization > \"high\"",
                "system.cpu.utilization > 1",
                "system.cpu.utilization > \"100%\"",
                "system.cpu.utilization > \"150%\"",
                "system.cpu.utilization <= \"100%\"",
                "system.cpu.utilization < 0",
                "system.cpu.utilization >= 0",
                "system.cpu.utilization == -0.5",
                "system.cpu.utilization != 1.5",
                "anomaly.score > 1.5",
                "check.up == true",
                // Sizes, rates, durations, counts.
                "process.memory.usage > \"5m\"",
                "process.memory.usage > 1000000",
                "process.memory.usage > \"1048576\"",
                "process.memory.usage > \"2 gb\"",
                "process.memory.usage > -5",
                "process.disk.io.write > \"20MiB\"",
                "process.disk.io.write > 1048576",
                "process.disk.io.write > \"5/s\"",
                "process.uptime < 300",
                "process.uptime < \"2GiB\"",
                "process.thread.count > \"100\"",
                "process.thread.count > \"5m\"",
                "process.cpu.cores > \"50%\"",
                "system.process.created > \"100\"",
                "system.process.created > \"10MiB/s\"",
                "system.linux.load.1m > \"20MiB/s\"",
                "system.linux.load.1m > true",
                // Words.
                "process.name > \"a\"",
                "process.name == 5",
                "process.name == true",
                "process.state == \"Q\"",
                "process.state == \"zombie\"",
                // Conditions.
                "system.cpu.utilization",
                "process.name && process.cpu.cores > 1",
                "!process.uptime",
                "0.9",
                "1 < 2",
                "1 + 1 < 2 * 3",
                "true",
                "true || system.cpu.utilization > \"90%\"",
                "system.cpu.utilization > \"90%\" ? true : true",
                "(system.cpu.utilization > \"90%\") == 1",
                "(system.cpu.utilization > \"90%\") < (system.memory.utilization > \"90%\")",
                "(system.cpu.utilization > \"90%\") == true",
                "process.name == process.cpu.cores",
                // Entities.
                "process.cpu.cores > 1 && system.filesystem.utilization > \"90%\"",
                // Units.
                "system.cpu.utilization > system.uptime",
                "system.memory.usage > system.cpu.utilization",
                "system.memory.usage + process.uptime > \"1GiB\"",
                "system.memory.usage + 5 > \"1GiB\"",
                "system.memory.usage * system.memory.limit > \"1GiB\"",
                "system.memory.usage * \"5m\" > \"1GiB\"",
                "process.uptime / process.memory.usage > 3",
                "process.memory.usage / \"1h\" > \"20MiB\"",
                "process.memory.usage > 1024 * 1024",
                "process.memory.usage > \"1GiB\" + \"5m\"",
                "system.memory.usage / system.memory.limit > \"2GiB\"",
                "system.memory.usage / system.memory.limit > \"0.9\"",
                "system.linux.load.1m / 0 > 2",
                "system.linux.load.1m > 1 / 0",
                "process.name + \"x\" == \"nginx\"",
                "process.cpu.cores + true > 2",
                "-process.name == \"a\"",
                "process.memory.usage > (process.cpu.cores > 1 ? \"1GiB\" : \"5m\")",
                "(process.cpu.cores > 1 ? process.uptime : process.memory.usage) > \"5m\"",
                "(process.cpu.cores > 1 ? process.uptime : true) > \"5m\"",
                // Lists.
                "process.state in [\"D\", \"Y\"]",
                "process.state in \"D\"",
                "process.state in []",
                "process.state in [5, process.name]",
                "process.thread.count in [1, -1]",
                "process.memory.usage in [\"1GiB\", 5, \"5m\"]",
                "\"D\" in [\"D\"]",
                "(process.cpu.cores > 1) in [true]",
                "[1]",
                "system.cpu.utilization == [1]",
                // Methods and functions.
                "process.name.starts_with(\"post\")",
                "process.name.lower()",
                "process.name.startsWith()",
                "process.name.startsWith(\"a\", \"b\")",
                "process.name.startsWith(5)",
                "process.name.contains(\"\")",
                "process.cpu.cores.contains(\"1\")",
                "\"nginx\".contains(\"n\")",
                "process.name.matches(\"(\")",
                "process.name.matches(\"(a{1000}){1000}\")",
                "process.name.matches(process.name)",
                "contains(process.name, \"x\")",
                // Several at once.
                "system.cpu.utilization > 90 && proces.name.startWith(\"x\") || process.state in [\"Q\"]",
                // Syntax.
                "system.cpu.utilization = \"90%\"",
            ],
            &CatalogueFields,
        ),
    );
}

#[test]
fn mistakes_in_other_fields_are_explained() {
    golden(
        "mistakes_in_routes",
        &explained(
            &[
                "severity == \"fatal\"",
                "sevrity == \"critical\"",
                "severity > \"info\"",
                "count > 9",
                "count <= 9",
                "host",
                "severity in [\"critical\", \"fatal\"] && labels.env.contians(\"prod\")",
            ],
            &RouteFields,
        ),
    );
}

#[test]
fn every_metric_can_be_named_in_a_condition() {
    for metric in catalogue::metrics() {
        let value = match metric.unit {
            Unit::Ratio => "\"50%\"",
            Unit::Bytes => "\"1GiB\"",
            Unit::BytesPerSecond => "\"1MiB/s\"",
            Unit::Seconds => "\"5m\"",
            Unit::RatioPerSecond => "\"5%/h\"",
            Unit::Cores | Unit::Count | Unit::CountPerSecond | Unit::Number => "1",
            Unit::Text => "\"S\"",
        };
        let checked = condition(&format!("{} != {value}", metric.name));
        assert_eq!(checked.inputs()[0].unit, metric.unit);
        assert_eq!(checked.entity(), Some(metric.entity_kind()));
    }
}

proptest! {
    #[test]
    fn any_value_is_answered(text in any::<String>(), index in any::<prop::sample::Index>()) {
        let names = CatalogueFields.names();
        let name = index.get(&names);
        let quoted = Syntax { node: Node::Literal(Literal::Text(text)), range: 0..0 };
        let written = format!("{name} == {quoted}");
        prop_assume!(written.len() <= crate::MAX_BYTES);
        match compile(&written, &CatalogueFields, "when") {
            Ok(checked) => {
                let threshold = checked.headline().and_then(|headline| headline.threshold.number());
                prop_assert!(threshold.is_none_or(f64::is_finite));
            },
            Err(problems) => for problem in problems {
                prop_assert!(problem.within.is_some_and(|range| written.get(range).is_some()));
                prop_assert!(!problem.message.chars().any(char::is_control));
            },
        }
    }
}
