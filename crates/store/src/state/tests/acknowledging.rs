//! Who has taken an incident on: written down once, with its history, in force until its time or the newest word.

use watchkeeper_core::evidence::Acknowledgement;
use watchkeeper_core::outbox::Outcome;

use super::super::Acknowledged;
use super::*;

fn by(author: &str, at_ms: i64, until_ms: Option<i64>) -> Acknowledgement {
    let note = until_ms.map(|_| "on it".to_owned());
    Acknowledgement { by: author.to_owned(), at_ms, until_ms, note }
}

#[test]
fn open_incidents_are_acknowledged_and_others_are_told_apart() {
    let mut world = World::new();
    let (open, mut closed) = (incident(1, 100), incident(2, 100));
    closed.closed_ms = Some(150);
    world.ledger.commit(&[opened(&open), happened(&closed, IncidentEvent::Resolved, 150)], &[]).unwrap();
    let answer = world.ledger.acknowledge(&[1, 2, 3], &by("ada", 160, Some(300))).unwrap();
    assert_eq!(answer, [Acknowledged::Done, Acknowledged::Closed(150), Acknowledged::Unknown]);
    world.restart();
    let records = world.incidents();
    let record = |key| records.iter().find(|record| record.incident.key == IncidentKey(key)).unwrap();
    assert_eq!(record(1).acknowledgements, [by("ada", 160, Some(300))]);
    let last = record(1).history.last().unwrap();
    assert_eq!((last.event, last.at_ms), (IncidentEvent::Acknowledged, 160));
    assert_eq!(last.detail.as_deref(), Some("ada: on it"));
    assert!(record(2).acknowledgements.is_empty());
}

#[test]
fn the_newest_acknowledgement_counts() {
    let mut world = World::new();
    let about =
        OutboxRow { incident: Some(IncidentKey(1)), unless: Some("acknowledged".to_owned()), ..row("a", "g", 100) };
    world.ledger.commit(&[opened(&incident(1, 100))], &[about]).unwrap();
    for (acknowledgement, now_ms, is_in_force) in [
        (by("ada", 200, Some(300)), 299, true),
        (by("ada", 301, Some(400)), 400, false),
        (by("bob", 500, None), 9_999, true),
        (by("bob", 600, Some(10_000)), 10_000, false),
    ] {
        world.ledger.acknowledge(&[1], &acknowledgement).unwrap();
        let due = claim(&mut world, now_ms);
        assert_eq!((due.len(), due[0].acknowledged), (1, is_in_force), "{acknowledgement:?} at {now_ms}");
        world.ledger.finish(due[0].id, &delivery(0, Outcome::Transient), Some(0)).unwrap();
    }
}

#[test]
fn while_the_disk_refuses_whoever_acknowledges_is_told_so() {
    let mut world = World::new();
    world.ledger.commit(&[opened(&incident(1, 100))], &[]).unwrap();
    world.refuse(true);
    let acknowledged = |world: &mut World| world.ledger.acknowledge(&[1], &by("ada", 160, None));
    let refused = acknowledged(&mut world).unwrap_err().to_string();
    assert!(refused.starts_with("cannot write an acknowledgement to ") && refused.contains("read-only"), "{refused}");
    world.ledger.commit(&[opened(&incident(2, 100))], &[]).unwrap();
    assert!(acknowledged(&mut world).unwrap_err().to_string().contains("read-only"));
    world.come_back();
    assert_eq!(acknowledged(&mut world).unwrap(), [Acknowledged::Done]);
    assert_eq!(world.incidents().iter().map(|record| record.acknowledgements.len()).sum::<usize>(), 1);
}
