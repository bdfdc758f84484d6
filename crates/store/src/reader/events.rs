//! Things that happened.

use watchkeeper_core::port::{Event, HistoryError};
use watchkeeper_core::{BootId, ProcessKey, Range};

use super::file::LogFile;

/// An end is noticed at the next look: an hour later at the longest interval.
pub(super) const LATEST_NOTICE_MS: i64 = 3_600_000;

/// Events and exits in the range, oldest first.
pub(super) fn events(files: &[LogFile], range: Range) -> Result<Vec<Event>, HistoryError> {
    let mut events = Vec::new();
    for file in files {
        read_events(file, range, &mut events)
            .and_then(|()| read_exits(file, range, &mut events))
            .map_err(|error| file.failed(&error))?;
    }
    events.sort_by_key(|event| event.ts_ms);
    Ok(events)
}

fn read_events(file: &LogFile, range: Range, events: &mut Vec<Event>) -> rusqlite::Result<()> {
    let mut statement = file.connection.prepare(
        "SELECT t.ts_ms, e.kind, e.detail, b.boot_id, p.pid, p.start_ticks FROM event AS e \
         JOIN tick AS t ON t.id = e.tick LEFT JOIN process AS p ON p.id = e.process \
         LEFT JOIN boot AS b ON b.id = p.boot WHERE t.ts_ms >= ? AND t.ts_ms < ? ORDER BY e.id",
    )?;
    let mut rows = statement.query([range.from_ms, range.to_ms])?;
    while let Some(row) = rows.next()? {
        events.push(Event { ts_ms: row.get(0)?, kind: row.get(1)?, detail: row.get(2)?, process: key(row, 3)? });
    }
    Ok(())
}

fn read_exits(file: &LogFile, range: Range, events: &mut Vec<Event>) -> rusqlite::Result<()> {
    let Some((first, last)) = file.ticks_in(Range::new(range.from_ms, range.to_ms.saturating_add(LATEST_NOTICE_MS)))?
    else {
        return Ok(());
    };
    let mut statement = file.connection.prepare(
        "SELECT x.ts_ms, x.code, x.signal, b.boot_id, p.pid, p.start_ticks, (\
           SELECT i.name FROM image AS i WHERE i.process = x.process AND i.from_tick <= x.tick \
           ORDER BY i.from_tick DESC LIMIT 1) \
         FROM exit AS x JOIN process AS p ON p.id = x.process JOIN boot AS b ON b.id = p.boot \
         WHERE x.tick BETWEEN ?1 AND ?2 AND x.ts_ms >= ?3 AND x.ts_ms < ?4 ORDER BY x.tick, x.process",
    )?;
    let mut rows = statement.query([first, last, range.from_ms, range.to_ms])?;
    while let Some(row) = rows.next()? {
        let name = row.get::<_, Option<String>>(6)?.unwrap_or_default();
        let detail = match (row.get::<_, Option<i32>>(1)?, row.get::<_, Option<i32>>(2)?) {
            (_, Some(signal)) => format!("{name} ended by signal {signal}"),
            (Some(code), None) => format!("{name} ended with code {code}"),
            (None, None) => format!("{name} ended"),
        };
        events.push(Event { ts_ms: row.get(0)?, kind: "exit".to_owned(), process: key(row, 3)?, detail });
    }
    Ok(())
}

/// A process out of the columns boot id, pid, start ticks.
fn key(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<ProcessKey>> {
    let Some(boot) = row.get::<_, Option<String>>(at)? else { return Ok(None) };
    let boot = boot.parse().map(BootId).unwrap_or_default();
    let start_ticks = row.get::<_, i64>(at + 2)?.max(0).cast_unsigned();
    Ok(Some(ProcessKey { boot, pid: row.get(at + 1)?, start_ticks }))
}
