//! Random lives of a ledger against a model that is too simple to be wrong: what is committed is sent exactly as often as
//! a peer accepted it, nothing is lost and nothing appears, whatever the disk, the workers and the clock do.

use proptest::prelude::*;

use super::super::Unsilenced;
use super::*;

const GROUPS: [&str; 3] = ["g", "h", "i"];
const RECIPIENTS: [&str; 2] = ["ops@example.com", "dba@example.com"];
const LEASE_MS: i64 = 35;
const LIFE_MS: i64 = 400;

#[derive(Clone, Debug)]
enum Step {
    /// Commits an incident, new or known, and messages about it: (dedup number, group, recipient, due in).
    Commit {
        incident: u64,
        rows: Vec<(u8, usize, usize, i64)>,
    },
    /// Claims by one of the handles, at most so many groups.
    Claim {
        handle: usize,
        limit: usize,
    },
    /// Finishes the claim at this place among those that workers hold.
    Finish {
        handle: usize,
        place: usize,
        outcome: Outcome,
        next_in_ms: i64,
    },
    /// Gives the claim at this place back until a silence ends.
    Postpone {
        handle: usize,
        place: usize,
        for_ms: i64,
    },
    /// Somebody makes a silence.
    Silence {
        for_ms: i64,
    },
    /// Somebody ends the silence at this place.
    Unsilence {
        place: usize,
    },
    Wake,
    Pass {
        ms: i64,
    },
    DiskRefuses,
    DiskComesBack {
        handle: usize,
    },
    /// Only while nothing is held: what is held does not outlive the process, and is not promised to.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0_u8..14, 0..GROUPS.len(), 0..RECIPIENTS.len(), -20_i64..60);
    let outcome = prop_oneof![
        3 => Just(Outcome::Sent),
        4 => Just(Outcome::Transient),
        1 => Just(Outcome::Channel),
        1 => Just(Outcome::Dead),
        1 => Just(Outcome::Needless),
    ];
    prop_oneof![
        4 => (0_u64..8, prop::collection::vec(row, 0..4)).prop_map(|(incident, rows)| Step::Commit { incident, rows }),
        6 => (0_usize..2, 0_usize..4).prop_map(|(handle, limit)| Step::Claim { handle, limit }),
        6 => (0_usize..2, 0_usize..8, outcome, 0_i64..80).prop_map(|(handle, place, outcome, next_in_ms)| {
            Step::Finish { handle, place, outcome, next_in_ms }
        }),
        3 => (0_usize..2, 0_usize..8, 1_i64..100).prop_map(|(handle, place, for_ms)| {
            Step::Postpone { handle, place, for_ms }
        }),
        1 => (1_i64..100).prop_map(|for_ms| Step::Silence { for_ms }),
        2 => (0_usize..4).prop_map(|place| Step::Unsilence { place }),
        1 => Just(Step::Wake),
        4 => (1_i64..50).prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::DiskRefuses),
        2 => (0_usize..2).prop_map(|handle| Step::DiskComesBack { handle }),
        1 => Just(Step::Crash),
    ]
}

/// A message as the model knows it.
#[derive(Clone, Debug)]
struct Message {
    row: OutboxRow,
    state: &'static str,
    due_ms: i64,
    lease_until_ms: i64,
    attempts: u32,
    accepted: u32,
    answers: u32,
}

#[derive(Default)]
struct Model {
    now_ms: i64,
    messages: Vec<Message>,
    /// Claims that a worker holds: number of the row, and dedup key.
    claims: Vec<(i64, String)>,
    /// When each silence ends.
    silences: Vec<i64>,
    /// Numbers of the incidents on disk by their keys.
    tickets: BTreeMap<u64, i64>,
}

impl Model {
    fn is_free(&self, message: &Message) -> bool {
        message.state == "pending" && message.lease_until_ms <= self.now_ms
    }

    fn commit(&mut self, rows: &[OutboxRow]) {
        for row in rows {
            let known = self.messages.iter_mut().find(|message| message.row.dedup_key == row.dedup_key);
            if let Some(known) = known {
                let untouched = known.state == "pending" && known.attempts == 0 && known.lease_until_ms == i64::MIN;
                if untouched && known.row.group_key != row.group_key {
                    known.row.group_key.clone_from(&row.group_key);
                    known.due_ms = row.due_ms;
                }
            } else {
                self.messages.push(Message {
                    row: row.clone(),
                    state: "pending",
                    due_ms: row.due_ms,
                    lease_until_ms: i64::MIN,
                    attempts: 0,
                    accepted: 0,
                    answers: 0,
                });
            }
        }
    }

    /// The dedup keys and attempts that a claim must answer.
    fn claim(&mut self, limit: usize) -> Vec<(String, u32)> {
        let mut groups: Vec<(i64, i64, usize, (String, String))> = Vec::new();
        for (order, message) in self.messages.iter().enumerate() {
            let name = (message.row.group_key.clone(), message.row.recipient.clone());
            if self.is_free(message) && message.due_ms <= self.now_ms {
                match groups.iter_mut().find(|group| group.3 == name) {
                    Some(group) => {
                        group.0 = group.0.min(message.due_ms);
                        group.1 = group.1.min(message.row.created_ms);
                    }
                    None => groups.push((message.due_ms, message.row.created_ms, order, name)),
                }
            }
        }
        groups.sort();
        groups.truncate(limit);
        let mut claimed = Vec::new();
        for (_, _, _, name) in groups {
            let mut places: Vec<usize> = (0..self.messages.len())
                .filter(|place| {
                    let message = &self.messages[*place];
                    self.is_free(message) && (&message.row.group_key, &message.row.recipient) == (&name.0, &name.1)
                })
                .collect();
            places.sort_by_key(|place| (self.messages[*place].row.created_ms, *place));
            for place in places {
                let message = &mut self.messages[place];
                message.lease_until_ms = self.now_ms + LEASE_MS;
                claimed.push((message.row.dedup_key.clone(), message.attempts));
            }
        }
        claimed
    }

    fn finish(&mut self, dedup_key: &str, outcome: Outcome, next_due_ms: i64) {
        let now_ms = self.now_ms;
        let message = self.messages.iter_mut().find(|message| message.row.dedup_key == dedup_key).unwrap();
        message.answers += 1;
        message.attempts += u32::from(outcome != Outcome::Needless);
        message.accepted += u32::from(outcome == Outcome::Sent);
        let was_pending = message.state == "pending";
        match outcome {
            Outcome::Sent => message.state = "sent",
            _ if !was_pending => {}
            Outcome::Dead => message.state = "dead",
            Outcome::Needless => message.state = "needless",
            Outcome::Transient | Outcome::Channel if now_ms >= message.row.expires_ms => message.state = "dead",
            Outcome::Transient | Outcome::Channel => {
                message.due_ms = next_due_ms.min(message.row.expires_ms);
                message.lease_until_ms = i64::MIN;
            }
        }
    }

    fn postpone(&mut self, dedup_key: &str, until_ms: i64) {
        let message = self.messages.iter_mut().find(|message| message.row.dedup_key == dedup_key).unwrap();
        if message.state == "pending" {
            message.row.expires_ms += (until_ms - message.row.created_ms).max(0);
            message.row.created_ms = message.row.created_ms.max(until_ms);
            message.due_ms = until_ms;
            message.lease_until_ms = i64::MIN;
        }
    }

    /// Answers how many messages waited for it.
    fn unsilence(&mut self, number: usize) -> Option<u64> {
        let ends_ms = std::mem::replace(&mut self.silences[number], self.now_ms);
        if ends_ms <= self.now_ms {
            self.silences[number] = ends_ms;
            return None;
        }
        let mut woken = 0;
        for message in &mut self.messages {
            if message.state == "pending" && (message.due_ms, message.row.created_ms) == (ends_ms, ends_ms) {
                message.row.expires_ms -= ends_ms - self.now_ms;
                (message.due_ms, message.row.created_ms) = (self.now_ms, self.now_ms);
                woken += 1;
            }
        }
        Some(woken)
    }

    fn wake(&mut self) -> u64 {
        let now_ms = self.now_ms;
        let waiting: Vec<usize> = (0..self.messages.len())
            .filter(|place| {
                let message = &self.messages[*place];
                self.is_free(message) && message.attempts > 0 && message.due_ms > now_ms
            })
            .collect();
        for place in &waiting {
            self.messages[*place].due_ms = now_ms;
        }
        waiting.len() as u64
    }

    fn next_due(&self) -> Option<i64> {
        let pending = self.messages.iter().filter(|message| message.state == "pending");
        pending.map(|message| message.due_ms.max(message.lease_until_ms)).min()
    }

    fn crash(&mut self) {
        self.claims.clear();
        for message in &mut self.messages {
            message.lease_until_ms = i64::MIN;
        }
    }

    fn count(&self, state: &str) -> u64 {
        self.messages.iter().filter(|message| message.state == state).count() as u64
    }
}

/// A world with two handles, lived beside the model.
struct Life {
    world: World,
    other: SqliteLedger,
    model: Model,
}

impl Life {
    fn handle(&mut self, number: usize) -> &mut SqliteLedger {
        if number == 0 { &mut self.world.ledger } else { &mut self.other }
    }

    fn refuse(&self, refuse: bool) {
        self.world.refuse(refuse);
        self.other.connection.pragma_update(None, "query_only", refuse).unwrap();
    }

    fn is_held(&self) -> bool {
        self.world.store.as_ref().unwrap().health().held.is_some()
    }

    fn live(&mut self, step: Step) {
        let now_ms = self.model.now_ms;
        match step {
            Step::Commit { incident: key, rows } => {
                let rows: Vec<OutboxRow> = rows
                    .into_iter()
                    .map(|(number, group, recipient, due_in_ms)| OutboxRow {
                        incident: Some(IncidentKey(key)),
                        recipient: RECIPIENTS[recipient].to_owned(),
                        created_ms: now_ms,
                        expires_ms: now_ms + LIFE_MS,
                        ..row(&number.to_string(), GROUPS[group], now_ms + due_in_ms)
                    })
                    .collect();
                let receipt = self.world.ledger.commit(&[opened(&incident(key, 0))], &rows).unwrap();
                self.model.commit(&rows);
                assert_eq!(receipt.durability == Durability::Disk, !self.is_held());
                self.learn(&receipt.tickets);
            }
            Step::Claim { handle, limit } => {
                let due = self.handle(handle).claim("mail", now_ms, now_ms + LEASE_MS, limit).unwrap();
                let answered: Vec<_> = due.iter().map(|due| (due.row.dedup_key.clone(), due.attempts)).collect();
                assert_eq!(answered, self.model.claim(limit));
                for due in due {
                    assert_eq!(due.incident.map(|incident| incident.key), due.row.incident);
                    self.model.claims.push((due.id, due.row.dedup_key));
                }
            }
            Step::Finish { handle, place, outcome, next_in_ms } => {
                if self.model.claims.is_empty() {
                    return;
                }
                let place = place % self.model.claims.len();
                let (id, dedup_key) = self.model.claims.remove(place);
                let answer = delivery(now_ms, outcome);
                self.handle(handle).finish(id, &answer, Some(now_ms + next_in_ms)).unwrap();
                self.model.finish(&dedup_key, outcome, now_ms + next_in_ms);
            }
            Step::Postpone { handle, place, for_ms } => {
                if self.model.claims.is_empty() {
                    return;
                }
                let place = place % self.model.claims.len();
                let (id, dedup_key) = self.model.claims.remove(place);
                // Messages wait for silences that end: some of those that there are, or another one.
                let ends = self.model.silences.get(place).copied().filter(|ends_ms| *ends_ms > now_ms);
                let until_ms = ends.unwrap_or(now_ms + for_ms);
                self.handle(handle).postpone(id, until_ms).unwrap();
                self.model.postpone(&dedup_key, until_ms);
            }
            Step::Silence { for_ms } => {
                let wanted = silence(now_ms, now_ms + for_ms);
                // What people say goes to disk or nowhere.
                if let Ok(number) = self.world.ledger.add_silence(&wanted) {
                    self.model.silences.push(now_ms + for_ms);
                    assert_eq!(number, self.model.silences.len() as i64);
                }
            }
            Step::Unsilence { place } => {
                if self.model.silences.is_empty() {
                    return;
                }
                let place = place % self.model.silences.len();
                match self.world.ledger.end_silence(place as i64 + 1, now_ms) {
                    Ok(Unsilenced::Done(woken)) => assert_eq!(self.model.unsilence(place), Some(woken)),
                    Ok(_) => assert_eq!(self.model.unsilence(place), None),
                    Err(_) => {}
                }
            }
            Step::Wake => assert_eq!(self.handle(0).wake("mail", now_ms).unwrap(), self.model.wake()),
            Step::Pass { ms } => self.model.now_ms += ms,
            Step::DiskRefuses => self.refuse(true),
            Step::DiskComesBack { handle } => {
                self.refuse(false);
                if let Some(receipt) = self.handle(handle).retry_held().unwrap() {
                    assert_eq!(receipt.durability, Durability::Disk);
                    self.learn(&receipt.tickets);
                }
            }
            Step::Crash => {
                if self.is_held() {
                    return;
                }
                self.world.restart();
                self.other = self.world.store.as_ref().unwrap().ledger().unwrap();
                self.model.crash();
            }
        }
        self.compare();
    }

    /// A ticket never changes, and a new one is higher than all before.
    fn learn(&mut self, tickets: &[(IncidentKey, i64)]) {
        for (key, ticket) in tickets {
            let highest = self.model.tickets.values().max().copied().unwrap_or(0);
            match self.model.tickets.get(&key.0) {
                Some(known) => assert_eq!(known, ticket),
                None if *ticket > 0 => {
                    assert!(*ticket > highest, "{ticket} after {highest}");
                    self.model.tickets.insert(key.0, *ticket);
                }
                None => {}
            }
        }
    }

    fn compare(&mut self) {
        let (next_due, counts) = (self.other.next_due("mail").unwrap(), self.other.outbox_counts().unwrap());
        assert_eq!(next_due, self.model.next_due());
        let now_ms = self.model.now_ms;
        let in_force = self.other.silences(now_ms).unwrap().len();
        assert_eq!(in_force, self.model.silences.iter().filter(|ends_ms| **ends_ms > now_ms).count());
        assert_eq!(
            (counts.pending, counts.sent, counts.dead),
            (self.model.count("pending"), self.model.count("sent"), self.model.count("dead"))
        );
    }

    /// At the end the disk is back, and what stands there is what the model knows.
    fn end(mut self) {
        self.live(Step::DiskComesBack { handle: 0 });
        let disk = self.world.disk();
        assert_eq!(disk.query_row("PRAGMA integrity_check", [], |row| row.get(0)), Ok("ok".to_owned()));
        let total: i64 = disk.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).unwrap();
        assert_eq!(total, self.model.messages.len() as i64);
        for message in &self.model.messages {
            let found: (String, u32, u32, u32) = disk
                .query_row(
                    "SELECT state, attempts, (SELECT count(*) FROM delivery d WHERE d.outbox = outbox.id AND outcome = 'sent'), \
                     (SELECT count(*) FROM delivery d WHERE d.outbox = outbox.id) FROM outbox WHERE dedup_key = ?1",
                    [&message.row.dedup_key],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
                )
                .unwrap();
            assert_eq!(
                found,
                (message.state.to_owned(), message.attempts, message.accepted, message.answers),
                "{message:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_message_is_lost_or_doubled_and_no_ticket_is_used_twice(steps in prop::collection::vec(step(), 1..60)) {
        let world = World::new();
        let other = world.store.as_ref().unwrap().ledger().unwrap();
        let mut life = Life { world, other, model: Model::default() };
        for step in steps {
            life.live(step);
        }
        life.end();
    }
}
