//! Writes encoded ticks into a day file, one transaction for all that wait.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use watchkeeper_core::process::{Command, PROGRAM_VERSION};
use watchkeeper_core::{BootId, EntityKind, GapReason, HostId, Image, Moment, Section};

use super::day::{self, Day};
use super::encode::{Exit, GapRun, LAYOUTS, Lineage, PROCESSES, Tick};
use super::layout::{Layout, row_id};
use super::process::EXIT_COLUMNS;
use super::track::Rows;
use crate::error::OpenError;

/// Start times of processes are in ticks of 10 ms.
const CLOCK_TICKS: i64 = 100;

/// Ticks that were lost before they reached the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) ticks: u64,
}

/// The numbers that this file gives to what the ticks name by handles. They hold until the next key tick.
#[derive(Clone, Default)]
struct Numbers {
    entities: [Vec<i64>; LAYOUTS.len()],
    gaps: HashMap<u32, i64>,
}

/// A day file that is open for writing.
pub(crate) struct DayFile {
    connection: Connection,
    path: PathBuf,
    day: Day,
    numbers: Numbers,
    boots: HashMap<BootId, i64>,
    programs: HashMap<String, i64>,
    statements: Vec<Statements>,
}

/// The SQL of one kind.
struct Statements {
    find: String,
    name: String,
    sample: String,
}

impl DayFile {
    /// Opens the file of a day, or makes it.
    pub(crate) fn open(log: &Path, day: Day) -> Result<Self, OpenError> {
        let path = day.path(log);
        let connection = day::open(&path)?;
        Ok(Self {
            connection,
            path,
            day,
            numbers: Numbers::default(),
            boots: HashMap::new(),
            programs: HashMap::new(),
            statements: LAYOUTS.into_iter().map(Statements::of).collect(),
        })
    }

    pub(crate) fn day(&self) -> Day {
        self.day
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes ticks and losses in one transaction: all or nothing.
    pub(crate) fn write<'t>(
        &mut self,
        host: HostId,
        ticks: impl Iterator<Item = &'t Tick>,
        losses: &[Loss],
    ) -> rusqlite::Result<()> {
        let before = self.numbers.clone();
        let result = self.transaction(host, ticks, losses);
        if result.is_err() {
            if !self.connection.is_autocommit() {
                // A rollback cannot fail in a way that leaves the transaction open and the connection usable.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            self.numbers = before;
            self.boots.clear();
            self.programs.clear();
        }
        result
    }

    /// Checkpoints and leaves WAL mode. Says whether it could.
    pub(crate) fn close(self) -> bool {
        let Self { connection, .. } = self;
        connection.flush_prepared_statement_cache();
        day::close(&connection)
    }

    fn transaction<'t>(
        &mut self,
        host: HostId,
        ticks: impl Iterator<Item = &'t Tick>,
        losses: &[Loss],
    ) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut runs: HashMap<i64, (i64, i64)> = HashMap::new();
        for tick in ticks {
            self.write_tick(host, tick, &mut runs)?;
        }
        for (gap, (tick, ts_ms)) in runs {
            let mut extend = self.connection.prepare_cached("UPDATE gap SET to_tick = ?2, to_ms = ?3 WHERE id = ?1")?;
            extend.execute([gap, tick, ts_ms])?;
        }
        for loss in losses {
            let mut insert = self.connection.prepare_cached(
                "INSERT INTO gap (from_ms, to_ms, place, section, reason, count) VALUES (?, ?, 0, ?, ?, ?)",
            )?;
            let (section, reason) = (Section::Ticks.word(), GapReason::Dropped.word());
            insert.execute(params![loss.from_ms, loss.to_ms, section, reason, loss.ticks as i64])?;
        }
        self.connection.execute_batch("COMMIT")
    }

    fn write_tick(&mut self, host: HostId, tick: &Tick, runs: &mut HashMap<i64, (i64, i64)>) -> rusqlite::Result<()> {
        if tick.is_key {
            self.numbers = Numbers::default();
        }
        let boot = self.boot(host, tick.at.boot, Some(tick.at))?;
        let id = {
            let mut insert = self.connection.prepare_cached(
                "INSERT INTO tick (ts_ms, mono_ms, suspended_ms, boot, interval_ms, flags, is_key, sections, dropped) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            let at = tick.at;
            insert.insert(params![
                at.ts_ms,
                at.mono_ms,
                at.suspended_ms,
                boot,
                tick.interval_ms,
                tick.flags.0,
                tick.is_key,
                tick.sections,
                tick.dropped
            ])?
        };
        for (index, rows) in tick.rows.iter().enumerate() {
            self.name(host, index, &rows.new)?;
            self.write_rows(id, index, rows)?;
        }
        for lineage in &tick.lineages {
            self.write_lineage(id, lineage)?;
        }
        for (process, image) in &tick.images {
            self.write_image(id, self.numbers.entities[PROCESSES][*process as usize], image)?;
        }
        for exit in &tick.exits {
            self.write_exit(id, exit)?;
        }
        for event in &tick.events {
            let process = event.process.map(|handle| self.numbers.entities[PROCESSES][handle as usize]);
            let mut insert = self
                .connection
                .prepare_cached("INSERT INTO event (tick, kind, process, detail) VALUES (?, ?, ?, ?)")?;
            insert.execute(params![id, event.kind, process, event.detail])?;
        }
        for run in &tick.gaps {
            let gap = self.gap(id, tick.at.ts_ms, run)?;
            runs.insert(gap, (id, tick.at.ts_ms));
        }
        Ok(())
    }

    /// Gives numbers to entities: those they have in this file, or new ones.
    fn name(&mut self, host: HostId, index: usize, new: &[Vec<Value>]) -> rusqlite::Result<()> {
        for identity in new {
            if LAYOUTS[index].entity.is_none() {
                self.numbers.entities[index].push(0);
                continue;
            }
            let mut identity = identity.clone();
            if index == PROCESSES
                && let Some(Value::Text(boot)) = identity.first()
            {
                let boot = boot.parse().map(BootId).unwrap_or_default();
                identity[0] = Value::Integer(self.boot(host, boot, None)?);
            }
            let statements = &self.statements[index];
            let mut find = self.connection.prepare_cached(&statements.find)?;
            let found = find.query_row(params_from_iter(&identity), |row| row.get(0)).optional()?;
            let number = match found {
                Some(number) => number,
                None => self.connection.prepare_cached(&statements.name)?.insert(params_from_iter(&identity))?,
            };
            self.numbers.entities[index].push(number);
        }
        Ok(())
    }

    fn write_rows(&self, tick: i64, index: usize, rows: &Rows) -> rusqlite::Result<()> {
        let layout = LAYOUTS[index];
        let numbers = &self.numbers.entities[index];
        let mut insert = self.connection.prepare_cached(&self.statements[index].sample)?;
        for (handle, cells) in rows.handles.iter().zip(rows.cells.chunks_exact(layout.columns.len())) {
            let key = if layout.entity.is_some() { row_id(tick, numbers[*handle as usize]) } else { tick };
            insert.raw_bind_parameter(1, key)?;
            for (offset, (cell, column)) in cells.iter().zip(layout.columns).enumerate() {
                insert.raw_bind_parameter(2 + offset, column.pack(*cell))?;
            }
            insert.raw_execute()?;
        }
        for handle in &rows.gone {
            let mut insert = self.connection.prepare_cached("INSERT OR REPLACE INTO gone VALUES (?, ?, ?)")?;
            insert.execute(params![tick, layout.kind.word(), numbers[*handle as usize]])?;
        }
        Ok(())
    }

    fn write_lineage(&self, tick: i64, lineage: &Lineage) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT OR REPLACE INTO lineage SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (\
               SELECT 1 FROM lineage WHERE process = ?1 AND parent = ?3 AND uid IS ?4 \
               AND from_tick = (SELECT max(from_tick) FROM lineage WHERE process = ?1))",
        )?;
        let process = self.numbers.entities[PROCESSES][lineage.process as usize];
        insert.execute(params![process, tick, lineage.parent, lineage.uid])?;
        Ok(())
    }

    /// Writes what a process runs from this tick on, unless the file says so already.
    fn write_image(&mut self, tick: i64, process: i64, image: &Image) -> rusqlite::Result<()> {
        let program = self.program(&image.program)?;
        let command = image.command.as_ref().map(|command| self.command(command)).transpose()?;
        let executable = image.executable.as_ref();
        let mut insert = self.connection.prepare_cached(
            "INSERT OR REPLACE INTO image SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE NOT EXISTS (\
               SELECT 1 FROM image WHERE process = ?1 AND name = ?3 AND program = ?4 AND executable IS ?5 \
               AND inode IS ?6 AND modified_ms IS ?7 AND deleted IS ?8 AND command IS ?9 AND unit IS ?10 \
               AND container IS ?11 AND from_tick = (SELECT max(from_tick) FROM image WHERE process = ?1))",
        )?;
        insert.execute(params![
            process,
            tick,
            image.name,
            program,
            executable.map(|executable| &executable.path),
            executable.and_then(|executable| executable.inode).map(u64::cast_signed),
            executable.and_then(|executable| executable.modified_ms),
            executable.map(|executable| executable.deleted),
            command,
            image.unit,
            image.container
        ])?;
        Ok(())
    }

    fn write_exit(&self, tick: i64, exit: &Exit) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(&format!(
            "INSERT OR REPLACE INTO exit (tick, process, ts_ms, code, signal, {EXIT_COLUMNS}) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ))?;
        insert.raw_bind_parameter(1, tick)?;
        insert.raw_bind_parameter(2, self.numbers.entities[PROCESSES][exit.process as usize])?;
        insert.raw_bind_parameter(3, exit.ts_ms)?;
        insert.raw_bind_parameter(4, exit.code)?;
        insert.raw_bind_parameter(5, exit.signal)?;
        for (index, cell) in exit.cells.iter().enumerate() {
            insert.raw_bind_parameter(6 + index, cell)?;
        }
        insert.raw_execute()?;
        Ok(())
    }

    fn gap(&mut self, tick: i64, ts_ms: i64, run: &GapRun) -> rusqlite::Result<i64> {
        if let Some(gap) = &run.new {
            let mut insert = self.connection.prepare_cached(
                "INSERT INTO gap (from_tick, to_tick, from_ms, to_ms, place, section, reason, count, remedy) \
                 VALUES (?1, ?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            let count = i64::try_from(gap.count).unwrap_or(i64::MAX);
            let (section, reason) = (gap.section.word(), gap.reason.word());
            let number = insert.insert(params![tick, ts_ms, run.place as i64, section, reason, count, gap.remedy])?;
            self.numbers.gaps.insert(run.handle, number);
        }
        Ok(self.numbers.gaps.get(&run.handle).copied().unwrap_or_default())
    }

    fn boot(&mut self, host: HostId, boot: BootId, at: Option<Moment>) -> rusqlite::Result<i64> {
        if let Some(number) = self.boots.get(&boot) {
            return Ok(*number);
        }
        let text = boot.to_string();
        let mut find = self.connection.prepare_cached("SELECT id FROM boot WHERE boot_id = ?")?;
        let number = match find.query_row([&text], |row| row.get(0)).optional()? {
            Some(number) => number,
            None => self
                .connection
                .prepare_cached("INSERT INTO boot (host_id, boot_id, booted_ms, clock_ticks) VALUES (?, ?, ?, ?)")?
                .insert(params![host.to_string(), text, at.map(|at| at.booted_ms()), CLOCK_TICKS])?,
        };
        self.boots.insert(boot, number);
        Ok(number)
    }

    fn program(&mut self, name: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.programs.get(name) {
            return Ok(*number);
        }
        let mut find = self.connection.prepare_cached("SELECT id FROM program WHERE name = ?")?;
        let number = match find.query_row([name], |row| row.get(0)).optional()? {
            Some(number) => number,
            None => self
                .connection
                .prepare_cached("INSERT INTO program (name, version) VALUES (?, ?)")?
                .insert(params![name, PROGRAM_VERSION])?,
        };
        self.programs.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The number of a command line. The text is compared too, so neither a collision nor another hash function in a
    /// later compiler can mix up two of them.
    fn command(&self, command: &Command) -> rusqlite::Result<i64> {
        let mut hasher = DefaultHasher::new();
        command.hash(&mut hasher);
        let hash = hasher.finish().cast_signed();
        let length = i64::try_from(command.length).unwrap_or(i64::MAX);
        let row = params![hash, length, command.text];
        let mut find =
            self.connection.prepare_cached("SELECT id FROM command WHERE hash = ? AND length = ? AND text = ?")?;
        if let Some(number) = find.query_row(row, |row| row.get(0)).optional()? {
            return Ok(number);
        }
        let mut insert = self.connection.prepare_cached("INSERT INTO command (hash, length, text) VALUES (?, ?, ?)")?;
        insert.insert(row)
    }
}

impl Statements {
    fn of(layout: &Layout) -> Self {
        let marks = |count: usize| vec!["?"; count].join(", ");
        let table = layout.entity.unwrap_or_default();
        let same: Vec<String> = layout.identity.iter().map(|column| format!("{column} IS ?")).collect();
        debug_assert!(layout.kind != EntityKind::Host || layout.entity.is_none());
        Self {
            find: format!("SELECT id FROM {table} WHERE {}", same.join(" AND ")),
            name: format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                layout.identity.join(", "),
                marks(layout.identity.len())
            ),
            sample: format!("INSERT OR REPLACE INTO {} VALUES ({})", layout.table, marks(1 + layout.columns.len())),
        }
    }
}
