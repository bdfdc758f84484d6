//! Random expressions against two others who know the answer: the `cel` crate where all values are known, and a naive
//! evaluator of Kleene's logic where they are not.

use std::sync::Arc;

use cel::{Context, Env};
use watchkeeper_core::catalogue::Value;

use crate::{CatalogueFields, Condition, compile};

/// How many expressions are tried; `scripts/test --long` asks for 100,000.
const CASES: &str = "WATCHKEEPER_EXPRESSION_CASES";
const FEW_CASES: usize = 1_500;
/// Tries with other values for each expression.
const TRIES: usize = 8;

/// Fields of numbers and windows over them, with their unit and what one step of their values is. To the other two a window
/// is a field like any other.
const NUMBERS: [(&str, Unit, f64); 19] = [
    ("process.memory.usage", Unit::Bytes, 1_048_576.0),
    ("system.memory.limit", Unit::Bytes, 1_048_576.0),
    ("process.uptime", Unit::Seconds, 1.0),
    ("system.uptime", Unit::Seconds, 1.0),
    ("process.disk.io.write", Unit::Rate, 1_048_576.0),
    ("process.thread.count", Unit::Count, 1.0),
    ("system.linux.load.1m", Unit::Number, 1.0),
    ("system.cpu.utilization", Unit::Ratio, 0.01),
    ("avg(process.memory.usage, \"5m\")", Unit::Bytes, 1_048_576.0),
    ("predict(process.memory.usage, \"6h\", \"4h\")", Unit::Bytes, 1_048_576.0),
    ("count(process.disk.io.write, \"1h\")", Unit::Bytes, 1_048_576.0),
    ("max(system.uptime, \"1d\")", Unit::Seconds, 1.0),
    ("slope(process.memory.usage, \"2h\")", Unit::Rate, 1_048_576.0),
    ("growth(system.memory.usage, \"2h\")", Unit::Rate, 1_048_576.0),
    ("min(process.thread.count, \"10m\")", Unit::Count, 1.0),
    ("quantile(system.linux.load.1m, \"1h\", 0.5)", Unit::Number, 1.0),
    ("trend_p(process.memory.usage, \"2h\")", Unit::Ratio, 0.01),
    ("slope(system.cpu.utilization, \"2h\")", Unit::RatioRate, 0.01 / 3_600.0),
    ("rate(process.cpu.utilization, \"10m\")", Unit::RatioRate, 0.01 / 3_600.0),
];
const TEXTS: [&str; 3] = ["process.name", "process.executable.name", "process.program"];
const WORDS: [&str; 6] = ["nginx", "postgres", "post", "x", "nginx-worker", "a.b"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Bytes,
    Seconds,
    Rate,
    Count,
    Number,
    Ratio,
    RatioRate,
    /// What comes of dividing equal units.
    Plain,
}

/// Numbers that look random and are the same in each run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A tree of an expression; every part has its text in both languages.
enum Tree {
    Number(f64),
    Text(String),
    Field(usize),
    Unary(&'static str, Box<Part>),
    Binary(&'static str, Box<Part>, Box<Part>),
    Among(Box<Part>, Vec<Part>),
    Method(&'static str, Box<Part>, String),
    Choice(Box<Part>, Box<Part>, Box<Part>),
}

struct Part {
    tree: Tree,
    ours: String,
    cel: String,
}

/// What a part is at given values; `None` is unknown.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Truth(bool),
    Number(f64),
    Text(String),
}

fn unary(symbol: &'static str, operand: Part) -> Part {
    let (ours, cel) = (format!("{symbol}({})", operand.ours), format!("{symbol}({})", operand.cel));
    Part { tree: Tree::Unary(symbol, Box::new(operand)), ours, cel }
}

fn binary(left: Part, symbol: &'static str, right: Part) -> Part {
    let ours = format!("({} {symbol} {})", left.ours, right.ours);
    let cel = format!("({} {symbol} {})", left.cel, right.cel);
    Part { tree: Tree::Binary(symbol, Box::new(left), Box::new(right)), ours, cel }
}

fn choice(condition: Part, yes: Part, no: Part) -> Part {
    let ours = format!("({} ? {} : {})", condition.ours, yes.ours, no.ours);
    let cel = format!("({} ? {} : {})", condition.cel, yes.cel, no.cel);
    Part { tree: Tree::Choice(Box::new(condition), Box::new(yes), Box::new(no)), ours, cel }
}

fn field(index: usize) -> Part {
    let ours = NUMBERS.get(index).map_or_else(|| TEXTS[index - NUMBERS.len()], |number| number.0);
    Part { tree: Tree::Field(index), ours: ours.to_owned(), cel: format!("f{index}") }
}

fn constant(unit: Unit, dice: &mut Dice) -> Part {
    let steps = 1 + dice.below(6);
    let (ours, value) = match unit {
        Unit::Bytes => (format!("\"{steps}MiB\""), steps as f64 * 1_048_576.0),
        Unit::Seconds => (format!("\"{steps}s\""), steps as f64),
        Unit::Rate => (format!("\"{steps}MiB/s\""), steps as f64 * 1_048_576.0),
        Unit::Ratio => (format!("\"{steps}%\""), steps as f64 / 100.0),
        Unit::RatioRate => (format!("\"{steps}%/h\""), steps as f64 / 100.0 / 3_600.0),
        Unit::Count | Unit::Number | Unit::Plain => (format!("{steps}"), steps as f64),
    };
    Part { tree: Tree::Number(value), ours, cel: format!("{value:?}") }
}

fn word(text: &str) -> Part {
    Part { tree: Tree::Text(text.to_owned()), ours: format!("{text:?}"), cel: format!("{text:?}") }
}

/// A number in this unit that hangs on a field.
fn number(unit: Unit, depth: usize, dice: &mut Dice) -> Part {
    let own: Vec<usize> = (0..NUMBERS.len()).filter(|index| NUMBERS[*index].1 == unit).collect();
    let deep = depth > 0;
    match dice.below(8) {
        0 if deep && unit != Unit::Plain => {
            let symbol = dice.pick(&["+", "-"]);
            let right = if dice.below(2) == 0 { constant(unit, dice) } else { number(unit, depth - 1, dice) };
            binary(number(unit, depth - 1, dice), symbol, right)
        }
        1 if deep && !matches!(unit, Unit::Ratio | Unit::Plain) => {
            let symbol = dice.pick(&["*", "/"]);
            let factor = if dice.below(2) == 0 { constant(Unit::Plain, dice) } else { number(Unit::Number, 0, dice) };
            let is_count = unit == Unit::Count;
            let factor = if is_count { constant(Unit::Plain, dice) } else { factor };
            binary(number(unit, depth - 1, dice), symbol, factor)
        }
        2 if deep => {
            let no = if dice.below(2) == 0 && unit != Unit::Plain {
                constant(unit, dice)
            } else {
                number(unit, depth - 1, dice)
            };
            choice(truth(depth - 1, dice), number(unit, depth - 1, dice), no)
        }
        3 if deep => unary("-", number(unit, depth - 1, dice)),
        4 if deep && unit == Unit::Rate => {
            binary(number(Unit::Bytes, depth - 1, dice), "/", number(Unit::Seconds, depth - 1, dice))
        }
        5 if deep && unit == Unit::Bytes => {
            binary(number(Unit::Rate, depth - 1, dice), "*", number(Unit::Seconds, depth - 1, dice))
        }
        4 if deep && unit == Unit::RatioRate => {
            binary(number(Unit::Ratio, depth - 1, dice), "/", number(Unit::Seconds, depth - 1, dice))
        }
        5 if deep && unit == Unit::Ratio => {
            binary(number(Unit::RatioRate, depth - 1, dice), "*", number(Unit::Seconds, depth - 1, dice))
        }
        5 if deep && unit == Unit::RatioRate => {
            binary(number(Unit::Rate, depth - 1, dice), "/", number(Unit::Bytes, depth - 1, dice))
        }
        5 if deep && unit == Unit::Seconds => {
            binary(number(Unit::Ratio, depth - 1, dice), "/", number(Unit::RatioRate, depth - 1, dice))
        }
        _ if own.is_empty() => {
            let of = dice.pick(&[Unit::Bytes, Unit::Seconds, Unit::Count]);
            binary(number(of, depth.saturating_sub(1), dice), "/", number(of, depth.saturating_sub(1), dice))
        }
        _ => field(dice.pick(&own)),
    }
}

/// A text that hangs on a field.
fn text(depth: usize, dice: &mut Dice) -> Part {
    if depth > 0 && dice.below(5) == 0 {
        let no = if dice.below(2) == 0 { word(dice.pick(&WORDS)) } else { text(depth - 1, dice) };
        return choice(truth(depth - 1, dice), text(depth - 1, dice), no);
    }
    field(NUMBERS.len() + dice.below(TEXTS.len()))
}

fn truth(depth: usize, dice: &mut Dice) -> Part {
    let units =
        [Unit::Bytes, Unit::Seconds, Unit::Rate, Unit::Count, Unit::Number, Unit::Ratio, Unit::RatioRate, Unit::Plain];
    match dice.below(if depth == 0 { 4 } else { 10 }) {
        0 => {
            let symbol = dice.pick(&["==", "!="]);
            let right = if dice.below(2) == 0 { word(dice.pick(&WORDS)) } else { text(depth.saturating_sub(1), dice) };
            binary(text(depth.saturating_sub(1), dice), symbol, right)
        }
        1 => {
            let method = dice.pick(&["startsWith", "endsWith", "contains", "matches"]);
            let wanted = dice.pick(&["n", "post", "x$", "ginx", "a.b", "^ng"]);
            let target = text(depth.saturating_sub(1), dice);
            let ours = format!("{}.{method}({wanted:?})", target.ours);
            let cel = format!("{}.{method}({wanted:?})", target.cel);
            Part { tree: Tree::Method(method, Box::new(target), wanted.to_owned()), ours, cel }
        }
        2 => {
            let is_text = dice.below(2) == 0;
            let unit = dice.pick(&units);
            let of =
                if is_text { text(depth.saturating_sub(1), dice) } else { number(unit, depth.saturating_sub(1), dice) };
            let count = 1 + dice.below(3);
            let item = |dice: &mut Dice| if is_text { word(dice.pick(&WORDS)) } else { constant(unit, dice) };
            let items: Vec<Part> = (0..count).map(|_| item(dice)).collect();
            let list = |texts: Vec<&str>| texts.join(", ");
            let ours = format!("({} in [{}])", of.ours, list(items.iter().map(|item| item.ours.as_str()).collect()));
            let cel = format!("({} in [{}])", of.cel, list(items.iter().map(|item| item.cel.as_str()).collect()));
            Part { tree: Tree::Among(Box::new(of), items), ours, cel }
        }
        4 => unary("!", truth(depth - 1, dice)),
        5 | 6 => binary(truth(depth - 1, dice), "&&", truth(depth - 1, dice)),
        7 | 8 => binary(truth(depth - 1, dice), "||", truth(depth - 1, dice)),
        9 if dice.below(2) == 0 => choice(truth(depth - 1, dice), truth(depth - 1, dice), truth(depth - 1, dice)),
        9 => {
            let symbol = dice.pick(&["==", "!="]);
            binary(truth(depth - 1, dice), symbol, truth(depth - 1, dice))
        }
        _ => {
            let symbol = dice.pick(&["<", "<=", ">", ">=", "==", "!="]);
            let unit = dice.pick(&units);
            let left = number(unit, depth.saturating_sub(1), dice);
            let right =
                if dice.below(2) == 0 { constant(unit, dice) } else { number(unit, depth.saturating_sub(1), dice) };
            if dice.below(2) == 0 { binary(left, symbol, right) } else { binary(right, symbol, left) }
        }
    }
}

/// Kleene's logic as he drew it: false, unknown and true are 0, 1 and 2, `&&` is the least and `||` the most.
fn rank(answer: Option<&Answer>) -> u8 {
    match answer {
        Some(Answer::Truth(truth)) => u8::from(*truth) * 2,
        _ => 1,
    }
}

fn of_rank(rank: u8) -> Option<Answer> {
    (rank != 1).then_some(Answer::Truth(rank == 2))
}

/// The naive evaluator: looks at everything, and notes in `odd` whether a result was not finite.
fn naive(part: &Part, values: &[Option<Answer>], odd: &mut bool) -> Option<Answer> {
    match &part.tree {
        Tree::Number(number) => Some(Answer::Number(*number)),
        Tree::Text(text) => Some(Answer::Text(text.clone())),
        Tree::Field(index) => values[*index].clone(),
        Tree::Unary("!", operand) => of_rank(2 - rank(naive(operand, values, odd).as_ref())),
        Tree::Unary(_, operand) => match naive(operand, values, odd)? {
            Answer::Number(number) => Some(Answer::Number(-number)),
            other => panic!("{other:?}"),
        },
        Tree::Binary(symbol @ ("&&" | "||"), left, right) => {
            let (left, right) = (rank(naive(left, values, odd).as_ref()), rank(naive(right, values, odd).as_ref()));
            of_rank(if *symbol == "&&" { left.min(right) } else { left.max(right) })
        }
        Tree::Binary(symbol, left, right) => {
            let (left, right) = (naive(left, values, odd), naive(right, values, odd));
            let (left, right) = (left?, right?);
            let (Answer::Number(one), Answer::Number(other)) = (&left, &right) else {
                return Some(Answer::Truth((left == right) == (*symbol == "==")));
            };
            let result = match *symbol {
                "+" => one + other,
                "-" => one - other,
                "*" => one * other,
                "/" => one / other,
                "<" => return Some(Answer::Truth(one < other)),
                "<=" => return Some(Answer::Truth(one <= other)),
                ">" => return Some(Answer::Truth(one > other)),
                ">=" => return Some(Answer::Truth(one >= other)),
                _ => return Some(Answer::Truth((one == other) == (*symbol == "=="))),
            };
            *odd |= !result.is_finite();
            result.is_finite().then_some(Answer::Number(result))
        }
        Tree::Among(of, items) => {
            let of = naive(of, values, odd)?;
            Some(Answer::Truth(items.iter().any(|item| naive(item, values, &mut false).as_ref() == Some(&of))))
        }
        Tree::Method(method, target, wanted) => {
            let Answer::Text(target) = naive(target, values, odd)? else { panic!("not a text") };
            Some(Answer::Truth(match *method {
                "startsWith" => target.starts_with(wanted),
                "endsWith" => target.ends_with(wanted),
                "contains" => target.contains(wanted),
                _ => regex::Regex::new(wanted).unwrap().is_match(&target),
            }))
        }
        Tree::Choice(condition, yes, no) => {
            let answers = (naive(condition, values, odd), naive(yes, values, odd), naive(no, values, odd));
            match answers.0? {
                Answer::Truth(true) => answers.1,
                _ => answers.2,
            }
        }
    }
}

/// Values of all fields; some unknown unless all have to be known.
fn values(known: bool, dice: &mut Dice) -> Vec<Option<Answer>> {
    let mut value = |index: usize| {
        if !known && dice.below(4) == 0 {
            return None;
        }
        Some(match NUMBERS.get(index) {
            Some((_, unit, _)) if *unit == Unit::Ratio => Answer::Number(dice.below(7) as f64 / 100.0),
            Some((_, unit, _)) if *unit == Unit::RatioRate => Answer::Number(dice.below(7) as f64 / 100.0 / 3_600.0),
            Some((_, _, step)) => Answer::Number(dice.below(7) as f64 * step),
            None => Answer::Text(dice.pick(&WORDS).to_owned()),
        })
    };
    (0..NUMBERS.len() + TEXTS.len()).map(&mut value).collect()
}

fn evaluate(condition: &Condition, answers: &[Option<Answer>]) -> Option<bool> {
    let value = |name: &str| {
        let place = NUMBERS.iter().map(|number| number.0).chain(TEXTS).position(|known| known == name).unwrap();
        match answers[place].as_ref()? {
            Answer::Number(number) => Some(Value::Number(*number)),
            Answer::Text(text) => Some(Value::Text(text)),
            Answer::Truth(_) => None,
        }
    };
    let values: Vec<_> = condition.inputs().iter().map(|input| value(&input.to_string())).collect();
    condition.evaluate(&values)
}

#[test]
fn random_expressions_answer_as_cel_and_as_kleene_would() {
    let cases = std::env::var(CASES).map_or(FEW_CASES, |cases| cases.parse().unwrap());
    let env = Arc::new(Env::stdlib());
    let mut dice = Dice(4);
    let (mut accepted, mut compared, mut unknown, mut held) = (0, 0, 0, 0);
    while accepted < cases {
        let depth = 1 + dice.below(4);
        let part = truth(depth, &mut dice);
        if part.ours.len() > 2_000 {
            continue;
        }
        let condition =
            compile(&part.ours, &CatalogueFields, "").unwrap_or_else(|wrong| panic!("{} {wrong:?}", part.ours));
        let program = env.compile(&part.cel).unwrap_or_else(|wrong| panic!("{} {wrong}", part.cel));
        accepted += 1;
        for round in 0..TRIES {
            let answers = values(round % 2 == 0, &mut dice);
            let mut odd = false;
            let expected = match naive(&part, &answers, &mut odd) {
                Some(Answer::Truth(truth)) => Some(truth),
                None => None,
                other => panic!("{other:?}"),
            };
            let verdict = evaluate(&condition, &answers);
            assert_eq!(verdict, expected, "naive: {} at {answers:?}", part.ours);
            unknown += usize::from(verdict.is_none());
            held += usize::from(verdict == Some(true));
            if odd || answers.contains(&None) {
                continue;
            }
            let mut context = Context::with_env(env.clone());
            for (index, answer) in answers.iter().enumerate() {
                match answer {
                    Some(Answer::Number(number)) => context.add_variable(format!("f{index}"), *number).unwrap(),
                    Some(Answer::Text(text)) => context.add_variable(format!("f{index}"), text.clone()).unwrap(),
                    _ => {}
                }
            }
            let answer = program.execute(&context).unwrap_or_else(|wrong| panic!("{} {wrong}", part.cel));
            assert_eq!(Some(answer), verdict.map(cel::Value::Bool), "cel: {} at {answers:?}", part.cel);
            compared += 1;
        }
    }
    println!(
        "{accepted} expressions; of {} answers {held} true, {unknown} unknown, {compared} compared with cel",
        accepted * TRIES
    );
    assert!(compared > cases && unknown > cases / 2 && held > cases / 2, "{compared} {unknown} {held}");
}
