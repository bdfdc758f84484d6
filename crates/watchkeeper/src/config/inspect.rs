//! Looks through the whole tree at once: unknown keys, wrong types, wrong units, unknown words, missing keys, secrets
//! written in plain. What is wrong is taken out, so that the rest can still be read and checked.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};
use watchkeeper_core::quantity::{Size, Span};
use watchkeeper_core::secret::PLAIN_SECRET;

use super::diagnostic::Diagnostic;
use super::document::value_or_example;
use super::mask::sounds_secret;
use super::nearest::nearest;
use super::shape::{Field, Format, Shape, Table};
use super::tree::{Node, describe};

/// What was wrong, and what is left of the tree.
pub struct Inspection<'i> {
    /// The tree without the values that were wrong.
    pub sound: Node<'i>,
    /// One for each value that was wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// Key paths in `sound` of what was taken out of a table.
    pub removed: Vec<String>,
    /// Key paths in `sound` of list entries that moved up, and the position that each was written at.
    pub moved: Vec<(String, usize)>,
}

/// Looks through a tree.
pub fn inspect<'i>(root: Node<'i>, shape: &Shape) -> Inspection<'i> {
    let span = root.span();
    let mut inspector = Inspector {
        whole: shape,
        path: Vec::new(),
        sound_path: Vec::new(),
        diagnostics: Vec::new(),
        removed: Vec::new(),
        moved: Vec::new(),
    };
    let sound = inspector.value(root, &span, shape);
    let sound = sound.unwrap_or_else(|| Spanned::new(span, DeValue::Table(DeTable::new())));
    Inspection { sound, diagnostics: inspector.diagnostics, removed: inspector.removed, moved: inspector.moved }
}

struct Inspector<'s> {
    whole: &'s Shape,
    /// Keys as they were written.
    path: Vec<String>,
    /// The same where list entries count without those that were taken out.
    sound_path: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    removed: Vec<String>,
    moved: Vec<(String, usize)>,
}

impl Inspector<'_> {
    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let mut diagnostic = Diagnostic::new(message).at(span).key(self.path.join("."));
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    fn enter(&mut self, name: &str) {
        self.path.push(name.to_owned());
        self.sound_path.push(name.to_owned());
    }

    fn leave(&mut self) {
        self.path.pop();
        self.sound_path.pop();
    }

    /// The value without what is wrong in it; `None` if nothing can be kept.
    fn value<'i>(&mut self, node: Node<'i>, key: &Range<usize>, shape: &Shape) -> Option<Node<'i>> {
        let span = node.span();
        let value = node.into_inner();
        let value = match (shape, value) {
            (Shape::Table(known), DeValue::Table(table)) => DeValue::Table(self.table(table, &span, key, known)?),
            (Shape::Map(item), DeValue::Table(table)) => {
                let mut kept = DeTable::new();
                for (name, value) in table {
                    self.enter(name.get_ref());
                    if matches!(**item, Shape::Table(_)) && !value.get_ref().is_table() {
                        let section = self.path[..self.path.len() - 1].join(".");
                        let message = format!("`{}` stands outside of a table", name.get_ref());
                        let help = format!("write it under a header with a name, such as [{section}.mail]");
                        self.wrong(name.span(), message, Some(help));
                        self.removed.push(self.sound_path.join("."));
                    } else {
                        self.entry(&mut kept, name, value, item);
                    }
                    self.leave();
                }
                DeValue::Table(kept)
            }
            (Shape::List(item), DeValue::Array(list)) => DeValue::Array(self.list(list, item)),
            (Shape::Any, value) => value,
            (Shape::Secret, value) => self.secret(value, &span)?,
            (shape, value) => {
                if let Err((message, help)) = self.scalar(&value, shape) {
                    self.wrong(span, message, help);
                    return None;
                }
                value
            }
        };
        Some(Spanned::new(span, value))
    }

    fn list<'i>(&mut self, list: DeArray<'i>, item: &Shape) -> DeArray<'i> {
        let mut kept = DeArray::new();
        for (index, value) in list.into_iter().enumerate() {
            self.path.push(index.to_string());
            self.sound_path.push(kept.len().to_string());
            let (removed, moved) = (self.removed.len(), self.moved.len());
            let span = value.span();
            if let Some(value) = self.value(value, &span, item) {
                if index > kept.len() {
                    self.moved.push((self.sound_path.join("."), index));
                }
                kept.push(value);
            } else {
                // What was taken out below it went with it.
                self.removed.truncate(removed);
                self.moved.truncate(moved);
                self.sound_path.pop();
                self.sound_path.push("-".to_owned());
                self.removed.push(self.sound_path.join("."));
            }
            self.leave();
        }
        kept
    }

    fn entry<'i>(
        &mut self,
        kept: &mut DeTable<'i>,
        name: Spanned<toml::de::DeString<'i>>,
        value: Node<'i>,
        shape: &Shape,
    ) {
        match self.value(value, &name.span(), shape) {
            Some(value) => {
                kept.insert(name, value);
            }
            None => self.removed.push(self.sound_path.join(".")),
        }
    }

    fn table<'i>(
        &mut self,
        table: DeTable<'i>,
        span: &Range<usize>,
        key: &Range<usize>,
        known: &Table,
    ) -> Option<DeTable<'i>> {
        let mut kept = DeTable::new();
        let mut missing: Vec<&Field> =
            known.fields.iter().filter(|f| f.required && !table.contains_key(f.name.as_str())).collect();
        for (name, value) in table {
            self.enter(name.get_ref());
            match known.field(name.get_ref()) {
                Some(field) => self.entry(&mut kept, name, value, &field.shape),
                None => {
                    // The mistyped key is the missing one.
                    if let Some(near) = self.unknown(&name, &value, known) {
                        missing.retain(|field| field.name != near);
                        self.sound_path.pop();
                        self.sound_path.push(near);
                        self.removed.push(self.sound_path.join("."));
                    }
                }
            }
            self.leave();
        }
        for field in &missing {
            let place = if span.is_empty() { key.clone() } else { span.clone() };
            let message = format!("`{}` is missing", field.name);
            self.wrong(place, message, Some(format!("add {} = {}", field.name, value_or_example(field))));
        }
        let whole = known.fields.iter().all(|field| !field.required || kept.contains_key(field.name.as_str()));
        whole.then_some(kept)
    }

    /// Says that a key is unknown and what was probably meant.
    fn unknown(&mut self, name: &Spanned<toml::de::DeString<'_>>, value: &Node<'_>, known: &Table) -> Option<String> {
        let typed: &str = name.get_ref();
        let near = nearest(typed, known.fields.iter().map(|field| field.name.clone()));
        let help = match &near {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => self.elsewhere(typed).or_else(|| {
                let names: Vec<&str> = known.fields.iter().map(|field| field.name.as_str()).collect();
                (names.len() <= 20).then(|| format!("known here: {}", names.join(", ")))
            }),
        };
        let is_section = value.get_ref().is_table() && self.path.len() == 1;
        let what = if is_section { "section" } else { "key" };
        self.wrong(name.span(), format!("unknown {what} `{typed}`"), help);
        near
    }

    /// A key of this name in another section.
    fn elsewhere(&self, typed: &str) -> Option<String> {
        let mut places = Vec::new();
        self.whole.walk(&mut |path, _| {
            if path.len() > 1 && path.last().map(String::as_str) == Some(typed) {
                places.push(path.join("."));
            }
        });
        match places.as_slice() {
            [place] => Some(format!("there is `{place}`; is it in the right section?")),
            [one, other] => Some(format!("there are `{one}` and `{other}`; is it in the right section?")),
            [one, two, three] => Some(format!("there are `{one}`, `{two}` and `{three}`; is it in the right section?")),
            _ => None,
        }
    }

    fn secret<'i>(&mut self, value: DeValue<'i>, span: &Range<usize>) -> Option<DeValue<'i>> {
        let DeValue::Table(table) = value else {
            self.wrong(span.clone(), PLAIN_SECRET, None);
            return None;
        };
        let one = table.len() == 1 && ["env", "file"].iter().any(|kind| table.contains_key(*kind));
        if !one {
            let message = "a secret takes exactly one of `env` and `file`";
            self.wrong(span.clone(), message, Some("write { env = \"NAME\" } or { file = \"/path\" }".to_owned()));
            return None;
        }
        let named = table.values().next().is_some_and(|v| v.get_ref().as_str().is_some_and(|text| !text.is_empty()));
        if !named {
            let message = "the source of a secret is a text in quotes: the name of a variable or the path of a file";
            self.wrong(span.clone(), message, None);
            return None;
        }
        Some(DeValue::Table(table))
    }

    fn scalar(&self, value: &DeValue<'_>, shape: &Shape) -> Result<(), (String, Option<String>)> {
        match (shape, value) {
            (Shape::Text(Format::Plain), DeValue::String(_))
            | (Shape::Number, DeValue::Integer(_) | DeValue::Float(_))
            | (Shape::Boolean, DeValue::Boolean(_)) => Ok(()),
            (Shape::Text(Format::Duration), DeValue::String(text)) => Span::parse(text).map(drop).map_err(plain),
            (Shape::Text(Format::Size), DeValue::String(text)) => Size::parse(text).map(drop).map_err(plain),
            (Shape::Integer { minimum, maximum }, DeValue::Integer(number)) => {
                let (low, high) = (minimum.unwrap_or(i64::MIN), maximum.unwrap_or(i64::MAX));
                let number = i64::from_str_radix(number.as_str(), number.radix());
                match number {
                    Ok(number) if (low..=high).contains(&number) => Ok(()),
                    _ => Err(plain(range_message(*minimum, *maximum))),
                }
            }
            (Shape::Word(words), DeValue::String(text)) => {
                if words.iter().any(|word| word.word == **text) {
                    return Ok(());
                }
                let all: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.word)).collect();
                let near = nearest(text, words.iter().map(|word| word.word.clone()));
                let near = near.map(|near| format!("did you mean \"{near}\"?"));
                let typed = if self.path.last().is_some_and(|key| sounds_secret(key)) { "…" } else { &**text };
                Err((format!("unknown word \"{typed}\", expected one of {}", all.join(", ")), near))
            }
            (shape, value) => {
                let message = format!("expected {}, found {}", shape.describe(), describe(value));
                // People who counted in seconds before write `5`.
                let seconds = match (shape, value) {
                    (Shape::Text(Format::Duration), DeValue::Integer(number)) if number.radix() == 10 => {
                        number.as_str().parse::<u64>().ok()
                    }
                    _ => None,
                };
                let help = seconds.map(|seconds| format!("write \"{seconds}s\" for seconds, or another unit"));
                Err((message, help.or_else(|| how_to_write(shape, &self.path))))
            }
        }
    }
}

/// How a value of this shape is written.
fn how_to_write(shape: &Shape, path: &[String]) -> Option<String> {
    Some(match shape {
        Shape::Text(Format::Duration) => "write a number with a unit, such as \"500ms\", \"30s\" or \"5m\"".to_owned(),
        Shape::Number => "write a plain number, without quotes and without a sign such as `%`".to_owned(),
        Shape::Text(Format::Size) => "write a number with a unit, such as \"64MiB\" or \"2GiB\"".to_owned(),
        Shape::Word(words) => {
            let all: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.word)).collect();
            format!("write one of {}", all.join(", "))
        }
        Shape::List(_) if shape.is_list_of_tables() => {
            let name = path.last().map_or("", String::as_str);
            format!("write [[{name}]] above each, or {name} = [{{ … }}, {{ … }}]")
        }
        Shape::List(item) if matches!(**item, Shape::Text(_) | Shape::Word(_)) => {
            "write texts in square brackets, such as [\"one\", \"two\"]".to_owned()
        }
        Shape::Table(_) if path == ["rules"] => {
            "[rules] is about the rules that come with the program; write [[rule]] above each of your own".to_owned()
        }
        // In a list of tables a header of its own would have to follow its table.
        Shape::Table(_) | Shape::Map(_) if path.len() > 2 && path[1].parse::<usize>().is_ok() => {
            format!("write {} = {{ name = \"value\" }}", path.last().map_or("", String::as_str))
        }
        Shape::Table(_) | Shape::Map(_) => format!("write [{}] above its keys", path.join(".")),
        _ => return None,
    })
}

fn plain(message: String) -> (String, Option<String>) {
    (message, None)
}

fn range_message(minimum: Option<i64>, maximum: Option<i64>) -> String {
    match (minimum, maximum) {
        (Some(low), Some(high)) => format!("expected a whole number from {low} to {high}"),
        (Some(low), None) => format!("expected a whole number, {low} or more"),
        (None, Some(high)) => format!("expected a whole number, {high} or less"),
        (None, None) => "this number is too large".to_owned(),
    }
}
