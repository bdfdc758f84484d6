//! What the log already says of the entities of one kind, and which rows a new tick needs.

use std::collections::HashMap;

use rusqlite::types::Value;

use super::layout::{Cell, Kind, is_quiet};

/// The rows of one kind in one tick. Entities go by handles that count up from 0 at every key tick.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Identity columns of entities that are named for the first time since the key tick; the first has the next handle.
    pub(crate) new: Vec<Vec<Value>>,
    /// Entities that have a row.
    pub(crate) handles: Vec<u32>,
    /// Their columns, one row after the other.
    pub(crate) cells: Vec<Cell>,
    /// Entities that are not there any more.
    pub(crate) gone: Vec<u32>,
}

struct Tracked {
    handle: u32,
    /// The last tick in which it was there.
    seen: u64,
    /// The last row, or nothing for an entity that was only named.
    last: Box<[Cell]>,
}

/// The entities of one kind since the last key tick.
pub(super) struct Tracker<K: Kind> {
    known: HashMap<K::Key, Tracked>,
    next_handle: u32,
    tick: u64,
    cells: Vec<Cell>,
}

impl<K: Kind> Tracker<K> {
    pub(super) fn new() -> Self {
        let cells = vec![Cell::Null; K::LAYOUT.columns.len()];
        Self { known: HashMap::new(), next_handle: 0, tick: 0, cells }
    }

    /// A key tick begins: nothing is known.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.next_handle = 0;
    }

    /// The rows that these items need. Of two items that are the same entity the first counts.
    pub(super) fn encode(&mut self, items: &[K::Item]) -> Rows {
        let mut rows = Rows::default();
        self.tick += 1;
        for item in items {
            let Some((key, copy)) = self.key_of(item) else { continue };
            K::cells(item, &mut self.cells);
            if let Some(tracked) = self.known.get_mut(&key) {
                tracked.seen = self.tick;
                if !tracked.last.is_empty() && is_quiet(K::LAYOUT.columns, &tracked.last, &self.cells) {
                    continue;
                }
                rows.handles.push(tracked.handle);
                tracked.last = self.cells.as_slice().into();
            } else {
                let handle = self.next_handle;
                self.next_handle += 1;
                rows.new.push(K::identity(item, copy));
                rows.handles.push(handle);
                let last = self.cells.as_slice().into();
                self.known.insert(key, Tracked { handle, seen: self.tick, last });
            }
            rows.cells.extend_from_slice(&self.cells);
        }
        rows
    }

    /// Adds those that were there before and are not now to `rows.gone` and forgets them, except where `ended`
    /// says that another row tells it.
    pub(super) fn note_gone(&mut self, rows: &mut Rows, ended: impl Fn(&K::Key) -> bool) {
        let tick = self.tick;
        self.known.retain(|key, tracked| {
            if tracked.seen != tick && !tracked.last.is_empty() && !ended(key) {
                rows.gone.push(tracked.handle);
            }
            tracked.seen == tick
        });
        rows.gone.sort_unstable();
    }

    /// The handle of an entity that needs no row of its own; it is named if it was not.
    pub(super) fn name(&mut self, key: &K::Key, identity: impl FnOnce() -> Vec<Value>, rows: &mut Rows) -> u32 {
        if let Some(tracked) = self.known.get(key) {
            return tracked.handle;
        }
        let handle = self.next_handle;
        self.next_handle += 1;
        rows.new.push(identity());
        self.known.insert(key.clone(), Tracked { handle, seen: 0, last: Box::default() });
        handle
    }

    /// The handle of an entity that has one.
    pub(super) fn handle(&self, key: &K::Key) -> Option<u32> {
        self.known.get(key).map(|tracked| tracked.handle)
    }

    fn key_of(&self, item: &K::Item) -> Option<(K::Key, u32)> {
        let mut key = K::key(item, 0);
        let mut copy = 0;
        while self.known.get(&key).is_some_and(|tracked| tracked.seen == self.tick) {
            copy += 1;
            let next = K::key(item, copy);
            if next == key {
                return None;
            }
            key = next;
        }
        Some((key, copy))
    }
}
