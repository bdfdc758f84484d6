//! Silences: in force until their end, and what they make wait is not lost.

use super::super::{Unsilenced, silences};
use super::*;

fn times(world: &World, key: &str) -> (i64, i64, i64) {
    let sql = "SELECT due_ms, created_ms, expires_ms FROM outbox WHERE dedup_key = ?1";
    world.disk().query_row(sql, [key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

#[test]
fn a_silence_is_in_force_until_its_end_or_until_somebody_ends_it() {
    let mut world = World::new();
    assert_eq!(world.ledger.add_silence(&silence(100, 200)).unwrap(), 1);
    assert_eq!(world.ledger.add_silence(&silence(150, 900)).unwrap(), 2);
    world.restart();
    for (now_ms, expected) in [(99, &[][..]), (100, &[1]), (199, &[1, 2]), (200, &[2]), (899, &[2]), (900, &[])] {
        let numbers = |found: Vec<Silence>| found.into_iter().map(|one| one.number).collect::<Vec<_>>();
        assert_eq!(numbers(world.ledger.silences(now_ms).unwrap()), expected, "at {now_ms}");
        assert_eq!(numbers(silences(&world.path(), now_ms).unwrap()), expected, "at {now_ms}");
    }
    assert_eq!(world.ledger.silences(100).unwrap(), [Silence { number: 1, ..silence(100, 200) }]);
    assert_eq!(world.ledger.end_silence(2, 300).unwrap(), Unsilenced::Done(0));
    assert_eq!(world.ledger.silences(300).unwrap(), []);
    assert_eq!(world.ledger.end_silence(2, 400).unwrap(), Unsilenced::Over(300));
    assert_eq!(world.ledger.end_silence(3, 400).unwrap(), Unsilenced::Unknown);
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(silences(nowhere.path(), 0).unwrap(), []);
}

#[test]
fn a_row_that_waits_keeps_the_time_it_has_to_be_sent() {
    let mut world = World::new();
    world.ledger.add_silence(&silence(0, 5_000)).unwrap();
    commit(&mut world, &[row("a", "g", 100), row("b", "h", 100)], &Durability::Disk);
    let due = claim(&mut world, 100);
    // Asked twice, as when its group is claimed for another row.
    for _ in 0..2 {
        world.ledger.postpone(due[0].id, 5_000).unwrap();
        assert_eq!(times(&world, "a"), (5_000, 5_000, 1_000_000 + 4_900));
    }
    assert_eq!(world.claimed(200, 9_000, 9), ["b"], "the lease of the other is over, this one is not due");
    assert_eq!(world.ledger.end_silence(1, 300).unwrap(), Unsilenced::Done(1));
    assert_eq!(times(&world, "a"), (300, 300, 1_000_200));
    let due = claim(&mut world, 300);
    assert_eq!((due[0].row.dedup_key.as_str(), due[0].attempts), ("a", 0));
    world.ledger.finish(due[0].id, &delivery(300, Outcome::Sent), None).unwrap();
    world.ledger.postpone(due[0].id, 9_000).unwrap();
    assert_eq!(times(&world, "a").0, 300, "what is over does not wait");
}

#[test]
fn while_the_disk_refuses_silences_are_in_force_and_what_waits_comes_back_with_it() {
    let mut world = World::new();
    world.ledger.add_silence(&silence(0, 5_000)).unwrap();
    commit(&mut world, &[row("a", "g", 100)], &Durability::Disk);
    world.refuse(true);
    commit(&mut world, &[row("b", "g", 100)], &Durability::Memory("the filesystem is read-only".to_owned()));
    assert_eq!(world.ledger.silences(100).unwrap().len(), 1);
    let refused = world.ledger.add_silence(&silence(0, 9)).unwrap_err().to_string();
    assert!(refused.starts_with("cannot write a silence to ") && refused.contains("read-only"), "{refused}");
    assert!(world.ledger.end_silence(1, 100).is_err());
    for due in claim(&mut world, 100) {
        assert!(due.told, "what was sent before is not known now");
        world.ledger.postpone(due.id, 5_000).unwrap();
    }
    assert_eq!(world.next_due(), Some(5_000));
    world.come_back();
    for key in ["a", "b"] {
        assert_eq!(times(&world, key), (5_000, 5_000, 1_000_000 + 4_900), "{key}");
    }
    assert_eq!(world.ledger.end_silence(1, 200).unwrap(), Unsilenced::Done(2));
}

#[test]
fn who_was_told_of_an_incident_is_known_by_channel_and_recipient() {
    let mut world = World::new();
    let about = |key: &str, recipient: &str, due_ms: i64| OutboxRow {
        incident: Some(IncidentKey(1)),
        recipient: recipient.to_owned(),
        ..row(key, "g", due_ms)
    };
    let rows = [about("a1", "a", 100), about("b1", "b", 100)];
    world.ledger.commit(&[opened(&incident(1, 100))], &rows).unwrap();
    for (due, outcome) in claim(&mut world, 100).iter().zip([Outcome::Sent, Outcome::Dead]) {
        assert!(!due.told);
        world.ledger.finish(due.id, &delivery(100, outcome), None).unwrap();
    }
    commit(&mut world, &[about("a2", "a", 200), about("b2", "b", 200), row("c", "h", 200)], &Durability::Disk);
    let told: Vec<_> = claim(&mut world, 200).into_iter().map(|due| (due.row.dedup_key, due.told)).collect();
    assert_eq!(told, [("a2".to_owned(), true), ("b2".to_owned(), false), ("c".to_owned(), false)]);
}
