//! What every user of a ledger relies on. Each story runs twice: on disk, and in memory while the disk refuses; in the
//! second case the disk then comes back and must hold the same.

use super::*;

macro_rules! ledger_contract {
    ($($story:ident)*) => {
        mod on_disk {
            use super::*;
            $(#[test] fn $story() { super::$story(&mut World::new(), &Durability::Disk); })*
        }
        mod held_in_memory {
            use super::*;
            $(#[test] fn $story() {
                let mut world = World::new();
                world.refuse(true);
                super::$story(&mut world, &Durability::Memory("the filesystem is read-only".to_owned()));
            })*
        }
    };
}

ledger_contract! {
    an_incident_gets_a_ticket_and_is_found_again
    an_incident_keeps_its_ticket_and_collects_its_history
    alerts_are_known_until_they_are_over
    a_dedup_key_is_sent_once
    a_group_is_claimed_whole_once_its_first_row_is_due
    at_most_so_many_groups_are_claimed_the_oldest_first
    a_row_belongs_to_one_worker_until_its_lease_ends
    every_outcome_leaves_its_row_as_it_must
    a_row_that_expired_is_given_up
    the_next_due_time_counts_leases
    waiting_rows_can_be_woken
    an_acceptance_that_comes_late_counts
    messages_carry_the_incident_as_it_stands
    unknown_numbers_are_refused
}

fn an_incident_gets_a_ticket_and_is_found_again(world: &mut World, durability: &Durability) {
    let (first, second) = (incident(u64::MAX - 1, 100), incident(7, 100));
    let receipt = world.ledger.commit(&[opened(&first), opened(&second)], &[]).unwrap();
    assert_eq!(receipt.durability, *durability);
    let sign = if *durability == Durability::Disk { 1 } else { -1 };
    assert_eq!(receipt.tickets, [(first.key, sign), (second.key, 2 * sign)]);
    let expected = |sign: i64| {
        [
            Incident { ticket: Some(2 * sign), ..incident(7, 100) },
            Incident { ticket: Some(sign), ..incident(u64::MAX - 1, 100) },
        ]
    };
    let mut loaded = world.ledger.load().unwrap();
    loaded.incidents.sort_by_key(|incident| incident.key);
    assert_eq!(loaded.host, world.store.as_ref().unwrap().host_id());
    assert_eq!(loaded.incidents, expected(sign));
    world.come_back();
    world.restart();
    let mut loaded = world.ledger.load().unwrap();
    loaded.incidents.sort_by_key(|incident| incident.key);
    assert_eq!(loaded.incidents, expected(1));
}

fn an_incident_keeps_its_ticket_and_collects_its_history(world: &mut World, _: &Durability) {
    let mut life = incident(1, 100);
    let first = world.ledger.commit(&[opened(&life)], &[]).unwrap();
    life.alerts.push(Fingerprint(5));
    life.joined.push(joined(200));
    life.severity = Severity::Critical;
    let changes = [IncidentEvent::Joined, IncidentEvent::Severity].map(|event| happened(&life, event, 200));
    let second = world.ledger.commit(&changes, &[]).unwrap();
    life.joined.extend([joined(250), joined(250)]);
    world.ledger.commit(&[happened(&life, IncidentEvent::Joined, 250)], &[]).unwrap();
    life.times = 37;
    let later = [IncidentEvent::Joined, IncidentEvent::Left, IncidentEvent::Flapping, IncidentEvent::Storm];
    world.ledger.commit(&later.map(|event| happened(&life, event, 270)), &[]).unwrap();
    assert_eq!(first.tickets, second.tickets);
    life.closed_ms = Some(300);
    world.ledger.commit(&[happened(&life, IncidentEvent::Resolved, 300)], &[]).unwrap();
    assert_eq!(world.ledger.load().unwrap().incidents, []);
    world.come_back();
    let records = world.incidents();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].incident, Incident { ticket: Some(1), ..life });
    let history: Vec<_> =
        records[0].history.iter().map(|entry| (entry.at_ms, entry.event, entry.detail.as_deref())).collect();
    assert_eq!(
        history,
        [
            (100, IncidentEvent::Opened, None),
            (200, IncidentEvent::Joined, Some("disk almost full: /var \u{1b}[31m")),
            (200, IncidentEvent::Severity, Some("critical")),
            (250, IncidentEvent::Joined, Some("disk almost full: /var \u{1b}[31m and 1 more")),
            (270, IncidentEvent::Joined, Some("it has fired 37 times")),
            (270, IncidentEvent::Left, None),
            (270, IncidentEvent::Flapping, Some("4 times")),
            (270, IncidentEvent::Storm, None),
            (300, IncidentEvent::Resolved, None),
        ]
    );
    // Updates use up no numbers.
    let next = world.ledger.commit(&[opened(&incident(2, 400))], &[]).unwrap();
    assert_eq!(next.tickets, [(IncidentKey(2), 2)]);
}

fn alerts_are_known_until_they_are_over(world: &mut World, _: &Durability) {
    let states = [
        (1, AlertState::Pending),
        (2, AlertState::Firing),
        (u64::MAX, AlertState::Recovering),
        (4, AlertState::Firing),
        (5, AlertState::Pending),
        (6, AlertState::Firing),
    ];
    let changes: Vec<_> = states.map(|(fingerprint, state)| Change::Alert(alert(fingerprint, state))).into();
    world.ledger.commit(&changes, &[]).unwrap();
    let over = [(4, AlertState::Resolved), (5, AlertState::Inactive), (6, AlertState::Ended)];
    let changes: Vec<_> = over.map(|(fingerprint, state)| Change::Alert(alert(fingerprint, state))).into();
    world.ledger.commit(&changes, &[]).unwrap();
    let expected =
        [alert(1, AlertState::Pending), alert(2, AlertState::Firing), alert(u64::MAX, AlertState::Recovering)];
    for restarted in [false, true] {
        if restarted {
            world.come_back();
            world.restart();
        }
        let mut alerts = world.ledger.load().unwrap().alerts;
        alerts.sort_by_key(|alert| alert.fingerprint);
        assert_eq!(alerts, expected, "restarted: {restarted}");
    }
}

fn a_dedup_key_is_sent_once(world: &mut World, durability: &Durability) {
    commit(world, &[row("a", "g", 0), row("a", "g", 0)], durability);
    commit(world, &[row("a", "other", 0)], durability);
    let due = claim(world, 0);
    assert_eq!(due.len(), 1);
    world.ledger.finish(due[0].id, &delivery(1, Outcome::Sent), None).unwrap();
    commit(world, &[row("a", "g", 0)], durability);
    assert_eq!(claim(world, 10), []);
    world.come_back();
    assert_eq!(claim(world, 10), []);
    commit(world, &[row("a", "g", 0)], &Durability::Disk);
    assert_eq!(world.ledger.outbox_counts().unwrap().sent, 1);
}

fn a_group_is_claimed_whole_once_its_first_row_is_due(world: &mut World, durability: &Durability) {
    let to = |recipient: &str, row: OutboxRow| OutboxRow { recipient: recipient.to_owned(), ..row };
    let rows = [
        row("late", "g", 500),
        row("first", "g", 100),
        to("dba@example.com", row("other recipient", "g", 300)),
        row("other group", "h", 200),
        OutboxRow { channel: "chat".to_owned(), ..row("other channel", "g", 0) },
    ];
    commit(world, &rows, durability);
    assert_eq!(world.claimed(99, 1_000, 9), [""; 0]);
    assert_eq!(world.claimed(100, 1_000, 9), ["first", "late"]);
    assert_eq!(world.claimed(300, 1_000, 9), ["other group", "other recipient"]);
    assert_eq!(world.claimed(1_000, 1_001, 9), ["first", "late", "other group", "other recipient"]);
}

fn at_most_so_many_groups_are_claimed_the_oldest_first(world: &mut World, durability: &Durability) {
    let rows = [row("c", "3", 30), row("a", "1", 10), row("a2", "1", 40), row("b", "2", 20)];
    commit(world, &rows, durability);
    assert_eq!(world.claimed(50, 1_000, 2), ["a", "a2", "b"]);
    assert_eq!(world.claimed(50, 1_000, 2), ["c"]);
    assert_eq!(world.claimed(50, 1_000, 0), [""; 0]);
}

fn a_row_belongs_to_one_worker_until_its_lease_ends(world: &mut World, durability: &Durability) {
    commit(world, &[row("a", "g", 100)], durability);
    assert_eq!(world.claimed(100, 135, 9), ["a"]);
    commit(world, &[row("b", "g", 110)], durability);
    assert_eq!(world.claimed(134, 170, 9), ["b"]);
    assert_eq!(world.claimed(135, 160, 9), ["a"]);
    world.come_back();
    assert_eq!(world.claimed(159, 200, 9), [""; 0]);
    assert_eq!(world.claimed(160, 200, 9), ["a"]);
    // Who held a lease in a process that is no more will not finish.
    world.restart();
    assert_eq!(world.claimed(161, 200, 9), ["a", "b"]);
}

fn every_outcome_leaves_its_row_as_it_must(world: &mut World, durability: &Durability) {
    let cases = [
        (Outcome::Sent, Some(900), "sent", 1, None),
        (Outcome::Dead, Some(900), "dead", 1, None),
        (Outcome::Needless, Some(900), "needless", 0, None),
        (Outcome::Transient, Some(900), "pending", 1, Some(900)),
        (Outcome::Channel, Some(901), "pending", 1, Some(901)),
        (Outcome::Transient, None, "pending", 1, Some(205)),
        (Outcome::Channel, Some(i64::MAX), "pending", 1, Some(1_000_000)),
    ];
    for (index, (outcome, next_due_ms, _, _, expected_due_ms)) in cases.into_iter().enumerate() {
        let key = index.to_string();
        commit(world, &[OutboxRow { channel: key.clone(), ..row(&key, "g", 200) }], durability);
        let due = world.ledger.claim(&key, 200, 300, 1).unwrap();
        assert_eq!((due.len(), due[0].attempts), (1, 0));
        world.ledger.finish(due[0].id, &delivery(205, outcome), next_due_ms).unwrap();
        assert_eq!(world.ledger.next_due(&key).unwrap(), expected_due_ms, "{outcome:?}");
        assert_eq!(world.ledger.claim(&key, 204, 300, 1).unwrap(), []);
    }
    // Whoever sent a test message was told what became of it: it is not counted as lost.
    commit(world, &[OutboxRow { event: None, channel: "test".to_owned(), ..row("test", "g", 200) }], durability);
    let test = world.ledger.claim("test", 200, 300, 1).unwrap();
    world.ledger.finish(test[0].id, &delivery(205, Outcome::Dead), None).unwrap();
    let counts = world.ledger.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.sent, counts.dead, counts.oldest_pending_ms), (4, 1, 1, Some(200)));
    world.come_back();
    assert_eq!(world.ledger.outbox_counts().unwrap(), counts);
    let disk = world.disk();
    for (index, (outcome, _, state, attempts, _)) in cases.into_iter().enumerate() {
        let sql = "SELECT o.state, o.attempts, o.lease_until_ms, o.finished_ms, d.outcome, d.code, d.text, d.ts_ms \
                   FROM outbox o JOIN delivery d ON d.outbox = o.id WHERE o.dedup_key = ?1";
        disk.query_row(sql, [index.to_string()], |row| {
            assert_eq!((row.get::<_, String>(0)?.as_str(), row.get::<_, i64>(1)?), (state, attempts));
            assert_eq!(row.get::<_, Option<i64>>(2)?, None);
            assert_eq!(row.get::<_, Option<i64>>(3)?, (state != "pending").then_some(205));
            assert_eq!(row.get::<_, String>(4)?, outcome.word());
            assert_eq!((row.get::<_, u16>(5)?, row.get::<_, String>(6)?), (250, "an answer".to_owned()));
            assert_eq!(row.get::<_, i64>(7)?, 205);
            Ok(())
        })
        .unwrap();
    }
}

fn a_row_that_expired_is_given_up(world: &mut World, durability: &Durability) {
    commit(world, &[OutboxRow { expires_ms: 1_000, ..row("a", "g", 0) }], durability);
    let due = claim(world, 900);
    world.ledger.finish(due[0].id, &delivery(999, Outcome::Transient), Some(5_000)).unwrap();
    // Its last attempt is at the moment it expires, not at some time after.
    assert_eq!(world.next_due(), Some(1_000));
    let due = claim(world, 1_000);
    assert_eq!(due[0].attempts, 1);
    world.ledger.finish(due[0].id, &delivery(1_000, Outcome::Transient), Some(1_001)).unwrap();
    assert_eq!((world.next_due(), world.ledger.outbox_counts().unwrap().dead), (None, 1));
    world.come_back();
    assert_eq!((world.next_due(), world.ledger.outbox_counts().unwrap().dead), (None, 1));
}

fn the_next_due_time_counts_leases(world: &mut World, durability: &Durability) {
    assert_eq!(world.next_due(), None);
    commit(world, &[row("a", "g", 100), row("b", "h", 200)], durability);
    assert_eq!(world.next_due(), Some(100));
    world.claimed(100, 150, 9);
    assert_eq!(world.next_due(), Some(150));
    world.claimed(150, 400, 9);
    assert_eq!(world.next_due(), Some(200));
    assert_eq!(world.ledger.next_due("chat").unwrap(), None);
}

fn waiting_rows_can_be_woken(world: &mut World, durability: &Durability) {
    commit(world, &[row("tried", "g", 0), row("leased", "h", 0)], durability);
    for due in claim(world, 0) {
        world.ledger.finish(due.id, &delivery(1, Outcome::Transient), Some(900)).unwrap();
    }
    commit(world, &[row("untried", "i", 800)], durability);
    assert_eq!(world.ledger.wake("chat", 10).unwrap(), 0);
    assert_eq!(world.ledger.wake("mail", 10).unwrap(), 2);
    assert_eq!(world.claimed(10, 50, 1), ["tried"]);
    assert_eq!(world.ledger.wake("mail", 9).unwrap(), 1, "the one that is free and due later");
    assert_eq!(world.claimed(9, 50, 9), ["leased"]);
    assert_eq!(world.next_due(), Some(50));
}

fn an_acceptance_that_comes_late_counts(world: &mut World, durability: &Durability) {
    commit(world, &[row("a", "g", 0)], durability);
    let first = claim(world, 0);
    let second = claim(world, 500);
    assert_eq!(first[0].id, second[0].id);
    world.ledger.finish(second[0].id, &delivery(501, Outcome::Dead), None).unwrap();
    world.ledger.finish(first[0].id, &delivery(502, Outcome::Sent), None).unwrap();
    for outcome in [Outcome::Transient, Outcome::Dead, Outcome::Needless] {
        world.ledger.finish(second[0].id, &delivery(503, outcome), Some(900)).unwrap();
    }
    assert_eq!(world.next_due(), None);
    let counts = world.ledger.outbox_counts().unwrap();
    assert_eq!((counts.sent, counts.dead), (1, 0));
}

fn messages_carry_the_incident_as_it_stands(world: &mut World, durability: &Durability) {
    let mut life = incident(1, 100);
    let about = |key: &str| OutboxRow {
        incident: Some(IncidentKey(1)),
        event: Some(IncidentEvent::Opened),
        unless: Some("acknowledged".to_owned()),
        ..row(key, key, 100)
    };
    world.ledger.commit(&[opened(&life)], &[about("a")]).unwrap();
    life.closed_ms = Some(150);
    world.ledger.commit(&[happened(&life, IncidentEvent::Resolved, 150)], &[]).unwrap();
    let due = claim(world, 200);
    let sign = if *durability == Durability::Disk { 1 } else { -1 };
    assert_eq!(due[0].row, about("a"));
    assert_eq!(due[0].incident.as_deref(), Some(&Incident { ticket: Some(sign), ..life }));
    assert!(!due[0].acknowledged);
    let reason = match durability {
        Durability::Disk => None,
        Durability::Memory(reason) => Some(reason.clone()),
    };
    assert_eq!(due[0].memory_only, reason);
    world.come_back();
    for (until, now_ms, acknowledged) in [("300", 299, true), ("300", 300, false), ("NULL", 9_999, true)] {
        let sql = format!(
            "DELETE FROM acknowledgement; \
             INSERT INTO acknowledgement (incident, author, at_ms, until_ms) VALUES (1, 'ada', 160, {until})"
        );
        world.disk().execute_batch(&sql).unwrap();
        let due = claim(world, now_ms);
        assert_eq!((due.len(), due[0].acknowledged), (1, acknowledged), "until {until} at {now_ms}");
        assert_eq!((due[0].incident.as_ref().unwrap().ticket, &due[0].memory_only), (Some(1), &None));
        world.ledger.finish(due[0].id, &delivery(0, Outcome::Transient), Some(0)).unwrap();
    }
    let record = &world.incidents()[0];
    assert_eq!(record.acknowledgements[0].by, "ada");
    let message = &record.messages[0];
    assert_eq!((message.event.as_str(), message.state.as_str(), message.attempts), ("opened", "pending", 3));
    assert_eq!(message.last, Some(delivery(0, Outcome::Transient)));
}

fn unknown_numbers_are_refused(world: &mut World, durability: &Durability) {
    commit(world, &[row("a", "g", 0)], durability);
    let answer = world.ledger.finish(-77, &delivery(0, Outcome::Sent), None);
    assert!(matches!(answer, Err(LedgerError::Malformed { .. })), "{answer:?}");
}
