//! From texts to one tree: the main file, the files of `rules.d` behind it, variables and flags over it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};
use watchkeeper_analyze::RuleFile;

use super::diagnostic::Diagnostic;
use super::nearest::nearest;
use super::shape::Shape;
use super::source_map::{Origin, Source, SourceMap};
use super::tree::{self, Node};
use super::{environment, inspect, mask, slips};

/// All texts as one tree.
pub struct Assembled<'i> {
    /// The tree; rules of all files stand in one list, those of the main file first.
    pub root: Node<'i>,
    /// The main file is TOML. If not, only the rules of the other files are in the tree.
    pub is_whole: bool,
    /// What is no TOML, and what no tree can hold.
    pub diagnostics: Vec<Diagnostic>,
    /// Where the rules of each file of rules begin in the list.
    pub begins: Begins,
}

/// Where the rules of each file of rules begin in the list of all rules.
#[derive(Default)]
pub struct Begins(Vec<(Range<usize>, usize)>);

impl Begins {
    /// The same mistake with the position that its rule has in its own file.
    pub fn as_in_file(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let begin = diagnostic.span.as_ref().and_then(|span| self.0.iter().find(|(range, _)| touches(range, span)));
        if let (Some((_, begin)), Some(key)) = (begin, &diagnostic.key)
            && let Some(rest) = key.strip_prefix("rule.")
        {
            let (number, rest) = rest.split_once('.').map_or((rest, None), |(number, rest)| (number, Some(rest)));
            if let Some(number) = number.parse::<usize>().ok().and_then(|number| number.checked_sub(*begin)) {
                let rest = rest.map_or(String::new(), |rest| format!(".{rest}"));
                diagnostic.key = Some(format!("rule.{number}{rest}"));
            }
        }
        diagnostic
    }
}

fn touches(range: &Range<usize>, span: &Range<usize>) -> bool {
    range.start <= span.start && span.start <= range.end
}

/// Makes one tree of all texts.
pub fn assemble<'i>(map: &'i SourceMap, shape: &Shape) -> Assembled<'i> {
    let mut diagnostics = Vec::new();
    let mut table = DeTable::new();
    let mut is_whole = true;
    let mut begins = Begins::default();
    for source in map.sources() {
        match source.origin {
            Origin::File(_) => match parse(source) {
                Ok(parsed) => table = parsed,
                Err(errors) => {
                    is_whole = false;
                    diagnostics.extend(errors);
                }
            },
            Origin::RuleFile(_) => match parse(source) {
                Ok(parsed) => {
                    let begin = add_rules(&mut table, parsed, map, shape, &mut diagnostics);
                    begins.0.push((source.range(), begin));
                }
                Err(errors) => diagnostics.extend(errors),
            },
            // They would seem wrong without what they are laid over.
            Origin::Variable(_) | Origin::Flag(_) if !is_whole => {}
            Origin::Variable(_) | Origin::Flag(_) => {
                diagnostics.extend(environment::apply(&mut table, source, shape).err());
            }
        }
    }
    // The root's own span is empty and would point at the first line for everything that is missing.
    Assembled { root: Spanned::new(0..0, DeValue::Table(table)), is_whole, diagnostics, begins }
}

/// What can be made out of the main file and the variables, whatever is wrong with them.
pub fn salvage<'i>(map: &'i SourceMap, shape: &Shape) -> Node<'i> {
    let mut table = DeTable::new();
    for source in map.sources() {
        match source.origin {
            Origin::File(_) => table = DeTable::parse_recoverable(&source.text).0.into_inner(),
            Origin::RuleFile(_) => {}
            Origin::Variable(_) | Origin::Flag(_) => drop(environment::apply(&mut table, source, shape)),
        }
    }
    Spanned::new(0..0, DeValue::Table(table))
}

const RULE: &str = "rule";

/// Puts the rules of a file behind those that are there; says at which position they begin.
fn add_rules<'i>(
    root: &mut DeTable<'i>,
    file: DeTable<'i>,
    map: &SourceMap,
    shape: &Shape,
    diagnostics: &mut Vec<Diagnostic>,
) -> usize {
    let mut rules = Vec::new();
    for (name, value) in file {
        if *name.get_ref() != RULE {
            diagnostics.push(stray(&name, &value, map, shape));
            continue;
        }
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(list) => rules.extend(list),
            other => diagnostics.extend(not_a_list(Spanned::new(span, other), shape)),
        }
    }
    // What the main file wrote in the place of the list is a mistake of its own.
    if root.get(RULE).is_some_and(|rule| !rule.get_ref().is_array())
        && let Some(wrong) = root.remove(RULE)
    {
        diagnostics.extend(not_a_list(wrong, shape));
    }
    let list = root
        .entry(Spanned::new(0..0, RULE.into()))
        .or_insert_with(|| Spanned::new(0..0, DeValue::Array(DeArray::new())));
    let DeValue::Array(list) = list.get_mut() else { return 0 };
    let begin = list.len();
    for rule in rules {
        list.push(rule);
    }
    begin
}

/// What is said of a `rule` that is no list of tables.
fn not_a_list(value: Node<'_>, shape: &Shape) -> Vec<Diagnostic> {
    let mut table = DeTable::new();
    table.insert(Spanned::new(value.span(), RULE.into()), value);
    inspect::inspect(Spanned::new(0..0, DeValue::Table(table)), shape).diagnostics
}

/// Something in a file of rules that is no rule: what it is, and where it belongs.
fn stray(name: &Spanned<toml::de::DeString<'_>>, value: &Node<'_>, map: &SourceMap, shape: &Shape) -> Diagnostic {
    const ONLY: &str = "a file of rules holds nothing but [[rule]] tables";
    let typed: &str = name.get_ref();
    let is_list = value.get_ref().is_array();
    let header = match value.get_ref() {
        DeValue::Array(_) => format!("[[{typed}]]"),
        DeValue::Table(_) => format!("[{typed}]"),
        _ => typed.to_owned(),
    };
    let wrong = |message: String, help: String| Diagnostic::new(message).at(name.span()).key(typed).help(help);
    let of_rule = Shape::of::<RuleFile>();
    let is_key_of_rule = of_rule.at(&[RULE, typed]).is_some();
    let is_section = shape.at(&[typed]).is_some();
    if is_section && !(is_list && typed == "rules") {
        let main = map.sources().iter().find_map(|source| match &source.origin {
            Origin::File(name) => Some(name.as_str()),
            _ => None,
        });
        let main = main.unwrap_or("watchkeeper.toml in the folder above");
        wrong(format!("`{header}` does not belong into a file of rules"), format!("write it into {main}; {ONLY}"))
    } else if is_key_of_rule {
        wrong(format!("`{typed}` stands outside of a rule"), "write [[rule]] above the keys of each rule".to_owned())
    } else if nearest(typed, [RULE.to_owned()]).is_some() {
        wrong(format!("unknown section `{header}`"), "did you mean `[[rule]]`?".to_owned())
    } else {
        let what = if value.get_ref().is_table() || is_list { "section" } else { "key" };
        wrong(format!("unknown {what} `{typed}`"), ONLY.to_owned())
    }
}

/// Mistakes of syntax that are looked at.
const MOST_SYNTAX_ERRORS: usize = 200;

fn parse(source: &Source) -> Result<DeTable<'_>, Vec<Diagnostic>> {
    let (table, mut errors) = DeTable::parse_recoverable(&source.text);
    let base = source.range().start;
    if errors.is_empty() {
        let node = tree::shift(Spanned::new(0..0, DeValue::Table(table.into_inner())), base);
        return match node.into_inner() {
            DeValue::Table(table) => Ok(table),
            _ => Ok(DeTable::new()),
        };
    }
    if errors.iter().any(|error| error.message().starts_with("unclosed array"))
        && let Some(start) = mask::unclosed_bracket(&source.text)
    {
        // Everything behind it was read as a part of the list; only this is to be mended.
        let message = "this list is not closed";
        return Err(vec![Diagnostic::new(message).at(start + base..start + base + 1).help("write `]` at its end")]);
    }
    // A megabyte that is no TOML has as many mistakes as letters.
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    errors.truncate(MOST_SYNTAX_ERRORS);
    let mut diagnostics = Vec::new();
    let mut lines = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let start = span.start.min(source.text.len());
        // What follows a mistake in the same line is mostly its echo.
        let line = source.text.as_bytes()[..start].split(|b| *b == b'\n').count();
        if lines.contains(&line) {
            continue;
        }
        lines.push(line);
        let message = match source.text.get(span.clone()) {
            Some(name) if error.message() == "duplicate key" => format!("`{name}` is written twice"),
            _ => error.message().replace(", expected literal string", ""),
        };
        let mut diagnostic = Diagnostic::new(message).at(span.start + base..span.end + base);
        let text = source.text.lines().nth(line - 1).unwrap_or_default();
        diagnostic.help = slips::quotes(text, error.message());
        diagnostics.push(diagnostic);
    }
    Err(diagnostics)
}

#[cfg(test)]
mod tests;
