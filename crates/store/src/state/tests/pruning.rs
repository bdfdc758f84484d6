//! What is deleted, and what stays.

use super::*;

const DAY_MS: i64 = 86_400_000;

#[test]
fn what_is_old_goes_and_what_waits_stays() {
    let mut world = World::new();
    let now_ms = 2_000 * DAY_MS;
    let closed = |key: u64, closed_ms: i64| Incident { closed_ms: Some(closed_ms), ..incident(key, 1) };
    let (old, young) = (now_ms - 730 * DAY_MS, now_ms - 729 * DAY_MS);
    let incidents = [closed(1, old - 1), closed(2, young), incident(3, 1), closed(4, old - 1)];
    let changes: Vec<_> = incidents.iter().map(opened).collect();
    let never = |row: OutboxRow| OutboxRow { expires_ms: i64::MAX, ..row };
    let rows = [
        row("sent long ago", "a", 0),
        row("sent lately", "b", 0),
        OutboxRow { incident: Some(IncidentKey(4)), channel: "chat".to_owned(), ..never(row("waits", "c", 0)) },
        OutboxRow { expires_ms: now_ms - DAY_MS, channel: "gone".to_owned(), ..row("never taken", "d", 0) },
        OutboxRow { expires_ms: now_ms - DAY_MS + 1, channel: "gone".to_owned(), ..row("not yet", "e", 0) },
    ];
    world.ledger.commit(&changes, &rows).unwrap();
    for (due, ts_ms) in claim(&mut world, 0).iter().zip([now_ms - 30 * DAY_MS - 1, now_ms - 30 * DAY_MS]) {
        world.ledger.finish(due.id, &delivery(ts_ms, Outcome::Sent), None).unwrap();
    }
    for ends_ms in [old - 1, young] {
        world.ledger.add_silence(&silence(1, ends_ms)).unwrap();
    }
    let pruned = world.ledger.prune(now_ms).unwrap();
    assert_eq!(pruned, crate::Pruned { incidents: 1, messages: 1, given_up: 1, silences: 1 });
    let mut keys: Vec<_> = world.incidents().iter().map(|record| record.incident.key.0).collect();
    keys.sort_unstable();
    assert_eq!(keys, [2, 3, 4]);
    let disk = world.disk();
    let left: Vec<(String, String)> = disk
        .prepare("SELECT dedup_key, state FROM outbox ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let left: Vec<_> = left.iter().map(|(key, state)| (key.as_str(), state.as_str())).collect();
    assert_eq!(left, [("sent lately", "sent"), ("waits", "pending"), ("never taken", "dead"), ("not yet", "pending")]);
    let orphans: i64 = disk
        .query_row("SELECT count(*) FROM delivery WHERE outbox NOT IN (SELECT id FROM outbox)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(orphans, 0);
    // Tickets of what is gone are not given again.
    let receipt = world.ledger.commit(&[opened(&incident(9, now_ms))], &[]).unwrap();
    assert_eq!(receipt.tickets, [(IncidentKey(9), 5)]);
}

#[test]
fn nothing_is_pruned_while_something_is_held() {
    let mut world = World::new();
    world.refuse(true);
    world.ledger.commit(&[], &[row("a", "g", 0)]).unwrap();
    assert_eq!(world.ledger.prune(i64::MAX).unwrap(), crate::Pruned::default());
    assert_eq!(world.ledger.outbox_counts().unwrap().pending, 1);
}
