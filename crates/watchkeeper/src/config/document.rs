//! The configuration as a document: all of it with its explanations, or what is in force with where it came from.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use watchkeeper_core::text::clean;

use super::files::shown;
use super::load::{Loaded, SHAPE};
use super::rules::effective_rules;
use super::shape::{Field, Format, Shape, Table};
use super::source_map::SourceMap;
use super::tree::{self, Node};

/// A configuration file with every key, its explanation and its default. All keys are commented out, so that it sets
/// nothing and later defaults are not held back.
pub fn default_document() -> String {
    let mut text = String::from(PREFACE);
    if let Shape::Table(table) = &*SHAPE {
        for field in &table.fields {
            section(&mut text, &field.name, field);
        }
    }
    text
}

const PREFACE: &str = "\
# Configuration of Watchkeeper.
#
# This file sets nothing: every key is commented out and shows its default, or an example where there is none.
# To set one, remove the `#` before the key, and before the [section] if that has one too.
# `watchkeeper config check` says whether all is well.
";

/// Width of the explanations.
const WIDTH: usize = 110;

fn section(text: &mut String, path: &str, field: &Field) {
    let (header, table) = match &field.shape {
        Shape::Table(table) => (format!("[{path}]"), table),
        Shape::Map(item) => match &**item {
            Shape::Table(table) => (format!("#[{path}.{}]", example_name(path)), table),
            _ => return key(text, field),
        },
        Shape::List(item) => match &**item {
            Shape::Table(table) => (format!("#[[{path}]]"), table),
            _ => return key(text, field),
        },
        _ => return key(text, field),
    };
    text.push('\n');
    explain(text, if field.help.is_empty() { &table.help } else { &field.help });
    let _ = writeln!(text, "{header}");
    // A header of its own would not belong to the entry of a list; there a table stands in one line.
    let has_header = |field: &&Field| matches!(field.shape, Shape::Table(_)) && !header.starts_with("#[[");
    let (tables, keys): (Vec<&Field>, Vec<&Field>) = table.fields.iter().partition(has_header);
    for field in keys {
        key(text, field);
    }
    for field in tables {
        section(text, &format!("{path}.{}", field.name), field);
    }
}

/// The name in the example of a table whose name the user chooses.
pub fn example_name(section: &str) -> &'static str {
    if section == "smtp" { "mail" } else { "name" }
}

fn key(text: &mut String, field: &Field) {
    let value = value_or_example(field);
    text.push('\n');
    explain(text, &without_example(&field.help, &value));
    let inner = match &field.shape {
        Shape::List(item) => item.table().map(|table| ("Keys of each entry:", table)),
        shape => shape.table().map(|table| ("Keys:", table)),
    };
    if let Some((heading, table)) = inner {
        explain(text, heading);
        for inner in &table.fields {
            explain(text, &format!("- {}: {}", inner.name, inner.help));
        }
    }
    if let Shape::Word(words) = &field.shape {
        for word in words.iter().filter(|word| !word.help.is_empty()) {
            explain(text, &format!("- \"{}\": {}", word.word, word.help));
        }
    }
    let _ = writeln!(text, "#{} = {value}", field.name);
}

/// Writes an explanation as comment lines. What stands in backquotes stays in one line.
fn explain(text: &mut String, help: &str) {
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let mut line = String::from("#");
        for piece in pieces(paragraph) {
            if line.len() > 1 && line.chars().count() + 1 + piece.chars().count() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(&piece);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

/// The words of a paragraph, with what stands in backquotes as one word.
fn pieces(paragraph: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut in_code = false;
    for word in paragraph.split_whitespace() {
        match pieces.last_mut() {
            Some(last) if in_code => {
                last.push(' ');
                last.push_str(word);
            }
            _ => pieces.push(word.to_owned()),
        }
        in_code ^= word.matches('`').count() % 2 == 1;
    }
    pieces
}

/// The doc comment without the example that stands below it anyway.
fn without_example(help: &str, shown: &str) -> String {
    let Some(start) = help.rfind("Example: `") else { return help.to_owned() };
    let code = &help[start + "Example: `".len()..];
    match code.split_once('`') {
        Some((code, rest)) if code.ends_with(shown) => {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            format!("{}{rest}", help[..start].trim_end())
        }
        _ => help.to_owned(),
    }
}

/// The default as TOML, as its doc comment writes it if it does, else an example.
pub fn value_or_example(field: &Field) -> String {
    let default = field.default.as_ref();
    let documented = || field.help.split_once("Default: `").and_then(|(_, rest)| rest.split('`').next());
    if let Some(documented) = default.and_then(|_| documented()).filter(|text| DeValue::parse(text).is_ok()) {
        return documented.to_owned();
    }
    default
        .filter(|value| !is_empty(value))
        .or(field.example.as_ref().filter(|_| example_in(field).is_none()))
        .and_then(json_as_toml)
        .or_else(|| example_in(field))
        .unwrap_or_else(|| placeholder(&field.shape))
}

/// Whether a default says nothing: an empty text, list or table.
pub fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// The value of the first `` `key = value` `` in the doc comment, else that of the first `` Example: `value` `` or
/// `` e.g. `value` ``.
fn example_in(field: &Field) -> Option<String> {
    let is_value = |text: &&str| DeValue::parse(text).is_ok();
    let codes = || field.help.split('`').skip(1).step_by(2);
    let settings = codes().filter_map(|code| code.strip_prefix(field.name.as_str())?.trim_start().strip_prefix('='));
    let value = settings.map(str::trim).find(is_value);
    let mut examples = ["Example: `", "e.g. `"].into_iter().flat_map(|lead| field.help.split(lead).skip(1));
    let example = || examples.find_map(|rest| rest.split('`').next().map(str::trim).filter(is_value));
    value.or_else(example).map(str::to_owned)
}

fn placeholder(shape: &Shape) -> String {
    match shape {
        Shape::Word(words) => words.first().map_or_else(String::new, |word| format!("\"{}\"", word.word)),
        Shape::Text(Format::Plain) | Shape::Any => "\"…\"".to_owned(),
        Shape::Text(Format::Duration) => "\"5m\"".to_owned(),
        Shape::Text(Format::Size) => "\"64MiB\"".to_owned(),
        Shape::Integer { minimum, .. } => minimum.unwrap_or(0).to_string(),
        Shape::Number => "0.0".to_owned(),
        Shape::Boolean => "false".to_owned(),
        Shape::Secret => "{ env = \"NAME\" }".to_owned(),
        Shape::List(_) => "[]".to_owned(),
        Shape::Map(_) | Shape::Table(_) => "{}".to_owned(),
    }
}

/// A value of the schema as TOML in one line.
pub fn json_as_toml(value: &Json) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}

/// The configuration in force as TOML. What was written somewhere says where; secrets appear only as their source.
pub fn effective_document(loaded: &Loaded) -> String {
    let mut text = String::new();
    loaded.written(|root, map| {
        let writer = Writer { map };
        if let (Shape::Table(table), DeValue::Table(written)) = (&*SHAPE, root.get_ref()) {
            writer.table(&mut text, "", table, Some(written));
        }
    });
    text.push_str("\n# Files that were read:\n");
    for path in loaded.file.iter().chain(&loaded.rule_files) {
        let _ = writeln!(text, "# - {}", shown(path));
    }
    text.push_str("\n# Rules in force:\n");
    for rule in effective_rules(&loaded.config).unwrap_or_default() {
        let _ = writeln!(text, "# - {} ({})", clean(&rule.id, 100), if rule.shipped { "shipped" } else { "your own" });
    }
    text.trim_start().to_owned()
}

struct Writer<'m> {
    map: &'m SourceMap,
}

impl Writer<'_> {
    fn table(&self, text: &mut String, path: &str, table: &Table, written: Option<&DeTable<'_>>) {
        let mut below = Vec::new();
        for field in &table.fields {
            let node = written.and_then(|table| table.get(field.name.as_str()));
            if is_section(&field.shape) {
                below.push((field, node));
            } else if let Some(node) = node {
                let _ = writeln!(text, "{} = {}{}", key_text(&field.name), value_text(node), self.origin(node));
            } else if let Some(default) = field.default.as_ref().filter(|value| !is_empty(value)).and_then(json_as_toml)
            {
                let _ = writeln!(text, "{} = {default}", key_text(&field.name));
            }
        }
        for (field, node) in below {
            let path =
                if path.is_empty() { key_text(&field.name) } else { format!("{path}.{}", key_text(&field.name)) };
            self.section(text, &path, &field.shape, node);
        }
    }

    fn section(&self, text: &mut String, path: &str, shape: &Shape, node: Option<&Node<'_>>) {
        match (shape, node.map(Spanned::get_ref)) {
            (Shape::Table(table), written) => {
                let mut body = String::new();
                self.table(&mut body, path, table, written.and_then(DeValue::as_table));
                if !body.is_empty() {
                    let _ = write!(text, "\n[{path}]\n{body}");
                }
            }
            (Shape::Map(item), Some(DeValue::Table(entries))) => {
                for (name, entry) in entries {
                    self.section(text, &format!("{path}.{}", key_text(name.get_ref())), item, Some(entry));
                }
            }
            (Shape::List(item), Some(DeValue::Array(entries))) => {
                let Shape::Table(table) = &**item else { return };
                for entry in entries {
                    let _ = writeln!(text, "\n[[{path}]]");
                    self.table(text, path, table, entry.get_ref().as_table());
                }
            }
            _ => {}
        }
    }

    /// Where a value was written, as a comment.
    fn origin(&self, node: &Node<'_>) -> String {
        let Some((source, local)) = self.map.local(&node.span()) else { return String::new() };
        let line = if source.origin.is_file() { format!(":{}", source.line(local.start)) } else { String::new() };
        format!("  # {}{line}", clean(&source.origin.to_string(), 200))
    }
}

/// Whether a key gets a header of its own. Lists of tables within others are written in one line.
fn is_section(shape: &Shape) -> bool {
    match shape {
        Shape::Table(_) => true,
        Shape::Map(item) => matches!(**item, Shape::Table(_)),
        Shape::List(item) => match &**item {
            Shape::Table(table) => table.fields.iter().any(|field| ["id", "to", "path"].contains(&field.name.as_str())),
            _ => false,
        },
        _ => false,
    }
}

/// A value as TOML in one line.
fn value_text(node: &Node<'_>) -> String {
    let value = toml::Value::deserialize(toml::de::ValueDeserializer::from(tree::shift(node.clone(), 0)));
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A key, in quotes where TOML wants them.
fn key_text(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}
