//! How long a message waits after a failure.

use watchkeeper_core::outbox::OutboxId;

use crate::identity::hash;

const STEPS_MS: [i64; 5] = [5_000, 15_000, 45_000, 120_000, 300_000];
const LAST_MS: i64 = 900_000;

/// The wait after the attempt with this number, counted from 1, in milliseconds: 5 s, 15 s, 45 s, 2 min, 5 min, then
/// 15 min, each up to a quarter more or less. The jitter follows from row and attempt: it differs from row to row, so
/// that they do not all come back at once, and is the same in every run.
pub fn backoff_ms(id: OutboxId, attempt: u32) -> i64 {
    let step = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
    let base_ms = STEPS_MS.get(step).copied().unwrap_or(LAST_MS);
    let jitter = hash(&[id.to_le_bytes().as_slice(), attempt.to_le_bytes().as_slice()]) % 1_001;
    base_ms * 3 / 4 + base_ms / 2 * jitter as i64 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_wait_is_within_a_quarter_of_its_step(id: i64, attempt in 0_u32..40) {
            let base_ms = *STEPS_MS.get(attempt.max(1) as usize - 1).unwrap_or(&LAST_MS);
            let wait_ms = backoff_ms(id, attempt);
            prop_assert!((base_ms * 3 / 4..=base_ms * 5 / 4).contains(&wait_ms), "{wait_ms}");
            prop_assert_eq!(wait_ms, backoff_ms(id, attempt));
        }

        #[test]
        fn waits_grow_until_the_last_step(id: i64) {
            for attempt in 1_u32..=5 {
                prop_assert!(backoff_ms(id, attempt) < backoff_ms(id, attempt + 1));
            }
        }
    }

    #[test]
    fn rows_do_not_come_back_together() {
        let waits: std::collections::HashSet<i64> = (0..100).map(|id| backoff_ms(id, 6)).collect();
        assert!(waits.len() > 80, "{} different waits for 100 rows", waits.len());
        let waits: Vec<i64> = (0..1_000).map(|id| backoff_ms(id, 6)).collect();
        let mean_ms = waits.iter().sum::<i64>() / 1_000;
        assert!((890_000..910_000).contains(&mean_ms), "{mean_ms}");
    }

    #[test]
    fn no_number_of_attempts_overflows() {
        assert!(backoff_ms(i64::MIN, u32::MAX) >= 675_000);
    }
}
