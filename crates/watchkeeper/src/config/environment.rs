//! Settings from the environment (`WATCHKEEPER_SECTION__KEY`) and from flags, laid over those of the file.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::nearest::nearest;
use super::shape::{Format, Shape};
use super::source_map::{Origin, Source, SourceMap};
use super::tree::{self, Node};

/// What every variable of ours begins with.
pub const PREFIX: &str = "WATCHKEEPER_";

/// Variables that begin like a setting and are none.
pub const PLAIN_VARIABLES: [&str; 1] = ["WATCHKEEPER_CONFIG"];

/// Adds the variables that are settings to the map. Their path there is as it was written, in upper case: which keys
/// they mean is known once the file has been read.
pub fn collect(environment: &[(OsString, OsString)], shape: &Shape, map: &mut SourceMap) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut variables = Vec::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if PLAIN_VARIABLES.contains(&name) {
            continue;
        }
        let rest = &name[PREFIX.len()..];
        if !rest.contains("__") {
            // Other programs own such names too: container platforms set WATCHKEEPER_PORT for a service of this name.
            diagnostics.extend(single_underscore(name, rest, shape));
            continue;
        }
        let Some(value) = value.to_str() else {
            diagnostics.push(Diagnostic::new(format!("the value of {name} in the environment is not valid UTF-8")));
            continue;
        };
        variables.push((name, rest.split("__").map(str::to_ascii_uppercase).collect::<Vec<_>>(), value));
    }
    // Tables before the keys in them, and the same order whatever the environment's.
    variables.sort_by(|a, b| (a.1.len(), a.0).cmp(&(b.1.len(), b.0)));
    for (name, path, value) in variables {
        map.add(Origin::Variable(name.to_owned()), path, value.to_owned());
    }
    diagnostics
}

/// The name of the variable for a key path.
pub fn variable_name<S: AsRef<str>>(path: &[S]) -> String {
    let parts: Vec<String> = path.iter().map(|part| normal(part.as_ref())).collect();
    format!("{PREFIX}{}", parts.join("__"))
}

/// Lays a variable or flag over the tree.
pub fn apply<'i>(root: &mut DeTable<'i>, source: &'i Source, shape: &Shape) -> Result<(), Diagnostic> {
    let span = source.range();
    let path = match source.origin {
        Origin::Variable(_) => resolve(source, root, shape).map_err(|diagnostic| diagnostic.at(span.clone()))?,
        _ => source.path.clone(),
    };
    // A secret has one source: a variable replaces the file's whole one.
    if let [above @ .., _] = path.as_slice()
        && matches!(shape.at(above), Some(Shape::Secret))
    {
        tree::set(root, above, Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
    }
    let value = value(source, shape.at(&path));
    // What is in the way is no table; the walk over the tree will say so.
    tree::set(root, &path, value);
    Ok(())
}

/// The key path that a variable means.
pub fn resolve(source: &Source, root: &DeTable<'_>, shape: &Shape) -> Result<Vec<String>, Diagnostic> {
    let mut path: Vec<String> = Vec::new();
    let mut shape = shape;
    let mut table = Some(root);
    for (depth, part) in source.path.iter().enumerate() {
        let (name, inner) = match shape {
            Shape::Table(fields) => {
                let Some(field) = fields.fields.iter().find(|field| normal(&field.name) == *part) else {
                    let names = fields.fields.iter().map(|field| normal(&field.name));
                    let near = nearest(part, names).map(|near| {
                        let mut parts = source.path.clone();
                        parts[depth] = near;
                        format!("did you mean {}?", variable_name(&parts))
                    });
                    return Err(unknown(source, near));
                };
                (field.name.clone(), &field.shape)
            }
            Shape::Map(item) => (chosen_name(part, &path, table)?, &**item),
            Shape::Secret if *part == "ENV" || *part == "FILE" => (part.to_ascii_lowercase(), &Shape::Any),
            Shape::List(_) if shape.is_list_of_tables() => {
                let message = format!("entries of [[{}]] cannot be set in the environment", path.join("."));
                return Err(Diagnostic::new(message).help("write them in the configuration file"));
            }
            _ => {
                let help = format!("`{}` takes {}: set {}", path.join("."), shape.describe(), variable_name(&path));
                return Err(unknown(source, Some(help)));
            }
        };
        table = table.and_then(|table| table.get(name.as_str())).and_then(|value| value.get_ref().as_table());
        path.push(name);
        shape = inner;
    }
    if shape.is_list_of_tables() {
        let message = format!("[[{}]] cannot be set in the environment", path.join("."));
        return Err(Diagnostic::new(message).help("write the entries in the configuration file"));
    }
    Ok(path)
}

/// The table that the user named like this, or a new name.
fn chosen_name(part: &str, path: &[String], table: Option<&DeTable<'_>>) -> Result<String, Diagnostic> {
    let existing = table.into_iter().flat_map(DeTable::keys).map(|key| key.get_ref().to_string());
    let mut fits: Vec<String> = existing.filter(|name| normal(name) == part).collect();
    if fits.len() > 1 {
        fits.sort();
        let names: Vec<String> = fits.iter().map(|name| format!("`{}.{name}`", path.join("."))).collect();
        let message = format!("this variable means {} at once", names.join(" and "));
        return Err(Diagnostic::new(message).help("rename one of them in the configuration file"));
    }
    Ok(fits.pop().unwrap_or_else(|| part.to_ascii_lowercase()))
}

fn unknown(source: &Source, help: Option<String>) -> Diagnostic {
    let help = help.unwrap_or_else(|| "`watchkeeper config default` lists all keys".to_owned());
    Diagnostic::new(format!("{} is no setting", source.origin)).help(help)
}

/// `WATCHKEEPER_COLLECT_INTERVAL` for `WATCHKEEPER_COLLECT__INTERVAL`.
fn single_underscore(name: &str, rest: &str, shape: &Shape) -> Option<Diagnostic> {
    let rest = normal(rest);
    let mut meant = None;
    shape.walk(&mut |path, field| {
        let whole_section = path.len() == 1 && normal(&path[0]) == rest;
        if whole_section && (field.shape.is_list_of_tables() || !matches!(field.shape, Shape::List(_))) {
            meant = Some("a whole section cannot be set in the environment; set its keys one by one".to_owned());
        } else if path.len() > 1 && normal(&path.join("_")) == rest {
            meant = Some(format!("did you mean {}, with two underscores?", variable_name(path)));
        }
    });
    meant.map(|help| Diagnostic::new(format!("environment variable {name} is no setting")).help(help))
}

/// Names are compared without regard to case, and `-` is `_`.
fn normal(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// The value of a single setting: TOML, or the text as it is.
fn value<'i>(source: &'i Source, shape: Option<&Shape>) -> Node<'i> {
    let plain = || Spanned::new(source.range(), DeValue::String(Cow::Borrowed(source.text.as_str())));
    let Ok(parsed) = DeValue::parse(&source.text) else { return plain() };
    let takes_text =
        matches!(shape, Some(Shape::Text(Format::Plain | Format::Duration | Format::Size) | Shape::Word(_)));
    let is_scalar = !matches!(parsed.get_ref(), DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_));
    // A host may be called 42.
    if takes_text && is_scalar { plain() } else { tree::shift(parsed, source.range().start) }
}

/// Variables of this process that could be settings.
pub fn of_this_process() -> Vec<(OsString, OsString)> {
    let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    std::env::vars_os().filter(|(name, _)| ours(name)).collect()
}
