//! What people say about incidents, on its way to the ledger: from the control socket, or from a command that holds the
//! store itself.

use anyhow::bail;
use watchkeeper_core::evidence::Acknowledgement;
use watchkeeper_core::quantity::Span;
use watchkeeper_core::{Silence, Ticket};
use watchkeeper_notify::Matcher;
use watchkeeper_store::{Acknowledged, SqliteLedger, Unsilenced};

use crate::control::{Acknowledge, NewSilence};

/// Longest name of a person, characters.
const LONGEST_NAME: usize = 100;
/// Longest note or comment, characters.
const LONGEST_NOTE: usize = 1_000;
/// Longest silence: whoever needs a longer one means another rule.
const LONGEST_SILENCE: Span = Span::from_secs(30 * 86_400);

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

/// Writes down a silence; `caller` is the user who asks. Answers it as it is in force now.
///
/// # Errors
/// It matches nothing that can be matched, is over or too long, or nobody says why; the disk refuses.
pub fn silence(ledger: &mut SqliteLedger, request: &NewSilence, caller: &str) -> anyhow::Result<Silence> {
    let now_ms = watchkeeper_collect::wall_clock_ms();
    if let Err(problems) = Matcher::parse(&request.matcher) {
        let sentences: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        bail!("the condition cannot be understood: {}", sentences.join("; "));
    }
    if request.ends_ms <= now_ms {
        bail!("the silence would be over before it begins");
    }
    if let Some(sentence) = too_long(request.ends_ms, now_ms) {
        bail!(sentence);
    }
    let mut silence = Silence {
        number: 0,
        matcher: request.matcher.clone(),
        author: words("name", request.by.as_deref().unwrap_or(caller), LONGEST_NAME)?,
        comment: words("comment", &request.comment, LONGEST_NOTE)?,
        created_ms: now_ms,
        starts_ms: now_ms,
        ends_ms: request.ends_ms,
    };
    silence.number = ledger.add_silence(&silence)?;
    Ok(silence)
}

/// What to say of a silence that would last longer than one may.
pub fn too_long(ends_ms: i64, now_ms: i64) -> Option<String> {
    (ends_ms.saturating_sub(now_ms) > LONGEST_SILENCE.ms()).then(|| {
        format!(
            "a silence lasts at most {LONGEST_SILENCE}; disable a rule that nobody wants to hear of ([rules] disable)"
        )
    })
}

/// Ends a silence at once.
///
/// # Errors
/// The disk refuses.
pub fn unsilence(ledger: &mut SqliteLedger, number: i64) -> anyhow::Result<Unsilenced> {
    Ok(ledger.end_silence(number, watchkeeper_collect::wall_clock_ms())?)
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
    use crate::app::console::tests::incident;
    use watchkeeper_core::evidence::Known;
    use watchkeeper_core::{Change, Incident, IncidentEvent, IncidentKey, Ledger};
    use watchkeeper_store::{Reader, Store, StoreConfig};

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

    #[test]
    fn the_next_time_the_evidence_names_who_took_it_on() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let store = Store::open(&state, &StoreConfig::default()).unwrap();
        let mut ledger = store.ledger().unwrap();
        let change =
            |event, at_ms, incident: &Incident| Change::Incident { event, at_ms, incident: Box::new(incident.clone()) };
        let mut first = Incident { ticket: None, ..incident() };
        let ticket = ledger.commit(&[change(IncidentEvent::Opened, 60_000, &first)], &[]).unwrap().tickets[0].1;
        let request =
            Acknowledge { tickets: vec![ticket], by: None, until_ms: None, note: Some("nightly build".to_owned()) };
        acknowledge(&mut ledger, &request, "ada").unwrap();
        first.closed_ms = Some(90_000);
        ledger.commit(&[change(IncidentEvent::Resolved, 90_000, &first)], &[]).unwrap();

        let again = Incident { key: IncidentKey(2), opened_ms: 3_600_000, ..incident() };
        let mut opened = change(IncidentEvent::Opened, 3_600_000, &again);
        watchkeeper_analyze::enrich(&mut opened, &Reader::open(&state).unwrap());
        let Change::Incident { incident, .. } = opened else { panic!("another change") };
        let Known::Yes(last) = &incident.evidence.last_acknowledgement else { panic!("{:?}", incident.evidence) };
        assert_eq!((last.by.as_str(), last.note.as_deref()), ("ada", Some("nightly build")));
        let Known::Yes(before) = &incident.evidence.recurrence else { panic!("{:?}", incident.evidence) };
        assert_eq!((before.times, before.last_ms, before.median_ms), (1, 60_000, 30_000));
    }

    #[test]
    fn silences_have_an_end_a_reason_and_a_condition() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state"), &StoreConfig::default()).unwrap();
        let mut ledger = store.ledger().unwrap();
        let now_ms = watchkeeper_collect::wall_clock_ms();
        let good = NewSilence {
            matcher: "rule == \"host-cpu\"".to_owned(),
            ends_ms: now_ms + LONGEST_SILENCE.ms(),
            comment: "new disks".to_owned(),
            by: None,
        };
        let made = silence(&mut ledger, &good, "ada").unwrap();
        assert_eq!((made.number, made.author.as_str(), made.ends_ms), (1, "ada", good.ends_ms));
        for (request, sentence) in [
            (NewSilence { comment: " ".to_owned(), ..good.clone() }, "the comment is empty"),
            (NewSilence { by: Some(String::new()), ..good.clone() }, "the name is empty"),
            (NewSilence { ends_ms: now_ms - 1, ..good.clone() }, "the silence would be over before it begins"),
            (
                NewSilence { ends_ms: good.ends_ms + 60_000, ..good.clone() },
                "a silence lasts at most 30d; disable a rule that nobody wants to hear of ([rules] disable)",
            ),
            (
                NewSilence { matcher: "rul == \"a\" && severity == \"bad\"".to_owned(), ..good.clone() },
                "the condition cannot be understood: ",
            ),
        ] {
            let error = silence(&mut ledger, &request, "ada").unwrap_err().to_string();
            assert!(error.starts_with(sentence), "{error}");
        }
        assert_eq!(unsilence(&mut ledger, 1).unwrap(), Unsilenced::Done(0));
        assert!(matches!(unsilence(&mut ledger, 1).unwrap(), Unsilenced::Over(_)));
        assert_eq!(unsilence(&mut ledger, 2).unwrap(), Unsilenced::Unknown);
    }
}
