//! Rows that make no sense.

use super::*;

#[test]
fn evidence_that_could_not_be_read_again_is_refused_before_anything_is_written() {
    let mut world = World::new();
    let mut wrong = incident(1, 0);
    wrong.evidence.value = f64::NAN;
    let answer = world.ledger.commit(&[opened(&wrong)], &[row("a", "g", 0)]);
    assert!(matches!(&answer, Err(LedgerError::Malformed { reason, .. }) if reason.contains("evidence")), "{answer:?}");
    assert_eq!(world.ledger.outbox_counts().unwrap().pending, 0);
}

#[test]
fn a_message_about_an_incident_of_a_newer_program_is_given_up_with_the_reason() {
    let mut world = World::new();
    let about = OutboxRow { incident: Some(IncidentKey(1)), ..row("a", "g", 0) };
    world.ledger.commit(&[opened(&incident(1, 0))], &[about, row("b", "h", 0)]).unwrap();
    world.disk().execute_batch("UPDATE incident SET evidence = '{\"version\":2}'").unwrap();
    assert_eq!(world.claimed(0, 10, 9), ["b"]);
    let (state, text): (String, String) = world
        .disk()
        .query_row("SELECT state, text FROM outbox o JOIN delivery d ON d.outbox = o.id", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(state, "dead");
    assert!(text.contains("evidence has version 2, this program knows versions up to 1"), "{text}");
    let answer = world.ledger.load();
    assert!(
        matches!(&answer, Err(LedgerError::Malformed { reason, .. }) if reason.contains("version 2")),
        "{answer:?}"
    );
}
