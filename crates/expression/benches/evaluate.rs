//! What it costs to ask a condition whose values are at hand, beside the same condition in the `cel` crate.
//!
//! `cel` is given its variables once, outside of what is measured. The constants of `src/cost.rs` come from here: each is the
//! difference that one more step makes. What a look costs with reading its fields is measured by the bench of `analyze`.

use std::hint::black_box;
use std::sync::Arc;

use cel::{Context, Env};
use criterion::{Criterion, criterion_group, criterion_main};
use watchkeeper_core::catalogue::Value;
use watchkeeper_expression::{CatalogueFields, compile};

/// Name, condition, the same in CEL with its inputs as `a`, `b`, `c`, and their values. None of them holds, as is usual.
type Case = (&'static str, &'static str, &'static str, &'static [Value<'static>]);

const NAME: Value<'static> = Value::Text("postgres: checkpointer");

const CASES: [Case; 9] = [
    ("one comparison", "process.cpu.utilization > \"90%\"", "a > 0.9", &[Value::Number(0.1)]),
    (
        "two comparisons",
        "process.cpu.utilization < \"90%\" && process.cpu.cores > 4",
        "a < 0.9 && b > 4.0",
        &[Value::Number(0.1), Value::Number(1.0)],
    ),
    (
        "four comparisons",
        "process.cpu.utilization < \"90%\" && process.cpu.cores < 4 && process.thread.count < 100 && process.uptime > \"1d\"",
        "a < 0.9 && b < 4.0 && c < 100.0 && d > 86400.0",
        &[Value::Number(0.1), Value::Number(1.0), Value::Number(4.0), Value::Number(60.0)],
    ),
    (
        "a quotient",
        "process.memory.usage / system.memory.limit > \"40%\"",
        "a / b > 0.4",
        &[Value::Number(1e9), Value::Number(1e10)],
    ),
    ("text", "process.name == \"nothing-has-this-name\"", "a == \"nothing-has-this-name\"", &[NAME]),
    ("a list of texts", "process.state in [\"D\", \"Z\", \"T\"]", "a in [\"D\", \"Z\", \"T\"]", &[Value::Text("S")]),
    ("startsWith", "process.name.startsWith(\"post-\")", "a.startsWith(\"post-\")", &[NAME]),
    ("contains", "process.name.contains(\"writer\")", "a.contains(\"writer\")", &[NAME]),
    ("matches", "process.name.matches(\"^post.*writer$\")", "a.matches(\"^post.*writer$\")", &[NAME]),
];

fn evaluate(criterion: &mut Criterion) {
    let env = Arc::new(Env::stdlib());
    for (name, ours, theirs, values) in CASES {
        let condition = compile(ours, &CatalogueFields, "").expect("the conditions are right");
        let known: Vec<Option<Value<'_>>> = values.iter().copied().map(Some).collect();
        assert_eq!(condition.evaluate(&known), Some(false), "{ours}");
        println!("{name}: told to cost {} ns with reading", condition.cost().nanoseconds);
        criterion.bench_function(&format!("{name}, ours"), |bencher| {
            bencher.iter(|| condition.evaluate(black_box(&known)));
        });

        let program = env.compile(theirs).expect("the conditions are right");
        let mut context = Context::with_env(env.clone());
        for (variable, value) in ["a", "b", "c", "d"].into_iter().zip(values) {
            match value {
                Value::Number(number) => context.add_variable(variable, *number).expect("a number is a value"),
                Value::Text(text) => context.add_variable(variable, (*text).to_owned()).expect("a text is a value"),
            }
        }
        assert_eq!(program.execute(&context).ok(), Some(cel::Value::Bool(false)), "{theirs}");
        criterion.bench_function(&format!("{name}, cel"), |bencher| {
            bencher.iter(|| program.execute(black_box(&context)));
        });
    }
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
