//! Walks over a parsed configuration whose values know where they were written.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A value with its span in the [`SourceMap`](super::source_map::SourceMap).
pub type Node<'i> = Spanned<DeValue<'i>>;

/// What a key path leads to.
pub struct Place<'t, 'i> {
    /// The value, if there is one.
    pub node: Option<&'t Node<'i>>,
    /// The innermost table or list on the way that was written somewhere.
    pub nearest: Option<&'t Node<'i>>,
}

/// Follows a dotted key path. Names may hold dots themselves: the longest name that fits is taken.
pub fn lookup<'t, 'i>(root: &'t Node<'i>, key_path: &str) -> Place<'t, 'i> {
    let mut node = root;
    let mut nearest = None;
    let mut rest = key_path;
    while !rest.is_empty() {
        let next = match node.get_ref() {
            DeValue::Table(table) => longest_name(table, rest),
            DeValue::Array(list) => {
                let digits = rest.split('.').next().unwrap_or(rest);
                digits.parse::<usize>().ok().and_then(|index| list.get(index)).map(|value| (digits.len(), value))
            }
            _ => None,
        };
        let Some((length, value)) = next else { return Place { node: None, nearest } };
        node = value;
        nearest = Some(value);
        rest = rest[length..].trim_start_matches('.');
    }
    Place { node: Some(node), nearest }
}

fn longest_name<'t, 'i>(table: &'t DeTable<'i>, path: &str) -> Option<(usize, &'t Node<'i>)> {
    let fits = table.iter().filter(|(name, _)| {
        let name: &str = name.get_ref();
        path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    fits.map(|(name, value)| (name.get_ref().len(), value)).max_by_key(|(length, _)| *length)
}

/// The same tree with all spans moved by `base`.
pub fn shift(node: Node<'_>, base: usize) -> Node<'_> {
    let moved = |span: Range<usize>| span.start + base..span.end + base;
    let span = moved(node.span());
    let value = match node.into_inner() {
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| (Spanned::new(moved(key.span()), key.into_inner()), shift(value, base)))
                .collect(),
        ),
        DeValue::Array(list) => DeValue::Array(list.into_iter().map(|item| shift(item, base)).collect::<DeArray<'_>>()),
        scalar => scalar,
    };
    Spanned::new(span, value)
}

/// Sets the value at a path, making the tables on the way; `false` if something that is no table is in the way.
pub fn set<'i>(root: &mut DeTable<'i>, path: &[String], value: Node<'i>) -> bool {
    let span = value.span();
    let Some((last, above)) = path.split_last() else { return false };
    let mut table = root;
    for name in above {
        if !table.contains_key(name.as_str()) {
            table.insert(key(name, &span), Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
        }
        match table.get_mut(name.as_str()).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => table = inner,
            _ => return false,
        }
    }
    // Removed first: `insert` alone would keep the old key with its old span.
    table.remove(last.as_str());
    table.insert(key(last, &span), value);
    true
}

fn key<'i>(name: &str, span: &Range<usize>) -> Spanned<Cow<'i, str>> {
    Spanned::new(span.clone(), Cow::Owned(name.to_owned()))
}

/// Takes out the innermost value with exactly this span; `false` if there is none.
pub fn remove_span(node: &mut Node<'_>, span: &Range<usize>) -> bool {
    match node.get_mut() {
        DeValue::Table(table) => {
            if table.iter_mut().any(|(_, value)| remove_span(value, span)) {
                return true;
            }
            let found = table.iter().find(|(_, value)| value.span() == *span);
            let found = found.map(|(key, _)| key.get_ref().to_string());
            found.is_some_and(|key| table.remove(key.as_str()).is_some())
        }
        DeValue::Array(list) => {
            if list.iter_mut().any(|value| remove_span(value, span)) {
                return true;
            }
            let before = list.len();
            let kept = std::mem::replace(list, DeArray::new()).into_iter().filter(|value| value.span() != *span);
            *list = kept.collect();
            list.len() < before
        }
        _ => false,
    }
}

/// What a value is, in words.
pub fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
