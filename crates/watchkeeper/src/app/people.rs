//! What people say about incidents, on its way to the ledger: from the control socket, or from a command that holds the
//! store itself.

use anyhow::bail;
use watchkeeper_core::Ticket;
use watchkeeper_core::evidence::Acknowledgement;
use watchkeeper_store::{Acknowledged, SqliteLedger};

use crate::control::Acknowledge;

/// Longest name of a person, characters.
const LONGEST_NAME: usize = 100;
/// Longest note, characters.
const LONGEST_NOTE: usize = 1_000;

/// Writes down who takes which incidents on; `caller` is the user who asks. Answers under which name, and what became of
/// each.
///
/// # Errors
/// The name or the note is empty or too long; the disk refuses.
pub fn acknowledge(
    ledger: &mut SqliteLedger,
    request: &Acknowledge,
    caller: &str,
) -> anyhow::Result<(String, Vec<(Ticket, Acknowledged)>)> {
    let at_ms = watchkeeper_collect::wall_clock_ms();
    let acknowledgement = Acknowledgement {
        by: words("name", request.by.as_deref().unwrap_or(caller), LONGEST_NAME)?,
        at_ms,
        until_ms: request.until_ms,
        note: request.note.as_deref().map(|note| words("note", note, LONGEST_NOTE)).transpose()?,
    };
    if acknowledgement.until_ms.is_some_and(|until_ms| until_ms <= at_ms) {
        bail!("the acknowledgement would be over before it begins");
    }
    let answers = ledger.acknowledge(&request.tickets, &acknowledgement)?;
    Ok((acknowledgement.by, request.tickets.iter().copied().zip(answers).collect()))
}

/// What a person wrote, without blanks around it.
fn words(what: &str, text: &str, longest: usize) -> anyhow::Result<String> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        bail!("the {what} is empty");
    }
    if length > longest {
        bail!("the {what} has {length} characters; the longest one has {longest}");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_store::{Store, StoreConfig};

    #[test]
    fn names_notes_and_times_have_limits() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state"), &StoreConfig::default()).unwrap();
        let mut ledger = store.ledger().unwrap();
        let good = Acknowledge { tickets: vec![7], by: None, until_ms: None, note: None };
        let (by, answers) = acknowledge(&mut ledger, &good, " ada ").unwrap();
        assert_eq!((by.as_str(), answers), ("ada", vec![(7, Acknowledged::Unknown)]));
        for (request, sentence) in [
            (Acknowledge { by: Some(" ".to_owned()), ..good.clone() }, "the name is empty"),
            (
                Acknowledge { by: Some("é".repeat(101)), ..good.clone() },
                "the name has 101 characters; the longest one has 100",
            ),
            (Acknowledge { note: Some(String::new()), ..good.clone() }, "the note is empty"),
            (
                Acknowledge { note: Some("x".repeat(1_001)), ..good.clone() },
                "the note has 1001 characters; the longest one has 1000",
            ),
            (
                Acknowledge { until_ms: Some(1_000), ..good.clone() },
                "the acknowledgement would be over before it begins",
            ),
        ] {
            assert_eq!(acknowledge(&mut ledger, &request, "ada").unwrap_err().to_string(), sentence);
        }
    }
}
