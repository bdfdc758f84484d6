//! Active checks in the log.
//!
//! Why a check failed is part of its identity, as the device is of a filesystem's: sentences are few and stay for long, so
//! a row holds none. A check that fails for another reason is another number of the same entity.

use rusqlite::types::Value;
use watchkeeper_core::catalogue::EntityRef;
use watchkeeper_core::reading::Check;
use watchkeeper_core::{EntityKind, Snapshot};

use super::layout::{Cell, Kind, Layout, gauge, text};

pub(crate) struct CheckKind;

impl Kind for CheckKind {
    type Item = Check;
    type Key = (String, String, Option<String>);

    const LAYOUT: &'static Layout = &Layout {
        kind: EntityKind::Check,
        table: "check_row",
        entity: Some("active_check"),
        identity: &["name", "target", "error"],
        columns: &[gauge(0, "up"), gauge(1, "duration_us"), gauge(2, "status"), gauge(3, "tried_mono_ms")],
        section: 1 << 8,
    };

    fn key(item: &Check, _: u32) -> Self::Key {
        (item.name.clone(), item.target.clone(), item.error.clone())
    }

    fn identity(item: &Check, _: u32) -> Vec<Value> {
        vec![
            Value::Text(item.name.clone()),
            Value::Text(item.target.clone()),
            item.error.clone().map_or(Value::Null, Value::Text),
        ]
    }

    fn item(identity: &[Value]) -> Option<Check> {
        let (name, target) = (text(identity.first())?, text(identity.get(1))?);
        Some(Check { name, target, error: text(identity.get(2)), ..Check::default() })
    }

    fn reference(item: &Check) -> EntityRef<'_> {
        EntityRef::Check(item)
    }

    fn cells(item: &Check, cells: &mut [Cell]) {
        cells[0] = item.up.map_or(Cell::Null, |up| Cell::Int(i64::from(up)));
        cells[1] = item.duration_us.map_or(Cell::Null, Cell::unsigned);
        cells[2] = item.status.map_or(Cell::Null, |status| Cell::Int(i64::from(status)));
        cells[3] = item.tried_mono_ms.map_or(Cell::Null, Cell::Int);
    }

    fn fill(item: &mut Check, cells: &[Cell]) {
        item.up = cells[0].int().map(|up| up != 0);
        item.duration_us = cells[1].count();
        item.status = cells[2].small().map(|status| u16::try_from(status).unwrap_or(u16::MAX));
        item.tried_mono_ms = cells[3].int();
    }

    fn lend(items: &mut Vec<Check>, snapshot: &mut Snapshot, listed: bool) {
        snapshot.checks = listed.then(|| std::mem::take(items));
    }

    fn take_back(items: &mut Vec<Check>, snapshot: &mut Snapshot) {
        if let Some(lent) = snapshot.checks.take() {
            *items = lent;
        }
    }
}
