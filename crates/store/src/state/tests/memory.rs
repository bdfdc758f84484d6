//! The way into memory and back.

use super::*;

#[test]
fn messages_that_wait_on_disk_are_served_while_it_refuses() {
    let mut world = World::new();
    let about = OutboxRow { incident: Some(IncidentKey(1)), ..row("before", "g", 0) };
    world.ledger.commit(&[opened(&incident(1, 0))], &[about]).unwrap();
    world.refuse(true);
    let due = claim(&mut world, 0);
    assert_eq!((due[0].id, &due[0].memory_only), (1, &None));
    assert_eq!(due[0].incident.as_ref().unwrap().ticket, Some(1));
    commit(&mut world, &[row("during", "h", 0)], &refused());
    let also = claim(&mut world, 1);
    assert_eq!((also[0].id, &also[0].memory_only), (-1, &Some("the filesystem is read-only".to_owned())));
    world.ledger.finish(due[0].id, &delivery(2, Outcome::Sent), None).unwrap();
    world.come_back();
    // Claimed under its provisional number, finished after that has been replaced.
    world.ledger.finish(also[0].id, &delivery(3, Outcome::Sent), None).unwrap();
    world.restart();
    assert_eq!(claim(&mut world, 9_999), []);
    let counts = world.ledger.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.sent), (0, 2));
    let sent: i64 = world.disk().query_row("SELECT count(*) FROM delivery", [], |row| row.get(0)).unwrap();
    assert_eq!(sent, 2);
}

#[test]
fn a_commit_takes_what_was_held_along() {
    let mut world = World::new();
    world.refuse(true);
    commit(&mut world, &[row("a", "g", 0)], &refused());
    world.ledger.commit(&[opened(&incident(1, 10))], &[]).unwrap();
    assert_eq!(world.store.as_ref().unwrap().health().held, Some(held(1, 1)));
    assert_eq!(world.ledger.retry_held().unwrap().unwrap().tickets, [(IncidentKey(1), -2)]);
    world.refuse(false);
    let receipt = world.ledger.commit(&[opened(&incident(2, 20))], &[row("b", "g", 0)]).unwrap();
    assert_eq!(receipt.durability, Durability::Disk);
    assert_eq!(receipt.tickets, [(IncidentKey(1), 1), (IncidentKey(2), 2)]);
    assert_eq!(world.store.as_ref().unwrap().health().held, None);
    assert_eq!(world.claimed(0, 1, 9), ["a", "b"]);
    assert_eq!(world.ledger.retry_held().unwrap(), None);
}

#[test]
fn every_handle_sees_what_another_holds() {
    let mut world = World::new();
    let mut other = world.store.as_ref().unwrap().ledger().unwrap();
    world.refuse(true);
    commit(&mut world, &[row("a", "g", 0)], &refused());
    let due = other.claim("mail", 0, 100, 1).unwrap();
    assert_eq!(due[0].row.dedup_key, "a");
    assert_eq!(world.claimed(0, 100, 1), [""; 0]);
    // The other handle's connection can write: it brings all back.
    assert_eq!(other.retry_held().unwrap().unwrap().durability, Durability::Disk);
    world.ledger.connection.pragma_update(None, "query_only", false).unwrap();
    world.ledger.finish(due[0].id, &delivery(1, Outcome::Sent), None).unwrap();
    assert_eq!(world.ledger.outbox_counts().unwrap().sent, 1);
}

#[test]
fn provisional_numbers_are_not_used_twice() {
    let mut world = World::new();
    let mut numbers = Vec::new();
    for round in 0..3 {
        world.refuse(true);
        commit(&mut world, &[row(&format!("{round}"), "g", 0)], &refused());
        numbers.extend(claim(&mut world, 0).iter().map(|due| due.id));
        world.come_back();
    }
    assert_eq!(numbers, [-1, -2, -3]);
    for id in numbers {
        world.ledger.finish(id, &delivery(0, Outcome::Sent), None).unwrap();
    }
    assert_eq!(world.ledger.outbox_counts().unwrap().sent, 3);
}

#[test]
fn an_incident_that_is_on_disk_keeps_its_ticket_in_memory() {
    let mut world = World::new();
    world.ledger.commit(&[opened(&incident(1, 10))], &[]).unwrap();
    world.refuse(true);
    let closed = Incident { closed_ms: Some(20), ..incident(1, 10) };
    let receipt = world.ledger.commit(&[happened(&closed, IncidentEvent::Resolved, 20)], &[]).unwrap();
    assert_eq!(receipt.tickets, [(IncidentKey(1), 1)]);
    world.come_back();
    let records = world.incidents();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].incident.closed_ms, Some(20));
    let events: Vec<_> = records[0].history.iter().map(|entry| entry.event).collect();
    assert_eq!(events, [IncidentEvent::Opened, IncidentEvent::Resolved]);
}

#[test]
fn an_answer_for_a_row_that_could_not_be_read_is_kept() {
    let mut world = World::new();
    commit(&mut world, &[row("a", "g", 0)], &Durability::Disk);
    let due = claim(&mut world, 0);
    // Neither readable nor writable: the table is gone from this connection's sight.
    world.disk().execute_batch("ALTER TABLE outbox RENAME TO hidden").unwrap();
    world.ledger.finish(due[0].id, &delivery(1, Outcome::Sent), None).unwrap();
    world.disk().execute_batch("ALTER TABLE hidden RENAME TO outbox").unwrap();
    assert_eq!(world.ledger.retry_held().unwrap().unwrap().durability, Durability::Disk);
    assert_eq!(world.ledger.outbox_counts().unwrap().sent, 1);
}

fn refused() -> Durability {
    Durability::Memory("the filesystem is read-only".to_owned())
}

fn held(incidents: u64, messages: u64) -> crate::HeldHealth {
    crate::HeldHealth { reason: "the filesystem is read-only".to_owned(), incidents, messages }
}

#[test]
fn what_was_sent_before_the_disk_refused_is_not_sent_again() {
    let mut world = World::new();
    commit(&mut world, &[row("sent", "g", 0), row("waits", "h", 500)], &Durability::Disk);
    let due = claim(&mut world, 0);
    world.ledger.finish(due[0].id, &delivery(1, Outcome::Sent), None).unwrap();
    world.refuse(true);
    commit(&mut world, &[row("sent", "g", 0), row("waits", "h", 0), row("new", "i", 0)], &refused());
    assert_eq!(world.claimed(2, 3, 9), ["new"]);
    world.come_back();
    assert_eq!(world.claimed(500, 501, 9), ["new", "waits"]);
    assert_eq!(world.ledger.outbox_counts().unwrap().sent, 1);
}

#[test]
fn what_was_sent_stays_sent_even_if_the_disk_could_not_say_so() {
    let mut world = World::new();
    commit(&mut world, &[row("sent", "g", 0)], &Durability::Disk);
    let due = claim(&mut world, 0);
    world.ledger.finish(due[0].id, &delivery(1, Outcome::Sent), None).unwrap();
    // Neither readable nor writable, as a dying disk.
    world.disk().execute_batch("ALTER TABLE outbox RENAME TO hidden").unwrap();
    let receipt = world.ledger.commit(&[], &[row("sent", "g", 0), row("new", "h", 0)]).unwrap();
    assert!(matches!(receipt.durability, Durability::Memory(_)));
    world.disk().execute_batch("ALTER TABLE hidden RENAME TO outbox").unwrap();
    assert_eq!(world.ledger.retry_held().unwrap().unwrap().durability, Durability::Disk);
    assert_eq!(world.claimed(2, 3, 9), ["new"]);
    world.ledger.finish(-1, &delivery(3, Outcome::Transient), Some(9)).unwrap();
    assert_eq!(world.ledger.outbox_counts().unwrap().sent, 1);
}
