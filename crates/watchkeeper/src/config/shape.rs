//! The shape of the configuration: a small tree read from the JSON schema, which is what the walks over a file need
//! (which keys exist, what they take, what they are by default, what is a secret).

use serde_json::Value;

/// What a value may be.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A text.
    Text(Format),
    /// A whole number within the limits, both included.
    Integer { minimum: Option<i64>, maximum: Option<i64> },
    /// A number with or without decimals.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Word(Vec<Word>),
    /// Where a secret is to be found; the secret itself is refused.
    Secret,
    /// Values of one shape.
    List(Box<Shape>),
    /// Tables or values under names that the user chooses.
    Map(Box<Shape>),
    /// A table with known keys.
    Table(Table),
    /// Anything: the type itself says what it takes.
    Any,
}

/// Inner syntax of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// None.
    Plain,
    /// A length of time.
    Duration,
    /// A number of bytes.
    Size,
}

/// One of the words that a key takes.
#[derive(Clone, Debug)]
pub struct Word {
    /// As it is written.
    pub word: String,
    /// What it means.
    pub help: String,
}

/// A table with known keys.
#[derive(Clone, Debug)]
pub struct Table {
    /// What the table is for.
    pub help: String,
    /// Its keys in the order of the struct.
    pub fields: Vec<Field>,
}

/// A key of a table.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name of the key.
    pub name: String,
    /// The doc comment.
    pub help: String,
    /// Value when the key is absent; `None` if there is none or it is empty.
    pub default: Option<Value>,
    /// A value that shows the form.
    pub example: Option<Value>,
    /// Whether the table cannot do without.
    pub required: bool,
    /// What it takes.
    pub shape: Shape,
}

impl Shape {
    /// The shape of a type.
    pub fn of<T: schemars::JsonSchema>() -> Self {
        let schema = schemars::schema_for!(T).to_value();
        read(&schema, &schema)
    }

    /// The shape at a path of keys. List positions may be written or left out.
    pub fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let first = first.as_ref();
        match self {
            Self::Table(table) => table.field(first)?.shape.at(rest),
            Self::Map(item) => item.at(rest),
            Self::List(item) if first.bytes().all(|b| b.is_ascii_digit()) => item.at(rest),
            Self::List(item) => item.at(path),
            _ => None,
        }
    }

    /// Calls `visit` with the path and field of every key, depth first; names chosen by the user are written `NAME`.
    pub fn walk(&self, visit: &mut impl FnMut(&[String], &Field)) {
        fn down(shape: &Shape, path: &mut Vec<String>, visit: &mut impl FnMut(&[String], &Field)) {
            match shape {
                Shape::Table(table) => {
                    for field in &table.fields {
                        path.push(field.name.clone());
                        visit(path, field);
                        down(&field.shape, path, visit);
                        path.pop();
                    }
                }
                Shape::List(item) => down(item, path, visit),
                Shape::Map(item) => {
                    path.push("NAME".to_owned());
                    down(item, path, visit);
                    path.pop();
                }
                _ => {}
            }
        }
        down(self, &mut Vec::new(), visit);
    }

    /// The keys, if this is a table.
    pub fn table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether this is a list of tables, written `[[name]]`.
    pub fn is_list_of_tables(&self) -> bool {
        matches!(self, Self::List(item) if matches!(**item, Self::Table(_)))
    }

    /// What it takes, in words: `a text in quotes`.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Text(Format::Plain) => "a text in quotes",
            Self::Text(Format::Duration) => "a duration in quotes",
            Self::Text(Format::Size) => "a size in quotes",
            Self::Integer { .. } => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Word(_) => "a word in quotes",
            Self::Secret => "the source of a secret",
            Self::List(_) if self.is_list_of_tables() => "a list of tables",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Table(_) => "a table",
            Self::Any => "a value",
        }
    }
}

impl Table {
    /// The key of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

fn text(schema: &Value, key: &str) -> String {
    // A doc comment keeps its line breaks in the schema; single ones only come from the width of the source code.
    let raw = schema.get(key).and_then(Value::as_str).unwrap_or_default();
    let paragraphs =
        raw.split("\n\n").map(|paragraph| paragraph.split('\n').map(str::trim).collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Follows a `$ref`; also through the `anyOf` that an optional field becomes.
fn target<'s>(schema: &'s Value, root: &'s Value) -> (&'s Value, Option<&'s str>) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = reference.trim_start_matches('#');
        return (root.pointer(pointer).unwrap_or(&Value::Null), pointer.rsplit('/').next());
    }
    if let Some([one, null]) = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
        && null.get("type").and_then(Value::as_str) == Some("null")
    {
        return target(one, root);
    }
    (schema, None)
}

fn read(schema: &Value, root: &Value) -> Shape {
    let (schema, name) = target(schema, root);
    if name == Some("SecretSource") {
        return Shape::Secret;
    }
    if let Some(words) = words(schema) {
        return Shape::Word(words);
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => match kinds.as_slice() {
            [Value::String(kind), Value::String(null)] if null == "null" => kind.as_str(),
            _ => return Shape::Any,
        },
        _ => return Shape::Any,
    };
    match kind {
        "string" => Shape::Text(match schema.get("format").and_then(Value::as_str) {
            Some("duration") => Format::Duration,
            Some("size") => Format::Size,
            _ => Format::Plain,
        }),
        "integer" => Shape::Integer {
            minimum: schema.get("minimum").and_then(Value::as_i64),
            maximum: schema.get("maximum").and_then(Value::as_i64),
        },
        "number" => Shape::Number,
        "boolean" => Shape::Boolean,
        "array" => Shape::List(Box::new(schema.get("items").map_or(Shape::Any, |items| read(items, root)))),
        "object" => match (schema.get("properties"), schema.get("additionalProperties")) {
            (Some(Value::Object(properties)), _) => {
                let required = schema.get("required").and_then(Value::as_array);
                let fields = properties.iter().map(|(name, property)| {
                    let required = required.is_some_and(|names| names.iter().any(|n| n.as_str() == Some(name)));
                    field(name, property, required, root)
                });
                Shape::Table(Table { help: text(schema, "description"), fields: fields.collect() })
            }
            (None, Some(item @ Value::Object(_))) => Shape::Map(Box::new(read(item, root))),
            _ => Shape::Any,
        },
        _ => Shape::Any,
    }
}

fn field(name: &str, property: &Value, required: bool, root: &Value) -> Field {
    let (inner, _) = target(property, root);
    let mut help = text(property, "description");
    if help.is_empty() {
        help = text(inner, "description");
    }
    let default = property.get("default").filter(|value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        _ => true,
    });
    let example = [property, inner].into_iter().find_map(|s| s.get("examples")?.as_array()?.first());
    Field {
        name: name.to_owned(),
        help,
        default: default.cloned(),
        example: example.cloned(),
        required,
        shape: read(property, root),
    }
}

fn words(schema: &Value) -> Option<Vec<Word>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let words = values.iter().filter(|value| !value.is_null());
        return words.map(|v| Some(Word { word: v.as_str()?.to_owned(), help: String::new() })).collect();
    }
    let variants = schema.get("oneOf")?.as_array()?;
    let mut words = Vec::new();
    for variant in variants {
        if let Some(word) = variant.get("const").and_then(Value::as_str) {
            words.push(Word { word: word.to_owned(), help: text(variant, "description") });
        } else {
            // Variants without a doc comment stand together in one `enum`.
            let plain = variant.get("enum")?.as_array()?;
            for value in plain {
                words.push(Word { word: value.as_str()?.to_owned(), help: String::new() });
            }
        }
    }
    Some(words)
}
