//! How one kind of entity lies in the log: its tables and columns, and the way between a row and the core's struct.

use std::hash::Hash;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, ToSql};
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::{EntityKind, Snapshot};

/// One value of a sample row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Unknown.
    Null,
    /// A count, a size, a time.
    Int(i64),
    /// A finite number that is not whole.
    Real(f64),
    /// The letter of a process state.
    Letter(u8),
}

impl Cell {
    /// A count; what does not fit 63 bits is stored as the largest number that does.
    pub(crate) fn unsigned(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// A number; what is not finite is unknown.
    pub(crate) fn real(value: f64) -> Self {
        if value.is_finite() { Self::Real(value) } else { Self::Null }
    }

    /// The whole number, if it is one.
    pub(crate) fn int(self) -> Option<i64> {
        if let Self::Int(value) = self { Some(value) } else { None }
    }

    /// The count, if it is one.
    pub(crate) fn count(self) -> Option<u64> {
        self.int().and_then(|value| u64::try_from(value).ok())
    }

    /// The count, if it is one of 32 bits.
    pub(crate) fn small(self) -> Option<u32> {
        self.int().and_then(|value| u32::try_from(value).ok())
    }

    /// The number as it was before it was stored.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Real(value) => Some(value),
            Self::Int(value) => Some(value as f64),
            Self::Null | Self::Letter(_) => None,
        }
    }

    /// A column of a row.
    pub(crate) fn of(row: &Row<'_>, column: usize) -> rusqlite::Result<Self> {
        Ok(match row.get_ref(column)? {
            ValueRef::Integer(value) => Self::Int(value),
            ValueRef::Real(value) => Self::Real(value),
            ValueRef::Text([letter]) => Self::Letter(*letter),
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => Self::Null,
        })
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Self::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Self::Letter(letter) => ToSqlOutput::Borrowed(ValueRef::Text(std::slice::from_ref(letter))),
        })
    }
}

/// What a tick without a row says about a column that was known in the last row. A column that was NULL stays unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Counts since the tick before: no row is zero.
    Difference,
    /// A state: no row is unchanged.
    Gauge,
}

/// How the values of a column are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Plain,
    /// A size in bytes, as pages of 4 KiB; below zero: bytes, where it is not whole pages.
    Pages,
    /// The letter of a state, as its place in [`STATE_LETTERS`].
    State,
}

/// One column of a sample table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) flow: Flow,
    /// Columns of one group are known or unknown together; counted from 0 within the table.
    pub(crate) group: u8,
    pub(crate) form: Form,
}

impl Column {
    /// The value as it is stored.
    pub(crate) fn pack(&self, cell: Cell) -> Cell {
        match (self.form, cell) {
            (Form::Pages, Cell::Int(bytes)) if bytes % PAGE_BYTES == 0 => Cell::Int(bytes / PAGE_BYTES),
            (Form::Pages, Cell::Int(bytes)) => Cell::Int(-bytes),
            (Form::State, Cell::Letter(letter)) => {
                let place = STATE_LETTERS.iter().position(|known| *known == letter);
                Cell::Int(place.unwrap_or(STATE_LETTERS.len() - 1) as i64)
            }
            (_, other) => other,
        }
    }

    /// The value that was stored.
    pub(crate) fn unpack(&self, cell: Cell) -> Cell {
        match (self.form, cell) {
            (Form::Pages, Cell::Int(pages)) if pages >= 0 => Cell::Int(pages.saturating_mul(PAGE_BYTES)),
            (Form::Pages, Cell::Int(bytes)) => Cell::Int(bytes.saturating_neg()),
            (Form::State, Cell::Int(place)) => {
                let letter = usize::try_from(place).ok().and_then(|place| STATE_LETTERS.get(place));
                Cell::Letter(letter.copied().unwrap_or(b'?'))
            }
            (_, other) => other,
        }
    }
}

/// The pages in which sizes of memory are stored.
const PAGE_BYTES: i64 = 4_096;
/// The letters of process states, the commonest first: SQLite stores 0 and 1 in no byte. The last stands for all others.
const STATE_LETTERS: &[u8] = b"SRDITtZXAH?";

/// A column that counts since the tick before.
pub(crate) const fn difference(group: u8, name: &'static str) -> Column {
    Column { name, flow: Flow::Difference, group, form: Form::Plain }
}

/// A column that holds a state.
pub(crate) const fn gauge(group: u8, name: &'static str) -> Column {
    Column { name, flow: Flow::Gauge, group, form: Form::Plain }
}

/// A gauge that is stored in another form than the core has it.
pub(crate) const fn gauge_as(form: Form, group: u8, name: &'static str) -> Column {
    Column { name, flow: Flow::Gauge, group, form }
}

/// The key of a row of an entity in a tick: one number that rises with the tick, so that rows are always appended, and
/// SQLite fills the pages of a table to which it only appends. Both numbers count up from 1 in each file.
pub(crate) const fn row_id(tick: i64, entity: i64) -> i64 {
    tick << ENTITY_BITS | entity
}

/// The tick of a row.
pub(crate) const fn tick_of(row_id: i64) -> i64 {
    row_id >> ENTITY_BITS
}

/// The entity of a row.
pub(crate) const fn entity_of(row_id: i64) -> i64 {
    row_id & ((1 << ENTITY_BITS) - 1)
}

/// So many bits of the key of a row are the number of the entity.
pub(crate) const ENTITY_BITS: u32 = 32;
/// The keys of all rows from tick `?1` to tick `?2`, for BETWEEN.
pub(crate) const ROW_BOUNDS: &str = "?1 << 32 AND ?2 << 32 | 4294967295";

/// Where one kind of entity lies.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) kind: EntityKind,
    /// The sample table.
    pub(crate) table: &'static str,
    /// The identity table; `None` for the host, whose rows have the number of the tick.
    pub(crate) entity: Option<&'static str>,
    /// Columns of the identity table besides `id`.
    pub(crate) identity: &'static [&'static str],
    /// Columns of the sample table besides its key.
    pub(crate) columns: &'static [Column],
    /// The bit of `tick.sections` that says that the list was read; 0 for the host, which is always there.
    pub(crate) section: u32,
}

/// One kind of entity in the log.
pub(crate) trait Kind {
    /// The core's struct.
    type Item: Clone;
    /// What makes two items of two ticks the same entity.
    type Key: Hash + Eq + Clone;

    const LAYOUT: &'static Layout;

    /// Which entity it is. `copy` counts the items before it in this tick that are otherwise the same.
    fn key(item: &Self::Item, copy: u32) -> Self::Key;
    /// The columns of the identity table. For processes the first is the boot id as text.
    fn identity(item: &Self::Item, copy: u32) -> Vec<Value>;
    /// An item without samples, made of the columns of the identity table; `None` if they make no sense.
    fn item(identity: &[Value]) -> Option<Self::Item>;
    /// The item as the catalogue sees it.
    fn reference(item: &Self::Item) -> EntityRef<'_>;
    /// The sample columns of an item, as many as the layout has.
    fn cells(item: &Self::Item, cells: &mut [Cell]);
    /// Puts sample columns into an item.
    fn fill(item: &mut Self::Item, cells: &[Cell]);
    /// Moves the items into a snapshot; `listed` is false where the list was not read.
    fn lend(items: &mut Vec<Self::Item>, snapshot: &mut Snapshot, listed: bool);
    /// Moves them back.
    fn take_back(items: &mut Vec<Self::Item>, snapshot: &mut Snapshot);
}

/// Whether a tick with these columns needs no row, because no row says the same.
pub(crate) fn is_quiet(columns: &[Column], last: &[Cell], now: &[Cell]) -> bool {
    columns.iter().zip(last).zip(now).all(|((column, last), now)| match (column.flow, last) {
        (Flow::Difference, Cell::Null) | (Flow::Gauge, _) => now == last,
        (Flow::Difference, _) => *now == Cell::Int(0),
    })
}

/// What the columns are in a tick without a row.
pub(crate) fn rest(columns: &[Column], cells: &mut [Cell]) {
    for (column, cell) in columns.iter().zip(cells) {
        if column.flow == Flow::Difference && *cell != Cell::Null {
            *cell = Cell::Int(0);
        }
    }
}

/// Puts a group of counts into columns from `at` on.
pub(crate) fn put<const N: usize>(cells: &mut [Cell], at: usize, values: Option<[u64; N]>) {
    for (index, cell) in cells[at..at + N].iter_mut().enumerate() {
        *cell = values.map_or(Cell::Null, |values| Cell::unsigned(values[index]));
    }
}

/// Takes a group of counts out of columns from `at` on; `None` unless all are known.
pub(crate) fn take<const N: usize>(cells: &[Cell], at: usize) -> Option<[u64; N]> {
    let mut values = [0; N];
    for (value, cell) in values.iter_mut().zip(&cells[at..at + N]) {
        *value = cell.count()?;
    }
    Some(values)
}

/// The text of an identity column.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    if let Some(Value::Text(text)) = value { Some(text.clone()) } else { None }
}

/// The number of an identity column, if it fits.
pub(crate) fn number<T: TryFrom<i64>>(value: Option<&Value>) -> Option<T> {
    if let Some(Value::Integer(number)) = value { T::try_from(*number).ok() } else { None }
}
