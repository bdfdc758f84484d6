//! Windows: functions over the last minutes, hours or days of a field.

use std::ops::Range;

use watchkeeper_core::Unit;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::text::clean;

use crate::condition::Input;
use crate::error::ExpressionError;
use crate::field::{Bounds, Field};
use crate::literal;
use crate::measure::Measure;
use crate::program::Amount;
use crate::syntax::{Literal, Node, Syntax, Word};
use crate::window::{Function, LONGEST_HORIZON, LONGEST_WINDOW, MOST_WINDOWS, SHORTEST_WINDOW, Window};

use super::names::{most_like, unknown_name};
use super::{Checker, Part, search, shown};

/// How a function is written.
pub(super) struct Form {
    word: &'static str,
    /// What may stand behind the field.
    rest: &'static str,
    /// What it takes.
    takes: &'static str,
    arguments: usize,
}

const fn form(word: &'static str, rest: &'static str) -> Form {
    Form { word, rest, takes: "a field and a window", arguments: 2 }
}

const FORMS: [Form; 10] = [
    form("avg", "\"5m\""),
    form("min", "\"5m\""),
    form("max", "\"5m\""),
    Form { takes: "a field, a window and a share", arguments: 3, ..form("quantile", "\"5m\", 0.95") },
    form("rate", "\"10m\""),
    form("slope", "\"2h\""),
    form("trend_p", "\"2h\""),
    Form { takes: "a field, a window and how far ahead", arguments: 3, ..form("predict", "\"6h\", \"4h\"") },
    form("count", "\"10m\""),
    form("growth", "\"6h\""),
];

/// What functions are called elsewhere.
const ALIASES: [(&str, &str); 16] = [
    ("mean", "avg"),
    ("average", "avg"),
    ("minimum", "min"),
    ("maximum", "max"),
    ("median", "quantile"),
    ("percentile", "quantile"),
    ("delta", "rate"),
    ("derivative", "slope"),
    ("deriv", "slope"),
    ("trend", "slope"),
    ("forecast", "predict"),
    ("predict_linear", "predict"),
    ("sum", "count"),
    ("total", "count"),
    ("increase", "count"),
    ("leak", "growth"),
];

impl Form {
    pub(super) fn of(word: &str) -> Option<&'static Self> {
        FORMS.iter().find(|form| form.word == word)
    }

    /// The function with this field.
    pub(super) fn written(&self, field: &str) -> String {
        format!("{}({field}, {})", self.word, self.rest)
    }
}

/// What a function makes of a field.
struct Made {
    unit: Unit,
    bounds: Bounds,
    is_whole: bool,
}

impl Checker<'_> {
    /// `avg(field, "5m")` and the like.
    pub(super) fn call(&mut self, function: &Word, arguments: &[Syntax]) -> Option<Part> {
        let Some(form) = Form::of(&function.text) else {
            return self.unknown_function(function, arguments);
        };
        if let [Syntax { node: Node::Literal(_), range }, Syntax { node: Node::Name(name), .. }, ..] = arguments {
            let message = format!("`{}` takes the field first", form.word);
            let help = format!("write it like {}", form.written(name));
            return self.wrong(ExpressionError::new(range.clone(), message).help(help));
        }
        let field = arguments.first().map(|argument| self.windowed(form, argument));
        if arguments.len() != form.arguments {
            let name = match arguments.first() {
                Some(Syntax { node: Node::Name(name), .. }) => name.as_str(),
                _ => "FIELD",
            };
            let message = format!("`{}` takes {}", form.word, form.takes);
            let error = ExpressionError::new(function.range.clone(), message);
            return self.wrong(error.help(format!("write it like {}", form.written(name))));
        }
        let (Some(field), [_, window, more @ ..]) = (field, arguments) else { return None };
        let length_ms = self.span(window, "window", LONGEST_WINDOW);
        let made = self.function(form, more.first());
        let (name, field, range) = field?;
        let (length_ms, function) = (length_ms?, made?);
        let Made { unit, bounds, is_whole } = self.made(form, &name, &field, &range)?;
        let window = Some(Window { function, length_ms });
        let input = Input { name, unit, entity: field.entity, window, bounds, is_whole };
        let place = self.input(input, Vec::new(), &range);
        if self.inputs.iter().filter(|input| input.window.is_some()).count() > MOST_WINDOWS {
            let message = format!("the condition has more than {MOST_WINDOWS} windows");
            return self.wrong(ExpressionError::new(range, message).help("make two rules of it"));
        }
        Some(Part::Number { step: Amount::Input(place), measure: Measure::Of(unit) })
    }

    fn unknown_function(&mut self, function: &Word, arguments: &[Syntax]) -> Option<Part> {
        // What is wrong inside is told as well.
        for argument in arguments {
            self.part(argument);
        }
        let word = function.text.as_str();
        let error = ExpressionError::new(function.range.clone(), format!("there is no function `{word}`"));
        if search::METHODS.contains(&word) {
            return self.wrong(error.help(format!("write it behind the text: `field.{word}(\"...\")`")));
        }
        let words = || FORMS.iter().map(|form| form.word);
        let like = most_like(word, words().chain(ALIASES.iter().map(|(alias, _)| *alias)));
        let known = like.map(|like| ALIASES.iter().find(|(alias, _)| *alias == like).map_or(like, |(_, known)| known));
        self.wrong(match known {
            Some(known) => error.help(format!("did you mean `{known}`?")),
            None => error.help(format!("there are {}", words().collect::<Vec<_>>().join(", "))),
        })
    }

    /// The field of a window, which has to be one of numbers.
    fn windowed(&mut self, form: &Form, argument: &Syntax) -> Option<(String, Field, Range<usize>)> {
        let range = argument.range.clone();
        let Node::Name(name) = &argument.node else {
            let written = shown(argument);
            let (message, help) = match (&argument.node, first_name(argument)) {
                (Node::Literal(_), _) => (
                    format!("`{written}` is a value; `{}` begins with the name of a field", form.word),
                    format!("write it like {}", form.written("FIELD")),
                ),
                (Node::Call { .. }, Some(name)) => (
                    format!("`{written}` is a window; there are no windows over windows"),
                    format!("write one over the field itself, such as {}", form.written(name)),
                ),
                (_, name) => (
                    format!("`{written}` is worked out; a window looks at one field"),
                    format!("write the function around the field, such as {}", form.written(name.unwrap_or("FIELD"))),
                ),
            };
            return self.wrong(ExpressionError::new(range, message).help(help));
        };
        let Some(field) = self.fields.field(name) else {
            let error = unknown_name(name, &range, self.fields);
            return self.wrong(error);
        };
        if field.unit == Unit::Text {
            let message = format!("`{name}` is text; `{}` takes numbers", form.word);
            let help = "compare text as it is now; `for` says how long that must hold";
            return self.wrong(ExpressionError::new(range, message).help(help));
        }
        Some((name.clone(), field, range))
    }

    /// The function with what it takes beside a field and a window.
    fn function(&mut self, form: &Form, more: Option<&Syntax>) -> Option<Function> {
        Some(match (form.word, more) {
            ("avg", _) => Function::Avg,
            ("min", _) => Function::Min,
            ("max", _) => Function::Max,
            ("rate", _) => Function::Rate,
            ("slope", _) => Function::Slope,
            ("trend_p", _) => Function::TrendP,
            ("count", _) => Function::Count,
            ("growth", _) => Function::Growth,
            ("quantile", Some(share)) => Function::Quantile(self.share(share)?),
            ("predict", Some(horizon)) => {
                Function::Predict { horizon_ms: self.span(horizon, "horizon", LONGEST_HORIZON)? }
            }
            _ => return None,
        })
    }

    /// A share of the time, between 0 and 1.
    fn share(&mut self, syntax: &Syntax) -> Option<f64> {
        let written = match &syntax.node {
            Node::Literal(Literal::Number(number)) => Some(*number),
            Node::Literal(Literal::Text(text)) => literal::percent(text),
            _ => None,
        };
        match written {
            Some(share) if share > 0.0 && share < 1.0 => Some(share),
            written => {
                let message = format!("`{}` is no share of the time between 0 and 1", shown(syntax));
                let error = ExpressionError::new(syntax.range.clone(), message);
                self.wrong(error.help(match written {
                    Some(number) if number > 1.0 && number < 100.0 => format!("did you mean {}?", number / 100.0),
                    Some(0.0) => "write `min` for the smallest value".to_owned(),
                    Some(1.0 | 100.0) => "write `max` for the largest value".to_owned(),
                    _ => "write a number such as 0.95".to_owned(),
                }))
            }
        }
    }

    /// A length of time that is written down, milliseconds.
    fn span(&mut self, syntax: &Syntax, what: &str, longest: Span) -> Option<i64> {
        let range = syntax.range.clone();
        let text = match &syntax.node {
            Node::Literal(Literal::Text(text)) => text,
            Node::Literal(Literal::Number(number)) => {
                let message = format!("{number} has no unit; a {what} is a duration in quotes");
                return self.wrong(ExpressionError::new(range, message).help(likely(*number)));
            }
            node => {
                let is = if matches!(node, Node::Name(_)) { "a name" } else { "worked out" };
                let message = format!("`{}` is {is}; a {what} is a duration in quotes", shown(syntax));
                return self.wrong(ExpressionError::new(range, message).help("write it like \"5m\""));
            }
        };
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let span = match (Span::parse(text), number) {
            (Ok(span), None) => span,
            (_, Some(number)) => {
                let message = format!("\"{}\" has no unit; a {what} is a duration", clean(text, 40));
                return self.wrong(ExpressionError::new(range, message).help(likely(number)));
            }
            (Err(_), None) => {
                let message = format!("\"{}\" is no duration; a {what} is one", clean(text, 40));
                let help = "write a number with a unit, such as \"30s\", \"5m\", \"2h\" or \"7d\"";
                return self.wrong(ExpressionError::new(range, message).help(help));
            }
        };
        if span < SHORTEST_WINDOW || span > longest {
            let message = format!("a {what} of {span} is outside of {SHORTEST_WINDOW} to {longest}");
            return self.wrong(ExpressionError::new(range, message));
        }
        Some(span.ms())
    }

    /// What a function makes of a field, if it makes anything of its unit.
    fn made(&mut self, form: &Form, name: &str, field: &Field, range: &Range<usize>) -> Option<Made> {
        let (unit, bounds, is_whole) = (field.unit, field.bounds, field.unit == Unit::Count);
        let from_zero = Bounds { least: Some(0.0), most: None };
        let word = form.word;
        let is_trend = matches!(word, "rate" | "slope" | "growth" | "trend_p" | "predict");
        if is_trend && field.is_event {
            let message = format!("`{name}` says what happened in one look; `{word}` takes what lasts");
            let help = format!("write how many there were, such as count({name}, \"10m\") > 3");
            return self.wrong(ExpressionError::new(range.clone(), message).help(help));
        }
        let made = match word {
            "avg" | "quantile" => Some(Made { unit, bounds, is_whole: false }),
            "min" | "max" => Some(Made { unit, bounds, is_whole }),
            "predict" => Some(Made { unit, bounds: Bounds::default(), is_whole: false }),
            "trend_p" => {
                let bounds = Bounds { most: Some(1.0), ..from_zero };
                Some(Made { unit: Unit::Ratio, bounds, is_whole: false })
            }
            "count" => counted(field).map(|unit| Made { unit, bounds: from_zero, is_whole }),
            _ => {
                let bounds = if word == "growth" { from_zero } else { Bounds::default() };
                per_second(unit).map(|unit| Made { unit, bounds, is_whole: false })
            }
        };
        if made.is_some() {
            return made;
        }
        let is = literal::shape(unit);
        let is_rate = matches!(unit, Unit::BytesPerSecond | Unit::CountPerSecond | Unit::RatioPerSecond);
        let (message, help) = match word {
            "count" => (
                format!("`{name}` is {is}; `count` adds up what happens, such as bytes or things per second"),
                format!("write what it was in the window, such as avg({name}, \"10m\")"),
            ),
            "rate" if is_rate => (
                format!("`{name}` is a rate already, {is}"),
                format!("compare it as it is, or write avg({name}, \"10m\")"),
            ),
            _ => (
                format!("`{name}` is {is}; `{word}` takes shares, bytes and counts"),
                format!("write where it will be, such as predict({name}, \"6h\", \"1h\")"),
            ),
        };
        self.wrong(ExpressionError::new(range.clone(), message).help(help))
    }
}

/// The unit of what is gained or lost each second.
fn per_second(unit: Unit) -> Option<Unit> {
    Some(match unit {
        Unit::Ratio => Unit::RatioPerSecond,
        Unit::Bytes => Unit::BytesPerSecond,
        Unit::Count => Unit::CountPerSecond,
        _ => return None,
    })
}

/// The unit of a sum over time.
fn counted(field: &Field) -> Option<Unit> {
    Some(match field.unit {
        Unit::CountPerSecond => Unit::Count,
        Unit::BytesPerSecond => Unit::Bytes,
        Unit::Count if field.is_event => Unit::Count,
        _ => return None,
    })
}

/// What a number without a unit was probably meant to be: minutes if it is small, else seconds.
fn likely(number: f64) -> String {
    let ms = if number < 60.0 { number * 60_000.0 } else { number * 1_000.0 };
    if ms >= SHORTEST_WINDOW.ms() as f64 && ms <= LONGEST_WINDOW.ms() as f64 {
        format!("did you mean \"{}\"?", Span::from_ms(ms.round() as i64))
    } else {
        "write it like \"5m\"".to_owned()
    }
}

/// The first name in a part of the tree.
fn first_name(syntax: &Syntax) -> Option<&str> {
    match &syntax.node {
        Node::Name(name) => Some(name),
        Node::Literal(_) => None,
        Node::List(items) | Node::Call { arguments: items, .. } => items.iter().find_map(first_name),
        Node::Unary { operand, .. } => first_name(operand),
        Node::Binary { left, right, .. } => first_name(left).or_else(|| first_name(right)),
        Node::Conditional { condition, yes, no } => [condition, yes, no].into_iter().find_map(|part| first_name(part)),
        Node::Method { target, .. } => first_name(target),
    }
}
