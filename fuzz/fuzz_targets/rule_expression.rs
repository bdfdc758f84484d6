//! Conditions of rules: no panic, mistakes point into the text, what is printed reads back as the same: trees and windows.
#![no_main]

use std::ops::Range;

use libfuzzer_sys::fuzz_target;
use watchkeeper_core::catalogue::Value;
use watchkeeper_expression::{CatalogueFields, MAX_BYTES, check, parse};

fuzz_target!(|text: &str| {
    let expression = match parse(text) {
        Ok(expression) => expression,
        Err(error) => return points_into(text, &error.range),
    };
    points_into(text, &expression.root.range);
    let printed = expression.root.to_string();
    if printed.len() <= MAX_BYTES {
        let again = parse(&printed).expect("what is printed parses");
        assert_eq!(again.root.to_string(), printed, "{text:?}");
    }
    match check(&expression, &CatalogueFields) {
        Ok(condition) => {
            let count = condition.inputs().len();
            assert!(count > 0, "a condition of nothing: {text:?}");
            let _ = condition.cost();
            for input in condition.inputs() {
                let Some(window) = input.window else { continue };
                let again = parse(&format!("{input} != 3 * {input}")).expect("a window that is printed parses");
                let again = check(&again, &CatalogueFields).expect("a window that is printed is one");
                assert_eq!(again.inputs()[0].window, Some(window), "{text:?}");
                assert_eq!(again.inputs(), [input.clone()], "{text:?}");
            }
            let mut values = vec![Some(Value::Number(0.0)); count];
            for value in [Value::Number(0.0), Value::Number(1.0), Value::Number(f64::MAX), Value::Text("nginx")] {
                for place in 0..count {
                    values[place] = Some(value);
                    let _ = condition.evaluate(&values);
                    let _ = condition.evaluate_at_least(&values, &[true]);
                }
            }
            for unknown in [None, Some(Value::Number(f64::NAN)), Some(Value::Number(f64::INFINITY))] {
                assert_eq!(condition.evaluate(&vec![unknown; count]), None, "unknown must stay unknown: {text:?}");
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason: {text:?}");
            errors.iter().for_each(|error| points_into(text, &error.range));
        }
    }
});

/// A range that an editor can underline: inside the text, on character boundaries.
fn points_into(text: &str, range: &Range<usize>) {
    assert!(text.get(range.clone()).is_some(), "{range:?} does not lie in {text:?}");
}
