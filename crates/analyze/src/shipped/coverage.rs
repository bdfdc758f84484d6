//! Every shipped rule fires on what it is for, and not on what only looks like it.

use std::collections::BTreeSet;

use super::rows::{Course, ROWS, Row};
use super::{Watch, shipped};
use crate::RuleConfig;

fn play(rule: &RuleConfig, row: &Row, course: &Course) -> Vec<(i64, String)> {
    let mut enabled = rule.clone();
    enabled.enabled = true;
    let mut watch = Watch::new(&[enabled], row.interval_s * 1_000);
    while watch.now_s() < row.length_s {
        let at_s = watch.now_s() + row.interval_s;
        (course.set)(&mut watch.machine, (course.value)(at_s as f64));
        watch.tick();
    }
    watch.opened
}

#[test]
fn every_rule_fires_on_what_it_is_for_and_not_on_what_looks_like_it() {
    let rules = shipped();
    let names: BTreeSet<&str> = ROWS.iter().map(|row| row.id).collect();
    let without: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).filter(|id| !names.contains(id)).collect();
    assert!(without.is_empty(), "shipped rules without a row: {}", without.join(", "));
    assert_eq!(names.len(), rules.len(), "a row has no rule");
    let mut wrong = Vec::new();
    for row in ROWS {
        let rule = rules.iter().find(|rule| rule.id == row.id).unwrap();
        let fired = play(rule, row, &row.fires);
        match fired.as_slice() {
            [(at_s, title)] if title.starts_with(rule.title.as_deref().unwrap()) => {
                println!("{:24} fires after {at_s:>6} s on {}: {title}", row.id, row.fires.name);
            }
            other => wrong.push(format!("{} on {}: {other:?}", row.id, row.fires.name)),
        }
        assert!(!row.near.is_empty(), "{} has no near miss", row.id);
        for near in row.near {
            let fired = play(rule, row, near);
            if fired.is_empty() {
                println!("{:24} silent on {}", "", near.name);
            } else {
                wrong.push(format!("{} on {}: {fired:?}", row.id, near.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
