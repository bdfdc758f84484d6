//! That `docs/rules.md` says what is so: its conditions are right, and its table of fields is the catalogue.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::{compile, parse};

/// Conditions that the page shows as mistakes.
const MISTAKES: [&str; 2] = ["system.cpu.utilization > \"120%\"", "process.state == \"zombie\""];
const BEGIN: &str = "<!-- fields -->\n";
const END: &str = "<!-- end of fields -->";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md")
}

fn page() -> String {
    std::fs::read_to_string(path()).unwrap()
}

/// What stands in `code` outside of blocks, and the conditions of the blocks.
fn written(page: &str) -> (Vec<String>, Vec<String>) {
    let (mut spans, mut conditions) = (Vec::new(), Vec::new());
    let mut in_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            let value = line.strip_prefix("when = '").or_else(|| line.strip_prefix("clear = '"));
            conditions.extend(value.and_then(|value| value.strip_suffix('\'')).map(str::to_owned));
        } else {
            spans.extend(line.split('`').skip(1).step_by(2).map(|span| span.replace("\\|", "|")));
        }
    }
    (spans, conditions)
}

/// Whether it is a condition on metrics: on nothing else that a page talks of.
fn is_condition(span: &str) -> bool {
    ["system.", "process."].iter().any(|word| span.contains(word))
        && parse(span).is_ok_and(|expression| {
            use crate::syntax::Node;
            matches!(expression.root.node, Node::Binary { operator, .. } if operator.power() <= 3)
                || matches!(expression.root.node, Node::Method { .. })
        })
}

#[test]
fn the_conditions_in_the_docs_are_right() {
    let (spans, mut conditions) = written(&page());
    assert!(conditions.len() >= 5, "{conditions:?}");
    conditions.extend(spans.into_iter().filter(|span| is_condition(span)));
    assert!(conditions.len() >= 25, "{conditions:?}");
    for condition in conditions {
        let checked = compile(&condition, &CatalogueFields, "when");
        let is_mistake = MISTAKES.contains(&condition.as_str());
        assert_eq!(checked.is_err(), is_mistake, "{condition}: {checked:?}");
    }
}

#[test]
fn the_functions_in_the_docs_are_all_there_are_and_are_written_so() {
    let (spans, _) = written(&page());
    for (field, word) in [
        ("system.cpu.utilization", "avg"),
        ("system.cpu.utilization", "min"),
        ("system.cpu.utilization", "max"),
        ("system.cpu.utilization", "quantile"),
        ("system.cpu.utilization", "rate"),
        ("system.cpu.utilization", "slope"),
        ("system.cpu.utilization", "trend_p"),
        ("system.cpu.utilization", "predict"),
        ("system.linux.oom_kills", "count"),
        ("system.cpu.utilization", "growth"),
    ] {
        let form = spans.iter().find(|span| span.starts_with(&format!("{word}(field, ")));
        let form = form.unwrap_or_else(|| panic!("{word} is not in the table"));
        let call = form.replace("field", field);
        assert!(compile(&format!("{call} != 2 * {call}"), &CatalogueFields, "").is_ok(), "{form}");
    }
}

/// Counts that tell of one thing, whether it is so.
fn is_zero_or_one(name: &str) -> bool {
    const NAMES: [&str; 4] = [
        "process.executable.replaced",
        "process.window.hung",
        "process.service.starts",
        "system.network.socket.opened",
    ];
    NAMES.contains(&name)
}

/// One line for each field, with the windows beyond those that every number takes.
fn table() -> String {
    let mut table = "| field | of | write | windows | what it is |\n|---|---|---|---|---|\n".to_owned();
    for metric in catalogue::metrics() {
        let takes = |call: &str| {
            let call = call.replace("field", metric.name);
            compile(&format!("{call} != 2 * {call}"), &CatalogueFields, "").is_ok()
        };
        let windows = match (takes("avg(field, \"5m\")"), takes("slope(field, \"5m\")"), takes("count(field, \"5m\")"))
        {
            (false, ..) => "none",
            (_, true, _) => "and `rate` `slope` `growth`",
            (_, _, true) => "and `count`",
            _ => "",
        };
        let write = match metric.unit {
            Unit::Ratio => "\"90%\"",
            Unit::RatioPerSecond => "\"5%/h\"",
            Unit::Bytes => "\"2GiB\"",
            Unit::BytesPerSecond => "\"20MiB/s\"",
            Unit::Seconds => "\"5m\"",
            Unit::CountPerSecond => "10, \"600/min\"",
            Unit::Number if metric.name == "check.http.status" => "200",
            Unit::Cores | Unit::Number => "1.5",
            Unit::Count if bounds(metric).most == Some(1.0) || is_zero_or_one(metric.name) => "0, 1",
            Unit::Count => "100",
            Unit::Text => "\"text\"",
        };
        let (name, of, help) = (metric.name, metric.entity_kind(), metric.help);
        let _ = writeln!(table, "| `{name}` | {of} | {write} | {windows} | {help} |");
    }
    table
}

/// With `UPDATE_EXPECT=1` it writes the table instead.
#[test]
fn the_table_of_fields_in_the_docs_is_the_catalogue() {
    let page = page();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path(), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    let difference = table.lines().zip(shown.lines()).find(|(actual, expected)| actual != expected);
    assert!(shown == table, "first in {difference:?}: run the test with UPDATE_EXPECT=1 and look at what changed");
}
