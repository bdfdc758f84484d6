//! The entities of one kind while the log is replayed.

use std::collections::HashMap;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Rows};
use watchkeeper_core::{Entity, EntityKind, Snapshot};

use super::file::TickRow;
use crate::hot::layout::{Cell, ENTITY_BITS, Kind, Layout, ROW_BOUNDS, entity_of, rest, tick_of};

/// Which columns and entities of a kind are read.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Bits of the groups of columns.
    pub(super) groups: u32,
    /// Only these entities, by their numbers in the file; otherwise all.
    pub(super) only: Option<Vec<i64>>,
}

impl Choice {
    fn columns(&self, layout: &Layout) -> Vec<usize> {
        (0..layout.columns.len()).filter(|index| self.groups >> layout.columns[*index].group & 1 == 1).collect()
    }

    /// The question for the rows from tick `?1` to `?2`.
    pub(super) fn sql(&self, layout: &Layout) -> String {
        let is_host = layout.entity.is_none();
        let key = if is_host { "s.tick" } else { "s.id" };
        let mut columns = key.to_owned();
        for index in self.columns(layout) {
            columns.push_str(", s.");
            columns.push_str(layout.columns[index].name);
        }
        let table = layout.table;
        match &self.only {
            None if is_host => {
                format!("SELECT {columns} FROM {table} AS s WHERE {key} BETWEEN ?1 AND ?2 ORDER BY {key}")
            }
            None => format!("SELECT {columns} FROM {table} AS s WHERE {key} BETWEEN {ROW_BOUNDS} ORDER BY {key}"),
            Some(only) => {
                // The key begins with the tick: one short search for each tick is faster than reading all rows.
                let keys: Vec<String> = only.iter().map(|entity| format!("t.id << {ENTITY_BITS} | {entity}")).collect();
                format!(
                    "SELECT {columns} FROM tick AS t CROSS JOIN {table} AS s ON s.id IN ({}) \
                     WHERE t.id BETWEEN ?1 AND ?2 ORDER BY t.id",
                    keys.join(", ")
                )
            }
        }
    }
}

/// A lane whose kind does not matter.
pub(super) trait AnyLane {
    /// Brings the items to a tick. `gone` are those that ended before it. Ticks that are not shown come first; only what
    /// is left of their rows counts.
    fn step(&mut self, connection: &Connection, tick: &TickRow, gone: &[i64], is_shown: bool) -> rusqlite::Result<()>;
    fn lend(&mut self, snapshot: &mut Snapshot, tick: &TickRow);
    fn take_back(&mut self, snapshot: &mut Snapshot);
    /// The slots of the items, in their order.
    fn slots(&self) -> &[u32];
    /// Whose slot it is.
    fn entity(&self, slot: u32) -> Option<Entity>;
    fn kind(&self) -> EntityKind;
}

/// The items of one kind that are there, as the last rows left them. Every entity that appears gets a slot: 0, 1, 2 ...
pub(super) struct Lane<'s, K: Kind> {
    rows: Rows<'s>,
    /// The tick of the current row; `None` before the first and after the last.
    row_tick: Option<i64>,
    columns: Vec<usize>,
    items: Vec<K::Item>,
    slots: Vec<u32>,
    cells: Vec<Cell>,
    /// Where the item of a slot is.
    places: Vec<Option<usize>>,
    /// Number in the file and item without samples, by slot.
    named: Vec<(i64, K::Item)>,
    slot_of: HashMap<i64, u32>,
    /// Slots that had a row in the last tick.
    moved: Vec<u32>,
    /// Slots that came in this tick; at the first tick that is shown, all that are there.
    pub(super) appeared: Vec<u32>,
    /// A tick was shown.
    has_begun: bool,
}

impl<'s, K: Kind> Lane<'s, K> {
    /// A lane over the rows of [`Choice::sql`].
    pub(super) fn new(mut rows: Rows<'s>, choice: &Choice) -> rusqlite::Result<Self> {
        rows.advance()?;
        let row_tick = rows.get().map(tick_of_row::<K>).transpose()?;
        Ok(Self {
            rows,
            row_tick,
            columns: choice.columns(K::LAYOUT),
            items: Vec::new(),
            slots: Vec::new(),
            cells: Vec::new(),
            places: Vec::new(),
            named: Vec::new(),
            slot_of: HashMap::new(),
            moved: Vec::new(),
            appeared: Vec::new(),
            has_begun: false,
        })
    }

    /// The item of a slot, if it is there.
    pub(super) fn item_mut(&mut self, slot: u32) -> Option<&mut K::Item> {
        let place = self.places.get(slot as usize).copied().flatten()?;
        self.items.get_mut(place)
    }

    /// The number of a slot in the file and its item without samples.
    pub(super) fn named(&self, slot: u32) -> Option<&(i64, K::Item)> {
        self.named.get(slot as usize)
    }

    /// The slot of an entity by its number in the file; `None` if the file does not name it.
    pub(super) fn slot(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<Option<u32>> {
        if let Some(slot) = self.slot_of.get(&id) {
            return Ok(Some(*slot));
        }
        let Some(item) = identity(connection, K::LAYOUT, id)?.and_then(|identity| K::item(&identity)) else {
            return Ok(None);
        };
        let slot = self.named.len() as u32;
        self.named.push((id, item));
        self.places.push(None);
        self.slot_of.insert(id, slot);
        Ok(Some(slot))
    }

    fn width() -> usize {
        K::LAYOUT.columns.len()
    }

    fn settle(&mut self, is_shown: bool) {
        let mut moved = std::mem::take(&mut self.moved);
        for slot in moved.drain(..) {
            if let Some(place) = self.places[slot as usize] {
                let cells = &mut self.cells[place * Self::width()..][..Self::width()];
                rest(K::LAYOUT.columns, cells);
                if is_shown {
                    K::fill(&mut self.items[place], cells);
                }
            }
        }
        self.moved = moved;
    }

    /// Before the first tick that is shown: the items have not followed the rows so far.
    fn catch_up(&mut self) {
        for (item, cells) in self.items.iter_mut().zip(self.cells.chunks_exact(Self::width())) {
            K::fill(item, cells);
        }
        self.appeared.clone_from(&self.slots);
        self.has_begun = true;
    }

    fn clear(&mut self) {
        self.items.clear();
        self.cells.clear();
        for slot in self.slots.drain(..) {
            self.places[slot as usize] = None;
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(place) = self.places[slot as usize].take() else { return };
        self.items.swap_remove(place);
        self.slots.swap_remove(place);
        let last = self.items.len();
        if place < last {
            self.cells.copy_within(last * Self::width().., place * Self::width());
            self.places[self.slots[place] as usize] = Some(place);
        }
        self.cells.truncate(last * Self::width());
    }

    fn apply(&mut self, connection: &Connection, is_shown: bool) -> rusqlite::Result<()> {
        let Some(row) = self.rows.get() else { return Ok(()) };
        let id = if K::LAYOUT.entity.is_some() { entity_of(row.get(0)?) } else { 0 };
        // The cells go to the end first: a row of an entity without a name is dropped from there.
        let begin = self.cells.len();
        self.cells.resize(begin + Self::width(), Cell::Null);
        read(row, K::LAYOUT, &self.columns, &mut self.cells[begin..])?;
        let Some(slot) = self.slot(connection, id)? else {
            self.cells.truncate(begin);
            return Ok(());
        };
        let place = if let Some(place) = self.places[slot as usize] {
            self.cells.copy_within(begin.., place * Self::width());
            self.cells.truncate(begin);
            place
        } else {
            self.items.push(self.named[slot as usize].1.clone());
            self.slots.push(slot);
            self.places[slot as usize] = Some(self.items.len() - 1);
            self.appeared.push(slot);
            self.items.len() - 1
        };
        if is_shown {
            K::fill(&mut self.items[place], &self.cells[place * Self::width()..][..Self::width()]);
        }
        self.moved.push(slot);
        Ok(())
    }
}

impl<K: Kind> AnyLane for Lane<'_, K> {
    fn step(&mut self, connection: &Connection, tick: &TickRow, gone: &[i64], is_shown: bool) -> rusqlite::Result<()> {
        self.appeared.clear();
        if tick.is_key {
            self.moved.clear();
            self.clear();
        } else {
            self.settle(is_shown);
            for id in gone {
                if let Some(slot) = self.slot_of.get(id).copied() {
                    self.remove(slot);
                }
            }
        }
        while let Some(row_tick) = self.row_tick.filter(|row_tick| *row_tick <= tick.id) {
            if row_tick == tick.id {
                self.apply(connection, is_shown)?;
            }
            self.rows.advance()?;
            self.row_tick = self.rows.get().map(tick_of_row::<K>).transpose()?;
        }
        if is_shown && !self.has_begun {
            self.catch_up();
        }
        Ok(())
    }

    fn lend(&mut self, snapshot: &mut Snapshot, tick: &TickRow) {
        K::lend(&mut self.items, snapshot, tick.sections & K::LAYOUT.section != 0);
    }

    fn take_back(&mut self, snapshot: &mut Snapshot) {
        K::take_back(&mut self.items, snapshot);
    }

    fn slots(&self) -> &[u32] {
        &self.slots
    }

    fn entity(&self, slot: u32) -> Option<Entity> {
        self.named.get(slot as usize).map(|(_, item)| K::reference(item).entity())
    }

    fn kind(&self) -> EntityKind {
        K::LAYOUT.kind
    }
}

fn read(row: &Row<'_>, layout: &Layout, columns: &[usize], cells: &mut [Cell]) -> rusqlite::Result<()> {
    for (index, column) in columns.iter().enumerate() {
        cells[*column] = layout.columns[*column].unpack(Cell::of(row, index + 1)?);
    }
    Ok(())
}

fn tick_of_row<K: Kind>(row: &Row<'_>) -> rusqlite::Result<i64> {
    let key = row.get(0)?;
    Ok(if K::LAYOUT.entity.is_some() { tick_of(key) } else { key })
}

/// The identity columns of one entity; the boot of a process as text.
fn identity(connection: &Connection, layout: &Layout, id: i64) -> rusqlite::Result<Option<Vec<Value>>> {
    if layout.entity.is_none() {
        return Ok(Some(Vec::new()));
    }
    let mut statement = connection.prepare_cached(&format!("{} WHERE e.id = ?", identities_sql(layout)))?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    (0..layout.identity.len()).map(|index| row.get(index + 1)).collect::<rusqlite::Result<_>>().map(Some)
}

/// The question for the numbers and identity columns of a kind.
fn identities_sql(layout: &Layout) -> String {
    let table = layout.entity.unwrap_or_default();
    if layout.kind == EntityKind::Process {
        return "SELECT e.id, b.boot_id, e.pid, e.start_ticks FROM process AS e JOIN boot AS b ON b.id = e.boot"
            .to_owned();
    }
    format!("SELECT e.id, {} FROM {table} AS e", layout.identity.join(", "))
}

/// The numbers that a file gives to an entity; a filesystem that was mounted from several devices has several.
pub(super) fn numbers<K: Kind>(connection: &Connection, entity: &Entity) -> rusqlite::Result<Vec<i64>> {
    if let Entity::Process(key) = entity {
        let sql = "SELECT p.id FROM process AS p JOIN boot AS b ON b.id = p.boot \
                   WHERE b.boot_id = ? AND p.pid = ? AND p.start_ticks = ?";
        let start_ticks = i64::try_from(key.start_ticks).unwrap_or(i64::MAX);
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map((key.boot.to_string(), key.pid, start_ticks), |row| row.get(0))?;
        return rows.collect();
    }
    let mut statement = connection.prepare(&identities_sql(K::LAYOUT))?;
    let mut rows = statement.query([])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        let identity: Vec<Value> =
            (0..K::LAYOUT.identity.len()).map(|index| row.get(index + 1)).collect::<rusqlite::Result<_>>()?;
        if K::item(&identity).is_some_and(|item| K::reference(&item).entity() == *entity) {
            numbers.push(row.get(0)?);
        }
    }
    Ok(numbers)
}
