//! `docs/configuration.md`, written from the schema.

use std::fmt::Write as _;

use watchkeeper_core::Unit;

use super::document::{example_name, is_empty, json_as_toml};
use super::load::SHAPE;
use super::shape::{Field, Format, Shape, Table};

/// The reference manual of the configuration in Markdown.
pub fn manual() -> String {
    let mut text = String::from(PREFACE);
    if let Shape::Table(table) = &*SHAPE {
        for field in &table.fields {
            section(&mut text, &field.name, field);
        }
    }
    metrics(&mut text);
    text
}

const PREFACE: &str = r#"# Configuration

<!-- Written by `watchkeeper config docs` from the doc comments of the configuration; do not edit by hand. -->

Watchkeeper runs without any configuration. What you want otherwise goes into a file in [TOML](https://toml.io); everything
in it is optional. `watchkeeper config default` prints a file with all keys, `watchkeeper config check` says whether a
file is right, `watchkeeper config show` prints what is in force and where each value was written, and
`watchkeeper config schema` prints a JSON schema for editors.

## Where settings come from

The first of these files that is named is read, and only that one; the current folder is never looked at:

1. `--config FILE`
2. the variable `WATCHKEEPER_CONFIG`
3. `watchkeeper.toml` in `/etc/watchkeeper` for root and in `~/.config/watchkeeper` for others; on macOS in
   `/Library/Application Support/watchkeeper` and in the same folder of the user's own `~/Library`; on Windows in
   `%APPDATA%\watchkeeper\config`; it may be missing

Beside it lies the folder `rules.d`, if there is one: every file `*.toml` in it holds `[[rule]]` tables and nothing else,
and all of them, in the order of their names, make one list with the rules of the main file. An id is used once in all of
them. Hidden files and what editors leave behind (`.web.toml`, `.#web.toml`, `web.toml~`, `web.toml.swp`) are not read; a
file that cannot be read is an error. A file has at most 1 MiB, 500 files at most 4 MiB together, and there are at most
1,000 rules.

`watchkeeper config path` says which files these are. Run as root, Watchkeeper refuses a file that others can write or whose
folders they can change, and says which command mends it.

A running watch looks at these files every second. What changed, was added or taken away is taken on two to three seconds
after the last change, or at once on SIGHUP; a secret that changed in a file of its own is taken on with SIGHUP. A
configuration with a mistake is never taken: the old one stays in force, and `watchkeeper status` warns until the files are
right again.

Every key can also be set in the environment: `WATCHKEEPER_SECTION__KEY`, in capitals, with `_` for `-` and two underscores
between the parts. `WATCHKEEPER_COLLECT__INTERVAL=5s` is `[collect] interval = "5s"`, and
`WATCHKEEPER_SMTP__MAIL__SERVER=smtp.example.com:587` sets the server of `[smtp.mail]`. The value is read as TOML, and if
it is none, as a text, so that plain texts need no quotes. Entries of `[[route]]` and `[[rule]]` cannot be set this way. A
variable that fits no key is an error.

Flags win over the environment, the environment over the file, the file over the defaults.

## Secrets

A secret is never written in the configuration. A key that needs one takes where it is to be found:

```toml
password = { env = "SMTP_PASSWORD" }             # a variable of the environment
password = { file = "/etc/watchkeeper/smtp" }    # a file; a line end after the secret is not part of it
```

The file must not be readable by others (`chmod 600`); the group root may read it, as with systemd's credentials.

## Values

| kind | written |
|---|---|
| duration | a text: numbers with `ms`, `s`, `m` (or `min`), `h`, `d`, such as `"500ms"`, `"90s"`, `"1h30m"`, `"30d"` |
| size | a text: a number with `B`, `kB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`, `TiB` (of 1024), such as `"2GiB"` |
| word | a text, one of those listed |
"#;

/// The metrics that a rule can name.
fn metrics(text: &mut String) {
    text.push_str(METRICS);
    for metric in watchkeeper_core::metrics() {
        let unit = if metric.unit == Unit::Text { "text" } else { metric.unit.ucum() };
        let _ = writeln!(text, "| `{}` | {} | `{unit}` | {} |", metric.name, metric.entity_kind(), metric.help);
    }
}

const METRICS: &str = r#"
## Metrics

What the condition of a rule can name. The names follow the OpenTelemetry semantic conventions where there are some.
`each` of a rule is the entity of its metric; metrics of processes can also be summed up by `program`. Shares (`1`) are
written in percent, `"90%"`; sizes as `"2GiB"`, rates of bytes as `"20MiB/s"`, times as `"5m"`, everything else as a number.

| name | each | unit | what it says |
|---|---|---|---|
"#;

fn section(text: &mut String, path: &str, field: &Field) {
    let (header, table) = match &field.shape {
        Shape::Table(table) => (format!("[{path}]"), table),
        Shape::Map(item) | Shape::List(item) => match &**item {
            Shape::Table(table) if matches!(field.shape, Shape::Map(_)) => (format!("[{path}.NAME]"), table),
            Shape::Table(table) => (format!("[[{path}]]"), table),
            _ => return,
        },
        _ => return,
    };
    let _ = write!(text, "\n## `{header}`\n\n");
    let _ = writeln!(text, "{}", if field.help.is_empty() { &table.help } else { &field.help });
    if matches!(field.shape, Shape::Map(_)) {
        let _ = write!(text, "\nFor example `[{path}.{}]`. ", example_name(path));
        let _ = writeln!(text, "{}", table.help);
    }
    if matches!(field.shape, Shape::List(_)) {
        // Tables within an entry of a list are written in one line, as any other value.
        table.fields.iter().for_each(|field| key(text, field, "###"));
    } else {
        keys(text, path, table, "###");
    }
}

fn keys(text: &mut String, path: &str, table: &Table, heading: &str) {
    for field in &table.fields {
        match &field.shape {
            Shape::Table(inner) => keys_below(text, &format!("{path}.{}", field.name), field, inner),
            _ => key(text, field, heading),
        }
    }
}

fn keys_below(text: &mut String, path: &str, field: &Field, table: &Table) {
    let _ = write!(text, "\n### `[{path}]`\n\n");
    let _ = writeln!(text, "{}", if field.help.is_empty() { &table.help } else { &field.help });
    keys(text, path, table, "####");
}

fn key(text: &mut String, field: &Field, heading: &str) {
    let _ = write!(text, "\n{heading} `{}`\n\n", field.name);
    let _ = write!(text, "*{}*", kind(&field.shape));
    let documented = field.help.contains("Default: ") || field.help.contains("by default");
    match field.default.as_ref().filter(|value| !is_empty(value)).and_then(json_as_toml) {
        Some(_) if documented => {}
        Some(default) => {
            let _ = write!(text, ", default `{default}`");
        }
        None if field.required => text.push_str(", required"),
        None => {}
    }
    text.push('\n');
    if !field.help.is_empty() {
        let _ = write!(text, "\n{}\n", field.help);
    }
    match &field.shape {
        Shape::Word(words) => {
            text.push('\n');
            for word in words {
                let help = if word.help.is_empty() { String::new() } else { format!(": {}", word.help) };
                let _ = writeln!(text, "- `\"{}\"`{help}", word.word);
            }
        }
        Shape::List(item) | Shape::Map(item) => inner_keys(text, "Keys of each entry:", item),
        table @ Shape::Table(_) => inner_keys(text, "Keys:", table),
        _ => {}
    }
}

fn inner_keys(text: &mut String, heading: &str, shape: &Shape) {
    let Some(table) = shape.table() else { return };
    let _ = write!(text, "\n{heading}\n\n");
    for inner in &table.fields {
        let _ = writeln!(text, "- `{}` (*{}*): {}", inner.name, kind(&inner.shape), inner.help);
    }
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text(Format::Plain) => "text".to_owned(),
        Shape::Text(Format::Duration) => "duration".to_owned(),
        Shape::Text(Format::Size) => "size".to_owned(),
        Shape::Integer { minimum: Some(low), maximum: Some(high) } => format!("whole number, {low} to {high}"),
        Shape::Integer { .. } => "whole number".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Boolean => "true or false".to_owned(),
        Shape::Word(_) => "word".to_owned(),
        Shape::Secret => "source of a secret".to_owned(),
        Shape::List(item) => match kind(item).as_str() {
            "table" => "list of tables".to_owned(),
            kind if kind.starts_with("whole number, ") => kind.replacen("number", "numbers", 1),
            kind => format!("list of {kind}s"),
        },
        Shape::Map(item) => format!("table of {}s", kind(item)),
        Shape::Table(_) => "table".to_owned(),
        Shape::Any => "value".to_owned(),
    }
}
