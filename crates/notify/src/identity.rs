//! Names that stay the same over retries and restarts: Message-IDs, and the jitter of the back-off.

use watchkeeper_core::outbox::OutboxRow;
use watchkeeper_core::{IncidentEvent, IncidentKey};

/// The key of a row: the same incident, event, channel and recipient always give the same key. `distinct` tells apart
/// events that can happen to an incident more than once.
pub(crate) fn dedup_key(
    incident: IncidentKey,
    event: IncidentEvent,
    distinct: Option<i64>,
    channel: &str,
    recipient: &str,
) -> String {
    let distinct = distinct.map(|at_ms| format!("@{at_ms}")).unwrap_or_default();
    format!("{incident}/{}{distinct}/{channel}/{recipient}", event.word())
}

/// The Message-ID of a message that tells of these rows: constant as long as the same rows are in it, so that a receiver
/// can drop a second copy, and another one as soon as a row has joined, so that it cannot drop news.
pub(crate) fn message_id<'a>(dedup_keys: impl IntoIterator<Item = &'a str>, host: &str) -> String {
    let mut keys: Vec<&str> = dedup_keys.into_iter().collect();
    keys.sort_unstable();
    format!("<{:016x}.watchkeeper@{}>", hash(&keys), domain(host))
}

/// The Message-ID that the message about the opening of this row's incident has, or would have if it was sent alone.
/// Everything about the incident refers to it, which makes one thread of it.
pub(crate) fn thread_id(row: &OutboxRow, host: &str) -> Option<String> {
    let opened = dedup_key(row.incident?, IncidentEvent::Opened, None, &row.channel, &row.recipient);
    Some(message_id([opened.as_str()], host))
}

/// FNV-1a, 64 bit, with the length of every part mixed in: stable over versions and platforms.
pub(crate) fn hash<T: AsRef<[u8]>>(parts: &[T]) -> u64 {
    let bytes = parts.iter().flat_map(|part| {
        let part = part.as_ref();
        (part.len() as u64).to_le_bytes().into_iter().chain(part.iter().copied())
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// A host's name in the form that may stand after the `@`.
fn domain(host: &str) -> String {
    let safe: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let safe = safe.trim_matches(['.', '-']).replace("..", ".");
    if safe.is_empty() { "localhost".to_owned() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_stays_until_a_row_joins() {
        let alone = message_id(["a/opened/mail/x"], "db1");
        assert_eq!(alone, message_id(["a/opened/mail/x"], "db1"));
        assert_ne!(alone, message_id(["a/opened/mail/x", "b/opened/mail/x"], "db1"));
        assert_eq!(message_id(["a", "b"], "db1"), message_id(["b", "a"], "db1"));
        assert_ne!(message_id(["ab"], "db1"), message_id(["a", "b"], "db1"));
    }

    #[test]
    fn no_host_name_can_break_a_message_id() {
        for (host, safe) in [
            ("db1.example.com", "db1.example.com"),
            ("db1\r\nBcc: x@y", "db1--Bcc--x-y"),
            ("über", "ber"),
            ("...", "localhost"),
            ("", "localhost"),
        ] {
            let id = message_id(["a"], host);
            assert!(id.ends_with(&format!("@{safe}>")), "{id}");
        }
    }
}
