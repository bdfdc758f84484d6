//! A whole tick rebuilt from the log, and one process over all its ticks.

use std::cmp::Reverse;

use watchkeeper_core::port::{HistoryError, ProcessPoint};
use watchkeeper_core::snapshot::Exited;
use watchkeeper_core::{Entity, EntityKind, Gap, ProcessKey, Range, Snapshot};

use super::coverage::gap;
use super::file::LogFile;
use super::lane::{Choice, numbers};
use super::lives::Images;
use super::replay::{ExitRow, Frame, Wanted, replay};
use crate::hot::encode::PROCESSES;
use crate::hot::process::ProcessKind;

/// The last tick at or before a time. Lists are sorted by identity.
pub(super) fn snapshot(files: &[LogFile], at_ms: i64) -> Result<Option<Snapshot>, HistoryError> {
    let mut newest: Option<(&LogFile, i64, i64)> = None;
    for file in files {
        let found = last_tick(file, at_ms).map_err(|error| file.failed(&error))?;
        // Of two ticks at the same time that in the newer file counts.
        if let Some((tick, ts_ms)) = found.filter(|(_, ts_ms)| newest.is_none_or(|(_, _, newest)| *ts_ms >= newest)) {
            newest = Some((file, tick, ts_ms));
        }
    }
    let Some((file, tick, _)) = newest else { return Ok(None) };
    rebuild(file, tick).map_err(|error| file.failed(&error))
}

/// A point for each tick of the range at which the process was there.
pub(super) fn process(files: &[LogFile], key: &ProcessKey, range: Range) -> Result<Vec<ProcessPoint>, HistoryError> {
    let mut points = Vec::new();
    for file in files {
        read(file, key, range, &mut points).map_err(|error| file.failed(&error))?;
    }
    points.sort_by_key(|point| point.ts_ms);
    Ok(points)
}

fn last_tick(file: &LogFile, at_ms: i64) -> rusqlite::Result<Option<(i64, i64)>> {
    let sql = "SELECT id, ts_ms FROM tick WHERE ts_ms <= ? ORDER BY ts_ms DESC, id DESC LIMIT 1";
    let mut statement = file.connection.prepare(sql)?;
    let mut rows = statement.query([at_ms])?;
    rows.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

fn rebuild(file: &LogFile, tick: i64) -> rusqlite::Result<Option<Snapshot>> {
    let mut rebuilt = None;
    replay(file, (tick, tick), &Wanted::everything(), EntityKind::Process, |frame| rebuilt = Some(whole(frame)))?;
    let Some(mut snapshot) = rebuilt else { return Ok(None) };
    snapshot.gaps = gaps(file, tick)?;
    Ok(Some(snapshot))
}

/// The tick with everything but its gaps. Lists are sorted by identity.
pub(super) fn whole(frame: &Frame<'_>) -> Snapshot {
    let mut snapshot = frame.snapshot.clone();
    snapshot.exited = frame.exits.iter().map(exited).collect();
    snapshot.exited.sort_by_key(|exited| exited.key);
    sort(snapshot.cpus.as_mut(), |cpu| cpu.number);
    sort(snapshot.disks.as_mut(), |disk| disk.name.clone());
    sort(snapshot.filesystems.as_mut(), |filesystem| {
        (filesystem.mount_point.clone(), filesystem.device.clone(), filesystem.kind.clone())
    });
    sort(snapshot.interfaces.as_mut(), |interface| interface.name.clone());
    sort(snapshot.checks.as_mut(), |check| check.name.clone());
    // The largest first, as they are collected.
    sort(snapshot.peers.as_mut(), |peer| (Reverse(peer.connections), peer.address.clone()));
    sort(snapshot.sockets.as_mut(), |socket| {
        (socket.protocol.clone(), socket.address.clone(), socket.port, socket.uid)
    });
    if let Some(processes) = &mut snapshot.processes {
        // Hundreds, and nearly in order.
        processes.sort_by_key(|process| process.key);
    }
    snapshot
}

fn sort<T, K: Ord>(items: Option<&mut Vec<T>>, key: impl FnMut(&T) -> K) {
    if let Some(items) = items {
        items.sort_by_cached_key(key);
    }
}

fn exited(exit: &ExitRow) -> Exited {
    let process = &exit.process;
    Exited {
        key: process.key,
        parent: process.parent,
        image: process.image.clone(),
        uid: process.uid,
        ts_ms: exit.ts_ms,
        code: exit.code,
        signal: exit.signal,
        cpu: process.cpu,
        faults: process.faults,
        io: process.io,
        network: process.network,
    }
}

fn gaps(file: &LogFile, tick: i64) -> rusqlite::Result<Vec<Gap>> {
    let sql = "SELECT section, reason, count, remedy FROM gap WHERE from_tick <= ?1 AND to_tick >= ?1 ORDER BY place";
    let mut statement = file.connection.prepare(sql)?;
    let mut rows = statement.query([tick])?;
    let mut gaps = Vec::new();
    while let Some(row) = rows.next()? {
        gaps.extend(gap(row, 0)?);
    }
    Ok(gaps)
}

fn read(file: &LogFile, key: &ProcessKey, range: Range, points: &mut Vec<ProcessPoint>) -> rusqlite::Result<()> {
    let Some(bounds) = file.ticks_in(range)? else { return Ok(()) };
    let only = numbers::<ProcessKind>(&file.connection, &Entity::Process(*key))?;
    if only.is_empty() {
        return Ok(());
    }
    let mut wanted = Wanted { lanes: Default::default(), images: Images::Whole, exits: false };
    wanted.lanes[PROCESSES] = Some(Choice { groups: u32::MAX, only: Some(only) });
    replay(file, bounds, &wanted, EntityKind::Process, |frame| {
        let at = frame.tick;
        let processes = frame.snapshot.processes.iter().flatten().filter(|_| range.contains(at.at.ts_ms));
        points.extend(processes.map(|process| ProcessPoint {
            ts_ms: at.at.ts_ms,
            interval_ms: at.interval_ms,
            process: process.clone(),
        }));
    })?;
    Ok(())
}
