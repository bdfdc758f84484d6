//! What processes run, whose children they are and which program they count as, while the log is replayed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, Row};
use watchkeeper_core::Image;
use watchkeeper_core::process::{Command, Executable};
use watchkeeper_core::snapshot::Process;

/// How much of the images is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Images {
    /// Nothing.
    No,
    /// Only which program a process counts as.
    Programs,
    /// Everything, parents and users and the program included.
    Whole,
}

/// No program is known.
pub(super) const NO_PROGRAM: u32 = u32::MAX;

#[derive(Clone, Debug)]
enum Change {
    Image(Arc<Image>),
    Program(u32),
    Lineage(u32, Option<u32>),
}

#[derive(Clone, Debug, Default)]
struct Life {
    image: Arc<Image>,
    parent: u32,
    uid: Option<u32>,
}

/// The processes of a replay by their slots.
pub(super) struct Lives {
    images: Images,
    by_slot: Vec<Option<Life>>,
    /// Slot of the program of each process.
    programs: Vec<u32>,
    /// Changes after the current tick.
    upcoming: BTreeMap<i64, Vec<(u32, Change)>>,
    program_ids: Vec<i64>,
    program_of: HashMap<i64, u32>,
}

impl Lives {
    pub(super) fn new(images: Images) -> Self {
        Self {
            images,
            by_slot: Vec::new(),
            programs: Vec::new(),
            upcoming: BTreeMap::new(),
            program_ids: Vec::new(),
            program_of: HashMap::new(),
        }
    }

    /// Slot of the program of each process, by the slot of the process.
    pub(super) fn programs(&self) -> &[u32] {
        &self.programs
    }

    /// Names of the programs by their slots.
    pub(super) fn program_names(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("SELECT name FROM program WHERE id = ?")?;
        self.program_ids.iter().map(|id| statement.query_row([id], |row| row.get(0))).collect()
    }

    /// Learns of a process at this tick, if it is not known.
    pub(super) fn learn(&mut self, connection: &Connection, slot: u32, id: i64, tick: i64) -> rusqlite::Result<()> {
        let index = slot as usize;
        if self.images == Images::No || self.by_slot.get(index).is_some_and(Option::is_some) {
            return Ok(());
        }
        if self.by_slot.len() <= index {
            self.by_slot.resize(index + 1, None);
            self.programs.resize(index + 1, NO_PROGRAM);
        }
        self.by_slot[index] = Some(Life::default());
        for (from_tick, change) in self.changes(connection, id)? {
            if from_tick <= tick {
                self.apply(slot, change);
            } else {
                self.upcoming.entry(from_tick).or_default().push((slot, change));
            }
        }
        Ok(())
    }

    /// Goes on to a tick; returns the slots of processes that changed.
    pub(super) fn advance(&mut self, tick: i64) -> Vec<u32> {
        let mut changed = Vec::new();
        while let Some(entry) = self.upcoming.first_entry().filter(|entry| *entry.key() <= tick) {
            for (slot, change) in entry.remove() {
                self.apply(slot, change);
                changed.push(slot);
            }
        }
        changed
    }

    /// Puts what is known into a process.
    pub(super) fn dress(&self, slot: u32, process: &mut Process) {
        if let Some(Some(life)) = self.by_slot.get(slot as usize) {
            process.image = Arc::clone(&life.image);
            process.parent = life.parent;
            process.uid = life.uid;
        }
    }

    fn apply(&mut self, slot: u32, change: Change) {
        let Some(Some(life)) = self.by_slot.get_mut(slot as usize) else { return };
        match change {
            Change::Image(image) => life.image = image,
            Change::Lineage(parent, uid) => (life.parent, life.uid) = (parent, uid),
            Change::Program(program) => self.programs[slot as usize] = program,
        }
    }

    fn changes(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<Vec<(i64, Change)>> {
        if self.images == Images::Programs {
            let mut statement = connection
                .prepare_cached("SELECT from_tick, program FROM image WHERE process = ? ORDER BY from_tick")?;
            let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let rows: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
            return Ok(rows.into_iter().map(|(tick, program)| (tick, Change::Program(self.slot(program)))).collect());
        }
        let mut changes = Vec::new();
        let mut statement = connection.prepare_cached(&format!("{IMAGES} WHERE i.process = ? ORDER BY i.from_tick"))?;
        let mut rows = statement.query([id])?;
        while let Some(row) = rows.next()? {
            let tick = row.get(0)?;
            changes.push((tick, Change::Image(Arc::new(image(row)?))));
            changes.push((tick, Change::Program(self.slot(row.get(11)?))));
        }
        let mut statement = connection
            .prepare_cached("SELECT from_tick, parent, uid FROM lineage WHERE process = ? ORDER BY from_tick")?;
        let mut rows = statement.query([id])?;
        while let Some(row) = rows.next()? {
            changes.push((row.get(0)?, Change::Lineage(row.get(1)?, row.get(2)?)));
        }
        Ok(changes)
    }

    fn slot(&mut self, program: i64) -> u32 {
        let ids = &mut self.program_ids;
        *self.program_of.entry(program).or_insert_with(|| {
            ids.push(program);
            ids.len() as u32 - 1
        })
    }
}

/// What a process ran last before or at a tick.
pub(super) fn image_at(connection: &Connection, process: i64, tick: i64) -> rusqlite::Result<Option<Image>> {
    let sql = format!("{IMAGES} WHERE i.process = ? AND i.from_tick <= ? ORDER BY i.from_tick DESC LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([process, tick])?;
    rows.next()?.map(image).transpose()
}

const IMAGES: &str = "SELECT i.from_tick, i.name, p.name, i.executable, i.inode, i.modified_ms, i.deleted, c.text, c.length, \
     i.unit, i.container, i.program FROM image AS i LEFT JOIN program AS p ON p.id = i.program \
     LEFT JOIN command AS c ON c.id = i.command";

fn image(row: &Row<'_>) -> rusqlite::Result<Image> {
    let executable = match row.get::<_, Option<String>>(3)? {
        Some(path) => Some(Executable {
            path,
            inode: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
            modified_ms: row.get(5)?,
            deleted: row.get::<_, Option<bool>>(6)?.unwrap_or_default(),
        }),
        None => None,
    };
    let command = match row.get::<_, Option<String>>(7)? {
        Some(text) => Some(Command { text, length: row.get::<_, i64>(8)?.cast_unsigned() }),
        None => None,
    };
    Ok(Image {
        name: row.get(1)?,
        program: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        executable,
        command,
        unit: row.get(9)?,
        container: row.get(10)?,
    })
}
