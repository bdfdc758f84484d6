//! Since when messages wait that should have been sent.

use super::*;

#[test]
fn the_oldest_message_that_should_have_been_sent_is_known_on_disk_and_in_memory() {
    for is_held in [false, true] {
        let mut world = World::new();
        world.refuse(is_held);
        assert_eq!(world.ledger.held_because(), None);
        let rows = [row("now", "a", 1_000), row("later", "b", 5_000), row("much later", "c", 900_000)];
        world.ledger.commit(&[], &rows).unwrap();
        assert_eq!(world.ledger.held_because().is_some(), is_held);
        let mut since = |now_ms| world.ledger.waiting_since(now_ms).unwrap();
        assert_eq!(since(999), None, "nothing is due");
        assert_eq!((since(1_000), since(6_000)), (Some(1_000), Some(1_000)));

        // A failed attempt puts it off; it has still waited since then.
        let due = world.ledger.claim("mail", 2_000, 3_000, 1).unwrap();
        world.ledger.finish(due[0].id, &delivery(2_500, Outcome::Transient), Some(600_000)).unwrap();
        assert_eq!(world.ledger.waiting_since(2_600).unwrap(), Some(2_500));
        world.ledger.finish(due[0].id, &delivery(2_700, Outcome::Transient), Some(700_000)).unwrap();
        assert_eq!(world.ledger.waiting_since(6_000).unwrap(), Some(2_500), "the first attempt counts");

        // What waits for the end of a silence should not have been sent.
        let due = world.ledger.claim("mail", 6_000, 7_000, 1).unwrap();
        world.ledger.postpone(due[0].id, 800_000_000).unwrap();
        let first = if is_held { -1 } else { 1 };
        world.ledger.finish(first, &delivery(6_100, Outcome::Sent), None).unwrap();
        assert_eq!(world.ledger.waiting_since(6_200).unwrap(), None, "held: {is_held}");
    }
}
