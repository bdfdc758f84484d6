use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::rule::tests::told;
use crate::scenes::rule;
use crate::{RuleConfig, compile};

fn condition(text: &str) -> Condition {
    watchkeeper_expression::compile(text, &watchkeeper_expression::CatalogueFields, "when").unwrap()
}

fn asked(text: &str) -> Question {
    question(text, "when").unwrap().0
}

/// What was found where the field of both conditions has this value.
fn found(condition: &Condition, number: f64) -> Found {
    let verdict = condition.evaluate(&[Some(Value::Number(number))]);
    Found { verdict, value: Some(number), at_least: false }
}

fn clears(clear: &Clear, when: &Condition, number: f64) -> Option<bool> {
    clear.verdict(found(when, number), clear.written().map(|written| found(&written.condition, number)))
}

#[test]
fn what_nobody_wrote_is_the_opposite_with_a_distance() {
    for (when, clear) in [
        ("system.cpu.utilization > \"90%\"", "at or below 85.5 %"),
        ("system.cpu.utilization >= \"90%\"", "below 85.5 %"),
        ("system.cpu.utilization < \"10%\"", "at or above 10.5 %"),
        ("system.cpu.utilization <= \"10%\"", "above 10.5 %"),
        // There is nothing above 100 %: half of what is left.
        ("system.cpu.utilization < \"99%\"", "at or above 99.5 %"),
        // What is above nothing is clear at nothing.
        ("process.disk.io.read > \"0B/s\"", "at or below 0 B/s"),
        ("system.cpu.not_attributed > -0.5", "at or below -52.5 %"),
        // A part of a thread is no distance, five of a hundred are.
        ("process.thread.count > 1", "at or below 1"),
        ("process.thread.count > 100", "at or below 95"),
        ("process.thread.count < 10", "at or above 10"),
        ("process.thread.count < 100", "at or above 105"),
        ("process.thread.count == 5", "otherwise"),
        // A window has limits of its own: the mean of whole numbers is none, a prediction may be anything.
        ("avg(system.cpu.utilization, \"5m\") < \"99%\"", "at or above 99.5 %"),
        ("predict(system.filesystem.utilization, \"6h\", \"4h\") >= \"100%\"", "below 95.0 %"),
        ("predict(system.filesystem.utilization, \"6h\", \"4h\") < \"99%\"", "at or above 104.0 %"),
        ("max(process.thread.count, \"5m\") > 1", "at or below 1"),
        ("avg(process.thread.count, \"5m\") > 100", "at or below 95"),
        ("avg(process.thread.count, \"5m\") > 1", "at or below 0.95"),
        ("slope(process.memory.usage, \"2h\") > \"20MiB/s\"", "at or below 19.0 MiB/s"),
        ("slope(system.memory.utilization, \"2h\") < -\"10%/h\"", "at or above -9.5 %/h"),
        ("trend_p(process.memory.usage, \"2h\") < \"99%\"", "at or above 99.5 %"),
        ("process.state == \"Z\"", "otherwise"),
        ("process.state != \"S\"", "otherwise"),
        // More than one comparison has no distance to come back.
        ("system.cpu.utilization > \"90%\" && system.memory.utilization > \"90%\"", "otherwise"),
        ("!(system.cpu.utilization > \"90%\")", "otherwise"),
        ("system.memory.usage / system.memory.limit > \"90%\"", "otherwise"),
    ] {
        let when = condition(when);
        let made = match Clear::made(&when) {
            Clear::Back { comparison, threshold } => {
                format!("{} {}", comparison.words(), when.inputs()[0].unit.show(threshold))
            }
            Clear::Otherwise => "otherwise".to_owned(),
            other @ Clear::Written(_) => panic!("{other:?}"),
        };
        assert_eq!(made, clear, "{when}");
    }
}

#[test]
fn what_somebody_wrote_is_taken_as_it_is() {
    for (when, clear) in [
        ("system.cpu.utilization > \"90%\"", "system.cpu.utilization < \"80%\""),
        ("system.cpu.utilization > \"90%\"", "system.cpu.utilization <= \"90%\""),
        ("system.cpu.utilization > \"90%\"", "system.memory.utilization < \"50%\""),
        ("system.cpu.utilization != 0", "system.cpu.utilization == 0"),
        ("system.cpu.utilization < \"10%\"", "system.cpu.utilization >= \"10%\""),
        // Between one thread and two there is none.
        ("process.thread.count > 1", "process.thread.count < 2"),
        // A field and its window are two things, and so are two windows.
        ("system.cpu.utilization > \"90%\"", "avg(system.cpu.utilization, \"5m\") < \"95%\""),
        ("avg(system.cpu.utilization, \"5m\") > \"90%\"", "system.cpu.utilization < \"95%\""),
        ("avg(system.cpu.utilization, \"5m\") > \"90%\"", "avg(system.cpu.utilization, \"1m\") < \"95%\""),
        ("avg(system.cpu.utilization, \"5m\") > \"90%\"", "max(system.cpu.utilization, \"5m\") < \"95%\""),
        ("avg(system.cpu.utilization, \"5m\") > \"90%\"", "avg(system.cpu.utilization, \"300s\") <= \"90%\""),
        ("max(process.thread.count, \"5m\") > 1", "max(process.thread.count, \"5m\") < 2"),
        ("process.state == \"Z\"", "process.state != \"Z\""),
        ("process.state == \"Z\"", "process.state == \"R\""),
        ("process.state == \"D\"", "process.cpu.utilization > 0.5"),
        ("process.state in [\"D\", \"Z\"]", "process.state == \"S\" && process.cpu.utilization > 0.1"),
        (
            "process.cpu.cores > 1 && system.cpu.utilization > 0.9",
            "system.cpu.utilization < 0.5 || process.cpu.cores < 1",
        ),
    ] {
        let each = condition(when).entity().unwrap();
        let read = Clear::read(clear, &asked(when), each).unwrap_or_else(|wrong| panic!("{when}: {wrong:?}"));
        assert_eq!(read.written().map(|written| written.condition.to_string()).as_deref(), Some(clear));
    }
}

#[test]
fn mistakes_in_clear_say_how_to_mend_them() {
    let mut all = String::new();
    for (when, each, clear) in [
        ("system.cpu.utilization > \"90%\"", None, "system.cpu.utilization < 80"),
        ("system.cpu.utilization > \"90%\"", None, "system.cpu.utilization < \"95%\""),
        ("system.cpu.utilization > \"90%\"", None, "system.cpu.utilization > \"95%\""),
        ("system.cpu.utilization > \"90%\"", None, "system.cpu.utilization != 0"),
        ("process.thread.count > 1", None, "process.thread.count <= 2"),
        ("process.state == \"Z\"", None, "process.state == \"Z\""),
        ("avg(system.cpu.utilization, \"5m\") > \"90%\"", None, "avg(system.cpu.utilization, \"5m\") < \"95%\""),
        // Between one thread and two there is none, but between one and two on average there are many.
        ("avg(process.thread.count, \"5m\") > 1", None, "avg(process.thread.count, \"5m\") < 2"),
        ("slope(process.memory.usage, \"2h\") > \"20MiB/h\"", None, "slope(process.memory.usage, \"2h\") > 0"),
        (
            "predict(system.memory.utilization, \"6h\", \"4h\") > 1",
            None,
            "predict(system.memory.utilization, \"6h\", \"4h\") > 1",
        ),
        (
            "growth(process.memory.usage, \"6h\") > \"20MiB/h\"",
            None,
            "growth(process.memory.usage, \"6h\") < \"20MiB\"",
        ),
        ("process.state != \"Z\"", None, "process.state != \"S\""),
        ("system.filesystem.utilization > \"90%\"", None, "system.memory.utilization < \"50%\""),
        ("system.cpu.utilization > \"90%\"", None, "process.cpu.utilization < \"50%\""),
        ("process.cpu.utilization > \"50%\"", Some("program"), "process.uptime > \"5m\""),
        ("process.cpu.utilization > \"50%\"", Some("program"), "process.uptme > \"5m\""),
    ] {
        let each = each.map(str::to_owned);
        let config = RuleConfig { each, clear: Some(clear.to_owned()), ..rule("any", when, "0s") };
        let problems = compile(&[config], 1_000).unwrap_err();
        let _ = writeln!(all, "when {when}, clear {clear}\n{}", told(&problems));
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(all) });
}

proptest! {
    #[test]
    fn no_value_makes_an_alert_begin_and_be_over(
        first in 0_u32..=20, second in 0_u32..=20, is in 0_usize..6, ends in 0_usize..6, at in 0_u32..=80,
    ) {
        let symbols = ["<", "<=", "==", "!=", ">=", ">"];
        let text = |symbol: &str, twentieth: u32| format!("system.cpu.utilization {symbol} {}", f64::from(twentieth) / 20.0);
        let Ok((when, _)) = question(&text(symbols[is], first), "when") else { return Ok(()) };
        let value = f64::from(at) / 80.0;
        let holds = |condition: &Condition, value: f64| condition.evaluate(&[Some(Value::Number(value))]) == Some(true);
        let made = Clear::made(&when.condition);
        let both = |clear: &Clear| clears(clear, &when.condition, value) == Some(true) && holds(&when.condition, value);
        prop_assert!(!both(&made), "{when:?} {made:?}");
        match Clear::read(&text(symbols[ends], second), &when, EntityKind::Host) {
            Ok(clear) => prop_assert!(!both(&clear), "{when:?} {clear:?}"),
            // What is refused holds together somewhere, or the expression is a mistake by itself.
            Err(problems) if problems[0].message.contains("hold together") => {
                let clear = condition(&text(symbols[ends], second));
                let mut values = (0..=8_000_u32).map(|step| f64::from(step) / 8_000.0);
                prop_assert!(values.any(|value| holds(&when.condition, value) && holds(&clear, value)), "{when:?} {clear}");
            }
            Err(_) => {}
        }
    }
}
