//! What a row has for columns, and what stands in them.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use watchkeeper_core::text::clean;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The machine as a whole.
    Host,
    /// A process that lives at the end of the interval.
    Process,
    /// A process that ended in the interval.
    Exited,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Process => "process",
            Self::Exited => "exited",
        }
    }
}

/// Which rows have a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    All,
    Host,
    /// Living and ended ones.
    Process,
    Exited,
}

/// One column.
pub(super) struct Column {
    pub(super) name: &'static str,
    of: Of,
}

impl Column {
    /// Whether rows of this kind have it.
    pub(super) fn is_of(&self, kind: Kind) -> bool {
        match self.of {
            Of::All => true,
            Of::Host => kind == Kind::Host,
            Of::Process => kind != Kind::Host,
            Of::Exited => kind == Kind::Exited,
        }
    }
}

const fn column(name: &'static str, of: Of) -> Column {
    Column { name, of }
}

/// All columns in the order of a CSV. A change of this list is another header: files of before are refused, never mixed.
pub(super) const COLUMNS: &[Column] = &[
    column("timestamp", Of::All),
    column("interval_s", Of::All),
    column("kind", Of::All),
    column("host.name", Of::All),
    column("system.cpu.logical.count", Of::Host),
    column("system.cpu.utilization", Of::Host),
    column("system.cpu.not_attributed", Of::Host),
    column("system.memory.usage", Of::Host),
    column("system.memory.utilization", Of::Host),
    column("system.paging.utilization", Of::Host),
    column("system.linux.load.1m", Of::Host),
    column("system.disk.io.read", Of::Host),
    column("system.disk.io.write", Of::Host),
    column("system.network.io.receive", Of::Host),
    column("system.network.io.transmit", Of::Host),
    column("system.network.connection.count", Of::Host),
    column("system.process.count", Of::Host),
    column("process.pid", Of::Process),
    column("process.parent_pid", Of::Process),
    column("process.creation.time", Of::Process),
    column("process.name", Of::Process),
    column("process.program", Of::Process),
    column("process.user.id", Of::Process),
    column("process.user.name", Of::Process),
    column("process.state", Of::Process),
    column("process.cpu.utilization", Of::Process),
    column("process.cpu.cores", Of::Process),
    column("process.memory.usage", Of::Process),
    column("process.memory.virtual", Of::Process),
    column("process.disk.io.read", Of::Process),
    column("process.disk.io.write", Of::Process),
    column("process.network.io.receive", Of::Process),
    column("process.network.io.transmit", Of::Process),
    column("process.thread.count", Of::Process),
    column("process.unix.file_descriptor.count", Of::Process),
    column("process.exit.time", Of::Exited),
    column("process.exit.code", Of::Exited),
    column("process.exit.signal", Of::Exited),
    column("process.command_line", Of::Process),
];

/// Columns before those of processes.
pub(super) const BEFORE_PROCESS: usize = 17;
/// Columns before those of the host.
pub(super) const BEFORE_HOST: usize = 4;

/// What stands in one column of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// Not known, or not of this row.
    Unknown,
    /// A text of ours.
    Plain(&'a str),
    /// A text of others; made safe where it is written.
    Foreign(&'a str),
    /// A count.
    Count(u64),
    /// A whole number.
    Whole(i32),
    /// Any finite number.
    Number(f64),
}

impl<'a> Cell<'a> {
    /// A share or a number of cores, to the thousand-millionth.
    pub(super) fn ratio(value: Option<f64>) -> Self {
        Self::number(value, 1e9)
    }

    /// Bytes a second, seconds: to the thousandth.
    pub(super) fn amount(value: Option<f64>) -> Self {
        Self::number(value, 1e3)
    }

    /// Digits beyond what was measured would only make the files longer.
    fn number(value: Option<f64>, parts: f64) -> Self {
        let rounded = value.map(|value| (value * parts).round() / parts);
        rounded.filter(|value| value.is_finite()).map_or(Self::Unknown, Self::Number)
    }

    pub(super) fn count(value: Option<u64>) -> Self {
        value.map_or(Self::Unknown, Self::Count)
    }

    pub(super) fn whole(value: Option<i32>) -> Self {
        value.map_or(Self::Unknown, Self::Whole)
    }

    pub(super) fn plain(value: Option<&'a str>) -> Self {
        value.map_or(Self::Unknown, Self::Plain)
    }

    pub(super) fn foreign(value: Option<&'a str>) -> Self {
        value.map_or(Self::Unknown, Self::Foreign)
    }
}

/// Foreign text without what a terminal acts on. Nearly all texts are plain ASCII and stay where they are.
pub(super) fn safe(foreign: &str) -> Cow<'_, str> {
    if foreign.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Cow::Borrowed(foreign)
    } else {
        Cow::Owned(clean(foreign, foreign.len()))
    }
}

/// A row as a JSON object: the columns of its kind, what is unknown as null.
pub(super) struct Object<'a>(pub(super) Kind, pub(super) &'a [Cell<'a>]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (column, cell) in COLUMNS.iter().zip(self.1).filter(|(column, _)| column.is_of(self.0)) {
            map.serialize_entry(column.name, cell)?;
        }
        map.end()
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown => serializer.serialize_none(),
            Self::Plain(text) => serializer.serialize_str(text),
            Self::Foreign(text) => serializer.serialize_str(&safe(text)),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Whole(number) => serializer.serialize_i32(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_core::catalogue::metric;

    #[test]
    fn a_column_that_the_catalogue_knows_is_called_as_there_and_all_others_are_listed_here() {
        let ours: Vec<&str> = COLUMNS.iter().map(|column| column.name).filter(|name| metric(name).is_none()).collect();
        let expected = [
            "timestamp",
            "interval_s",
            "kind",
            "host.name",
            "process.pid",
            "process.parent_pid",
            "process.creation.time",
            "process.user.id",
            "process.user.name",
            "process.exit.time",
            "process.exit.code",
            "process.exit.signal",
        ];
        assert_eq!(ours, expected);
        assert!(COLUMNS[..BEFORE_HOST].iter().all(|column| column.of == Of::All));
        assert!(COLUMNS[BEFORE_HOST..BEFORE_PROCESS].iter().all(|column| column.of == Of::Host));
        assert!(COLUMNS[BEFORE_PROCESS..].iter().all(|column| matches!(column.of, Of::Process | Of::Exited)));
    }

    #[test]
    fn every_column_is_explained() {
        let page = include_str!("../../../../docs/sinks.md");
        let explained: Vec<&str> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(explained, columns, "docs/sinks.md, in the order of the CSV");
    }

    #[test]
    fn foreign_text_is_made_safe_and_plain_text_is_not_copied() {
        assert!(matches!(safe("/usr/bin/a --b='c, d' \\ \"~\""), Cow::Borrowed(_)));
        assert_eq!(safe("a\u{1b}[31m\nb"), "a\\u{1b}[31m b");
        assert_eq!(safe("größe"), "größe");
    }

    #[test]
    fn numbers_keep_what_was_measured_and_what_is_no_number_is_unknown() {
        assert_eq!(Cell::ratio(Some(0.1 + 0.2)), Cell::Number(0.3));
        assert_eq!(Cell::amount(Some(1_000.0 / 3.0)), Cell::Number(333.333));
        for value in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(Cell::ratio(value), Cell::Unknown);
        }
    }
}
