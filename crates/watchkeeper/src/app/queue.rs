//! Changes on their way to the ledger, in their order: what cannot be kept now is not forgotten.

use std::collections::VecDeque;

use watchkeeper_core::outbox::OutboxRow;
use watchkeeper_core::port::{LedgerError, Receipt};
use watchkeeper_core::{Change, Ledger};

/// Changes that belong together, and the messages they cause.
#[derive(Clone, Debug)]
struct Batch {
    changes: Vec<Change>,
    rows: Vec<OutboxRow>,
}

/// What waits for the ledger; empty in normal running. The disk's refusal is the ledger's business: it holds things in
/// memory then. Here is what it could not even hold.
#[derive(Debug, Default)]
pub struct Queue {
    batches: VecDeque<Batch>,
    lost: u64,
}

impl Queue {
    /// Adds the changes of a tick with their messages.
    pub fn push(&mut self, changes: Vec<Change>, rows: Vec<OutboxRow>) {
        self.batches.push_back(Batch { changes, rows });
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Changes that were given up since the start.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Commits all that waits, oldest first, and hands over what was kept.
    ///
    /// A change that the ledger does not understand would hold up all others for ever: its batch is committed change by
    /// change, and only that one is given up and counted.
    ///
    /// # Errors
    /// The ledger failed; what is left waits for the next call.
    pub fn commit(
        &mut self,
        ledger: &mut impl Ledger,
        mut kept: impl FnMut(&[Change], &Receipt),
    ) -> Result<(), LedgerError> {
        while let Some(batch) = self.batches.pop_front() {
            match ledger.commit(&batch.changes, &batch.rows) {
                Ok(receipt) => kept(&batch.changes, &receipt),
                Err(LedgerError::Malformed { .. }) if batch.changes.len() > 1 => self.split(batch),
                Err(error @ LedgerError::Malformed { .. }) => {
                    tracing::error!("a change of an alert is lost: {error}");
                    self.lost += 1;
                }
                Err(error) => {
                    self.batches.push_front(batch);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Puts each change of a batch in front, with the messages about its incident.
    fn split(&mut self, batch: Batch) {
        let Batch { changes, mut rows } = batch;
        let mut singles = Vec::new();
        for change in changes {
            let own = match &change {
                Change::Incident { incident, .. } => {
                    rows.extract_if(.., |row| row.incident == Some(incident.key)).collect()
                }
                Change::Alert(_) => Vec::new(),
            };
            singles.push(Batch { changes: vec![change], rows: own });
        }
        for single in singles.into_iter().rev() {
            self.batches.push_front(single);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_core::outbox::{Delivery, Due, OutboxId};
    use watchkeeper_core::port::{Durability, LoadedState, OutboxCounts};
    use watchkeeper_core::{Alert, AlertState, Entity, Fingerprint, Silence};

    /// Refuses as told and notes what it was given.
    #[derive(Default)]
    struct Fake {
        fails: bool,
        malformed: Option<u64>,
        committed: Vec<Vec<u64>>,
    }

    fn number(change: &Change) -> u64 {
        match change {
            Change::Alert(alert) => alert.fingerprint.0,
            Change::Incident { incident, .. } => incident.key.0,
        }
    }

    impl Ledger for Fake {
        fn commit(&mut self, changes: &[Change], _: &[OutboxRow]) -> Result<Receipt, LedgerError> {
            let (path, reason) = ("state.db".to_owned(), "test".to_owned());
            if self.fails {
                return Err(LedgerError::Database { operation: "commit to", path, reason });
            }
            let numbers: Vec<u64> = changes.iter().map(number).collect();
            if self.malformed.is_some_and(|number| numbers.contains(&number)) {
                return Err(LedgerError::Malformed { path, reason });
            }
            self.committed.push(numbers);
            Ok(Receipt { tickets: Vec::new(), durability: Durability::Disk })
        }
        fn load(&mut self) -> Result<LoadedState, LedgerError> {
            unreachable!("the queue only commits")
        }
        fn claim(&mut self, _: &str, _: i64, _: i64, _: usize) -> Result<Vec<Due>, LedgerError> {
            unreachable!("the queue only commits")
        }
        fn finish(&mut self, _: OutboxId, _: &Delivery, _: Option<i64>) -> Result<(), LedgerError> {
            unreachable!("the queue only commits")
        }
        fn silences(&mut self, _: i64) -> Result<Vec<Silence>, LedgerError> {
            unreachable!("the queue only commits")
        }
        fn postpone(&mut self, _: OutboxId, _: i64) -> Result<(), LedgerError> {
            unreachable!("the queue only commits")
        }
        fn next_due(&mut self, _: &str) -> Result<Option<i64>, LedgerError> {
            unreachable!("the queue only commits")
        }
        fn outbox_counts(&mut self) -> Result<OutboxCounts, LedgerError> {
            unreachable!("the queue only commits")
        }
    }

    fn alert(number: u64) -> Change {
        Change::Alert(Alert {
            fingerprint: Fingerprint(number),
            rule: "busy".to_owned(),
            metric: "system.cpu.utilization".to_owned(),
            entity: Entity::Host,
            state: AlertState::Firing,
            since_ms: 0,
            observed_ms: 0,
            fired_ms: None,
            ended_ms: None,
            value: None,
            seen_ms: 0,
            incident: None,
        })
    }

    #[test]
    fn what_cannot_be_kept_waits_in_its_order() {
        let (mut queue, mut ledger) = (Queue::default(), Fake { fails: true, ..Fake::default() });
        for number in [1, 2] {
            queue.push(vec![alert(number)], Vec::new());
            assert!(queue.commit(&mut ledger, |_, _| panic!("nothing is kept")).is_err());
        }
        assert!(!queue.is_empty());
        ledger.fails = false;
        let mut kept = Vec::new();
        queue.commit(&mut ledger, |changes, _| kept.extend(changes.iter().map(number))).unwrap();
        assert!(queue.is_empty());
        assert_eq!((kept, ledger.committed), (vec![1, 2], vec![vec![1], vec![2]]));
    }

    #[test]
    fn one_change_that_is_not_understood_holds_up_no_other() {
        let (mut queue, mut ledger) = (Queue::default(), Fake { malformed: Some(2), ..Fake::default() });
        queue.push(vec![alert(1), alert(2), alert(3)], Vec::new());
        queue.push(vec![alert(4)], Vec::new());
        queue.commit(&mut ledger, |_, _| ()).unwrap();
        assert!(queue.is_empty());
        assert_eq!(queue.lost(), 1);
        assert_eq!(ledger.committed, [[1], [3], [4]]);
    }
}
