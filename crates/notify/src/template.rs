//! The words of a mail: templates with strict undefined values, rendered from a [`View`].

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use watchkeeper_core::outbox::Due;

use crate::message::{Origin, View};

/// Columns that a text part may have, so that it reads well in a terminal and in a quoted reply.
const COLUMNS: usize = 78;

/// Names of the templates. Values are escaped for HTML in the one whose name says so.
const TEXT: &str = "mail.txt";
const PAGE: &str = "mail.html";

/// A message in the words of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line, without control characters.
    pub subject: String,
    /// For text readers: at most 78 columns, except for words that are longer.
    pub text: String,
    /// A whole HTML page that needs nothing from elsewhere.
    pub html: String,
}

/// Renders the rows of one recipient as they are to be told at `now_ms`, from the evidence frozen in them.
pub fn render(rows: &[Due], origin: &Origin, now_ms: i64) -> Message {
    render_view(&View::of(rows, origin, now_ms))
}

/// Renders what a message says.
pub(crate) fn render_view(view: &View) -> Message {
    let part = |name: &str| {
        // The templates are part of the program and covered by tests; should one fail on something nobody thought of,
        // the alert must leave all the same.
        ENVIRONMENT.get_template(name).and_then(|template| template.render(Serde(view))).unwrap_or_else(|error| {
            tracing::error!(template = name, %error, "a template failed");
            let plain = format!("{}\n\n{}\n", view.subject, view.entries.first().map_or("", |entry| &entry.story));
            if name == PAGE { format!("<pre>{}</pre>", escape(&plain)) } else { plain }
        })
    };
    Message { subject: view.subject.clone(), text: part(TEXT), html: part(PAGE) }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    environment.add_filter("hang", hang);
    environment.add_filter("left", left);
    environment.add_filter("right", right);
    for (name, source) in [(TEXT, include_str!("templates/mail.txt")), (PAGE, include_str!("templates/mail.html"))] {
        environment.add_template(name, source).expect("the shipped templates are compiled by every test run");
    }
    environment
});

/// Folds a text that begins in column `indent`; further lines begin there too.
fn hang(text: &str, indent: usize) -> String {
    let width = COLUMNS.saturating_sub(indent).max(20);
    let options = textwrap::Options::new(width).word_separator(textwrap::WordSeparator::AsciiSpace);
    textwrap::wrap(text, options).join(&format!("\n{}", " ".repeat(indent)))
}

/// A cell of this width, filled with blanks behind the text; a text that is too long ends in `…`.
fn left(text: &str, width: usize) -> String {
    let shown = cut(text, width);
    let blanks = width.saturating_sub(textwrap::core::display_width(&shown));
    format!("{shown}{}", " ".repeat(blanks))
}

/// A cell of this width, filled with blanks before the text.
fn right(text: &str, width: usize) -> String {
    let shown = cut(text, width);
    let blanks = width.saturating_sub(textwrap::core::display_width(&shown));
    format!("{}{shown}", " ".repeat(blanks))
}

fn cut(text: &str, width: usize) -> String {
    if textwrap::core::display_width(text) <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    for c in text.chars() {
        if textwrap::core::display_width(&shown) + textwrap::core::display_width(c.encode_utf8(&mut [0; 4])) >= width {
            break;
        }
        shown.push(c);
    }
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_as_wide_as_they_should_be() {
        for (text, width, left_cell, right_cell) in [
            ("yes", 5, "yes  ", "  yes"),
            ("exactly", 7, "exactly", "exactly"),
            ("far too long", 6, "far t…", "far t…"),
            ("日本語", 5, "日本…", "日本…"),
            ("", 2, "  ", "  "),
        ] {
            assert_eq!((left(text, width).as_str(), right(text, width).as_str()), (left_cell, right_cell), "{text}");
        }
    }

    #[test]
    fn folded_lines_begin_where_the_first_does() {
        let folded = hang(&"word ".repeat(40), 14);
        for line in folded.lines().skip(1) {
            assert!(line.starts_with("              word") && line.len() <= COLUMNS, "{line}");
        }
        assert_eq!(hang("short", 14), "short");
    }
}
